"""The program of an experiment of one's own: its commands, their flags, and how errors end it.

    if __name__ == "__main__":
        main("my_gan", Config, build, __doc__, presets=PRESETS)

Without a command it trains. The program ``jaxgan`` has the same commands for the experiments that come with jaxgan, see
``jaxgan.cli.main``.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxgan.cli import commands, errors, suggestions
from jaxgan.cli.experiment_program import ExperimentProgram, Preset, invocation
from jaxgan.cli.fields import fields_of
from jaxgan.cli.flags import Mistake


def main(
    name: str,
    config_class: type,
    build: Callable[..., Any],
    description: str | None,
    arguments: Sequence[str] | None = None,
    presets: Mapping[str, Preset] | None = None,
) -> None:
    """Run the command that the command line names; exit with its code if it failed.

    Args:
      name: the experiment's, ``dcgan``; its runs go to ``runs/<name>``.
      config_class: a frozen dataclass with defaults, among its fields ``steps``, ``batch_size``, ``seed``. Its flags
        are its fields, see ``jaxgan.cli.fields``.
      build: ``(config, source=None)``: makes the experiment, of the source if one is given.
      description: for ``--help``: the module's docstring.
      arguments: instead of the command line's.
      presets: settings for ``train --preset NAME`` to start from; flags override them.
    """
    program = ExperimentProgram(name, config_class, build, description or "", presets or {}, invocation(config_class))
    given, prog = list(sys.argv[1:] if arguments is None else arguments), program.invoked_as
    try:
        command = _command(program, given)
        if command is None:
            print(_help(program))
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
    """Take the command's name from the arguments; ``train`` if there is none, None for help about all commands.

    Raises:
      Mistake: there is no such command.
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
    lines += ["", f"Without a command it trains. The flags of a command: {program.invoked_as} train --help"]
    return "\n".join(lines)
