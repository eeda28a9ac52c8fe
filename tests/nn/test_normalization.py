"""Tests of batch and instance normalisation against flax's layers and NumPy."""

import typing

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core import axis
from jaxgan.nn import normalization

X = jnp.array(np.random.default_rng(0).normal(3.0, 2.0, size=(8, 4, 4, 5)), jnp.float32)


def test_batch_norm_equals_flaxs():
    ours, flaxs = normalization.BatchNorm(momentum=0.9), nn.BatchNorm(momentum=0.9)
    mine = ours.init(jax.random.key(0), X, train=True)
    theirs = flaxs.init(jax.random.key(0), X, use_running_average=False)
    y, stats = ours.apply(mine, X, train=True, mutable=["batch_stats"])
    expected, expected_stats = flaxs.apply(theirs, X, use_running_average=False, mutable=["batch_stats"])
    np.testing.assert_allclose(y, expected, atol=1e-5)
    for name in ("mean", "var"):
        np.testing.assert_allclose(stats["batch_stats"][name], expected_stats["batch_stats"][name], rtol=1e-5)
    y = ours.apply({**mine, **stats}, X, train=False)
    np.testing.assert_allclose(y, flaxs.apply({**theirs, **expected_stats}, X, use_running_average=True), atol=1e-5)


def test_the_moving_variance_of_batch_norm_has_the_divisor_n():
    """PyTorch averages the variance with the divisor n - 1. The result for n = 1 is finite, unlike PyTorch's."""
    norm, n = normalization.BatchNorm(), X[..., 0].size
    for x, variance in ((X, X.var((0, 1, 2))), (X[:1, :1, :1], jnp.zeros(5))):
        _, stats = norm.apply(norm.init(jax.random.key(0), x, train=True), x, train=True, mutable=["batch_stats"])
        np.testing.assert_allclose(stats["batch_stats"]["var"], 0.9 + 0.1 * variance, rtol=1e-5)
    of_pytorch = 0.9 + 0.1 * X.var((0, 1, 2)) * n / (n - 1)
    assert jnp.abs(of_pytorch - (0.9 + 0.1 * X.var((0, 1, 2)))).max() > 1e-3


def test_batch_norm_uses_the_examples_of_all_devices():
    norm = normalization.BatchNorm()
    variables = norm.init(jax.random.key(0), X, train=True)
    whole, stats = norm.apply(variables, X, train=True, mutable=["batch_stats"])

    def apply(x):
        return norm.apply(variables, x, train=True, mutable=["batch_stats"])

    parts, part_stats = jax.pmap(apply, axis.NAME)(X.reshape(4, 2, 4, 4, 5))
    np.testing.assert_allclose(parts.reshape(X.shape), whole, atol=1e-6)
    np.testing.assert_allclose(part_stats["batch_stats"]["mean"][1], stats["batch_stats"]["mean"], rtol=1e-5)


def test_batch_norm_is_accurate_with_a_large_mean():
    """For numbers around 10,000 with a variance of 1, E[x^2] - E[x]^2 in float32 consists only of rounding errors."""
    x = 1e4 + jnp.array(np.random.default_rng(0).normal(size=(4096, 1)), jnp.float32)
    y = normalization.BatchNorm().init_with_output(jax.random.key(0), x, train=True)[0]
    assert float(y.std()) == pytest.approx(1.0, abs=0.02)


def test_instance_norm_equals_numpy():
    y = normalization.InstanceNorm().init_with_output(jax.random.key(0), X)[0]
    mean, var = X.mean((1, 2), keepdims=True), X.var((1, 2), keepdims=True)
    np.testing.assert_allclose(y, (X - mean) / np.sqrt(var + 1e-5), atol=1e-5)
    layer = normalization.InstanceNorm(affine=True)
    variables = layer.init(jax.random.key(0), X)
    assert jax.tree.map(jnp.shape, variables) == {"params": {"scale": (5,), "bias": (5,)}}
    scaled = layer.apply({"params": {"scale": jnp.arange(5.0), "bias": jnp.ones(5)}}, X)
    np.testing.assert_allclose(scaled, y * np.arange(5.0, dtype=np.float32).reshape(1, 1, 1, 5) + 1, atol=1e-5)
    with pytest.raises(ValueError, match="requires images with several pixels"):
        normalization.InstanceNorm().init(jax.random.key(0), X[:, :1, :1])


