"""The three maps of a convolution, and their derivatives. See ``jaxgan.nn.convolution``."""

import functools

import jax

from jaxgan.core import precision
from jaxgan.nn.convolution import choice, native
from jaxgan.nn.convolution.geometry import Geometry


def conv(g: Geometry, x: jax.Array, w: jax.Array) -> jax.Array:
    """Return the convolution of stride ``g.stride``, from [B, *large, C] and [*kernel, C, D] to [B, *small, D].

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      w: the kernel, [*kernel, C, D].
    """
    return _conv(g._replace(precision=precision.current()), x, w)


def conv_transpose(g: Geometry, y: jax.Array, w: jax.Array) -> jax.Array:
    """Return the transposed convolution, from [B, *small, D] and [*kernel, C, D] to [B, *large, C].

    Args:
      g: the shapes of the images and the kernel.
      y: the small image, [B, *small, D].
      w: the kernel, [*kernel, C, D].
    """
    return _conv_transpose(g._replace(precision=precision.current()), y, w)


def kernel_gradient(g: Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the correlation of two images, from [B, *large, C] and [B, *small, D] to [*kernel, C, D].

    It is the gradient of <conv(x, w), y> with respect to the kernel w.

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      y: the small image, [B, *small, D].
    """
    return _kernel_gradient(g._replace(precision=precision.current()), x, y)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _conv(g, x, w):
    return _compute("conv", g, x, w)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _conv_transpose(g, y, w):
    return _compute("conv_transpose", g, y, w)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel_gradient(g, x, y):
    return _compute("kernel_gradient", g, x, y)


def _compute(name, g, a, b):
    """Compute a map on CPUs in the form that the table of measurements names, and elsewhere with XLA's convolution."""

    def on_cpu(a, b):
        return choice.choose(name, g, a, b)(g, a, b)

    return precision.by_platform(g.precision, on_cpu, functools.partial(getattr(native, name), g), a, b)


def _save_inputs(f):
    """Return the forward rule of a map for ``jax.custom_vjp``. It saves the inputs for the backward rule."""

    def forward(g, a, b):
        return f(g, a, b), (a, b)

    return forward


def _conv_backward(g, inputs, y):
    x, w = inputs
    return _conv_transpose(g, y, w), _kernel_gradient(g, x, y)


def _conv_transpose_backward(g, inputs, x):
    y, w = inputs
    return _conv(g, x, w), _kernel_gradient(g, x, y)


def _kernel_gradient_backward(g, inputs, w):
    x, y = inputs
    return _conv_transpose(g, y, w), _conv(g, x, w)


_conv.defvjp(_save_inputs(_conv), _conv_backward)
_conv_transpose.defvjp(_save_inputs(_conv_transpose), _conv_transpose_backward)
_kernel_gradient.defvjp(_save_inputs(_kernel_gradient), _kernel_gradient_backward)
