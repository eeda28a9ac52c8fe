"""Sheets of a generator with styles, which a run draws beside its samples: mixing, truncation, noise and so on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import media
from jaxgan.core.networks import Nets
from jaxgan.editing.interpolation import lerp, slerp
from jaxgan.editing.styles import RANGES, Styles, layer_mask, move_along, sefa, std_along
from jaxgan.experiment.experiment import SHEET_COLUMNS

TRUNCATION_PSIS = (1.0, 0.7, 0.5, 0.0)
NUM_NOISES = 8  # over which the standard deviation of pixels is taken
NOISE_GAIN = 10.0  # by which that deviation is brightened
NUM_PAIRS = 4  # of latents that are interpolated
NUM_MOVED = 2  # samples that are moved along directions
NUM_DIRECTIONS = 4
REACH = 3.0  # how far they are moved to either side, in standard deviations

Sheet = Callable[[Nets, Any, jax.Array], jax.Array]


def make_style_sheets(
    styles: Styles, latents: Callable[[jax.Array], jax.Array], label_of: Callable[[Any], tuple[jax.Array, ...]]
) -> Mapping[str, Sheet]:
    """The ``sheets`` of an experiment, by name. Each calls the networks once, to compile them once.

    Args:
      styles: the generator's.
      latents: ``keys -> z``.
      label_of: ``batch -> label``, a tuple of one array, or of none if the generator takes no labels.
    """

    def draw(nets, *rows):
        """The images of styles, [n, num_ws, w_dim] each, one row below the other."""
        return media.stack_rows(*jnp.split(styles.images(nets, jnp.concatenate(rows), styles.noise()), len(rows)))

    def map_latents(nets, batch, keys, **how):
        return styles.map(nets, latents(keys), *label_of(batch), **how)

    def mixing(nets, batch, keys):
        """Five rows, twice: eight samples; others; the first with the others' coarse, middle, fine styles."""
        ours, theirs = jnp.split(map_latents(nets, batch, keys), 2)
        ranges = [layer_mask(name, styles.num_ws)[None, :, None] for name in RANGES]
        return draw(nets, ours, theirs, *(jnp.where(of_theirs, theirs, ours) for of_theirs in ranges))

    def truncation(nets, batch, keys):
        """Four rows, twice: eight samples with psi 1; with 0.7; 0.5; 0, the average's image."""
        rows = [map_latents(nets, batch, keys, truncation_psi=psi)[: len(keys) // 2] for psi in TRUNCATION_PSIS]
        return draw(nets, *rows)

    def noise(nets, batch, keys):
        """Four rows: eight samples; without noise; with other noise; the standard deviation of pixels over noises."""
        ws = map_latents(nets, batch, keys)[:SHEET_COLUMNS]
        maps = tuple(jnp.repeat(x, len(ws), 0) for x in _noises(styles.noise(), keys[:NUM_NOISES]))
        images = styles.images(nets, jnp.tile(ws, (2 + NUM_NOISES, 1, 1)), maps)
        plain, none, *noisy = jnp.split(images, 2 + NUM_NOISES)
        return jnp.concatenate([plain, none, noisy[0], NOISE_GAIN * jnp.stack(noisy).std(0) - 1])

    def interpolation(nets, batch, keys):
        """Two rows for each pair of latents: on an arc in z, and below it on a straight line in w."""
        z, t = latents(keys[: 2 * NUM_PAIRS]), jnp.linspace(0, 1, SHEET_COLUMNS)
        arcs = slerp(z[:NUM_PAIRS, None], z[NUM_PAIRS:, None], t[None, :, None])
        label = [jnp.repeat(x[:NUM_PAIRS], len(t), 0) for x in label_of(batch)]
        of_arcs = styles.map(nets, arcs.reshape(-1, *arcs.shape[2:]), *label)
        ends = of_arcs.reshape(NUM_PAIRS, len(t), *of_arcs.shape[1:])
        lines = lerp(ends[:, :1], ends[:, -1:], t[None, :, None, None])
        return draw(nets, of_arcs, lines.reshape(of_arcs.shape))

    def directions(nets, batch, keys):
        """Four rows for each of two samples: along the first directions of all layers' weights."""
        ws, found = map_latents(nets, batch, keys), sefa(styles.weights(nets))[0][:NUM_DIRECTIONS]
        strengths, every = jnp.linspace(-REACH, REACH, SHEET_COLUMNS), layer_mask("all", styles.num_ws)

        def along(direction):
            return move_along(ws[:NUM_MOVED], direction, strengths * std_along(ws[:, 0], direction), every)

        strips = jax.vmap(along, out_axes=1)(found)  # [NUM_MOVED, NUM_DIRECTIONS, SHEET_COLUMNS, layers, w]
        return styles.images(nets, strips.reshape(-1, *ws.shape[1:]), styles.noise())

    return {
        "mixing": mixing,
        "truncation": truncation,
        "noise": noise,
        "interpolation": interpolation,
        "directions": directions,
    }


def _noises(constant: Sequence[jax.Array], keys: jax.Array) -> list[jax.Array]:
    """Of each noise map the constant one, zeros, and a random one for each key: [2 + keys, ...]."""

    def normal(key):
        return [jax.random.normal(jax.random.fold_in(key, i), x.shape) for i, x in enumerate(constant)]

    random = jax.vmap(normal)(keys)
    return [jnp.concatenate([x[None], jnp.zeros_like(x)[None], more]) for x, more in zip(constant, random)]
