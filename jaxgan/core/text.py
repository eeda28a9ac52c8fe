"""Make text of unknown origin safe to show: names of files and classes, and messages that contain them.

A terminal executes control characters, a line break in a file name looks like a further message, characters that set
the direction of text change the order in which a line is read, and Markdown and HTML contain commands. The functions of
this module show such characters as escape sequences. Encode the text only where it is shown: names in files and in
return values stay as they are.
"""

import contextlib
import html
import re
import sys
import unicodedata

MAX_LINE = 4000  # number of characters after which a line is cut off, more than the longest path on most systems
# Characters with a meaning inside a line of Markdown, with the extensions of GitHub: math and struck-through text.
_MARKDOWN = re.compile(r"([\\`*_\[\]|~$])")
_LINKS = {"://": ":&#47;&#47;", "www.": "www&#46;"}  # Markdown turns an address into a link
# At the beginning of a line, these characters start a list, a heading or a quotation in Markdown.
_MARKDOWN_START = re.compile(r"^(\s*\d*)([-+=#.)])")


def printable(text: object, limit: int | None = MAX_LINE) -> str:
    r"""Return text as one line of visible characters.

    Python's escape sequences replace the other characters: control characters, line breaks, characters that set the
    direction of text, characters without a width, and undecodable bytes of file names, which Python represents by
    surrogates. Spaces of any width and letters of all scripts are visible characters.

    >>> print(printable("cat\x1b[2J\nerror: no.png"), printable("gpj\u202e.exe"), printable("\udcff.png"))
    cat\x1b[2J\nerror: no.png gpj\u202e.exe \udcff.png
    >>> printable("x" * 100, limit=10)
    'xxxxxxx...'

    Args:
      text: the text. Other objects, such as paths and errors, are converted with ``str``.
      limit: number of characters after which the result is cut off; None for no limit.
    """
    line = "".join(c if _is_visible(c) else c.encode("unicode_escape").decode("ascii") for c in str(text))
    return line if limit is None or len(line) <= limit else line[: limit - 3] + "..."


def printable_lines(text: object) -> str:
    r"""Return text of several lines, in which every line is printable.

    Lines after the first one are indented, so that they cannot be mistaken for separate messages. Tabs become spaces.

    >>> print(printable_lines("Out of memory.\nerror: forged\x07"))
    Out of memory.
      error: forged\x07
    """
    return "\n  ".join(printable(line.replace("\t", " ")) for line in str(text).strip().split("\n"))


def _is_visible(character: str) -> bool:
    # The narrow spaces in the names of screenshots and the wide space of Japanese are not "printable" in Python.
    return character.isprintable() or unicodedata.category(character) == "Zs"


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


def say(text: object) -> None:
    """Print one line on standard output, and flush it, so that a pipe receives the line immediately.

    Args:
      text: the line, without a newline at its end. It is made printable.
    """
    print(printable(text), flush=True)


def print_any_text() -> None:
    """Let standard output and standard error accept all characters, for the rest of the process.

    A character that the encoding of a stream lacks is written as an escape sequence. Without this, printing it would
    raise ``UnicodeEncodeError``, for example in a terminal with the encoding cp1252.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # a stream that replaces the original, or a closed stream
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
