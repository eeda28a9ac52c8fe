"""Parse and execute the commands of an experiment, such as ``train`` and ``sample``.

A command is a dataclass with a method ``execute(program)``. Its fields define its flags. ``train`` also has a flag for
each setting of the experiment (a field of its ``Config``, which determines the result) and for each option of the run
(a field of ``RunOptions``, which does not change the result). The flags are read from the text of the modules, so that
JAX is imported only when a command is executed.
"""

import dataclasses
import gc
import importlib
import os
import sys
import traceback
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxgan.cli import errors
from jaxgan.cli.config_file import read_config_file
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.cli.fields import PACKAGE, ClassText, Field, read_class, read_module
from jaxgan.cli.flags import FlagParser, Mistake, add_flags, as_tuples, refuse_empty
from jaxgan.core.interruption import Interrupted
from jaxgan.core.text import say, say_lines
from jaxgan.monitoring.data_paths import SETTINGS as DATA_SETTINGS

# Names of two fields of the dataclasses ``Train`` and ``Resume``. The fields hold the settings and the options that are
# passed as flags.
SETTINGS, OPTIONS = "settings", "options"
# The fields for a run's directory and for a parameter file. The program ``jaxgan`` reads them from operands, which are
# arguments before the flags, and has no flags for them.
OPERANDS = ("run_dir", "parameters")
PARAMETERS = (".safetensors",)  # suffixes of parameter files
# Keys are arguments of library functions that ``train`` calls. Values are the settings or options that ``train`` passes
# as these arguments.
OTHER_NAMES = {"count": "evaluate_count", "delta": "dp_delta"}
# Arguments of ``gc.set_threshold``. Tracing a step creates many objects and little garbage, and Python by default
# searches for garbage after every 700 new objects, which takes a fifth of the time of tracing.
GARBAGE_THRESHOLDS = (200_000, 20, 20)


class CommandPlace(NamedTuple):
    """The location of a command's dataclass.

    Attributes:
      module: the name of the module in ``jaxgan.cli``.
      class_name: the name of the dataclass.
    """

    module: str
    class_name: str


COMMANDS = {
    "train": CommandPlace("train", "Train"),
    "resume": CommandPlace("train", "Resume"),
    "sample": CommandPlace("sample", "Sample"),
    "translate": CommandPlace("translate", "Translate"),
    "project": CommandPlace("project", "Project"),
    "evaluate": CommandPlace("evaluate", "Evaluate"),
    "export": CommandPlace("export", "Export"),
    "report": CommandPlace("report", "Report"),
    "inspect": CommandPlace("inspect", "Inspect"),
}
TAKES_IMAGES = ("translate", "project")  # commands with a second operand, the images to process


def read_command(name: str) -> ClassText:
    """Read the fields and the docstring of a command's dataclass from the text of its module.

    Args:
      name: the name of the command, a key of ``COMMANDS``.
    """
    place = COMMANDS[name]
    return read_class(read_module(PACKAGE / "cli" / f"{place.module}.py"), place.class_name)


