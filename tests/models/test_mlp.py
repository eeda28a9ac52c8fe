"""Compare the multi-layer perceptrons with forward passes in NumPy that use the same parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.models import mlp

pytestmark = pytest.mark.integration

RNG = np.random.default_rng(0)
Z = jnp.array(RNG.normal(size=(7, 100)), jnp.float32)
X = jnp.array(RNG.uniform(-1, 1, size=(7, 28, 28, 1)), jnp.float32)
MAXOUT = mlp.MaxoutDiscriminator(units=6, pieces=3)


def draw_variables(module, x):
    """Return normally distributed parameters, also for biases, so that the tests notice if a bias is not used."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), x))
    return jax.tree.map(lambda p: jnp.array(RNG.normal(size=p.shape) / np.sqrt(max(p.shape)), jnp.float32), shapes)


def count(module, x):
    return sum(p.size for p in jax.tree.leaves(jax.eval_shape(lambda: module.init(jax.random.key(0), x))))


def dense(variables, name, x):
    layer = variables["params"][name]
    return np.asarray(x, np.float64) @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)


@pytest.mark.parametrize(("shape", "latents"), [((28, 28, 1), 100), ((8, 8, 3), 7), ((2,), 1), ((4, 6, 5), 100)])
def test_shapes(shape, latents):

    def out(module, x):
        return jax.eval_shape(lambda x: module.init_with_output(jax.random.key(0), x)[0], x)

    images = out(mlp.Generator(shape), jnp.ones((3, latents)))
    assert (images.shape, images.dtype) == ((3, *shape), jnp.float32)
    for discriminator in (mlp.Discriminator(), MAXOUT):
        logits = out(discriminator, images)
        assert (logits.shape, logits.dtype) == ((3,), jnp.float32)


def test_parameter_counts():
    """The tutorial networks are 784-128-1 and 100-256-784, and the paper's generator is 100-1200-1200-784."""
    assert count(mlp.Discriminator(), X) == 784 * 128 + 128 + 128 + 1 == 100_609
    assert count(mlp.Generator((28, 28, 1)), Z) == 100 * 256 + 256 + 256 * 784 + 784 == 227_344
    paper = mlp.Generator((28, 28, 1), hidden=(1200, 1200))
    assert count(paper, Z) == 101 * 1200 + 1201 * 1200 + 1201 * 784
    assert count(mlp.MaxoutDiscriminator(), X) == 785 * 1200 + 241 * 1200 + 241


@pytest.mark.parametrize("hidden", [(), (256,), (12, 34)])
def test_generator_equals_numpy(hidden):
    for output, numpys in ((jnp.tanh, np.tanh), (lambda x: x, lambda x: x)):
        module = mlp.Generator((28, 28, 1), hidden=hidden, output_activation=output)
        variables = draw_variables(module, Z)
        x = Z
        for i in range(len(hidden)):
            x = np.maximum(dense(variables, f"hidden_{i}", x), 0)
        expected = numpys(dense(variables, "output_layer", x)).reshape(7, 28, 28, 1)
        images = module.apply(variables, Z)
        np.testing.assert_allclose(images, expected, atol=1e-5)


@pytest.mark.parametrize("hidden", [(), (128,), (12, 34)])
def test_discriminator_equals_numpy(hidden):
    module = mlp.Discriminator(hidden=hidden)
    variables = draw_variables(module, X)
    x = np.asarray(X).reshape(7, 784)
    for i in range(len(hidden)):
        x = dense(variables, f"hidden_{i}", x)
        x = np.where(x > 0, x, 0.2 * x)
    np.testing.assert_allclose(module.apply(variables, X), dense(variables, "logit", x)[:, 0], atol=1e-5)


def test_maxout_discriminator_equals_numpy():
    variables = draw_variables(MAXOUT, X)
    x = (np.asarray(X).reshape(7, 784) + 1) / 2
    for i in range(2):
        pieces = dense(variables, f"maxout_{i}", x)
        # The pieces of unit u are the columns 3u, 3u + 1 and 3u + 2.
        x = np.stack([pieces[:, 3 * u : 3 * u + 3].max(1) for u in range(6)], axis=1)
    expected = dense(variables, "logit", x)[:, 0]
    np.testing.assert_allclose(MAXOUT.apply(variables, X), expected, atol=1e-5)


