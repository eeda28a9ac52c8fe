"""CycleGAN: images to images by residual blocks. Zhu, Park, Isola and Efros 2017 (1703.10593), appendix 7.2.

As in the authors' code, https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix, whose weights ``interop.pix2pix``
reads and writes, with ``upsample="transposed"``. The discriminator is ``pix2pix.Discriminator(norm="instance")``, which
sees one image.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.resnet import UpConv
from jaxgan.nn.layers import Conv, ConvTranspose, Norm, dropout, mirrored, normalization

_kernels = nn.initializers.normal(0.02)  # appendix 7.1


class Generator(nn.Module):
    """Images [B, h, w, C] to images [B, h, w, channels] in (-1, 1), float32. Johnson et al. 2016 (1603.08155).

    Two convolutions halve the image, residual blocks keep its size, two more double it. Dropout, in the blocks, draws
    from keys, one for each example: ``g(x, keys)``; without them, nothing is dropped.

    Attributes:
      channels: of the images that go out.
      blocks: 9 for 256 x 256 and above, 6 for 128 x 128.
      width: features of the first and the last level; the blocks have four times as many.
      norm: of all layers but the last; with "instance" alone their convolutions have biases.
      padding: what the blocks' convolutions see outside of an image: its reflection, the pixels at its edge, or zeros.
      upsample: "transposed" convolutions, as the authors', of whose 9 weights 1, 2 or 4 meet in a pixel, which may draw
        a grid; or "nearest" neighbours, then a convolution, of which no grid is seen but bfloat16's rounding. Odena et
        al. 2016 (distill.pub/2016/deconv-checkerboard).
      keep: the share that dropout keeps between a block's two convolutions; 1, as in CycleGAN, drops nothing.
      at_test: what "batch" normalises by out of training: the moving averages, or each image's own; see ``BatchNorm``.
      dtype: the precision of computation.

    Raises:
      ValueError: a side of the image is not divisible by 4, or less than 8: there is nothing to mirror.
    """

    channels: int = 3
    blocks: int = 9
    width: int = 64
    norm: Norm = "instance"
    padding: Literal["reflect", "replicate", "zero"] = "reflect"
    upsample: Literal["transposed", "nearest"] = "transposed"
    keep: float = 1.0
    at_test: Literal["averages", "image"] = "image"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, keys: jax.Array | None = None, *, train: bool) -> jax.Array:
        if x.ndim != 4 or any(n % 4 or n < 8 for n in x.shape[1:3]):
            raise ValueError(f"images of shape {x.shape}: want [B, h, w, C], sides divisible by 4, and 8 or more")
        if self.padding not in ("reflect", "replicate", "zero"):
            raise ValueError(f"padding {self.padding!r}: want 'reflect', 'replicate' or 'zero'")
        if self.upsample not in ("transposed", "nearest"):
            raise ValueError(f"upsample {self.upsample!r}: want 'transposed' or 'nearest'")
        shared = {"use_bias": self.norm == "instance", "kernel_init": _kernels, "dtype": self.dtype}
        own = {"kernel": 3, **shared}
        ends = {**own, "kernel": 7, "padding": 0}

        def normalized(x, name, activation=nn.relu):
            return activation(normalization(self.norm, name, self.at_test)(x, train))

        def same_size(x, name):
            if self.padding == "zero":
                return Conv(4 * self.width, padding=1, name=name, **own)(x)
            x = mirrored(x, 1, edge=self.padding == "replicate")
            return Conv(4 * self.width, padding=0, name=name, **own)(x)

        def doubled(x, features, i):
            if self.upsample == "nearest":  # of another name: it is no transposed one's kernel
                return UpConv(features, name=f"nearest_{i}", **shared)(x)
            return ConvTranspose(features, 3, padding=1, output_padding=1, name=f"up_{i}", **shared)(x)

        x = normalized(Conv(self.width, name="first", **ends)(mirrored(x, 3)), "first_norm")
        for i in range(2):
            x = Conv(2 ** (i + 1) * self.width, stride=2, padding=1, name=f"down_{i}", **own)(x)
            x = normalized(x, f"down_norm_{i}")
        for i in range(self.blocks):
            y = normalized(same_size(x, f"block_{i}_0"), f"block_{i}_norm_0")
            y = dropout(y, keys, i, self.keep)
            x = x + normalized(same_size(y, f"block_{i}_1"), f"block_{i}_norm_1", lambda x: x)
        for i in range(2):
            x = normalized(doubled(x, 2 ** (1 - i) * self.width, i), f"up_norm_{i}")
        x = Conv(self.channels, name="image", **{**ends, "use_bias": True})(mirrored(x, 3))
        return jnp.tanh(x.astype(jnp.float32))
