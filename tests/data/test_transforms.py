"""Tests of the random transforms: all results occur equally often, and each depends only on the key of its example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core.keys import latents, sample_keys
from jaxgan.data import transforms

IMAGES = np.random.default_rng(0).normal(size=(400, 5, 6, 2)).astype(np.float32)
KEYS = sample_keys(0, 400)


def test_half_of_the_images_are_mirrored():
    flipped = jax.jit(transforms.random_flip)(KEYS, IMAGES)
    same = (flipped == IMAGES).all((1, 2, 3))
    mirrored = (flipped == IMAGES[:, :, ::-1]).all((1, 2, 3))
    assert (same ^ mirrored).all()
    assert 0.4 < mirrored.mean() < 0.6


def test_all_shifts_are_equally_likely():
    cut = np.asarray(jax.jit(transforms.random_shift, static_argnums=2)(KEYS, IMAGES, 1))
    padded = np.pad(IMAGES, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    windows = np.stack([padded[:, y : y + 5, x : x + 6] for y in range(3) for x in range(3)])
    found = (windows == cut).all((2, 3, 4))
    assert (found.sum(0) == 1).all()
    assert found.mean(1) == pytest.approx(1 / 9, abs=0.05)
    assert found[4].mean() < 0.2  # the middle one is the image itself
    np.testing.assert_array_equal(transforms.random_shift(KEYS, IMAGES, 0), IMAGES)


@pytest.mark.integration
def test_a_transform_depends_only_on_the_key_of_its_example():
    whole = transforms.random_shift(KEYS, transforms.random_flip(KEYS, IMAGES), 2)
    some = slice(37, 64)
    part = transforms.random_shift(KEYS[some], transforms.random_flip(KEYS[some], IMAGES[some]), 2)
    np.testing.assert_array_equal(whole[some], part)


def test_a_flip_is_independent_of_the_latents():
    mirrored = (transforms.random_flip(KEYS, IMAGES) != IMAGES).any((1, 2, 3))
    z = latents(KEYS, 8)
    correlations = [float(jnp.corrcoef(z[:, i], mirrored)[0, 1]) for i in range(8)]
    assert max(map(abs, correlations)) < 0.2


def test_invalid_padding_raises():
    with pytest.raises(ValueError, match="`padding` must be from 0 to 4 for images of 5 x 6, got 5"):
        transforms.random_shift(KEYS, IMAGES, 5)
    with pytest.raises(ValueError, match=r"`padding` must be from 0 to 4 .* got -1"):
        transforms.random_shift(KEYS, IMAGES, -1)


def test_both_images_of_a_pair_are_transformed_equally():
    """Pixels contain their own coordinates. The result must not depend on the number of channels."""
    places = np.stack(np.meshgrid(np.arange(12), np.arange(16), indexing="ij"), -1).astype(np.float32)
    images = np.broadcast_to(places, (400, 12, 16, 2))
    for change in (
        lambda x: transforms.random_crop(KEYS, x, 8),
        lambda x: transforms.random_shift(KEYS, x, 3),
        lambda x: transforms.random_flip(KEYS, x),
        lambda x: transforms.resize_and_crop(KEYS, x / 16, 16),
    ):
        one, other = change(images), change(images[..., :1])
        np.testing.assert_array_equal(one[..., :1], other)
        assert len(np.unique(np.asarray(one).reshape(400, -1), axis=0)) > 1


@pytest.mark.integration
@pytest.mark.parametrize(("factor", "size"), [(2, 8), (4, 4), (3, 9), (1, 5)])
def test_smaller_inputs_are_cropped_at_the_same_position(factor, size):
    y, x = np.meshgrid(np.arange(7), np.arange(9), indexing="ij")
    small = np.broadcast_to(np.stack([y, x], -1).astype(np.float32), (400, 7, 9, 2))
    large = small.repeat(factor, 1).repeat(factor, 2)
    images = jax.jit(transforms.random_crop, static_argnums=(2, 3))(KEYS, large, factor * size // factor, factor)
    inputs = transforms.random_crop(KEYS, small, size // factor)
    assert images.shape == (400, size, size, 2)
    np.testing.assert_array_equal(images[:, ::factor, ::factor], inputs)
    corners = np.asarray(inputs[:, 0, 0]).astype(int)
    found = np.bincount(corners[:, 0] * 9 + corners[:, 1])
    count = (7 - size // factor + 1) * (9 - size // factor + 1)
    assert (found > 0).sum() == count and found.max() < 4 * 400 / count + 4  # all positions, about equally often
    np.testing.assert_array_equal(transforms.random_crop(KEYS[:9], large[:9], size, factor), images[:9])


@pytest.mark.integration
def test_resize_and_crop_enlarges_and_crops():
    from jaxgan.data.degrade import resize_bicubic

    images = np.clip(IMAGES[:50], -1, 1)
    made = np.asarray(jax.jit(transforms.resize_and_crop, static_argnums=2)(KEYS[:50], images, 7))
    assert made.shape == images.shape and made.dtype == images.dtype
    assert made.min() >= -1 and made.max() <= 1
    large = np.clip(resize_bicubic(images, size=(7, 8)), -1, 1)
    windows = np.stack([large[:, y : y + 5, x : x + 6] for y in range(3) for x in range(3)])
    found = np.isclose(windows, made, atol=1e-5).all((2, 3, 4))
    assert (found.sum(0) == 1).all() and (found.sum(1) > 0).all()
    np.testing.assert_allclose(transforms.resize_and_crop(KEYS[:50], images, 5), images, atol=1e-6)


def test_invalid_sizes_raise():
    for size in (6, 0):
        with pytest.raises(ValueError, match=f"`size` must be from 1 to 5 for images of 5 x 6, got {size}"):
            transforms.random_crop(KEYS, IMAGES, size)
    with pytest.raises(ValueError, match="`step` must be at least 1, got 0"):
        transforms.random_crop(KEYS, IMAGES, 5, 0)
    with pytest.raises(ValueError, match="`size` must be at least the images' height, 5, got 4"):
        transforms.resize_and_crop(KEYS, IMAGES, 4)


def test_windows_are_at_multiples_of_the_step():
    places = np.stack(np.meshgrid(np.arange(9), np.arange(12), indexing="ij"), -1).astype(np.float32)
    images = np.broadcast_to(places, (400, 9, 12, 2))
    found = np.asarray(transforms.random_windows(KEYS, images, (3, 4), fold=1, step=2))
    corners = found[:, 0, 0]
    np.testing.assert_array_equal(found - corners[:, None, None], np.broadcast_to(places[:3, :4], found.shape))
    assert set(corners[:, 0]) == {0, 2, 4, 6} and set(corners[:, 1]) == {0, 2, 4, 6, 8}
    other = transforms.random_windows(KEYS, images, (3, 4), fold=2, step=2)
    assert 0.02 < (np.asarray(other)[:, 0, 0] == corners).all(-1).mean() < 0.1  # 1 of 20 positions by chance
