"""Compare StyleGAN2's layers with their definitions. tests/models compares the networks with the official code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core import axis
from jaxgan.nn import style_layers
from jaxgan.nn.resampling import blur, downsample

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 8, 6, 3)).astype(np.float32)
W = RNG.normal(size=(2, 5)).astype(np.float32)


def conv(x, kernel, stride=1, padding="SAME"):
    numbers = ("NHWC", "HWIO", "NHWC")
    return np.asarray(jax.lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=numbers))


def lrelu(x):
    return np.sqrt(2) * np.where(x > 0, x, 0.2 * x)


def draw_parameters(module, *inputs):
    """Return random parameters of a module, also for biases and noise strengths, which are initialised to 0."""
    params = jax.jit(module.init)(jax.random.key(0), *inputs)["params"]
    return jax.tree.map(lambda p: np.random.default_rng(p.size).normal(size=p.shape).astype(np.float32), params)


def test_equalized_dense():
    module = style_layers.EqualizedDense(4, lr_multiplier=0.01, bias_init=2.0)
    params = module.init(jax.random.key(0), W)["params"]
    np.testing.assert_array_equal(params["bias"], 2.0)
    many = module.clone(features=2000).init(jax.random.key(0), W)["params"]
    assert np.std(many["kernel"]) == pytest.approx(100, rel=0.03)
    expected = W @ (np.asarray(params["kernel"]) * 0.01 / np.sqrt(5)) + 2.0 * 0.01
    np.testing.assert_allclose(module.apply({"params": params}, W), expected, rtol=1e-5, atol=1e-6)


def test_equalized_conv():
    module = style_layers.EqualizedConv(4, gain=0.7, conv_clamp=0.5)
    params = draw_parameters(module, X)
    y = conv(X, params["kernel"] / np.sqrt(9 * 3)) + params["bias"]
    expected = np.clip(0.7 * lrelu(y), -0.35, 0.35)
    assert 0.1 < (np.abs(expected) == np.abs(expected).max()).mean() < 0.9  # some values are clamped
    np.testing.assert_allclose(module.apply({"params": params}, X), expected, atol=1e-5)
    linear = module.clone(activation="linear")
    assert draw_parameters(linear, X).keys() == {"kernel"}
    y = linear.apply({"params": {"kernel": params["kernel"]}}, X)
    np.testing.assert_allclose(y, 0.7 * conv(X, params["kernel"] / np.sqrt(27)), atol=1e-5)


@pytest.mark.integration
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_equalized_conv_downsamples(kernel_size):
    """A 3 x 3 convolution blurs and has a stride of 2. A 1 x 1 convolution is applied after downsampling."""
    module = style_layers.EqualizedConv(4, kernel_size, downsample=True, activation="linear")
    params = draw_parameters(module, X)
    kernel = params["kernel"] / np.sqrt(kernel_size**2 * 3)
    expected = conv(downsample(X), kernel) if kernel_size == 1 else conv(blur(X, 2), kernel, 2, "VALID")
    y = module.apply({"params": params}, X)
    assert y.shape == (2, 4, 3, 4)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def modulate(x, kernel, styles, demodulate):
    """Return equations 1 and 3 of arXiv:1912.04958, computed for each example with XLA's convolution."""
    own = kernel[None] * styles[:, None, None, :, None]
    if demodulate:
        own = own / np.sqrt(np.square(own).sum((1, 2, 3), keepdims=True) + 1e-8)
    return np.concatenate([conv(x[i : i + 1], own[i]) for i in range(len(x))])


def test_modulation_equals_a_separate_kernel_for_each_example():
    x, styles = RNG.normal(size=(2, 4, 6, 3)).astype(np.float32), RNG.normal(size=(2, 3)).astype(np.float32)
    kernel = RNG.normal(size=(3, 3, 3, 5)).astype(np.float32)
    for demodulate in (True, False):
        y = style_layers.modulated_conv2d(x, kernel, styles, demodulate)
        np.testing.assert_allclose(y, modulate(x, kernel, styles, demodulate), rtol=1e-4, atol=1e-5)


