"""Tests of the layers against PyTorch, NumPy's singular values and values that were calculated manually."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgan.nn import layers

X = jnp.array(np.random.default_rng(0).normal(3.0, 2.0, size=(8, 4, 4, 5)), jnp.float32)


@pytest.mark.integration
@pytest.mark.parametrize("layer", [layers.Dense(6, spectral_norm=True), layers.Conv(6, spectral_norm=True)])
def test_spectral_norm_converges_to_the_singular_value(layer):
    variables = layer.init(jax.random.key(0), X)
    matrix = np.asarray(variables["params"]["kernel"]).reshape(-1, 6)
    largest = np.linalg.svd(matrix, compute_uv=False)[0]
    plain = layer.clone(spectral_norm=False)
    expected = plain.apply({"params": {**variables["params"], "kernel": variables["params"]["kernel"] / largest}}, X)
    for _ in range(100):
        y, spectral = layer.apply(variables, X, mutable=["spectral"])
        variables = {**variables, **spectral}
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    # At evaluation the vector is used and not updated.
    np.testing.assert_allclose(layer.apply(variables, X), y, rtol=1e-4, atol=1e-5)


@pytest.mark.integration
def test_gradient_of_spectral_norm_passes_through_the_singular_value():
    """The derivative of w / sigma(w) in the direction of w is 0, because it does not depend on the scale of w."""
    layer = layers.Dense(6, spectral_norm=True)
    variables = layer.init(jax.random.key(0), X)

    def f(s):
        return layer.apply({**variables, "params": jax.tree.map(lambda p: s * p, variables["params"])}, X).sum()

    assert abs(float(jax.grad(f)(1.0))) < 1e-3 * abs(float(f(1.0)))


@pytest.mark.integration
@pytest.mark.parametrize("layer", [layers.Conv(6, 4, 2), layers.ConvTranspose(6), layers.Dense(6)])
def test_bfloat16_layers_have_float32_parameters(layer):
    half = layer.clone(dtype=jnp.bfloat16)
    variables = half.init(jax.random.key(0), X)
    assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    y = half.apply(variables, X)
    assert y.dtype == jnp.bfloat16
    expected = layer.apply(variables, X)
    assert 0 < float(jnp.abs(y - expected).max()) < 0.05 * float(jnp.abs(expected).max())


PADDED = [(4, 2, 1, 0), (4, 1, 1, 0), (3, 2, 1, 0), (3, 2, 1, 1), (7, 1, 0, 0), (1, 1, 0, 0), (5, 3, 1, 2)]


@pytest.mark.parametrize(("kernel", "stride", "padding", "output_padding"), PADDED)
def test_convolutions_with_padding_equal_pytorchs(kernel, stride, padding, output_padding):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype(np.float32)

    def channels_first(x):
        return torch.tensor(np.asarray(x)).permute(0, 3, 1, 2)

    layer = layers.Conv(5, kernel, stride, padding=padding)
    y, variables = layer.init_with_output(jax.random.key(0), x)
    w = torch.tensor(np.asarray(variables["params"]["kernel"])).permute(3, 2, 0, 1)
    expected = torch.nn.functional.conv2d(channels_first(x), w, stride=stride, padding=padding)
    np.testing.assert_allclose(y, expected.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
    layer = layers.ConvTranspose(5, kernel, stride, padding=padding, output_padding=output_padding)
    y, variables = layer.init_with_output(jax.random.key(0), x)
    w = torch.tensor(np.asarray(variables["params"]["kernel"])).permute(3, 2, 0, 1)
    kwargs = {"stride": stride, "padding": padding, "output_padding": output_padding}
    expected = torch.nn.functional.conv_transpose2d(channels_first(x), w, **kwargs)
    np.testing.assert_allclose(y, expected.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


CAUSAL = [((9,), 3, 1, 1), ((9,), 3, 1, 4), ((9,), 2, 2, 1), ((9,), 2, 2, 3), ((5, 6), 2, 1, 2)]


@pytest.mark.parametrize(("space", "kernel", "stride", "dilation"), CAUSAL)
def test_causal_convolutions_equal_xlas_with_padding_at_the_low_side(space, kernel, stride, dilation):
    """The outputs, the first derivatives, and those of a squared gradient as in R1 are compared."""
    x = jnp.array(np.random.default_rng(0).normal(size=(2, *space, 3)), jnp.float32)
    layer = layers.Conv(4, kernel, stride, use_bias=False, padding="causal", dilation=dilation)
    w = layer.init(jax.random.key(0), x)["params"]["kernel"]
    axes = "HW"[: len(space)]

    def reference(x, w):
        padding = [(dilation * (kernel - 1), 0)] * len(space)
        strides, dilations = (stride,) * len(space), (dilation,) * len(space)
        numbers = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
        return lax.conv_general_dilated(x, w, strides, padding, rhs_dilation=dilations, dimension_numbers=numbers)

    def results(conv):
        def value(x, w):
            return jnp.tanh(conv(x, w)).sum()

        def penalty(x, w):
            return jnp.square(jax.grad(value)(x, w)).sum()

        return conv(x, w), jax.grad(value, (0, 1))(x, w), jax.grad(penalty, (0, 1))(x, w)

    found = jax.jit(lambda: results(lambda x, w: layer.apply({"params": {"kernel": w}}, x)))()
    expected = jax.jit(lambda: results(reference))()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), found, expected)


def test_causal_outputs_do_not_depend_on_later_inputs():
    x = jnp.array(np.random.default_rng(0).normal(size=(1, 8, 2)), jnp.float32)
    layer = layers.Conv(3, 3, padding="causal", dilation=2)
    variables = layer.init(jax.random.key(0), x)
    change = layer.apply(variables, x.at[:, 4].add(1.0)) - layer.apply(variables, x)
    changed = np.abs(change[0]).max(-1) > 1e-6
    assert changed.tolist() == [False, False, False, False, True, False, True, False]


def test_dilation_with_other_paddings_equals_xlas():
    x = jnp.array(np.random.default_rng(0).normal(size=(2, 9, 3)), jnp.float32)
    layer = layers.Conv(4, 3, use_bias=False, padding=1, dilation=2)
    variables = layer.init(jax.random.key(0), x)

    def reference(padding):
        kernel, numbers = variables["params"]["kernel"], ("NHC", "HIO", "NHC")
        return lax.conv_general_dilated(x, kernel, (1,), padding, rhs_dilation=(2,), dimension_numbers=numbers)

    np.testing.assert_allclose(layer.apply(variables, x), reference([(1, 1)]), atol=1e-5)
    np.testing.assert_allclose(layer.clone(padding=None).apply(variables, x), reference("SAME"), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dilation": 0}, "`dilation` must be at least 1, got 0."),
        ({"padding": "SAME"}, "`padding` must be a number of zeros, \"causal\" or None, got 'SAME'."),
        ({"padding": 0, "dilation": 5}, "padding of 0 on each side and a kernel of (11, 11)."),
    ],
)
def test_padding_and_dilation_are_checked(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        layers.Conv(2, 3, **options).init(jax.random.key(0), X)


def test_output_padding_must_be_less_than_the_stride():
    with pytest.raises(ValueError, match="`output_padding` must be at least 0 and less than `stride`, 2, got 2"):
        layers.ConvTranspose(5, 3, 2, padding=1, output_padding=2).init(jax.random.key(0), X)


def test_prelu_values():
    x = jnp.array([[-2.0, -2.0], [4.0, 4.0]])
    variables = layers.PReLU().init(jax.random.key(0), x)
    assert variables["params"]["slope"].tolist() == [0.25, 0.25]
    y = layers.PReLU().apply({"params": {"slope": jnp.array([0.5, -1.0])}}, x)
    assert y.tolist() == [[-1.0, 2.0], [4.0, 4.0]]


def test_reflection_and_replication_padding_in_one_dimension():
    x = jnp.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
    assert layers.reflection_pad(x, 2).reshape(-1).tolist() == [3, 2, 1, 2, 3, 2, 1]
    assert layers.replication_pad(x, 2).reshape(-1).tolist() == [1, 1, 1, 2, 3, 3, 3]
    assert layers.replication_pad(x, 4).shape == (1, 11, 1)
    with pytest.raises(ValueError, match="by 3 pixels requires images with more than 3 pixels per side"):
        layers.reflection_pad(x, 3)


@pytest.mark.parametrize("name", ["reflection_pad", "replication_pad"])
def test_reflection_and_replication_padding_equal_pytorchs(name):
    torch = pytest.importorskip("torch")
    module = {"reflection_pad": torch.nn.ReflectionPad2d, "replication_pad": torch.nn.ReplicationPad2d}[name](3)
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    expected = module(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    np.testing.assert_array_equal(getattr(layers, name)(x, 3), expected.numpy())


def test_add_bias_adds_a_parameter_that_is_initially_zero():
    class Layer(nn.Module):
        features: int = 5

        @nn.compact
        def __call__(self, x):
            return layers.add_bias(self, x)

    y, variables = Layer().init_with_output(jax.random.key(0), X)
    np.testing.assert_array_equal(y, X)
    bias = np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(variables["params"]["bias"], 0 * bias)
    np.testing.assert_array_equal(Layer().apply({"params": {"bias": bias}}, X), np.asarray(X) + bias)


@pytest.mark.integration
@pytest.mark.parametrize(("init", "mean"), [(layers.dcgan_kernel_init, 0.0), (layers.normal_around_one, 1.0)])
def test_initializers(init: layers.Initializer, mean):
    x = np.asarray(init(jax.random.key(0), (4, 4, 30, 40), jnp.float32))
    assert (x.shape, x.dtype) == ((4, 4, 30, 40), np.float32)
    assert x.mean() == pytest.approx(mean, abs=1e-3)
    assert x.std() == pytest.approx(0.02, rel=0.03)


@pytest.mark.integration
def test_spectral_normalize_divides_by_the_largest_singular_value():
    """For a kernel of rank one, a single step of power iteration finds the singular vectors from any initial vector."""

    class Layer(nn.Module):
        @nn.compact
        def __call__(self, kernel):
            return layers.spectral_normalize(self, kernel)

    rng = np.random.default_rng(0)
    kernel = np.einsum("hwc,d->hwcd", rng.normal(size=(3, 3, 2)), rng.normal(size=4)).astype(np.float32)
    variables = Layer().init(jax.random.key(0), kernel)
    normalized, state = Layer().apply(variables, kernel, mutable=["spectral"])
    singular_values = np.linalg.svd(kernel.reshape(-1, 4), compute_uv=False)
    np.testing.assert_allclose(normalized, kernel / singular_values[0], rtol=1e-5)
    assert np.abs(state["spectral"]["u"] - variables["spectral"]["u"]).max() > 1e-2


def test_dropout_draws_the_mask_of_each_example_from_its_own_key():
    x, keys = jnp.ones((6, 50, 40)), jax.random.split(jax.random.key(3), 6)
    dropped = np.asarray(layers.dropout(x, keys, 0, 0.25))
    assert set(np.unique(dropped)) == {0.0, np.float32(4 / 3)}
    assert np.mean(dropped == 0) == pytest.approx(0.25, abs=0.02)
    np.testing.assert_array_equal(layers.dropout(x[2:4], keys[2:4], 0, 0.25), dropped[2:4])
    other_layer = np.asarray(layers.dropout(x, keys, 1, 0.25))
    assert np.mean((dropped == 0) == (other_layer == 0)) == pytest.approx(0.25**2 + 0.75**2, abs=0.02)
    for nothing_dropped in (layers.dropout(x, None, 0, 0.25), layers.dropout(x, keys, 0, 0.0)):
        np.testing.assert_array_equal(nothing_dropped, x)
