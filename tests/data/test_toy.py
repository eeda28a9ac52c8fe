"""Tests of the toy data sets."""

import numpy as np
import pytest

from jaxgan import data
from jaxgan.data import toy

RING = 0.8 * np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1)
GRID = np.array([(x, y) for x in (-0.8, -0.4, 0.0, 0.4, 0.8) for y in (-0.8, -0.4, 0.0, 0.4, 0.8)])


@pytest.mark.parametrize("draw", [toy.ring, toy.grid, toy.swiss_roll])
def test_points_have_the_range_of_images_and_depend_on_the_seed(draw):
    points = draw(20_000)
    assert (points.shape, points.dtype) == ((20_000, 2), np.float32)
    assert 0.75 < np.abs(points).max() <= 1
    assert points.min() < -0.7
    np.testing.assert_array_equal(draw(20_000), points)
    np.testing.assert_array_equal(draw(20_000, seed=0), points)
    assert not np.isclose(draw(20_000, seed=1), points).all(1).any()


@pytest.mark.parametrize(("draw", "modes"), [(toy.ring, RING), (toy.grid, GRID)])
@pytest.mark.parametrize("scale", [0.01, 0.03])
def test_modes_are_equally_likely_and_have_the_given_scale(draw, modes, scale):
    points = draw(20_000, scale=scale)
    offsets = points[:, None] - modes[None]
    nearest = np.square(offsets).sum(-1).argmin(1)
    shares = np.bincount(nearest, minlength=len(modes)) / len(points)
    np.testing.assert_allclose(shares, 1 / len(modes), rtol=0.2)
    for mode in range(len(modes)):
        own = offsets[nearest == mode, mode]
        np.testing.assert_allclose(own.std(0), scale, rtol=0.1)
        np.testing.assert_allclose(own.mean(0), 0, atol=scale / 5)


def test_number_and_positions_of_modes_can_be_set():
    points = toy.ring(1000, modes=3, radius=0.5, scale=0.0)
    assert len(np.unique(points.round(4), axis=0)) == 3
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 0.5, rtol=1e-6)
    points = toy.grid(1000, side=3, reach=0.6, scale=0.0)
    assert sorted(map(tuple, np.unique(points.round(4), axis=0).tolist())) == [
        pytest.approx((x, y)) for x in (-0.6, 0, 0.6) for y in (-0.6, 0, 0.6)
    ]


def test_the_swiss_roll_is_a_spiral_of_one_and_a_half_turns():
    points = toy.swiss_roll(20_000, scale=0.0)
    radius = np.linalg.norm(points, axis=1)
    assert radius.min() == pytest.approx(0.3, abs=1e-3)
    assert radius.max() == pytest.approx(0.9, abs=1e-3)
    angle = radius / 0.9 * 4.5 * np.pi  # on the spiral, the radius is in proportion to the angle
    np.testing.assert_allclose(points, radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-5)
    noisy = toy.swiss_roll(20_000)
    assert not np.array_equal(noisy, points)


@pytest.mark.parametrize("name", ["ring", "grid", "swiss_roll"])
def test_toy_data_sets_are_loaded_by_name(name):
    source = data.load(name)
    assert (len(source), source.shape, source.classes, source.name) == (50_000, (2,), (), name)
    np.testing.assert_array_equal(source.images, getattr(toy, name)(50_000))
