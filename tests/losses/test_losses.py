"""Tests of the loss functions against values and gradients that were calculated manually.

One table, ``TABLE``, runs every adversarial loss through the same tests: values, gradients, extreme logits, wrong
shapes and the number of compilations.
"""

import inspect
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.losses.adversarial import check_logits

LOG2 = math.log(2)


def softplus(t):
    return math.log1p(math.exp(t))


def sigmoid(t):
    return 1 / (1 + math.exp(-t))


# name: (function, arguments for one example, value, gradient with respect to each argument), calculated manually.
TABLE = {
    "minimax_discriminator at 0": (losses.minimax_discriminator, (0.0, 0.0), 2 * LOG2, (-0.5, 0.5)),
    "minimax_discriminator": (losses.minimax_discriminator, (2.0, -1.0), softplus(-2) + softplus(-1), (sigmoid(2) - 1, sigmoid(-1))),
    "minimax_generator": (losses.minimax_generator, (1.0,), -softplus(1), (-sigmoid(1),)),
    "non_saturating_discriminator": (losses.non_saturating_discriminator, (2.0, -1.0), softplus(-2) + softplus(-1), (sigmoid(2) - 1, sigmoid(-1))),
    "smoothed": (lambda r, f: losses.non_saturating_discriminator(r, f, 0.9), (2.0, -1.0),
                 0.9 * softplus(-2) + 0.1 * softplus(2) + softplus(-1), (sigmoid(2) - 0.9, sigmoid(-1))),
    "non_saturating_generator": (losses.non_saturating_generator, (1.0,), softplus(-1), (sigmoid(1) - 1,)),
    "hinge_discriminator inside": (losses.hinge_discriminator, (0.5, -0.25), 0.5 + 0.75, (-1.0, 1.0)),
    "hinge_discriminator outside": (losses.hinge_discriminator, (1.5, -2.0), 0.0, (0.0, 0.0)),
    "hinge_generator": (losses.hinge_generator, (0.3,), -0.3, (-1.0,)),
    "least_squares_discriminator": (losses.least_squares_discriminator, (0.5, 2.0), 0.125 + 2.0, (-0.5, 2.0)),
    "least_squares_generator": (losses.least_squares_generator, (3.0,), 2.0, (2.0,)),
    "wasserstein_discriminator": (losses.wasserstein_discriminator, (1.5, 0.5), -1.0, (-1.0, 1.0)),
    "wasserstein_generator": (losses.wasserstein_generator, (1.5,), -1.5, (-1.0,)),
    "relativistic_discriminator": (losses.relativistic_discriminator, (2.0, 0.5), softplus(-1.5), (sigmoid(1.5) - 1, 1 - sigmoid(1.5))),
    "relativistic_generator": (losses.relativistic_generator, (2.0, 0.5), softplus(1.5), (sigmoid(1.5), -sigmoid(1.5))),
}  # fmt: skip
ADVERSARIAL = [f for name, f in vars(losses).items() if name.endswith(("_discriminator", "_generator"))]


@pytest.fixture(params=TABLE.values(), ids=TABLE.keys())
def row(request):
    return request.param


def test_the_table_has_every_adversarial_loss():
    assert {f for f, *_ in TABLE.values()} >= set(ADVERSARIAL)


@pytest.mark.integration
def test_value(row):
    f, arguments, value, _ = row
    out = f(*(jnp.array([a, a]) for a in arguments))
    chex.assert_shape(out, (2,))
    np.testing.assert_allclose(out, value, rtol=1e-6, atol=1e-7)


