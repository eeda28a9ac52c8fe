"""StyleGAN2: Karras et al. 2020 (1912.04958), with the labels of Karras et al. 2020 (2006.06676).

As in the authors' code, https://github.com/NVlabs/stylegan2-ada-pytorch, whose weights ``interop.stylegan2`` reads and
writes. The generator is two networks, which one player owns::

    synthesis = Synthesis((256, 256))
    mapping = Mapping(synthesis.layers)
    nets = {"mapping": Net(mapping, z), "synthesis": Net(synthesis, ws), "d": Net(Discriminator(), images)}
    Player(("mapping", "synthesis"), generator_loss, adam)
    fake = nets.synthesis(nets.mapping(z), keys)

Between them are the styles, [B, layers, w], as a value: mixing, interpolation, projection and the path-length penalty
are functions of it, and no options of a network; and each of the two is called by its name, in a game as outside of
one, which the halves of one module could not be. Both have their moving averages: ``ema={"mapping": ..., "synthesis":
...}``.
"""

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis
from jaxgan.nn import convolution, sums
from jaxgan.nn.layers import biased, class_weights, doublings
from jaxgan.nn.resampling import enlarged, reduced

_NOISE, _MIXING = 0x401E, 0x3131  # of the keys that are folded in

Noise = jax.Array | Sequence[jax.Array] | None


class Mapping(nn.Module):
    """Latents [B, z] to styles [B, layers, features], one for all layers: 1812.04948, section 2.

    Latents are divided by their root mean square, as is the label's embedding, which is put beside them. The average of
    w over all devices' examples moves in the collection ``moving``, in training; of micro-batches the last one's stays.

    Called with ``psi``, w is drawn towards that average, to ``psi`` of its distance (1812.04948, appendix B): of the
    first ``cutoff`` layers, or of all. It may be a traced number.

    Attributes:
      layers: of the synthesis network: ``Synthesis.layers``.
      features: of w, and of the layers before it.
      depth: linear layers: 8 in the paper, 2 in the authors' later settings.
      classes: with any, it is called with labels, [B] or [B, classes].
      multiplier: of the learning rate.
      decay: of the average, a turn: 0.998 in the authors' newest code, 0.995 before.
    """

    layers: int
    features: int = 512
    depth: int = 8
    classes: int = 0
    multiplier: float = 0.01
    decay: float = 0.998

    @nn.compact
    def __call__(
        self,
        z: jax.Array,
        label: jax.Array | None = None,
        psi: float | jax.Array = 1.0,
        cutoff: int | None = None,
        *,
        train: bool,
    ) -> jax.Array:
        if self.layers < 1 or self.depth < 1 or z.ndim != 2:
            raise ValueError(
                f"layers {self.layers}, depth {self.depth}: want 1 or more; latents {z.shape}: want [B, z]"
            )
        parts = [_normalized(z.astype(jnp.float32))]
        parts += [_embedded(label, self.classes, self.features)] if self.classes else []
        w = _mapped(jnp.concatenate(parts, -1), self.features, self.depth, self.multiplier)
        average = self.variable("moving", "w", jnp.zeros, (self.features,))
        if train and self.is_mutable_collection("moving") and not self.is_initializing():
            mean = axis.mean(lax.stop_gradient(w).mean(0))
            average.value = self.decay * average.value + (1 - self.decay) * mean
        kept = jnp.where(jnp.arange(self.layers) < (self.layers if cutoff is None else cutoff), psi, 1.0)[None, :, None]
        return kept * w[:, None] + (1 - kept) * average.value[None, None]


