"""Affine maps of images without aliasing: Karras et al. 2020 (2006.06676), appendix B.

An image is padded by reflection, upsampled by two with the wavelet sym6, sampled bilinearly, and downsampled by two
with the same wavelet. The wavelet is orthogonal, so the identity map leaves an image as it is.

Everything is linear in the image, and its transpose is written out, so a derivative of any order costs as much as the
first: matrix products along each axis for the wavelet, one gather for the sampling, one scatter for its transpose.
There is no derivative with respect to the map, which is random.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# The least asymmetric Daubechies wavelet with six vanishing moments, its low-pass filter. Daubechies 1992, table 6.3.
SYM6 = np.array(
    [
        0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
        0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
        -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
    ]
)  # fmt: skip
_REACH = len(SYM6) // 2  # how many pixels of the upsampled image beyond its border downsampling reads


class Affine(NamedTuple):
    """An affine map of the plane for each example: (u, v) goes to u * x + v * y + origin.

    Coordinates are pixels from the centre of the image, right and down. Each field is [B, 2].
    """

    x: jax.Array
    y: jax.Array
    origin: jax.Array

    def rotated(self, angle: jax.Array) -> "Affine":
        """This map after a rotation by ``angle``, [B], in radians from right to down."""
        c, s = jnp.cos(angle)[:, None], jnp.sin(angle)[:, None]
        return Affine(c * self.x + s * self.y, c * self.y - s * self.x, self.origin)

    def scaled(self, across: jax.Array, down: jax.Array) -> "Affine":
        """This map after a scaling by factors, [B] each."""
        return Affine(self.x * across[:, None], self.y * down[:, None], self.origin)

    def translated(self, right: jax.Array, down: jax.Array) -> "Affine":
        """This map after a translation, [B] each, in pixels."""
        return self._replace(origin=self(right, down))

    def __call__(self, u: jax.Array, v: jax.Array) -> jax.Array:
        """The images of points with coordinates [B, ...]: [B, ..., 2]."""
        x, y, origin = (a.reshape(a.shape[0], *[1] * (u.ndim - 1), 2) for a in self)
        return u[..., None] * x + v[..., None] * y + origin


def identity(examples: int) -> Affine:
    """The map that leaves every point where it is."""
    return Affine(*(jnp.tile(jnp.array([v]), (examples, 1)) for v in ([1.0, 0.0], [0.0, 1.0], [0.0, 0.0])))


def warp(images: jax.Array, inverse: Affine) -> jax.Array:
    """Images, [B, H, W, C], each resampled at the points to which ``inverse`` maps its pixels.

    An image is continued by its reflection, as large as the image on each side, and by 0 beyond.
    """
    examples, height, width, channels = images.shape
    large = _along_both(images, _upsample_matrix(height), _upsample_matrix(width))
    # Pixel i of the padded and upsampled image is at i / 2 - (n - 1) in the image, whose pixels are 0 to n - 1.
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
    """The products of images [B, H, W, C] with matrices [h, H] and [w, W]: [B, h, w, C]."""
    # In full precision, because the default of accelerators would be visible in images that are only moved.
    product = functools.partial(jnp.einsum, precision=lax.Precision.HIGHEST)
    return product("bhxc,wx->bhwc", product("byxc,hy->bhxc", images, jnp.asarray(rows)), jnp.asarray(columns))


def _wavelet(pixels: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """[halves, pixels]: the weight of pixel k at the point i / 2 of the upsampled signal, of unit energy."""
    tap = halves[:, None] - 2 * pixels + _REACH - 1
    return np.where((tap >= 0) & (tap < len(SYM6)), SYM6[tap.clip(0, len(SYM6) - 1)], 0.0)


@functools.cache
def _upsample_matrix(n: int) -> np.ndarray:
    """[2 * (3 n - 2), n]: pads a signal by its reflection, n - 1 pixels a side, and upsamples it by two."""
    reflected = np.pad(np.eye(n), ((n - 1, n - 1), (0, 0)), mode="reflect")
    pixels = np.arange(-(n - 1), 2 * n - 1)
    halves = np.arange(-2 * (n - 1), 2 * (2 * n - 1))
    return (np.sqrt(2) * _wavelet(pixels, halves) @ reflected).astype(np.float32)


@functools.cache
def _downsample_matrix(n: int) -> np.ndarray:
    """[n, 2 n + 12]: downsamples by two a signal that reaches six points beyond each end."""
    return (_wavelet(np.arange(n), np.arange(-_REACH, 2 * n + _REACH)).T / np.sqrt(2)).astype(np.float32)


def _corners(rows, columns, height, width):
    """The four pixels around each point: their indices in the flat image, [B, N, 4], and weights, 0 outside."""
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


# This pair was the fastest of the forms measured on a CPU, at 8 x 8 and at 64 x 64. One gather of all four corners is
# slower than four gathers, and the transpose that JAX derives, four scatters, is slower than one scatter. Products with
# matrices of weights need no scatter, but take as long at 8 x 8 and ten times as long at 32 x 32.
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gather(pixels, flat, indices, weights):
    """Weighted sums of four pixels: [B, pixels, C], [B, N, 4] and [B, N, 4] to [B, N, C]."""
    pick = jax.vmap(lambda image, index: image.at[index].get(mode="promise_in_bounds"))
    return sum(weights[..., i, None] * pick(flat, indices[..., i]) for i in range(4))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scatter(pixels, samples, indices, weights):
    """The transpose: [B, N, C] to [B, pixels, C]."""
    values = weights[..., None] * samples[:, :, None]
    empty = jnp.zeros((pixels, samples.shape[-1]), values.dtype)
    add = jax.vmap(lambda index, value: empty.at[index].add(value, mode="promise_in_bounds"))
    return add(indices, values)


def _with_places(f):
    return lambda pixels, x, indices, weights: (f(pixels, x, indices, weights), (indices, weights))


_gather.defvjp(_with_places(_gather), lambda pixels, places, g: (_scatter(pixels, g, *places), None, None))
_scatter.defvjp(_with_places(_scatter), lambda pixels, places, g: (_gather(pixels, g, *places), None, None))