@pytest.mark.integration
def test_gradient(row):
    f, arguments, _, gradient = row
    grads = jax.grad(lambda *a: f(*a).sum(), tuple(range(len(arguments))))(*(jnp.array([a]) for a in arguments))
    np.testing.assert_allclose(np.ravel(grads), gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("logit", [-200.0, -50.0, 50.0, 200.0])
def test_extreme_logits_are_finite(row, logit):
    f, arguments, *_ = row
    inputs = [jnp.array([logit * (-1) ** i]) for i in range(len(arguments))]
    value, grads = jax.value_and_grad(lambda *a: f(*a).sum(), tuple(range(len(inputs))))(*inputs)
    chex.assert_tree_all_finite((value, grads))


@pytest.mark.integration
def test_second_call_with_the_same_shapes_does_not_recompile(row):
    f, arguments, *_ = row
    compiled = jax.jit(lambda *a: f(*a))
    compiled(*(jnp.array([a]) for a in arguments))
    compiled(*(jnp.array([a + 1]) for a in arguments))
    assert compiled._cache_size() == 1


def test_logits_of_different_shapes_raise(row):
    f, arguments, *_ = row
    column = jnp.ones((4, 1))
    with pytest.raises(ValueError, match=r"one value per example, \[B\]"):
        f(column, *(jnp.ones(4) for _ in arguments[1:]))
    if len(arguments) == 2:
        with pytest.raises(ValueError, match=r"got the shapes \(4,\), \(3,\)"):
            f(jnp.ones(4), jnp.ones(3))


@pytest.mark.parametrize("shapes", [((),), ((3, 1),), ((3,), (3, 1)), ((3,), (2,)), ((3,), ())])
def test_check_logits_accepts_only_vectors_of_the_same_length(shapes):
    with pytest.raises(ValueError, match=r"one value per example, \[B\]"):
        check_logits(*(jnp.zeros(shape) for shape in shapes))
    check_logits(jnp.zeros(3), jnp.zeros(3), jnp.zeros(3))


def test_real_logits_are_the_first_parameter():
    for f in ADVERSARIAL:
        names = list(inspect.signature(f).parameters)
        relativistic = f is losses.relativistic_generator
        assert (
            names[:2] == ["real_logits", "fake_logits"] if len(names) > 1 or relativistic else names == ["fake_logits"]
        )


def test_label_smoothing_requires_a_probability():
    with pytest.raises(ValueError, match="`real_target` must be a probability in"):
        losses.non_saturating_discriminator(jnp.ones(2), jnp.ones(2), 1.5)


def test_discriminator_metrics_measure_accuracy_and_the_value_at_equilibrium():
    metrics = losses.discriminator_metrics(jnp.array([1.0, -1.0]), jnp.array([-1.0, 1.0]))
    assert metrics["accuracy_real"].tolist() == [True, False] == metrics["accuracy_fake"].tolist()
    undecided = losses.discriminator_metrics(jnp.zeros(2), jnp.zeros(2))
    np.testing.assert_allclose(undecided["value"], -math.log(4), rtol=1e-6)


def test_score_metrics_have_a_threshold_and_no_value():
    metrics = losses.score_metrics(jnp.array([1.0, 0.25]), jnp.array([0.0, 0.75]), threshold=0.5)
    assert set(metrics) == {"accuracy_real", "accuracy_fake", "logits_real", "logits_fake"}
    assert metrics["accuracy_real"].tolist() == [True, False] == metrics["accuracy_fake"].tolist()
    assert metrics["logits_real"].tolist() == [0.5, -0.25] and metrics["logits_fake"].tolist() == [-0.5, 0.25]


# Inputs for the penalties. The gradient of D(x) = a . x is a everywhere, and the gradient of D(x) = |x|^2 / 2 is x.
A = jnp.arange(12.0).reshape(2, 2, 3)
X = jnp.stack([A / 10, -A / 5])


def linear(x):
    return (x * A[None]).sum((1, 2, 3))


def quadratic(x):
    return 0.5 * jnp.square(x).sum((1, 2, 3))


@pytest.mark.integration
def test_r1_and_r2_are_squared_norms_over_all_axes_but_the_batch():
    np.testing.assert_allclose(losses.r1(linear, X), [506.0, 506.0])  # 0^2 + ... + 11^2
    np.testing.assert_allclose(losses.r1(quadratic, X), [5.06, 20.24], rtol=1e-6)
    np.testing.assert_allclose(losses.r2(quadratic, X), losses.r1(quadratic, X))


def test_gradient_of_r1_with_respect_to_the_weights():
    """The gradient of | d(a . x)/dx |^2 with respect to a is 2a. Training uses this second derivative."""
    grad = jax.grad(lambda a: losses.r1(lambda x: (x * a[None]).sum((1, 2, 3)), X).mean())(A)
    np.testing.assert_allclose(grad, 2 * A, rtol=1e-6)


@pytest.mark.integration
def test_gradient_penalty_of_a_linear_critic():
    keys = jax.random.split(jax.random.key(0), 2)
    penalty = losses.gradient_penalty(linear, X, jnp.zeros_like(X), keys)
    np.testing.assert_allclose(penalty, (math.sqrt(506) - 1) ** 2, rtol=1e-5)
    zero_centred = losses.gradient_penalty(linear, X, jnp.zeros_like(X), keys, target=0.0)
    np.testing.assert_allclose(zero_centred, 506, rtol=1e-5)


@pytest.mark.integration
def test_gradient_penalty_draws_a_separate_point_between_each_pair():
    keys = jax.random.split(jax.random.key(0), 64)
    fake, real = jnp.zeros((64, 5)), jnp.ones((64, 5))
    # The gradient of |x|^2 / 2 is the point x = t (1, ..., 1). Its norm is t sqrt(5), so t follows from the penalty.
    penalty = losses.gradient_penalty(lambda x: 0.5 * jnp.square(x).sum(1), real, fake, keys, target=0.0)
    places = np.sqrt(np.asarray(penalty) / 5)
    assert places.min() >= 0
    assert places.max() <= 1
    assert len(np.unique(places.round(6))) == 64
    assert 0.35 < places.mean() < 0.65
    again = losses.gradient_penalty(lambda x: 0.5 * jnp.square(x).sum(1), real[:3], fake[:3], keys[:3], target=0.0)
    np.testing.assert_allclose(again, penalty[:3], rtol=1e-6)


@pytest.mark.integration
def test_gradient_penalty_has_a_finite_gradient_if_the_critic_is_constant():
    keys = jax.random.split(jax.random.key(0), 2)

    def penalty(weight):
        return losses.gradient_penalty(lambda x: weight * x.sum((1, 2, 3)), X, X, keys).mean()

    value, grad = jax.value_and_grad(penalty)(0.0)
    assert float(value) == 1.0
    assert np.isfinite(grad)


def test_penalties_raise_unless_the_function_returns_one_logit_per_example():
    keys = jax.random.split(jax.random.key(0), 2)
    with pytest.raises(ValueError, match=r"of shape \(2,\), but it maps inputs of shape \(2, 2, 2, 3\) to the shape"):
        losses.r1(lambda x: linear(x)[:, None], X)
    with pytest.raises(ValueError, match="`real` and `fake` must have the same shape"):
        losses.gradient_penalty(linear, X, X[:1], keys)


def test_lazy_requires_a_period_of_at_least_one_step():
    with pytest.raises(ValueError, match=r"^`n`, the period in steps, must be at least 1, got 0"):
        losses.lazy(0, jnp.int32(0), lambda: jnp.zeros(2))


def test_lazy_computes_its_term_only_when_it_is_due():
    ran = []

    def term():
        jax.debug.callback(lambda: ran.append(1))
        return jnp.ones(2)

    f = jax.jit(lambda step: losses.lazy(2, step, term))
    assert [f(jnp.int32(i)).value.tolist() for i in range(4)] == [2, 0, 2, 0]
    jax.effects_barrier()
    assert len(ran) == 2


RECONSTRUCTION = {
    "l1": (losses.l1, 0.5 * (0.2 + 1.0)),
    "l2": (losses.l2, 0.5 * (0.04 + 1.0)),
    "binary_cross_entropy": (losses.binary_cross_entropy, softplus(0.5) - 0.3 * 0.5 + softplus(-1.0) + 0.0),
}


@pytest.mark.parametrize(("f", "value"), RECONSTRUCTION.values(), ids=RECONSTRUCTION.keys())
def test_reconstruction(f, value):
    output, target = jnp.array([[0.5, -1.0]]), jnp.array([[0.3, 0.0]])
    np.testing.assert_allclose(f(output, target), [value], rtol=1e-6)
    with pytest.raises(ValueError, match="must have the same shape"):
        f(output, target[0])


@pytest.mark.integration
def test_multiscale_l1_counts_coarse_differences_at_every_level():
    """Compare two images with a constant target over the levels 8 x 8 and 4 x 4.

    A constant difference of 0.3 is 0.3 at both levels. A checkerboard of +0.3 and -0.3 with squares of one pixel is 0.3
    at the first level and cancels to 0 at the second.
    """
    target = jnp.zeros((2, 8, 8, 3))
    checks = 0.3 * (-1.0) ** (jnp.arange(8)[:, None] + jnp.arange(8)[None])
    output = jnp.stack([jnp.full((8, 8, 3), 0.3), jnp.broadcast_to(checks[..., None], (8, 8, 3))])
    np.testing.assert_allclose(losses.multiscale_l1(output, target), [0.3, 0.15], rtol=1e-5)
    np.testing.assert_allclose(losses.multiscale_l1(output, target, smallest=8), [0.3, 0.3], rtol=1e-5)
    with pytest.raises(ValueError, match="`output` and `target` must be images"):
        losses.multiscale_l1(output[0], target[0])


@pytest.mark.integration
def test_perceptual_compares_only_the_directions_of_features():
    """At each pixel, the distance is 0 for equal directions, 2 for orthogonal and 4 for opposite ones.

    It is averaged over pixels and summed over levels.
    """
    target = jnp.broadcast_to(jnp.array([1.0, 0.0]), (1, 2, 2, 2))
    alike, across, opposite = 5.0 * target, target[..., ::-1], -target
    for output, value in [((alike, alike), 0), ((across, alike), 2), ((across, opposite), 6)]:
        np.testing.assert_allclose(losses.perceptual(output, (target, target)), [value], atol=1e-5)
    half = target.at[0, 0].set(across[0, 0])
    np.testing.assert_allclose(losses.perceptual((half,), (target,)), [1.0], atol=1e-5)
    slopes = jax.grad(lambda x: losses.perceptual((x,), (target,)).sum())(jnp.zeros_like(target))
    assert np.isfinite(slopes).all()  # where all features are 0
    for bad in ((target,), (target, target[:, 1:]), ()):
        with pytest.raises(ValueError, match="must be sequences of feature maps"):
            losses.perceptual(bad, (target, target) if bad else ())


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (1.5, -2.0), (-0.7, 1.3), (0.0, -6.0)])
def test_gaussian_kl_equals_numerical_integration(mean, log_variance):
    """Compare with the integral of q log(q / p), computed by quadrature in float64."""
    deviation = math.exp(log_variance / 2)
    x = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 20_001)
    log_q = -0.5 * ((x - mean) / deviation) ** 2 - math.log(deviation)
    integrand = np.exp(log_q) / math.sqrt(2 * math.pi) * (log_q + 0.5 * x**2)
    expected = integrand.sum() * (x[1] - x[0])
    found = losses.gaussian_kl(jnp.array([[mean]]), jnp.array([[log_variance]]))
    np.testing.assert_allclose(found, [expected], rtol=1e-5, atol=1e-6)


