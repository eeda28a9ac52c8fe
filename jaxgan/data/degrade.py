"""Degrade images inside the compiled step, so that a network can learn to restore them.

Images can be downsampled, converted to grey, reduced to line drawings, or masked by a hole. All functions are pure and
take images [B, H, W, C] in [-1, 1].

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

_HOLE = 0x401E  # constant that is folded into the key of an example, so that other uses of the key are independent
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue, ITU-R BT.601
_TAN = math.tan(math.pi / 8)  # a gradient counts as diagonal if its angle to each of the two axes exceeds pi / 8
# The unit of gradient magnitudes is the difference between two pixel values, which are in [-1, 1], per pixel.
FLAT_SLOPE = 0.02  # lower limit for an image's mean gradient magnitude, so that noise in flat images yields no lines
EQUAL_SLOPES = 1e-4  # largest difference between two gradient magnitudes that count as equal


def resize_bicubic(images: jax.Array, factor: float = 1.0, *, size: tuple[int, int] | None = None) -> jax.Array:
    """Resize images by bicubic interpolation and return them as float32.

    This function reproduces MATLAB's imresize, which the published metrics of super-resolution are based on. The
    interpolation uses Keys' cubic kernel (a = -1/2) and mirrored borders. When images shrink, the kernel is widened by
    the factor, to avoid aliasing. If ``factor`` does not divide the height or the width, the new size is rounded up.
    Near sharp edges, the result can exceed the range of the images. ``round_to_bytes`` clips the result and rounds it
    to the values of an 8-bit file.

    If the height and width of the images are unknown, as in an export with symbolic shapes, only enlargement by a whole
    number is possible.

    Args:
      images: [B, H, W, C].
      factor: old size divided by new size; a factor below 1 enlarges the images. Ignored if ``size`` is given.
      size: the (height, width) of the result in pixels; None derives it from ``factor``.

    Returns:
      The resized images, [B, ceil(H / factor), ceil(W / factor), C] or [B, *size, C].

    Raises:
      ValueError: if ``factor`` is not above 0, if ``size`` is below 1 x 1, or if the height and width of the images are
        unknown and the images would not be enlarged by a whole number.
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
                "Images of unknown size can only be enlarged by a whole number n: set `factor` to 1 / n and leave "
                f"`size` at None. Got `factor` {factor:g} and `size` {size}."
            )
        return _convolve(images.astype(jnp.float32), _cubic(5, 5 * times, factor)[2 * times : 3 * times])
    if size is None:
        factors = (factor, factor)
        # The tolerance is needed because of rounding errors: 9 / (1 / 3) may be slightly above 27.
        size = (math.ceil(height / factor - 1e-9), math.ceil(width / factor - 1e-9))
    else:
        factors = (height / size[0], width / size[1])
    rows, columns = (_cubic(n, m, k) for n, m, k in zip((height, width), size, factors))
    return _apply_matrices(images.astype(jnp.float32), rows, columns)


def _apply_matrices(images: jax.Array, rows: np.ndarray, columns: np.ndarray) -> jax.Array:
    """Resize images [B, H, W, C] to [B, H', W', C] by matrix products along both axes.

    Args:
      images: [B, H, W, C].
      rows: matrix for the vertical axis, [H', H].
      columns: matrix for the horizontal axis, [W', W].
    """
    exact = jax.lax.Precision.HIGHEST
    tall = jnp.einsum("oh,bhwc->bowc", jnp.asarray(rows, images.dtype), images, precision=exact)
    return jnp.einsum("pw,bowc->bopc", jnp.asarray(columns, images.dtype), tall, precision=exact)


def _has_known_size(images: jax.Array) -> bool:
    """Return whether height and width are integers. They are symbols in an export with symbolic shapes."""
    return all(isinstance(n, int) for n in images.shape[1:3])


