"""Properties that pix2pix, CycleGAN and SRGAN share: their data, their evaluation and the errors for wrong settings."""

import dataclasses
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import pix2pix, srgan
from jaxgan.data import Arrays, Unpaired, normalize
from jaxgan.experiment import quality
from jaxgan.experiment.pixel_score import PixelScore
from jaxgan.models import vgg

pytestmark = pytest.mark.integration

RNG = np.random.default_rng(0)


def images(count, size=16, channels=3):
    return RNG.integers(0, 256, (count, size, size, channels), np.uint8)


def built(name, source, **changes):
    module = importlib.import_module(f"experiments.{name}")
    return module.build(module.Config.tiny(**changes), source)


def one_step(experiment, batch):
    """Return the shapes of all metrics of the game's first step."""
    state = jax.eval_shape(experiment.game.init, jax.random.key(0))
    return jax.eval_shape(experiment.game.step, state, batch)[1]


def test_equal_keys_give_equal_crops_and_mirroring():
    """All pixels of the image differ, so each crop gives another result."""
    config = pix2pix.Config()
    image = jnp.linspace(-1, 1, 4 * 16 * 16 * 3).reshape(4, 16, 16, 3)
    keys, others = (jax.random.split(jax.random.key(seed), 4) for seed in (0, 1))
    np.testing.assert_array_equal(config.jitter_and_mirror(keys, image), config.jitter_and_mirror(keys, image))
    assert (config.jitter_and_mirror(keys, image) != config.jitter_and_mirror(others, image)).any()
    unchanged = pix2pix.Config(jitter=False, mirror=False)
    np.testing.assert_array_equal(unchanged.jitter_and_mirror(keys, image), image)


@pytest.mark.parametrize("name", ["pix2pix", "srgan"])
def test_data_with_labels_can_be_used(name):
    source = Arrays(images(8), labels=np.arange(8, dtype=np.int32) % 2, classes=("a", "b"))
    experiment = built(name, source)
    batch = normalize(experiment.source.read(np.arange(8)))
    assert {"d/loss", "g/loss"} <= set(one_step(experiment, batch))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            Unpaired(Arrays(images(4)), Arrays(images(4, channels=1))),
            r"domain B of shape \(16, 16, 3\) and images of domain A of shape \(16, 16, 1\)",
        ),
        (
            Unpaired(Arrays(images(4)), Arrays(images(4, size=24))),
            r"domain A of shape \(24, 24, 3\), but both domains must have the same shape; set `resolution` and `channels`",
        ),
        (Arrays(images(4)), "domain A of shape None"),
    ],
)
def test_domains_of_different_shapes_are_refused(source, message):
    with pytest.raises(ValueError, match=message):
        built("cyclegan", source)


@pytest.mark.parametrize(("num_images", "num_inputs"), [(8, 5), (5, 8)])
def test_evaluation_uses_each_input_and_each_image_once(num_images, num_inputs):
    source = Unpaired(Arrays(images(num_images)), Arrays(images(num_inputs)))
    experiment = built("cyclegan", source)
    assert (experiment.num_samples, len(experiment.reference)) == (num_inputs, num_images)
    np.testing.assert_array_equal(experiment.reference.read(np.arange(num_images))["image"], source.images.images)
    with pytest.raises(
        ValueError,
        match=f"`count` must be at most {num_inputs}, the number of images to translate, got {num_inputs + 1}",
    ):
        quality.evaluate(experiment, None, ["fid"], None, count=num_inputs + 1)  # pyright: ignore
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    assert np.isfinite(PixelScore(experiment, 0)(state))


def test_discriminator_is_idle_without_adversarial_loss():
    experiment = built("pix2pix", Arrays(images(8)), adv_weight=0.0)
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    after, metrics = jax.jit(experiment.game.step)(state, normalize(experiment.source.read(np.arange(8))))
    assert {"d/idle", "g/l1"} <= set(metrics) and "g/adversarial" not in metrics
    changed = {
        net: jax.tree.map(lambda a, b: bool((a != b).any()), *((s.params[net], s.stats[net]) for s in (state, after)))
        for net in ("d", "g")
    }
    assert not any(jax.tree.leaves(changed["d"])) and any(jax.tree.leaves(changed["g"]))


CONTENT = {
    "no file of VGG19": (
        {"content_loss": "vgg19"},
        3,
        "requires `content_file`, the file of its weights. To download the file, run `jaxgan weights vgg19`; or save https://download.pytorch",
    ),
    "no file of Inception": (
        {"content_loss": "inception"},
        3,
        "the file of its weights. To download the file, run `jaxgan weights inception`; or save ",
    ),
    "unused file": (
        {"content_loss": "pixels", "content_file": "x.pth"},
        3,
        "does not use `content_file`; leave it out",
    ),
    "grey": ({"content_loss": "vgg19", "content_file": "x.pth"}, 1, "requires images of 3 channels, but these have 1"),
    "complete images and a discriminator of patches": (
        {"content_loss": "discriminator"},
        3,
        "the discriminator computes features of patches. Set `discriminator` to image",
    ),
}


