"""What a run says about its settings before it starts."""

import dataclasses
import importlib
import pkgutil

import numpy as np
import pytest

import experiments
from experiments import dcgan, gan, pix2pix, stylegan2, wgan
from jaxgan.data import Arrays
from jaxgan.experiment.advice import advice

NAMES = [module.name for module in pkgutil.iter_modules(experiments.__path__) if module.name != "benchmarks"]


def images(count, size=8):
    return Arrays(np.zeros((count, size, size, 1), np.uint8))


@pytest.mark.parametrize(
    ("config", "source", "told"),
    [
        (
            gan.Config(steps=300),
            images(20),
            [
                "`data` has 20 examples, fewer than 100, so samples will at best be copies and blends of them; add more "
                "of the same kind.",
                "`data` has 20 examples, fewer than `batch_size` 100, so every batch has some of them twice; set "
                "`batch_size` to 16 or less.",
            ],
        ),
        (
            dcgan.Config(),
            images(1499),
            [
                "`data` has 1,499 examples, which the discriminator will know by heart; start from `preset` photos, or "
                "set `augment` to ada.",
            ],
        ),
        (dcgan.Config(augment="diffaugment"), images(1499), []),
        (dcgan.Config(crop=1), images(1499), []),
        (
            gan.Config(steps=5001, batch_size=200),
            images(200),
            [
                "`data` has 200 examples, and `steps` 5001 with `batch_size` 200 pass 5,001 times over them; 5,000 times "
                "are more than enough: set `steps` to 5000 or less.",
            ],
        ),
        (
            wgan.Config(),
            images(5000, 32),
            [
                "`base_resolution` 2 is for images of 8 x 8 or 16 x 16, and these are 32 x 32, for which the generator's "
                "first layers grow wide; set `base_resolution` to 4.",
            ],
        ),
        (wgan.Config(base_resolution=4), images(5000, 32), []),
        (pix2pix.Config(steps=100), images(50, 32), []),  # images are made of others, and not of the data
        (
            stylegan2.Config(),
            images(5000, 256),
            ["images of 256 x 256 train for days on a CPU; set `resolution` to 64, or use an accelerator."],
        ),
    ],
)
def test_what_is_said(config, source, told):
    assert advice(config, source, on_cpu=True) == told


def test_large_images_are_for_accelerators():
    assert advice(stylegan2.Config(), images(5000, 256), on_cpu=False) == []


def test_an_experiments_own_advice_comes_first():
    config = dataclasses.replace(importlib.import_module("experiments.sngan").Config(), lr_decay_steps=10)
    first, second = advice(config, images(50))[:2]
    assert "the learning rate is 0 after step 10" in first and "`data` has 50 examples" in second


@pytest.mark.parametrize("name", NAMES)
def test_the_default_run_is_fine(name):
    module = importlib.import_module(f"experiments.{name}")
    config = module.Config()
    assert advice(config, module.build(config).source, on_cpu=True) == []
