"""Read images and labels from ``.npz`` and ``.npy`` files, and check the values of arrays."""

from pathlib import Path

import numpy as np

from jaxgan.core.array_archives import is_npy, map_npy, read_npz, read_npz_headers
from jaxgan.data.source import Arrays

RANGE_TOLERANCE = 1e-3  # floats may leave [-1, 1] by this amount, because of rounding errors in the user's scaling


def load_arrays(path: Path, *, paired: bool = False) -> Arrays:
    """Read the arrays of an ``.npz`` or ``.npy`` file.

    Args:
      path: an ``.npz`` file with an array ``images`` and optionally ``labels``; or an ``.npy`` file with the images.
      paired: whether to read an array ``inputs`` too, which contains the input of each image.

    Raises:
      ValueError: if the file is damaged or contains Python objects, if an array is missing, or if values are out of
        range.
    """
    wanted = ("images", "inputs") if paired else ("images",)
    try:
        found, names = _read_arrays(path, (*wanted, "labels"))
    except ValueError as error:
        arguments = ", ".join(f"{name}={name}" for name in (*wanted, "labels"))
        raise ValueError(f"{error} Save arrays of numbers with numpy.savez(file, {arguments}).") from None
    for name in wanted:
        if name not in found:
            contents = f"It contains: {', '.join(names)}." if names else "It contains no arrays."
            raise ValueError(f"{path} has no array {name!r}. {contents}")
    pixels, *inputs = (check_pixels(found[name], f"{path}: {name}") for name in wanted)
    labels, classes = check_labels(found.get("labels"), f"{path}: labels")
    return Arrays(pixels, labels, str(path), classes, *inputs)


def _read_arrays(path: Path, wanted: tuple[str, ...]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read arrays from an ``.npz`` or ``.npy`` file.

    Args:
      path: the file.
      wanted: the names of the arrays to read.

    Returns:
      A dictionary from names to arrays, without the arrays that the file lacks, and the names of all arrays in the
      file. The array in an ``.npy`` file has the name ``images``.
    """
    if is_npy(path):
        return {"images": map_npy(path)}, ["images"]
    return read_npz(path, wanted), list(read_npz_headers(path))


def check_labels(labels: np.ndarray | None, where: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Check the labels of a file.

    Args:
      labels: whole numbers from 0, [N]; None if the file has no labels.
      where: the file and the array, for messages.

    Returns:
      The labels as int32 [N], and the names of the classes, which are the numbers as text. Without labels, None and an
      empty tuple.

    Raises:
      ValueError: if ``labels`` has another shape or type, or if a label is negative.
    """
    if labels is None:
        return None, ()
    if (
        not np.issubdtype(labels.dtype, np.integer)
        or labels.ndim != 1
        or (labels.size and not 0 <= labels.min() <= labels.max() < 2**31)
    ):
        raise ValueError(
            f"{where} must be whole numbers from 0 with shape [N], got {labels.dtype} with shape {list(labels.shape)}."
        )
    count = int(labels.max()) + 1 if labels.size else 0
    return labels.astype(np.int32), tuple(map(str, range(count)))


def check_pixels(pixels: np.ndarray, where: str) -> np.ndarray:
    """Check that float images are in [-1, 1], up to rounding errors, and convert float64 to float32.

    Arrays [N, D], such as points in the plane, may have any range.

    Args:
      pixels: the images or points, [N, ...].
      where: the file and the array, for messages.

    Raises:
      ValueError: if a value is outside this range or not finite. The message begins with ``where``.
    """
    if pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)
    if pixels.dtype == np.float32 and pixels.size and pixels.ndim != 2:
        low, high = float(pixels.min()), float(pixels.max())
        limit = 1 + RANGE_TOLERANCE
        if not (low >= -limit and high <= limit):  # NaN also fails this
            raise ValueError(
                f"{where} must be floats in [-1, 1] or uint8 from 0 to 255, got floats from {low:.7g} to {high:.7g}. "
                "Rescale the floats, or convert them to uint8."
            )
    return pixels


def has_channels_first(shape: tuple[int, ...]) -> bool:
    """Return whether a shape seems to be [N, C, height, width], the order of PyTorch.

    This is assumed if C is 1 or 3, and height and width are above 4.

    Args:
      shape: the shape of an array.
    """
    return len(shape) == 4 and shape[1] in (1, 3) and shape[2] > 4 and shape[3] > 4
