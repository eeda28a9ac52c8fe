"""Check arrays of examples: their type, their shape, the order of their axes, and the range of their values.

The checks are the same for arrays from files and for arrays that a caller passes. An array that cannot be interpreted
with certainty raises an error, because a network would be trained on it without a warning.
"""

import math
import warnings

import jax.numpy as jnp
import numpy as np

RANGE_TOLERANCE = 1e-3  # floats may leave [-1, 1] by this amount, because of rounding errors in the user's scaling
CHANNELS = (1, 3, 4)  # number of channels of grey images, colour images, and colour images with alpha
# How to convert integer images of other types to uint8.
CONVERSIONS = {
    np.dtype(bool): "If True is white, convert them with 255 * {name}.astype(numpy.uint8).",
    np.dtype(np.uint16): "If 65,535 is white, convert them with ({name} // 257).astype(numpy.uint8).",
}
TO_BYTES = "If 0 is black and 255 is white, convert them with {name}.astype(numpy.uint8)."


def check_examples(examples: np.ndarray, where: str, name: str = "images") -> np.ndarray:
    """Check examples, and convert them to float32, or to uint8 images [N, height, width, C].

    Floats of other precisions are converted to float32. Grey uint8 images [N, height, width] get an axis of channels.

    Args:
      examples: images, [N, height, width, C], points, [N, D], or other examples [N, ...].
      where: the origin of the array, the subject of messages.
      name: the name of the array, for code in messages.

    Raises:
      ValueError: if the array has another type or no examples, if the axes seem to be in another order, if a value is
        not finite, or if floats other than points are outside of [-1, 1], up to rounding errors.

    Warns:
      UserWarning: if an axis of channels is added; or if no value of float images is negative, so that the images may
        be in [0, 1].
    """
    examples = _as_float_or_bytes(examples, where, name)
    if examples.ndim < 2 or not examples.size:
        raise ValueError(
            f"{where} must be [N, height, width, C], or [N, D] for points, with N > 0, got shape {examples.shape}."
        )
    if examples.dtype == np.uint8:
        examples = _as_image_bytes(examples, where, name)
    check_axes(examples.shape, where, name)
    if examples.dtype == np.float32:
        _check_floats(examples, where, name)
    return examples


def _as_float_or_bytes(examples: np.ndarray, where: str, name: str) -> np.ndarray:
    if examples.dtype in (np.uint8, np.float32):
        return examples
    if jnp.issubdtype(examples.dtype, np.floating):  # includes bfloat16, which is no type of NumPy
        with np.errstate(over="ignore"):  # values that become infinite are refused afterwards
            return examples.astype(np.float32)
    fix = ""
    if examples.dtype.kind in "biu":
        fix = " " + CONVERSIONS.get(examples.dtype, TO_BYTES).format(name=name)
        if examples.ndim == 2:
            fix = f" If they are points, convert them with {name}.astype(numpy.float32)."
    elif examples.dtype == object:
        fix = " Such an array contains Python objects, for example images of different sizes."
    raise ValueError(f"{where} must be uint8 from 0 to 255 or floats in [-1, 1], got {examples.dtype}.{fix}")


def _as_image_bytes(images: np.ndarray, where: str, name: str) -> np.ndarray:
    """Return uint8 images [N, height, width, C]; grey images can be [N, height, width]."""
    shape = list(images.shape)
    if images.ndim == 2:
        raise ValueError(
            f"{where} must be [N, height, width, C] if they are uint8, got shape {shape}. Restore the axes of "
            f"flattened images with {name}.reshape(-1, height, width, channels). Points [N, D] must be floats."
        )
    if images.ndim != 3:
        return images
    if shape[2] in CHANNELS:
        raise ValueError(f"{where} must be [N, height, width, C], got the single image {shape}. Pass {name}[None].")
    if shape[0] in CHANNELS[1:]:
        raise ValueError(
            f"{where} must be [N, height, width, C], got shape {shape}. If they are grey images, pass "
            f"{name}[..., None]. If they are one image with its channels first, pass {name}.transpose(1, 2, 0)[None]."
        )
    warnings.warn(
        f"{where} have shape {shape} and are read as {shape[0]:,} grey images, [N, height, width, 1].", stacklevel=4
    )
    return images[..., None]


def check_axes(shape: tuple[int, ...], where: str, name: str = "images") -> None:
    """Raise an error if the channels of images seem not to be the last axis, as in the order of PyTorch.

    Args:
      shape: the shape of the array.
      where: the origin of the array, the subject of messages.
      name: the name of the array, for code in messages.

    Raises:
      ValueError: if the array has four axes, and the size of the second or the third one is a number of channels, but
        the size of the last one is not.
    """
    if len(shape) != 4 or shape[-1] in CHANNELS or math.prod(shape) == 0:
        return
    for axis in (1, 2):
        others = [size for i, size in enumerate(shape[1:], 1) if i != axis]
        if shape[axis] in CHANNELS and min(others) > max(CHANNELS):
            order = "transpose(0, 2, 3, 1)" if axis == 1 else "transpose(3, 0, 1, 2)"
            raise ValueError(
                f"{where} must be [N, height, width, C], got shape {list(shape)}. The channels must come last: pass "
                f"{name}.{order}."
            )


def _check_floats(examples: np.ndarray, where: str, name: str) -> None:
    low, high = float(examples.min()), float(examples.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        finite = np.isfinite(examples).reshape(len(examples), -1).all(1)
        raise ValueError(
            f"{where} must be finite, got NaN or infinity in {np.sum(~finite):,} of {len(examples):,} examples, the "
            f"first of which is {name}[{np.argmin(finite)}]. Correct or remove them."
        )
    if examples.ndim == 2:
        return
    limit = 1 + RANGE_TOLERANCE
    if not (low >= -limit and high <= limit):
        raise ValueError(
            f"{where} must be floats in [-1, 1] or uint8 from 0 to 255, got floats from {low:.7g} to {high:.7g}. "
            "Rescale the floats, or convert them to uint8."
        )
    if low >= 0 and high > 0 and examples.ndim == 4:  # zeros are a placeholder
        warnings.warn(
            f"{where} are floats from {low:g} to {high:g}, but images must be in [-1, 1]. If 0 is black, pass 2 * "
            f"{name} - 1.",
            stacklevel=4,
        )
