"""Read JSON files and JSON Lines files of any origin. This is the only module of the package that parses JSON.

The content is checked before the rest of the package uses it: its size, encoding, nesting, numbers, names and types.
Each error is a ``JsonError`` with one sentence that names the file, and a sentence that says how to fix it.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

from jaxgan.core.files import open_regular, read_limited
from jaxgan.core.text import quote

MAX_BYTES = 2**26  # maximum size of a JSON file; the largest known, the dataset.json of a large data set, needs 2**25
MAX_LINE_BYTES = 2**24  # maximum size of a line of a JSON Lines file; a population of 1,000 members needs 2**20
MAX_DEPTH = 50  # maximum number of objects and lists inside each other
MAX_INTEGER = 2**63 - 1  # maximum absolute value of an integer
RESTORE = "Restore the file from a backup."

# A form describes values. It is one of
#   a type, or a tuple of types: the value has one of these types. An int is also a float, but a bool is not an int.
#   [form]: a list of values that have this form.
#   {str: form}: an object with any names and with values of this form.
#   {"name": form, ...}: an object with these names. Names that end with "?" may be missing. Other names are allowed.
Form = Any

TYPE_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    NoneType: "null",
}


class JsonError(ValueError):
    """Raised if the content of a file is not valid JSON, exceeds a limit, or has the wrong types."""


class Line(NamedTuple):
    """A line of a JSON Lines file.

    Attributes:
      content: the bytes of the line, with its newline.
      value: the object in the line; None if the line is incomplete or damaged.
    """

    content: bytes
    value: dict[str, Any] | None


def read_json(path: Path, form: Form = object, *, fix: str = RESTORE, limit: int = MAX_BYTES) -> Any:
    """Return the content of a JSON file.

    NaN and Infinity are not part of JSON, but Python writes them, so they are read as floats.

    Args:
      path: the file.
      form: the form of the content, see ``Form``. The form ``object`` allows every value.
      fix: one or more sentences that say how to fix a damaged file, for the error message.
      limit: maximum size of the file in bytes.

    Raises:
      FileNotFoundError: if the file does not exist.
      JsonError: if the file cannot be read, is not valid JSON, or does not have the form.
    """
    try:
        content = read_limited(path, limit)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise JsonError(_with_fix(str(error), fix)) from None
    return parse_json(content, str(path), form, fix=fix)


def parse_json(content: bytes | str, where: str, form: Form = object, *, fix: str = RESTORE) -> Any:
    """Return the value of a JSON text, as ``read_json`` does.

    Args:
      content: the text, or the text in UTF-8.
      where: the place of the text, such as the path of a file, for the error message.
      form, fix: as for ``read_json``.

    Raises:
      JsonError: if the text is not valid JSON, or does not have the form.
    """
    try:
        value = _parse(content)
        _check_form(value, form, "")
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        problem = f"is not valid JSON at {place} ({error.msg})"
    except UnicodeDecodeError as error:
        problem = f"is not text in UTF-8 (byte {error.start})"
    except RecursionError:
        problem = f"has more than {MAX_DEPTH} objects and lists inside each other"
    except ValueError as error:
        problem = f"is damaged: {error}"
    else:
        return value
    raise JsonError(_with_fix(f"{where} {problem}.", fix))


def read_json_lines(path: Path, form: Form = dict) -> Iterator[Line]:
    """Yield the lines of a file with one JSON object per line, and nothing if the file does not exist.

    Args:
      path: the file.
      form: the form of the object in each line, see ``Form``.

    Raises:
      JsonError: if the file cannot be read.
    """
    try:
        with open_regular(path) as file:
            while content := file.readline(MAX_LINE_BYTES):
                yield Line(content, _parse_line(content, form))
    except FileNotFoundError:
        return
    except OSError as error:
        raise JsonError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise JsonError(f"{error} Move it away.") from None


def _parse_line(content: bytes, form: Form) -> dict[str, Any] | None:
    try:
        return parse_json(content, "", form) if content.endswith(b"\n") else None
    except JsonError:
        return None


def _parse(content: bytes | str) -> Any:
    text = content if isinstance(content, str) else content.decode("utf-8-sig")
    value = _DECODER.decode(text)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    if "\\u" in text:  # half of a surrogate pair can be written as an escape, but not encoded again
        try:
            # Python represents the bytes of a file name that is not UTF-8 by such halves, which are allowed.
            json.dumps(value, ensure_ascii=False).encode(errors="surrogateescape")
        except UnicodeEncodeError:
            raise ValueError("a text in it has half of a surrogate pair") from None
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        containers = [x for x in level if isinstance(x, dict | list)]
        level = [item for x in containers for item in (x.values() if isinstance(x, dict) else x)]
        if not level:
            return
    raise RecursionError


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the name {quote(twice)} occurs twice in an object")
    return found


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:20]} in it is too large")
    return number


def _parse_integer(text: str) -> int:
    number = int(text) if len(text) <= 20 else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise ValueError(f"it has a number with {len(text)} digits")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_parse_object, parse_float=_parse_float, parse_int=_parse_integer)


def _check_form(value: Any, form: Form, name: str) -> None:
    """Raise ``ValueError`` if a value does not have a form.

    Args:
      value: the value to check.
      form: see ``Form``.
      name: the place of the value inside the complete value; empty for the complete value.
    """
    if isinstance(form, list):
        _check_type(value, (list,), name)
        for i, item in enumerate(value):
            _check_form(item, form[0], f"{name}[{i}]")
    elif isinstance(form, dict):
        _check_type(value, (dict,), name)
        if str in form:
            for key, item in value.items():
                _check_form(item, form[str], _join(name, key))
        else:
            _check_names(value, form, name)
    else:
        _check_type(value, form if isinstance(form, tuple) else (form,), name)


def _check_names(value: Mapping[str, Any], form: Mapping[str, Form], name: str) -> None:
    for key, item_form in form.items():
        entry = key.removesuffix("?")
        if entry in value:
            _check_form(value[entry], item_form, _join(name, entry))
        elif entry == key:
            raise ValueError(f"it has no entry {quote(_join(name, entry))}")


def _check_type(value: Any, types: tuple[type, ...], name: str) -> None:
    allowed = (*types, int) if float in types else types
    is_allowed = object in types or (type(value) in allowed)
    if not is_allowed:
        subject = f"its entry {quote(name)}" if name else "its content"
        names = " or ".join(TYPE_NAMES[each] for each in types)
        raise ValueError(f"{subject} must be {names}, got {TYPE_NAMES[type(value)]}")


def _with_fix(sentence: str, fix: str) -> str:
    return f"{sentence} {fix}" if fix else sentence


def _join(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