def test_modulated_upsampling_equals_the_official_definition():
    """The official ``conv2d_resample`` with ``up=2`` inserts zeros, applies the flipped kernel, blurs, and scales by 4."""
    x, styles = RNG.normal(size=(2, 4, 6, 3)).astype(np.float32), RNG.normal(size=(2, 3)).astype(np.float32)
    kernel = RNG.normal(size=(3, 3, 3, 5)).astype(np.float32)
    zeros = np.zeros((2, 9, 13, 3), np.float32)
    zeros[:, 1:-1:2, 1:-1:2] = x
    # A transposed convolution adds the kernel at each pixel, and a convolution computes a correlation with it.
    flipped = kernel[::-1, ::-1]
    expected = 4 * blur(jnp.asarray(modulate(zeros, flipped, styles, True)), 1)
    y = style_layers.modulated_conv2d(x, kernel, styles, upsample=True)
    assert y.shape == (2, 8, 12, 5)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_groups_of_minibatch_stddev_contain_examples_of_all_devices():
    x = np.random.default_rng(0).normal(size=(8, 4, 4, 2)).astype(np.float32)
    groups = [x[i::2] for i in range(2)]  # two groups of 4 examples; every second example is in the same group
    expected = [np.sqrt(g.var(0) + 1e-8).mean() for g in groups]
    whole = style_layers.minibatch_stddev(x, 4)
    assert whole.shape == (8, 1, 1, 1)
    np.testing.assert_allclose(whole.reshape(-1), expected * 4, rtol=1e-5)
    np.testing.assert_allclose(
        style_layers.minibatch_stddev(x[:3], 4).reshape(-1), [np.sqrt(x[:3].var(0) + 1e-8).mean()] * 3, rtol=1e-5
    )
    spread = jax.pmap(lambda x: style_layers.minibatch_stddev(x, 4), axis.NAME)
    np.testing.assert_allclose(spread(x.reshape(2, 4, 4, 4, 2)).reshape(8, 1, 1, 1), whole, rtol=1e-5)
    np.testing.assert_allclose(spread(x.reshape(8, 1, 4, 4, 2)).reshape(8, 1, 1, 1), whole, rtol=1e-5)


@pytest.mark.integration
def test_large_styles_do_not_overflow_in_float16():
    x, styles = jnp.full((1, 4, 4, 8), 100.0, jnp.float16), jnp.full((1, 8), 1e4)
    y = style_layers.modulated_conv2d(x, jnp.ones((3, 3, 8, 2)), styles)
    assert y.dtype == jnp.float16
    np.testing.assert_allclose(
        np.float32(y), style_layers.modulated_conv2d(np.float32(x), jnp.ones((3, 3, 8, 2)), styles), rtol=1e-2
    )


@pytest.mark.parametrize("noise", [None, RNG.normal(size=(2, 8, 6, 1)).astype(np.float32)], ids=["no noise", "noise"])
def test_synthesis_layer(noise):
    module = style_layers.SynthesisLayer(4, conv_clamp=1.5)
    params = draw_parameters(module, X, W, noise)
    assert set(params) == {"kernel", "strength", "style", "bias"}
    styles = W @ params["style"]["kernel"] / np.sqrt(5) + params["style"]["bias"]
    y = modulate(X, params["kernel"], styles, True)
    y = y if noise is None else y + params["strength"] * noise
    expected = np.clip(lrelu(y + params["bias"]), -1.5, 1.5)
    np.testing.assert_allclose(module.apply({"params": params}, X, W, noise), expected, rtol=1e-4, atol=1e-4)


def test_to_rgb():
    """The layer does not demodulate, and divides the styles by the square root of the convolution's fan-in."""
    module = style_layers.ToRGB(3, conv_clamp=0.8)
    params = draw_parameters(module, X, W)
    styles = (W @ params["style"]["kernel"] / np.sqrt(5) + params["style"]["bias"]) / np.sqrt(3)
    expected = np.clip(modulate(X, params["kernel"], styles, False) + params["bias"], -0.8, 0.8)
    assert 0.1 < (np.abs(expected) == np.float32(0.8)).mean() < 0.9
    y = module.apply({"params": params}, X, W)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    assert module.clone(dtype=jnp.bfloat16).apply({"params": params}, X, W).dtype == jnp.float32


def test_normalize_2nd_moment():
    x = 7 * W + 3
    y = style_layers.normalize_2nd_moment(x)
    np.testing.assert_allclose(y, x / np.sqrt(np.square(x).mean(-1, keepdims=True)), rtol=1e-5)


def test_scaled_leaky_relu():
    x = jnp.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    root = np.sqrt(2)
    np.testing.assert_allclose(style_layers.scaled_leaky_relu(x), root * np.array([-0.6, -0.2, 0, 1, 3]), rtol=1e-6)
    clamped = style_layers.scaled_leaky_relu(x, gain=0.5, clamp=2.0)
    np.testing.assert_allclose(clamped, [-0.3 * root, -0.1 * root, 0, 0.5 * root, 1.0], rtol=1e-6)
