"""Degraded images that a network is to restore, made inside the compiled step: small, grey, drawn, with a hole.

All are pure functions of images [B, H, W, C] in [-1, 1].

    def generator_loss(nets, batch, keys, step):
        low = degrade.resize_bicubic(batch["image"], 4)
        fake = nets.g(low)
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

_HOLE = 0x401E  # folded into an example's key
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue, ITU-R BT.601
_TAN = math.tan(math.pi / 8)
# In greys a pixel: the mean slope of an image that counts as flat, and a difference of slopes that counts as none.
FLAT_SLOPE, EQUAL_SLOPES = 0.02, 1e-4


def resize_bicubic(images: jax.Array, factor: float = 1.0, *, size: tuple[int, int] | None = None) -> jax.Array:
    """Images that are ``factor`` times smaller, larger for a factor below 1; or of ``size``, (height, width). float32.

    This is MATLAB's imresize, by which the field's figures are made: Keys' cubic (a = -1/2), widened by the factor
    against aliasing where images shrink, with mirrored borders; sizes that the factor does not divide are rounded up.
    Near edges the result overshoots the range of the images; ``round_to_bytes`` gives the values of a file.

    Images of unknown height and width, as in an export, can only be enlarged by a whole number.

    Raises:
      ValueError: ``factor`` or ``size`` is not above 0; or images of unknown size are not enlarged by a whole number.
    """
    height, width = images.shape[1:3]
    if factor <= 0:
        raise ValueError(f"`factor` must be above 0, got {factor:g}.")
    if size is not None and min(size) < 1:
        raise ValueError(f"`size` must be at least 1 x 1, got {size}.")
    if not _has_known_size(images):
        times = round(1 / factor)
        if size is not None or times < 1 or abs(1 / factor - times) > 1e-9:
            raise ValueError(
                f"Images of unknown size are only enlarged by a whole number, `factor` 1 / n without `size`, "
                f"got `factor` {factor:g} and `size` {size}."
            )
        return _convolve(images.astype(jnp.float32), _cubic(5, 5 * times, factor)[2 * times : 3 * times])
    if size is None:
        factors = (factor, factor)
        size = (math.ceil(height / factor - 1e-9), math.ceil(width / factor - 1e-9))  # 9 / (1 / 3) may be above 27
    else:
        factors = (height / size[0], width / size[1])
    rows, columns = (_cubic(n, m, k) for n, m, k in zip((height, width), size, factors))
    return _apply_matrices(images.astype(jnp.float32), rows, columns)


def _apply_matrices(images: jax.Array, rows: np.ndarray, columns: np.ndarray) -> jax.Array:
    """Images [B, H, W, C] resized by a matrix for rows, [H', H], and one for columns, [W', W], to [B, H', W', C]."""
    exact = jax.lax.Precision.HIGHEST
    tall = jnp.einsum("oh,bhwc->bowc", jnp.asarray(rows, images.dtype), images, precision=exact)
    return jnp.einsum("pw,bowc->bopc", jnp.asarray(columns, images.dtype), tall, precision=exact)


def _has_known_size(images: jax.Array) -> bool:
    """Whether height and width are numbers; in an export they are symbols."""
    return all(isinstance(n, int) for n in images.shape[1:3])


def _convolve(images: jax.Array, taps: np.ndarray) -> jax.Array:
    """Images enlarged by the same filter for rows and columns, with mirrored borders; sizes need not be known.

    Args:
      images: [B, H, W, C].
      taps: [times, K], K odd: for each new line of a line, the weights of that line and of (K - 1) / 2 on each side.

    Returns:
      [B, times * H, times * W, C].
    """
    times, width = taps.shape
    for axis in (1, 2):
        count, reach = images.shape[axis], width // 2
        padded = jnp.pad(images, [(reach, reach) if i == axis else (0, 0) for i in range(4)], "symmetric")
        shifted = [jax.lax.slice_in_dim(padded, k, k + count, axis=axis) for k in range(width)]
        lines = [sum(float(weight) * x for weight, x in zip(row, shifted)) for row in taps]
        shape = [times * n if i == axis else n for i, n in enumerate(images.shape)]
        images = jnp.stack(lines, axis + 1).reshape(shape)
    return images


@functools.cache
def _cubic(count: int, size: int, factor: float) -> np.ndarray:
    """The matrix of a cubic resize along one axis, [size, count]."""
    width = max(factor, 1.0)
    centres = (np.arange(size) + 0.5) * factor - 0.5
    near = np.floor(centres - 2 * width).astype(int)[:, None] + np.arange(math.ceil(4 * width) + 2)
    x = np.abs(centres[:, None] - near) / width
    weights = np.where(x <= 1, (1.5 * x - 2.5) * x**2 + 1, np.where(x <= 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))
    return _mirror_borders(weights, near, count)


@functools.cache
def _gaussian(count: int, sigma: float) -> np.ndarray:
    """The matrix of a Gaussian blur along one axis, [count, count]."""
    reach = np.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1)
    weights = np.exp(-0.5 * (reach / sigma) ** 2)
    return _mirror_borders(np.tile(weights, (count, 1)), np.arange(count)[:, None] + reach, count)


def _mirror_borders(weights: np.ndarray, near: np.ndarray, count: int) -> np.ndarray:
    """A matrix, [M, count], with mirrored borders; its rows sum to 1.

    Args:
      weights: of the pixels ``near`` each new one, [M, K].
      near: their places on the line, [M, K], also beyond its ends.
      count: the line's length.
    """
    place = near % (2 * count)
    matrix = np.zeros((len(near), count))
    np.add.at(matrix, (np.arange(len(near))[:, None], np.minimum(place, 2 * count - 1 - place)), weights)
    return (matrix / matrix.sum(1, keepdims=True)).astype(np.float32)


def round_to_bytes(images: jax.Array) -> jax.Array:
    """Images as a file of 8 bits would hold them: clipped to [-1, 1], with 256 levels; floats still."""
    return jnp.floor(jnp.clip(images * 127.5 + 127.5, 0, 255) + 0.5) / 127.5 - 1


def to_y(images: jax.Array) -> jax.Array:
    """The luma, [B, H, W, 1], unrounded, on which super-resolution is measured: that of MATLAB's rgb2ycbcr.

    It is ITU-R BT.601's, from 16 for black to 235 for white of 255, so from -0.875 to 0.843. Grey images, C = 1, stay
    as they are.
    """
    if images.shape[-1] == 1:
        return images
    return (219 / 255) * _luma(images) + (16 + 219 / 2) / 127.5 - 1


def to_grey(images: jax.Array, channels: int = 1) -> jax.Array:
    """Images without their colours, in [-1, 1], [B, H, W, channels], all channels alike."""
    return jnp.repeat(_luma(images), channels, -1)


def _luma(images: jax.Array) -> jax.Array:
    """The luma of images, [B, H, W, 1], from -1 for black to 1 for white."""
    if images.shape[-1] == 1:
        return images
    if images.shape[-1] != 3:
        raise ValueError(f"Images must be [B, H, W, 3] or [B, H, W, 1], got {images.shape}.")
    red, green, blue = (weight * images[..., i : i + 1] for i, weight in enumerate(LUMA))
    return red + green + blue


def draw_edges(images: jax.Array, *, sigma: float = 1.0, threshold: float = 1.0, channels: int = 1) -> jax.Array:
    """A line drawing of each image, [B, H, W, channels], from -1 for ink to 1 for paper.

    Lines are one pixel thin and lie where the slope of the blurred luma (a Gaussian of ``sigma`` pixels, then Sobel's
    operator) is greatest along its own direction (Canny 1986). They are black where the slope is at least
    ``threshold + 1`` times the image's mean slope, and fade to paper at ``threshold`` times. A flat image stays blank.

    Raises:
      ValueError: ``sigma`` is not above 0.
    """
    if sigma <= 0:
        raise ValueError(f"`sigma` must be above 0, got {sigma:g}.")
    blurred = _blur(_luma(images), sigma)
    slope_y, slope_x = _slopes(blurred)
    slope = jnp.sqrt(slope_y**2 + slope_x**2 + 1e-12)
    shifted = _shifts(jnp.pad(slope, ((0, 0), (1, 1), (1, 1), (0, 0))))
    upright, level = abs(slope_y) <= _TAN * abs(slope_x), abs(slope_x) <= _TAN * abs(slope_y)
    falling = slope_y * slope_x > 0

    def neighbour(sign):
        slanted = jnp.where(falling, shifted(sign, sign), shifted(sign, -sign))
        return jnp.where(upright, shifted(0, sign), jnp.where(level, shifted(sign, 0), slanted))

    # One of two equal pixels is the line, and it is the same one whatever the rounding.
    peak = (slope > neighbour(-1) + EQUAL_SLOPES) & (slope >= neighbour(1) - EQUAL_SLOPES)
    mean = jnp.maximum(slope.mean((1, 2, 3), keepdims=True), FLAT_SLOPE)
    ink = jnp.clip(slope / mean - threshold, 0, 1) * peak
    return jnp.repeat(1 - 2 * ink, channels, -1)


def _blur(x: jax.Array, sigma: float) -> jax.Array:
    if not _has_known_size(x):
        reach = math.ceil(3 * sigma)
        return _convolve(x, _gaussian(2 * reach + 1, sigma)[reach : reach + 1])
    return _apply_matrices(x, *(_gaussian(n, sigma) for n in x.shape[1:3]))


def _slopes(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sobel's slopes, downwards and to the right."""
    at = _shifts(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric"))
    down = at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1)
    right = at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1)
    return down / 8, right / 8


