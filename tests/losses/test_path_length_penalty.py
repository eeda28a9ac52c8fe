"""Tests of path length regularisation, also against the official code, NVlabs/stylegan2-ada-pytorch.

The expected numbers in ``CASES`` are the results of its training/loss.py at commit d72cc7d for one fixed direction and
a moving average that starts at 0.25.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import official

from jaxgan import losses
from jaxgan.core import axis
from jaxgan.interop import stylegan2 as interop

KEYS = jax.random.split(jax.random.key(0), 3000)
# name: (classes, channels, conv_clamp, path lengths, moving average, ``official.direction`` of the penalty's gradient:
# its norm and its product with noise)
CASES = {
    "labels": (3, 3, None, [2.0869086, 1.3763032, 1.4942644, 2.3450241], 0.26575625, [10.77219, 0.78536264]),
    "grey, clamped": (0, 1, 0.5, [0.16803811, 0.15603018, 0.18095388, 0.17203546], 0.24919264, [0.04270455, 0.011408808]),
}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("name", CASES)
def test_penalty_and_its_gradient_equal_the_official_code(name, monkeypatch):
    classes, channels, clamp, expected, expected_mean, gradient = CASES[name]
    mapping, synthesis, variables, arrays = official.generator(32, classes, channels, conv_clamp=clamp)
    label = (np.array([2, 0, 1, 2]),) if classes else ()
    z = np.random.RandomState(0).normal(size=(4, 16)).astype(np.float32)
    direction = np.random.RandomState(3).normal(size=(32, 32, channels)).astype(np.float32)
    monkeypatch.setattr(jax.random, "normal", lambda key, shape: jnp.asarray(direction))
    mean = losses.PathLengthEMA()

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def penalty(variables):
        ws = mapping.apply(variables["mapping"], z, *label, train=False)
        noise = interop.noise(arrays)
        lengths = losses.path_lengths(lambda ws: synthesis.apply(variables["synthesis"], ws, noise), ws, KEYS[:4])
        state = {"batch_stats": {"mean": jnp.float32(0.25)}}
        moved, state = mean.apply(state, lengths, mutable=["batch_stats"])
        return 2 * losses.path_length_penalty(lengths, moved).mean(), (lengths, state["batch_stats"]["mean"])

    (_, (lengths, moved)), grads = penalty(variables)
    np.testing.assert_allclose(lengths, expected, rtol=1e-4)
    assert float(moved) == pytest.approx(expected_mean, rel=1e-4)
    slopes = {n: x for n, x in interop.to_torch(grads).items() if n in arrays and not n.endswith(("const", "w_avg"))}
    slopes["synthesis.b4.const"] = np.asarray(grads["synthesis"]["params"]["constant"]).transpose(2, 0, 1)
    np.testing.assert_allclose(official.direction(slopes), gradient, rtol=1e-3)


@pytest.mark.integration
def test_path_lengths_of_a_linear_map():
    """For images a * w + b the Jacobian J is a, and in one dimension the path length is |a y|.

    y is a normal random number divided by the square root of 2, because the images have 2 pixels.
    """
    ws = jnp.ones((3000, 1, 1))
    lengths = losses.path_lengths(lambda ws: 3.0 * ws[..., None] * jnp.array([[[[1.0], [0.0]]]]) + 1, ws, KEYS)
    assert lengths.shape == (3000,)
    assert float(jnp.square(lengths).mean()) == pytest.approx(9 / 2, rel=0.1)
    # With two layers that have the same effect, the path length is the root of the mean of the layers' squares, so it
    # stays the same.
    two = losses.path_lengths(
        lambda ws: 3.0 * ws.sum(1)[:, None, None] * jnp.array([[[[1.0], [0.0]]]]), jnp.ones((3000, 2, 1)), KEYS
    )
    np.testing.assert_allclose(two, lengths, rtol=1e-5)
    # The direction of an example depends only on its own key.
    again = losses.path_lengths(lambda ws: 3.0 * ws[..., None] * jnp.array([[[[1.0], [0.0]]]]), ws[7:9], KEYS[7:9])
    np.testing.assert_allclose(again, lengths[7:9], rtol=1e-5)


def test_penalty_has_a_finite_gradient_if_images_do_not_depend_on_styles():
    image = jnp.ones((1, 2, 2, 1))

    def penalty(a):
        def synthesis(ws):
            return a * ws.sum((1, 2)).reshape(-1, 1, 1, 1) * image

        lengths = losses.path_lengths(synthesis, jnp.ones((3, 2, 4)), KEYS[:3])
        return losses.path_length_penalty(lengths, jnp.float32(1)).mean()

    value, slope = jax.value_and_grad(penalty)(0.0)
    assert (float(value), float(slope)) == (1.0, 0.0)


def test_penalty_is_the_squared_difference_from_the_mean():
    np.testing.assert_allclose(losses.path_length_penalty(jnp.array([1.0, 4.0]), jnp.float32(2)), [1.0, 4.0])


def test_moving_average_is_updated_only_when_due():
    module = losses.PathLengthEMA(decay=0.75)
    state, expected = module.init(jax.random.key(0)), 0.0
    assert float(module.apply(state)) == 0
    for i, value in enumerate([4.0, 8.0, 2.0]):
        due = jnp.bool_(i != 1)
        mean, state = module.apply(state, jnp.array([value - 1, value + 1]), due, mutable=["batch_stats"])
        expected += 0.25 * (value - expected) * (i != 1)
        assert float(mean) == float(module.apply(state)) == pytest.approx(expected)
    # The gradient passes through the contribution of the newest lengths.
    slope = jax.grad(lambda x: module.apply(state, x))(jnp.ones(2))
    np.testing.assert_allclose(slope, [0.125, 0.125])


def test_moving_average_includes_all_devices():
    lengths = jnp.arange(8.0)
    module = losses.PathLengthEMA()
    state = module.init(jax.random.key(0))

    def loss(x):
        return losses.path_length_penalty(x, module.apply(state, x)).mean()

    value, slope = jax.value_and_grad(loss)(lengths)
    values, slopes = jax.pmap(jax.value_and_grad(loss), axis.NAME)(lengths[:, None])
    assert float(values.mean()) == pytest.approx(float(value))
    np.testing.assert_allclose(slopes[:, 0] / 8, slope, rtol=1e-4, atol=1e-6)
    assert float(slope[0]) == pytest.approx(2 * (0 - 0.035) / 8 - 0.01 * 2 * (3.5 - 0.035) / 8, rel=1e-4)


def test_wrong_shapes_raise():
    ws = jnp.ones((2, 3, 4))
    with pytest.raises(ValueError, match=r"`ws` must have the shape \[B, layers, w_dim\], got \(2, 4\)"):
        losses.path_lengths(lambda ws: ws, ws[:, 0], KEYS[:2])
    with pytest.raises(ValueError, match=r"to images \[B, h, w, C\] with the same B, got images of shape \(2, 3, 4\)"):
        losses.path_lengths(lambda ws: ws, ws, KEYS[:2])
    with pytest.raises(ValueError, match=r"`lengths` must have the shape \[B\] .*, got the shapes \(2, 1\) and \(\)"):
        losses.path_length_penalty(jnp.ones((2, 1)), jnp.float32(math.pi))
