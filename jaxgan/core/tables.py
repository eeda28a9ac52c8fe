"""Format small tables as plain text and as HTML, and format the numbers in their cells."""

import dataclasses

from jaxgan.core.text import html_text, printable

_THOUSANDS = ("", " k", " M", " G", " T", " P")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text cells.

    Attributes:
      title: the line above the table.
      head: the names of the columns.
      rows: the rows, each a tuple with one cell per column.
      numeric: the names of the columns that are aligned to the right.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[str, ...] = ()


def as_text(table: Table) -> str:
    """Format a table as plain text with two spaces between columns. A table without rows is its title only."""
    if not table.rows:
        return table.title
    lines = [tuple(map(printable, cells)) for cells in (table.head, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]

    def line(cells):
        aligned = [
            cell.rjust(width) if name in table.numeric else cell.ljust(width)
            for name, cell, width in zip(table.head, cells, widths)
        ]
        return ("  " + "  ".join(aligned)).rstrip()

    return "\n".join([table.title, *map(line, lines)])


def as_html(table: Table) -> str:
    """Format a table as HTML for a notebook. A table without rows is its title only."""
    if not table.rows:
        return as_html_paragraph(table.title)

    def row(tag, cells):
        styles = ["text-align: right" if name in table.numeric else "text-align: left" for name in table.head]
        inside = "".join(f'<{tag} style="{s}">{html_text(cell)}</{tag}>' for s, cell in zip(styles, cells))
        return f"<tr>{inside}</tr>"

    caption = f'<caption style="text-align: left">{html_text(table.title)}</caption>'
    rows = [row("th", table.head), *(row("td", cells) for cells in table.rows)]
    return "\n".join(["<table>", caption, *rows, "</table>"])


def as_html_paragraph(text: str) -> str:
    """Format text as one paragraph of HTML."""
    lines = "\n".join(map(html_text, text.split("\n")))
    return f"<p>{lines}</p>"


def format_count(number: float) -> str:
    """Format a number with three significant digits and a unit prefix, such as k for thousands.

    >>> format_count(999), format_count(12_345), format_count(1_999_999), format_count(4.2e9)
    ('999', '12.3 k', '2.00 M', '4.20 G')
    """
    if number < 1000:
        return f"{number:.0f}"
    power = 0
    while number >= 999.5 and power < len(_THOUSANDS) - 1:
        number, power = number / 1000, power + 1
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f}{_THOUSANDS[power]}"


def format_bytes(size: float) -> str:
    """Format a size in bytes with three significant digits. One kB is 1000 bytes.

    >>> format_bytes(12), format_bytes(1_234_567)
    ('12 B', '1.23 MB')
    """
    text = format_count(size)
    return f"{text}B" if " " in text else f"{text} B"
