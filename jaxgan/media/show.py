"""A grid of images as a picture that notebooks show and that a file keeps."""

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.media.files import PICTURE_SIDE
from jaxgan.media.images import PICTURES, make_grid, save_images
from jaxgan.version import __version__

if TYPE_CHECKING:
    from PIL.Image import Image

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
      ValueError: ``images`` has another shape or is empty, ``columns`` is below 1, or ``path`` has another suffix.
      OSError: the file cannot be written.
    """
    from PIL import Image

    sheet = make_grid(np.asarray(images), columns)
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
