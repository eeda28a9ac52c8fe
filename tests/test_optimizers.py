"""Optimizers: clipped weights against the assignment that the paper writes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan.optimizers import clip_weights


def test_parameters_end_in_the_box():
    params = {"a": jnp.array([0.005, -0.009, 0.2]), "b": jnp.array([[-3.0]])}
    gradient = {"a": jnp.array([1.0, 2.0, -1.0]), "b": jnp.array([[0.0]])}
    for optimizer in (optax.sgd(0.004), optax.chain(optax.sgd(0.004), clip_weights(0.01))):
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        ends = optax.apply_updates(params, updates)
    np.testing.assert_allclose(ends["a"], [0.001, -0.01, 0.01], rtol=1e-6)
    np.testing.assert_allclose(ends["b"], [[-0.01]], rtol=1e-6)


def test_a_long_run_stays_there_and_moves_inside():
    """Clipping after each step, as the paper's algorithm 1 assigns it."""
    optimizer = optax.chain(optax.rmsprop(5e-3), clip_weights(0.01))
    gradients = jax.random.normal(jax.random.key(0), (200, 50))
    params, state, plain = jnp.zeros(50), optimizer.init(jnp.zeros(50)), optax.rmsprop(5e-3)
    expected, plain_state = jnp.zeros(50), plain.init(jnp.zeros(50))

    @jax.jit
    def step(params, state, expected, plain_state, gradient):
        updates, state = optimizer.update(gradient, state, params)
        moved, plain_state = plain.update(gradient, plain_state, expected)
        return optax.apply_updates(params, updates), state, jnp.clip(expected + moved, -0.01, 0.01), plain_state

    for gradient in gradients:
        params, state, expected, plain_state = step(params, state, expected, plain_state, gradient)
        assert np.abs(params).max() <= 0.01 * (1 + 1e-6)
    np.testing.assert_allclose(params, expected, atol=1e-7)
    assert 0 < (np.abs(params) < 0.0099).sum() < 50


def test_what_is_refused():
    for limit in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="kept in"):
            clip_weights(limit)
    with pytest.raises(ValueError, match=r"update\(updates, state, params\)"):
        clip_weights(1.0).update(jnp.zeros(2), optax.EmptyState())
