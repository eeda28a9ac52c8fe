"""Projection: the styles whose image is nearest to a given one. Karras et al. 2020 (1912.04958), appendix D.

Of an experiment that has ``styles``, targets [B, h, w, C] in [-1, 1] and keys [B]::

    found = project(
        lambda ws, noise: styles.images(nets, ws, noise),
        lambda images: losses.multiscale_l1(images, targets),
        styles.average(nets), styles.noise(), keys, layers=styles.layers, deviation=deviation(w),
    )
    styles.images(nets, found.ws, found.noise)
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
RATE = 0.1  # Adam's, at its highest
RISES, FALLS = 0.05, 0.25  # shares of the steps over which it does
NOISE, QUIET = 0.05, 0.75  # of w: its deviation at first, by w's own; and the share of the steps after which it is 0
NOISE_WEIGHT = 1e5  # of the maps' autocorrelation
SMALLEST = 8  # pixels of a side: maps are made smaller down to this


class Projection(NamedTuple):
    """What was found for each target.

    Attributes:
      ws: styles, [B, layers, w]; in the space w all layers' are equal.
      noise: maps, [B, h, w] each.
      course: the loss at each step, [B, steps], of the styles with the step's noise.
    """

    ws: jax.Array
    noise: tuple[jax.Array, ...]
    course: jax.Array


def project(
    images_of: Callable[[jax.Array, tuple[jax.Array, ...]], jax.Array],
    loss: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    noise: Sequence[jax.Array],
    keys: jax.Array,
    *,
    layers: int,
    deviation: jax.Array | float,
    space: Space = "w",
    steps: int = 1000,
    rate: float = RATE,
    noise_weight: float = NOISE_WEIGHT,
) -> Projection:
    """Move styles and noise maps, by Adam, to where the images' losses are least; each target's on its own.

    The rate rises over the first steps and falls over the last. What is judged is the image of styles to which noise is
    added, less from step to step, so that w looks around before it settles. Maps begin as the generator's constant
    ones, are held to mean 0 and variance 1, and pay for their ``autocorrelation``: no picture may hide in them.

    Args:
      images_of: styles, [B, layers, w], and maps, [B, h, w] each, to images, [B, h, w, C].
      loss: images to how far each is from its target, [B].
      start: the average w, [w].
      noise: maps, [h, w] each.
      keys: [B]; each target's noise is drawn from its own.
      layers: how many styles an image has.
      deviation: of w about the average, see ``deviation``.
      space: ``w``, one style for all layers; ``w+``, one for each.
      steps: how many; the authors' is 1000.
      rate: Adam's at its highest.
      noise_weight: of the maps' autocorrelation in what is minimised; the course is without it.

    Raises:
      ValueError: there is no such space, or shapes or ``steps`` are others.
    """
    if space not in SPACES:
        raise ValueError(f"space {space!r}: want {' or '.join(map(repr, SPACES))}")
    if start.ndim != 1 or keys.ndim != 1 or steps < 1:
        raise ValueError(f"start {start.shape}, keys {keys.shape}, {steps} steps: want [w], [B], and 1 or more")
    count = len(keys)
    free = jnp.broadcast_to(start, (count, 1 if space == "w" else layers, len(start)))
    maps = tuple(jnp.broadcast_to(x, (count, *x.shape)) for x in noise)
    adam = optax.adam(lambda step: rate * _slowness(jnp.asarray(step) / steps))

    def as_styles(w):
        return jnp.broadcast_to(w, (count, layers, w.shape[-1]))

    def judged(moved, around):
        w, maps = moved
        found = loss(images_of(as_styles(w + around), maps))
        if found.shape != (count,):
            raise ValueError(f"loss: it gave {found.shape} for {count} targets; want one value for each")
        return (found + noise_weight * autocorrelation(maps)).sum(), found

    def move(state, step):
        moved, adams = state
        size = NOISE * deviation * jnp.maximum(0.0, 1 - step / steps / QUIET) ** 2
        draw = lambda key: jax.random.normal(jax.random.fold_in(key, step), free.shape[1:])  # noqa: E731
        (_, found), slopes = jax.value_and_grad(judged, has_aux=True)(moved, size * jax.vmap(draw)(keys))
        updates, adams = adam.update(slopes, adams)
        after: Any = optax.apply_updates(moved, updates)
        return ((after[0], tuple(map(_standard, after[1]))), adams), found

    begun = (free, tuple(map(_standard, maps)))
    ((w, maps), _), course = lax.scan(move, (begun, adam.init(begun)), jnp.arange(steps))
    return Projection(as_styles(w), maps, course.T)


def deviation(w: jax.Array, average: jax.Array) -> jax.Array:
    """How far styles, [N, w], of random latents are from their average, [w]: the root mean square distance."""
    return jnp.sqrt(jnp.square(w - average[None]).sum(-1).mean())


def autocorrelation(maps: Sequence[jax.Array]) -> jax.Array:
    """How far maps of noise, [B, h, w] each, are from white, [B]: 1 / (h w) for each direction and size if they are.

    Of each, and of it made smaller down to 8 x 8, the squared means of its products with itself moved by a pixel, down
    and to the right, round the edges. Smaller maps are sums of two by two by 1/2, which keeps white noise's variance.
    """
    total = jnp.zeros(len(maps[0]))
    for x in maps:
        while True:
            total += sum(jnp.square((x * jnp.roll(x, 1, axis)).mean((1, 2))) for axis in (1, 2))
            _, h, w = x.shape
            if min(h, w) <= SMALLEST or h % 2 or w % 2:
                break
            x = x.reshape(-1, h // 2, 2, w // 2, 2).sum((2, 4)) / 2
    return total


def _standard(x: jax.Array) -> jax.Array:
    """Maps, [B, h, w], of mean 0 and variance 1."""
    x = x - x.mean((1, 2), keepdims=True)
    return x * lax.rsqrt(jnp.square(x).mean((1, 2), keepdims=True) + 1e-8)


def _slowness(t: jax.Array) -> jax.Array:
    """The share of the highest rate at ``t`` in [0, 1] of the way."""
    falls = 0.5 - 0.5 * jnp.cos(math.pi * jnp.minimum(1.0, (1 - t) / FALLS))
    return falls * jnp.minimum(1.0, t / RISES)
