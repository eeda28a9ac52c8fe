"""Draw series as lines with bands, and scatter plots that compare two sets, as images."""

from collections.abc import Sequence

import numpy as np

from jaxgan.core.text import printable
from jaxgan.drawing.legend import FAKE, REAL

STRIPS = 8  # largest number of columns of a series that are drawn
SPACE = 6  # height in pixels of the space below the strips of a series
MARGIN = 0.1  # space above 1 and below -1 in a strip, as a fraction of the range
# Colours of the columns; the band of a column has a lighter shade of its colour.
COLOURS = ((31, 98, 170), (196, 78, 28), (34, 128, 70), (132, 74, 158), (168, 36, 62), (110, 88, 38), (24, 126, 140))
QUANTILES = (0.05, 0.5, 0.95)  # the ends of a band, and the line in it

_OVERSAMPLING = 8  # number of points of a line that are computed for each pixel column
_FRAME = 214  # grey value of the lines between strips


def render_lines(series: np.ndarray, width: int = 96, height: int = 28) -> np.ndarray:
    """Draw each series as an image: a strip for each column, with the line of the series above a band.

    The band of a column contains 90 % of all series at each time, so that an image shows where its series lies among
    the others. At most 8 columns are drawn.

    Args:
      series: series [N, T, C], T > 1, in [-1, 1]. Lines beyond this range are clipped at the edge of the strip.
      width: width of an image in pixels.
      height: height of a strip in pixels.

    Returns:
      Images, uint8 [N, height * C, width, 3]. With several columns, 6 white rows at the bottom separate the images of a
      grid.

    Raises:
      ValueError: if ``series`` has another shape.
    """
    x = _check_series("series", series)
    strips = []
    for c in range(min(x.shape[2], STRIPS)):
        colour = COLOURS[c % len(COLOURS)]
        canvas = np.full((height, width, 3), 255.0)
        if len(x) > 1:
            low, high = np.quantile(x[..., c], (QUANTILES[0], QUANTILES[-1]), axis=0)
            canvas = _blend(canvas, _area(low, high, width, height), _tint(colour, 0.25))
        strip = _blend(canvas[None], _lines(x[..., c], width, height), colour)
        strip[:, -1] = _FRAME
        strips.append(strip)
    if len(strips) > 1:
        strips.append(np.full((len(x), SPACE, width, 3), 255.0))
    return np.concatenate(strips, 1).round().astype(np.uint8)


def render_bands(
    real: np.ndarray, fake: np.ndarray, names: Sequence[str], width: int = 320, height: int = 110
) -> np.ndarray:
    """Draw where real and generated series lie at each time: the median, and a band with 90 % of the series.

    The band and the median of the data are grey, and those of the samples are blue lines.

    Args:
      real: real series [N, T, C], T > 1, in [-1, 1].
      fake: generated series [M, T, C], in the same units.
      names: the names of the columns, [C]. At most 8 columns are drawn.
      width: width of a panel in pixels.
      height: height of a panel in pixels.

    Returns:
      One image with a panel for each column, uint8 [h, w, 3].

    Raises:
      ValueError: if a set has the wrong shape, or the shapes of the two sets differ.
    """
    x, y = _check_series("real", real), _check_series("fake", fake)
    if x.shape[1:] != y.shape[1:] or len(names) != x.shape[2]:
        raise ValueError(
            f"`real`, `fake` and `names` must have the same columns and times, got the shapes {list(x.shape)} and "
            f"{list(y.shape)} and {len(names)} names."
        )
    panels = []
    for c in range(min(x.shape[2], STRIPS)):
        real_lines, fake_lines = (np.quantile(series[..., c], QUANTILES, axis=0) for series in (x, y))
        panel = np.full((height, width, 3), 255.0)
        panel = _blend(panel, _area(real_lines[0], real_lines[2], width, height), _tint(REAL, 0.35))
        panel = _blend(panel, _lines(real_lines[1:2], width, height)[0], REAL)
        for line in _lines(fake_lines, width, height):
            panel = _blend(panel, line, FAKE)
        panels.append(_titled(panel, names[c]))
    columns = 1 if len(panels) == 1 else 2
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % columns)
    rows = [np.concatenate(panels[i : i + columns], 1) for i in range(0, len(panels), columns)]
    return np.concatenate(rows)


