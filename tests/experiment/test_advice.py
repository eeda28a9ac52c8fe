"""Warnings about settings that do not fit the data, which a run prints before it starts."""

import dataclasses
import importlib
import pkgutil

import numpy as np
import pytest

import experiments
from experiments import ctgan, dcgan, gan, pix2pix, stylegan2, wgan
from jaxgan.data import Arrays
from jaxgan.experiment.advice import advice

NAMES = [module.name for module in pkgutil.iter_modules(experiments.__path__) if not module.ispkg]


def images(count, size=8, brightest=255):
    return Arrays(np.full((count, size, size, 1), brightest, np.uint8))


@pytest.mark.parametrize(
    ("config", "source", "expected"),
    [
        (
            gan.Config(steps=300),
            images(20),
            [
                "`data` has 20 examples, fewer than 100, so samples will be copies and mixtures of them at best. Add "
                "more examples of the same kind.",
                "`data` has 20 examples, fewer than `batch_size` 100, so every batch contains some examples twice. "
                "Set `batch_size` to 16 or less.",
            ],
        ),
        (
            dcgan.Config(),
            images(1499),
            [
                "`data` has 1,499 examples, so few that the discriminator will memorise them. Start from `preset` "
                "photos, or set `augment` to ada.",
            ],
        ),
        (dcgan.Config(augment="diffaugment"), images(1499), []),
        (dcgan.Config(crop=1), images(1499), []),
        (
            gan.Config(steps=5001, batch_size=200),
            images(200),
            [
                "`data` has 200 examples, and `steps` 5001 with `batch_size` 200 amount to 5,001 epochs. 5,000 "
                "epochs are more than enough. Set `steps` to 5000 or less.",
            ],
        ),
        (
            wgan.Config(),
            images(5000, 32),
            [
                "`base_resolution` 2 is meant for images of 8 x 8 or 16 x 16. For images of 32 x 32, it makes the "
                "generator's first layers very wide. Set `base_resolution` to 4.",
            ],
        ),
        (wgan.Config(base_resolution=4), images(5000, 32), []),
        (pix2pix.Config(steps=100), images(50, 32), []),  # translators cannot copy examples of the training data
        (
            stylegan2.Config(),
            images(5000, 256),
            ["Training on images of 256 x 256 takes days on a CPU. Set `resolution` to 64, or use an accelerator."],
        ),
    ],
)
def test_advice_for_settings_and_data(config, source, expected):
    assert advice(config, source, on_cpu=True) == expected


@pytest.mark.parametrize(
    ("count", "config", "expected"),
    [
        (150, ctgan.Config(batch_size=500), "Set `batch_size` to 150, or to a smaller multiple of 10."),
        (150, ctgan.Config(batch_size=500, pac=8), "Set `batch_size` to 128, or to a smaller multiple of 8."),
        (
            150,
            ctgan.Config(batch_size=500, grad_accum_steps=5),
            "Set `batch_size` to 150, or to a smaller multiple of 50.",
        ),
        (150, ctgan.Config(batch_size=500, pac=1), "Set `batch_size` to 128 or less."),
        (
            150,
            ctgan.Config(batch_size=500, pac=250),
            "No smaller `batch_size` avoids this, because it must be a multiple of 250. Add more examples.",
        ),
    ],
)
def test_the_recommended_batch_size_is_allowed(count, config, expected):
    rows = Arrays(np.zeros((count, 3), np.float32))
    (sentence,) = [sentence for sentence in advice(config, rows) if "some examples twice" in sentence]
    assert sentence.endswith(f"some examples twice. {expected}")


def test_large_images_need_no_advice_on_an_accelerator():
    assert advice(stylegan2.Config(), images(5000, 256), on_cpu=False) == []


@pytest.mark.parametrize(("brightest", "is_dark"), [(0, True), (4, True), (16, True), (17, False)])
def test_images_that_are_almost_black_are_reported(brightest, is_dark):
    expected = (
        f"The brightest pixel of 16 examples of `data` is {brightest} of 255, so the images are almost black. If their "
        "files contain values of 10 or 12 bits, scale the values to 16 bits first."
    )
    assert advice(stylegan2.Config(), images(5000, brightest=brightest)) == ([expected] if is_dark else [])


def test_values_that_are_no_pixels_are_not_called_dark():
    points = Arrays(np.full((5000, 2), -1, np.float32))
    assert advice(gan.Config(), points) == []


def test_the_advice_of_the_settings_comes_first():
    config = dataclasses.replace(importlib.import_module("experiments.sngan").Config(), lr_decay_steps=10)
    first, second = advice(config, images(50))[:2]
    assert "The learning rate is 0 after step 10" in first and "`data` has 50 examples" in second


@pytest.mark.parametrize("name", NAMES)
def test_the_default_run_needs_no_advice(name):
    module = importlib.import_module(f"experiments.{name}")
    config = module.Config()
    assert advice(config, module.build(config).source, on_cpu=True) == []
