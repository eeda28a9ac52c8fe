"""StyleGAN2: Karras et al. 2020 (1912.04958), with the labels of Karras et al. 2020 (2006.06676).

As in the authors' code, https://github.com/NVlabs/stylegan2-ada-pytorch, whose weights ``interop.stylegan2`` reads and
writes. The generator is two networks, which one player owns::

    synthesis = Synthesis((256, 256))
    mapping = Mapping(synthesis.num_ws)
    nets = {"mapping": Net(mapping, z), "synthesis": Net(synthesis, ws), "d": Net(Discriminator(), images)}
    Player(("mapping", "synthesis"), generator_loss, adam)
    fake = nets.synthesis(nets.mapping(z), keys)

The styles between the two, [B, num_ws, w_dim], are a value: mixing, interpolation, projection and the path-length
penalty are functions of it, and not options of a network. Each network is called by its name, in a game as outside of
one, which two halves of one module could not be. Both have moving averages: ``ema={"mapping": ..., "synthesis": ...}``.
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

_NOISE, _MIXING = 0x401E, 0x3131  # folded into the keys

_Noise = jax.Array | Sequence[jax.Array] | None
_Architecture = Literal["orig", "resnet"]


class Mapping(nn.Module):
    """Latents [B, z_dim] to styles [B, num_ws, w_dim], the same for all layers: 1812.04948, section 2.

    Latents are divided by their root mean square, as is the label's embedding, which is concatenated to them. In
    training the moving average of w over all devices' examples is updated in the collection ``moving``; with gradient
    accumulation the last micro-batch's is kept.

    Called with ``truncation_psi``, w is moved towards that average, to ``truncation_psi`` times its distance from it
    (1812.04948, appendix B), for the first ``truncation_cutoff`` layers or for all. ``truncation_psi`` may be traced.

    Attributes:
      num_ws: styles that the synthesis network takes: ``Synthesis.num_ws``.
      w_dim: features of w, and of the layers before it.
      num_layers: linear layers: 8 in the paper, 2 in the authors' later settings.
      classes: if not 0, it is called with labels, [B] or [B, classes].
      lr_multiplier: of the learning rate.
      w_avg_beta: the decay of the moving average per turn: 0.998 in the authors' newest code, 0.995 before.
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
            raise ValueError(f"latents must be [B, z_dim], got {z.shape}.")
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
    """Styles [B, num_ws, w_dim] to images [B, h, w, img_channels], unbounded, float32: 1912.04958, figures 2 and 7b.

    In ``synthesis(ws, noise)``, noise is keys, [B], from each of which the noise of its example is drawn; or maps, one
    for each layer but the last, [h, w] for all examples or [B, h, w], see ``constant_noise``; or None.

    Attributes:
      shape: height and width of the images: ``base_shape`` doubled once or more.
      img_channels: of the images.
      channel_base, channel_max: a level whose shorter side is n has min(channel_base // n, channel_max) channels. The
        authors' later settings have a ``channel_base`` of 16384 below 512 x 512.
      base_shape: of the smallest level, the learnt constant.
      dtype: the precision of computation of the ``num_low_precision_res`` highest levels; the others, and images, are
        float32.
      num_low_precision_res: the number of highest resolutions that are computed in ``dtype``.
      conv_clamp: the output of each convolution is clamped to +-conv_clamp; the authors' is 256 for float16.
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
        """The number of styles: of the layers, two in a level but one in the smallest, and of the last image."""
        return 2 * _num_levels(self.shape, self.base_shape) + 2

    @nn.nowrap
    def constant_noise(self, key: jax.Array) -> tuple[jax.Array, ...]:
        """Noise maps for all images: normal, [h, w] for each layer but the last."""
        keys = jax.random.split(key, self.num_ws - 1)
        return tuple(jax.random.normal(key, shape) for key, shape in zip(keys, self._noise_shapes()))

    @nn.nowrap
    def style_weights(self, params: Any) -> tuple[jax.Array, ...]:
        """For each style the matrix, [w_dim, channels], that maps it to the modulation of its layer's channels.

        The last one is that of the highest level's image; the matrices of the other levels' images are left out.
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
            raise ValueError(f"styles must be [B, {self.num_ws}, w_dim] for images of {self.shape}, got {ws.shape}.")
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
            # The image of a level and the first layer of the next level share a style.
            y = ToRGB(self.img_channels, name=f"image_{i}", **kwargs)(x, ws[:, 2 * i + 1])
            image = y if image is None else upsample(image) + y
        assert image is not None
        return image


