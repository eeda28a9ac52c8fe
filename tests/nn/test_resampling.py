"""Smooth resampling against the definition: zeros between pixels, or every second pixel, of a convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn.resampling import blur, downsample, upsample


def filtered(x, before, after):
    """[1, 3, 3, 1] / 8 along height and width, of an image with so many zeros before and after."""
    for axis in (1, 2):
        widths = [(before, after) if i == axis else (0, 0) for i in range(4)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, widths), 4, axis)
        x = windows @ (np.array([1, 3, 3, 1]) / 8)
    return x


def test_downsampling_is_a_filter_and_every_second_pixel():
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 3))
    np.testing.assert_allclose(downsample(jnp.float32(x)), filtered(x, 1, 1)[:, ::2, ::2], atol=1e-6)


def test_upsampling_is_zeros_between_and_a_filter():
    x = np.random.default_rng(1).normal(size=(2, 4, 3, 3))
    spread = np.zeros((2, 8, 6, 3))
    spread[:, ::2, ::2] = x
    np.testing.assert_allclose(upsample(jnp.float32(x)), filtered(4 * spread, 2, 1), atol=1e-6)


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_blur_is_the_filter_alone(padding):
    x = np.random.default_rng(2).normal(size=(2, 5, 6, 3))
    np.testing.assert_allclose(blur(jnp.float32(x), padding), filtered(x, padding, padding), atol=1e-6)


def test_each_is_the_others_adjoint():
    x = jax.random.normal(jax.random.key(0), (2, 4, 6, 3))
    y = jax.random.normal(jax.random.key(1), (2, 8, 12, 3))
    np.testing.assert_allclose(jnp.vdot(upsample(x), y), 4 * jnp.vdot(x, downsample(y)), rtol=1e-5)
