"""The settings that all experiments share: stated defaults, ranges, schedules, and loading of data."""

import argparse
import dataclasses
import doctest
import importlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import experiments
from experiments import cyclegan, dcgan, sngan
from jaxgan.data import Arrays
from jaxgan.experiment import (
    COUNT,
    DEPTH,
    FRACTION,
    NON_NEGATIVE,
    AugmentedSettings,
    CommonSettings,
    LinearDecaySettings,
    Settings,
    TranslationSettings,
    check_ranges,
    is_enabled,
    require_classes,
    settings,
    settings_file,
)
from jaxgan.experiment.series_settings import SeriesSettings

NAMES = [module.name for module in pkgutil.iter_modules(experiments.__path__) if not module.ispkg]


@pytest.mark.parametrize("name", NAMES)
def test_each_experiment_states_its_own_defaults(name):
    """The file of an experiment states all its defaults, except for shared settings with a neutral default."""
    config = importlib.import_module(f"experiments.{name}").Config
    inherited = {field.name for field in dataclasses.fields(config)} - set(config.__annotations__)
    shared = SeriesSettings if issubclass(config, SeriesSettings) else Settings
    neutral = {field.name for field in dataclasses.fields(shared) if field.default is not dataclasses.MISSING}
    assert inherited == neutral & {field.name for field in dataclasses.fields(config)}
    for class_ in (CommonSettings, shared, AugmentedSettings, LinearDecaySettings, TranslationSettings):
        own = set(class_.__annotations__) - neutral
        assert all(field.default is dataclasses.MISSING for field in dataclasses.fields(class_) if field.name in own)


def test_experiments_on_other_examples_have_no_settings_of_images():
    of_images = {"resolution", "channels", "jpeg_draft"}
    common, images = ({field.name for field in dataclasses.fields(class_)} for class_ in (CommonSettings, Settings))
    assert images - common == of_images and common < images
    assert [field.name for field in dataclasses.fields(Settings)][:4] == [
        "data",
        "resolution",
        "channels",
        "jpeg_draft",
    ]


def test_a_missing_default_is_an_error():
    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        steps: int = 3

    with pytest.raises(
        TypeError, match="missing 5 required keyword-only arguments: 'data', 'resolution', 'batch_size'"
    ):
        Config()  # pyright: ignore