@pytest.mark.integration
def test_gaussian_kl_sums_over_all_axes_but_the_batch():
    mean, log_variance = np.random.default_rng(0).normal(size=(2, 3, 2, 5)).astype(np.float32)
    one_by_one = [losses.gaussian_kl(mean.reshape(-1), log_variance.reshape(-1))]
    np.testing.assert_allclose(
        losses.gaussian_kl(mean, log_variance), np.reshape(one_by_one, (3, 10)).sum(1), rtol=1e-5
    )


@pytest.mark.integration
def test_gaussian_kl_is_accurate_near_the_prior():
    """For a small log-variance t the divergence is t^2 / 4 + O(t^3).

    The formula exp(t) - 1 - t would return only rounding errors there. The gradients were calculated manually.
    """
    value, grads = jax.value_and_grad(lambda m, v: losses.gaussian_kl(m, v)[0], (0, 1))(jnp.zeros(1), jnp.full(1, 1e-3))
    assert float(value) == pytest.approx(1e-6 / 4, rel=1e-2)
    assert (float(grads[0][0]), float(grads[1][0])) == (0, pytest.approx(math.expm1(1e-3) / 2, rel=1e-4))
    slopes = jax.grad(lambda m, v: losses.gaussian_kl(m, v)[0], (0, 1))(jnp.full(1, 3.0), jnp.full(1, -2.0))
    np.testing.assert_allclose(slopes, [[3.0], [(math.exp(-2) - 1) / 2]], rtol=1e-6)


def test_gaussian_kl_of_different_shapes_raises():
    with pytest.raises(ValueError, match=r"must have the same shape \[B, ...\], got \(4, 3\) and \(4, 1\)"):
        losses.gaussian_kl(jnp.zeros((4, 3)), jnp.zeros((4, 1)))


@pytest.mark.integration
@pytest.mark.parametrize("logit", [-200.0, 200.0])
@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_binary_cross_entropy_is_exact_at_extreme_logits(logit, target):
    value, grad = jax.value_and_grad(lambda x: losses.binary_cross_entropy(x, jnp.array([[target]]))[0])(
        jnp.array([[logit]])
    )
    assert float(value) == pytest.approx(200.0 * abs((logit > 0) - target), abs=1e-6)
    assert float(grad[0, 0]) == pytest.approx((logit > 0) - target, abs=1e-6)