def _shifts(padded: jax.Array) -> Callable[[int, int], jax.Array]:
    """A function of (down, right), each -1, 0 or 1, to images shifted by so much; they come with a border of 1."""
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    return lambda down, right: padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]


def mask_rectangle(images: jax.Array, keys: jax.Array, share: float = 0.25) -> jax.Array:
    """Images with a rectangular hole in each, and a channel that shows it, [B, H, W, C + 1].

    Images are 0 in the hole, and the last channel is 1 there and -1 elsewhere.

    Args:
      images: [B, H, W, C].
      keys: one for each example, [B]; they draw the holes' places and proportions.
      share: about how much of the area a hole takes. It is at most twice as high as wide, and as wide as high, in
        proportion to the image.

    Raises:
      ValueError: ``share`` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"`share` must be between 0 and 1, got {share:g}.")
    size = jnp.array(images.shape[1:3])
    max_stretch = math.log(min(2.0, 1 / share))

    def hole(key):
        shape_key, place_key = jax.random.split(jax.random.fold_in(key, _HOLE))
        stretch = jnp.exp(jax.random.uniform(shape_key, (), jnp.float32, -max_stretch, max_stretch) / 2)
        sides = math.sqrt(share) * jnp.stack([stretch, 1 / stretch])
        sides = jnp.clip(jnp.round(sides * size), 1, size).astype(int)
        corner = jax.random.randint(place_key, (2,), 0, size - sides + 1)
        rows, columns = (
            (jnp.arange(n) >= start) & (jnp.arange(n) < start + side)
            for n, start, side in zip(images.shape[1:3], corner, sides)
        )
        return (rows[:, None] & columns[None])[..., None]

    return _mask(images, jax.vmap(hole)(keys))


def mask_transparent(images: jax.Array) -> jax.Array:
    """Images with alpha, [B, H, W, C + 1], like those of ``mask_rectangle``: holes are more than half transparent."""
    return _mask(images[..., :-1], images[..., -1:] < 0)


def _mask(images: jax.Array, holes: jax.Array) -> jax.Array:
    return jnp.concatenate([jnp.where(holes, 0, images), jnp.where(holes, 1, -1).astype(images.dtype)], -1)


def composite(masked: jax.Array, painted: jax.Array) -> jax.Array:
    """Masked images, [B, H, W, C + 1], with their holes filled from ``painted``, [B, H, W, C]."""
    return jnp.where(masked[..., -1:] > 0, painted, masked[..., :-1])
