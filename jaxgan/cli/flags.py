"""Create the flags of a command from the fields of dataclasses, and parse them.

The module builds on ``argparse``. It groups the flags under headings in the help, accepts underscores in place of
hyphens, and reports errors as whole sentences.
"""

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
from jaxgan.core.text import say_lines

# The order of the groups of flags in the help. Groups with other headings follow. "" is for fields without a heading.
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
ALIASES = {"truncation_psi": "--psi", "resolution": "--size"}  # second flags for a field
UNSET = "If its value is a variable of the shell, set the variable."
NEGATIVE_NUMBER = re.compile(r"-(\d+\.?\d*|\.\d+|inf)([eE][-+]?\d+)?$")  # values that argparse must not read as flags
VALUES = {"int": "a whole number", "float": "a number", "str": "text"}  # types in error messages
METAVARS = {"int": "INT", "float": "FLOAT", "str": "TEXT"}  # types in the help
# Replacements for METAVARS that apply to fields that name a file, a directory or data.
PATHS = {
    "config": "FILE",
    "content_file": "FILE",
    "data": "DATA",
    "data_a": "DATA",
    "images": "PATH",
    "masks": "PATH",
    "out": "PATH",
    "parameters": "FILE",
    "run_dir": "DIR",
    "styles": "FILE",
    "test_data": "DATA",
    "test_data_a": "DATA",
    "weights": "FILE",
}


class Mistake(ValueError):
    """An error in the command line. The message says how to correct it.

    Args:
      message: one or more sentences.
      prog: the command whose help is recommended to the user; None for the command that is being parsed.
    """

    def __init__(self, message: str, prog: str | None = None):
        super().__init__(message)
        self.prog = prog


class FlagParser(argparse.ArgumentParser):
    """A parser that raises ``Mistake`` on errors, and accepts underscores in place of hyphens in flags.

    Args:
      prog: the command as it was typed, such as ``jaxgan train dcgan``.
      about: the description of the command in the help.
      examples: command lines for the help. ``COMMAND`` in them is replaced by the command and ``example_operands``.
      operands: the names of the arguments before the flags in the usage line, such as ``RUN``.
      example_operands: the values of these arguments in the examples, such as ``runs/dcgan``.
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
        paragraphs = [textwrap.fill(" ".join(text.split()), width) for text in about.replace("``", "`").split("\n\n")]
        command = f"{prog} {example_operands}".rstrip()
        epilog = "\n".join(["examples:", *(f"  {example.replace('COMMAND', command)}" for example in examples)])
        super().__init__(
            prog,
            usage=f"{prog}{' ' + operands if operands else ''} [flags]".replace("%", "%%"),
            description="\n\n".join(paragraphs),
            epilog=epilog.replace("%", "%%") if examples else None,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=width),
            allow_abbrev=False,
            add_help=False,
        )
        self.add_argument("-h", "--help", action="help", default=argparse.SUPPRESS, help="Print this help and exit.")
        # argparse treats -1e-3 and -inf as flags unless this pattern matches them.
        self._negative_number_matcher = NEGATIVE_NUMBER

    def print_help(self, file: Any = None) -> None:
        """Print the help.

        Args:
          file: the stream to print to; None for standard output.
        """
        say_lines(self.format_help().rstrip("\n"), file)

    def error(self, message: str) -> NoReturn:
        """Raise a ``Mistake``, in place of exiting as ``argparse`` does.

        Args:
          message: the message of ``argparse``.
        """
        raise Mistake(_sentence(message), self.prog)

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return a dictionary from fields to the values of the flags in the arguments.

        Raises:
          Mistake: if a flag is unknown, or its value is not allowed.
        """
        values, unknown = self.parse_known_args([_with_hyphens(argument) for argument in arguments])
        if unknown:
            raise Mistake(suggestions.answer_unknown(unknown, self.flags(), self.prog), self.prog)
        return vars(values)

    def flags(self) -> list[str]:
        """Return the long flags that the help shows, such as ``--batch-size``."""
        shown = [action for action in self._actions if action.help != argparse.SUPPRESS]
        return [option for action in shown for option in action.option_strings if option.startswith("--")]


def add_flags(parser: argparse.ArgumentParser, fields: Iterable[Field]) -> None:
    """Add a flag for each field, grouped by heading. The parsed values contain only the flags that are passed.

    Args:
      parser: the parser to which the flags are added.
      fields: the fields of a command's dataclass.
    """
    fields = tuple(fields)
    names = [field.name for field in fields]
    groups: dict[str, list[Field]] = {}
    for field in fields:
        groups.setdefault(field.heading, []).append(field)
    order = {heading: i for i, heading in enumerate(HEADINGS)}
    for heading in sorted(groups, key=lambda heading: order.get(heading, len(order))):
        group = parser.add_argument_group(heading.lower() or None)
        for field in groups[heading]:
            _add_flag(group, dataclasses.replace(field, help=describe(field, names)))