def _convolve(images: jax.Array, taps: np.ndarray) -> jax.Array:
    """Enlarge images by a whole number, with the same filters along both axes and with mirrored borders.

    Height and width may be unknown, as in an export with symbolic shapes.

    Args:
      images: [B, H, W, C].
      taps: the weights of the filters, [times, K], with K odd. Each line of pixels yields ``times`` output lines.
        Output line i is a weighted sum of K lines: the line itself and (K - 1) / 2 lines on each side of it. Row i of
        ``taps`` contains their weights.

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
    """Return the matrix that resizes one axis from ``count`` to ``size`` pixels by bicubic interpolation.

    Its shape is [size, count]. ``factor`` is the old size divided by the new size.
    """
    width = max(factor, 1.0)
    centres = (np.arange(size) + 0.5) * factor - 0.5
    near = np.floor(centres - 2 * width).astype(int)[:, None] + np.arange(math.ceil(4 * width) + 2)
    x = np.abs(centres[:, None] - near) / width
    weights = np.where(x <= 1, (1.5 * x - 2.5) * x**2 + 1, np.where(x <= 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))
    return _mirror_borders(weights, near, count)


@functools.cache
def _gaussian(count: int, sigma: float) -> np.ndarray:
    """Return the matrix of a Gaussian blur along one axis, [count, count]; ``sigma`` is in pixels."""
    reach = np.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1)
    weights = np.exp(-0.5 * (reach / sigma) ** 2)
    return _mirror_borders(np.tile(weights, (count, 1)), np.arange(count)[:, None] + reach, count)


def _mirror_borders(weights: np.ndarray, near: np.ndarray, count: int) -> np.ndarray:
    """Return the matrix of a filter along one axis with mirrored borders, [M, count]; its rows sum to 1.

    Args:
      weights: the weights of K input pixels for each of M output pixels, [M, K].
      near: the positions of these input pixels, [M, K]. A position below 0 or above ``count - 1`` is reflected at the
        border.
      count: number of input pixels.
    """
    place = near % (2 * count)
    matrix = np.zeros((len(near), count))
    np.add.at(matrix, (np.arange(len(near))[:, None], np.minimum(place, 2 * count - 1 - place)), weights)
    return (matrix / matrix.sum(1, keepdims=True)).astype(np.float32)


def round_to_bytes(images: jax.Array) -> jax.Array:
    """Return images with the values that an 8-bit file would contain: clipped to [-1, 1] and rounded to 256 levels.

    The result has the shape and dtype of ``images``.

    Args:
      images: images of any shape, such as [B, H, W, C].
    """
    return jnp.floor(jnp.clip(images * 127.5 + 127.5, 0, 255) + 0.5) / 127.5 - 1


def to_y(images: jax.Array) -> jax.Array:
    """Return the luma as MATLAB's rgb2ycbcr computes it, [B, H, W, 1], without rounding.

    Metrics of super-resolution are usually computed from this luma. It is the luma of ITU-R BT.601, which ranges from
    16 (black) to 235 (white) on the scale from 0 to 255. In the range [-1, 1], black is therefore -0.875 and white is
    0.843. Grey images, with C = 1, are returned unchanged.

    Args:
      images: images, [B, H, W, 3] or [B, H, W, 1], in [-1, 1].
    """
    if images.shape[-1] == 1:
        return images
    return (219 / 255) * _luma(images) + (16 + 219 / 2) / 127.5 - 1


def to_grey(images: jax.Array, channels: int = 1) -> jax.Array:
    """Return images without colour, [B, H, W, channels] in [-1, 1]; all channels are equal.

    Args:
      images: images, [B, H, W, C] in [-1, 1].
      channels: the number of channels of the result.
    """
    return jnp.repeat(_luma(images), channels, -1)


def _luma(images: jax.Array) -> jax.Array:
    """Return the luma of grey or RGB images, [B, H, W, 1], from -1 (black) to 1 (white)."""
    if images.shape[-1] == 1:
        return images
    if images.shape[-1] != 3:
        raise ValueError(f"Images must be [B, H, W, 3] or [B, H, W, 1], got {images.shape}.")
    red, green, blue = (weight * images[..., i : i + 1] for i, weight in enumerate(LUMA))
    return red + green + blue


def draw_edges(images: jax.Array, *, sigma: float = 1.0, threshold: float = 1.0, channels: int = 1) -> jax.Array:
    """Return a line drawing of each image, [B, H, W, channels], from -1 (black lines) to 1 (white background).

    This is a variant of the edge detector of Canny 1986. The luma is blurred by a Gaussian, and the Sobel operator
    computes its gradient. A line is one pixel wide and lies where the gradient magnitude has a local maximum along the
    direction of the gradient. The line is black where the magnitude is at least ``threshold + 1`` times the mean
    magnitude of the image, and fades to white as the magnitude falls to ``threshold`` times the mean. An image without
    edges stays white.

    Args:
      images: [B, H, W, C] in [-1, 1], C 1 or 3.
      sigma: standard deviation of the blur in pixels.
      threshold: largest gradient magnitude that is not drawn, as a multiple of the mean magnitude of the image.
      channels: number of equal channels of the result.

    Raises:
      ValueError: if ``sigma`` is not above 0.
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

    # If two adjacent pixels have equal magnitudes, exactly one of them is drawn. The tolerance keeps the choice
    # independent of rounding errors.
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
    """Return the components of the gradient of images, computed by the Sobel operator.

    Returns:
      The vertical component, positive if values increase downwards, and the horizontal component, positive if values
      increase to the right. Each has the shape of ``x``; the unit is the difference of pixel values per pixel.
    """
    at = _shifts(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric"))
    down = at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1)
    right = at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1)
    return down / 8, right / 8