class Synthesis(nn.Module):
    """Styles [B, layers, w] to images [B, h, w, channels], unbounded, float32: 1912.04958, figures 2 and 7b.

    ``synthesis(ws, noise)`` has for noise keys, [B], from each of which its example's is drawn; or maps, one for each
    layer but the last, [h, w] for all examples or [B, h, w], see ``constant_noise``; or none.

    Attributes:
      shape: height and width: ``base_shape`` doubled once or more.
      channels: of the images.
      base, most: a level of which the smaller side is n has min(base // n, most) features. The authors' later settings
        have 16384 below 512 x 512.
      base_shape: of the smallest level, the learnt constant.
      dtype: the precision of computation of the ``low`` largest levels; the smallest, and images, are float32.
      low: how many levels ``dtype`` is for.
      clamp: with one, each convolution's output is within +-clamp; the authors have 256 where a level is of float16.
    """

    shape: tuple[int, int] = (256, 256)
    channels: int = 3
    base: int = 32768
    most: int = 512
    base_shape: tuple[int, int] = (4, 4)
    dtype: jnp.dtype = jnp.float32
    low: int = 4
    clamp: float | None = None

    @property
    def layers(self) -> int:
        """How many styles there are: of two layers a level, but one in the smallest, and of the last image."""
        return 2 * _levels(self.shape, self.base_shape) + 2

    @nn.nowrap
    def constant_noise(self, key: jax.Array) -> tuple[jax.Array, ...]:
        """Maps to be called with, the same for all images: normal, [h, w] for each layer but the last."""
        keys = jax.random.split(key, self.layers - 1)
        return tuple(jax.random.normal(key, shape) for key, shape in zip(keys, self._noise_shapes()))

    @nn.nowrap
    def style_weights(self, params: Any) -> tuple[jax.Array, ...]:
        """The matrices, [w, channels], that make of each layer's style what its convolution is modulated by.

        Of the last layer it is the image's; the other levels' images have a matrix too, which is not among them.
        """
        names = [f"conv_{i // 2}_{i % 2}" for i in range(1, self.layers)] + [f"image_{self.layers // 2 - 1}"]
        kernels = [params[name]["style"]["kernel"] for name in names]
        return tuple(kernel / math.sqrt(len(kernel)) for kernel in kernels)

    @nn.nowrap
    def _noise_shapes(self) -> list[tuple[int, int]]:
        h, w = self.base_shape
        return [(h << i // 2, w << i // 2) for i in range(1, self.layers)]

    @nn.compact
    def __call__(self, ws: jax.Array, noise: Noise = None) -> jax.Array:
        levels = _levels(self.shape, self.base_shape)
        widths = _widths(levels, self)
        if ws.ndim != 3 or ws.shape[1] != self.layers:
            raise ValueError(f"styles of shape {ws.shape}: images of {self.shape} are of [B, {self.layers}, w]")
        ws = ws.astype(jnp.float32)
        maps = _maps(noise, self._noise_shapes(), ws.shape[0])
        constant = self.param("constant", nn.initializers.normal(1.0), (*self.base_shape, widths[0]))
        x = jnp.broadcast_to(constant[None], (ws.shape[0], *constant.shape))
        image = None
        for i, features in enumerate(widths):
            how = {"dtype": _precision(self, i, levels), "clamp": self.clamp}
            if i > 0:
                x = StyledConv(features, doubled=True, name=f"conv_{i}_0", **how)(x, ws[:, 2 * i - 1], maps[2 * i - 1])
            x = StyledConv(features, name=f"conv_{i}_1", **how)(x, ws[:, 2 * i], maps[2 * i])
            # The image and the next level's first layer have one style.
            y = StyledImage(self.channels, name=f"image_{i}", **how)(x, ws[:, 2 * i + 1])
            image = y if image is None else enlarged(image) + y
        assert image is not None
        return image


class Discriminator(nn.Module):
    """Images [B, h, w, C] to logits [B], float32: residual, 1912.04958, figure 7c.

    Called with ``features=True`` it gives each level's features instead, [B, h, w, C], [B, h / 2, w / 2, C] and so on,
    of an image alone: no label's, no other image's.

    The last feature is the deviation of a group's features, mean over all: 1710.10196, section 3. Groups are of the
    whole batch, of all devices together, every (N / group)-th example of N: their number makes no difference, where the
    authors' groups are each device's.

    Attributes:
      classes: with any, it is called with labels: the logit is the product of features with theirs (1802.05637).
      base, most, base_shape: as the generator's; the image's sides are ``base_shape`` doubled once or more.
      group: examples of a group, or all if there are fewer; 0 leaves the feature out. The authors have 32 for CIFAR-10.
      depth: layers that map a label's embedding.
      residual: False is without the connections beside the layers, as the authors have for CIFAR-10.
      dtype, low, clamp: as the generator's; what follows the smallest level is float32.
    """

    classes: int = 0
    base: int = 32768
    most: int = 512
    base_shape: tuple[int, int] = (4, 4)
    group: int = 4
    depth: int = 8
    residual: bool = True
    dtype: jnp.dtype = jnp.float32
    low: int = 4
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, features: bool = False) -> Any:
        if x.ndim != 4:
            raise ValueError(f"images of shape {x.shape}: want [B, h, w, C]")
        levels, seen = _levels(x.shape[1:3], self.base_shape), []
        widths = _widths(levels, self)
        gain = math.sqrt(0.5) if self.residual else 1.0
        for i in range(levels, 0, -1):
            how = {"dtype": _precision(self, i, levels), "clamp": self.clamp}
            if i == levels:
                x = Conv(widths[i], 1, name="image", **how)(x)
            y = Conv(widths[i], name=f"conv_{i}_0", **how)(x)
            seen.append(y)
            y = Conv(widths[i - 1], halved=True, gain=gain, name=f"conv_{i}_1", **how)(y)
            if self.residual:
                y = y + Conv(widths[i - 1], 1, halved=True, linear=True, gain=gain, name=f"skip_{i}", **how)(x)
            x = y
        if features:
            return *seen, x
        x = x.astype(jnp.float32)
        if self.group:
            x = jnp.concatenate([x, jnp.broadcast_to(deviations(x, self.group), (*x.shape[:-1], 1))], -1)
        x = Conv(widths[0], clamp=self.clamp, name="conv")(x)
        x = _activated(Dense(widths[0], name="linear")(x.reshape(x.shape[0], -1)))
        x = Dense(widths[0] if self.classes else 1, name="logit")(x)
        if not self.classes:
            return x.reshape(-1)
        return (x * _Label(self.classes, widths[0], self.depth, name="label")(label)).sum(-1) / math.sqrt(widths[0])


def mixed(ws: jax.Array, others: jax.Array, keys: jax.Array, probability: float = 0.9) -> jax.Array:
    """Styles of which the last layers', from a random one on, are another's: 1812.04948, section 3.1.

    Args:
      ws, others: [B, layers, w], of independent latents.
      keys: [B]; each example's own draws whether it is mixed, and from which layer on, 1 to layers - 1.
      probability: with which it is.

    Raises:
      ValueError: the shapes differ.
    """
    if ws.shape != others.shape:
        raise ValueError(f"mixed: styles {ws.shape} and others {others.shape}; they are paired")
    layers = ws.shape[1]

    def first_of_other(key):
        whether, where = jax.random.split(jax.random.fold_in(key, _MIXING))
        return jnp.where(jax.random.bernoulli(whether, probability), jax.random.randint(where, (), 1, layers), layers)

    own = jnp.arange(layers)[None] < jax.vmap(first_of_other)(keys)[:, None]
    return jnp.where(own[..., None], ws, others)


def deviations(x: jax.Array, group: int) -> jax.Array:
    """For each example, [B, 1, 1, 1], the deviation of its group's features, the mean over all of x, [B, h, w, C].

    Raises:
      ValueError: the examples of all devices are not dealt into groups of that size.
    """
    every = axis.gather(x)
    size = min(group, len(every))
    if len(every) % size:
        raise ValueError(
            f"{len(every)} examples are not dealt into groups of {group}; give a batch that {group} divides, or "
            f"another Discriminator(group=...)"
        )
    parts = every.reshape(size, -1, *x.shape[1:])
    variance = jnp.square(parts - parts.mean(0, keepdims=True)).mean(0)
    found = jnp.tile(jnp.sqrt(variance + 1e-8).mean((1, 2, 3)), size)
    return lax.dynamic_slice_in_dim(found, axis.index() * x.shape[0], x.shape[0]).reshape(-1, 1, 1, 1)


def modulated(
    x: jax.Array, kernel: jax.Array, styles: jax.Array, demodulate: bool = True, doubled: bool = False
) -> jax.Array:
    """A convolution with each example's own kernel, kernel * style, of norm 1 each output: 1912.04958, section 2.2.

    It is one convolution with one kernel, of inputs times styles; the norms, of a product of squares, divide outputs.
    So no kernel is made for each example, and a batch is one matrix product.

    Args:
      x: [B, h, w, C].
      kernel: [*widths, C, D].
      styles: [B, C].
      demodulate: whether the norms are divided by.
      doubled: give [B, 2h, 2w, D], by a transposed convolution, smoothed.
    """
    if x.dtype != jnp.float32 and demodulate:
        # The norms take these factors out again; float16 would overflow without (2006.06676's code).
        kernel = kernel / (math.sqrt(math.prod(kernel.shape[:-1])) * jnp.abs(kernel).max((0, 1, 2), keepdims=True))
        styles = styles / jnp.abs(styles).max(1, keepdims=True)
    w, y = kernel.astype(x.dtype), x * sums.spread(styles.astype(x.dtype), x.shape[1:3])
    if doubled:
        g = convolution.halved((2 * x.shape[1], 2 * x.shape[2]), kernel.shape[:2])
        y = 4 * jnp.asarray(convolution.up(g, y, w.swapaxes(-1, -2)))
    else:
        y = jnp.asarray(convolution.down(convolution.same(x.shape[1:3], kernel.shape[:2], 1), y, w))
    if demodulate:
        norms = lax.rsqrt(jnp.square(styles) @ jnp.square(kernel).sum((0, 1)) + 1e-8)
        y = y * sums.spread(norms.astype(y.dtype), y.shape[1:3])
    return y


class Dense(nn.Module):
    """A linear map whose learning rate is equal for any fan-in: 1710.10196, section 4.1. Float32.

    The kernel begins as N(0, 1) / multiplier; what is used is kernel * multiplier / sqrt(inputs), bias * multiplier.
    """

    features: int
    multiplier: float = 1.0
    bias: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inputs = x.shape[-1]
        w = self.param("kernel", nn.initializers.normal(1 / self.multiplier), (inputs, self.features))
        bias = self.param("bias", nn.initializers.constant(self.bias), (self.features,))
        return x @ (w * (self.multiplier / math.sqrt(inputs))) + (bias * self.multiplier)[None]


class Conv(nn.Module):
    """A convolution of equal learning rate, of smoothed x if ``halved``; bias, activation, clamp unless ``linear``."""

    features: int
    kernel: int = 3
    halved: bool = False
    linear: bool = False
    gain: float = 1.0
    dtype: jnp.dtype = jnp.float32
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        w = self.param("kernel", nn.initializers.normal(1.0), shape) / math.sqrt(math.prod(shape[:-1]))
        x = x.astype(self.dtype)
        if self.halved and self.kernel == 1:
            x = reduced(x)
        is_halved = self.halved and self.kernel > 1
        g = convolution.halved(x.shape[1:3], shape[:2]) if is_halved else convolution.same(x.shape[1:3], shape[:2], 1)
        y = jnp.asarray(convolution.down(g, x, w.astype(self.dtype)))
        return y * self.gain if self.linear else _activated(biased(self, y), self.gain, self.clamp)


class StyledConv(nn.Module):
    """A modulated convolution of 3 x 3, noise, bias and rectifier: [B, h, w, C] with styles [B, w]."""

    features: int
    doubled: bool = False
    dtype: jnp.dtype = jnp.float32
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, noise: jax.Array | None) -> jax.Array:
        channels = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.normal(1.0), (3, 3, channels, self.features))
        strength = self.param("strength", nn.initializers.zeros, ())
        x = modulated(x.astype(self.dtype), kernel, Dense(channels, bias=1.0, name="style")(w), doubled=self.doubled)
        if noise is not None:
            x = x + (noise * strength).astype(x.dtype)
        return _activated(biased(self, x), clamp=self.clamp)


