"""Write samples to a file, as arrays, as a grid of images or as an animation of grids."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.drawing.images import make_grid, save_arrays, save_images

PICTURE_SIDE = 256  # largest height in pixels to which a smaller grid is enlarged, by a whole factor


def check_suffix(out: Path, suffixes: Sequence[str], of: str = "") -> None:
    """Check the format of a file.

    Args:
      out: the file.
      suffixes: the suffixes that are allowed, with a dot.
      of: words that describe the file in the message, such as "of `styles`"; empty for none.

    Raises:
      ValueError: if the file has another suffix.
    """
    if out.suffix.lower() not in suffixes:
        known = " or ".join(filter(None, [", ".join(suffixes[:-1]), suffixes[-1]]))
        article = "an" if known == ".npz" else "a"
        description = f" {of}" if of else ""
        raise ValueError(f"`out` must be {article} {known} file{description}, got {out}.")


def write_samples(
    out: Path,
    samples: np.ndarray,
    made_by: str,
    labels: np.ndarray | None = None,
    *,
    frames: int = 1,
    columns: int | None = None,
) -> None:
    """Write samples to a file. The suffix determines the format.

    Args:
      out: the file. The suffix .npz writes arrays, a suffix in ``PICTURES`` writes one grid, and a suffix in
        ``ANIMATIONS`` writes an animation.
      samples: the samples, [frames * N, ...]. A grid or an animation requires images, or points [frames * N, 2].
      made_by: the program that generated the samples; it is written to the metadata of image files.
      labels: class labels of the samples, [frames * N]; they are only written to .npz files. None writes no labels.
      frames: number of grids: 1 for one grid, or the number of frames of an animation. The first N samples are drawn in
        the first grid, the next N samples in the second grid, and so on.
      columns: number of columns of a grid; None makes the grid approximately square.

    Raises:
      OSError: if the file cannot be written.
    """
    with writing_out(out):
        if out.suffix.lower() == ".npz":
            save_arrays(out, samples, labels)
        else:
            grids = np.stack([make_grid(part, columns) for part in np.split(samples, frames)])
            save_images(out, grids, made_by, scale=max(1, PICTURE_SIDE // grids.shape[-3]))
