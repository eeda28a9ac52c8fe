"""Create image sheets for a generator with styles: style mixing, truncation, noise, interpolation and directions.

An image sheet is an additional grid of images that an experiment draws whenever it draws samples.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import media
from jaxgan.core.networks import Nets
from jaxgan.editing.interpolation import lerp, slerp
from jaxgan.editing.styles import RANGES, Styles, layer_mask, move_along, sefa, std_along
from jaxgan.experiment.experiment import SHEET_COLUMNS

TRUNCATION_PSIS = (1.0, 0.7, 0.5, 0.0)  # truncation psi of each row of the sheet "truncation"
NUM_NOISES = 8  # number of random noises over which the standard deviation of pixels is computed
NOISE_GAIN = 10.0  # factor by which the standard deviation of pixels is multiplied, to make it visible
NUM_PAIRS = 4  # number of pairs of latents that are interpolated
NUM_MOVED = 2  # number of samples that are moved along directions
NUM_DIRECTIONS = 4  # number of directions that samples are moved along
REACH = 3.0  # largest distance by which a sample is moved, forth and back, in standard deviations of w

Sheet = Callable[[Nets, Any, jax.Array], jax.Array]


def make_style_sheets(
    styles: Styles, latents: Callable[[jax.Array], jax.Array], label_of: Callable[[Any], tuple[jax.Array, ...]]
) -> Mapping[str, Sheet]:
    """Create image sheets for an experiment with a style-based generator.

    Each sheet calls the networks only once, so that they are compiled only once.

    Args:
      styles: the functions of the generator.
      latents: function ``keys -> z`` from PRNG keys to latents.
      label_of: function from a batch to a tuple that contains the array of labels. The tuple is empty if the generator
        takes no labels.

    Returns:
      A dictionary from names to sheets, for ``Display.sheets``.
    """

    def draw(nets, *rows):
        """Generate the images of several arrays of styles, [n, num_ws, w] each, and stack them as rows of a grid."""
        return media.stack_rows(*jnp.split(styles.images(nets, jnp.concatenate(rows), styles.noise()), len(rows)))

    def map_latents(nets, batch, keys, **how):
        """Map random latents to styles."""
        return styles.map(nets, latents(keys), *label_of(batch), **how)

    def mixing(nets, batch, keys):
        """Draw style mixing, in two groups of five rows with eight samples each.

        The first two rows of a group show two sets of samples. The other three rows show the first set with the coarse,
        the middle and the fine styles of the second set.
        """
        ours, theirs = jnp.split(map_latents(nets, batch, keys), 2)
        ranges = [layer_mask(name, styles.num_ws)[None, :, None] for name in RANGES]
        return draw(nets, ours, theirs, *(jnp.where(of_theirs, theirs, ours) for of_theirs in ranges))

    def truncation(nets, batch, keys):
        """Draw samples with decreasing truncation psi, in two groups of four rows with eight samples each.

        The last row has psi 0 and shows the image of the average style.
        """
        rows = [map_latents(nets, batch, keys, truncation_psi=psi)[: len(keys) // 2] for psi in TRUNCATION_PSIS]
        return draw(nets, *rows)

    def noise(nets, batch, keys):
        """Draw the influence of noise on eight samples, in four rows.

        The rows show (1) the samples with constant noise, (2) the samples without noise, (3) the samples with random
        noise, and (4) the standard deviation of the pixels over several random noises.
        """
        ws = map_latents(nets, batch, keys)[:SHEET_COLUMNS]
        maps = tuple(jnp.repeat(x, len(ws), 0) for x in _noises(styles.noise(), keys[:NUM_NOISES]))
        images = styles.images(nets, jnp.tile(ws, (2 + NUM_NOISES, 1, 1)), maps)
        plain, none, *noisy = jnp.split(images, 2 + NUM_NOISES)
        return jnp.concatenate([plain, none, noisy[0], NOISE_GAIN * jnp.stack(noisy).std(0) - 1])

    def interpolation(nets, batch, keys):
        """Draw interpolations between pairs of latents, in two rows per pair.

        The first row interpolates along an arc in z (slerp), and the second along a straight line in w (lerp).
        """
        z, t = latents(keys[: 2 * NUM_PAIRS]), jnp.linspace(0, 1, SHEET_COLUMNS)
        arcs = slerp(z[:NUM_PAIRS, None], z[NUM_PAIRS:, None], t[None, :, None])
        label = [jnp.repeat(x[:NUM_PAIRS], len(t), 0) for x in label_of(batch)]
        of_arcs = styles.map(nets, arcs.reshape(-1, *arcs.shape[2:]), *label)
        ends = of_arcs.reshape(NUM_PAIRS, len(t), *of_arcs.shape[1:])
        lines = lerp(ends[:, :1], ends[:, -1:], t[None, :, None, None])
        return draw(nets, of_arcs, lines.reshape(of_arcs.shape))

    def directions(nets, batch, keys):
        """Draw two samples, each moved along the first four directions that SeFa finds, in eight rows."""
        ws, found = map_latents(nets, batch, keys), sefa(styles.weights(nets))[0][:NUM_DIRECTIONS]
        strengths, every = jnp.linspace(-REACH, REACH, SHEET_COLUMNS), layer_mask("all", styles.num_ws)

        def along(direction):
            return move_along(ws[:NUM_MOVED], direction, strengths * std_along(ws[:, 0], direction), every)

        strips = jax.vmap(along, out_axes=1)(found)  # [NUM_MOVED, NUM_DIRECTIONS, SHEET_COLUMNS, num_ws, w]
        return styles.images(nets, strips.reshape(-1, *ws.shape[1:]), styles.noise())

    return {
        "mixing": mixing,
        "truncation": truncation,
        "noise": noise,
        "interpolation": interpolation,
        "directions": directions,
    }


def _noises(constant: Sequence[jax.Array], keys: jax.Array) -> list[jax.Array]:
    """Return several versions of each noise map, [2 + N, ...]: the constant map, zeros, and a random map per key."""

    def normal(key):
        return [jax.random.normal(jax.random.fold_in(key, i), x.shape) for i, x in enumerate(constant)]

    random = jax.vmap(normal)(keys)
    return [jnp.concatenate([x[None], jnp.zeros_like(x)[None], more]) for x, more in zip(constant, random)]