@pytest.mark.parametrize("classes", [0, 3])
def test_batch_norm_with_instance_statistics_at_evaluation(classes):
    norm = normalization.BatchNorm(classes=classes, eval_stats="instance")
    labels = {"label": jnp.array([0, 1, 2, 0, 1, 2, 0, 1])} if classes else {}
    variables = norm.init(jax.random.key(0), X, train=True, **labels)
    y = norm.apply(variables, X, train=False, **labels)
    np.testing.assert_allclose(y, normalization.InstanceNorm().apply({}, X), atol=1e-5)
    both, _ = norm.apply(variables, X, train=True, mutable=["batch_stats"], **labels)
    assert np.abs(both - y).max() > 0.1
    scaled = {**variables, "params": jax.tree.map(lambda p: 2 * p + 1, variables["params"])}
    np.testing.assert_allclose(norm.apply(scaled, X, train=False, **labels), 3 * y + 1, atol=1e-4)


def test_moments_over_space():
    mean, var = normalization.moments_over_space(X)
    np.testing.assert_allclose(mean, np.asarray(X).mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(var, np.asarray(X).var((1, 2)), rtol=1e-5)
    one = normalization.moments_over_space(X[:1])  # a single image is computed by separate code
    assert one[0].shape == one[1].shape == (1, 5)
    np.testing.assert_allclose(one, [mean[:1], var[:1]], rtol=1e-5)


def test_instance_moments_are_stored_and_reused():
    """A tile is normalised by the mean and variance of the complete image if they were stored before."""

    class Layer(nn.Module):
        @nn.compact
        def __call__(self, x):
            return normalization.instance_moments(self, x)

    whole, state = Layer().apply({}, X, mutable=["moments"])
    np.testing.assert_allclose(whole, normalization.moments_over_space(X), rtol=1e-6)
    tile = X[:, :2]
    np.testing.assert_array_equal(Layer().apply(state, tile), whole)
    assert np.abs(Layer().apply({}, tile)[0] - whole[0]).max() > 0.1


def test_norm_layer_returns_the_layer_of_each_name():
    """The layers are BatchNorm, InstanceNorm and the identity."""

    def apply(norm, **kwargs):
        class Network(nn.Module):
            @nn.compact
            def __call__(self, x):
                return normalization.norm_layer(norm, "norm", **kwargs)(x, True)

        return Network().init_with_output(jax.random.key(0), X)

    outputs = {norm: apply(norm) for norm in typing.get_args(normalization.Norm)}
    assert outputs.keys() == {"batch", "instance", "none"}
    batch, variables = outputs["batch"]
    scale = np.asarray(variables["params"]["norm"]["scale"])
    plain = (np.asarray(X) - np.asarray(X).mean((0, 1, 2))) / np.asarray(X).std((0, 1, 2))
    np.testing.assert_allclose(batch, plain * scale, atol=1e-4)
    assert 0 < np.abs(scale - 1).max() < 0.2  # N(1, 0.02)
    ones = apply("batch", scale_init=nn.initializers.ones)[1]["params"]["norm"]["scale"]
    np.testing.assert_array_equal(ones, 1)
    np.testing.assert_allclose(outputs["instance"][0], normalization.InstanceNorm().apply({}, X), atol=1e-6)
    assert outputs["instance"][1] == outputs["none"][1] == {}
    assert outputs["none"][0] is X
    with pytest.raises(ValueError, match="`norm` must be 'batch', 'instance' or 'none', got 'layer'"):
        apply("layer")


def test_unknown_eval_stats_raise():
    assert typing.get_args(normalization.EvalStats) == ("running", "instance")
    with pytest.raises(ValueError, match="`eval_stats` must be 'running' or 'instance', got 'batch'"):
        normalization.BatchNorm(eval_stats="batch").init(jax.random.key(0), X, train=True)
