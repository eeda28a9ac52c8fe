"""GAN inversion: find the styles that reproduce a target image best.

The method is the projection of Karras et al. 2020 (arXiv:1912.04958), appendix D.

With ``styles`` of an experiment, targets [B, h, w, C] in [-1, 1] and keys [B]::

    projection = project(
        lambda ws, noise: styles.images(nets, ws, noise),
        lambda images: losses.multiscale_l1(images, targets),
        w_avg, styles.noise(), keys, num_ws=styles.num_ws, w_std=estimate_w_std(w, w_avg),
    )
    styles.images(nets, projection.ws, projection.noise)
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax
from jax import lax

Space = Literal["w", "w+"]
SPACES = get_args(Space)
LEARNING_RATE = 0.1  # highest learning rate of Adam
LR_RAMPUP, LR_RAMPDOWN = 0.05, 0.25  # fractions of the steps over which the learning rate rises and falls
INITIAL_NOISE = 0.05  # standard deviation of the noise added to w at the first step, divided by ``w_std``
NOISE_RAMP = 0.75  # fraction of the steps with noise added to w
NOISE_WEIGHT = 1e5  # weight of the autocorrelation of the noise maps in the loss
MIN_MAP_SIDE = 8  # side in pixels of the smallest scale at which the autocorrelation is measured


class Projection(NamedTuple):
    """The projections of B targets.

    Attributes:
      ws: styles, [B, num_ws, w]. With the space "w", all layers have the same style.
      noise: the noise maps of all layers, each [B, h, w].
      loss_history: the loss at each step, [B, steps]. The noise that a step adds to the styles affects this loss.
    """

    ws: jax.Array
    noise: tuple[jax.Array, ...]
    loss_history: jax.Array


def project(
    synthesize: Callable[[jax.Array, tuple[jax.Array, ...]], jax.Array],
    loss: Callable[[jax.Array], jax.Array],
    w_avg: jax.Array,
    noise: Sequence[jax.Array],
    keys: jax.Array,
    *,
    num_ws: int,
    w_std: jax.Array | float,
    space: Space = "w",
    steps: int = 1000,
    learning_rate: float = LEARNING_RATE,
    noise_weight: float = NOISE_WEIGHT,
) -> Projection:
    """Find the styles and the noise maps that generate images with a minimal loss, by gradient descent with Adam.

    The targets are projected independently of each other. The learning rate rises over the first steps and falls over
    the last steps. Two kinds of noise are involved:

    - Noise is added to the styles before an image is generated, so that the first steps explore a region of w. This
      noise decreases to 0 before the last steps.
    - The noise maps are inputs of the generator and are optimised too. They start as the constant maps of the generator
      and are normalised to mean 0 and variance 1 after each step. A penalty on their ``autocorrelation`` prevents them
      from encoding the image.

    Args:
      synthesize: function ``(ws, noise) -> images`` that maps styles, [B, num_ws, w], and a tuple of noise maps, each
        [B, h, w], to images, [B, height, width, C].
      loss: function that maps images, [B, height, width, C], to their distances from the targets, [B].
      w_avg: the average w, [w]. The search starts there.
      noise: the constant noise maps of the generator, each [h, w].
      keys: PRNG keys, [B], one per target.
      num_ws: number of styles of an image.
      w_std: the root mean square distance between the styles of random latents and ``w_avg``, see ``estimate_w_std``.
      space: "w" uses the same style in all layers, and "w+" uses a separate style in each layer.
      steps: number of optimizer steps. The authors use 1000.
      learning_rate: highest learning rate of Adam.
      noise_weight: weight of the autocorrelation of the noise maps. ``loss_history`` does not include this term.

    Raises:
      ValueError: if ``space`` is unknown, ``steps`` is below 1, or an array has the wrong shape.
    """
    _check_arguments(space, steps, w_avg, keys)
    count = len(keys)
    w = jnp.broadcast_to(w_avg, (count, 1 if space == "w" else num_ws, len(w_avg)))
    maps = tuple(_normalize(jnp.broadcast_to(x, (count, *x.shape))) for x in noise)
    adam = optax.adam(lambda step: learning_rate * _lr_factor(jnp.asarray(step) / steps))

    def repeat(w):
        return jnp.broadcast_to(w, (count, num_ws, w.shape[-1]))

    def objective(variables, w_noise):
        w, maps = variables
        distances = loss(synthesize(repeat(w + w_noise), maps))
        if distances.shape != (count,):
            raise ValueError(
                f"`loss` must return one value per target, an array of shape ({count},), got {distances.shape}."
            )
        return (distances + noise_weight * autocorrelation(maps)).sum(), distances

    def update(state, step):
        variables, adam_state = state
        w_noise = INITIAL_NOISE * w_std * _noise_ramp(step / steps) * _draw_noise(keys, step, w.shape[1:])
        (_, distances), gradients = jax.value_and_grad(objective, has_aux=True)(variables, w_noise)
        updates, adam_state = adam.update(gradients, adam_state)
        moved: Any = optax.apply_updates(variables, updates)
        return ((moved[0], tuple(map(_normalize, moved[1]))), adam_state), distances

    initial = (w, maps)
    ((w, maps), _), history = lax.scan(update, (initial, adam.init(initial)), jnp.arange(steps))
    return Projection(repeat(w), maps, history.T)


def _check_arguments(space: str, steps: int, w_avg: jax.Array, keys: jax.Array) -> None:
    if space not in SPACES:
        raise ValueError(f"`space` must be {' or '.join(map(repr, SPACES))}, got {space!r}.")
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1, got {steps}.")
    if w_avg.ndim != 1 or keys.ndim != 1:
        raise ValueError(
            f"`w_avg` must have the shape [w] and `keys` the shape [B], got {w_avg.shape} and {keys.shape}."
        )


def estimate_w_std(w: jax.Array, w_avg: jax.Array) -> jax.Array:
    """Return the root mean square distance between the styles of random latents, [N, w], and their average, [w].

    Args:
      w: the styles of random latents, [N, w].
      w_avg: the average of the styles, [w].
    """
    return jnp.sqrt(jnp.square(w - w_avg[None]).sum(-1).mean())


def autocorrelation(maps: Sequence[jax.Array]) -> jax.Array:
    """Return the autocorrelation of the noise maps of each example, [B]; it is about 0 for white noise.

    The result is a sum over all maps and over several scales of each map. A scale has half of the height and width of
    the scale before it, down to 8 x 8. At each scale, the map is multiplied by a copy of itself that is shifted
    cyclically by one pixel down, and by another copy that is shifted by one pixel to the right. The squared mean of
    each product is added to the result. For white noise, the expected value of a squared mean is 1 / (h w). To
    downsample a map, the sums of 2 x 2 pixels are multiplied by 1/2, which preserves the variance of white noise.

    Args:
      maps: the noise maps, each [B, h, w].
    """
    total = jnp.zeros(len(maps[0]))
    for x in maps:
        while True:
            total += sum(jnp.square((x * jnp.roll(x, 1, axis)).mean((1, 2))) for axis in (1, 2))
            _, h, w = x.shape
            if min(h, w) <= MIN_MAP_SIDE or h % 2 or w % 2:
                break
            x = x.reshape(-1, h // 2, 2, w // 2, 2).sum((2, 4)) / 2
    return total


def _normalize(x: jax.Array) -> jax.Array:
    """Return maps, [B, h, w], normalised to mean 0 and variance 1."""
    x = x - x.mean((1, 2), keepdims=True)
    return x * lax.rsqrt(jnp.square(x).mean((1, 2), keepdims=True) + 1e-8)


def _draw_noise(keys: jax.Array, step: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Return normal noise for a step, [B, *shape], drawn from one key per target."""

    def draw(key):
        return jax.random.normal(jax.random.fold_in(key, step), shape)

    return jax.vmap(draw)(keys)


def _noise_ramp(t: jax.Array) -> jax.Array:
    """Return the standard deviation of the noise that is added to w, divided by its value at the first step.

    ``t`` is the number of finished steps, divided by the number of all steps.
    """
    return jnp.maximum(0.0, 1 - t / NOISE_RAMP) ** 2


def _lr_factor(t: jax.Array) -> jax.Array:
    """Return the learning rate, divided by its maximum. It rises linearly and falls along a cosine.

    ``t`` is the number of finished steps, divided by the number of all steps.
    """
    rampdown = 0.5 - 0.5 * jnp.cos(math.pi * jnp.minimum(1.0, (1 - t) / LR_RAMPDOWN))
    return rampdown * jnp.minimum(1.0, t / LR_RAMPUP)