def describe(field: Field, names: Iterable[str]) -> str:
    """Return the description of a field for the help and the documentation.

    Names of fields become flags, and other double backticks become single ones: ``"Required if ``augment`` is ada.
    Scales dp_l2_clip."`` becomes ``"Required if --augment is ada. Scales --dp-l2-clip."``. The words "By default"
    describe the value None. They are replaced if the field has another default.

    Args:
      field: the field. Names with underscores in its description need no backticks.
      names: the names of the fields that have a flag.
    """
    flags = {f"``{name}``": flag(name) for name in names}
    flags |= {name: flag(name) for name in names if "_" in name}
    text = re.sub(r"``\w+``|\b\w+_\w+\b(?!=)", lambda found: flags.get(found[0], found[0]), field.help)
    if field.is_optional and field.default is not None:
        text = text.replace("By default, ", "With the value none, ")
    return text.replace("``", "`")


def _add_flag(group: Any, field: Field) -> None:
    name, text = flag(field.name), _help(field)
    if field.type == "bool" and field.default is True:
        # Both flags are shown, because the description applies to the flag without "no".
        action = argparse.BooleanOptionalAction
        group.add_argument(name, dest=field.name, action=action, default=argparse.SUPPRESS, help=text)
        return
    if field.type == "bool":
        off = "--no-" + name.removeprefix("--")
        group.add_argument(name, dest=field.name, action="store_true", default=argparse.SUPPRESS, help=text)
        group.add_argument(
            off, dest=field.name, action="store_false", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
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
    if default is True:
        shown = f" (default: {flag(field.name)})"
    elif default is None or default == () or default is False:
        shown = ""
    elif default is REQUIRED:
        shown = " Required."
    elif isinstance(default, float):
        shown = f" (default: {default:g})"
    else:
        shown = f" (default: {' '.join(map(str, default)) if isinstance(default, tuple) else default})"
    return (field.help + shown).strip().replace("%", "%%")


def convert(field: Field, text: str) -> Any:
    """Return the value of a flag, converted from the text that was typed.

    Args:
      field: the field that the flag sets.
      text: the text that was typed.

    Raises:
      argparse.ArgumentTypeError: if the text is not a value of the field. The message has no subject, because it
        is printed behind the flag's name.
    """
    if field.is_optional and text.lower() in ("none", "null"):
        return None
    if not text and field.type == "str" and field.default != "":
        raise argparse.ArgumentTypeError(f"must not be empty. {UNSET}")
    if field.choices and text not in field.choices:
        similar = suggestions.closest(text, field.choices)
        fix = f" Did you mean {similar}?" if similar else ""
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(field.choices)}, got {text!r}.{fix}")
    try:
        value = {"int": int, "float": float, "str": str}[field.type](text)
        return os.path.expanduser(value) if field.name in PATHS and isinstance(value, str) else value
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be {VALUES[field.type]}, got {text!r}.") from None


def refuse_empty(arguments: Sequence[str]) -> None:
    """Check that no argument and no value of a flag is empty.

    Args:
      arguments: the arguments of a command that accepts no empty text.

    Raises:
      Mistake: if an argument is empty. An empty path would be the working directory.
    """
    for before, argument in zip(["", *arguments], arguments):
        name, is_assigned, value = argument.partition("=")
        if is_assigned and name.startswith("--") and not value:
            raise Mistake(f"{name} must not be empty. {UNSET}")
        if not argument:
            subject = before if before.startswith("--") else "An argument"
            raise Mistake(f"{subject} must not be empty. {UNSET}")


def as_tuples(fields: Iterable[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values. For each field of a tuple type, convert the list that ``argparse`` produced to a tuple.

    Args:
      fields: the fields of a command's dataclass.
      values: the parsed values by the name of the field.
    """
    fields = tuple(fields)
    tuples = {field.name for field in fields if field.is_tuple}
    optional = {field.name for field in fields if field.is_optional}

    def convert_list(name, value):
        if name not in tuples:
            return value
        return None if value == [None] and name in optional else tuple(value)

    return {name: convert_list(name, value) for name, value in values.items()}


def _with_hyphens(argument: str) -> str:
    """Replace the underscores in a flag's name: ``--batch_size=8`` becomes ``--batch-size=8``."""
    if not argument.startswith("--"):
        return argument
    name, separator, value = argument.partition("=")
    return name.replace("_", "-") + separator + value


def _sentence(message: str) -> str:
    """Rephrase an error message of ``argparse`` as a sentence about the flag."""
    if message.startswith("the following arguments are required: "):
        names = message.partition(": ")[2]
        return f"{names} {'are' if ',' in names else 'is'} required."
    if not message.startswith("argument "):
        return message
    name, _, text = message.removeprefix("argument ").partition(": ")
    name = name.split("/")[0]
    if text.startswith("expected"):
        return f"{name} must be followed by a value."
    if text.startswith("ignored explicit argument"):
        return f"{name} does not take a value. Write {name} alone, or leave it out."
    if found := re.fullmatch(r"invalid (int|float) value: (.*)", text):
        return f"{name} must be {VALUES[found[1]]}, got {found[2]}."
    if found := re.fullmatch(r"invalid choice: (.*) \(choose from (.*)\)", text):
        return f"{name} must be one of {found[2].replace(chr(39), '')}, got {found[1]}."
    return f"{name} {text}"