def _shifts(padded: jax.Array) -> Callable[[int, int], jax.Array]:
    """Return a function that shifts images by at most one pixel along each axis.

    The function takes two offsets, ``down`` and ``right``, each -1, 0 or 1. It returns an array [B, H, W, C] that
    contains, at each pixel, the value of the neighbour at this offset.

    Args:
      padded: the images with a border of one pixel, [B, H + 2, W + 2, C].
    """
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    return lambda down, right: padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]


def mask_rectangle(images: jax.Array, keys: jax.Array, share: float = 0.25) -> jax.Array:
    """Cut a rectangular hole into each image and append a mask channel, [B, H, W, C + 1].

    Images are 0 in the hole. The mask is 1 in the hole and -1 elsewhere.

    Args:
      images: [B, H, W, C].
      keys: PRNG keys, [B], one per example. They determine the positions and the aspect ratios of the holes.
      share: approximate area of a hole divided by the area of the image. The aspect ratio of the hole is between half
        and twice the aspect ratio of the image.

    Raises:
      ValueError: if ``share`` is not between 0 and 1.
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
    """Cut a hole where images are more than half transparent, and append a mask channel as ``mask_rectangle`` does.

    Args:
      images: [B, H, W, C + 1] in [-1, 1]; the last channel is alpha.

    Returns:
      The images without alpha and with the mask as the last channel, [B, H, W, C + 1].
    """
    return _mask(images[..., :-1], images[..., -1:] < 0)


def _mask(images: jax.Array, holes: jax.Array) -> jax.Array:
    return jnp.concatenate([jnp.where(holes, 0, images), jnp.where(holes, 1, -1).astype(images.dtype)], -1)


def composite(masked: jax.Array, painted: jax.Array) -> jax.Array:
    """Return masked images with their holes filled from other images.

    Args:
      masked: images with a mask as the last channel, [B, H, W, C + 1], as ``mask_rectangle`` returns them.
      painted: the images that the pixels in the holes are taken from, [B, H, W, C].

    Returns:
      The filled images, [B, H, W, C].
    """
    return jnp.where(masked[..., -1:] > 0, painted, masked[..., :-1])
