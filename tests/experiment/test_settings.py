"""Settings: what every experiment states, ranges, schedules, and the data that they name."""

import dataclasses
import doctest
import importlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import experiments
from experiments import cyclegan, dcgan, sngan
from jaxgan.data import Arrays
from jaxgan.experiment import (
    COUNT,
    FRACTION,
    NON_NEGATIVE,
    AugmentedSettings,
    LinearDecaySettings,
    Settings,
    TranslationSettings,
    check_ranges,
    is_enabled,
    require_classes,
    settings,
    settings_file,
)

NAMES = [module.name for module in pkgutil.iter_modules(experiments.__path__) if module.name != "benchmarks"]


@pytest.mark.parametrize("name", NAMES)
def test_each_experiment_states_its_own_defaults(name):
    """A file can be read alone: only what every run has, with a neutral default, is not stated in it."""
    config = importlib.import_module(f"experiments.{name}").Config
    inherited = {field.name for field in dataclasses.fields(config)} - set(config.__annotations__)
    neutral = {field.name for field in dataclasses.fields(Settings) if field.default is not dataclasses.MISSING}
    assert inherited == neutral
    for class_ in (Settings, AugmentedSettings, LinearDecaySettings, TranslationSettings):
        own = set(class_.__annotations__) - neutral
        assert all(field.default is dataclasses.MISSING for field in dataclasses.fields(class_) if field.name in own)


def test_a_default_that_is_not_stated_is_missed():
    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        steps: int = 3

    with pytest.raises(
        TypeError, match="missing 5 required keyword-only arguments: 'data', 'resolution', 'batch_size'"
    ):
        Config()  # pyright: ignore


@pytest.mark.parametrize("module", [settings, settings_file])
def test_docstrings_tell_the_truth(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


@pytest.mark.parametrize(
    ("changes", "ranges", "told"),
    [
        ({"steps": 0}, {}, "`steps` must be at least 1, got 0"),
        ({"seed": -1}, {}, "`seed` must be between 0 and 4294967295, got -1"),
        ({"learning_rate": float("nan")}, {}, "`learning_rate` must be between 0 and 1000000, got nan"),
        ({"ema_decay": 1.5}, {}, r"`ema_decay` must be between 0 and 1, got 1\.5"),
        ({"r1_gamma": -1.0}, {"r1_gamma": NON_NEGATIVE}, r"`r1_gamma` must be between 0 and 1000000, got -1\.0"),
        ({"g_channels": 0}, {"g_channels": COUNT}, "`g_channels` must be at least 1, got 0"),
        ({"beta1": 2.0}, {"beta1": FRACTION}, r"`beta1` must be between 0 and 1, got 2\.0"),
        ({"ada_target": -2.0}, {}, r"`ada_target` must be between -1 and 1, got -2\.0"),
    ],
)
def test_values_out_of_range(changes, ranges, told):
    dcgan.Config().check(**ranges)
    with pytest.raises(ValueError, match=told):
        dcgan.Config(**changes).check(**ranges)


def test_values_that_have_no_range():
    """None is no value, and a traced one, of a member of a population, was checked before it was traced."""
    check_ranges(dcgan.Config(resolution=None), resolution=COUNT)
    jax.jit(lambda rate: check_ranges(dcgan.Config(learning_rate=rate), learning_rate=(0, 1)))(jnp.float32(3.0))
    assert jax.jit(lambda weight: jnp.float32(is_enabled(weight)))(jnp.float32(0.0)) == 1


def test_the_rate_falls_linearly_after_the_constant_steps():
    config = sngan.Config(learning_rate=0.1, lr_constant_steps=2, lr_decay_steps=4, beta1=0.0, beta2=0.0)
    assert isinstance(config, LinearDecaySettings)

    def rates(optimizer, count):
        """With both betas 0 Adam moves by the rate, in the direction of the gradient's sign."""
        params = jnp.zeros(1)
        state, moves = optimizer.init(params), []
        for _ in range(count):
            update, state = optimizer.update(jnp.ones(1), state, params)
            moves.append(-float(update[0]))
        return moves

    np.testing.assert_allclose(rates(config.adam(), 7), [0.1, 0.1, 0.1, 0.075, 0.05, 0.025, 0.0], atol=1e-6)
    np.testing.assert_allclose(rates(config.adam(turns=2), 4), [0.1, 0.1, 0.1, 0.1], atol=1e-6)
    np.testing.assert_allclose(rates(config.adam(first_step=4), 2), [0.05, 0.025], atol=1e-6)


def test_steps_beyond_the_last_rate_above_zero_are_advised_against():
    assert sngan.Config(steps=6, lr_constant_steps=2, lr_decay_steps=4).advice() == []
    (sentence,) = sngan.Config(steps=1009, lr_constant_steps=2, lr_decay_steps=4).advice()
    assert sentence == (
        "the learning rate is 0 after step 6, which is `lr_constant_steps` + `lr_decay_steps`, so the last 1,003 of "
        "1,009 steps train nothing; set `lr_decay_steps` to 1007, or lower `steps` to 6."
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_need_no_advice(name):
    config = importlib.import_module(f"experiments.{name}").Config
    assert config().advice() == config.tiny().advice() == []


def test_an_augmented_experiment_has_its_augmentation():
    config = dcgan.Config(augment="ada", batch_size=16, ada_target=0.5, ada_kimg=2.0)
    assert isinstance(config, AugmentedSettings)
    assert config.augmentation().kind == "ada" and set(config.augmentation().nets) == {"ada"}
    assert dcgan.Config().augmentation().nets == {}


def images(*shape):
    return Arrays(np.zeros((4, *shape), np.uint8), name="mine")


def test_examples_and_images():
    config = dcgan.Config()
    assert config.load_examples().shape == config.load_images().shape == (8, 8, 1)
    points = Arrays(np.zeros((4, 2), np.float32), name="mine")
    assert config.load_examples(points) is points and config.load_images(source := images(8, 8, 3)) is source
    with pytest.raises(ValueError, match=r"mine has examples of shape \(2,\), but this experiment takes images"):
        config.load_images(points)
    with pytest.raises(ValueError, match=r"mine has images of 8 x 6, but they must be square; .* for example to 6"):
        config.load_images(images(8, 6, 3))


def test_a_conditional_model_needs_labels():
    with_labels = Arrays(np.zeros((4, 8, 8, 1), np.uint8), labels=np.arange(4) % 2, classes=("a", "b"))
    assert require_classes(with_labels) == ("a", "b")
    with pytest.raises(ValueError, match="mine has no labels, so there is nothing to condition on"):
        require_classes(images(8, 8, 1))


def test_which_examples_a_translator_is_tested_on():
    """Of photos their test part; else the training data, or what ``test_data`` names."""
    asked = []

    def load(name, split):
        asked.append((name, split))
        return images(*((8, 8, 3) if name != "large" else (16, 16, 3)))

    config = cyclegan.Config(data="photos:gravel")
    assert isinstance(config, TranslationSettings)
    train, test = config.load_train_and_test(load)
    assert train is not test and asked == [("photos:gravel", "train"), ("photos:gravel", "test")]
    train, test = dataclasses.replace(config, data="mine").load_train_and_test(load)
    assert train is test
    train, test = config.load_train_and_test(load, source := images(8, 8, 3))
    assert train is test is source
    with pytest.raises(ValueError, match=r"`test_data` has images of \(16, 16, 3\), but `data` has .*\(8, 8, 3\)"):
        dataclasses.replace(config, test_data="large").load_train_and_test(load)
