"""Tests of the sums over pixels against NumPy, of their derivatives, and of the programs that XLA compiles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn import layers, normalization, sums

SHAPES = {"all axes": ((5, 4, 3), 0), "each image": ((2, 5, 4, 3), 1), "each cube": ((2, 2, 3, 2, 3), 1)}


@pytest.mark.parametrize(("shape", "keep_axes"), SHAPES.values(), ids=SHAPES.keys())
def test_sum_and_broadcast_equal_numpy(shape, keep_axes):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    space = tuple(range(keep_axes, x.ndim - 1))
    v = x.sum(space)
    np.testing.assert_allclose(jax.jit(sums.sum_over_space, static_argnums=1)(x, keep_axes), v, rtol=1e-5, atol=1e-5)
    spread = jax.jit(sums.broadcast_over_space, static_argnums=1)(v, shape[keep_axes:-1])
    np.testing.assert_array_equal(spread, np.broadcast_to(np.expand_dims(v, space), shape))


@pytest.mark.parametrize(("shape", "keep_axes"), SHAPES.values(), ids=SHAPES.keys())
def test_second_derivatives_equal_those_of_jax(shape, keep_axes):
    """Compare the gradient of a squared gradient, which R1 computes through a normalisation layer."""
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    space = tuple(range(keep_axes, x.ndim - 1))

    def centred(total, spread):
        def second(x):
            gradient = jax.grad(lambda x: jnp.tanh(x * spread(total(jnp.square(x)))).sum())
            return jnp.square(gradient(x)).sum()

        return jax.jit(jax.grad(second))(x)

    ours = centred(
        lambda x: sums.sum_over_space(x, keep_axes), lambda v: sums.broadcast_over_space(v, shape[keep_axes:-1])
    )
    theirs = centred(lambda x: x.sum(space), lambda v: jnp.broadcast_to(jnp.expand_dims(v, space), shape))
    np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("count", [2**20, 1021 * 1031, 2053], ids=["blocks of 1024", "blocks of 1021", "one block"])
def test_moments_of_many_pixels_are_accurate(count):
    """In a single float32 sum over 2**20 pixels, the fourth digit of the variance would be wrong."""
    x = np.random.default_rng(0).normal(0.5, 1, size=(count, 3)).astype(np.float32)
    mean, var = jax.jit(normalization._moments)(x)
    np.testing.assert_allclose(mean, x.mean(0, dtype=np.float64), rtol=2e-6)
    np.testing.assert_allclose(var, x.var(0, dtype=np.float64), rtol=2e-6)


def test_under_vmap_and_in_half_precision():
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)
    bias = np.float32([1, 2])
    add = jax.grad(lambda bias, x: jnp.square(x + sums.broadcast_over_space(bias, x.shape[:-1])).sum())
    each = jax.jit(jax.vmap(add, (None, 0)))(bias, x)
    np.testing.assert_allclose(each, 2 * (x + bias).sum((1, 2)), rtol=1e-5)
    half = sums.sum_over_space(jnp.asarray(x, jnp.bfloat16), 1)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), x.sum((1, 2)), rtol=0.02, atol=0.05)


def count_products(f, *arguments):
    """Return the number of matrix products in the compiled program."""
    # The flags of the test suite turn off the optimisation that merges equal computations.
    options = {"xla_backend_optimization_level": 3}
    return jax.jit(f).lower(*arguments).compile(options).as_text().count(" dot(")


@pytest.mark.integration
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_two_forward_passes_over_the_same_batch_are_computed_once(norm, batch):
    """In a step of CycleGAN, one player trains the network and another only applies it to the same batch."""

    class Network(layers.nn.Module):
        @layers.nn.compact
        def __call__(self, x):
            for i in range(3):
                x = layers.Conv(8, kernel_size=1, name=f"conv_{i}")(x)
                x = layers.nn.relu(normalization.norm_layer(norm, f"norm_{i}")(x, True))
            return x

    net, x = Network(), jnp.ones((batch, 6, 6, 8))
    variables = net.init(jax.random.key(0), x)
    gradient = jax.grad(lambda variables: jnp.square(net.apply(variables, x, mutable="batch_stats")[0]).sum())

    def forward(variables):
        return jnp.tanh(net.apply(variables, x, mutable="batch_stats")[0])

    both = count_products(lambda variables: (gradient(variables), forward(variables)), variables)
    assert count_products(forward, variables) > 0
    assert both == count_products(gradient, variables)
