"""Networks for windows of series [B, T, C]: generators and discriminators of 1-D convolutions or of GRUs.

The convolutions are residual networks without normalisation, as in R3GAN (Huang et al. 2024, arXiv:2501.05441), with
one spatial dimension and, with ``causal``, with the dilated causal convolutions of Bai et al. 2018 (arXiv:1803.01271).
The GRUs are stacks of recurrent layers with a linear layer for each time step, as in RGAN (Esteban et al. 2017,
arXiv:1706.02633) and TimeGAN (Yoon et al. 2019).

The latents of a series are one vector, [B, z]. The last T * ``step_latents`` of its numbers are latents of single time
steps, T vectors of ``step_latents`` numbers. The others are latents of the complete series. Both networks have optional
class labels, which are class numbers [B] or class weights [B, classes].

A series can have static attributes, such as the age of a patient. They are packed as the last channels of the series,
which are constant over time, because a generator returns one array. The generator computes these channels once for each
series, so they are exactly constant. The discriminator reads them as any other channel.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import Conv, Dense, Embedding
from jaxgan.nn.recurrent import GRU


class ConvGenerator(nn.Module):
    """Generator of 1-D convolutions, from latents [B, z] to series [B, steps, channels] in (-1, 1), float32.

    A linear layer maps the latents of the series to a feature vector for each time step, to which a linear function of
    the latents of the step is added. Residual blocks follow. The dilation of the n-th block is 2**n, so the receptive
    field grows exponentially.

    Attributes:
      steps: number of time steps, T.
      channels: number of channels of the series, including those of static attributes.
      features: number of features of a time step in the hidden layers.
      num_blocks: number of residual blocks.
      kernel_size: size of the kernels in time steps.
      causal: whether the convolutions are causal. A time step then depends on the latents of the series, and on the
        latents of this step and of earlier steps.
      step_latents: number of latents of each time step.
      static: number of static attributes. They are the last channels.
      classes: number of classes; 0 is an unconditional network.
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if there are too few latents, or ``static`` is not less than ``channels``.
    """

    steps: int
    channels: int
    features: int = 32
    num_blocks: int = 3
    kernel_size: int = 3
    causal: bool = False
    step_latents: int = 0
    static: int = 0
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None) -> jax.Array:
        whole, each = _split_latents(self, z, label)
        x = Dense(self.steps * self.features, dtype=self.dtype, name="series")(whole)
        x = x.reshape(z.shape[0], self.steps, self.features)
        if self.step_latents:
            x = x + Dense(self.features, use_bias=False, dtype=self.dtype, name="steps")(each)
        for i in range(self.num_blocks):
            block = _Block(self.kernel_size, 2**i, self.causal, dtype=self.dtype, name=f"block_{i}")
            x = block(x)
        return _outputs(self, nn.leaky_relu(x, 0.2), whole)


class GRUGenerator(nn.Module):
    """Generator of stacked GRUs, from latents [B, z] to series [B, steps, channels] in (-1, 1), float32.

    The input of each time step consists of the latents of the series and the latents of the step. The initial state of
    each layer is a function of the latents of the series. A linear layer and tanh follow the last layer.

    Attributes:
      steps: number of time steps, T.
      channels: number of channels of the series, including those of static attributes.
      features: number of units of each GRU.
      num_layers: number of GRUs.
      step_latents: number of latents of each time step.
      static: number of static attributes. They are the last channels.
      classes: number of classes; 0 is an unconditional network.
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if there are too few latents, or ``static`` is not less than ``channels``.
    """

    steps: int
    channels: int
    features: int = 32
    num_layers: int = 2
    step_latents: int = 0
    static: int = 0
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None) -> jax.Array:
        whole, each = _split_latents(self, z, label)
        x = jnp.broadcast_to(whole[:, None], (z.shape[0], self.steps, whole.shape[-1]))
        x = jnp.concatenate([x, each], -1) if self.step_latents else x
        for i in range(self.num_layers):
            state = jnp.tanh(Dense(self.features, dtype=self.dtype, name=f"state_{i}")(whole))
            x = GRU(self.features, dtype=self.dtype, name=f"gru_{i}")(x, state)
        return _outputs(self, x, whole)


class ConvDiscriminator(nn.Module):
    """Discriminator of 1-D convolutions, from series [B, T, C] in [-1, 1] to logits [B], float32.

    Residual blocks alternate with convolutions of stride 2, and a linear layer reads all features of the last block.
    With classes, the network is a projection discriminator (Miyato and Koyama 2018, equation 4).

    Attributes:
      features: number of features of a time step in the hidden layers.
      num_blocks: number of residual blocks. Each but the last halves the number of time steps.
      kernel_size: size of the kernels in time steps.
      causal: whether the convolutions are causal.
      classes: number of classes; 0 is an unconditional network.
      dtype: data type of the computation; parameters are float32.
    """

    features: int = 32
    num_blocks: int = 3
    kernel_size: int = 3
    causal: bool = False
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None) -> jax.Array:
        kwargs: dict[str, Any] = {"padding": _padding(self.causal), "dtype": self.dtype}
        x = Conv(self.features, self.kernel_size, name="series", **kwargs)(x)
        for i in range(self.num_blocks):
            x = _Block(self.kernel_size, 1, self.causal, dtype=self.dtype, name=f"block_{i}")(x)
            if i < self.num_blocks - 1:
                x = Conv(self.features, self.kernel_size, 2, name=f"down_{i}", **kwargs)(x)
        x = nn.leaky_relu(x, 0.2)
        return _logits(self, x.reshape(x.shape[0], -1), label)


class GRUDiscriminator(nn.Module):
    """Discriminator of stacked GRUs, from series [B, T, C] in [-1, 1] to logits [B], float32.

    A linear layer reads the last state and the mean of the states of the last GRU. With classes, the network is a
    projection discriminator (Miyato and Koyama 2018, equation 4).

    Attributes:
      features: number of units of each GRU.
      num_layers: number of GRUs.
      classes: number of classes; 0 is an unconditional network.
      dtype: data type of the computation; parameters are float32.
    """

    features: int = 32
    num_layers: int = 2
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None) -> jax.Array:
        for i in range(self.num_layers):
            x = GRU(self.features, dtype=self.dtype, name=f"gru_{i}")(x)
        x = nn.leaky_relu(Dense(self.features, dtype=self.dtype, name="joint")(_last_and_mean(x)), 0.2)
        return _logits(self, x, label)


class _Block(nn.Module):
    """A residual block of two convolutions with leaky ReLUs before them. The second kernel is initially zero."""

    kernel_size: int
    dilation: int
    causal: bool
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        conv = functools.partial(
            Conv, x.shape[-1], self.kernel_size, padding=_padding(self.causal), dilation=self.dilation, dtype=self.dtype
        )
        y = conv(name="conv_0")(nn.leaky_relu(x, 0.2))
        y = conv(name="conv_1", kernel_init=nn.initializers.zeros)(nn.leaky_relu(y, 0.2))
        return x + y


def _padding(causal):
    return "causal" if causal else None


def _last_and_mean(x):
    return jnp.concatenate([x[:, -1], x.mean(1)], -1)


def _split_latents(net, z, label):
    """Return the latents of the series, with the class if there are classes, and the latents of the time steps."""
    if not 0 <= net.static < net.channels:
        raise ValueError(
            f"`static` must be at least 0 and less than `channels`, {net.channels}, got {net.static}: a series needs "
            "at least one channel that changes over time."
        )
    count = z.shape[-1] - net.steps * net.step_latents
    if count < 1:
        raise ValueError(
            f"`z` must have more than {net.steps * net.step_latents} numbers, `steps` {net.steps} times `step_latents` "
            f"{net.step_latents}, got {z.shape[-1]}."
        )
    whole, each = z[:, :count], z[:, count:].reshape(z.shape[0], net.steps, net.step_latents)
    if net.classes:
        embedding = Embedding(net.classes, count, dtype=net.dtype, name="embedding")
        whole = jnp.concatenate([whole, embedding(label)], -1)
    return whole, each


def _outputs(net, x, whole):
    """Return the series, from the features of the time steps, [B, T, features], and the latents of the series."""
    x = Dense(net.channels - net.static, dtype=net.dtype, name="output")(x)
    if net.static:
        y = nn.leaky_relu(Dense(net.features, dtype=net.dtype, name="static_0")(whole), 0.2)
        y = Dense(net.static, dtype=net.dtype, name="static_1")(y)
        x = jnp.concatenate([x, jnp.broadcast_to(y[:, None], (*x.shape[:2], net.static))], -1)
    return jnp.tanh(x.astype(jnp.float32))


def _logits(net, x, label):
    """Return logits, [B], from features, [B, F]."""
    logits = Dense(1, dtype=net.dtype, name="logit")(x)[:, 0]
    if net.classes:
        embedding = Embedding(net.classes, x.shape[-1], dtype=net.dtype, name="projection")
        logits = logits + (x * embedding(label)).mean(-1)
    return logits.astype(jnp.float32)
