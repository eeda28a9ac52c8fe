"""Interpolation between latents."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.keys import latents, sample_keys
from jaxgan.editing.interpolation import lerp, slerp

KEYS = sample_keys(0, 32)


def test_slerp_has_a_linear_angle_and_a_constant_norm():
    """Along the great arc, the angle to ``a`` grows linearly and the norm is constant."""
    one, other = jnp.eye(5)[1], jnp.eye(5)[3]
    at = jax.jit(slerp)
    for angle in (0.3, np.pi / 2, 3.0):
        a, b = 7 * one, 7 * (np.cos(angle) * one + np.sin(angle) * other)
        for t in (0.0, 0.25, 0.5, 1.0):
            expected = 7 * (np.cos(t * angle) * one + np.sin(t * angle) * other)
            np.testing.assert_allclose(at(a, b, t), expected, atol=1e-4)


def test_slerp_starts_and_ends_at_its_latents_and_keeps_their_norm():
    a, b = latents(KEYS[:16], 100), latents(KEYS[16:32], 100)
    at = jax.jit(slerp)
    np.testing.assert_allclose(at(a, b, 0.0), a, atol=1e-5)
    np.testing.assert_allclose(at(a, b, 1.0), b, atol=1e-5)
    middle = np.linalg.norm(at(a, b, 0.5), axis=-1)
    assert (abs(middle - 10) < 2).all()
    assert (np.linalg.norm((a + b) / 2, axis=-1) < 9).all()  # the middle of a straight line
    rows = jnp.linspace(0, 1, 16)[:, None]
    each = [at(a[i], b[i], rows[i, 0]) for i in range(16)]
    np.testing.assert_allclose(at(a, b, rows), each, atol=1e-5)


def test_slerp_of_equal_and_of_opposite_latents_is_finite():
    a = latents(KEYS[:4], 100)
    at = jax.jit(slerp)
    for t in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(at(a, a, t), a, rtol=1e-4, atol=1e-5)
        assert np.isfinite(at(a, -a, t)).all()


def test_lerp_is_a_straight_line():
    a, b = latents(KEYS[:3], 5), latents(KEYS[3:6], 5)
    np.testing.assert_allclose(lerp(a, b, jnp.float32(0.25)), 0.75 * a + 0.25 * b, rtol=1e-5)
