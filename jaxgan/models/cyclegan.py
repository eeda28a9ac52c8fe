"""CycleGAN: image-to-image translation by residual blocks. Zhu, Park, Isola and Efros 2017 (1703.10593), appendix 7.2.

As in the authors' code, https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix, whose weights ``interop.pix2pix``
reads and writes for ``upsample="transposed"``. The discriminator is ``pix2pix.Discriminator(norm="instance")``, called
with one image.
"""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.resnet import UpConv
from jaxgan.nn.layers import Conv, ConvTranspose, dcgan_kernel_init, dropout, reflection_pad, replication_pad
from jaxgan.nn.normalization import EvalStats, Norm, norm_layer


class Generator(nn.Module):
    """Images [B, h, w, C] to images [B, h, w, out_channels] in (-1, 1), float32. Johnson et al. 2016 (1603.08155).

    Two convolutions halve the image, residual blocks keep its size, and two more convolutions double it. Dropout uses
    one key for each example, ``g(x, keys)``; without keys nothing is dropped.

    Attributes:
      out_channels: of the generated images.
      num_blocks: residual blocks: 9 for 256 x 256 and above, 6 for 128 x 128.
      channels: of the first and the last level; the residual blocks have four times as many.
      norm: of all layers but the last. Their convolutions have biases with "instance" alone.
      padding: of the residual blocks: by reflection, by the pixels at the edge, or by zeros.
      upsample: "transposed" convolutions are the authors'; since 1, 2 or 4 of their 9 weights meet in a pixel, they may
        cause checkerboard artefacts. "nearest" neighbours and a convolution cause none beyond bfloat16's rounding. See
        Odena et al. 2016 (distill.pub/2016/deconv-checkerboard).
      dropout_rate: the fraction that dropout sets to 0 between the two convolutions of a block; CycleGAN's is 0.
      eval_stats: which statistics "batch" uses outside of training; see ``BatchNorm``.
      dtype: the precision of computation.

    Raises:
      ValueError: a side of the image is not divisible by 4, or shorter than 8, which reflection needs.
    """

    out_channels: int = 3
    num_blocks: int = 9
    channels: int = 64
    norm: Norm = "instance"
    padding: Literal["reflect", "replicate", "zero"] = "reflect"
    upsample: Literal["transposed", "nearest"] = "transposed"
    dropout_rate: float = 0.0
    eval_stats: EvalStats = "instance"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, keys: jax.Array | None = None, *, train: bool) -> jax.Array:
        self._check(x)
        kwargs: dict[str, Any] = {"kernel_init": dcgan_kernel_init, "dtype": self.dtype}
        use_bias = self.norm == "instance"

        def normalize(x, name):
            return norm_layer(self.norm, name, self.eval_stats)(x, train)

        def block_conv(x, name):
            padding = 0
            if self.padding == "reflect":
                x = reflection_pad(x, 1)
            elif self.padding == "replicate":
                x = replication_pad(x, 1)
            else:
                padding = 1
            return Conv(4 * self.channels, 3, padding=padding, use_bias=use_bias, name=name, **kwargs)(x)

        def upsample(x, features, i):
            if self.upsample == "nearest":  # its name differs, because a transposed convolution cannot use its kernel
                return UpConv(features, use_bias=use_bias, name=f"nearest_{i}", **kwargs)(x)
            layer = ConvTranspose(features, 3, padding=1, output_padding=1, use_bias=use_bias, name=f"up_{i}", **kwargs)
            return layer(x)

        first = Conv(self.channels, 7, padding=0, use_bias=use_bias, name="first", **kwargs)
        x = nn.relu(normalize(first(reflection_pad(x, 3)), "first_norm"))
        for i in range(2):
            features = 2 ** (i + 1) * self.channels
            x = Conv(features, 3, stride=2, padding=1, use_bias=use_bias, name=f"down_{i}", **kwargs)(x)
            x = nn.relu(normalize(x, f"down_norm_{i}"))
        for i in range(self.num_blocks):
            y = nn.relu(normalize(block_conv(x, f"block_{i}_0"), f"block_{i}_norm_0"))
            y = dropout(y, keys, i, self.dropout_rate)
            x = x + normalize(block_conv(y, f"block_{i}_1"), f"block_{i}_norm_1")
        for i in range(2):
            x = nn.relu(normalize(upsample(x, 2 ** (1 - i) * self.channels, i), f"up_norm_{i}"))
        x = Conv(self.out_channels, 7, padding=0, name="image", **kwargs)(reflection_pad(x, 3))
        return jnp.tanh(x.astype(jnp.float32))

    @nn.nowrap
    def _check(self, x: jax.Array) -> None:
        if x.ndim != 4 or any(n % 4 or n < 8 for n in x.shape[1:3]):
            raise ValueError(f"images must be [B, h, w, C] with sides divisible by 4 and of at least 8, got {x.shape}.")
        if self.padding not in ("reflect", "replicate", "zero"):
            raise ValueError(f"`padding` must be 'reflect', 'replicate' or 'zero', got {self.padding!r}.")
        if self.upsample not in ("transposed", "nearest"):
            raise ValueError(f"`upsample` must be 'transposed' or 'nearest', got {self.upsample!r}.")
