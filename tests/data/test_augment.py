"""Augmentation: every image is one that it may become, evenly, by its own key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.data import augment
from jaxgan.sampling import latents, sample_keys

IMAGES = np.random.default_rng(0).normal(size=(400, 5, 6, 2)).astype(np.float32)
KEYS = sample_keys(0, 400)


def test_half_are_mirrored():
    flipped = jax.jit(augment.flip)(KEYS, IMAGES)
    same = (flipped == IMAGES).all((1, 2, 3))
    mirrored = (flipped == IMAGES[:, :, ::-1]).all((1, 2, 3))
    assert (same ^ mirrored).all()
    assert 0.4 < mirrored.mean() < 0.6


def test_every_window_is_cut_as_often():
    cut = np.asarray(jax.jit(augment.crop, static_argnums=2)(KEYS, IMAGES, 1))
    padded = np.pad(IMAGES, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    windows = np.stack([padded[:, y : y + 5, x : x + 6] for y in range(3) for x in range(3)])
    found = (windows == cut).all((2, 3, 4))
    assert (found.sum(0) == 1).all()
    assert found.mean(1) == pytest.approx(1 / 9, abs=0.05)
    assert found[4].mean() < 0.2  # the middle one is the image itself
    np.testing.assert_array_equal(augment.crop(KEYS, IMAGES, 0), IMAGES)


def test_a_draw_is_an_examples_own():
    whole = augment.crop(KEYS, augment.flip(KEYS, IMAGES), 2)
    some = slice(37, 64)
    part = augment.crop(KEYS[some], augment.flip(KEYS[some], IMAGES[some]), 2)
    np.testing.assert_array_equal(whole[some], part)


def test_a_flip_says_nothing_of_the_latents():
    mirrored = (augment.flip(KEYS, IMAGES) != IMAGES).any((1, 2, 3))
    z = latents(KEYS, 8)
    correlations = [float(jnp.corrcoef(z[:, i], mirrored)[0, 1]) for i in range(8)]
    assert max(map(abs, correlations)) < 0.2


def test_padding_that_does_not_fit():
    with pytest.raises(ValueError, match=r"crop\(padding=5\) of images of 5 x 6: from 0 to 4"):
        augment.crop(KEYS, IMAGES, 5)
    with pytest.raises(ValueError, match=r"crop\(padding=-1\)"):
        augment.crop(KEYS, IMAGES, -1)
