"""Make text of unknown origin safe to show: names of files and classes, and messages that contain them.

A terminal executes control characters, a line break in a file name looks like a further message, characters that set
the direction of text change the order in which a line is read, and Markdown and HTML contain commands. The functions of
this module show such characters as escape sequences. Encode the text only where it is shown: names in files and in
return values stay as they are.
"""

import contextlib
import functools
import html
import json
import re
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

MAX_NAME = 100  # largest number of characters of a name in a list of names
MAX_LINE = 4000  # largest number of characters in a line; the middle of a longer line is left out
# Characters with a meaning inside a line of Markdown, with the extensions of GitHub: math and struck-through text.
_MARKDOWN = re.compile(r"([\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_]))")
_LINKS = {"://": ":&#47;&#47;", "www.": "www&#46;"}  # Markdown turns an address into a link
# At the beginning of a line, these characters start a list, a heading or a quotation in Markdown.
_MARKDOWN_START = re.compile(r"^(\s*\d*)([-+=#.)])")


def printable(text: object, limit: int = MAX_LINE) -> str:
    r"""Return text as one line of visible characters.

    Python's escape sequences replace the other characters: control characters, line breaks, characters that set the
    direction of text, characters without a width, and undecodable bytes of file names, which Python represents by
    surrogates. Spaces of any width and letters of all scripts are visible characters.

    >>> print(printable("cat\x1b[2J\nerror: no.png"), printable("gpj\u202e.exe"), printable("\udcff.png"))
    cat\x1b[2J\nerror: no.png gpj\u202e.exe \udcff.png
    >>> printable("a" * 50 + ".png", limit=12)
    'aaaaa....png'

    Args:
      text: the text. Other objects, such as paths and errors, are converted with ``str``.
      limit: largest number of characters of the result, at least 8. The middle of longer text is left out.
    """
    line = "".join(c if _is_visible(c) else c.encode("unicode_escape").decode("ascii") for c in str(text))
    if len(line) <= limit:
        return line
    end = (limit - 3) // 2
    return f"{line[: limit - 3 - end]}...{line[-end:]}"


def list_names(names: Sequence[str], most: int) -> str:
    """Return the first names of a list as printable text, with ``...`` in place of the others.

    >>> list_names(["cat", "dog", "owl"], 2)
    'cat, dog, ...'

    Args:
      names: the names.
      most: largest number of names in the text.
    """
    shown = [printable(name, limit=MAX_NAME) for name in names[:most]]
    return ", ".join([*shown, "..."] if len(names) > most else shown)


def _is_visible(character: str) -> bool:
    # The narrow spaces in the names of screenshots and the wide space of Japanese are not "printable" in Python.
    return character.isprintable() or unicodedata.category(character) == "Zs"


def quote(text: object) -> str:
    r"""Return a name of unknown origin in quotation marks for a message. Only its first 80 characters are shown.

    >>> print(quote("a\nb"))
    'a\nb'

    Args:
      text: the name.
    """
    return f"'{printable(text, limit=80)}'"


def html_text(text: object) -> str:
    """Return text for the content or for a quoted attribute of an HTML element. The text is printable.

    >>> html_text("<b>cats & dogs</b>")
    '&lt;b&gt;cats &amp; dogs&lt;/b&gt;'
    """
    return html.escape(printable(text))


def markdown_text(text: object) -> str:
    r"""Return text for a line of Markdown, outside code. The text is printable and has no markup, links or HTML.

    >>> print(markdown_text("[cats](http://x) <b> *dogs*"))
    \[cats\](http:&#47;&#47;x) &lt;b&gt; \*dogs\*
    """
    line = html.escape(_MARKDOWN.sub(r"\\\1", printable(text)), quote=False)
    for address, escaped in _LINKS.items():
        line = line.replace(address, escaped)
    return _MARKDOWN_START.sub(r"\1\\\2", line)


def markdown_name(name: object) -> str:
    r"""Return a name as code of Markdown if it consists of letters, digits and a few signs, else as ``markdown_text``.

    >>> print(markdown_name("runs/a.jaxgan"), markdown_name("runs/*b*"))
    `runs/a.jaxgan` runs/\*b\*

    Args:
      name: the name, such as a path or a command.
    """
    return f"`{name}`" if re.fullmatch(r"[\w./:+,=-]([\w./:+,= -]*[\w./:+,=-])?", str(name)) else markdown_text(name)


def markdown_json(value: Any) -> str:
    r"""Return a block of Markdown with a value as JSON, in which no text can end the block or is HTML.

    >>> print(markdown_json({"data": "</script>```"}))
    ```json
    {
      "data": "\u003c/script\u003e```"
    }
    ```

    Args:
      value: a value that JSON can represent.
    """
    text = json.dumps(value, indent=2)  # this escapes all characters beyond ASCII, and line breaks
    for character in "<>&\x7f":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"```json\n{text}\n```"


def markdown_command(command: object) -> str:
    r"""Return a block of Markdown with one command line. The line is printable, and cannot end the block.

    >>> print(markdown_command("jaxgan sample 'a```b'"))
    ````sh
    jaxgan sample 'a```b'
    ````
    """
    line = printable(command)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{fence}sh\n{line}\n{fence}"


def say(text: object, file: TextIO | None = None) -> None:
    """Print one line, and flush it, so that a pipe receives the line immediately.

    Args:
      text: the line, without a newline at its end. It is made printable.
      file: the stream to print to; None for standard output.
    """
    print(printable(text), file=file, flush=True)


def say_lines(text: str, file: TextIO | None = None) -> None:
    r"""Print text whose line breaks the program has made, such as a table or a help text.

    >>> say_lines("first\nsec\x07ond")
    first
    sec\x07ond

    Args:
      text: the lines. Each of them is made printable.
      file: the stream to print to; None for standard output.
    """
    for line in text.split("\n"):
        say(line, file)


@functools.cache
def warn_once(text: str) -> None:
    """Print a warning on standard error, unless this process has printed the same warning before.

    Args:
      text: one or more sentences.
    """
    say(f"warning: {text}", sys.stderr)


def print_any_text() -> None:
    """Let standard output and standard error accept all characters, for the rest of the process.

    A character that the encoding of a stream lacks is written as an escape sequence. Without this, printing it would
    raise ``UnicodeEncodeError``, for example in a terminal with the encoding cp1252.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # a stream that replaces the original, or a closed stream
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
