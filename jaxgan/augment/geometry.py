"""Apply affine maps to images without aliasing, as in appendix B of Karras et al. 2020 (2006.06676).

An image is extended by reflection, upsampled by two with the wavelet sym6, sampled by bilinear interpolation, and
downsampled by two with the same wavelet. The wavelet is orthogonal, so the identity map leaves an image unchanged.

All operations are linear in the image, and their transposes are implemented explicitly. A derivative of any order
therefore has the same cost as the first derivative: matrix products along each axis for the wavelet, one gather for the
sampling, and one scatter for the transpose of the sampling. The affine map is treated as a constant, so there are no
derivatives with respect to the map.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Low-pass filter of the least asymmetric Daubechies wavelet with six vanishing moments, Daubechies 1992, table 6.3.
SYM6 = np.array(
    [
        0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
        0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
        -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
    ]
)  # fmt: skip
_REACH = len(SYM6) // 2  # number of pixels beyond the border of the upsampled image that downsampling reads


class Affine(NamedTuple):
    """An affine map of the plane for each example, (u, v) -> u * x + v * y + origin.

    Coordinates are in pixels from the centre of the image, rightwards and downwards.

    Attributes:
      x: the vector that is multiplied by u, [B, 2].
      y: the vector that is multiplied by v, [B, 2].
      origin: the point to which the centre is mapped, [B, 2].
    """

    x: jax.Array
    y: jax.Array
    origin: jax.Array

    def rotated(self, angle: jax.Array) -> "Affine":
        """Return the map that first rotates a point and then applies this map.

        Args:
          angle: the angle of the rotation in radians, [B]; a positive angle rotates a vector that points right towards
            a vector that points down.
        """
        c, s = jnp.cos(angle)[:, None], jnp.sin(angle)[:, None]
        return Affine(c * self.x + s * self.y, c * self.y - s * self.x, self.origin)

    def scaled(self, across: jax.Array, down: jax.Array) -> "Affine":
        """Return the map that first scales a point and then applies this map.

        Args:
          across: the horizontal factor, [B].
          down: the vertical factor, [B].
        """
        return Affine(self.x * across[:, None], self.y * down[:, None], self.origin)

    def translated(self, right: jax.Array, down: jax.Array) -> "Affine":
        """Return the map that first translates a point and then applies this map.

        Args:
          right: the horizontal distance in pixels, [B].
          down: the vertical distance in pixels, [B].
        """
        return self._replace(origin=self(right, down))

    def __call__(self, u: jax.Array, v: jax.Array) -> jax.Array:
        """Map points with the coordinates ``u`` and ``v``, [B, ...] each, to points [B, ..., 2]."""
        x, y, origin = (a.reshape(a.shape[0], *[1] * (u.ndim - 1), 2) for a in self)
        return u[..., None] * x + v[..., None] * y + origin


def identity(examples: int) -> Affine:
    """Return the identity map for a number of examples.

    Args:
      examples: the number B of maps.
    """
    return Affine(*(jnp.tile(jnp.array([v]), (examples, 1)) for v in ([1.0, 0.0], [0.0, 1.0], [0.0, 0.0])))


def warp(images: jax.Array, inverse: Affine) -> jax.Array:
    """Transform images by affine maps.

    Each pixel of the result is interpolated at the point of the image to which ``inverse`` maps the pixel. On each
    side, the image is extended by its reflection. Beyond the reflection, values are 0.

    Args:
      images: [B, H, W, C].
      inverse: the map from pixels of the result to points of the image.

    Returns:
      The resampled images, [B, H, W, C].
    """
    examples, height, width, channels = images.shape
    large = _along_both(images, _upsample_matrix(height), _upsample_matrix(width))
    # In coordinates where the n pixels of the original image are at 0 to n - 1, pixel i of the extended and upsampled
    # image is at i / 2 - (n - 1).
    v, u = (jnp.arange(2 * (n + _REACH)) / 2 - _REACH / 2 - (n - 1) / 2 for n in (height, width))
    u, v = jnp.meshgrid(u, v)
    points = inverse(*(jnp.broadcast_to(a[None], (examples, *a.shape)) for a in (u, v)))
    rows = 2 * (points[..., 1] + (height - 1) / 2 + (height - 1))
    columns = 2 * (points[..., 0] + (width - 1) / 2 + (width - 1))
    flat = large.reshape(examples, -1, channels)
    sampled: Any = _gather(flat.shape[1], flat, *_corners(rows, columns, large.shape[1], large.shape[2]))
    sampled = sampled.reshape(examples, *u.shape, channels)
    return _along_both(sampled, _downsample_matrix(height), _downsample_matrix(width)).astype(images.dtype)


def _along_both(images, rows, columns):
    """Multiply images [B, H, W, C] by matrices [h, H] and [w, W] along both axes, to [B, h, w, C]."""
    # With the default precision of accelerators, errors would be visible in images that are only translated.
    product = functools.partial(jnp.einsum, precision=lax.Precision.HIGHEST)
    return product("bhxc,wx->bhwc", product("byxc,hy->bhxc", images, jnp.asarray(rows)), jnp.asarray(columns))


def _wavelet(pixels: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Return the weight of each pixel at each half-pixel point of the upsampled signal, [halves, pixels].

    The weights of a pixel are the taps of the wavelet's filter, with an L2 norm of 1.

    Args:
      pixels: the indices of pixels.
      halves: the indices of points of the upsampled signal; point i is at i / 2, in pixels.
    """
    tap = halves[:, None] - 2 * pixels + _REACH - 1
    return np.where((tap >= 0) & (tap < len(SYM6)), SYM6[tap.clip(0, len(SYM6) - 1)], 0.0)


