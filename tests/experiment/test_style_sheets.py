"""Image sheets of a generator with styles: the number of their images, and the contents of their rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.editing.styles import Styles
from jaxgan.experiment import style_sheets
from jaxgan.experiment.experiment import SHEET, SHEET_COLUMNS
from jaxgan.experiment.style_sheets import Sheet, make_style_sheets

W = 6


def image(ws, noise):
    """Return images with the sum of the styles, [B, 4, W], as the first pixel and the noise as the last pixel."""
    shape = (len(ws), 2, 3, 1)
    pixels = jnp.zeros(shape).at[:, 0, 0, 0].set(ws.sum((1, 2)))
    if noise is not None:
        pixels = pixels.at[:, 1, 2, 0].set(jnp.broadcast_to(noise[0].reshape(-1), len(ws)))
    return pixels


@pytest.mark.integration
def test_the_rows_of_each_sheet():
    styles = Styles(
        map=lambda nets, z, **how: z[:, None].repeat(4, 1) * how.get("truncation_psi", 1.0),
        average=lambda nets: jnp.zeros(W),
        images=lambda nets, ws, noise: image(ws, noise),
        noise=lambda: (jnp.zeros(1),),
        weights=lambda nets: (jnp.diag(jnp.arange(1.0, W + 1)),) * 4,
        num_ws=4,
        features=lambda nets, images: (images,),
    )
    z = jnp.asarray(np.random.default_rng(0).normal(size=(SHEET, W)), jnp.float32)
    sheets: dict[str, Sheet] = dict(make_style_sheets(styles, lambda keys: z[: len(keys)], lambda batch: ()))
    keys = jax.random.split(jax.random.key(0), SHEET)
    drawn = {name: np.asarray(jax.jit(sheet)(None, {}, keys)) for name, sheet in sheets.items()}  # pyright: ignore
    rows = {name: x.reshape(-1, SHEET_COLUMNS, *x.shape[1:]) for name, x in drawn.items()}
    psis, moved = len(style_sheets.TRUNCATION_PSIS), style_sheets.NUM_MOVED * style_sheets.NUM_DIRECTIONS
    assert {name: len(x) for name, x in rows.items()} == {
        "mixing": 10, "truncation": 2 * psis, "noise": 4, "interpolation": 2 * style_sheets.NUM_PAIRS, "directions": moved,
    }  # fmt: skip
    sums = 4 * np.asarray(z).sum(1)
    np.testing.assert_allclose(rows["mixing"][0, :, 0, 0, 0], sums[:8], rtol=1e-5)
    np.testing.assert_allclose(rows["mixing"][1, :, 0, 0, 0], sums[16:24], rtol=1e-5)
    # Two of the four layers are coarse, one is middle, one is fine.
    np.testing.assert_allclose(rows["mixing"][2, :, 0, 0, 0], (sums[:8] + sums[16:24]) / 2, rtol=1e-4)
    for row, psi in enumerate(style_sheets.TRUNCATION_PSIS):
        np.testing.assert_allclose(rows["truncation"][row, :, 0, 0, 0], psi * sums[:8], rtol=1e-5)
    assert (rows["noise"][:2, :, 1, 2] == 0).all() and (rows["noise"][2, :, 1, 2] != 0).all()
    # The last row is NOISE_GAIN times the standard deviation over NUM_NOISES noises, where 0 is black.
    deviation = (rows["noise"][3, 0, 1, 2, 0] + 1) / style_sheets.NOISE_GAIN
    noises = [float(jax.random.normal(jax.random.fold_in(key, 0), (1,))[0]) for key in keys[: style_sheets.NUM_NOISES]]
    np.testing.assert_allclose(deviation, np.std(noises), rtol=1e-5)
    np.testing.assert_allclose(rows["interpolation"][:2, 0, 0, 0, 0], sums[[0, 0]], rtol=1e-5)
    np.testing.assert_allclose(rows["interpolation"][:2, -1, 0, 0, 0], sums[[4, 4]], rtol=1e-5)
    ends = rows["directions"][0, [0, -1], 0, 0, 0]
    np.testing.assert_allclose(ends.mean(), sums[0], rtol=1e-4)  # the same distance in both directions