class Discriminator(nn.Module):
    """Images [B, h, w, C] to logits [B], float32: 1912.04958, figure 7c.

    Called with ``features=True`` it returns the features of each level instead, [B, h, w, C], [B, h / 2, w / 2, C] and
    so on. They depend on the image alone, and not on labels or other images.

    The last feature map is ``minibatch_stddev``: 1710.10196, section 3. Its groups are of the examples of all devices
    together, so that the number of devices makes no difference; the authors' groups are of one device's examples.

    Attributes:
      classes: if not 0, it is called with labels: the logit is the product of features with the label's (1802.05637).
      channel_base, channel_max, base_shape: as the generator's.
      mbstd_group_size: examples of a group, or all if there are fewer; 0 leaves the feature out. The authors' is 32 for
        CIFAR-10.
      mapping_layers: linear layers that map a label's embedding.
      architecture: "resnet" has skip connections; "orig" has none, as the authors' for CIFAR-10.
      dtype, num_low_precision_res, conv_clamp: as the generator's; layers after the smallest level are float32.
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
            raise ValueError(f"images must be [B, h, w, C], got {x.shape}.")
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
        """The layers after the smallest level."""
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
    """Style mixing: the styles of the last layers, from a random one on, are another's. 1812.04948, section 3.1.

    Args:
      ws, others: [B, num_ws, w_dim], of independent latents.
      keys: [B]; the key of each example decides whether it is mixed, and from which layer on, 1 to num_ws - 1.
      probability: of mixing.

    Raises:
      ValueError: the shapes differ.
    """
    if ws.shape != others.shape:
        raise ValueError(f"`ws` and `others` must have the same shape, got {ws.shape} and {others.shape}.")
    num_ws = ws.shape[1]

    def first_of_other(key):
        whether, where = jax.random.split(jax.random.fold_in(key, _MIXING))
        return jnp.where(jax.random.bernoulli(whether, probability), jax.random.randint(where, (), 1, num_ws), num_ws)

    own = jnp.arange(num_ws)[None] < jax.vmap(first_of_other)(keys)[:, None]
    return jnp.where(own[..., None], ws, others)


class _LabelMapping(nn.Module):
    """Labels to vectors, [B, w_dim], by a mapping network without latents."""

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
    """How many times the smallest level is doubled to the images."""
    height, width = (num_upsamples(size, base) for size, base in zip(shape, base_shape))
    if height != width:
        raise ValueError(
            f"the sides of images must be those of `base_shape` doubled equally often; {tuple(shape)} are {base_shape} "
            f"doubled {height} and {width} times. Give another `base_shape`."
        )
    return height


def _channels_per_level(levels, network):
    """The channels of each level, the smallest first."""
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
    """The noise of each layer, [1 or B, h, w, 1] or None, from the argument ``noise`` of ``Synthesis``."""
    if noise is None:
        return [None] * len(shapes)
    if isinstance(noise, jax.Array):
        noise = _draw_noise(noise, shapes, examples)
    found = [x.shape[-2:] for x in noise]
    if found != shapes or any(x.shape[:-2] not in ((), (examples,)) for x in noise):
        raise ValueError(
            f"noise maps must have the shapes {shapes}, or those with {examples} examples first, got "
            f"{[x.shape for x in noise]}."
        )
    return [jnp.asarray(x).reshape(-1, *shape, 1) for x, shape in zip(noise, shapes)]


def _draw_noise(keys, shapes, examples):
    """Noise maps for each example, [B, h, w], from its own key."""
    if not jnp.issubdtype(keys.dtype, jax.dtypes.prng_key) or keys.shape != (examples,):
        raise ValueError(
            f"noise must be a key for each of {examples} examples, or a sequence of maps, got "
            f"{keys.dtype}{list(keys.shape)}."
        )
    keys = jax.vmap(jax.random.fold_in, (0, None))(keys, _NOISE)

    def draw(i, shape):
        return jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, i), shape))(keys)

    return [draw(i, shape) for i, shape in enumerate(shapes)]
