"""ResNet generator of CycleGAN, for image-to-image translation.

Source: Zhu, Park, Isola and Efros 2017 (arXiv:1703.10593), appendix 7.2. The network equals the official one in
https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix. ``interop.pix2pix`` converts its weights if ``upsample`` is
"transposed". The discriminator of CycleGAN is ``pix2pix.Discriminator(norm="instance")``, called with one image.
"""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.resnet import UpConv
from jaxgan.nn.layers import Conv, ConvTranspose, dcgan_kernel_init, dropout, reflection_pad, replication_pad
from jaxgan.nn.normalization import EvalStats, Norm, norm_layer


class Generator(nn.Module):
    """Generator, from images [B, h, w, C] to images [B, h, w, out_channels] in (-1, 1), float32.

    The architecture is from Johnson et al. 2016 (arXiv:1603.08155). Two convolutions of stride 2 each halve the height
    and width, residual blocks do not change the size, and two upsampling convolutions each double the height and width.
    Dropout needs one PRNG key per example: call ``g(x, keys, train=...)``. Without keys, dropout is off.

    Attributes:
      out_channels: number of channels of the output images.
      num_blocks: number of residual blocks (official: 9 for 256 x 256 and larger, 6 for 128 x 128).
      channels: number of channels at the full resolution (official: ``ngf``, 64). The residual blocks have 4 times this
        number.
      norm: normalisation after all convolutions but the last: "batch", "instance" or "none". The last convolution
        always has a bias. The other convolutions have biases only with "instance".
      padding: padding of the residual blocks: "reflect", "replicate" (repeats the pixels at the edge) or "zero".
      upsample: "transposed" uses transposed convolutions, as in the official code. They can cause checkerboard
        artefacts, because the number of kernel weights that contribute to an output pixel alternates between 1, 2 and
        4. "nearest" uses nearest-neighbour upsampling and a convolution, which avoids these artefacts. With bfloat16,
        weak artefacts can remain because of rounding errors. See Odena et al. 2016
        (distill.pub/2016/deconv-checkerboard).
      dropout_rate: fraction of the activations that dropout sets to 0 between the two convolutions of a residual block
        (official: 0 for CycleGAN).
      eval_stats: statistics that the normalisation "batch" uses at evaluation: "running" for the moving averages, or
        "instance" for the mean and variance of each image; see ``BatchNorm``.
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if the height or width is not divisible by 4 or is less than 8, or if an attribute has an unknown
        value. Smaller images are too small for reflection padding.
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
            # The two kinds of layers have different names, because their kernels cannot be exchanged.
            if self.upsample == "nearest":
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
            raise ValueError(
                f"Images must be [B, h, w, C], with a height and width divisible by 4 and at least 8, got the shape "
                f"{x.shape}."
            )
        if self.padding not in ("reflect", "replicate", "zero"):
            raise ValueError(f"`padding` must be 'reflect', 'replicate' or 'zero', got {self.padding!r}.")
        if self.upsample not in ("transposed", "nearest"):
            raise ValueError(f"`upsample` must be 'transposed' or 'nearest', got {self.upsample!r}.")
