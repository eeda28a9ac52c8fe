"""Sheets of a generator with styles: what is drawn of them beside samples as a run goes on, few images of each."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import media
from jaxgan.core.networks import Nets
from jaxgan.editing.interpolation import lerp, slerp
from jaxgan.editing.styles import RANGES, Styles, layer_mask, move_along, sefa, std_along
from jaxgan.experiment.experiment import SHEET_COLUMNS

PSIS = (1.0, 0.7, 0.5, 0.0)
NOISES, BRIGHTER = 8, 10.0  # that pixels vary over, and how much brighter their deviation is shown
PAIRS = 4  # of interpolations
MOVED, DIRECTIONS, REACH = 2, 4, 3.0  # samples, along how many directions, how far to either side

Sheet = Callable[[Nets, Any, jax.Array], jax.Array]


def of_styles(
    styles: Styles, latents: Callable[[jax.Array], jax.Array], label_of: Callable[[Any], tuple[jax.Array, ...]]
) -> Mapping[str, Sheet]:
    """For an experiment's ``sheets``; each calls the networks once, because a program for every call is compiled.

    Args:
      styles: the generator's.
      latents: of keys.
      label_of: a batch's label in a tuple, or an empty one.
    """

    def drawn(nets, *rows):
        """What styles, [n, layers, w] each, give, one beneath the other."""
        return media.stack_rows(*jnp.split(styles.images(nets, jnp.concatenate(rows), styles.noise()), len(rows)))

    def mapped(nets, batch, keys, **how):
        return styles.map(nets, latents(keys), *label_of(batch), **how)

    def mixing(nets, batch, keys):
        """Five rows, twice: eight samples; others; the first with the others' coarse, middle, fine styles."""
        ours, theirs = jnp.split(mapped(nets, batch, keys), 2)
        ranges = [layer_mask(name, styles.num_ws)[None, :, None] for name in RANGES]
        return drawn(nets, ours, theirs, *(jnp.where(of_theirs, theirs, ours) for of_theirs in ranges))

    def truncation(nets, batch, keys):
        """Four rows, twice: eight samples with psi 1; with 0.7; 0.5; 0, the average's image."""
        return drawn(nets, *(mapped(nets, batch, keys, truncation_psi=psi)[: len(keys) // 2] for psi in PSIS))

    def noise(nets, batch, keys):
        """Four rows: eight samples; without noise; with another; how far pixels vary over several."""
        ws, constant = mapped(nets, batch, keys)[:SHEET_COLUMNS], styles.noise()

        def normal(key):
            return [jax.random.normal(jax.random.fold_in(key, i), x.shape) for i, x in enumerate(constant)]

        others = jax.vmap(normal)(keys[:NOISES])
        kinds = [jnp.concatenate([x[None], jnp.zeros_like(x)[None], more]) for x, more in zip(constant, others)]
        maps = tuple(jnp.repeat(x, len(ws), 0) for x in kinds)
        images = styles.images(nets, jnp.tile(ws, (2 + NOISES, 1, 1)), maps)
        plain, none, *noisy = jnp.split(images, 2 + NOISES)
        return jnp.concatenate([plain, none, noisy[0], BRIGHTER * jnp.stack(noisy).std(0) - 1])

    def interpolation(nets, batch, keys):
        """Two rows for each pair of latents: on an arc in z, and beneath it on a straight line in w."""
        z, t = latents(keys[: 2 * PAIRS]), jnp.linspace(0, 1, SHEET_COLUMNS)
        arcs = slerp(z[:PAIRS, None], z[PAIRS:, None], t[None, :, None])
        label = [jnp.repeat(x[:PAIRS], len(t), 0) for x in label_of(batch)]
        of_arcs = styles.map(nets, arcs.reshape(-1, *arcs.shape[2:]), *label)
        ends = of_arcs.reshape(PAIRS, len(t), *of_arcs.shape[1:])
        lines = lerp(ends[:, :1], ends[:, -1:], t[None, :, None, None])
        return drawn(nets, of_arcs, lines.reshape(of_arcs.shape))

    def directions(nets, batch, keys):
        """Four rows for each of two samples: along the first directions of all layers' weights."""
        ws, found = mapped(nets, batch, keys), sefa(styles.weights(nets))[0][:DIRECTIONS]
        strengths, every = jnp.linspace(-REACH, REACH, SHEET_COLUMNS), layer_mask("all", styles.num_ws)

        def along(direction):
            return move_along(ws[:MOVED], direction, strengths * std_along(ws[:, 0], direction), every)

        strips = jax.vmap(along, out_axes=1)(found)  # [MOVED, DIRECTIONS, SHEET_COLUMNS, layers, w]
        return styles.images(nets, strips.reshape(-1, *ws.shape[1:]), styles.noise())

    sheets = (mixing, truncation, noise, interpolation, directions)
    return {sheet.__name__: sheet for sheet in sheets}
