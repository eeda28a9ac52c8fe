"""Inputs that a network is to make images of, made of the images inside the compiled step.

Smaller, grey, line drawings, with a hole: pure functions of images [B, H, W, C] in [-1, 1].

    def generator_loss(nets, batch, keys, step):
        low = degrade.bicubic(batch["image"], 4)
        fake = nets.g(low)
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

_HOLE = 0x401E  # of the keys that are folded in
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601
_TAN = math.tan(math.pi / 8)
FAINT, TIE = 0.02, 1e-4  # of slopes, in greys a pixel: a mean below which an image is flat, and a difference of none


def bicubic(images: jax.Array, factor: float = 1.0, *, size: tuple[int, int] | None = None) -> jax.Array:
    """Images ``factor`` times smaller, for a factor below 1 larger; or of ``size``, (height, width). float32.

    As the field's figures are made, by MATLAB's imresize: Keys' cubic (a = -1/2), widened by the factor where it
    shrinks against aliasing, borders mirrored; a size that does not divide is rounded up. Near edges it overshoots the
    range of the images: ``rounded`` is what a file would hold.

    Sizes that are not known, as in an export, become a whole number of times larger alone.

    Raises:
      ValueError: ``factor`` or ``size`` is not above 0; or images of sizes that are not known are not enlarged so.
    """
    height, width = images.shape[1:3]
    if factor <= 0 or (size is not None and min(size) < 1):
        raise ValueError(f"bicubic(factor={factor:g}, size={size}): want what is above 0")
    if not _are_known(images):
        times = round(1 / factor)
        if size is not None or times < 1 or abs(1 / factor - times) > 1e-9:
            raise ValueError(f"bicubic(factor={factor:g}, size={size}): of images of sizes not known, 1 / n")
        return _filtered(images.astype(jnp.float32), _cubic(5, 5 * times, factor)[2 * times : 3 * times])
    by = (factor, factor) if size is None else (height / size[0], width / size[1])
    # 9 / (1 / 3) may be a little above 27.
    to = tuple(math.ceil(n / factor - 1e-9) for n in (height, width)) if size is None else size
    return _product(images.astype(jnp.float32), *(_cubic(n, m, k) for n, m, k in zip((height, width), to, by)))


def _product(images: jax.Array, rows: np.ndarray, columns: np.ndarray) -> jax.Array:
    """Images whose lines are sums of lines, by the matrices of how much of each."""
    exact = jax.lax.Precision.HIGHEST
    tall = jnp.einsum("oh,bhwc->bowc", jnp.asarray(rows, images.dtype), images, precision=exact)
    return jnp.einsum("pw,bowc->bopc", jnp.asarray(columns, images.dtype), tall, precision=exact)


def _are_known(images: jax.Array) -> bool:
    """Whether height and width are numbers, and no names as in an export."""
    return all(isinstance(n, int) for n in images.shape[1:3])


def _filtered(images: jax.Array, taps: np.ndarray) -> jax.Array:
    """Images whose lines are sums of neighbouring lines, borders mirrored: ``_product`` for sizes that are not known.

    Args:
      images: [B, H, W, C].
      taps: [times, K], K odd: for each new line of a line, the shares of it and of the (K - 1) / 2 on each side.

    Returns:
      [B, times * H, times * W, C].
    """
    times, width = taps.shape
    for axis in (1, 2):
        count, reach = images.shape[axis], width // 2
        padded = jnp.pad(images, [(reach, reach) if i == axis else (0, 0) for i in range(4)], "symmetric")
        near = [jax.lax.slice_in_dim(padded, k, k + count, axis=axis) for k in range(width)]
        lines = [sum(float(share) * x for share, x in zip(row, near)) for row in taps]
        shape = [times * n if i == axis else n for i, n in enumerate(images.shape)]
        images = jnp.stack(lines, axis + 1).reshape(shape)
    return images


@functools.cache
def _cubic(count: int, size: int, factor: float) -> np.ndarray:
    """[size, count]: how much of each pixel of a line each new one is."""
    wide = max(factor, 1.0)
    at = (np.arange(size) + 0.5) * factor - 0.5
    near = np.floor(at - 2 * wide).astype(int)[:, None] + np.arange(math.ceil(4 * wide) + 2)
    x = np.abs(at[:, None] - near) / wide
    weights = np.where(x <= 1, (1.5 * x - 2.5) * x**2 + 1, np.where(x <= 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))
    return _mirrored(weights, near, count)


@functools.cache
def _gaussian(count: int, sigma: float) -> np.ndarray:
    """[count, count]: how much of each pixel of a line each blurred one is."""
    reach = np.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1)
    weights = np.exp(-0.5 * (reach / sigma) ** 2)
    return _mirrored(np.tile(weights, (count, 1)), np.arange(count)[:, None] + reach, count)


def _mirrored(weights: np.ndarray, near: np.ndarray, count: int) -> np.ndarray:
    """[M, count] that sums to 1, of the weights of pixels near each, [M, K]; over the border the line runs back."""
    place = near % (2 * count)
    matrix = np.zeros((len(near), count))
    np.add.at(matrix, (np.arange(len(near))[:, None], np.minimum(place, 2 * count - 1 - place)), weights)
    return (matrix / matrix.sum(1, keepdims=True)).astype(np.float32)


def rounded(images: jax.Array) -> jax.Array:
    """Images as a file of 8 bits would hold them: cut to [-1, 1], and of 256 levels."""
    return jnp.floor(jnp.clip(images * 127.5 + 127.5, 0, 255) + 0.5) / 127.5 - 1


def to_y(images: jax.Array) -> jax.Array:
    """The luma that super-resolution is judged by: MATLAB's rgb2ycbcr, [B, H, W, 1], unrounded.

    ITU-R BT.601's, from 16 for black to 235 for white of 255, so from -0.875 to 0.843. Grey images, C = 1, are luma
    already and stay as they are.
    """
    if images.shape[-1] == 1:
        return images
    return (219 / 255) * _luma(images) + (16 + 219 / 2) / 127.5 - 1


def grey(images: jax.Array, channels: int = 1) -> jax.Array:
    """Images without their colours, in [-1, 1], [B, H, W, ``channels``], all channels alike."""
    return jnp.repeat(_luma(images), channels, -1)


def _luma(images: jax.Array) -> jax.Array:
    """[B, H, W, 1], from -1 for black to 1 for white."""
    if images.shape[-1] == 1:
        return images
    if images.shape[-1] != 3:
        raise ValueError(f"luma of images {images.shape}: want [B, H, W, 3] or [B, H, W, 1]")
    red, green, blue = (weight * images[..., i : i + 1] for i, weight in enumerate(LUMA))
    return red + green + blue


def edges(images: jax.Array, *, sigma: float = 1.0, threshold: float = 1.0, channels: int = 1) -> jax.Array:
    """A line drawing of each image, [B, H, W, ``channels``], from -1 for ink to 1 for paper.

    Lines lie where the slope of the blurred luma (a Gaussian of ``sigma`` pixels, then Sobel's operator) is greatest
    along its own direction, as Canny has them (1986), one pixel thin. They are black from ``threshold`` + 1 times the
    image's mean slope, and fade to paper at ``threshold`` times. A flat image stays blank.

    Raises:
      ValueError: ``sigma`` is not above 0.
    """
    if sigma <= 0:
        raise ValueError(f"edges(sigma={sigma:g}): want what is above 0")
    blurred = _blurred(_luma(images), sigma)
    slope_y, slope_x = _slopes(blurred)
    slope = jnp.sqrt(slope_y**2 + slope_x**2 + 1e-12)
    around = _around(jnp.pad(slope, ((0, 0), (1, 1), (1, 1), (0, 0))))
    upright, level = abs(slope_y) <= _TAN * abs(slope_x), abs(slope_x) <= _TAN * abs(slope_y)
    falling = slope_y * slope_x > 0

    def neighbour(sign):
        slanted = jnp.where(falling, around(sign, sign), around(sign, -sign))
        return jnp.where(upright, around(0, sign), jnp.where(level, around(sign, 0), slanted))

    # Of two pixels alike one is the line, and the same one whatever the rounding.
    peak = (slope > neighbour(-1) + TIE) & (slope >= neighbour(1) - TIE)
    mean = jnp.maximum(slope.mean((1, 2, 3), keepdims=True), FAINT)
    ink = jnp.clip(slope / mean - threshold, 0, 1) * peak
    return jnp.repeat(1 - 2 * ink, channels, -1)


def _blurred(x: jax.Array, sigma: float) -> jax.Array:
    if not _are_known(x):
        reach = math.ceil(3 * sigma)
        return _filtered(x, _gaussian(2 * reach + 1, sigma)[reach : reach + 1])
    return _product(x, *(_gaussian(n, sigma) for n in x.shape[1:3]))


def _slopes(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    at = _around(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric"))
    down = at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1)
    right = at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1)
    return down / 8, right / 8


def _around(padded: jax.Array) -> Callable[[int, int], jax.Array]:
    """Of an image with a border of one pixel, the image so many pixels further down and to the right."""
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    return lambda y, x: padded[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width]


def masked(images: jax.Array, keys: jax.Array, share: float = 0.25) -> jax.Array:
    """Images with a hole in each, and where it is, [B, H, W, C + 1].

    The hole is a rectangle of about ``share`` of the area, up to twice as high as wide or as wide as high, in
    proportion to the image, anywhere in it: drawn by the example's own key, [B]. Images are 0 there, and the last
    channel is 1; elsewhere it is -1.

    Raises:
      ValueError: ``share`` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"masked(share={share:g}): want a share between 0 and 1")
    size = jnp.array(images.shape[1:3])
    most = math.log(min(2.0, 1 / share))

    def hole(key):
        shape_key, place_key = jax.random.split(jax.random.fold_in(key, _HOLE))
        stretch = jnp.exp(jax.random.uniform(shape_key, (), jnp.float32, -most, most) / 2)
        sides = math.sqrt(share) * jnp.stack([stretch, 1 / stretch])
        sides = jnp.clip(jnp.round(sides * size), 1, size).astype(int)
        low = jax.random.randint(place_key, (2,), 0, size - sides + 1)
        rows, columns = (
            (jnp.arange(n) >= start) & (jnp.arange(n) < start + side)
            for n, start, side in zip(images.shape[1:3], low, sides)
        )
        return (rows[:, None] & columns[None])[..., None]

    holes = jax.vmap(hole)(keys)
    return jnp.concatenate([jnp.where(holes, 0, images), jnp.where(holes, 1, -1).astype(images.dtype)], -1)


def holed(images: jax.Array) -> jax.Array:
    """As ``masked``, of images with alpha, [B, H, W, C + 1]: where they are more than half transparent is the hole."""
    holes = images[..., -1:] < 0
    return jnp.concatenate([jnp.where(holes, 0, images[..., :-1]), jnp.where(holes, 1, -1).astype(images.dtype)], -1)


def composite(holed: jax.Array, painted: jax.Array) -> jax.Array:
    """``painted``, [B, H, W, C], in the holes of what ``masked`` made, and the known pixels around them."""
    return jnp.where(holed[..., -1:] > 0, painted, holed[..., :-1])
