"""Residual networks of WGAN-GP and of SNGAN, with optional class labels.

WGAN-GP is from Gulrajani et al. 2017 (arXiv:1704.00028), https://github.com/igul222/improved_wgan_training. SNGAN and
its projection discriminator are from Miyato et al. 2018 (arXiv:1802.05957) and Miyato and Koyama 2018
(arXiv:1802.05637), https://github.com/pfnet-research/sngan_projection. SNGAN's networks for 32 x 32 images have the
same blocks as WGAN-GP's networks. They are ``Generator(channels=256)`` and ``Critic(128, spectral_norm=True,
sum_pool=True)``.

Each layer that resamples is computed together with the adjacent convolution. This fusion changes neither the parameters
nor the results:

- Nearest-neighbour upsampling and a 3 x 3 convolution are computed as a transposed 4 x 4 convolution of stride 2.
- A 3 x 3 convolution and 2 x 2 average pooling are computed as a 4 x 4 convolution of stride 2.

For each pixel of the smaller image and each pair of an input channel and an output channel, a fused layer needs 16
multiplications instead of 36.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn import convolution
from jaxgan.nn.layers import Conv, Dense, Embedding, add_bias, num_upsamples, spectral_normalize
from jaxgan.nn.normalization import BatchNorm

# Both official codes use the initialisation of He et al. 2015 for layers before a ReLU, and the initialisation of
# Glorot and Bengio 2010 for all other layers.
_he = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")
_glorot = nn.initializers.glorot_uniform()


class UpConv(nn.Module):
    """Nearest-neighbour upsampling by 2 followed by a 3 x 3 convolution, from [B, h, w, C] to [B, 2h, 2w, features].

    Attributes:
      features: number of channels of the output.
      dtype: data type of the computation; parameters are float32.
      kernel_init: initializer of the 3 x 3 kernel.
      use_bias: whether a bias is added to the output.
    """

    features: int
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = _he
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        # The kernel of the transposed convolution is flipped, and its shape is [4, 4, features, C].
        w = jnp.flip(_fused_kernel(self, x.shape[-1], self.kernel_init), (0, 1)).swapaxes(-1, -2)
        g = convolution.same((2 * x.shape[1], 2 * x.shape[2]), (4, 4), 2)
        x = jnp.asarray(convolution.conv_transpose(g, x.astype(self.dtype), w.astype(self.dtype)))
        return add_bias(self, x) if self.use_bias else x


class DownConv(nn.Module):
    """3 x 3 convolution followed by 2 x 2 average pooling, from [B, 2h, 2w, C] to [B, h, w, features].

    Attributes:
      features: number of channels of the output.
      spectral_norm: whether the kernel is divided by its largest singular value.
      dtype: data type of the computation; parameters are float32.
    """

    features: int
    spectral_norm: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        w = _fused_kernel(self, x.shape[-1], spectral_norm=self.spectral_norm) / 4
        g = convolution.same(x.shape[1:3], (4, 4), 2)
        return add_bias(self, convolution.conv(g, x.astype(self.dtype), w.astype(self.dtype)))


def _fused_kernel(layer, channels, kernel_init=_he, spectral_norm=False):
    """Return the kernel of a fused layer, [4, 4, C, features]: the 3 x 3 kernel convolved with a 2 x 2 box of ones.

    The result is the sum of four shifted copies of the 3 x 3 kernel.
    """
    w = layer.param("kernel", kernel_init, (3, 3, channels, layer.features))
    w = spectral_normalize(layer, w) if spectral_norm else w
    shifts = [jnp.pad(w, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for i in (0, 1) for j in (0, 1)]
    return sum(shifts[1:], shifts[0])


class Generator(nn.Module):
    """Generator, from latents [B, z] to images [B, resolution, resolution, img_channels] in (-1, 1), float32.

    The papers use 128 latents.

    Attributes:
      resolution: height and width of the images, ``base_resolution`` times 2, 4, 8 or another power of two.
      img_channels: number of channels of the images.
      channels: number of channels of every hidden layer.
      base_resolution: height and width of the first feature map, the reshaped output of the linear layer.
      classes: number of classes; 0 is an unconditional network. A conditional network is called with labels and uses
        conditional batch normalisation: each class has its own scales and biases.
      dtype: data type of the computation; parameters are float32.
    """

    resolution: int = 32
    img_channels: int = 3
    channels: int = 128
    base_resolution: int = 4
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        def norm(x, name, classes=self.classes):
            return BatchNorm(classes=classes, name=name)(x, train, label)

        base = self.base_resolution
        x = Dense(base**2 * self.channels, kernel_init=_glorot, dtype=self.dtype, name="linear")(z)
        x = x.reshape(z.shape[0], base, base, self.channels)
        for i in range(num_upsamples(self.resolution, base)):
            y = nn.relu(norm(x, f"norm_{i}_0"))
            y = UpConv(self.channels, self.dtype, name=f"up_{i}")(y)
            y = nn.relu(norm(y, f"norm_{i}_1"))
            y = Conv(self.channels, 3, kernel_init=_he, dtype=self.dtype, name=f"conv_{i}")(y)
            # A 1 x 1 convolution commutes with nearest-neighbour upsampling, and is cheaper before the upsampling.
            x = Conv(self.channels, 1, kernel_init=_glorot, dtype=self.dtype, name=f"shortcut_{i}")(x)
            x = x.repeat(2, 1).repeat(2, 2) + y
        x = nn.relu(norm(x, "norm", classes=0))
        x = Conv(self.img_channels, 3, kernel_init=_glorot, dtype=self.dtype, name="image")(x)
        return jnp.tanh(x.astype(jnp.float32))


class Critic(nn.Module):
    """Critic of WGAN-GP or discriminator of SNGAN, from images [B, h, w, C] to values [B], float32.

    The first two residual blocks halve the height and width, and the other two do not change them. The network has no
    normalisation layers.

    Attributes:
      channels: number of channels of every hidden layer.
      spectral_norm: whether to apply spectral normalisation to the kernels of all layers, as in SNGAN. The values are
        then the logits of SNGAN's discriminator.
      sum_pool: whether to pool the features by their sum over pixels, as in SNGAN, instead of their mean.
      classes: number of classes; 0 is an unconditional network. A conditional network is called with labels. It adds
        the inner product of the label's embedding and the image's features to its output (Miyato and Koyama 2018,
        equation 4).
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if the height or width of the images is not a multiple of 4.
    """

    channels: int = 128
    spectral_norm: bool = False
    sum_pool: bool = False
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None) -> jax.Array:
        if x.ndim != 4 or x.shape[1] % 4 or x.shape[2] % 4:
            raise ValueError(
                f"Images must be [B, h, w, channels], with a height and width that are multiples of 4, got the shape "
                f"{x.shape}."
            )
        kwargs = {"spectral_norm": self.spectral_norm, "dtype": self.dtype}

        def conv(x, name):
            return Conv(self.channels, 3, kernel_init=_he, name=name, **kwargs)(x)

        def shortcut(x, name):
            # A 1 x 1 convolution commutes with average pooling, and is cheaper after the pooling.
            batch, height, width, channels = x.shape
            x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))
            return Conv(self.channels, 1, kernel_init=_glorot, name=name, **kwargs)(x)

        y = nn.relu(conv(x, "conv_0"))  # the first block has no ReLU before it
        x = DownConv(self.channels, name="down_0", **kwargs)(y) + shortcut(x, "shortcut_0")
        y = nn.relu(conv(nn.relu(x), "conv_1"))
        x = DownConv(self.channels, name="down_1", **kwargs)(y) + shortcut(x, "shortcut_1")
        for i in (2, 3):
            y = nn.relu(conv(nn.relu(x), f"conv_{i}_0"))
            x = x + conv(y, f"conv_{i}_1")
        x = nn.relu(x).sum((1, 2)) if self.sum_pool else nn.relu(x).mean((1, 2))
        use_bias = not self.spectral_norm  # the last layer of WGAN-GP has a bias, the last layer of SNGAN has none
        value = Dense(1, use_bias=use_bias, kernel_init=_glorot, name="value", **kwargs)(x).reshape(-1)
        if self.classes:
            projection = Embedding(self.classes, self.channels, embedding_init=_glorot, name="projection", **kwargs)
            value = value + (x * projection(label)).sum(-1)
        return value.astype(jnp.float32)