def command_fields(name: str, settings: Sequence[Field] = (), presets: Sequence[str] = ()) -> tuple[Field, ...]:
    """Return the fields for which a command has flags.

    Args:
      name: the command's name.
      settings: the fields of the experiment's settings, which become flags of ``train``. Those that name data also
        become flags of ``resume``.
      presets: the names of the experiment's presets, which are the allowed values of ``train --preset``.

    Raises:
      ValueError: if the type of a setting is a dataclass, or a setting has the same name as another flag.
    """
    fields = list(read_command(name).fields)
    if name in ("train", "resume"):
        options = read_class(read_module(PACKAGE / "training" / "options.py"), "RunOptions").fields
        fields += [dataclasses.replace(field, owner=OPTIONS) for field in options]
    if name == "resume":
        # The default of an option of ``resume`` is the value that the run was started with. The help must not show the
        # default of ``train``.
        fields += [dataclasses.replace(field, owner=SETTINGS) for field in settings if field.name in DATA_SETTINGS]
        return tuple(dataclasses.replace(field, default=None) for field in fields if field.name != "fresh")
    if name != "train":
        return tuple(fields)
    taken = {"help", *(field.name for field in fields)}
    for field in settings:
        if field.owner:
            raise ValueError(
                f"The setting {field.owner} is a dataclass, but settings cannot be nested. Declare the fields of "
                f"{field.owner} directly in the dataclass of the settings."
            )
        if field.name in taken:
            raise ValueError(
                f"The setting {field.name} has the same name as a flag of the command `train`. Rename the setting."
            )
    fields += [dataclasses.replace(field, owner=SETTINGS) for field in settings]
    return tuple(
        dataclasses.replace(field, choices=tuple(presets)) if field.name == "preset" else field
        for field in fields
        if presets or field.name != "preset"
    )


def parse(
    name: str,
    fields: Sequence[Field],
    arguments: Sequence[str],
    prog: str,
    operands: str = "",
    example_operands: str = "",
) -> dict[str, Any]:
    """Return a dictionary from fields of a command to the values of the flags that were passed.

    Args:
      name: the command's name.
      fields: the fields for which the command has flags.
      arguments: the arguments of the command line after the command and its operands.
      prog: the command as it was typed.
      operands: the names of the operands for the usage line of the help.
      example_operands: the operands for the examples in the help.

    Raises:
      Mistake: if a flag is unknown, or a value is not allowed.
      SystemExit: if the arguments contain -h or --help, after printing the help.
    """
    values = parse_flags(name, fields, arguments, prog, operands, example_operands)
    if "config" in values:
        try:
            values = {**read_config_file(Path(values.pop("config")).expanduser(), fields), **values}
        except Mistake as mistake:
            raise Mistake(str(mistake), prog) from None
    return values


def parse_flags(
    name: str,
    fields: Sequence[Field],
    arguments: Sequence[str],
    prog: str,
    operands: str = "",
    example_operands: str = "",
) -> dict[str, Any]:
    """Return the values of the flags as ``parse`` does, but do not read the file that ``--config`` names.

    Args:
      name, fields, arguments, prog, operands, example_operands: as for ``parse``.

    Raises:
      Mistake, SystemExit: as for ``parse``.
    """
    text = read_command(name)
    parser = FlagParser(prog, text.about, text.examples, operands, example_operands)
    add_flags(parser, fields)
    return parser.parse(arguments)


def take_operands(name: str, given: list[str]) -> dict[str, str]:
    """Remove the operands, which are the arguments before the flags, and return them.

    The first operand is a run or a parameter file. Some commands have a second operand, the images to process.

    Args:
      name: the command's name.
      given: the arguments after the command. The operands are removed from this list.

    Returns:
      A dictionary from fields of the command to the operands.

    Raises:
      Mistake: if an operand is empty.
    """
    fields = ["run_dir", "images"] if name in TAKES_IMAGES else ["run_dir"]
    values = {}
    refuse_empty(given[: len(fields)])
    while fields and given and not given[0].startswith("-"):
        values[fields.pop(0)] = given.pop(0)
    if values.get("run_dir", "").endswith(PARAMETERS):
        values["parameters"] = values.pop("run_dir")
    if "images" in values:
        given += ["--images", values["images"]]  # the parser requires this flag
    return values


