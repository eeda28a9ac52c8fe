"""SRGAN: images at twice or four times the size. Ledig et al. 2017 (1609.04802), figure 4.

The paper's are ``Generator()`` and, for crops of 96 x 96, ``Discriminator()``.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn import convolution, sums
from jaxgan.nn.layers import BatchNorm, Conv, Dense, Initializer, PReLU, near_one

# The paper does not say how weights begin. With normalisation after them, as DCGAN's; without, as flax's own.
_kernels = nn.initializers.normal(0.02)


class Generator(nn.Module):
    """SRResNet: images [B, h, w, C] to images [B, scale * h, scale * w, channels], float32.

    What goes out is not bounded: the paper compares it with images in [-1, 1], and has what goes in from 0 to 1. A
    pixel is a sum over its neighbours, so any size is served, and others than in training.

    Attributes:
      channels: of the images that go out.
      scale: 2 or 4, or another power of 2.
      blocks: how many residual ones.
      width: features of all layers but the last.
      norm: batch normalisation in the blocks; without, they are those of EDSR (Lim et al. 2017, 1707.02921).
      even: the four pixels that one becomes have kernels of one sum, and one bias, so no grid can be made where an
        image is flat, but by rounding, which is what a discriminator has the generator make. The paper's have not.
      dtype: the precision of computation.

    Raises:
      ValueError: the scale is no power of 2, or 1.
    """

    channels: int = 3
    scale: int = 4
    blocks: int = 16
    width: int = 64
    norm: bool = True
    even: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if self.scale < 2 or self.scale & (self.scale - 1):
            raise ValueError(f"scale {self.scale}: want 2, 4 or another power of 2")
        own = {"dtype": self.dtype, **({"kernel_init": _kernels} if self.norm else {})}

        def layer(x, name):
            x = Conv(self.width, 3, use_bias=not self.norm, name=name, **own)(x)
            return BatchNorm(scale_init=near_one, name=f"{name}_norm")(x, train) if self.norm else x

        x = first = PReLU(name="first_slope")(Conv(self.width, 9, name="first", **own)(x))
        for i in range(self.blocks):
            y = PReLU(name=f"block_{i}_slope")(layer(x, f"block_{i}_0"))
            x = x + layer(y, f"block_{i}_1")
        x = first + layer(x, "last")
        for i in range(self.scale.bit_length() - 1):
            x = Grown(self.width, self.even, name=f"up_{i}", **own)(x)
            x = PReLU(name=f"up_{i}_slope")(x)
        return Conv(self.channels, 9, name="image", **own)(x).astype(jnp.float32)


class Grown(nn.Module):
    """A convolution of 3 x 3 and ``pixel_shuffle``: [B, h, w, C] to [B, 2h, 2w, features].

    Attributes:
      even: of the four channels that become a square, one bias, and by each input one sum of the kernel.
    """

    features: int
    even: bool
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        squares = (self.features, 4)
        w = self.param("kernel", self.kernel_init, (3, 3, x.shape[-1], 4 * self.features))
        b = self.param("bias", nn.initializers.zeros, (4 * self.features,))
        if self.even:
            mean = w.reshape(*w.shape[:3], *squares).mean((0, 1))
            w = w + (mean.mean(-1, keepdims=True) - mean).reshape(1, 1, *w.shape[2:])
            b = jnp.broadcast_to(b.reshape(squares).mean(-1, keepdims=True), squares).reshape(-1)
        g = convolution.same(x.shape[1:3], (3, 3), 1)
        y = jnp.asarray(convolution.down(g, x.astype(self.dtype), w.astype(self.dtype)))
        return pixel_shuffle(y + sums.spread(b.astype(self.dtype), y.shape[:-1]), 2)


class Discriminator(nn.Module):
    """Images [B, h, w, C] to logits [B], float32: eight convolutions, every second of which halves the image.

    ``d(x, features=True)`` gives what the last of them does, [B, h / 16, w / 16, 8 * width]: what a picture shows, to
    who has seen many, which an image can be held to.

    Attributes:
      width: features of the first two; each two after them have twice as many.
      hidden: units of the layer before the last.
      norm: batch normalisation in all convolutions but the first.
      pooled: the last features' mean over the image goes to the linear layers, so it serves images of any size. The
        paper's see all of them, of images of one size. Not with ``norm``: where reals and fakes are normalised by
        themselves, the means of both are nearly the same, and there is little left to tell them by.
      dtype: the precision of computation.
    """

    width: int = 64
    hidden: int = 1024
    norm: bool = True
    pooled: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool, features: bool = False) -> jax.Array:
        own = {"dtype": self.dtype, **({"kernel_init": _kernels} if self.norm else {})}
        for i in range(8):
            norm = self.norm and i > 0
            width = self.width * 2 ** (i // 2)
            x = Conv(width, 3, 1 + i % 2, use_bias=not norm, padding=1, name=f"conv_{i}", **own)(x)
            x = BatchNorm(scale_init=near_one, name=f"norm_{i}")(x, train) if norm else x
            x = nn.leaky_relu(x, 0.2)
        if features:
            return x.astype(jnp.float32)
        x = x.mean((1, 2)) if self.pooled else x.reshape(x.shape[0], -1)
        x = nn.leaky_relu(Dense(self.hidden, name="hidden", **own)(x), 0.2)
        return Dense(1, name="logit", **own)(x).astype(jnp.float32).reshape(-1)


def pixel_shuffle(x: jax.Array, times: int) -> jax.Array:
    """[B, h, w, C * times**2] to [B, times * h, times * w, C]: a pixel's channels become a square of pixels.

    Shi et al. 2016 (1609.05158). As PyTorch's: of each channel that goes out, its square's row by row.

    Raises:
      ValueError: the channels are not divisible by times**2.
    """
    b, h, w, channels = x.shape
    if channels % times**2:
        raise ValueError(f"{channels} channels do not make squares of {times} x {times}; want a multiple of {times**2}")
    squares = x.reshape(b, h, w, channels // times**2, times, times)
    return squares.transpose(0, 1, 4, 2, 5, 3).reshape(b, times * h, times * w, -1)
