"""Losses and helpers of the larger experiments, with simple functions as networks, against manually computed values."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.files import encoded, folder

from experiments import cyclegan, gan, pix2pix, r3gan, srgan, stylegan2
from jaxgan.data import degrade
from jaxgan.data.source import Unpaired

KEYS = jax.random.split(jax.random.key(0), 4)
IMAGES = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)), jnp.float32)
OTHERS = jnp.asarray(np.random.default_rng(1).uniform(-1, 1, (4, 16, 16, 3)), jnp.float32)
UNCHANGED = {"jitter": False, "mirror": False}


class Nets(dict):
    """Networks by name, also as attributes."""

    def __getattr__(self, name):
        return self[name]


class WithStats:
    """A network with a method ``with_stats``, which returns the given statistics.

    Args:
      function: computes the output.
      stats: any value, which a loss has to return.
    """

    def __init__(self, function, stats):
        self.function, self.stats = function, stats

    def __call__(self, *inputs):
        return self.function(*inputs)

    def with_stats(self, *inputs):
        return self.function(*inputs), self.stats


def patches(x):
    """Return the means over the quarters of images, as the logits of a discriminator."""
    return x.reshape(len(x), 2, 8, 2, 8, 3).mean((2, 4, 5))


def value(terms, name):
    """Return the mean of a term."""
    return float(jnp.mean(terms.terms[name]))


def cycle_nets():
    """Return networks for which the cycle errors are known: g_ab doubles, and g_ba halves and subtracts 0.1.

    The cycle from A to A has an error of 0.1, and that from B to B an error of 0.2.
    """
    return Nets(
        g_ab=lambda x: 2 * x,
        g_ba=lambda x: x / 2 - 0.1,
        d_a=patches,
        d_b=lambda x: -patches(x),
        pool_a=WithStats(lambda x, keys: x + 1, "pool of a"),
        pool_b=WithStats(lambda x, keys: x + 1, "pool of b"),
    )


def test_cyclegan_generators_loss():
    config = cyclegan.Config(lambda_cycle=10.0, lambda_identity=0.5, **UNCHANGED)
    batch = {"input": IMAGES, "image": OTHERS}
    a, b = cyclegan.domains(config, KEYS, batch)
    np.testing.assert_array_equal(a, IMAGES)
    np.testing.assert_array_equal(b, OTHERS)
    terms = cyclegan.generators_loss(config)(cycle_nets(), batch, KEYS, 0)
    np.testing.assert_allclose(value(terms, "cycle_a"), 10 * 0.1, rtol=1e-5)
    np.testing.assert_allclose(value(terms, "cycle_b"), 10 * 0.2, rtol=1e-5)
    np.testing.assert_allclose(value(terms, "identity_b"), 10 * 0.5 * np.abs(OTHERS).mean(), rtol=1e-5)
    np.testing.assert_allclose(value(terms, "identity_a"), 5 * np.abs(IMAGES / 2 + 0.1).mean(), rtol=1e-5)
    np.testing.assert_allclose(value(terms, "adversarial_ab"), np.square(-patches(2 * IMAGES) - 1).mean(), rtol=1e-5)
    without = cyclegan.Config(lambda_identity=0.0, **UNCHANGED)
    assert cyclegan.translate(without, cycle_nets(), IMAGES, OTHERS)[2] == {}


def test_cyclegan_discriminators_loss():
    """The discriminators receive fakes from the pools, and the loss returns the new states of the pools."""
    config = cyclegan.Config(**UNCHANGED)
    terms = cyclegan.discriminators_loss(config)(cycle_nets(), {"input": IMAGES, "image": OTHERS}, KEYS, 0)
    fake_a = patches(OTHERS / 2 - 0.1 + 1)
    expected = (np.square(patches(IMAGES) - 1) + np.square(fake_a)).mean() / 2
    np.testing.assert_allclose(value(terms, "adversarial_a"), expected, rtol=1e-5)
    assert terms.stats == {"pool_a": "pool of a", "pool_b": "pool of b"}


def test_cyclegan_image_sheet_and_data():
    sheet = cyclegan.cycle_sheet("g_ab", "g_ba", "input")(cycle_nets(), {"input": IMAGES.repeat(2, 0)}, KEYS)
    assert sheet.shape == (24, 16, 16, 3)
    np.testing.assert_allclose(sheet[8:16], 2 * IMAGES.repeat(2, 0), rtol=1e-6)
    source = cyclegan.load_domains(cyclegan.Config(), "photos:gravel", "train", "data")
    assert isinstance(source, Unpaired) and source.read(np.arange(2))["input"].shape == (2, 32, 32, 1)


def test_pix2pix_adversarial_losses():
    real, fake = jnp.array([0.5, -1.0]), jnp.array([2.0, 0.0])
    halved = 0.5 * (np.log1p(np.exp(-np.array(real))) + np.log1p(np.exp(np.array(fake))))
    np.testing.assert_allclose(pix2pix.halved_cross_entropy(real, fake), halved, rtol=1e-5)
    np.testing.assert_allclose(pix2pix.doubled_least_squares(fake), np.square(np.array(fake) - 1), rtol=1e-5)
    assert isinstance(pix2pix.ADVERSARIAL["least_squares"], pix2pix.Adversarial)


@pytest.mark.parametrize("loss", ["cross_entropy", "least_squares"])
def test_pix2pix_losses_of_both_players(loss):
    config = pix2pix.Config(inputs="pairs", loss=loss, lambda_l1=100.0, adv_weight=0.5, **UNCHANGED)
    nets = Nets(g=WithStats(lambda x, keys: x / 2, "of g"), d=WithStats(lambda x, y: patches(x + y), "of d"))
    batch = {"input": IMAGES, "image": OTHERS}
    terms = pix2pix.generator_loss(config)(nets, batch, KEYS, 0)
    np.testing.assert_allclose(value(terms, "l1"), 100 * np.abs(IMAGES / 2 - OTHERS).mean(), rtol=1e-5)
    logits = patches(1.5 * IMAGES)
    expected = np.log1p(np.exp(-logits)).mean() if loss == "cross_entropy" else np.square(logits - 1).mean()
    np.testing.assert_allclose(value(terms, "adversarial"), 0.5 * expected, rtol=1e-5)
    assert terms.stats == {"g": "of g"}
    terms = pix2pix.discriminator_loss(config)(nets, batch, KEYS, 0)
    undecided = 0.0 if loss == "cross_entropy" else 0.5
    right = float(jnp.mean(terms.metrics["accuracy_real"]))
    np.testing.assert_allclose(right, (patches(IMAGES + OTHERS) > undecided).mean(), atol=1e-6)
    alone = pix2pix.generator_loss(pix2pix.Config(inputs="pairs", adv_weight=0.0, **UNCHANGED))
    assert set(alone(nets, batch, KEYS, 0).terms) == {"l1"}


@pytest.mark.integration
def test_pix2pix_inputs():
    grey, hole = pix2pix.Config(inputs="grey"), pix2pix.Config(inputs="hole")
    np.testing.assert_array_equal(pix2pix.derive_inputs(grey, KEYS, IMAGES), degrade.to_grey(IMAGES))
    edges = jax.jit(functools.partial(pix2pix.derive_inputs, pix2pix.Config(inputs="edges")))(KEYS, IMAGES)
    np.testing.assert_array_equal(edges, jax.jit(degrade.draw_edges)(IMAGES))
    holed = pix2pix.inputs_of(hole, KEYS, {"image": IMAGES})
    assert holed.shape == (4, 16, 16, 4)  # the last channel is the mask
    # Pixels outside the hole are copied from the input.
    nets = Nets(g=WithStats(lambda x, keys: jnp.full((4, 16, 16, 3), 9.0), {}))
    made, _ = pix2pix.generate(hole, nets, holed, KEYS)
    assert ((made == 9.0) | (made == IMAGES)).all() and (made == 9.0).any() and (made == IMAGES).any()
    pairs = pix2pix.Config(inputs="pairs")
    assert pix2pix.inputs_of(pairs, KEYS, {"input": IMAGES, "image": OTHERS}) is IMAGES
    training_pairs = jax.jit(functools.partial(pix2pix.training_pairs, pairs))
    inputs, images = training_pairs(KEYS, {"input": IMAGES, "image": IMAGES})
    np.testing.assert_array_equal(inputs, images)  # the same crop and mirroring
    assert (images != IMAGES).any()


def test_pix2pix_data_and_directions(tmp_path):
    side_by_side = np.concatenate([np.zeros((8, 8, 3)), np.full((8, 8, 3), 255)], 1).astype(np.uint8)
    path = folder(tmp_path / "pairs", {"a.png": encoded(side_by_side, "png")})
    example = pix2pix.load_pairs(pix2pix.Config(inputs="pairs", data=str(path)), str(path), "train", "data").read(
        np.arange(1)
    )
    assert (example["input"].mean(), example["image"].mean()) == (255, 0)  # from right to left
    assert "input" not in pix2pix.load_pairs(pix2pix.Config(), "photos:china", "train", "data").read(np.arange(1))
    assert set(pix2pix.translations(pix2pix.Config(inputs="grey"), 1, 3, 16)) == {"to_image", "remake"}
    assert set(pix2pix.translations(pix2pix.Config(inputs="hole"), 4, 3, 16)) == {"to_image"}
    pix2pix.check(pix2pix.Config())
    with pytest.raises(ValueError, match=r"`dropout` must be between 0 and 0\.99, got 1\.0"):
        pix2pix.check(pix2pix.Config(dropout=1.0))


def test_srgan_losses():
    real, fake = jnp.array([0.5, -1.0]), jnp.array([0.0, 3.0])
    metrics = srgan.relativistic_metrics(real, fake)
    np.testing.assert_array_equal(metrics["accuracy"], [True, False])
    np.testing.assert_allclose(metrics["gap"], [0.5, -4.0])
    assert isinstance(srgan.ADVERSARIAL["non_saturating"], srgan.Adversarial)
    np.testing.assert_allclose(srgan.non_saturating_generator(real, fake), np.log1p(np.exp(-np.array(fake))), rtol=1e-5)
    config = srgan.Config(scale=2, residual=False, mirror=False, content_weight=2.0, adv_weight=0.5, gamma=0.0)
    low, high = srgan.training_pairs(config, KEYS, {"image": IMAGES})
    assert (low.shape, high is IMAGES) == ((4, 8, 8, 3), True)
    np.testing.assert_array_equal(low, srgan.downscale(config, IMAGES))
    np.testing.assert_allclose(low * 127.5 + 127.5, np.round(low * 127.5 + 127.5), atol=1e-4)  # rounded to 8 bits
    nets = Nets(g=WithStats(lambda x: jnp.zeros((4, 16, 16, 3)), "of g"), d=WithStats(lambda x: x.mean((1, 2, 3)), {}))
    l2 = srgan.l2_loss(config)(nets, {"image": IMAGES}, KEYS, 0)
    np.testing.assert_allclose(value(l2, "l2"), np.square(IMAGES).mean(), rtol=1e-5)
    terms = srgan.generator_loss(config, lambda nets, x: 3 * x)(nets, {"image": IMAGES}, KEYS, 0)
    np.testing.assert_allclose(value(terms, "content"), 2.0 * np.square(3 * IMAGES).mean(), rtol=1e-5)
    assert set(srgan.discriminator_loss(config)(nets, {"image": IMAGES}, KEYS, 0).terms) == {"adversarial"}
    added = srgan.enlarge(srgan.Config(scale=2), nets, low)[0]
    np.testing.assert_allclose(added, degrade.resize_bicubic(low, 1 / 2), atol=1e-6)


def test_srgan_checks():
    srgan.check_fits(srgan.Config(scale=4), 64)
    assert srgan.MIN_PATCH + 4 - 1 == 15
    with pytest.raises(ValueError, match="`resolution` must be a multiple of `scale`, 4, got 18"):
        srgan.check_fits(srgan.Config(scale=4), 18)
    srgan.check_content(srgan.Config(), IMAGES)
    small = jnp.zeros((1, srgan.MIN_INCEPTION - 1, srgan.MIN_INCEPTION - 1, 3))
    with pytest.raises(ValueError, match="inception requires at least 14 x 14 pixels, got 13 x 13"):
        srgan.check_content(srgan.Config(content_loss="inception", content_file="x.pth"), small)
    content, nets = srgan.content_features(srgan.Config(), IMAGES)
    assert nets == {} and content(None, IMAGES) is IMAGES
    assert srgan.WEIGHTS.keys() == {"inception", "vgg19"} and srgan.FEATURE_SCALE == 12.75


def test_stylegan2_helpers():
    conditional, unconditional = stylegan2.Config(conditional=True), stylegan2.Config()
    assert stylegan2.label_of(unconditional, {"label": 1}) == () and stylegan2.label_of(conditional, {"label": 1}) == (
        1,
    )
    config = stylegan2.Config.tiny()
    _, synthesis, _ = stylegan2.networks(config, (8, 8, 1), 0)
    styles = stylegan2.styles_of(synthesis)
    assert styles.num_ws == 4 and len(styles.noise()) > 0
    nets = Nets(mapping=lambda z, **kwargs: (z, kwargs))
    _, kwargs = styles.map(nets, IMAGES, truncation_psi=0.5)
    assert 0.5 in kwargs.values()
    stylegan2.check(config)
    with pytest.raises(ValueError, match=r"`conv_clamp` must be between 0\.001 and 1000000\.0, got 0\.0"):
        stylegan2.check(stylegan2.Config(conv_clamp=0.0))


def test_r3gan_networks():
    generator, discriminator = r3gan.networks(r3gan.Config(), (16, 16, 1), 0)
    assert type(generator).__module__ == type(discriminator).__module__ == "jaxgan.models.r3gan"
    generator, _ = r3gan.networks(r3gan.Config(networks="dcgan"), (16, 16, 1), 0)
    assert type(generator).__module__ == "jaxgan.models.dcgan"
    with pytest.raises(ValueError, match="With `networks` dcgan, the model cannot be conditional"):
        r3gan.networks(r3gan.Config(networks="dcgan"), (16, 16, 1), 10)


def test_half_tanh_is_the_sigmoid_in_the_range_of_images():
    x = jnp.linspace(-5, 5, 11)
    np.testing.assert_allclose(gan.half_tanh(x), 2 * jax.nn.sigmoid(x) - 1, atol=1e-6)
    assert gan.identity(x) is x
