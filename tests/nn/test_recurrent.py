"""Tests of the recurrent layer against flax's, and of its derivatives."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.losses import r1
from jaxgan.nn.recurrent import GRU, gru

B, T, F, H = 3, 5, 4, 6
X = jnp.array(np.random.default_rng(0).normal(size=(B, T, F)), jnp.float32)
LENGTHS = jnp.array([5, 2, 3])


def flax_states(params, x):
    return nn.RNN(nn.GRUCell(H)).apply({"params": {"cell": params}}, x)


def parameters():
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(GRU(H).init, jax.random.key(0), X)["params"]
    return jax.tree.map(lambda p: jnp.array(rng.normal(size=p.shape), jnp.float32), shapes)


def test_states_and_parameters_equal_flaxs():
    cell = jax.eval_shape(nn.RNN(nn.GRUCell(H)).init, jax.random.key(0), X)["params"]["cell"]
    params = parameters()
    assert jax.tree.map(lambda p: p.shape, params) == jax.tree.map(lambda p: p.shape, cell)
    np.testing.assert_allclose(jax.jit(GRU(H).apply)({"params": params}, X), flax_states(params, X), atol=1e-5)


@pytest.mark.integration
def test_second_derivatives_equal_flaxs():
    """The penalty is R1, whose gradient with respect to the parameters is a second derivative."""

    def penalty(params, states):
        return r1(lambda x: jnp.sin(3 * states(params, x)).sum((1, 2)), X).sum()

    params = parameters()
    found = jax.jit(jax.grad(lambda p: penalty(p, lambda p, x: GRU(H).apply({"params": p}, x))))(params)
    expected = jax.jit(jax.grad(lambda p: penalty(p, flax_states)))(params)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5 * np.abs(b).max())


def test_states_stay_constant_after_the_end_of_a_series():
    params = {"params": parameters()}
    states = GRU(H).apply(params, X)
    found = GRU(H).apply(params, X, lengths=LENGTHS)
    for i, length in enumerate(LENGTHS):
        np.testing.assert_allclose(found[i, :length], states[i, :length], atol=1e-6)
        np.testing.assert_array_equal(found[i, length:], np.broadcast_to(found[i, length - 1], (T - length, H)))
    gradient = jax.grad(lambda x: GRU(H).apply(params, x, lengths=LENGTHS)[:, -1].sum())(X)
    assert (np.abs(gradient).max(-1) > 0).tolist() == (np.arange(T) < np.asarray(LENGTHS)[:, None]).tolist()


def test_an_initial_state_continues_a_series():
    params = {"params": parameters()}
    states = GRU(H).apply(params, X)
    rest = GRU(H).apply(params, X[:, 2:], initial_state=states[:, 1])
    np.testing.assert_allclose(rest, states[:, 2:], atol=1e-6)


def test_bfloat16_has_float32_parameters():
    layer = GRU(H, dtype=jnp.bfloat16)
    variables = layer.init(jax.random.key(0), X)
    assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    assert layer.apply(variables, X).dtype == jnp.bfloat16


def test_one_unit_agrees_with_a_manual_calculation():
    """With these weights r = z = 1/2, so that h = n / 2 + h / 2 with n = tanh(x + h / 2)."""
    kernels = {"ir": 0.0, "iz": 0.0, "in": 1.0, "hr": 0.0, "hz": 0.0, "hn": 1.0}
    params = {name: {"kernel": jnp.full((1, 1), kernel), "bias": jnp.zeros(1)} for name, kernel in kernels.items()}
    states = gru(params, jnp.array([[[1.0], [2.0]]]))[0, :, 0]
    first = np.tanh(1) / 2
    np.testing.assert_allclose(states, [first, np.tanh(2 + first / 2) / 2 + first / 2], rtol=1e-6)


def test_invalid_arguments_raise():
    for arguments, message in (
        ((X[0],), r"Series must be \[B, T, F\], got the shape \(5, 4\)"),
        ((X, jnp.zeros((B, 2))), r"`initial_state` must be \[B, H\] = \(3, 6\), got the shape \(3, 2\)"),
        ((X, None, jnp.ones(B)), r"`lengths` must be integers \[B\] = \[3\], one for each series, got float32\[3\]"),
    ):
        with pytest.raises(ValueError, match=message):
            GRU(H).init(jax.random.key(0), *arguments)