@pytest.mark.parametrize(("changes", "channels", "message"), CONTENT.values(), ids=CONTENT.keys())
def test_invalid_content_losses_are_refused(changes, channels, message):
    with pytest.raises(ValueError, match=message):
        built("srgan", Arrays(images(4, channels=channels)), **changes)


def write_weights(path, network):
    """Write random weights of VGG19 or of Inception's first layers, and return the path."""
    if network == "vgg19":
        before, found, place = 3, {}, 0
        for features, count in vgg.BLOCKS:
            for _ in range(count):
                deviation = np.sqrt(2 / 9 / before)
                found[f"features.{place}.weight"] = RNG.normal(0, deviation, (features, before, 3, 3)).astype("float32")
                found[f"features.{place}.bias"] = np.zeros(features, np.float32)
                place, before = place + 2, features
            place += 1
    else:
        shapes = {"conv": (3, 32), "conv_1": (32, 32), "conv_2": (32, 64), "conv_3": (64, 80), "conv_4": (80, 192)}
        found = {}
        for unit, (before, features) in shapes.items():
            side = 1 if unit == "conv_3" else 3
            found[f"{unit}/w"] = RNG.normal(0, 0.1, (side, side, before, features)).astype(np.float32)
            found[f"{unit}/b"] = np.zeros(features, np.float32)
    np.savez(path, **found)
    return str(path)


def test_images_that_are_too_small_for_inception_are_refused(tmp_path):
    """The next resolution that is a multiple of the scale, 16, is used in the test below."""
    config = srgan.Config.tiny(
        content_loss="inception", content_file=write_weights(tmp_path / "w.npz", "inception"), resolution=12
    )
    with pytest.raises(ValueError, match="inception requires at least 14 x 14 pixels, got 12 x 12; set `resolution`"):
        srgan.networks(config, 12, 3)


@pytest.mark.parametrize(
    "name", ["discriminator", "pixels", "inception", pytest.param("vgg19", marks=pytest.mark.slow)]
)
def test_content_features_differ_between_different_images(name, tmp_path):
    """The network of the features is a part of the state that no player owns."""
    size = 16
    file = write_weights(tmp_path / "w.npz", name) if name in ("inception", "vgg19") else None
    config = srgan.Config.tiny(content_loss=name, content_file=file, resolution=size, discriminator="image")
    nets, content = srgan.networks(config, size, 3)
    experiment = srgan.build(config, Arrays(images(8, size)))
    owned = {net for player in experiment.game.players.values() for net in player.owns}
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    assert ("content" in state.params) == (file is not None) and "content" not in owned
    x = jnp.asarray(images(2, size) / np.float32(127.5) - 1)
    functions = experiment.game.functions(state)
    ours, same, other = (content(functions, y) for y in (x, x, x[::-1]))
    np.testing.assert_array_equal(ours, same)
    assert np.abs(ours - other).mean() > 0.01 * np.abs(ours).mean()
    assert set(nets) == set(state.params)


def test_network_of_the_content_loss_is_not_trained(tmp_path):
    config = {
        "content_loss": "inception",
        "content_file": write_weights(tmp_path / "w.npz", "inception"),
        "pretrain_steps": 0,
        "gamma": 0.0,
    }
    experiment = built("srgan", Arrays(images(8)), **config)
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    after, metrics = jax.jit(experiment.game.step)(state, normalize(experiment.source.read(np.arange(8))))
    assert float(metrics["g/content"]) > 0
    for before, now in zip(*(jax.tree.leaves(x.params["content"]) for x in (state, after)), strict=True):
        np.testing.assert_array_equal(before, now)
    assert any((a != b).any() for a, b in zip(*(jax.tree.leaves(x.params["g"]) for x in (state, after))))


