"""Turn the module of a custom experiment into a program with the commands ``train``, ``sample`` and others.

    if __name__ == "__main__":
        main("my_gan", Config, build, __doc__, presets=PRESETS)

The default command is ``train``. The program ``jaxgan`` has the same commands for the experiments that are part of the
package, see ``jaxgan.cli.main``.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxgan.cli import commands, errors, suggestions
from jaxgan.cli.experiment_program import ExperimentProgram, Preset, invocation
from jaxgan.cli.fields import fields_of
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
    given, prog = list(sys.argv[1:] if arguments is None else arguments), program.invoked_as
    try:
        command = _command(program, given)
        if command is None:
            say_lines(_help(program))
            return
        values = {} if command == "train" else commands.take_operands(command, given)
        fields = commands.command_fields(command, fields_of(config_class), tuple(program.presets))
        prog = f"{program.invoked_as} {command}"
        values |= commands.parse(command, fields, given, prog)
    except ValueError as mistake:
        errors.print_mistake(str(mistake), getattr(mistake, "prog", None) or prog)
        sys.exit(2)
    commands.execute(command, fields, values, program)


def _command(program: ExperimentProgram, given: list[str]) -> str | None:
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
    raise Mistake(suggestions.answer_command(given[0], list(commands.COMMANDS), program.invoked_as))


def _help(program: ExperimentProgram) -> str:
    lines = [f"usage: {program.invoked_as} [command] [flags]", "", program.description.strip(), "", "commands:"]
    for name in commands.COMMANDS:
        about = commands.read_command(name).about.split("\n\n")[0]
        lines.append(f"  {name:<10} {' '.join(about.split())}")
    lines += ["", f"The default command is train. To list its flags, run `{program.invoked_as} train --help`."]
    return "\n".join(lines)
