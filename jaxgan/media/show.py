"""A grid of images as a picture that notebooks show and that a file keeps."""

import base64
import html
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.media.files import PICTURE_SIDE
from jaxgan.media.images import PICTURES, make_grid, save_images
from jaxgan.version import __version__

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN_RANGE = 2.0  # networks without a tanh leave [-1, 1], but not by so much
MAX_SIDE = 640  # pixels; larger pictures are made smaller for a notebook


def grid(
    images: Any, path: str | Path | None = None, columns: int | None = None, *, beside_real: bool = False
) -> "Image":
    """A grid of images as a Pillow image, which a notebook shows; it is also written to ``path`` if that is given.

    ``jaxgan.grid(samples, "samples.png")``

    Args:
      images: floats in [-1, 1], which are clipped, or bytes, [N, height, width, C] with 1, 3 or 4 channels; or points,
        [N, 2]. A grid of fewer than 256 rows of pixels is enlarged by a whole factor.
      path: a .png or .jpg file; missing folders are made. Its metadata say that the images are synthetic. Where none
        of them is, use the ``save`` of the picture that is returned.
      columns: number of columns; by default the grid has as many rows as columns, or one fewer.
      beside_real: whether some of the images are examples of the data; the file's metadata say so.

    Raises:
      ValueError: ``images`` has another shape, is empty or is not finite, ``columns`` is below 1, or ``path`` has
        another suffix.
      OSError: the file cannot be written.

    Warns:
      UserWarning: float images are outside [-2, 2], or none of their values is below 0, so they are of another range.
    """
    from PIL import Image

    images = np.asarray(images)
    if images.ndim == 4 and jnp.issubdtype(images.dtype, jnp.floating) and images.size:
        _check_range(images)
    sheet = make_grid(images, columns)
    if sheet.shape[-1] not in (1, 3, 4):
        raise ValueError(f"`images` must have 1, 3 or 4 channels to be drawn, got {sheet.shape[-1]}.")
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
    """``ValueError`` unless float images are finite; a warning if they seem to be of another range than [-1, 1]."""
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    if not finite.all():
        raise ValueError(
            f"`images` must be finite, got NaN or infinity in {np.sum(~finite)} of {len(images)} images. If a "
            "generator made them, its training has diverged, or its weights were not finite."
        )
    low, high = float(images.min()), float(images.max())
    got = f"`images` are floats from {low:.7g} to {high:.7g}, but float images are in [-1, 1]"
    if max(-low, high) > SHOWN_RANGE:
        warnings.warn(f"{got}, and others are clipped. Give images / 127.5 - 1 if 255 is white.", stacklevel=3)
    elif low >= 0:
        warnings.warn(f"{got}. If 0 is black, give 2 * images - 1.", stacklevel=3)


def as_html(picture: "Image", title: str) -> str:
    """A picture as HTML with the picture inside, for ``_repr_html_``; made smaller to at most 640 pixels a side."""
    picture = picture.copy()
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    file = io.BytesIO()
    picture.save(file, "png")
    data = base64.b64encode(file.getvalue()).decode()
    title = html.escape(title)
    image = f'<img alt="{title}" src="data:image/png;base64,{data}">'
    return f'<figure style="margin: 4px 0">{image}<figcaption>{title}</figcaption></figure>'