@functools.cache
def _upsample_matrix(n: int) -> np.ndarray:
    """Return the matrix that extends a signal by reflection and upsamples it by two.

    The signal has n pixels and is extended by n - 1 pixels on each side. The shape of the matrix is [2 * (3 n - 2), n].
    """
    reflected = np.pad(np.eye(n), ((n - 1, n - 1), (0, 0)), mode="reflect")
    pixels = np.arange(-(n - 1), 2 * n - 1)
    halves = np.arange(-2 * (n - 1), 2 * (2 * n - 1))
    return (np.sqrt(2) * _wavelet(pixels, halves) @ reflected).astype(np.float32)


@functools.cache
def _downsample_matrix(n: int) -> np.ndarray:
    """Return the matrix, [n, 2 n + 12], that downsamples a signal by two.

    In addition to the 2 n points of the n pixels, the signal has six points at each end.
    """
    return (_wavelet(np.arange(n), np.arange(-_REACH, 2 * n + _REACH)).T / np.sqrt(2)).astype(np.float32)


def _corners(rows, columns, height, width):
    """Return the four pixels around each point, and their weights for bilinear interpolation.

    Args:
      rows, columns: coordinates of the points, [B, h, w].
      height, width: size of the image in pixels.

    Returns:
      The indices of the pixels in the flattened image, [B, h * w, 4], and the weights, [B, h * w, 4]. The weight of a
      pixel outside of the image is 0.
    """
    top, left = jnp.floor(rows), jnp.floor(columns)
    indices, weights = [], []
    for y in (top, top + 1):
        for x in (left, left + 1):
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            weight = (1 - jnp.abs(rows - y)) * (1 - jnp.abs(columns - x))
            weights.append(jnp.where(inside, weight, 0.0))
            index = jnp.clip(y, 0, height - 1).astype(jnp.int32) * width + jnp.clip(x, 0, width - 1).astype(jnp.int32)
            indices.append(index)
    indices, weights = (jnp.stack(a, -1).reshape(len(rows), -1, 4) for a in (indices, weights))
    return indices, lax.stop_gradient(weights)


# This pair of functions was the fastest of the variants that were measured on a CPU, at 8 x 8 and 64 x 64 pixels. One
# gather of all four corners is slower than four gathers. The transpose that JAX derives consists of four scatters,
# which are slower than one scatter. Dense matrices of weights need no scatter. Multiplying by them takes the same time
# at 8 x 8, but ten times as long at 32 x 32.
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gather(pixels, flat, indices, weights):
    """Return the weighted sum of four pixels for each of N points, [B, N, C].

    Args:
      pixels: number of pixels of an image.
      flat: the flattened images, [B, pixels, C].
      indices: the indices of four pixels for each point, [B, N, 4].
      weights: the weights of these pixels, [B, N, 4].
    """
    pick = jax.vmap(lambda image, index: image.at[index].get(mode="promise_in_bounds"))
    return sum(weights[..., i, None] * pick(flat, indices[..., i]) for i in range(4))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scatter(pixels, samples, indices, weights):
    """Apply the transpose of ``_gather``: add N weighted samples, [B, N, C], to pixels of images, [B, pixels, C]."""
    values = weights[..., None] * samples[:, :, None]
    empty = jnp.zeros((pixels, samples.shape[-1]), values.dtype)
    add = jax.vmap(lambda index, value: empty.at[index].add(value, mode="promise_in_bounds"))
    return add(indices, values)


def _with_places(f):
    return lambda pixels, x, indices, weights: (f(pixels, x, indices, weights), (indices, weights))


_gather.defvjp(_with_places(_gather), lambda pixels, places, g: (_scatter(pixels, g, *places), None, None))
_scatter.defvjp(_with_places(_scatter), lambda pixels, places, g: (_gather(pixels, g, *places), None, None))
