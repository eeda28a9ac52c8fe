"""The choice of the form in which a map is computed on CPUs: a table of measurements.

``python -m experiments.benchmarks.forms`` measures the forms of many convolutions, and writes the fastest into
``measured.py``. A map is computed in the form that was the fastest for the most similar convolution in the table: the
same kernel and stride, and numbers of channels and sides of the image that differ by at most a factor of 2. If there
is no such convolution, im2col is used. Data types without measurements use the rows of float32.

The choice does not depend on the batch size, which differs with the number of devices.
"""

import functools
import math

import jax
import jax.numpy as jnp

from jaxgan.nn.convolution import forms
from jaxgan.nn.convolution.geometry import Geometry
from jaxgan.nn.convolution.measured import FASTEST

_UNKNOWN_SIDE = 16  # side of an image in pixels, assumed where an export has symbolic sizes
_LARGEST_DISTANCE = 1.0  # largest logarithm, to base 2, of the ratio of two numbers of channels, or of two sides


def choose(name: str, g: Geometry, a: jax.Array, b: jax.Array) -> forms.Map:
    """Return the implementation of a map that is probably the fastest on CPUs.

    Args:
      name: name of the map: conv, conv_transpose or kernel_gradient.
      g: the geometry.
      a: the first argument of the map after the geometry: x, [B, *large, C], or y, [B, *small, D].
      b: the second argument of the map after the geometry: w, [*kernel, C, D], or y, [B, *small, D].
    """
    channels, small_channels = (a.shape[-1], b.shape[-1]) if name == "kernel_gradient" else b.shape[-2:]
    return _implementation(choose_form(name, g, channels, small_channels, a.dtype), name)


@functools.cache
def _implementation(form, name):
    """Return a map of a form under ``jax.jit``, so that equal convolutions of a network are traced and lowered once."""
    return jax.jit(getattr(forms.create(form), name), static_argnums=0)


@functools.cache
def choose_form(name: str, g: Geometry, channels: int, small_channels: int, dtype: jnp.dtype) -> str:
    """Return the name of the form that is probably the fastest on CPUs.

    Args:
      name: name of the map: conv, conv_transpose or kernel_gradient.
      g: the geometry.
      channels: number of channels of the large image.
      small_channels: number of channels of the small image.
      dtype: the data type of the images and of the kernel.
    """
    if g.dilation > 1:  # the table has no dilated kernels
        return default_form(g, channels, small_channels)
    numbers, suitable = (channels, small_channels, side(g)), forms.names(g, dtype)
    rows = FASTEST.get(kind(name, g, dtype)) or FASTEST.get(kind(name, g, jnp.dtype(jnp.float32)), [])
    near = []
    for *measured, form in rows:
        distances = [abs(math.log2(n / m)) for n, m in zip(numbers, measured)]
        if max(distances) <= _LARGEST_DISTANCE and form in suitable:
            near.append((sum(distances), form))
    return min(near)[1] if near else default_form(g, channels, small_channels)


def default_form(g: Geometry, channels: int, small_channels: int) -> str:
    """Return the name of the form for convolutions that are not in the table.

    It is im2col. With a stride of 1, both images have about the same size, so the patches of the image with fewer
    channels need less memory. For example, with a 7 x 7 kernel, a patch has 147 numbers for 3 channels and 3136 numbers
    for 64 channels. Dilated kernels have a form of their own.

    Args:
      g: the geometry.
      channels: number of channels of the large image.
      small_channels: number of channels of the small image.
    """
    if g.dilation > 1:
        return "dilated"
    if g.blur:
        return "filter im2col"
    return "exchanged im2col" if g.stride == 1 and channels >= 2 * small_channels else "im2col"


def kind(name: str, g: Geometry, dtype: jnp.dtype) -> str:
    """Return the key of a map in the table, such as ``conv 4x4 stride 2 float32``.

    Args:
      name: name of the map: conv, conv_transpose or kernel_gradient.
      g: the geometry.
      dtype: the data type of the images and of the kernel.
    """
    blur = " blurred" if g.blur else ""
    return f"{name} {'x'.join(map(str, g.kernel))} stride {g.stride}{blur} {jnp.dtype(dtype).name}"


def side(g: Geometry) -> float:
    """Return the geometric mean of the sides of the small image, in pixels.

    Args:
      g: the geometry. Sides of symbolic size count as 16 pixels.
    """
    sides = [n if isinstance(n, int) else _UNKNOWN_SIDE for n in g.small]
    return math.prod(sides) ** (1 / len(sides))
