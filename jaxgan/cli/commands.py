"""The commands of an experiment: their flags, read from text, and their execution once JAX is imported.

A command is a dataclass with a method ``execute(program)``. Its fields are its flags. ``train`` has the settings of the
experiment as flags too.
"""

import dataclasses
import importlib
import os
import sys
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxgan.cli import errors
from jaxgan.cli.config_file import read_config_file
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.cli.fields import PACKAGE, ClassText, Field, read_class, read_module
from jaxgan.cli.flags import FlagParser, Mistake, add_flags, as_tuples

# The fields of ``train`` and ``resume`` with the settings and the options that flags give.
SETTINGS, OPTIONS = "settings", "options"
# The fields for a run's directory and for a file of parameters, which are operands and not flags of ``jaxgan``.
OPERANDS = ("run_dir", "parameters")
PARAMETERS = (".safetensors",)  # files of parameters
# Arguments of functions that training calls, by the setting or option that sets them.
OTHER_NAMES = {"count": "evaluate_count", "delta": "dp_delta"}


class CommandPlace(NamedTuple):
    """Where the dataclass of a command is: a module of ``jaxgan.cli``, and its class."""

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
TAKES_IMAGES = ("translate", "project")  # commands with a second operand, the images


def read_command(name: str) -> ClassText:
    """The fields and the docstring of a command's dataclass, from its text."""
    place = COMMANDS[name]
    return read_class(read_module(PACKAGE / "cli" / f"{place.module}.py"), place.class_name)


def command_fields(name: str, settings: Sequence[Field] = (), presets: Sequence[str] = ()) -> tuple[Field, ...]:
    """The fields that a command has flags for.

    Args:
      name: of the command.
      settings: the fields of the experiment's settings, which ``train`` has flags for.
      presets: the names that ``train --preset`` takes.

    Raises:
      ValueError: a setting has the name of another flag, or a dataclass for its type.
    """
    fields = list(read_command(name).fields)
    if name in ("train", "resume"):
        options = read_class(read_module(PACKAGE / "training" / "options.py"), "RunOptions").fields
        fields += [dataclasses.replace(field, owner=OPTIONS) for field in options]
    if name == "resume":
        return tuple(field for field in fields if field.name != "fresh")
    if name != "train":
        return tuple(fields)
    taken = {"help", *(field.name for field in fields)}
    for field in settings:
        if field.owner:
            raise ValueError(f"the setting {field.owner} is a dataclass, for which there is no flag; give its fields.")
        if field.name in taken:
            raise ValueError(f"the setting {field.name} has the name of a flag of every training; choose another name.")
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
    """The values of the flags that were given to a command, by field.

    Args:
      name: of the command.
      fields: those that it has flags for.
      arguments: of the command line, after the command and its operands.
      prog: the command as it was typed.
      operands: the names of the operands, for help.
      example_operands: operands for the examples in help.

    Raises:
      Mistake: a flag is unknown, or a value is not allowed.
      SystemExit: help was asked for, and printed.
    """
    text = read_command(name)
    parser = FlagParser(prog, text.about, text.examples, operands, example_operands)
    add_flags(parser, fields)
    values = parser.parse(arguments)
    if "config" in values:
        try:
            values = {**read_config_file(Path(values.pop("config")).expanduser(), fields), **values}
        except Mistake as mistake:
            raise Mistake(str(mistake), prog) from None
    return values


def take_operands(name: str, given: list[str]) -> dict[str, str]:
    """Take the operands before the flags: a run or a file of parameters, and for some commands images.

    Returns:
      The values of the fields that they stand for.
    """
    fields = ["run_dir", *(["images"] if name in TAKES_IMAGES else [])]
    values = {}
    while fields and given and not given[0].startswith("-"):
        values[fields.pop(0)] = given.pop(0)
    if values.get("run_dir", "").endswith(PARAMETERS):
        values["parameters"] = values.pop("run_dir")
    if "images" in values:
        given += ["--images", values["images"]]  # which the parser requires
    return values


def execute(name: str, fields: Sequence[Field], values: Mapping[str, Any], program: ExperimentProgram) -> None:
    """Run a command with the values of its flags. This imports JAX.

    A user's mistake ends the process with one line and exit code 2, a run that diverged or could not be written with
    1, SIGINT with 130, SIGTERM with 143.
    """
    import jax

    from jaxgan.cli import cache
    from jaxgan.core import system
    from jaxgan.core.notes import message_with_notes
    from jaxgan.training.divergence import Diverged
    from jaxgan.training.signals import Interrupted

    expected = (ValueError, OSError, OverflowError, MemoryError, Diverged, jax.errors.JaxRuntimeError)
    cache.enable_compilation_cache()
    system.keep_freed_memory()
    place = COMMANDS[name]
    command_class = getattr(importlib.import_module(f"jaxgan.cli.{place.module}"), place.class_name)
    try:
        with errors.ending_quietly():
            make_command(command_class, fields, values).execute(program)
    except Interrupted as stop:
        sys.exit(128 + stop.number)
    except expected as error:
        if os.environ.get("JAXGAN_TRACEBACK"):
            raise
        mend = errors.mend_for_training(error) if name in ("train", "resume") else ""
        mend += "\n(JAXGAN_TRACEBACK=1 shows where)"
        errors.print_error(message_with_notes(error), flag_names(name, fields, program), mend)
        _exit(2 if isinstance(error, ValueError) else 1)


def make_command(command_class: type, fields: Sequence[Field], values: Mapping[str, Any]) -> Any:
    """A command's dataclass with values by field; those of fields that have an owner go to the dataclass there."""
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
    """For each argument that the library's messages name, the flag or the operand that a user types."""
    settings = {field.name: field.name for field in dataclasses.fields(program.config_class)}  # without flags here
    flags = settings | {field.name: errors.flag(field.name) for field in fields}
    # Any command may find that a run is damaged, but only ``train --fresh`` starts it over.
    flags["fresh"] = errors.flag("fresh") if name == "train" else f"{program.train_command} --fresh"
    if name == "train":
        flags |= {argument: errors.flag(setting) for argument, setting in OTHER_NAMES.items()}
    elif program.is_console:
        flags |= dict.fromkeys(OPERANDS, "RUN")
    return flags


def _exit(code: int) -> None:
    import jax

    if jax.distributed.is_initialized():
        # An orderly end would wait for the other hosts, who wait for this one.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