@pytest.mark.parametrize(
    ("discriminator", "loss", "gamma", "first_loss", "last_loss"),
    [
        ("patches", "relativistic", 0.1, 0.6, 0.25),
        pytest.param("image", "non_saturating", 0.0, 1.3, 0.5, marks=pytest.mark.slow),
    ],
)
def test_srgan_discriminator_learns_to_recognise_real_images(discriminator, loss, gamma, first_loss, last_loss):
    """The real images are noise, which enlarged images never resemble."""
    config = srgan.Config.tiny(
        pretrain_steps=0, d_channels=4, adv_weight=0.0, game_learning_rate=2e-3,
        discriminator=discriminator, loss=loss, gamma=gamma,
    )  # fmt: skip
    source = Arrays(images(64))
    game = srgan.build(config, source).game
    state, step = jax.jit(game.init)(jax.random.key(0)), jax.jit(game.step)
    d_losses, metrics = [], {}
    for i in range(40):
        state, metrics = step(state, normalize(source.read(np.arange(8 * i, 8 * i + 8) % 64)))
        d_losses.append(float(metrics["d/loss"]))
    assert d_losses[0] > first_loss and np.mean(d_losses[-5:]) < last_loss
    assert ("d/r1" in metrics) == (gamma > 0)


def largest_update(after, before) -> float:
    """Return the largest absolute change of a parameter."""
    pairs = zip(*(jax.tree.leaves(x.params) for x in (after, before)), strict=True)
    return max(float(jnp.abs(a - b).max()) for a, b in pairs)


def test_srgan_uses_the_learning_rates_of_both_phases():
    """The first update of Adam is as large as the learning rate."""
    source = Arrays(images(8))
    experiment = built("srgan", source, pretrain_steps=30, learning_rate=1e-3, game_learning_rate=1e-5)
    batch, first = normalize(source.read(np.arange(8))), jax.jit(experiment.at(0).init)(jax.random.key(0))
    pretraining, game = jax.jit(experiment.at(0).step), jax.jit(experiment.at(30).step)
    state, _ = pretraining(first, batch)
    np.testing.assert_allclose(largest_update(state, first), 1e-3, rtol=0.05)
    state, metrics = game(first, batch)
    np.testing.assert_allclose(largest_update(state, first), 1e-5, rtol=0.05)
    assert min(float(metrics["d/r1"]), float(metrics["d/r2"])) > 0
    state = first
    for _ in range(
        30
    ):  # if Adam averaged the 30 gradients of 0, the update of the discriminator would be 2.7 times larger
        state, _ = pretraining(state, batch)
    after, _ = game(state, batch)
    d_states = [dataclasses.replace(x, params={"d": x.params["d"]}) for x in (after, state)]
    np.testing.assert_allclose(largest_update(*d_states), 1e-5, rtol=0.05)


INVALID_INPUTS = {
    "grey from grey": (
        {"inputs": "grey", "resolution": 16},
        1,
        "`inputs` cannot be grey, because the images of the data are grey; set it to edges or hole",
    ),
    "folder of inputs": (
        {"inputs": "edges", "data_a": "drawings"},
        3,
        "^`data_a` has no effect if `inputs` is edges. Set `inputs` to pairs",
    ),
    "folder of test inputs": (
        {"inputs": "hole", "test_data_a": "holes"},
        3,
        "^`test_data_a` has no effect if `inputs` is",
    ),
}


@pytest.mark.parametrize(("changes", "channels", "message"), INVALID_INPUTS.values(), ids=INVALID_INPUTS.keys())
def test_invalid_inputs_of_pix2pix_are_refused(changes, channels, message):
    with pytest.raises(ValueError, match=message):
        built("pix2pix", Arrays(images(4, channels=channels)), **changes)


REFUSED = {
    "resolution": (
        {"resolution": 12},
        12,
        "`resolution` must be at least 15 with `discriminator` patches and `scale` 4, got 12; increase it, or set `discriminator` to image",
    ),
    "batch normalisation": ({"norm": "batch"}, 16, "`norm` batch mixes the examples of a batch, .*; set `gamma` to 0"),
}


@pytest.mark.parametrize(("changes", "size", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_invalid_settings_of_srgan_are_refused(changes, size, message):
    with pytest.raises(ValueError, match=message):
        built("srgan", Arrays(images(4, size)), **changes)


def test_discriminator_receives_the_same_window_of_an_image_and_its_enlargement():
    """The window depends on the key of the example alone. At a scale of 4, it is 3 pixels smaller than the image."""
    keys, x = jax.random.split(jax.random.key(0), 8), np.arange(16.0)[None, :, None, None] + np.zeros((8, 16, 16, 3))
    config = srgan.Config.tiny()
    window = np.asarray(srgan.d_view(config, keys, jnp.asarray(x)))
    assert window.shape == (8, 13, 13, 3)
    np.testing.assert_array_equal(window[:, :, 0, 0] - window[:, :1, 0, 0], np.tile(np.arange(13.0), (8, 1)))
    assert len(set(window[:, 0, 0, 0])) > 1
    np.testing.assert_array_equal(srgan.d_view(config, keys, jnp.asarray(x + 100)), window + 100)
