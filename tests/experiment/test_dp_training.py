"""DP-SGD by an experiment's settings: what is refused, and what a run spends."""

import dataclasses
import json
import math

import jax
import numpy as np
import pytest

from experiments import cyclegan, gan, vae
from jaxgan.data import Arrays, Unpaired
from jaxgan.experiment.dp_training import make_private, privacy_spent
from jaxgan.games.accounting import compute_epsilon


def test_a_run_that_is_not_private_spends_nothing_to_speak_of():
    config = gan.Config.tiny()
    experiment = gan.build(config)
    assert make_private(experiment, config) is experiment
    assert privacy_spent(experiment, config, 100) is None


def test_what_is_spent_is_the_accountants():
    """The discriminator sees the data in one turn of a step, the generator in none."""
    config = gan.Config.tiny(dp_noise_multiplier=2.0, dp_l2_clip=0.5, dp_delta=1e-6, batch_size=16)
    experiment = gan.build(config)
    found = privacy_spent(experiment, config, 50)
    assert found is not None
    expected = compute_epsilon(noise_multiplier=2.0, delta=1e-6, examples=1797, batch_size=16, steps=50, uses=(1,))
    epsilon = {name: value if math.isfinite(value) else None for name, value in expected._asdict().items()}
    assert (found["steps"], found["delta"], found["epsilon"], found["players"]) == (50, 1e-6, epsilon, ("d",))
    assert "'d'" in found["summary"]
    json.dumps(found, allow_nan=False)  # it goes into config.json


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dp_l2_clip": 0.5}, "`dp_l2_clip` has no effect without private training; pass `dp_noise_multiplier` too"),
        ({"dp_noise_multiplier": math.inf}, "`dp_noise_multiplier` must be positive and finite, got inf"),
        ({"dp_noise_multiplier": 1.0, "dp_l2_clip": 0.0}, r"`dp_l2_clip` must be positive and finite, got 0\.0"),
    ],
)
def test_what_cannot_be(changes, told):
    config = gan.Config.tiny(**changes)
    with pytest.raises(ValueError, match=told):
        make_private(gan.build(config), config)


def test_unpaired_examples_have_two_orders():
    images = Arrays(np.zeros((8, 16, 16, 3), np.uint8))
    config = cyclegan.Config.tiny(dp_noise_multiplier=1.0)
    with pytest.raises(ValueError, match="`dp_noise_multiplier` needs examples that are drawn in one order"):
        make_private(cyclegan.build(config, Unpaired(images, images)), config)


@pytest.mark.integration
def test_noise_is_secret_unless_it_is_seeded():
    config = gan.Config.tiny(dp_noise_multiplier=1.0)
    experiment = gan.build(config)

    def key(config):
        game = make_private(experiment, config).game
        return tuple(np.asarray(jax.random.key_data(game.init(jax.random.key(0)).opt_states["d"].key)))

    assert key(config) != key(config)
    seeded = dataclasses.replace(config, dp_seed=1)
    assert key(seeded) == key(seeded)


def test_a_private_run_shows_no_reals():
    config = vae.Config.tiny(dp_noise_multiplier=1.0)
    experiment = vae.build(config)
    assert experiment.display.sheets
    assert not make_private(experiment, config).display.sheets