def render_scatter(real: np.ndarray, fake: np.ndarray, title: str, size: int = 320) -> np.ndarray:
    """Draw two sets of points in the plane in one image. Real points are grey, and generated points are blue.

    Args:
      real: coordinates [N, 2].
      fake: coordinates [M, 2].
      title: the text above the points.
      size: width and height of the plot in pixels.

    Returns:
      The image, uint8 [h, w, 3].
    """
    points = np.concatenate([real, fake]).astype(np.float64)
    low, high = points.min(0), points.max(0)
    scaled = (points - low) / np.maximum(high - low, 1e-12) * (size - 13) + 6
    image = np.full((size, size, 3), 255.0)
    offsets = np.stack(np.meshgrid(np.arange(-3, 4), np.arange(-3, 4), indexing="ij"), -1).reshape(-1, 2)
    is_fake = np.arange(len(points)) >= len(real)
    # Both sets are drawn in a random order, so that none of them covers the other.
    for i in np.random.default_rng(0).permutation(len(points)):
        x, y = scaled[i, 0], size - 1 - scaled[i, 1]
        pixels = np.round([y, x]).astype(int) + offsets
        distance = np.hypot(pixels[:, 0] - y, pixels[:, 1] - x)
        alpha = 0.55 * np.clip(2.6 - distance, 0, 1)[:, None]
        rows, columns = pixels.T
        image[rows, columns] = (1 - alpha) * image[rows, columns] + alpha * np.array(FAKE if is_fake[i] else REAL)
    return _titled(image, title)


def _check_series(name: str, series: np.ndarray) -> np.ndarray:
    x = np.asarray(series, np.float64)
    if x.ndim != 3 or x.shape[1] < 2 or not x.size:
        raise ValueError(f"`{name}` must be series [N, T, C] with T > 1, got the shape {list(x.shape)}.")
    return x


def _rows(y: np.ndarray, height: int) -> np.ndarray:
    """Return the rows in an image, as floats, of values in [-1, 1]."""
    inside = np.clip(y, -1 - MARGIN, 1 + MARGIN)
    return (1 + MARGIN - inside) / (2 + 2 * MARGIN) * (height - 3) + 0.5


def _resample(y: np.ndarray, count: int) -> np.ndarray:
    """Interpolate values [N, T] linearly at ``count`` times from the first to the last."""
    at = np.linspace(0, y.shape[1] - 1, count)
    left = np.minimum(at.astype(int), y.shape[1] - 2)
    return y[:, left] + (y[:, left + 1] - y[:, left]) * (at - left)


def _lines(y: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return how much of each pixel the lines of values [N, T] cover, [N, height, width]."""
    rows = _resample(_rows(y, height), width * _OVERSAMPLING + 1)
    inside = rows[:, :-1].reshape(len(y), width, _OVERSAMPLING)
    ends = rows[:, _OVERSAMPLING::_OVERSAMPLING]
    top, bottom = np.minimum(inside.min(-1), ends)[:, None], np.maximum(inside.max(-1), ends)[:, None]
    at = np.arange(height)[:, None]
    return np.clip(1.1 - np.maximum(np.maximum(top - at, at - bottom), 0), 0, 1)


def _area(low: np.ndarray, high: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return how much of each pixel the area between two lines [T] covers, [height, width]."""
    bottom, top = (_resample(_rows(y, height)[None], width)[0] for y in (low, high))
    at = np.arange(height)[:, None]
    return np.clip(np.minimum(at - top, bottom - at) + 1, 0, 1)


def _blend(image: np.ndarray, alpha: np.ndarray, colour: Sequence[float] | np.ndarray) -> np.ndarray:
    return image + alpha[..., None] * (np.asarray(colour, np.float64) - image)


def _tint(colour: Sequence[float], share: float) -> np.ndarray:
    return 255 + share * (np.asarray(colour, np.float64) - 255)


def _titled(panel: np.ndarray, title: str) -> np.ndarray:
    """Return a panel with a frame and a title above it, uint8."""
    from PIL import Image, ImageDraw, ImageFont

    height, width, _ = panel.shape
    sheet = np.full((height + 22, width + 8, 3), 255, np.uint8)
    sheet[17 : height + 19, 3 : width + 5] = _FRAME
    sheet[18 : height + 18, 4 : width + 4] = np.clip(panel.round(), 0, 255)
    image = Image.fromarray(sheet)
    text = printable(title, limit=40).encode("ascii", "replace").decode()
    ImageDraw.Draw(image).text((5, 2), text, fill=(60, 60, 60), font=ImageFont.load_default())
    return np.asarray(image)
