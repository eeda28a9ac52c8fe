"""Tests of the regularisers against values that were calculated independently."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgan import losses
from jaxgan.core import axis

KEYS = jax.random.split(jax.random.key(0), 2000)
A = jnp.arange(12.0).reshape(2, 2, 3)


def quadratic(x):
    return 0.5 * jnp.square(x).sum(range(1, x.ndim))


@pytest.mark.integration
def test_dragan_draws_the_noise_of_each_example_from_its_own_key():
    """The gradient of |x|^2 / 2 is the point x itself, so in one dimension x can be computed from the penalty."""
    real = jnp.full((2000, 1), 10.0)
    penalty = losses.dragan(quadratic, real, KEYS, 0.3, target=-90.0)
    points = np.sqrt(np.asarray(penalty)) - 90
    assert stats.kstest(points, stats.norm(10, 0.3).cdf).pvalue > 1e-4
    again = losses.dragan(quadratic, real[:3], KEYS[:3], 0.3, target=-90.0)
    np.testing.assert_allclose(again, penalty[:3], rtol=1e-5)


def test_dragan_of_a_linear_and_a_quadratic_function():
    def linear(x):
        return (x * A[None]).sum((1, 2, 3))

    x = jnp.stack([A, -A])
    np.testing.assert_allclose(losses.dragan(linear, x, KEYS[:2], 0.5), (math.sqrt(506) - 1) ** 2, rtol=1e-5)
    np.testing.assert_allclose(losses.dragan(quadratic, x, KEYS[:2], 0.0), (math.sqrt(506) - 1) ** 2, rtol=1e-5)
    with pytest.raises(ValueError, match=r"`std` must be at least 0, got -0.1"):
        losses.dragan(linear, x, KEYS[:2], -0.1)


def test_dragan_has_a_finite_gradient_if_the_critic_is_constant():
    def penalty(w):
        return losses.dragan(lambda x: w * x.sum(1), jnp.ones((2, 3)), KEYS[:2], 0.5).mean()

    value, gradient = jax.value_and_grad(penalty)(0.0)
    assert float(value) == 1.0
    assert float(gradient) == 0.0


def test_consistency_is_the_squared_difference_of_logits():
    np.testing.assert_allclose(losses.consistency(jnp.array([1.0, -2.0]), jnp.array([0.5, 1.0])), [0.25, 9.0])
    gradients = jax.grad(lambda a, b: losses.consistency(a, b).sum(), (0, 1))(jnp.array([1.0]), jnp.array([0.5]))
    np.testing.assert_allclose(gradients, [[1.0], [-1.0]])  # the gradient passes through both arguments
    with pytest.raises(ValueError, match="must have one value per example"):
        losses.consistency(jnp.ones(2), jnp.ones((2, 1)))


def test_lecam_pulls_logits_to_the_other_anchor():
    """The penalty is (D(x) - a_F)^2 + (D(G(z)) - a_R)^2, so real logits are compared with the anchor of fakes."""

    def f(real, fake, a, b):
        return losses.lecam(jnp.array([real]), jnp.array([fake]), a, b)

    np.testing.assert_allclose(f(1.0, -0.5, 2.0, -1.0), [2.0**2 + 2.5**2])
    slopes = jax.grad(lambda *x: f(*x).sum(), (0, 1, 2, 3))(1.0, -0.5, jnp.float32(2.0), jnp.float32(-1.0))
    np.testing.assert_allclose(slopes, [4.0, -5.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="must have one value per example"):
        losses.lecam(jnp.ones(2), jnp.ones((2, 1)), jnp.float32(0), jnp.float32(0))
    with pytest.raises(ValueError, match="`real_anchor` and `fake_anchor` must be scalars"):
        losses.lecam(jnp.ones(2), jnp.ones(2), jnp.zeros(2), jnp.float32(0))


def test_lecam_anchors_are_means_at_first_and_moving_averages_later():
    module = losses.LeCamEMA(decay=0.75)
    state = module.init(jax.random.key(0))
    reals, expected = [1.0, 3.0, -2.0, 4.0, 8.0, 0.5], 0.0
    for i, real in enumerate(reals):
        logits = jnp.array([real - 1, real + 1])
        (a_r, a_f), state = module.apply(state, logits, -2 * logits, mutable=["batch_stats", "lecam"])
        expected = np.mean(reals[: i + 1]) if i < 4 else 0.75 * expected + 0.25 * real
        assert float(a_r) == pytest.approx(expected)
        assert float(a_f) == pytest.approx(-2 * expected)
    np.testing.assert_allclose(module.apply(state), [a_r, a_f])
    assert int(state["lecam"]["turns"]) == 6


def spread(f, *batches):
    """Apply ``f`` to batches that are split over four devices."""
    parts = [x.reshape(4, -1, *x.shape[1:]) for x in batches]
    return jax.pmap(f, axis.NAME, devices=jax.devices()[:4])(*parts)


def test_lecam_anchors_average_over_devices():
    logits = jnp.arange(8.0)
    module = losses.LeCamEMA()
    (a_r, a_f), _ = spread(
        lambda x: module.apply(module.init(jax.random.key(0)), x, -x, mutable=["batch_stats", "lecam"]), logits
    )
    np.testing.assert_allclose(a_r, [3.5] * 4)
    np.testing.assert_allclose(a_f, [-3.5] * 4)


def test_feature_matching_and_its_gradient_over_devices():
    """Compare || E f(x) - E w f(G(z)) ||^2 and its derivative with respect to w on one and on four devices."""
    rng = np.random.default_rng(0)
    real, fake = (rng.normal(size=(8, 3, 2)).astype(np.float32) for _ in range(2))
    gap = real.mean(0) - 2 * fake.mean(0)

    def loss(w, x, y):
        return losses.feature_matching(x, w * y)

    value, slope = jax.value_and_grad(loss)(2.0, real, fake)
    assert float(value) == pytest.approx((gap**2).sum(), rel=1e-5)
    assert float(slope) == pytest.approx(-2 * (gap * fake.mean(0)).sum(), rel=1e-5)
    values, slopes = spread(lambda x, y: jax.value_and_grad(loss)(2.0, x, y), real, fake)
    np.testing.assert_allclose(values, value, rtol=1e-5)
    assert float(slopes.mean()) == pytest.approx(float(slope), rel=1e-5)  # a game averages gradients over devices
    with pytest.raises(ValueError, match="`real_features` and `fake_features` must have the same shape"):
        losses.feature_matching(real, fake[..., :1])


@pytest.mark.integration
def test_orthogonal_penalises_products_of_filters():
    """The columns (1, 2) and (3, -1) have the squared norms 5 and 10, and an inner product of 1."""
    kernel = jnp.array([[1.0, 3.0], [2.0, -1.0]])
    params = {"layer": {"kernel": kernel, "bias": jnp.ones(2)}, "norm": {"scale": jnp.ones(2)}}
    np.testing.assert_allclose(losses.orthogonal(params), 2 * 1.0)
    np.testing.assert_allclose(losses.orthogonal(params, diagonal=True), 2 * 1.0 + 4.0**2 + 9.0**2)
    np.testing.assert_allclose(losses.orthogonal({"a": params, "b": params}), 4.0)
    # The derivative is 4 W (W^T W * (1 - I)).
    slope = jax.grad(lambda p: losses.orthogonal(p))(params)["layer"]["kernel"]
    np.testing.assert_allclose(slope, 4 * kernel @ jnp.array([[0.0, 1.0], [1.0, 0.0]]))
    orthonormal = jnp.linalg.qr(jax.random.normal(jax.random.key(0), (3 * 3 * 4, 8)))[0].reshape(3, 3, 4, 8)
    np.testing.assert_allclose(losses.orthogonal({"kernel": orthonormal}, diagonal=True), 0, atol=1e-9)
    with pytest.raises(ValueError, match="`params` has no leaf named 'kernel'"):
        losses.orthogonal({"bias": jnp.ones(2)})
