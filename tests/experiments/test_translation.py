"""What pix2pix, CycleGAN and SRGAN share: what they are trained on, measured on and held to."""

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
    """Every player's losses, by the game's first step."""
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    return jax.eval_shape(experiment.game.step, state, batch)[1]


def test_both_of_a_pair_are_augmented_alike():
    """An image whose pixels tell where they were: what is made of it and it stay the same; other keys do otherwise."""
    config = pix2pix.Config()
    image = jnp.linspace(-1, 1, 4 * 16 * 16 * 3).reshape(4, 16, 16, 3)
    keys, others = (jax.random.split(jax.random.key(seed), 4) for seed in (0, 1))
    np.testing.assert_array_equal(config.jitter_and_mirror(keys, image), config.jitter_and_mirror(keys, image))
    assert (config.jitter_and_mirror(keys, image) != config.jitter_and_mirror(others, image)).any()
    as_it_was = pix2pix.Config(jitter=False, mirror=False)
    np.testing.assert_array_equal(as_it_was.jitter_and_mirror(keys, image), image)


@pytest.mark.parametrize("name", ["pix2pix", "srgan"])
def test_labels_of_the_data_are_no_images(name):
    source = Arrays(images(8), labels=np.arange(8, dtype=np.int32) % 2, classes=("a", "b"))
    experiment = built(name, source)
    batch = normalize(experiment.source.read(np.arange(8)))
    assert {"d/loss", "g/loss"} <= set(one_step(experiment, batch))


