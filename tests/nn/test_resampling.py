"""Compare resampling with its definition: filter and keep every second pixel, or insert zeros and filter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn.resampling import blur, downsample, upsample


def apply_filter(x, before, after):
    """Apply the filter [1, 3, 3, 1] / 8 along height and width, after padding with zeros at both ends."""
    for axis in (1, 2):
        widths = [(before, after) if i == axis else (0, 0) for i in range(4)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, widths), 4, axis)
        x = windows @ (np.array([1, 3, 3, 1]) / 8)
    return x


def test_downsample_filters_and_keeps_every_second_pixel():
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 3))
    np.testing.assert_allclose(downsample(jnp.float32(x)), apply_filter(x, 1, 1)[:, ::2, ::2], atol=1e-6)


def test_upsample_inserts_zeros_and_filters():
    x = np.random.default_rng(1).normal(size=(2, 4, 3, 3))
    spread = np.zeros((2, 8, 6, 3))
    spread[:, ::2, ::2] = x
    np.testing.assert_allclose(upsample(jnp.float32(x)), apply_filter(4 * spread, 2, 1), atol=1e-6)


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_blur_filters_without_resampling(padding):
    x = np.random.default_rng(2).normal(size=(2, 5, 6, 3))
    np.testing.assert_allclose(blur(jnp.float32(x), padding), apply_filter(x, padding, padding), atol=1e-6)


def test_downsample_is_a_quarter_of_the_adjoint_of_upsample():
    x = jax.random.normal(jax.random.key(0), (2, 4, 6, 3))
    y = jax.random.normal(jax.random.key(1), (2, 8, 12, 3))
    np.testing.assert_allclose(jnp.vdot(upsample(x), y), 4 * jnp.vdot(x, downsample(y)), rtol=1e-5)
