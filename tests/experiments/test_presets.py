"""Presets of every experiment: their settings are valid, and those of papers create networks of the papers' sizes."""

import ast
import dataclasses
import importlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.cli import experiment_files
from jaxgan.core.representation import count_parameters
from jaxgan.data import Arrays, NamedArrays, series, tables
from jaxgan.data.source import Unpaired
from jaxgan.data.survey import Survey
from jaxgan.experiment import photo_settings
from jaxgan.experiment.advice import advice
from jaxgan.models import vgg

NAMES = experiment_files.names()

# From each paper: some characteristic settings, the path of one parameter of its networks, and its shape.
PAPERS = {
    "gan": ({"batch_size": 100, "z_dim": 100}, ("d", "maxout_0", "kernel"), (784, 240 * 5)),
    "dcgan": ({"learning_rate": 2e-4, "beta1": 0.5, "batch_size": 128}, ("g", "linear", "kernel"), (100, 4 * 4 * 1024)),
    "cgan": ({"batch_size": 100}, ("g", "label", "kernel"), (10, 1000)),
    "wgan": ({"weight_clip": 0.01, "n_critic": 5, "learning_rate": 5e-5}, ("d", "down_3", "kernel"), (4, 4, 256, 512)),
    "wgan_gp": ({"gp_weight": 10.0, "beta1": 0.0, "beta2": 0.9}, ("g", "linear", "kernel"), (128, 4 * 4 * 128)),
    "sngan": ({"n_dis": 5, "learning_rate": 2e-4}, ("g", "linear", "kernel"), (128, 4 * 4 * 256)),
    "r3gan": ({"z_dim": 64, "gamma": 0.05, "gamma_final": 0.005}, ("g", "block_3_1", "mix", "kernel"), (96, 3, 3, 16, 16)),
    "stylegan2": ({"r1_gamma": 10.0, "r1_interval": 16, "pl_weight": 2.0, "style_mixing_prob": 0.9}, ("synthesis", "constant"), (4, 4, 512)),
    "gan3d": ({"d_learning_rate": 1e-5, "learning_rate": 2.5e-3, "d_pause_accuracy": 0.8}, ("g", "linear", "kernel"), (200, 4**3 * 512)),
    "vae": ({"learning_rate": 1e-3, "batch_size": 128}, ("encoder", "hidden_0", "kernel"), (784, 500)),
    "text": ({"gp_weight": 10.0, "n_critic": 10, "learning_rate": 1e-4, "z_dim": 128}, ("g", "conv_4_1", "kernel"), (5, 512, 512)),
    "points": ({"gp_weight": 0.1, "n_critic": 5}, ("g", "hidden_1", "kernel"), (512, 512)),
    "pix2pix": ({"lambda_l1": 100.0, "batch_size": 1, "dropout": 0.5}, ("d", "conv_0", "kernel"), (4, 4, 6, 64)),
    "cyclegan": ({"lambda_cycle": 10.0, "pool_size": 50, "num_blocks": 9}, ("g_ab", "first", "kernel"), (7, 7, 3, 64)),
    "series": ({"window": 24, "test_fraction": 0.0, "batch_size": 128}, ("g", "series", "kernel"), (32, 24 * 32)),
    "ctgan": ({"pac": 10, "batch_size": 500, "temperature": 0.2, "learning_rate": 2e-4}, ("d", "hidden_1", "kernel"), (256, 256)),
    "timegan": ({"gamma": 1.0, "batch_size": 128, "min_discriminator_loss": 0.15}, ("supervisor", "gru_1", "hn", "kernel"), (24, 24)),
    "srgan": ({"num_blocks": 16, "adv_weight": 1e-3, "pretrain_steps": 10**6}, ("g", "first", "kernel"), (9, 9, 3, 64)),
}  # fmt: skip


def module_of(name):
    return importlib.import_module(f"experiments.{name}")


def preset(name, which):
    module = module_of(name)
    return dataclasses.replace(module.Config(), **module.PRESETS[which])


def black(*shape, count=4):
    return np.zeros((count, *shape), np.uint8)


def blank_source(name):
    """Return examples of the shape that the paper uses, all zeros."""
    ten = {"labels": np.arange(10, dtype=np.int32), "classes": tuple("0123456789")}
    if name == "points":
        return Arrays(np.zeros((4, 2), np.float32))
    if name == "text":
        return NamedArrays({"text": np.zeros((4, 32), np.uint8)}, details={"characters": "abc", "length": 32})
    if name in ("gan", "vae"):
        return Arrays(black(28, 28, 1))
    if name == "cgan":
        return Arrays(black(28, 28, 1, count=10), **ten)
    if name == "gan3d":
        return Arrays(black(64, 64, 64, 1))
    if name == "ctgan":
        return tables.load()
    if name == "pix2pix":
        return Arrays(black(256, 256, 3), inputs=black(256, 256, 3))
    if name in ("series", "timegan"):
        return series.load("sines", test_fraction=0)
    if name == "cyclegan":
        return Unpaired(Arrays(black(256, 256, 3)), Arrays(black(256, 256, 3)))
    size = preset(name, "paper").resolution
    return Arrays(black(size, size, 3, count=10), **ten)


