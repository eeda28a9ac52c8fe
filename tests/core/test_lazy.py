"""Tests of lazy terms: their values and gradients, and the memory of the branch that computes them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jaxprs

from jaxgan import losses

PARAMS = {"a": jnp.full((3, 32), 0.3), "b": jnp.full((32,), -0.2)}
X = jax.random.normal(jax.random.key(0), (256, 3))


def network(params, x):
    return jnp.tanh(x @ params["a"]) @ params["b"]


def penalty(params):
    return losses.r1(lambda x: network(params, x), X)


def lazy_value(params, step, n=4):
    return losses.lazy(n, step, lambda: penalty(params)).value


def test_value_and_gradient_are_n_times_those_of_the_term_or_zero():
    value, grads = jax.jit(jax.value_and_grad(lazy_value))(PARAMS, jnp.int32(8))
    expected, expected_grads = jax.value_and_grad(lambda params: 4 * penalty(params).mean())(PARAMS)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), grads, expected_grads)
    for zero in jax.tree.leaves(jax.jit(jax.value_and_grad(lazy_value))(PARAMS, jnp.int32(9))):
        assert not np.any(zero)


def test_gradient_is_multiplied_by_the_weight_of_the_term():
    grads = jax.grad(lambda params: 3 * lazy_value(params, 0))(PARAMS)
    expected = jax.grad(lambda params: 12 * penalty(params).mean())(PARAMS)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), grads, expected)


def test_the_branch_returns_no_activations():
    step = jaxprs.branches(jax.make_jaxpr(jax.grad(lazy_value))(PARAMS, 0))
    size_of_params = sum(x.nbytes for x in jax.tree.leaves(PARAMS))
    assert step and sum(map(jaxprs.returned_bytes, step)) < size_of_params + 100


def test_a_lazy_term_can_be_differentiated_twice_and_vectorised():
    def norm(params, value):
        return sum(jnp.square(x).sum() for x in jax.tree.leaves(jax.grad(value)(params)))

    second = jax.grad(norm)(PARAMS, lambda params: lazy_value(params, 0))
    expected = jax.grad(norm)(PARAMS, lambda params: 4 * penalty(params).mean())
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6), second, expected)

    both = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), PARAMS)
    grads = jax.vmap(jax.grad(lambda params: lazy_value(params, 0)))(both)
    alone = jax.grad(lambda params: lazy_value(params, 0))(jax.tree.map(lambda x: x[1], both))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x[1], y, rtol=1e-5, atol=1e-7), grads, alone)


def test_a_further_result_is_returned_in_all_steps():
    def compute(params, step):
        def measure():
            values = penalty(params)
            return values, {"count": jnp.int32(7), "mean": values.mean()}

        term, further = losses.lazy(2, step, measure, otherwise={"count": jnp.int32(1), "mean": jnp.float32(0)})
        return term.value, further

    gradient = jax.jit(jax.value_and_grad(compute, has_aux=True))
    (value, further), _ = gradient(PARAMS, jnp.int32(0))
    assert int(further["count"]) == 7 and float(value) == pytest.approx(2 * float(further["mean"]), rel=1e-6)
    (value, further), _ = gradient(PARAMS, jnp.int32(1))
    assert int(further["count"]) == 1 and float(value) == float(further["mean"]) == 0


def test_a_term_with_more_than_one_value_per_example_is_refused():
    message = r"^The result of `term` in jaxgan.losses.lazy must be a scalar or an array \[B\].*got float32\[4, 3\]"
    with pytest.raises(ValueError, match=message):
        losses.lazy(2, jnp.int32(0), lambda: jnp.zeros((4, 3)))
