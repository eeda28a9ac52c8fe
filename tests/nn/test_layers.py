import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core import axis
from jaxgan.nn import layers

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


PADDED = [(4, 2, 1, 0), (4, 1, 1, 0), (3, 2, 1, 0), (3, 2, 1, 1), (7, 1, 0, 0), (1, 1, 0, 0), (5, 3, 1, 2)]


@pytest.mark.parametrize(("kernel", "stride", "padding", "output_padding"), PADDED)
def test_padding_is_pytorchs(kernel, stride, padding, output_padding):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype(np.float32)
    first = lambda x: torch.tensor(np.asarray(x)).permute(0, 3, 1, 2)  # noqa: E731
    layer = layers.Conv(5, kernel, stride, padding=padding)
    y, variables = layer.init_with_output(jax.random.key(0), x)
    w = torch.tensor(np.asarray(variables["params"]["kernel"])).permute(3, 2, 0, 1)
    expected = torch.nn.functional.conv2d(first(x), w, stride=stride, padding=padding)
    np.testing.assert_allclose(y, expected.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
    layer = layers.ConvTranspose(5, kernel, stride, padding=padding, output_padding=output_padding)
    y, variables = layer.init_with_output(jax.random.key(0), x)
    w = torch.tensor(np.asarray(variables["params"]["kernel"])).permute(3, 2, 0, 1)
    how = {"stride": stride, "padding": padding, "output_padding": output_padding}
    expected = torch.nn.functional.conv_transpose2d(first(x), w, **how)
    np.testing.assert_allclose(y, expected.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


def test_output_padding_is_below_the_stride():
    with pytest.raises(ValueError, match="output_padding 2: want from 0 to 1, below the stride"):
        layers.ConvTranspose(5, 3, 2, padding=1, output_padding=2).init(jax.random.key(0), X)


def test_instance_norm_by_hand():
    y = layers.InstanceNorm().init_with_output(jax.random.key(0), X)[0]
    mean, var = X.mean((1, 2), keepdims=True), X.var((1, 2), keepdims=True)
    np.testing.assert_allclose(y, (X - mean) / np.sqrt(var + 1e-5), atol=1e-5)
    layer = layers.InstanceNorm(affine=True)
    variables = layer.init(jax.random.key(0), X)
    assert jax.tree.map(jnp.shape, variables) == {"params": {"scale": (5,), "bias": (5,)}}
    scaled = layer.apply({"params": {"scale": jnp.arange(5.0), "bias": jnp.ones(5)}}, X)
    np.testing.assert_allclose(scaled, y * np.arange(5.0, dtype=np.float32).reshape(1, 1, 1, 5) + 1, atol=1e-5)
    with pytest.raises(ValueError, match="an image of one pixel has no variance"):
        layers.InstanceNorm().init(jax.random.key(0), X[:, :1, :1])


@pytest.mark.parametrize("classes", [0, 3])
def test_batch_norm_of_each_image_at_test(classes):
    norm = layers.BatchNorm(classes=classes, at_test="image")
    labels = {"label": jnp.array([0, 1, 2, 0, 1, 2, 0, 1])} if classes else {}
    variables = norm.init(jax.random.key(0), X, train=True, **labels)
    y = norm.apply(variables, X, train=False, **labels)
    np.testing.assert_allclose(y, layers.InstanceNorm().apply({}, X), atol=1e-5)
    both, _ = norm.apply(variables, X, train=True, mutable=["batch_stats"], **labels)
    assert np.abs(both - y).max() > 0.1
    scaled = {**variables, "params": jax.tree.map(lambda p: 2 * p + 1, variables["params"])}
    np.testing.assert_allclose(norm.apply(scaled, X, train=False, **labels), 3 * y + 1, atol=1e-4)


def test_prelu_by_hand():
    x = jnp.array([[-2.0, -2.0], [4.0, 4.0]])
    variables = layers.PReLU().init(jax.random.key(0), x)
    assert variables["params"]["slope"].tolist() == [0.25, 0.25]
    y = layers.PReLU().apply({"params": {"slope": jnp.array([0.5, -1.0])}}, x)
    assert y.tolist() == [[-1.0, 2.0], [4.0, 4.0]]


def test_mirrored_by_hand():
    x = jnp.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
    assert layers.mirrored(x, 2).reshape(-1).tolist() == [3, 2, 1, 2, 3, 2, 1]
    assert layers.mirrored(x, 2, edge=True).reshape(-1).tolist() == [1, 1, 1, 2, 3, 3, 3]
    with pytest.raises(ValueError, match="to mirror 3 pixels, sides must be of 4 or more"):
        layers.mirrored(x, 3)