@pytest.mark.parametrize(
    ("source", "told"),
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
def test_domains_have_one_shape(source, told):
    with pytest.raises(ValueError, match=told):
        built("cyclegan", source)


@pytest.mark.parametrize(("of_images", "of_inputs"), [(8, 5), (5, 8)])
def test_every_input_is_translated_once_and_every_image_counts_once(of_images, of_inputs):
    source = Unpaired(Arrays(images(of_images)), Arrays(images(of_inputs)))
    experiment = built("cyclegan", source)
    assert (experiment.num_samples, len(experiment.reference)) == (of_inputs, of_images)
    np.testing.assert_array_equal(experiment.reference.read(np.arange(of_images))["image"], source.images.images)
    with pytest.raises(
        ValueError, match=f"`count` must be at most {of_inputs}, the number of images to translate, got {of_inputs + 1}"
    ):
        quality.evaluate(experiment, None, ["fid"], None, count=of_inputs + 1)  # pyright: ignore
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    assert np.isfinite(PixelScore(experiment, 0)(state))


def test_without_a_game_the_discriminator_is_idle():
    experiment = built("pix2pix", Arrays(images(8)), adv_weight=0.0)
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    after, told = jax.jit(experiment.game.step)(state, normalize(experiment.source.read(np.arange(8))))
    assert {"d/idle", "g/l1"} <= set(told) and "g/adversarial" not in told
    changed = {
        net: jax.tree.map(lambda a, b: bool((a != b).any()), *((s.params[net], s.stats[net]) for s in (state, after)))
        for net in ("d", "g")
    }
    assert not any(jax.tree.leaves(changed["d"])) and any(jax.tree.leaves(changed["g"]))


CONTENT = {
    "no file": (
        {"content_loss": "vgg19"},
        3,
        "requires `content_file`, the file of its weights. Download them from https://download.pytorch",
    ),
    "no file of Inception's": (
        {"content_loss": "inception"},
        3,
        "the file of its weights. Download pt_inception-2015-12-05-6726825d.pth",
    ),
    "no use": ({"content_loss": "pixels", "content_file": "x.pth"}, 3, "does not use `content_file`; leave it out"),
    "grey": ({"content_loss": "vgg19", "content_file": "x.pth"}, 1, "requires images of 3 channels, but these have 1"),
    "of patches": (
        {"content_loss": "discriminator"},
        3,
        "a discriminator of patches does not have; set `discriminator` to image",
    ),
}


@pytest.mark.parametrize(("changes", "channels", "told"), CONTENT.values(), ids=CONTENT.keys())
def test_content_that_cannot_be(changes, channels, told):
    with pytest.raises(ValueError, match=told):
        built("srgan", Arrays(images(4, channels=channels)), **changes)


def weights(path, of):
    """A file of random ones for VGG19 or Inception's first layers."""
    if of == "vgg19":
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


def test_content_of_images_in_which_inception_sees_nothing(tmp_path):
    """16 pixels, the next that the scale of 4 divides, are what the test below has."""
    config = srgan.Config.tiny(
        content_loss="inception", content_file=weights(tmp_path / "w.npz", "inception"), resolution=12
    )
    with pytest.raises(ValueError, match="inception requires at least 14 x 14 pixels, got 12 x 12; set `resolution`"):
        srgan.networks(config, 12, 3)


@pytest.mark.parametrize(
    "name", ["discriminator", "pixels", "inception", pytest.param("vgg19", marks=pytest.mark.slow)]
)
def test_content_is_none_of_equal_images_and_some_of_others(name, tmp_path):
    """Its network is the state's, owned by no player, and not trained."""
    size = 16
    file = weights(tmp_path / "w.npz", name) if name in ("inception", "vgg19") else None
    config = srgan.Config.tiny(content_loss=name, content_file=file, resolution=size, discriminator="image")
    nets, held = srgan.networks(config, size, 3)
    experiment = srgan.build(config, Arrays(images(8, size)))
    owned = {net for player in experiment.game.players.values() for net in player.owns}
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    assert ("content" in state.params) == (file is not None) and "content" not in owned
    x = jnp.asarray(images(2, size) / np.float32(127.5) - 1)
    functions = experiment.game.functions(state)
    ours, same, other = (held(functions, y) for y in (x, x, x[::-1]))
    np.testing.assert_array_equal(ours, same)
    assert np.abs(ours - other).mean() > 0.01 * np.abs(ours).mean()
    assert set(nets) == set(state.params)


def test_the_game_leaves_the_contents_network_alone(tmp_path):
    config = {
        "content_loss": "inception",
        "content_file": weights(tmp_path / "w.npz", "inception"),
        "pretrain_steps": 0,
    }
    experiment = built("srgan", Arrays(images(8, 32)), **config, resolution=32)
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    after, told = jax.jit(experiment.game.step)(state, normalize(experiment.source.read(np.arange(8))))
    assert float(told["g/content"]) > 0
    for before, now in zip(*(jax.tree.leaves(x.params["content"]) for x in (state, after)), strict=True):
        np.testing.assert_array_equal(before, now)
    assert any((a != b).any() for a, b in zip(*(jax.tree.leaves(x.params["g"]) for x in (state, after))))


@pytest.mark.parametrize(
    ("discriminator", "loss", "gamma", "at_first", "at_last"),
    [
        ("patches", "relativistic", 0.1, 0.6, 0.25),
        pytest.param("image", "non_saturating", 0.0, 1.3, 0.5, marks=pytest.mark.slow),
    ],
)
def test_srgans_discriminator_learns_to_tell_reals(discriminator, loss, gamma, at_first, at_last):
    """Of noise, which no enlargement is like: by batches' means alone, after normalisation, it does not."""
    config = srgan.Config.tiny(
        pretrain_steps=0, d_channels=4, adv_weight=0.0, game_learning_rate=2e-3,
        discriminator=discriminator, loss=loss, gamma=gamma,
    )  # fmt: skip
    source = Arrays(images(64))
    game = srgan.build(config, source).game
    state, step = jax.jit(game.init)(jax.random.key(0)), jax.jit(game.step)
    told, metrics = [], {}
    for i in range(40):
        state, metrics = step(state, normalize(source.read(np.arange(8 * i, 8 * i + 8) % 64)))
        told.append(float(metrics["d/loss"]))
    assert told[0] > at_first and np.mean(told[-5:]) < at_last
    assert ("d/r1" in metrics) == (gamma > 0)


def moved(after, before) -> float:
    pairs = zip(*(jax.tree.leaves(x.params) for x in (after, before)), strict=True)
    return max(float(jnp.abs(a - b).max()) for a, b in pairs)


def test_srgans_players_move_at_the_games_rate():
    """By Adam's first moves, which are as large as the rate: L2 alone has its own."""
    source = Arrays(images(8))
    experiment = built("srgan", source, pretrain_steps=30, learning_rate=1e-3, game_learning_rate=1e-5)
    batch, first = normalize(source.read(np.arange(8))), jax.jit(experiment.at(0).init)(jax.random.key(0))
    alone, game = jax.jit(experiment.at(0).step), jax.jit(experiment.at(30).step)
    state, _ = alone(first, batch)
    np.testing.assert_allclose(moved(state, first), 1e-3, rtol=0.05)
    state, told = game(first, batch)
    np.testing.assert_allclose(moved(state, first), 1e-5, rtol=0.05)
    assert min(float(told["d/r1"]), float(told["d/r2"])) > 0
    state = first
    for _ in range(30):  # by Adam's means of so many gradients of 0 the discriminator would move 2.7 times as far
        state, _ = alone(state, batch)
    after, _ = game(state, batch)
    of_d = [dataclasses.replace(x, params={"d": x.params["d"]}) for x in (after, state)]
    np.testing.assert_allclose(moved(*of_d), 1e-5, rtol=0.05)


NO_PAIRS = {
    "grey of grey": (
        {"inputs": "grey", "resolution": 16},
        1,
        "`inputs` cannot be grey, because the images of the data are grey; set it to edges or hole",
    ),
    "another folder": (
        {"inputs": "edges", "data_a": "drawings"},
        3,
        "^`data_a` names the inputs of pairs, but `inputs` is edges; set `inputs` to pairs",
    ),
    "another folder to test on": (
        {"inputs": "hole", "test_data_a": "holes"},
        3,
        "^`test_data_a` names the inputs of pairs",
    ),
}


@pytest.mark.parametrize(("changes", "channels", "told"), NO_PAIRS.values(), ids=NO_PAIRS.keys())
def test_inputs_that_pix2pix_would_not_learn_from(changes, channels, told):
    with pytest.raises(ValueError, match=told):
        built("pix2pix", Arrays(images(4, channels=channels)), **changes)


REFUSED = {
    "small": (
        {"resolution": 12},
        12,
        "`resolution` must be at least 15 for patches at scale 4, got 12; increase it, or set `discriminator` to image",
    ),
    "mixed": ({"norm": "batch"}, 16, "`norm` batch mixes the examples of a batch, .*; set `gamma` to 0"),
}


@pytest.mark.parametrize(("changes", "size", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_srgans_games_that_cannot_be(changes, size, told):
    with pytest.raises(ValueError, match=told):
        built("srgan", Arrays(images(4, size)), **changes)


def test_an_image_and_its_enlargement_are_seen_at_one_place():
    """A window of each example's own, 3 pixels smaller at a scale of 4, by the keys alone."""
    keys, x = jax.random.split(jax.random.key(0), 8), np.arange(16.0)[None, :, None, None] + np.zeros((8, 16, 16, 3))
    config = srgan.Config.tiny()
    seen = np.asarray(srgan.d_view(config, keys, jnp.asarray(x)))
    assert seen.shape == (8, 13, 13, 3)
    np.testing.assert_array_equal(seen[:, :, 0, 0] - seen[:, :1, 0, 0], np.tile(np.arange(13.0), (8, 1)))
    assert len(set(seen[:, 0, 0, 0])) > 1
    np.testing.assert_array_equal(srgan.d_view(config, keys, jnp.asarray(x + 100)), seen + 100)