def test_maxout_discriminator_applies_dropout_if_keys_are_passed():
    variables = draw_variables(MAXOUT, X)
    apply = jax.jit(lambda seed: MAXOUT.apply(variables, X, jax.random.split(jax.random.key(seed), len(X))))
    first, second = apply(0), apply(1)
    np.testing.assert_array_equal(apply(0), first)
    assert (np.abs(first - second) > 1e-4).all()
    assert (np.abs(first - MAXOUT.apply(variables, X)) > 1e-4).all()


def test_dropout_depends_only_on_the_key_of_the_example():
    variables, keys = draw_variables(MAXOUT, X), jax.random.split(jax.random.key(0), len(X))
    whole = MAXOUT.apply(variables, X, keys)
    np.testing.assert_allclose(MAXOUT.apply(variables, X[3:5], keys[3:5]), whole[3:5], atol=1e-5)
    assert (np.abs(MAXOUT.apply(variables, X[3:5], keys[:2]) - whole[3:5]) > 1e-4).all()


@pytest.mark.parametrize("rates", [(0.2, 0.0), (0.0, 0.5)])
def test_dropout_rates(rates):
    """If all weights and inputs are 1, the logit shows how many activations were set to 0."""
    module = mlp.MaxoutDiscriminator(units=500, pieces=1, dropout_rates=rates)
    x = jnp.ones((4, 1000))
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), x))
    ones = jax.tree.map(lambda p: jnp.full(p.shape, float(p.ndim > 1)), shapes)
    logits = jax.jit(lambda: module.apply(ones, x, jax.random.split(jax.random.key(0), 4)))()
    # Divide by the logit without dropout. The result is about 1, because dropout scales the remaining activations.
    share = np.asarray(logits) / (1000 * 500 * 500)
    np.testing.assert_allclose(share, 1, atol=0.25)
    assert (np.abs(share - 1) > 1e-6).all()
    if rates[1] == 0:
        dropped = 1000 - share * 1000 * (1 - rates[0])
        np.testing.assert_allclose(dropped, dropped.round(), atol=1e-2)
        np.testing.assert_allclose(dropped, 200, atol=50)


def test_initial_weights_of_the_maxout_discriminator_are_uniform_and_small():
    params = MAXOUT.init(jax.random.key(0), X)["params"]
    kernel = np.asarray(params["maxout_0"]["kernel"])
    assert 0.0049 < np.abs(kernel).max() <= 0.005
    assert kernel.std() == pytest.approx(0.01 / np.sqrt(12), rel=0.03)
    assert np.abs(params["logit"]["kernel"]).max() <= 0.005


@pytest.mark.parametrize("name", ["generator", "discriminator", "maxout"])
def test_bfloat16_network_has_float32_parameters_and_outputs(name):
    module, x = {
        "generator": (mlp.Generator((28, 28, 1)), Z),
        "discriminator": (mlp.Discriminator(), X),
        "maxout": (MAXOUT, X),
    }[name]
    half = module.clone(dtype=jnp.bfloat16)
    initial = jax.eval_shape(lambda: half.init(jax.random.key(0), x))
    assert {p.dtype for p in jax.tree.leaves(initial)} == {jnp.dtype(jnp.float32)}
    variables = draw_variables(module, x)
    out, expected = (jax.jit(lambda m=m: m.apply(variables, x))() for m in (half, module))
    assert out.dtype == jnp.float32
    assert 1e-5 < np.abs(out - expected).max() < 0.05
    _, inner = half.apply(variables, x, capture_intermediates=True, mutable=["intermediates"])
    layers = {name: x["__call__"][0].dtype for name, x in inner["intermediates"].items() if name in initial["params"]}
    assert len(layers) == len(initial["params"])
    assert set(layers.values()) == {jnp.dtype(jnp.bfloat16)}


def test_init_range_limits_the_initial_weights():
    def largest_weights(init_range):
        module = mlp.Generator((8, 8, 1), (64,), init_range=init_range)
        params = module.init(jax.random.key(0), jnp.zeros((1, 10)))["params"]
        return {name: float(jnp.abs(layer["kernel"]).max()) for name, layer in params.items()}

    assert all(0.045 < x <= 0.05 for x in largest_weights(0.05).values())
    assert min(largest_weights(None).values()) > 0.2


def test_uniform_init_is_uniform_within_its_bound():
    x = np.asarray(mlp.uniform_init(0.05)(jax.random.key(0), (200, 100)))
    assert (x.shape, x.dtype) == ((200, 100), np.float32)
    assert -0.05 <= x.min() < -0.0499
    assert 0.0499 < x.max() < 0.05
    assert x.std() == pytest.approx(0.1 / np.sqrt(12), rel=0.02)