@pytest.mark.parametrize("module", [settings, settings_file])
def test_examples_in_docstrings(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


@pytest.mark.parametrize(
    ("changes", "ranges", "message"),
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
def test_values_out_of_range_are_rejected(changes, ranges, message):
    dcgan.Config().check(**ranges)
    with pytest.raises(ValueError, match=message):
        dcgan.Config(**changes).check(**ranges)


def test_none_and_traced_values_are_not_checked():
    """A traced value, of a setting that varies within a population, was checked before it was traced."""
    check_ranges(dcgan.Config(resolution=None), resolution=COUNT)
    jax.jit(lambda rate: check_ranges(dcgan.Config(learning_rate=rate), learning_rate=(0, 1)))(jnp.float32(3.0))
    assert jax.jit(lambda weight: jnp.float32(is_enabled(weight)))(jnp.float32(0.0)) == 1


def test_the_rate_decays_linearly_after_the_constant_steps():
    config = sngan.Config(learning_rate=0.1, lr_constant_steps=2, lr_decay_steps=4, beta1=0.0, beta2=0.0)
    assert isinstance(config, LinearDecaySettings)

    def rates(optimizer, count):
        """Return the rates of ``count`` updates: with both betas 0, Adam's update is the rate times the sign."""
        params = jnp.zeros(1)
        state, moves = optimizer.init(params), []
        for _ in range(count):
            update, state = optimizer.update(jnp.ones(1), state, params)
            moves.append(-float(update[0]))
        return moves

    np.testing.assert_allclose(rates(config.adam(), 7), [0.1, 0.1, 0.1, 0.075, 0.05, 0.025, 0.0], atol=1e-6)
    np.testing.assert_allclose(rates(config.adam(turns=2), 4), [0.1, 0.1, 0.1, 0.1], atol=1e-6)
    np.testing.assert_allclose(rates(config.adam(first_step=4), 2), [0.05, 0.025], atol=1e-6)


def test_advice_against_steps_with_a_learning_rate_of_zero():
    assert sngan.Config(steps=6, lr_constant_steps=2, lr_decay_steps=4).advice() == []
    (sentence,) = sngan.Config(steps=1009, lr_constant_steps=2, lr_decay_steps=4).advice()
    assert sentence == (
        "The learning rate is 0 after step 6, which is `lr_constant_steps` + `lr_decay_steps`, so the last 1,003 of "
        "1,009 steps do not change the networks. Set `lr_decay_steps` to 1007, or lower `steps` to 6."
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


def test_load_images_rejects_points_and_images_that_are_not_square():
    config = dcgan.Config()
    assert config.load_examples().shape == config.load_images().shape == (8, 8, 1)
    points = Arrays(np.zeros((4, 2), np.float32), name="mine")
    assert config.load_examples(points) is points and config.load_images(source := images(8, 8, 3)) is source
    with pytest.raises(ValueError, match=r"mine has examples of shape \(2,\), but this experiment takes images"):
        config.load_images(points)
    with pytest.raises(ValueError, match=r"mine has images of height 8 and width 6, but .* for example to 6"):
        config.load_images(images(8, 6, 3))


def test_a_conditional_model_needs_labels():
    with_labels = Arrays(np.zeros((4, 8, 8, 1), np.uint8), labels=np.arange(4) % 2, classes=("a", "b"))
    assert require_classes(with_labels) == ("a", "b")
    with pytest.raises(ValueError, match="mine has no labels, but a conditional model needs them"):
        require_classes(images(8, 8, 1))


def test_the_test_examples_of_a_translator():
    """They are the test split of the bundled photos, the data that ``test_data`` names, or else the training data."""
    loaded = []

    def load(name, split, argument):
        loaded.append((name, split, argument))
        return images(*((8, 8, 3) if name != "large" else (16, 16, 3)))

    config = cyclegan.Config(data="photos:gravel")
    assert isinstance(config, TranslationSettings)
    train, test = config.load_train_and_test(load)
    assert train is not test and loaded == [
        ("photos:gravel", "train", "data"),
        ("photos:gravel", "test", "data"),
    ]
    for folder in ("mine", "photos/", "photos_of_mine"):
        train, test = dataclasses.replace(config, data=folder).load_train_and_test(load)
        assert train is test
    train, test = config.load_train_and_test(load, source := images(8, 8, 3))
    assert train is test is source
    with pytest.raises(
        ValueError, match=r"`test_data` \(mine\) has images of shape \(16, 16, 3\), but `data` has .*\(8, 8, 3\)"
    ):
        dataclasses.replace(config, test_data="large").load_train_and_test(load)
    assert loaded[-1] == ("large", "train", "test_data")


@pytest.mark.parametrize(
    ("folders", "data", "expected"),
    [
        (["train/x.png", "test/x.png"], "train", ("test", "train", "test_data")),
        (["Train/x.png", "val/x.png"], "Train", ("val", "train", "test_data")),
        (["train/x.png", "val/x.png", "Test/x.png"], "train", ("Test", "train", "test_data")),
        (["train/x.png", "val/x.png"], "", ("", "validation", "data")),
        (["train/x.png", "test/notes.txt"], "train", None),
        (["cats/x.png", "test/x.png"], "cats", None),
    ],
)
def test_the_test_split_of_a_folder_is_the_default_of_the_test_data(folders, data, expected, tmp_path):
    for name in folders:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        if file.suffix == ".png":
            Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file)
        else:
            file.write_text("none")
    loaded = []

    def load(name, split, argument):
        loaded.append((name, split, argument))
        return images(8, 8, 3)

    cyclegan.Config(data=str(tmp_path / data)).load_train_and_test(load)
    assert loaded[1:] == ([(str(tmp_path / expected[0]), *expected[1:])] if expected else [])
    with_inputs = cyclegan.Config(data=str(tmp_path / data), data_a="elsewhere")
    loaded.clear()
    with_inputs.load_train_and_test(load)  # the inputs of a folder beside the data are unknown
    assert [name for name, *_ in loaded] == [with_inputs.data] * len(loaded)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("z_dim", 2**63, "`z_dim` must be at most 2147483647, got 9223372036854775808"),
        ("z_dim", 0, "`z_dim` must be at least 1, got 0"),
        ("n_critic", 1001, "`n_critic` must be between 1 and 1000, got 1001"),
    ],
)
def test_integers_that_cannot_be_computed_or_compiled_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        check_ranges(argparse.Namespace(**{name: value}), **{name: DEPTH if name == "n_critic" else COUNT})
