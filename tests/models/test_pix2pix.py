"""Compare the U-Net and the discriminators with the official code, junyanz/pytorch-CycleGAN-and-pix2pix.

The expected numbers are results of its models/networks.py at commit 284a83f. They use the weights and images that
``helpers.official`` draws, few channels, and a dropout rate of 0. Three modes are compared: training, evaluation with
eval(), and training mode applied to each image separately, which is how its test.py generates images.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import official

from jaxgan import Game, Net, Player, losses, parallel, total
from jaxgan.core import axis
from jaxgan.models import pix2pix

pytestmark = pytest.mark.integration

# name: (norm, num_downs, channels, shape of the images, output in training, norm of the gradient, output at evaluation
# with running statistics, output at evaluation with the statistics of each image)
UNETS = {
    "batch": ("batch", 6, 4, (2, 64, 64, 3),
        [-0.03738625, 0.13964291, -0.12106551, -0.16901088, 0.21152276], 2342.8237,
        [-0.09656135, 0.20037466, -0.08544945, -0.23391005, 0.12901884],
        [-0.047019206, 0.14288345, -0.087360531, -0.16848987, 0.21113129]),
    "instance, not square": ("instance", 5, 4, (2, 32, 64, 3),
        [-0.056838635, 0.15092453, -0.098785721, -0.15963584, 0.16655028], 1047.3532, None, None),
    "none": ("none", 5, 4, (2, 32, 32, 3),
        [-0.1039795, 0.17216942, -0.16331097, -0.12272395, 0.074769668], 230.15855, None, None),
    "128": ("batch", 7, 2, (1, 128, 128, 3),
        [-0.075236432, -0.010330834, -0.017560899, -0.11960386, 0.11912828], 1406.3338,
        [-0.074888848, -0.010896181, 0.004044028, -0.10408151, 0.10499852], None),
    "256": ("batch", 8, 2, (1, 256, 256, 3),
        [-0.28858465, 0.14827429, -0.1806677, -0.12154994, 0.12053495], 3073.8781,
        [-0.30039099, 0.18174963, -0.16822061, -0.10581899, 0.10807389], None),
}  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(x, marks=pytest.mark.slow) if x.isdigit() else x for x in UNETS])
def test_unet_equals_the_official_code(name):
    norm, downs, width, shape, training, gradient, averages, each = UNETS[name]
    module = pix2pix.Generator(2, downs, width, norm)
    x = official.image(*shape)
    variables = official.variables(module, x)
    y, found = official.trained(module, variables, x)
    assert (y.shape, y.dtype) == ((*shape[:3], 2), jnp.float32)
    official.agrees(y, training)
    assert found == pytest.approx(gradient, rel=1e-4)
    # For a batch of one image, or without batch normalisation, the output at evaluation equals the output in training.
    official.agrees(official.at_test(module, variables, x), training if each is None else each)
    if averages:
        official.agrees(official.at_test(module.clone(eval_stats="running"), variables, x), averages)


# name: (module, shape of the images, shape of the logits, logits in training, norm of the gradient, logits at
# evaluation with running statistics, or None if they equal those in training)
PATCHES = {
    "batch": (pix2pix.Discriminator(3, 4), (2, 36, 33, 5), (2, 2, 2),
        [0.0052909777, -0.13184839, 0.90139323, 0.30166548, 0.35420815], 72.502362,
        [0.046474613, -0.028444283, 0.17101321, 0.080405049, 0.014965216]),
    "none": (pix2pix.Discriminator(1, 4, "none"), (2, 17, 16, 3), (2, 6, 6),
        [0.15173784, 0.42394471, 0.34731671, 0.26428553, 0.10783916], 35.583493, None),
    "instance": (pix2pix.Discriminator(3, 4, "instance"), (2, 32, 32, 3), (2, 2, 2),
        [-0.2656818, 0.0021780729, -0.6079722, -0.13683571, 0.080784695], 67.065436, None),
    "pixel": (pix2pix.PixelDiscriminator(4), (2, 5, 6, 5), (2, 5, 6),
        [0.098809347, -0.48816666, 0.11770304, -0.13679662, 0.08369689], 19.333466,
        [0.19122146, -0.0038886431, 0.19595078, 0.06296479, 0.015073041]),
    "pixel, instance": (pix2pix.PixelDiscriminator(4, "instance"), (2, 5, 6, 3), (2, 5, 6),
        [-0.76706517, 0.16790904, 0.33972442, -0.12085484, 0.32749014], 20.680642, None),
    "pixel, none": (pix2pix.PixelDiscriminator(4, "none"), (2, 5, 6, 3), (2, 5, 6),
        [-0.28219342, 0.36855629, 0.39068264, 0.088329777, 0.11117643], 12.828746, None),
}  # fmt: skip


@pytest.mark.parametrize("name", PATCHES)
def test_discriminators_equal_the_official_code(name):
    module, shape, logits, training, gradient, averages = PATCHES[name]
    x = official.image(*shape)
    # With 5 channels, the first two are the input and the last three the image.
    inputs = (x[..., :2], x[..., 2:]) if shape[-1] == 5 else (x,)
    variables = official.variables(module, *inputs)
    y, found = official.trained(module, variables, *inputs)
    assert (y.shape, y.dtype) == (logits, jnp.float32)
    official.agrees(y, training)
    assert found == pytest.approx(gradient, rel=1e-4)
    official.agrees(official.at_test(module, variables, *inputs), averages or training)


def test_channels_of_the_discriminator_are_at_most_eight_times_the_first():
    module, x = pix2pix.Discriminator(5, 2, "instance"), official.image(1, 130, 100, 3)
    y = official.at_test(module, official.variables(module, x), x)
    np.testing.assert_allclose(y, [[[0.89109099], [0.66678244]]], rtol=1e-4)


def test_the_receptive_field_has_70_pixels():
    """A logit in the middle depends on exactly 70 rows of the image."""
    module, x = pix2pix.Discriminator(3, 2, "none"), official.image(1, 128, 128, 3)
    variables = official.variables(module, x)
    gradient = jax.jit(jax.grad(lambda x: module.apply(variables, x, train=False)[0, 7, 7]))(x)
    rows = np.flatnonzero(np.abs(gradient).sum((0, 2, 3)))
    assert rows[-1] - rows[0] + 1 == 70


def test_dropout_depends_only_on_the_key_of_the_example():
    module, x = pix2pix.Generator(2, 6, 1, "instance"), official.image(2, 64, 64, 3)
    variables, keys = official.variables(module, x), jax.random.split(jax.random.key(0), 2)
    call = call_of(module)
    whole, dropped = call(variables, x), call(variables, x, keys)
    assert np.abs(whole - dropped).max() > 0.01
    np.testing.assert_allclose(call(variables, x[1:], keys[1:]), dropped[1:], atol=1e-6)
    np.testing.assert_array_equal(call_of(module.clone(dropout_rate=0.0))(variables, x, keys), whole)
    # A U-Net with 6 levels has one level with dropout, and a U-Net with 5 levels has none.
    small = pix2pix.Generator(2, 5, 1, "instance")
    x = official.image(2, 32, 32, 3)
    variables = official.variables(small, x)
    np.testing.assert_array_equal(call_of(small)(variables, x, keys), call_of(small)(variables, x))


def call_of(module):
    return jax.jit(functools.partial(module.apply, train=False))


def test_batch_statistics_include_the_examples_of_all_devices():
    """With one image per device, the batch statistics on two devices equal those of a batch of two images."""
    module, x = pix2pix.Generator(2, 3, 4), official.image(2, 8, 8, 3)
    variables = official.variables(module, x)
    apply = functools.partial(module.apply, train=True, mutable=["batch_stats"])
    whole, stats = jax.jit(apply)(variables, x)
    parts, part_stats = jax.pmap(apply, axis.NAME, in_axes=(None, 0))(variables, x[:, None])
    np.testing.assert_allclose(parts[:, 0], whole, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b, rtol=1e-4, atol=1e-6), part_stats, stats)
    alone = jax.pmap(apply, "other", in_axes=(None, 0))(variables, x[:, None])[0]
    assert np.abs(alone[:, 0] - whole).max() > 0.01


def pix2pix_game():
    def discriminator_loss(nets, batch, keys, step):
        fake = nets.g(batch["a"], keys)
        real, stats = nets.d.with_stats(batch["a"], batch["b"])
        logits = real.reshape(-1), nets.d(batch["a"], fake).reshape(-1)
        return total(adversarial=losses.non_saturating_discriminator(*logits), stats={"d": stats})

    def generator_loss(nets, batch, keys, step):
        fake, stats = nets.g.with_stats(batch["a"], keys)
        logits = nets.d(batch["a"], fake).reshape(-1)
        l1 = jnp.abs(fake - batch["b"]).mean((1, 2, 3))
        return total(adversarial=losses.non_saturating_generator(logits), l1=100 * l1, stats={"g": stats})

    adam, images = optax.adam(2e-4, b1=0.5), np.zeros((1, 8, 8, 3), np.float32)
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 1))
    return Game(
        nets={
            "g": Net(pix2pix.Generator(3, 3, 2), images, keys),
            "d": Net(pix2pix.Discriminator(1, 2), images, images),
        },
        players={"d": Player(("d",), discriminator_loss, adam), "g": Player(("g",), generator_loss, adam)},
        turns=(("d",), ("g",)),
    )


def test_pix2pix_game_is_the_same_on_two_devices():
    game = pix2pix_game()
    batch = {"a": official.image(2, 8, 8, 3), "b": -official.image(2, 8, 8, 3)}
    state = jax.jit(game.init)(jax.random.key(0))
    one, metrics = jax.jit(game.step)(state, batch)
    two, others = parallel.pmap(game, jax.devices()[:2])(state, batch)
    assert metrics["g/l1"] == pytest.approx(float(others["g/l1"]), rel=1e-5)
    assert float(metrics["g/grad_norm"]) > 1e-3
    assert float(metrics["d/grad_norm"]) > 1e-3
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), one.stats, two.stats)


def test_bfloat16_generator_is_close_to_float32():
    module, x = pix2pix.Generator(2, 3, 4, dtype=jnp.bfloat16), official.image(2, 8, 8, 3)
    variables = official.variables(module, x)
    y = call_of(module)(variables, x)
    assert y.dtype == jnp.float32
    full = call_of(module.clone(dtype=jnp.float32))(variables, x)
    assert 1e-5 < np.abs(y - full).max() < 0.1


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (pix2pix.Generator(), (1, 256, 200, 3), r"divisible by 2\*\*`num_downs` = 256, got the shape \(1, 256, 200, 3\)"),
        (pix2pix.Generator(num_downs=1), (1, 2, 2, 3), "`num_downs` must be at least 2, got 1"),
        (pix2pix.Generator(num_downs=2, norm="layer"), (1, 4, 4, 3), "`norm` must be 'batch', 'instance' or 'none', got 'layer'"),
        (pix2pix.Generator(num_downs=3, eval_stats="batch"), (1, 8, 8, 3), "`eval_stats` must be 'running' or 'instance', got 'batch'"),
        (pix2pix.Discriminator(n_layers=0), (1, 8, 8, 3), r"`n_layers` must be at least 1 and images must be \[B, h, w, C\], got 0 and the shape \(1, 8, 8, 3\)"),
        (pix2pix.Discriminator(), (1, 16, 16, 3), r"an image of \(1, 1\) with a padding of 1 on each side and a kernel of \(4, 4\)"),
        (pix2pix.Discriminator(2, norm="instance"), (1, 8, 8, 3), "requires images with several pixels"),
    ],
)  # fmt: skip
def test_errors(module, shape, message):
    with pytest.raises(ValueError, match=message):
        official.shapes(module, np.zeros(shape, np.float32))
