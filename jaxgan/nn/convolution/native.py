"""The three maps as XLA's convolution. On CPUs, they are fast only in the cases of ``conv_by_eigen``."""

import jax
from jax import lax

from jaxgan.nn.convolution.geometry import Geometry, after_blur, blur_large

_EIGEN_MAX_CHANNELS = 16  # if both images have at most this number of channels, XLA uses Eigen, not YNNPACK


def conv(g: Geometry, x: jax.Array, w: jax.Array) -> jax.Array:
    """Return XLA's convolution, [B, *small, D].

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      w: the kernel, [*kernel, C, D].
    """
    if g.blur:
        return conv(after_blur(g), blur_large(g, x), w)
    space = "".join(chr(ord("0") + i) for i in range(len(g.large)))
    numbers = (f"N{space}C", f"{space}IO", f"N{space}C")
    strides, dilation = (g.stride,) * len(space), (g.dilation,) * len(space)
    return lax.conv_general_dilated(x, w, strides, g.padding, rhs_dilation=dilation, dimension_numbers=numbers)


def conv_transpose(g: Geometry, y: jax.Array, w: jax.Array) -> jax.Array:
    """Return the transpose of ``conv`` with respect to the large image, [B, *large, C].

    Args:
      g: the shapes of the images and the kernel.
      y: the small image, [B, *small, D].
      w: the kernel, [*kernel, C, D].
    """
    if g.blur:
        return blur_large(g, conv_transpose(after_blur(g), y, w), transpose=True)
    x = jax.ShapeDtypeStruct((y.shape[0], *g.large, w.shape[-2]), y.dtype)
    return jax.linear_transpose(lambda x: conv(g, x, w), x)(y)[0]


def kernel_gradient(g: Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the transpose of ``conv`` with respect to the kernel, [*kernel, C, D].

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      y: the small image, [B, *small, D].
    """
    if g.blur:
        return kernel_gradient(after_blur(g), blur_large(g, x), y)
    w = jax.ShapeDtypeStruct((*g.kernel, x.shape[-1], y.shape[-1]), x.dtype)
    return jax.linear_transpose(lambda w: conv(g, x, w), w)(y)[0]


def conv_by_eigen(g: Geometry, x: jax.Array, w: jax.Array) -> jax.Array:
    """Return XLA's convolution of stride 1 on CPUs, computed by Eigen, [B, *small, D].

    XLA would compute large convolutions with YNNPACK, which is slower. It does not use YNNPACK if the output has more
    rows than the input. Therefore the image is padded with additional rows, and the additional output rows are cropped.

    Args:
      g: the shapes of the images and the kernel.
      x: the large image, [B, *large, C].
      w: the kernel, [*kernel, C, D].
    """
    rows = max(0, g.large[0] - g.small[0] + 1) if max(w.shape[-2:]) > _EIGEN_MAX_CHANNELS else 0
    (low, high), *sides = g.padding

    # vmap would convert the convolution to a grouped convolution, which takes up to twice as long.
    @jax.custom_batching.sequential_vmap
    def native(x, w):
        return conv(g._replace(padding=((low, high + rows), *sides)), x, w)

    return native(x, w)[:, : g.small[0]]
