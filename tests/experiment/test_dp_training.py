"""DP-SGD with the settings of an experiment: rejected settings, and the privacy that a run spends."""

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


def test_no_privacy_is_reported_for_a_run_without_noise():
    config = gan.Config.tiny()
    experiment = gan.build(config)
    assert make_private(experiment, config) is experiment
    assert privacy_spent(experiment, config, 100) is None


def test_the_privacy_spent_is_the_accountants_epsilon():
    """The discriminator reads the data in one turn of a step. The generator never reads it."""
    config = gan.Config.tiny(dp_noise_multiplier=2.0, dp_l2_clip=0.5, dp_delta=1e-6, batch_size=16)
    experiment = gan.build(config)
    found = privacy_spent(experiment, config, 50)
    assert found is not None
    expected = compute_epsilon(noise_multiplier=2.0, delta=1e-6, examples=1797, batch_size=16, steps=50, uses=(1,))
    epsilon = {name: value if math.isfinite(value) else None for name, value in expected._asdict().items()}
    assert (found["steps"], found["delta"], found["epsilon"], found["players"]) == (50, 1e-6, epsilon, ("d",))
    assert "'d'" in found["summary"]
    json.dumps(found, allow_nan=False)  # it is written to config.json


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dp_l2_clip": 0.5}, r"`dp_l2_clip` has an effect only in private training\. Set `dp_noise_multiplier` too"),
        ({"dp_noise_multiplier": math.inf}, "`dp_noise_multiplier` must be positive and finite, got inf"),
        ({"dp_noise_multiplier": 1.0, "dp_l2_clip": 0.0}, r"`dp_l2_clip` must be positive and finite, got 0\.0"),
    ],
)
def test_invalid_settings_of_private_training_are_rejected(changes, message):
    config = gan.Config.tiny(**changes)
    with pytest.raises(ValueError, match=message):
        make_private(gan.build(config), config)


def test_unpaired_data_cannot_be_private():
    images = Arrays(np.zeros((8, 16, 16, 3), np.uint8))
    config = cyclegan.Config.tiny(dp_noise_multiplier=1.0)
    with pytest.raises(ValueError, match="`dp_noise_multiplier` cannot be used with unpaired data"):
        make_private(cyclegan.build(config, Unpaired(images, images)), config)


@pytest.mark.integration
def test_the_noise_is_random_unless_dp_seed_is_set():
    config = gan.Config.tiny(dp_noise_multiplier=1.0)
    experiment = gan.build(config)

    def key(config):
        game = make_private(experiment, config).game
        return tuple(np.asarray(jax.random.key_data(game.init(jax.random.key(0)).opt_states["d"].key)))

    assert key(config) != key(config)
    seeded = dataclasses.replace(config, dp_seed=1)
    assert key(seeded) == key(dataclasses.replace(seeded, steps=seeded.steps + 1))  # a run can be prolonged
    # The difference of the updates of two runs with one seed must contain their noise.
    others = ({"dp_seed": 2}, {"learning_rate": 1e-3}, {"seed": 1}, {"dp_l2_clip": 2.0}, {"data": "other"})
    keys = [key(seeded), *(key(dataclasses.replace(seeded, **other)) for other in others)]
    assert len(set(keys)) == len(keys)
    key(dataclasses.replace(seeded, dp_seed=-(2**70)))  # every integer is a seed


def test_a_private_run_draws_no_image_sheets_of_examples():
    config = vae.Config.tiny(dp_noise_multiplier=1.0)
    experiment = vae.build(config)
    assert experiment.display.sheets
    private = make_private(experiment, config)
    assert not private.display.sheets and experiment.display.shows_data and not private.display.shows_data