class StyledImage(nn.Module):
    """Features as an image, by a modulated convolution of 1 x 1 and a bias; float32."""

    features: int
    dtype: jnp.dtype = jnp.float32
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.normal(1.0), (1, 1, channels, self.features))
        styles = Dense(channels, bias=1.0, name="style")(w) / math.sqrt(channels)
        x = biased(self, modulated(x.astype(self.dtype), kernel, styles, demodulate=False))
        return _clamped(x, self.clamp).astype(jnp.float32)


class _Label(nn.Module):
    """Labels to vectors, [B, features], by a mapping network without latents."""

    classes: int
    features: int
    depth: int

    @nn.compact
    def __call__(self, label: jax.Array | None) -> jax.Array:
        return _mapped(_embedded(label, self.classes, self.features), self.features, self.depth, 0.01)


def _embedded(label, classes, features):
    return _normalized(Dense(features, name="embedding")(class_weights(label, classes).astype(jnp.float32)))


def _mapped(x, features, depth, multiplier):
    for i in range(depth):
        x = _activated(Dense(features, multiplier, name=f"linear_{i}")(x))
    return x


def _normalized(x):
    return x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-8)


def _activated(x, gain=1.0, clamp=None):
    """A leaky rectifier of slope 0.2 that keeps the variance, and more by ``gain``."""
    return _clamped(nn.leaky_relu(x, 0.2) * (math.sqrt(2) * gain), None if clamp is None else clamp * gain)


