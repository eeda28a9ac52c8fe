"""Flags of the command line, made of the fields of dataclasses, with help in groups and errors that are sentences."""

import argparse
import dataclasses
import os
import re
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from jaxgan.cli import suggestions
from jaxgan.cli.errors import flag
from jaxgan.cli.fields import REQUIRED, Field

# The order in which help shows the groups of fields. Groups of other headings follow, and "" stands for no heading.
HEADINGS = (
    "",
    "Data",
    "Networks",
    "Losses",
    "Optimisation",
    "Augmentation",
    "Privacy",
    "Run",
    "Evaluation",
    "Devices",
)
ALIASES = {"truncation_psi": "--psi", "resolution": "--size"}
NEGATIVE_NUMBER = re.compile(r"-(\d+\.?\d*|\.\d+|inf)([eE][-+]?\d+)?$")
VALUES = {"int": "a whole number", "float": "a number", "str": "text"}
METAVARS = {"int": "INT", "float": "FLOAT", "str": "TEXT"}
# The word that help shows for the value of a field that names a file, a directory or data.
PATHS = {"data": "DATA", "run_dir": "DIR", "images": "PATH", "masks": "PATH"}
PATHS |= dict.fromkeys(("config", "out", "weights", "content_file", "parameters", "styles"), "FILE")
PATHS |= dict.fromkeys(("data_a", "test_data", "test_data_a"), "DATA")


class Mistake(ValueError):
    """The command line cannot be understood; the message says why, and how to correct it.

    Args:
      message: one sentence or more.
      prog: the command to show help for; None for the one that the program knows.
    """

    def __init__(self, message: str, prog: str | None = None):
        super().__init__(message)
        self.prog = prog


