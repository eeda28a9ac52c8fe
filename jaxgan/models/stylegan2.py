"""Networks of StyleGAN2: Karras et al. 2020 (arXiv:1912.04958).

Class labels are used as in StyleGAN2-ADA (Karras et al. 2020, arXiv:2006.06676). The networks equal the official ones
in https://github.com/NVlabs/stylegan2-ada-pytorch, and ``interop.stylegan2`` converts their weights. The generator
consists of two networks, mapping and synthesis. One ``Player``, which has a loss and an optimizer, trains both::

    synthesis = Synthesis((256, 256))
    mapping = Mapping(synthesis.num_ws)
    nets = {"mapping": Net(mapping, z), "synthesis": Net(synthesis, ws), "d": Net(Discriminator(), images)}
    Player(("mapping", "synthesis"), generator_loss, adam)
    fake = nets.synthesis(nets.mapping(z), keys)

The mapping network returns the styles (``ws`` in the official code), [B, num_ws, w_dim], one for each layer of the
synthesis network. Style mixing, interpolation, projection and the path length penalty are functions of the styles, so
the networks need no options for them. The two networks are separate modules, because a game calls each network by its
name. To use a moving average of the weights, set it for both networks: ``ema={"mapping": ..., "synthesis": ...}``.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis
from jaxgan.nn.layers import num_upsamples, one_hot_labels
from jaxgan.nn.resampling import upsample
from jaxgan.nn.style_layers import (
    EqualizedConv,
    EqualizedDense,
    SynthesisLayer,
    ToRGB,
    minibatch_stddev,
    normalize_2nd_moment,
    scaled_leaky_relu,
)

_NOISE, _MIXING = 0x401E, 0x3131  # folded into PRNG keys, so that noise and mixing draw independent numbers

_Noise = jax.Array | Sequence[jax.Array] | None
_Architecture = Literal["orig", "resnet"]


class Mapping(nn.Module):
    """Mapping network, from latents [B, z_dim] to styles [B, num_ws, w_dim]: arXiv:1812.04948, section 2.

    The network maps each latent vector to one vector w, and repeats it for all layers. Latents are divided by their
    root mean square. A conditional network also divides the embedding of the label by its root mean square, and
    concatenates the latents and the embedding. In training, the collection ``moving`` stores the moving average of w
    over the examples of all devices (official: ``w_avg``). With gradient accumulation, only the last micro-batch
    updates this average.

    The argument ``truncation_psi`` of a call applies the truncation trick (arXiv:1812.04948, appendix B): w is replaced
    by w_avg + truncation_psi * (w - w_avg). The argument ``truncation_cutoff`` restricts the trick to the first
    ``truncation_cutoff`` layers. Inside ``jax.jit``, ``truncation_psi`` may be a traced value.

    Attributes:
      num_ws: number of styles that the synthesis network requires, ``Synthesis.num_ws``.
      w_dim: number of features of w and of the hidden layers.
      num_layers: number of linear layers (official: 8 for ``--cfg=stylegan2``, 2 for ``--cfg=auto``).
      classes: number of classes; 0 is an unconditional network. A conditional network is called with labels, [B] or
        [B, classes].
      lr_multiplier: multiplier of the learning rate of the linear layers (official: 0.01).
      w_avg_beta: decay of the moving average of w per update of the generator (official: 0.998 in the repository of
        StyleGAN3, 0.995 in earlier repositories).
    """

    num_ws: int
    w_dim: int = 512
    num_layers: int = 8
    classes: int = 0
    lr_multiplier: float = 0.01
    w_avg_beta: float = 0.998

    @nn.compact
    def __call__(
        self,
        z: jax.Array,
        label: jax.Array | None = None,
        truncation_psi: float | jax.Array = 1.0,
        truncation_cutoff: int | None = None,
        *,
        train: bool,
    ) -> jax.Array:
        if self.num_ws < 1 or self.num_layers < 1:
            raise ValueError(f"`num_ws` and `num_layers` must be at least 1, got {self.num_ws} and {self.num_layers}.")
        if z.ndim != 2:
            raise ValueError(f"Latents must be [B, z_dim], got the shape {z.shape}.")
        x = normalize_2nd_moment(z.astype(jnp.float32))
        if self.classes:
            x = jnp.concatenate([x, _embed_label(label, self.classes, self.w_dim)], -1)
        w = _mapping_layers(x, self.w_dim, self.num_layers, self.lr_multiplier)
        w_avg = self.variable("moving", "w", jnp.zeros, (self.w_dim,))
        if train and self.is_mutable_collection("moving") and not self.is_initializing():
            mean = axis.mean(lax.stop_gradient(w).mean(0))
            w_avg.value = self.w_avg_beta * w_avg.value + (1 - self.w_avg_beta) * mean
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        psi = jnp.where(jnp.arange(self.num_ws) < cutoff, truncation_psi, 1.0)[None, :, None]
        return psi * w[:, None] + (1 - psi) * w_avg.value[None, None]


class Synthesis(nn.Module):
    """Synthesis network, from styles [B, num_ws, w_dim] to unbounded images [B, h, w, img_channels], float32.

    Source: arXiv:1912.04958, figures 2 and 7b. A level consists of all layers with the same resolution. The argument
    ``noise`` of ``synthesis(ws, noise)`` is one of the following:

    - PRNG keys, [B]: the noise of each example is drawn from its own key.
    - A sequence with one noise map for each layer but the last. A map is [B, h, w], or [h, w] if all examples have the
      same noise; see ``constant_noise``.
    - None: the network adds no noise.

    Attributes:
      shape: height and width of the images, ``base_shape`` times 2, 4, 8 or another power of two.
      img_channels: number of channels of the images.
      channel_base: limit for the numbers of channels. A level with a shorter side of n pixels has
        ``min(channel_base//n, channel_max)`` channels (official: 32768, or 16384 for ``--cfg=auto`` below 512 x 512).
      channel_max: maximum number of channels of any level (official: 512).
      base_shape: height and width of the smallest level, the learnt constant.
      dtype: data type of the computation in the ``num_low_precision_res`` levels with the highest resolutions. The
        other levels, the parameters and the images are float32.
      num_low_precision_res: number of levels with the highest resolutions that are computed in ``dtype`` (official:
        ``num_fp16_res``, 4).
      conv_clamp: limit of the absolute value of the output of each convolution (official: 256 with float16); None does
        not clamp.
    """

    shape: tuple[int, int] = (256, 256)
    img_channels: int = 3
    channel_base: int = 32768
    channel_max: int = 512
    base_shape: tuple[int, int] = (4, 4)
    dtype: jnp.dtype = jnp.float32
    num_low_precision_res: int = 4
    conv_clamp: float | None = None

    @property
    def num_ws(self) -> int:
        """Number of styles per image: one for the smallest level, two for each other level and one for the image."""
        return 2 * _num_levels(self.shape, self.base_shape) + 2

    @nn.nowrap
    def constant_noise(self, key: jax.Array) -> tuple[jax.Array, ...]:
        """Return noise maps that can be used for all images: Gaussian noise [h, w] for each layer but the last.

        Args:
          key: a typed random key.
        """
        keys = jax.random.split(key, self.num_ws - 1)
        return tuple(jax.random.normal(key, shape) for key, shape in zip(keys, self._noise_shapes()))

    @nn.nowrap
    def style_weights(self, params: Any) -> tuple[jax.Array, ...]:
        """Return one matrix [w_dim, channels] per style, which maps the style to the modulation of its layer.

        The last matrix belongs to the ``ToRGB`` layer of the highest resolution. The matrices of the other ``ToRGB``
        layers are omitted, because they share their styles with convolutions.

        Args:
          params: parameters of the synthesis network.
        """
        names = [f"conv_{i // 2}_{i % 2}" for i in range(1, self.num_ws)] + [f"image_{self.num_ws // 2 - 1}"]
        kernels = [params[name]["style"]["kernel"] for name in names]
        return tuple(kernel / math.sqrt(len(kernel)) for kernel in kernels)

    @nn.nowrap
    def _noise_shapes(self) -> list[tuple[int, int]]:
        h, w = self.base_shape
        return [(h << i // 2, w << i // 2) for i in range(1, self.num_ws)]

    @nn.compact
    def __call__(self, ws: jax.Array, noise: _Noise = None) -> jax.Array:
        levels = _num_levels(self.shape, self.base_shape)
        channels = _channels_per_level(levels, self)
        if ws.ndim != 3 or ws.shape[1] != self.num_ws:
            raise ValueError(
                f"Styles must be [B, {self.num_ws}, w_dim] for images of {self.shape}, got the shape {ws.shape}."
            )
        ws = ws.astype(jnp.float32)
        maps = _noise_maps(noise, self._noise_shapes(), ws.shape[0])
        constant = self.param("constant", nn.initializers.normal(1.0), (*self.base_shape, channels[0]))
        x = jnp.broadcast_to(constant[None], (ws.shape[0], *constant.shape))
        image = None
        for i, features in enumerate(channels):
            kwargs = {"dtype": _level_dtype(self, i, levels), "conv_clamp": self.conv_clamp}
            if i > 0:
                layer = SynthesisLayer(features, upsample=True, name=f"conv_{i}_0", **kwargs)
                x = layer(x, ws[:, 2 * i - 1], maps[2 * i - 1])
            x = SynthesisLayer(features, name=f"conv_{i}_1", **kwargs)(x, ws[:, 2 * i], maps[2 * i])
            # The ``ToRGB`` layer of a level and the first convolution of the next level use the same style.
            y = ToRGB(self.img_channels, name=f"image_{i}", **kwargs)(x, ws[:, 2 * i + 1])
            image = y if image is None else upsample(image) + y
        assert image is not None
        return image


class Discriminator(nn.Module):
    """Discriminator, from images [B, h, w, C] to logits [B], float32: arXiv:1912.04958, figure 7c.

    With ``features=True``, a call does not return logits. It returns the feature maps of each level:
    [B, h, w, C], [B, h/2, w/2, C] and so on. The feature maps of an image do not depend on labels or on other images.

    The input of the last convolution has an additional channel, the minibatch standard deviation (arXiv:1710.10196,
    section 3). The standard deviation is computed over groups of examples. A group can contain examples of several
    devices, so the result does not depend on the number of devices. In the official code, a group contains examples of
    one device.

    Attributes:
      classes: number of classes; 0 is an unconditional network. A conditional network is called with labels, and its
        logit is the inner product of the image's features and the label's features (arXiv:1802.05637).
      channel_base: limit for the numbers of channels of the levels, as in ``Synthesis``.
      channel_max: maximum number of channels of any level, as in ``Synthesis``.
      base_shape: height and width of the smallest level.
      mbstd_group_size: number of examples per group of the minibatch standard deviation (official: 4 by default, 32 for
        ``--cfg=cifar``). If there are fewer examples, they form one group. 0 omits the additional channel.
      mapping_layers: number of linear layers that map a label's embedding.
      architecture: "resnet" has residual connections; "orig" has none (official: "resnet", or "orig" for
        ``--cfg=cifar``).
      dtype: data type of the computation, as in ``Synthesis``. The layers after the smallest level are always float32.
      num_low_precision_res: number of levels with the highest resolutions that are computed in ``dtype``, as in
        ``Synthesis``.
      conv_clamp: limit of the absolute value of the output of each convolution, as in ``Synthesis``.
    """

    classes: int = 0
    channel_base: int = 32768
    channel_max: int = 512
    base_shape: tuple[int, int] = (4, 4)
    mbstd_group_size: int = 4
    mapping_layers: int = 8
    architecture: _Architecture = "resnet"
    dtype: jnp.dtype = jnp.float32
    num_low_precision_res: int = 4
    conv_clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, features: bool = False) -> Any:
        if x.ndim != 4:
            raise ValueError(f"Images must be [B, h, w, C], got the shape {x.shape}.")
        if self.architecture not in get_args(_Architecture):
            raise ValueError(f"`architecture` must be 'orig' or 'resnet', got {self.architecture!r}.")
        levels, per_level = _num_levels(x.shape[1:3], self.base_shape), []
        channels = _channels_per_level(levels, self)
        is_resnet = self.architecture == "resnet"
        gain = math.sqrt(0.5) if is_resnet else 1.0
        for i in range(levels, 0, -1):
            kwargs = {"dtype": _level_dtype(self, i, levels), "conv_clamp": self.conv_clamp}
            if i == levels:
                x = EqualizedConv(channels[i], 1, name="image", **kwargs)(x)
            y = EqualizedConv(channels[i], name=f"conv_{i}_0", **kwargs)(x)
            per_level.append(y)
            kwargs |= {"downsample": True, "gain": gain}
            y = EqualizedConv(channels[i - 1], name=f"conv_{i}_1", **kwargs)(y)
            if is_resnet:
                y = y + EqualizedConv(channels[i - 1], 1, activation="linear", name=f"skip_{i}", **kwargs)(x)
            x = y
        if features:
            return *per_level, x
        return self._logits(x.astype(jnp.float32), label)

    @nn.nowrap
    def _logits(self, x: jax.Array, label: jax.Array | None) -> jax.Array:
        """Apply the layers after the smallest level, and return the logits, [B]."""
        channels = x.shape[-1]
        if self.mbstd_group_size:
            stddev = minibatch_stddev(x, self.mbstd_group_size)
            x = jnp.concatenate([x, jnp.broadcast_to(stddev, (*x.shape[:-1], 1))], -1)
        x = EqualizedConv(channels, conv_clamp=self.conv_clamp, name="conv")(x)
        x = scaled_leaky_relu(EqualizedDense(channels, name="linear")(x.reshape(x.shape[0], -1)))
        x = EqualizedDense(channels if self.classes else 1, name="logit")(x)
        if not self.classes:
            return x.reshape(-1)
        projection = _LabelMapping(self.classes, channels, self.mapping_layers, name="label")(label)
        return (x * projection).sum(-1) / math.sqrt(channels)


def mix_styles(ws: jax.Array, others: jax.Array, keys: jax.Array, probability: float = 0.9) -> jax.Array:
    """Apply style mixing regularisation: arXiv:1812.04948, section 3.1.

    From a random layer on, the styles of an example are replaced by the styles of another latent.

    Args:
      ws: styles, [B, num_ws, w_dim].
      others: styles of independent latents, of the same shape.
      keys: PRNG keys, [B]. The key of each example determines whether its styles are mixed, and the index of the first
        layer with another style, between 1 and num_ws - 1.
      probability: probability of mixing (official: ``style_mixing_prob``, 0.9).

    Returns:
      Mixed styles, [B, num_ws, w_dim].

    Raises:
      ValueError: if the shapes of ``ws`` and ``others`` differ.
    """
    if ws.shape != others.shape:
        raise ValueError(f"`ws` and `others` must have the same shape, got {ws.shape} and {others.shape}.")
    num_ws = ws.shape[1]

    def draw_cutoff(key):
        whether, where = jax.random.split(jax.random.fold_in(key, _MIXING))
        return jnp.where(jax.random.bernoulli(whether, probability), jax.random.randint(where, (), 1, num_ws), num_ws)

    own = jnp.arange(num_ws)[None] < jax.vmap(draw_cutoff)(keys)[:, None]
    return jnp.where(own[..., None], ws, others)


class _LabelMapping(nn.Module):
    """Mapping network without latents, from labels to vectors [B, w_dim]."""

    classes: int
    w_dim: int
    num_layers: int

    @nn.compact
    def __call__(self, label: jax.Array | None) -> jax.Array:
        return _mapping_layers(_embed_label(label, self.classes, self.w_dim), self.w_dim, self.num_layers, 0.01)


def _embed_label(label, classes, features):
    one_hot = one_hot_labels(label, classes).astype(jnp.float32)
    return normalize_2nd_moment(EqualizedDense(features, name="embedding")(one_hot))


def _mapping_layers(x, features, num_layers, lr_multiplier):
    for i in range(num_layers):
        x = scaled_leaky_relu(EqualizedDense(features, lr_multiplier, name=f"linear_{i}")(x))
    return x


def _num_levels(shape, base_shape):
    """Return the number of times that the smallest level must be doubled to get the size of the images."""
    height, width = (num_upsamples(size, base) for size, base in zip(shape, base_shape))
    if height != width:
        raise ValueError(
            f"The height and width of the images must be `base_shape` times the same power of two, got images "
            f"of {tuple(shape)} and a `base_shape` of {base_shape}. The factors are {2**height} and {2**width}. Pass "
            "another `base_shape`."
        )
    return height


def _channels_per_level(levels, network):
    """Return the number of channels of each level, from the lowest to the highest resolution."""
    sides = [min(network.base_shape) << i for i in range(levels + 1)]
    if network.channel_base < sides[-1] or network.channel_max < 1:
        raise ValueError(
            f"`channel_base` must be at least {sides[-1]} and `channel_max` at least 1, got {network.channel_base} and "
            f"{network.channel_max}."
        )
    return [min(network.channel_base // side, network.channel_max) for side in sides]


def _level_dtype(network, level, levels):
    return network.dtype if level > max(levels - network.num_low_precision_res, 0) else jnp.float32


def _noise_maps(noise, shapes, examples):
    """Return the noise of each layer, [1 or B, h, w, 1] or None, from the argument ``noise`` of ``Synthesis``."""
    if noise is None:
        return [None] * len(shapes)
    if isinstance(noise, jax.Array):
        noise = _draw_noise(noise, shapes, examples)
    found = [x.shape[-2:] for x in noise]
    if found != shapes or any(x.shape[:-2] not in ((), (examples,)) for x in noise):
        raise ValueError(
            f"Noise maps must have the shapes {shapes}, optionally with a first axis of {examples} examples, got the "
            f"shapes {[x.shape for x in noise]}."
        )
    return [jnp.asarray(x).reshape(-1, *shape, 1) for x, shape in zip(noise, shapes)]


def _draw_noise(keys, shapes, examples):
    """Draw noise maps [B, h, w]. The noise of each example is drawn from its own key."""
    if not jnp.issubdtype(keys.dtype, jax.dtypes.prng_key) or keys.shape != (examples,):
        raise ValueError(
            f"`noise` must be an array of {examples} PRNG keys, one per example, or a sequence of noise maps, got "
            f"{keys.dtype}{list(keys.shape)}."
        )
    keys = jax.vmap(jax.random.fold_in, (0, None))(keys, _NOISE)

    def draw(i, shape):
        return jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, i), shape))(keys)

    return [draw(i, shape) for i, shape in enumerate(shapes)]