def _clamped(x, clamp):
    return x if clamp is None else jnp.clip(x, -clamp, clamp)


def _levels(shape, base_shape):
    """How many times the smallest level doubles to the images."""
    height, width = (doublings(size, base) for size, base in zip(shape, base_shape))
    if height != width:
        raise ValueError(
            f"images of {tuple(shape)}: their sides are {base_shape} doubled {height} and {width} times, not as often; "
            f"give another base_shape"
        )
    return height


def _widths(levels, network):
    """Features of each level, the smallest first."""
    sides = [min(network.base_shape) << i for i in range(levels + 1)]
    if network.base < sides[-1] or network.most < 1:
        raise ValueError(f"base {network.base}, most {network.most}: want {sides[-1]} or more, 1 or more")
    return [min(network.base // side, network.most) for side in sides]


def _precision(network, level, levels):
    return network.dtype if level > max(levels - network.low, 0) else jnp.float32


def _maps(noise, shapes, examples):
    """Noise as what is added to each layer, [1 or B, h, w, 1] or None."""
    if noise is None:
        return [None] * len(shapes)
    if isinstance(noise, jax.Array):
        if not jnp.issubdtype(noise.dtype, jax.dtypes.prng_key) or noise.shape != (examples,):
            raise ValueError(
                f"noise {noise.dtype}{list(noise.shape)}: want a key for each of {examples} examples, or maps"
            )
        draw = lambda key, i, shape: jax.random.normal(jax.random.fold_in(key, i), shape)  # noqa: E731
        keys = jax.vmap(jax.random.fold_in, (0, None))(noise, _NOISE)
        noise = [jax.vmap(lambda key, i=i, shape=shape: draw(key, i, shape))(keys) for i, shape in enumerate(shapes)]
    found = [x.shape[-2:] for x in noise]
    if found != shapes or any(x.shape[:-2] not in ((), (examples,)) for x in noise):
        raise ValueError(f"maps of noise of shapes {[x.shape for x in noise]}: want {shapes}, or {examples} of each")
    return [jnp.asarray(x).reshape(-1, *shape, 1) for x, shape in zip(noise, shapes)]
