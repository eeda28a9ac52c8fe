"""Tests of DiffAugment: all results occur equally often, and each depends only on the key of its example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import augment, losses
from jaxgan.augment import differentiable
from jaxgan.core.keys import sample_keys

B = 300
IMAGES = np.random.default_rng(0).uniform(0.1, 1, (B, 8, 9, 3)).astype(np.float32)
KEYS = sample_keys(0, B)


def test_colours_change_by_brightness_saturation_and_contrast():
    found = np.asarray(jax.jit(differentiable.colour)(KEYS, IMAGES))
    mean = found.mean((1, 2, 3)) - IMAGES.mean((1, 2, 3))  # contrast and saturation do not change the mean
    assert -0.5 <= mean.min() < -0.45 and 0.45 < mean.max() <= 0.5
    chroma, grey = (
        [np.std(f(x), (1, 2, 3)) for x in (found, IMAGES)]
        for f in (lambda x: x - x.mean(-1, keepdims=True), lambda x: x.mean(-1, keepdims=True))
    )
    contrast = grey[0] / grey[1]
    saturation = chroma[0] / chroma[1] / contrast
    assert 0.5 <= contrast.min() < 0.55 and 1.45 < contrast.max() <= 1.5 + 1e-5
    assert 0 <= saturation.min() < 0.05 and 1.95 < saturation.max() <= 2 + 1e-5
    drawn = np.stack([mean, contrast, saturation])
    assert np.abs(np.corrcoef(drawn) - np.eye(3)).max() < 0.15
    again = (found - found.mean((1, 2, 3), keepdims=True)) / contrast[:, None, None, None]
    expected = IMAGES.mean(-1, keepdims=True) - IMAGES.mean((1, 2, 3), keepdims=True)
    expected = expected + saturation[:, None, None, None] * (IMAGES - IMAGES.mean(-1, keepdims=True))
    np.testing.assert_allclose(again, expected, atol=1e-5)


def test_all_shifts_are_equally_likely():
    """For images of 8 x 9, an eighth is one pixel in each direction, so there are nine shifts."""
    found = np.asarray(jax.jit(differentiable.translation)(KEYS, IMAGES))
    padded = np.pad(IMAGES, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = np.stack([padded[:, y : y + 8, x : x + 9] for y in range(3) for x in range(3)])
    matches = (shifts == found).all((2, 3, 4))
    assert (matches.sum(0) == 1).all()
    assert matches.mean(1) == pytest.approx(1 / 9, abs=0.06)


def test_holes_have_half_the_size_and_any_position():
    found = np.asarray(jax.jit(differentiable.cutout)(KEYS, IMAGES))
    hole = (found == 0).all(-1)
    np.testing.assert_array_equal(found[~hole], IMAGES[~hole])
    rows, columns = hole.any(2), hole.any(1)
    assert (hole == rows[:, :, None] & columns[:, None]).all()
    # A hole of 4 of 8 pixels is centred on one of 9 edges. Cut off by the borders, its sizes are 2, 3, 4, ..., 4, 3, 2.
    # A hole of 5 of 9 pixels is centred on one of 9 pixels, and its sizes are 3, 4, 5, ..., 5, 4, 3.
    for sides, sizes in ((rows, [2, 2, 3, 3, 4, 4, 4, 4, 4]), (columns, [3, 3, 4, 4, 5, 5, 5, 5, 5])):
        counts = np.bincount(sides.sum(1), minlength=6) / B
        np.testing.assert_allclose(counts, np.bincount(sizes, minlength=6) / 9, atol=0.08)


def test_a_policy_applies_its_augmentations_in_order():
    one = jax.jit(lambda k, x: differentiable.cutout(k, differentiable.translation(k, x)))(KEYS, IMAGES)
    both = jax.jit(lambda k, x: augment.diffaugment(k, x, ("translation", "cutout")))(KEYS, IMAGES)
    np.testing.assert_array_equal(one, both)
    with pytest.raises(ValueError, match="`policy` must contain only 'colour', 'translation', 'cutout', got 'color'"):
        augment.diffaugment(KEYS, IMAGES, ("color",))


def test_the_default_policy_contains_all_augmentations():
    assert set(augment.POLICY) == {"colour", "translation", "cutout"}
    x = IMAGES[:16]
    for name in augment.POLICY:
        x = getattr(differentiable, name)(KEYS[:16], x)
    np.testing.assert_allclose(augment.diffaugment(KEYS[:16], IMAGES[:16]), x, atol=1e-6)


@pytest.mark.integration
def test_r1_through_the_augmentation_agrees_with_its_formula():
    """For the sum of the pixels after cutout, the squared gradient is the number of pixels that are not cut out."""
    few, keys = IMAGES[:9], KEYS[:9]

    def view(x):
        return differentiable.cutout(keys, differentiable.translation(keys, x))

    penalty = jax.jit(lambda w: losses.r1(lambda x: w * view(x).sum((1, 2, 3)), few))
    left = (np.asarray(view(jnp.ones_like(few))) > 0).sum((1, 2, 3))
    np.testing.assert_allclose(penalty(3.0), 9 * left, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda w: penalty(w).sum())(3.0), 6 * left.sum(), rtol=1e-6)
    assert left.min() < left.max() < few[0].size
