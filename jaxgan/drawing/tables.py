"""Draw the distributions of the columns of tables, of generated rows beside the data, as images."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxgan.core.text import printable
from jaxgan.drawing.legend import FAKE, REAL

PANEL = (250, 160)  # width and height of the panel of a column, in pixels
MOST_PANELS = 24  # largest number of columns that are drawn
MOST_BARS = 10  # largest number of categories that are drawn; the last bar is the rest of them
_FRAME, _TEXT = (214, 214, 214), (60, 60, 60)
_TOP, _LABELS = 20, 96  # pixels for the title above the bars, and for the names of categories beside them


@dataclasses.dataclass(frozen=True, eq=False)
class Distribution:
    """The distribution of a column.

    Attributes:
      title: the text above the bars.
      fake: the fractions of generated rows in each bar, [K].
      real: the fractions of rows of the data in each bar, [K]; None if only generated rows are drawn.
      labels: the names of categories, [K]; empty for the intervals of a column of numbers.
      ends: the texts of the smallest and the largest number.
    """

    title: str
    fake: np.ndarray
    real: np.ndarray | None = None
    labels: Sequence[str] = ()
    ends: Sequence[str] = ()


def render_distributions(columns: Sequence[Distribution]) -> np.ndarray:
    """Draw a panel with bars for each column: blue for generated rows, and grey for the data.

    The bars of numbers are a histogram. Categories have horizontal bars with their names. At most 24 columns are drawn.

    Args:
      columns: the distributions of the columns.

    Returns:
      The image, uint8 [h, w, 3].
    """
    from PIL import Image, ImageDraw, ImageFont

    shown = columns[:MOST_PANELS]
    across = min(4, len(shown))
    width, height = PANEL
    picture = Image.new("RGB", (across * width, -(-len(shown) // across) * height), (255, 255, 255))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default()
    for i, column in enumerate(shown):
        x, y = i % across * width, i // across * height
        draw.text((x + 6, y + 3), _ascii(column.title, 36), fill=_TEXT, font=font)
        box = (x + 6, y + _TOP, x + width - 6, y + height - 6)
        _draw_categories(draw, font, box, column) if column.labels else _draw_numbers(draw, font, box, column)
    return np.asarray(picture)


def _draw_numbers(draw, font, box, column):
    left, top, right, bottom = box
    bottom -= 12
    largest = max(column.fake.max(), 0 if column.real is None else column.real.max(), 1e-12)
    count = len(column.fake)
    edges = np.linspace(left, right, count + 1).round().astype(int)
    for bars, colour in ((column.real, REAL), (column.fake, FAKE)):
        if bars is None:
            continue
        heights = np.where(bars > 0, np.minimum(bottom - (bottom - top) * bars / largest, bottom - 1), bottom)
        if colour == REAL or column.real is None:
            for i in np.flatnonzero(bars):
                draw.rectangle((edges[i], round(heights[i]), edges[i + 1] - 1, bottom), fill=colour)
        else:  # a line with steps, so that the bars of the data remain visible
            points = [(edges[i + k], round(heights[i])) for i in range(count) for k in (0, 1)]
            draw.line([(left, bottom), *points, (right, bottom)], fill=colour, width=2)
    draw.line((left, bottom, right, bottom), fill=_FRAME)
    low, high = (_ascii(text, 18) for text in column.ends)
    draw.text((left, bottom + 2), low, fill=_TEXT, font=font)
    draw.text((right - draw.textlength(high, font=font), bottom + 2), high, fill=_TEXT, font=font)


def _draw_categories(draw, font, box, column):
    left, top, right, bottom = box
    order = np.argsort(-(column.fake if column.real is None else column.real), kind="stable")
    bars = [(column.labels[i], [None if x is None else float(x[i]) for x in (column.real, column.fake)]) for i in order]
    if len(bars) > MOST_BARS:
        rest = order[MOST_BARS - 1 :]
        sums = [None if x is None else float(x[rest].sum()) for x in (column.real, column.fake)]
        bars = [*bars[: MOST_BARS - 1], (f"{len(rest)} others", sums)]
    largest = max([x for _, values in bars for x in values if x is not None]) or 1.0
    step = min(22, (bottom - top) // len(bars))
    for i, (label, (real, fake)) in enumerate(bars):
        y, start = top + i * step, left + _LABELS
        draw.text((left, y), _ascii(label, 15), fill=_TEXT, font=font)
        thick = max(2, (step - 3) // (1 if real is None else 2))
        values = [(x, colour) for x, colour in ((real, REAL), (fake, FAKE)) if x is not None]
        for k, (value, colour) in enumerate(values):
            end = start + round((right - start) * value / largest)
            if value > 0:
                draw.rectangle((start, y + k * thick, max(end, start + 1), y + (k + 1) * thick - 1), fill=colour)
        draw.line((start, y, start, y + step - 2), fill=_FRAME)


def _ascii(text: str, limit: int) -> str:
    return printable(text, limit=limit).encode("ascii", "replace").decode()
