"""Tests of the text experiment: its outputs, the temperature, and the latents of Gumbel noise."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import text
from jaxgan import data
from jaxgan.media import Text


def experiment(**changes):
    config = text.Config.tiny(**changes)
    return config, text.build(config)


def test_gumbel_noise_is_a_part_of_the_latents():
    for output, size in (("softmax", 4), ("gumbel", 4 + 40 * 62)):
        _, built = experiment(output=output)
        z = built.draw_latents(0, np.arange(3))
        assert z.shape == (3, size)
        np.testing.assert_array_equal(built.draw_latents(0, np.array([2]))[0], z[2])


@pytest.mark.integration
def test_straight_through_shows_one_hot_vectors_and_the_other_outputs_do_not():
    for changes, is_one_hot in (
        ({}, False),
        ({"output": "gumbel"}, False),
        ({"output": "gumbel", "straight_through": True}, True),
    ):
        _, built = experiment(**changes)
        state = jax.jit(built.game.init)(jax.random.key(0))
        samples = built.sampler(2)(state, built.draw_latents(0, np.arange(2)))
        np.testing.assert_allclose(samples.sum(-1), 1, rtol=1e-5)
        assert (samples.max(-1).min() > 0.999) == is_one_hot


@pytest.mark.integration
def test_the_temperature_goes_from_the_first_to_the_final_one():
    """The generator's loss is recorded at three steps, with a critic that measures the largest probability."""
    config, built = experiment(output="gumbel", temperature=4.0, final_temperature=0.25, anneal_steps=10)
    player, nets = built.game.players["g"], built.game.unwrapped.functions
    state = jax.jit(built.game.init)(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 8)

    class Watched:
        def __init__(self, nets):
            self.g, self.d = nets.g, lambda x: x.max(-1).mean(-1)

    @jax.jit
    def sharpness(state, step):
        return -player.loss(Watched(nets(state)), None, keys, step).loss

    found = [float(sharpness(state, jnp.int32(step))) for step in (0, 5, 10, 1000)]
    assert found[0] < found[1] < found[2] == found[3]
    fixed = dataclasses.replace(config, temperature=1.0, final_temperature=1.0)
    assert text.build(fixed).game.players["g"].loss is not player.loss


def test_a_source_of_the_caller_replaces_the_data():
    rows = np.full((20, 6), 2, np.uint8)
    source = data.NamedArrays({"text": rows}, "mine", details={"characters": "ab", "length": 6})
    built = text.build(text.Config.tiny(), source)
    assert built.source is source and built.medium == Text("ab", 6)


def test_a_source_of_other_examples_is_refused():
    with pytest.raises(ValueError, match=r"arrays must consist of lines of text, as jaxgan\.data\.texts\.load returns"):
        text.build(text.Config.tiny(), data.Arrays(np.zeros((9, 8, 8, 1), np.uint8)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0.0}, "`temperature` must be between 0.001 and 1000.0, got 0.0"),
        ({"straight_through": True}, "`straight_through` has an effect only on Gumbel-softmax samples. Set `output`"),
        ({"num_blocks": 0}, "`num_blocks` must be "),
        ({"length": 0}, "`length` must be at least 1, got 0"),
        ({"data": "nowhere.txt"}, "`data` 'nowhere.txt' does not exist"),
    ],
)
def test_invalid_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        experiment(**changes)
