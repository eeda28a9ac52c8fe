"""Turn the module of a custom experiment into a program with the commands ``train``, ``sample`` and others.

    if __name__ == "__main__":
        main("my_gan", Config, build, __doc__, presets=PRESETS)

The default command is ``train``. The program ``jaxgan`` has the same commands for the experiments that are part of the
package, see ``jaxgan.cli.main``.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxgan.cli import commands, errors, experiment_files, suggestions
from jaxgan.cli.experiment_program import ExperimentProgram, Preset, invocation
from jaxgan.cli.fields import Field, fields_of, read_class
from jaxgan.cli.flags import Mistake
from jaxgan.core.text import print_any_text, say_lines


def main(
    name: str,
    config_class: type,
    build: Callable[..., Any],
    description: str | None,
    arguments: Sequence[str] | None = None,
    presets: Mapping[str, Preset] | None = None,
) -> None:
    """Execute the command that the command line names, and exit with its exit code if it fails.

    Args:
      name: the experiment's name, such as ``dcgan``. By default, its runs are written to ``runs/<name>``.
      config_class: the dataclass of the settings: frozen, with a default for each field, and with the fields ``steps``,
        ``batch_size`` and ``seed`` among others. Each field becomes a flag, see ``jaxgan.cli.fields``.
      build: a function ``(config, source=None)`` that returns the experiment. If ``source`` is passed, it replaces the
        data that the settings name.
      description: the text that ``--help`` prints, usually the docstring of the module.
      arguments: the arguments to parse in place of the command line.
      presets: dictionary from the values of ``train --preset`` to presets. A preset is a dictionary of settings, or a
        function that returns one, see ``jaxgan.cli.experiment_program.Preset``. Flags override these settings.
    """
    print_any_text()
    program = ExperimentProgram(name, config_class, build, description or "", presets or {}, invocation(config_class))
    given = list(sys.argv[1:] if arguments is None else arguments)
    interface = _Interface(program.invoked_as, program.description, tuple(program.presets))
    parsed = interface.parse_or_exit(given, lambda: fields_of(config_class), commands.parse)
    if parsed is not None:
        commands.execute(*parsed, program)


@errors.ending_quietly()
def answer_before_import(package: str) -> None:
    """Print the help or the mistake of ``python -m PACKAGE.EXPERIMENT ...`` and exit, before JAX is imported.

    Python imports the package first, and the package calls this function. The experiment's module, which imports JAX,
    is executed afterwards. This function returns if the command line asks for anything but help and has no mistake, or
    if Python does not start an experiment. The module then parses the command line again.

    Args:
      package: the package of the experiments, ``__name__`` in its ``__init__.py``.
    """
    arguments = sys.argv[1:]
    module = sys.orig_argv[len(sys.orig_argv) - len(arguments) - 1].removeprefix("-m")
    parent, _, name = module.rpartition(".")
    if parent != package or (name not in experiment_files.names() and importlib.util.find_spec(module)):
        return
    print_any_text()
    try:
        text = experiment_files.read_experiment(experiment_files.find(name))
    except ValueError as mistake:
        errors.print_error(str(mistake), ())
        sys.exit(2)
    interface = _Interface(f"python -m {module}", text.docstring, text.dict_keys("PRESETS"))
    # A file of settings is not read here, because a pipe can be read only once.
    parsed = interface.parse_or_exit(arguments, lambda: read_class(text, "Config").fields, commands.parse_flags)
    if parsed is None:
        sys.exit(0)


class _Interface(NamedTuple):
    """The command line of an experiment.

    Attributes:
      invoked_as: the command that started the program, such as ``python mine.py``.
      description: the text that ``--help`` prints.
      presets: the names of the presets.
    """

    invoked_as: str
    description: str
    presets: tuple[str, ...]

    def parse_or_exit(
        self, given: list[str], read_fields: Callable[[], Sequence[Field]], parse: Callable[..., dict[str, Any]]
    ) -> tuple[str, tuple[Field, ...], dict[str, Any]] | None:
        """Return the command, its fields and the values of its flags, or None after printing the general help.

        Args:
          given: the arguments of the command line.
          read_fields: a function that returns the fields of the settings.
          parse: ``commands.parse`` or ``commands.parse_flags``.

        Raises:
          SystemExit: if the arguments ask for the help of a command, or contain a mistake, after printing it.
        """
        prog = self.invoked_as
        try:
            command = self._take_command(given)
            if command is None:
                say_lines(self._help())
                return None
            values = {} if command == "train" else commands.take_operands(command, given)
            fields = commands.command_fields(command, read_fields(), self.presets)
            prog = f"{self.invoked_as} {command}"
            return command, fields, {**values, **parse(command, fields, given, prog)}
        except ValueError as mistake:
            errors.print_mistake(str(mistake), getattr(mistake, "prog", None) or prog)
            sys.exit(2)

    def _take_command(self, given: list[str]) -> str | None:
        """Remove the command's name from the arguments and return it.

        Returns:
          The name, or ``train`` if the arguments name no command, or None if the first argument is -h or --help.

        Raises:
          Mistake: if there is no such command.
        """
        if given and given[0] in ("-h", "--help"):
            return None
        if not given or given[0].startswith("-"):
            return "train"
        if given[0] in commands.COMMANDS:
            return given.pop(0)
        raise Mistake(suggestions.answer_command(given[0], list(commands.COMMANDS), self.invoked_as))

    def _help(self) -> str:
        lines = [f"usage: {self.invoked_as} [command] [flags]", "", self.description.strip(), "", "commands:"]
        for name in commands.COMMANDS:
            about = commands.read_command(name).about.split("\n\n")[0]
            lines.append(f"  {name:<10} {' '.join(about.split())}")
        lines += ["", f"The default command is train. To list its flags, run `{self.invoked_as} train --help`."]
        return "\n".join(lines)
