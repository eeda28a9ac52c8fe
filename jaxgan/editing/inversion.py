"""GAN inversion: the styles whose image is nearest to a target. Karras et al. 2020 (1912.04958), appendix D.

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
LEARNING_RATE = 0.1  # Adam's, at its highest
LR_RAMPUP, LR_RAMPDOWN = 0.05, 0.25  # fractions of the steps over which the rate rises and falls
INITIAL_NOISE, NOISE_RAMP = 0.05, 0.75  # noise added to w: its first std, in w's; the fraction of steps with noise
NOISE_WEIGHT = 1e5  # of the noise maps' autocorrelation
MIN_MAP_SIDE = 8  # pixels; autocorrelation is measured at all scales down to this


class Projection(NamedTuple):
    """The projection of each target.

    Attributes:
      ws: styles, [B, num_ws, w]; in the space w all layers have the same style.
      noise: maps, [B, h, w] each.
      loss_history: the loss at each step, [B, steps], of styles with the step's noise added.
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
    """Minimise the images' losses over styles and noise maps, by Adam; targets are independent of each other.

    The learning rate is ramped up over the first steps and down over the last. Noise that decreases from step to step
    is added to the styles before the image is judged, so that w explores before it settles. Noise maps start as the
    generator's constant ones and are normalised to mean 0 and variance 1; the penalty on their ``autocorrelation``
    keeps the image from being encoded in them.

    Args:
      synthesize: styles, [B, num_ws, w], and maps, [B, h, w] each, to images, [B, h, w, C].
      loss: images to their distances from the targets, [B].
      w_avg: the average w, [w], at which the search starts.
      noise: maps, [h, w] each.
      keys: [B]; each target's noise is drawn from its own key.
      num_ws: the number of styles of an image.
      w_std: the root mean square distance of w from its average, see ``estimate_w_std``.
      space: ``w``, one style for all layers; ``w+``, one for each layer.
      steps: of Adam; the authors take 1000.
      learning_rate: Adam's, at its highest.
      noise_weight: weight of the maps' autocorrelation. ``loss_history`` does not include it.

    Raises:
      ValueError: there is no such space, or ``steps`` or shapes are not as above.
    """
    if space not in SPACES:
        raise ValueError(f"`space` must be {' or '.join(map(repr, SPACES))}, got {space!r}.")
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1, got {steps}.")
    if w_avg.ndim != 1 or keys.ndim != 1:
        raise ValueError(f"`w_avg` must be [w] and `keys` [B]; got {w_avg.shape} and {keys.shape}.")
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
            raise ValueError(f"`loss` must return one value for each of {count} targets, got {distances.shape}.")
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


def estimate_w_std(w: jax.Array, w_avg: jax.Array) -> jax.Array:
    """The root mean square distance of styles of random latents, [N, w], from their average, [w]."""
    return jnp.sqrt(jnp.square(w - w_avg[None]).sum(-1).mean())


def autocorrelation(maps: Sequence[jax.Array]) -> jax.Array:
    """The autocorrelation of noise maps, [B, h, w] each: [B], near 0 for white noise.

    For each map, and for the map downsampled repeatedly by 2 to 8 x 8: the squared mean of its product with itself,
    shifted cyclically by one pixel down, and to the right. White noise gives 1 / (h w) for each shift and scale.
    Downsampling takes sums of 2 x 2 pixels times 1/2, which keeps the variance of white noise.
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
    """Maps, [B, h, w], with mean 0 and variance 1."""
    x = x - x.mean((1, 2), keepdims=True)
    return x * lax.rsqrt(jnp.square(x).mean((1, 2), keepdims=True) + 1e-8)


def _draw_noise(keys: jax.Array, step: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal noise of a step, [B, *shape]: each target's from its own key."""

    def draw(key):
        return jax.random.normal(jax.random.fold_in(key, step), shape)

    return jax.vmap(draw)(keys)


def _noise_ramp(t: jax.Array) -> jax.Array:
    """The noise that is added to w at a fraction ``t`` of the steps, relative to its first value."""
    return jnp.maximum(0.0, 1 - t / NOISE_RAMP) ** 2


def _lr_factor(t: jax.Array) -> jax.Array:
    """The learning rate at a fraction ``t`` of the steps, relative to its maximum: linear ramp up, cosine ramp down."""
    rampdown = 0.5 - 0.5 * jnp.cos(math.pi * jnp.minimum(1.0, (1 - t) / LR_RAMPDOWN))
    return rampdown * jnp.minimum(1.0, t / LR_RAMPUP)
