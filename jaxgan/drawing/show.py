"""Show grids of images in notebooks, and write them to files."""

import base64
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.core.text import html_text
from jaxgan.drawing.files import PICTURE_SIDE
from jaxgan.drawing.images import PICTURES, make_grid, save_images
from jaxgan.version import __version__

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN_RANGE = 2.0  # larger absolute values cause a warning; a generator without tanh may exceed 1 slightly
MAX_SIDE = 640  # largest height and width of an image in a notebook, in pixels; larger images are reduced


def grid(
    images: Any, path: str | Path | None = None, columns: int | None = None, *, beside_real: bool = False
) -> "Image":
    """Return a grid of images as a Pillow image, which a notebook displays, and optionally write it to a file.

    ``jaxgan.grid(samples, "samples.png")``

    Args:
      images: floats in [-1, 1] or uint8, [N, height, width, C] with 1, 3 or 4 channels; or points, [N, 2]. Floats
        outside of [-1, 1] are clipped. A grid of less than 256 pixels in height is enlarged by a whole factor.
      path: a .png or .jpg file to write; missing folders are created. None writes no file. The metadata of the file
        declare the images as synthetic. If no image is synthetic, leave ``path`` at None and call the method ``save``
        of the returned image.
      columns: number of columns. By default, the square root of N, rounded up.
      beside_real: whether some of the images are examples of the data. The metadata then declare the file as a
        composite of both.

    Raises:
      ValueError: if ``images`` has another shape, is empty or is not finite, if ``columns`` is below 1, or if ``path``
        has another suffix.
      OSError: if the file cannot be written.

    Warns:
      UserWarning: if float images seem to have another range than [-1, 1], because a value is outside of [-2, 2] or no
        value is below 0.
    """
    from PIL import Image

    images = np.asarray(images)
    if images.ndim == 4 and jnp.issubdtype(images.dtype, jnp.floating) and images.size:
        _check_range(images)
    sheet = make_grid(images, columns)
    if sheet.shape[-1] not in (1, 3, 4):
        raise ValueError(f"`images` must have 1, 3 or 4 channels to be displayed, got {sheet.shape[-1]}.")
    scale = max(1, PICTURE_SIDE // len(sheet))
    if path is not None:
        path = Path(path)
        if path.suffix.lower() not in PICTURES:
            raise ValueError(f"`path` must end in {', '.join(PICTURES[:-1])} or {PICTURES[-1]}, got {path}.")
        with writing_out(path, "path"):
            save_images(path, sheet, f"jaxgan {__version__}", scale=scale, beside_real=beside_real)
    large = sheet.repeat(scale, 0).repeat(scale, 1)
    return Image.fromarray(large[..., 0] if large.shape[-1] == 1 else large)


def _check_range(images: np.ndarray) -> None:
    """Check that float images are finite, and warn if they seem to have another range than [-1, 1].

    Raises:
      ValueError: if a value is not finite.
    """
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    if not finite.all():
        raise ValueError(
            f"`images` must be finite, got NaN or infinity in {np.sum(~finite)} of {len(images)} images. If they "
            "are samples of a generator, its training has diverged, or it has loaded weights that are not finite."
        )
    low, high = float(images.min()), float(images.max())
    got = f"`images` contains floats from {low:.7g} to {high:.7g}, but float images must be in [-1, 1]"
    if max(-low, high) > SHOWN_RANGE:
        advice = "Other values are clipped. If 255 is white, pass images / 127.5 - 1."
        warnings.warn(f"{got}. {advice}", stacklevel=3)
    elif low >= 0:
        warnings.warn(f"{got}. If 0 is black, pass 2 * images - 1.", stacklevel=3)


def as_html(picture: "Image", title: str) -> str:
    """Return an image and its title as HTML for ``_repr_html_``, reduced to at most 640 pixels in height and width.

    Args:
      picture: the image. It is not changed.
      title: the text below the image, not yet escaped for HTML.
    """
    picture = picture.copy()
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    file = io.BytesIO()
    picture.save(file, "png")
    data = base64.b64encode(file.getvalue()).decode()
    title = html_text(title)
    image = f'<img alt="{title}" src="data:image/png;base64,{data}">'
    return f'<figure style="margin: 4px 0">{image}<figcaption>{title}</figcaption></figure>'
