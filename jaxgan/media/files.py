"""Samples in a file: arrays, a grid, or an animation of grids."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.media.images import make_grid, save_arrays, save_images

PICTURE_SIDE = 256  # pixels; smaller pictures are enlarged by a whole factor


def check_suffix(out: Path, suffixes: Sequence[str], of: str = "") -> None:
    """Raise ``ValueError`` for a file of another format."""
    if out.suffix.lower() not in suffixes:
        known = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
        raise ValueError(f"`out` must be a {known}{' ' + of if of else ''}, got {out}.")


def write_samples(
    out: Path,
    samples: np.ndarray,
    made_by: str,
    labels: np.ndarray | None = None,
    *,
    frames: int = 1,
    columns: int | None = None,
) -> None:
    """Write samples as arrays (.npz), as a grid, or as an animation of grids.

    Args:
      out: the file.
      samples: [frames * N, ...]; images for a grid.
      made_by: the program that is named in the file.
      labels: [N], for arrays.
      frames: the number of grids, one after the other.
      columns: of a grid; None makes it near square.

    Raises:
      OSError: the file cannot be written.
    """
    with writing_out(out):
        if out.suffix.lower() == ".npz":
            save_arrays(out, samples, labels)
        else:
            grids = np.stack([make_grid(part, columns) for part in np.split(samples, frames)])
            save_images(out, grids, made_by, scale=max(1, PICTURE_SIDE // grids.shape[-3]))
