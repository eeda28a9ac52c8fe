import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import axis
from jaxgan.models import layers

X = jnp.array(np.random.default_rng(0).normal(3.0, 2.0, size=(8, 4, 4, 5)), jnp.float32)


def test_batch_norm_equals_flaxs():
    ours, flaxs = layers.BatchNorm(momentum=0.9), nn.BatchNorm(momentum=0.9)
    mine = ours.init(jax.random.key(0), X, train=True)
    theirs = flaxs.init(jax.random.key(0), X, use_running_average=False)
    y, stats = ours.apply(mine, X, train=True, mutable=["batch_stats"])
    expected, expected_stats = flaxs.apply(theirs, X, use_running_average=False, mutable=["batch_stats"])
    np.testing.assert_allclose(y, expected, atol=1e-5)
    for name in ("mean", "var"):
        np.testing.assert_allclose(stats["batch_stats"][name], expected_stats["batch_stats"][name], rtol=1e-5)
    still = ours.apply({**mine, **stats}, X, train=False)
    np.testing.assert_allclose(still, flaxs.apply({**theirs, **expected_stats}, X, use_running_average=True), atol=1e-5)


def test_batch_norm_sees_all_devices():
    norm = layers.BatchNorm()
    variables = norm.init(jax.random.key(0), X, train=True)
    whole, stats = norm.apply(variables, X, train=True, mutable=["batch_stats"])
    apply = lambda x: norm.apply(variables, x, train=True, mutable=["batch_stats"])  # noqa: E731
    parts, part_stats = jax.pmap(apply, axis.NAME)(X.reshape(4, 2, 4, 4, 5))
    np.testing.assert_allclose(parts.reshape(X.shape), whole, atol=1e-6)
    np.testing.assert_allclose(part_stats["batch_stats"]["mean"][1], stats["batch_stats"]["mean"], rtol=1e-5)


def test_batch_norms_variance_does_not_cancel():
    """Of numbers around 10,000 with variance 1, mean squares in float32 know nothing."""
    x = 1e4 + jnp.array(np.random.default_rng(0).normal(size=(4096, 1)), jnp.float32)
    y = layers.BatchNorm().init_with_output(jax.random.key(0), x, train=True)[0]
    assert float(y.std()) == pytest.approx(1.0, abs=0.02)


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
    # Outside of training the vector is used and stays.
    np.testing.assert_allclose(layer.apply(variables, X), y, rtol=1e-4, atol=1e-5)


def test_spectral_norms_gradient_passes_through_the_singular_value():
    """d(w / sigma(w)) along w itself is 0: the normalised kernel does not change with the scale of w."""
    layer = layers.Dense(6, spectral_norm=True)
    variables = layer.init(jax.random.key(0), X)
    f = lambda s: layer.apply({**variables, "params": jax.tree.map(lambda p: s * p, variables["params"])}, X).sum()  # noqa: E731
    assert abs(float(jax.grad(f)(1.0))) < 1e-3 * abs(float(f(1.0)))


@pytest.mark.parametrize("layer", [layers.Conv(6, 4, 2), layers.ConvTranspose(6), layers.Dense(6)])
def test_bfloat16_computes_in_it_and_keeps_parameters_in_float32(layer):
    half = layer.clone(dtype=jnp.bfloat16)
    variables = half.init(jax.random.key(0), X)
    assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    y = half.apply(variables, X)
    assert y.dtype == jnp.bfloat16
    expected = layer.apply(variables, X)
    assert 0 < float(jnp.abs(y - expected).max()) < 0.05 * float(jnp.abs(expected).max())