class FlagParser(argparse.ArgumentParser):
    """A parser that raises its errors as ``Mistake``, and that accepts underscores in flags.

    Args:
      prog: the command as it was typed, ``jaxgan train dcgan``.
      about: a description of the command.
      examples: command lines; ``COMMAND`` in them stands for the command.
      operands: the names of the arguments before the flags, for the line of usage, such as ``RUN``.
      example_operands: their values in the examples, such as ``runs/dcgan``.
    """

    def __init__(
        self,
        prog: str,
        about: str = "",
        examples: Sequence[str] = (),
        operands: str = "",
        example_operands: str = "",
    ):
        width = min(shutil.get_terminal_size((100, 24)).columns, 110) - 2
        paragraphs = [textwrap.fill(" ".join(text.split()), width) for text in about.split("\n\n")]
        command = f"{prog} {example_operands}".rstrip()
        epilog = "\n".join(["examples:", *(f"  {example.replace('COMMAND', command)}" for example in examples)])
        super().__init__(
            prog,
            usage=f"{prog}{' ' + operands if operands else ''} [flags]".replace("%", "%%"),
            description="\n\n".join(paragraphs),
            epilog=epilog.replace("%", "%%") if examples else None,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=width),
            allow_abbrev=False,
        )
        # argparse takes -1e-3 and -inf for flags, unless this pattern knows them for numbers.
        self._negative_number_matcher = NEGATIVE_NUMBER

    def error(self, message: str) -> NoReturn:
        raise Mistake(_sentence(message), self.prog)

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The values of the flags that were given, by field.

        Raises:
          Mistake: a flag is unknown, or its value is not allowed.
        """
        spelt = [_with_hyphens(argument) for argument in arguments]
        values, unknown = self.parse_known_args(spelt)
        if unknown:
            raise Mistake(suggestions.answer_unknown(unknown, self.flags(), self.prog), self.prog)
        return vars(values)

    def flags(self) -> list[str]:
        """The flags that help shows, ``--batch-size`` and others."""
        shown = [action for action in self._actions if action.help != argparse.SUPPRESS]
        return [option for action in shown for option in action.option_strings if option.startswith("--")]


def add_flags(parser: argparse.ArgumentParser, fields: Iterable[Field]) -> None:
    """Add a flag for each field, in groups by their headings. A flag that is not given has no value."""
    fields = tuple(fields)
    names = {field.name: flag(field.name) for field in fields if "_" in field.name}
    groups: dict[str, list[Field]] = {}
    for field in fields:
        groups.setdefault(field.heading, []).append(field)
    order = {heading: i for i, heading in enumerate(HEADINGS)}
    for heading in sorted(groups, key=lambda heading: order.get(heading, len(order))):
        group = parser.add_argument_group(heading.lower() or None)
        for field in groups[heading]:
            text = re.sub(r"\b\w+_\w+\b(?!=)", lambda found: names.get(found[0], found[0]), field.help)
            _add_flag(group, dataclasses.replace(field, help=text))


def _add_flag(group: Any, field: Field) -> None:
    name, text = flag(field.name), _help(field)
    if field.type == "bool":
        off = "--no-" + name.removeprefix("--")
        shown, hidden = (off, name) if field.default is True else (name, off)
        for option, help_text in ((shown, text), (hidden, argparse.SUPPRESS)):
            action = "store_false" if option == off else "store_true"
            group.add_argument(option, dest=field.name, action=action, default=argparse.SUPPRESS, help=help_text)
        return
    options = [name, *([ALIASES[field.name]] if field.name in ALIASES else [])]
    group.add_argument(
        *options,
        dest=field.name,
        type=lambda text: convert(field, text),
        nargs="*" if field.is_tuple else None,
        required=field.default is REQUIRED,
        default=argparse.SUPPRESS,
        metavar="{" + ",".join(field.choices) + "}" if field.choices else PATHS.get(field.name, METAVARS[field.type]),
        help=text,
    )


def _help(field: Field) -> str:
    default = field.default
    if default is None or default == () or isinstance(default, bool):
        shown = ""
    elif default is REQUIRED:
        shown = " Required."
    elif isinstance(default, float):
        shown = f" [{default:g}]"
    else:
        shown = f" [{' '.join(map(str, default)) if isinstance(default, tuple) else default}]"
    return (field.help + shown).strip().replace("%", "%%")


def convert(field: Field, text: str) -> Any:
    """The value of a flag.

    Raises:
      argparse.ArgumentTypeError: the text is none; the message follows the flag's name.
    """
    if field.is_optional and text.lower() in ("none", "null"):
        return None
    if field.choices and text not in field.choices:
        near = suggestions.closest(text, field.choices)
        mend = f"; did you mean {near}?" if near else "."
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(field.choices)}, got {text!r}{mend}")
    try:
        value = {"int": int, "float": float, "str": str}[field.type](text)
        return os.path.expanduser(value) if field.name in PATHS and isinstance(value, str) else value
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes {VALUES[field.type]}, got {text!r}.") from None


def as_tuples(fields: Iterable[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with the lists of ``argparse`` as tuples, which dataclasses hold."""
    fields = tuple(fields)
    many = {field.name for field in fields if field.is_tuple}
    optional = {field.name for field in fields if field.is_optional}

    def convert_list(name, value):
        if name not in many:
            return value
        return None if value == [None] and name in optional else tuple(value)

    return {name: convert_list(name, value) for name, value in values.items()}


def _with_hyphens(argument: str) -> str:
    """``--batch_size=8`` as ``--batch-size=8``."""
    if not argument.startswith("--"):
        return argument
    name, separator, value = argument.partition("=")
    return name.replace("_", "-") + separator + value


def _sentence(message: str) -> str:
    """An error of ``argparse`` as a sentence about the flag."""
    if message.startswith("the following arguments are required: "):
        names = message.partition(": ")[2]
        return f"{names} {'are' if ',' in names else 'is'} required."
    if not message.startswith("argument "):
        return message
    name, _, text = message.removeprefix("argument ").partition(": ")
    name = name.split("/")[0]
    if text.startswith("expected"):
        return f"{name} needs a value after it."
    if text.startswith("ignored explicit argument"):
        return f"{name} takes no value; write {name} alone, or leave it out."
    return f"{name} {text}"
