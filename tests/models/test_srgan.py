"""Tests of SRGAN's shapes, parameter counts and pixel shuffle. test_parity.py compares its layers with PyTorch."""

import functools
import itertools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.models import srgan


def initial_params(module, x):
    return jax.jit(functools.partial(module.init, train=True))(jax.random.key(0), x)["params"]


def shapes(module, size):
    x = jax.ShapeDtypeStruct((2, *size, 3), jnp.float32)
    return jax.eval_shape(lambda x: module.init_with_output(jax.random.key(0), x, train=True), x)


def test_pixel_shuffle_values():
    """In equation 4 of Shi et al. 2016, the channels of a pixel become a block of pixels, row by row."""
    x = np.arange(2 * 1 * 2 * 8, dtype=np.float32).reshape(2, 1, 2, 8)
    y = srgan.pixel_shuffle(x, 2)
    assert y.shape == (2, 2, 4, 2)
    np.testing.assert_array_equal(y[0, :, :, 0], [[0, 1, 8, 9], [2, 3, 10, 11]])
    np.testing.assert_array_equal(y[0, :, :, 1], [[4, 5, 12, 13], [6, 7, 14, 15]])
    with pytest.raises(ValueError, match="The number of channels must be a multiple of 9, got 8"):
        srgan.pixel_shuffle(x, 3)


@pytest.mark.parametrize("factor", [2, 3])
def test_pixel_shuffle_equals_pytorchs(factor):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5 * factor**2)).astype(np.float32)
    expected = torch.nn.PixelShuffle(factor)(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    np.testing.assert_array_equal(srgan.pixel_shuffle(x, factor), expected.numpy())


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_generator_enlarges_images_by_the_scale(scale):
    y, _ = shapes(srgan.Generator(3, scale, 1, 4), (5, 6))
    assert (y.shape, y.dtype) == ((2, 5 * scale, 6 * scale, 3), jnp.float32)


@pytest.mark.integration
def test_networks_have_the_parameter_counts_of_the_paper():
    """The expected counts follow from figure 4. A convolution has biases only if no normalisation layer follows it."""
    _, variables = shapes(srgan.Generator(), (24, 24))

    def conv(k, i, o, bias=True):
        return k * k * i * o + o * bias

    block = 2 * (conv(3, 64, 64, False) + 2 * 64) + 64
    ups = 2 * (conv(3, 64, 256) + 64)
    expected = conv(9, 3, 64) + 64 + 16 * block + conv(3, 64, 64, False) + 2 * 64 + ups + conv(9, 64, 3)
    assert count(variables) == expected
    logits, variables = shapes(srgan.Discriminator(), (96, 96))
    assert logits.shape == (2,)
    assert variables["params"]["hidden"]["kernel"].shape == (6 * 6 * 512, 1024)
    widths = [3, 64, 64, 128, 128, 256, 256, 512, 512]
    convs = [conv(3, i, o, n == 0) + 2 * o * (n > 0) for n, (i, o) in enumerate(itertools.pairwise(widths))]
    assert count(variables) == sum(convs) + 18432 * 1024 + 1024 + 1024 + 1


def count(variables):
    return sum(math.prod(x.shape) for x in jax.tree.leaves(variables["params"]))


def test_discriminator_with_global_pooling_accepts_any_size():
    module = srgan.Discriminator(2, 4, global_pool=True)
    _, variables = shapes(module, (32, 32))
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, shapes(module, (17, 40))[1])


def test_networks_without_normalisation_have_biases_and_no_statistics():
    _, variables = shapes(srgan.Generator(3, 2, 2, 4, norm="none"), (4, 4))
    assert set(variables) == {"params"}
    assert "bias" in variables["params"]["block_0_0"]
    _, variables = shapes(srgan.Discriminator(2, 4, norm="none"), (16, 16))
    assert set(variables) == {"params"}


def test_scale_must_be_a_power_of_two():
    for scale in (1, 3, 0, -2):
        with pytest.raises(ValueError, match=f"`scale` must be 2, 4 or another power of 2, got {scale}"):
            shapes(srgan.Generator(scale=scale), (4, 4))


@pytest.mark.integration
def test_gradients_reach_every_parameter():
    g, d = srgan.Generator(3, 2, 2, 4), srgan.Discriminator(2, 4)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    g_vars = jax.jit(functools.partial(g.init, train=True))(jax.random.key(0), x)
    d_vars = jax.jit(functools.partial(d.init, train=True))(jax.random.key(1), np.zeros((2, 16, 16, 3), np.float32))

    @jax.jit
    @jax.grad
    def gradient(params):
        fake = g.apply({**g_vars, "params": params["g"]}, x, train=True, mutable=["batch_stats"])[0]
        return d.apply({**d_vars, "params": params["d"]}, fake, train=True, mutable=["batch_stats"])[0].sum()

    found = gradient({"g": g_vars["params"], "d": d_vars["params"]})
    assert all(np.abs(x).max() > 0 for x in jax.tree.leaves(found))


@pytest.mark.integration
def test_icnr_has_no_checkerboard_artefacts_in_constant_images():
    """With ``icnr`` and random weights, the output for a constant image is constant. Without ``icnr`` it is not.

    Only the middle is compared, because zero padding affects the pixels near the border.
    """
    x, inside, rng = np.full((1, 24, 24, 3), 0.3, np.float32), slice(40, 56), np.random.default_rng(1)
    for icnr in (True, False):
        module = srgan.Generator(3, 4, 1, 4, norm="none", icnr=icnr)
        params = jax.tree.map(lambda a: a + rng.normal(0, 0.1, a.shape).astype(a.dtype), initial_params(module, x))
        output = jax.jit(functools.partial(module.apply, train=False))({"params": params}, x)
        spread = np.ptp(np.asarray(output)[0, inside, inside], axis=(0, 1))
        assert (spread < 1e-5).all() if icnr else (spread > 0.1).all()


def test_upsampling_equals_a_convolution_and_a_pixel_shuffle():
    """With ``icnr``, the kernel and bias are the closest ones to the parameters that satisfy the constraint."""
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype(np.float32)
    module = srgan.PixelShuffleUpsample(4, icnr=False)
    variables = module.init(jax.random.key(0), x)
    params = jax.tree.map(lambda p: p + 0.1 * jax.random.normal(jax.random.key(1), p.shape), variables["params"])
    kernel, bias = np.asarray(params["kernel"]), np.asarray(params["bias"])

    def shuffled(kernel, bias):
        y = nn.Conv(16, (3, 3)).apply({"params": {"kernel": kernel, "bias": bias}}, x)
        return np.asarray(y).reshape(2, 5, 6, 4, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(2, 10, 12, 4)

    np.testing.assert_allclose(module.apply({"params": params}, x), shuffled(kernel, bias), atol=1e-5)
    constrained = srgan.PixelShuffleUpsample(4, icnr=True)
    even_kernel, even_bias = kernel.copy(), bias.copy()
    for i, o in np.ndindex(3, 4):
        block = slice(4 * o, 4 * o + 4)
        sums = kernel[:, :, i, block].sum((0, 1))
        even_kernel[:, :, i, block] += (sums.mean() - sums) / 9
        even_bias[block] = bias[block].mean()
    found = constrained.apply({"params": params}, x)
    np.testing.assert_allclose(found, shuffled(even_kernel, even_bias), atol=1e-5)
    assert np.abs(found - module.apply({"params": params}, x)).max() > 1e-2