@errors.ending_quietly()
def execute(name: str, fields: Sequence[Field], values: Mapping[str, Any], program: ExperimentProgram) -> None:
    """Execute a command with the values of its flags. This imports JAX.

    An error is printed as one message. If the environment variable JAXGAN_TRACEBACK is set, its traceback is printed.
    The exit code of the process is 2 for invalid arguments, 1 if a run diverged or a file could not be read or written,
    and 128 plus the number of the signal after a signal, such as 130 after SIGINT and 143 after SIGTERM.

    Args:
      name: the name of the command, a key of ``COMMANDS``.
      fields: the fields of the command's dataclass, from which its flags were created.
      values: the values of the flags that were passed, by the name of the field.
      program: the program of the experiment.
    """
    import jax

    from jaxgan.cli import cache
    from jaxgan.core import system
    from jaxgan.training.divergence import Diverged

    expected = (ValueError, OSError, OverflowError, MemoryError, Diverged, jax.errors.JaxRuntimeError)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    cache.enable_compilation_cache()
    system.keep_freed_memory()
    place = COMMANDS[name]
    command_class = getattr(importlib.import_module(f"jaxgan.cli.{place.module}"), place.class_name)
    flags = flag_names(name, fields, program)
    try:
        with errors.warnings_as_lines(flags):
            make_command(command_class, fields, values).execute(program)
    except Interrupted as stop:
        if not stop.saved:
            errors.print_stop(stop)
            _exit(128 + stop.number)
        raise
    except expected as error:
        system.expect_exit()
        if os.environ.get("JAXGAN_TRACEBACK"):
            # The error is not raised, because the caller would print a ValueError as a mistake in the flags.
            say_lines(traceback.format_exc().rstrip(), sys.stderr)
        fix = errors.find_fix(error, name)
        message = errors.describe(error)
        if isinstance(error, jax.errors.JaxRuntimeError):
            message = " ".join(message.split())  # JAX's own messages have several lines
        errors.print_error(message, flags, fix)
        if not fix and not os.environ.get("JAXGAN_TRACEBACK"):
            say("To see the traceback, set the environment variable JAXGAN_TRACEBACK=1.", sys.stderr)
        _exit(2 if isinstance(error, ValueError) else 1)


def make_command(command_class: type, fields: Sequence[Field], values: Mapping[str, Any]) -> Any:
    """Create a command's dataclass from a dictionary of field names and values.

    If a field has an owner, which is a nested dataclass, its value is passed to the nested dataclass.

    Args:
      command_class: the dataclass of the command.
      fields: the fields of the dataclass, from which the flags were created.
      values: the values of the flags that were passed, by the name of the field.
    """
    types = typing.get_type_hints(command_class)
    owned: dict[str, dict[str, Any]] = {}
    owners = {field.name: field.owner for field in fields}
    for name, value in as_tuples(fields, values).items():
        owned.setdefault(owners[name], {})[name] = value
    own = owned.pop("", {})
    return command_class(
        **own,
        **{owner: given if owner in (SETTINGS, OPTIONS) else types[owner](**given) for owner, given in owned.items()},
    )


def flag_names(name: str, fields: Sequence[Field], program: ExperimentProgram) -> dict[str, str]:
    """Return a dictionary from arguments in the library's messages to the flags or operands that a user types.

    Args:
      name: the name of the command, a key of ``COMMANDS``.
      fields: the fields of the command's dataclass.
      program: the program of the experiment.
    """
    # Settings that are not flags of this command are printed by name, without backticks.
    settings = {field.name: field.name for field in dataclasses.fields(program.config_class)}
    flags = settings | {field.name: errors.flag(field.name) for field in fields}
    # Any command may find that a run is damaged, but only ``train --fresh`` can start the run over.
    flags["fresh"] = errors.flag("fresh") if name == "train" else f"{program.train_command} --fresh"
    if name == "train":
        flags |= {argument: errors.flag(setting) for argument, setting in OTHER_NAMES.items()}
    elif program.is_console:
        flags |= dict.fromkeys(OPERANDS, "RUN")
    return flags


def _exit(code: int) -> None:
    import jax

    from jaxgan.core import system

    if jax.distributed.is_initialized():
        # sys.exit would wait for the other hosts, and the other hosts wait for this host.
        system.exit_immediately(code)
    sys.exit(code)