def blank_vgg19(path):
    """Write a file of VGG19's convolutions, all zeros, and return its path."""
    arrays, before, place = {}, 3, 0
    for channels, count in vgg.BLOCKS:
        for _ in range(count):
            arrays[f"features.{place}.weight"] = np.zeros((channels, before, 3, 3), np.float32)
            arrays[f"features.{place}.bias"] = np.zeros(channels, np.float32)
            before, place = channels, place + 2
        place += 1
    np.savez_compressed(path, **arrays)
    return str(path)


@pytest.mark.parametrize("name", NAMES)
def test_presets_have_valid_settings_and_literal_names(name):
    module = module_of(name)
    tree = ast.parse(Path(module.__file__).read_text())
    (found,) = [x.value for x in tree.body if isinstance(x, ast.Assign) and ast.unparse(x.targets[0]) == "PRESETS"]
    assert [ast.literal_eval(key) for key in found.keys] == list(module.PRESETS)
    assert {"paper", "demo"} <= set(module.PRESETS)
    for which, settings in module.PRESETS.items():
        if not callable(settings):
            assert set(settings) <= {field.name for field in dataclasses.fields(module.Config)}, which
            preset(name, which).check()


@pytest.mark.parametrize("name", NAMES)
def test_header_names_all_presets(name):
    module = module_of(name)
    for which in module.PRESETS:
        assert f"--preset {which}" in " ".join(module.__doc__.split()), which


SLOW = ("cyclegan", "r3gan", "sngan", "srgan", "stylegan2", "text", "wgan_gp")  # tracing takes 5 to 25 s


@pytest.mark.integration
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in NAMES])
def test_paper_preset_creates_networks_of_the_papers_size(name, tmp_path):
    settings, path, shape = PAPERS[name]
    config = preset(name, "paper")
    assert {setting: getattr(config, setting) for setting in settings} == settings
    if name == "srgan":
        config = dataclasses.replace(config, content_file=blank_vgg19(tmp_path / "vgg19.npz"))
    built = module_of(name).build(config, blank_source(name))
    game = built.game
    state = jax.eval_shape(game.init, jax.random.key(0))
    parameter = state.params
    for part in path:
        parameter = parameter[part]
    assert parameter.shape == shape
    rows = config.batch_size * game.batch_multiple
    batch = jax.eval_shape(built.medium.normalize, built.source.read(np.zeros(rows, int)))
    after, metrics = jax.eval_shape(game.step, state, batch)
    assert jax.tree.map(jnp.shape, after.params) == jax.tree.map(jnp.shape, state.params)
    assert {f"{player}/loss" for player in game.unwrapped.players} <= set(metrics)


PHOTOS = [name for name in NAMES if "photos" in module_of(name).PRESETS]


def photos(name, monkeypatch, pictures, on_accelerator=False, **flags):
    """Return the settings of ``--preset photos`` for a survey of images, a kind of machine and flags."""
    module = module_of(name)
    monkeypatch.setattr(photo_settings, "survey", lambda data: pictures)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu" if on_accelerator else "cpu")
    given = {"data": "holiday", **flags}
    config = module.Config(**given)
    return dataclasses.replace(config, **module.PRESETS["photos"](config, given))


def test_two_experiments_have_settings_for_your_own_images():
    assert set(PHOTOS) == {"dcgan", "stylegan2"}


@pytest.mark.parametrize("name", PHOTOS)
def test_photos_augment_small_data_and_train_longer_on_accelerators(name, monkeypatch):
    few = photos(name, monkeypatch, Survey("holiday", 64, 100, 300, 3))
    many = photos(name, monkeypatch, Survey("holiday", 50_000, 100, 300, 3))
    augmented = [getattr(config, "crop", 0) > 0 or config.augment != "none" for config in (few, many)]
    assert augmented == [True, name == "stylegan2"]  # ADA of stylegan2 adapts to the data
    assert few.resolution == many.resolution == 64 and few.mirror
    large = photos(name, monkeypatch, Survey("holiday", 50_000, 100, 300, 3), on_accelerator=True)
    assert large.resolution == 256
    assert large.steps * large.batch_size > 3 * many.steps * many.batch_size


@pytest.mark.integration
@pytest.mark.parametrize("resolution", [16, 32, 48, 64])
@pytest.mark.parametrize("name", PHOTOS)
def test_photos_of_any_size_need_no_further_advice(name, resolution, monkeypatch):
    config = photos(name, monkeypatch, Survey("holiday", 300, 100, 300, 3), resolution=resolution)
    config.check()
    assert config.resolution == resolution
    if name == "stylegan2":
        assert config.r1_gamma == 0.0002 * resolution**2 / 16
    source = Arrays(128 + black(resolution, resolution, 3, count=300))
    built = module_of(name).build(config, source)
    state = jax.eval_shape(built.game.init, jax.random.key(0))
    assert count_parameters(state.params) < 2_000_000
    assert advice(config, source, on_cpu=True) == []
