"""Drawing of samples and image sheets from an experiment."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.compilations import recording_compilations

from experiments import cgan, dcgan, vae
from jaxgan.data import Arrays
from jaxgan.experiment.experiment import SAMPLE_BATCH, SHEET, Build


@pytest.fixture(scope="module")
def made():
    built = dcgan.build(dcgan.Config.tiny())
    return built, jax.jit(built.game.init)(jax.random.key(0))


@pytest.mark.integration
@pytest.mark.parametrize("count", [1, 5, 8, 13])
def test_in_batches_returns_one_row_per_input(made, count):
    """The last batch is filled up with copies of the last row, and the surplus results are cut off."""
    built, state = made
    sizes = []

    def double(nets, x, tree):
        sizes.append(len(x))
        return 2 * x + tree["y"]

    x, y = jnp.arange(count * 2.0).reshape(count, 2), jnp.ones((count, 2))
    run = built.in_batches(double, batch_size=4)
    for _ in range(2):
        np.testing.assert_array_equal(run(state, x, {"y": y}), 2 * x + 1)
    assert sizes == [4]  # traced once, for batches of one size


def test_samplers_compile_once_for_any_number_of_samples(made):
    built, state = dataclasses.replace(made[0]), made[1]
    indices = np.arange(SAMPLE_BATCH + 3)
    built.sampler()(state, built.draw_latents(3, indices[:5]))
    with recording_compilations() as names:
        for count in (1, 7, SAMPLE_BATCH, SAMPLE_BATCH + 3):
            assert len(built.sampler()(state, built.draw_latents(4, indices[:count]))) == count
    assert names == []
    with recording_compilations() as names:
        built.sampler(2)(state, built.draw_latents(4, indices[:2]))
    assert len(names) == 1  # the generator, for the other batch size


def test_sample_i_is_the_same_in_any_batch(made):
    built, state = made
    sample, indices = built.sampler(), np.arange(SAMPLE_BATCH + 3)
    whole = sample(state, built.draw_latents(3, indices))
    assert whole.shape == (SAMPLE_BATCH + 3, 8, 8, 1)
    few = sample(state, built.draw_latents(3, indices[-2:]))
    np.testing.assert_allclose(few, whole[-2:], atol=1e-6)
    assert (built.num_samples, built.reference) == (1797, built.source)


def test_without_labels_the_classes_alternate():
    built = cgan.build(cgan.Config.tiny())
    state, sample = jax.jit(built.game.init)(jax.random.key(0)), built.sampler()
    z = jnp.zeros((12, 4))
    np.testing.assert_array_equal(sample(state, z), sample(state, z, jnp.arange(12) % 10))


def test_variables_are_of_the_networks_that_samples_need(made):
    built, state = made
    variables = built.variables(state)
    assert set(variables) == {"g"} and set(variables["g"]) == {"params", "batch_stats"}
    assert set(state.params) == {"d", "g"}
    jax.tree.map(np.testing.assert_array_equal, variables["g"]["params"], state.ema["g"]["params"])


def test_sheets_show_evenly_spaced_examples_of_the_source():
    source = Arrays(np.arange(64, dtype=np.uint8).repeat(64).reshape(64, 8, 8, 1))
    build: Build = vae.build
    built = build(vae.Config.tiny(), source)
    state = jax.jit(built.game.init)(jax.random.key(0))
    sheet = built.draw_sheets(0)(state)["reconstruction"]
    shown = (sheet[:, 0, 0, 0].reshape(-1, 2, 8)[:, 0].ravel() + 1) * 127.5  # every second row shows the examples
    np.testing.assert_allclose(shown, np.linspace(0, 63, SHEET).astype(int), atol=1e-3)
