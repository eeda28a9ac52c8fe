"""Tests of the coverage of modes, with samples of a known coverage."""

import math

import numpy as np
import pytest

from jaxgan.data import toy
from jaxgan.metrics import count_modes, nearest_modes


def test_samples_of_the_data_cover_every_mode():
    """A fraction of 1 - exp(-9 / 2) of a Gaussian in the plane is within three standard deviations."""
    for draw, centres in ((toy.ring, toy.ring_centres()), (toy.grid, toy.grid_centres())):
        found = count_modes(nearest_modes(draw(20_000), centres, 3 * 0.01), len(centres))
        assert found.covered == len(centres)
        assert found.accepted == pytest.approx(1 - math.exp(-4.5), abs=0.003)
        assert found.divergence < 0.002


def test_mode_collapse_is_measured():
    centres = toy.ring_centres()
    points = np.concatenate([np.repeat(centres[:2], [30, 10], 0), np.zeros((10, 2))])
    found = count_modes(nearest_modes(points, centres, 0.03), 8)
    expected = 0.75 * math.log(0.75 * 8) + 0.25 * math.log(0.25 * 8)
    assert found == (2, 0.8, pytest.approx(expected))
    assert count_modes(nearest_modes(np.zeros((5, 2)), centres, 0.03), 8) == (0, 0.0, math.inf)


def test_invalid_modes_raise():
    with pytest.raises(ValueError, match="`modes` must have one number for each sample"):
        count_modes(np.zeros((2, 2), int), 3)
    with pytest.raises(ValueError, match=r"`modes` must be from -1 \(no mode\) to 2, got numbers from -1 to 3"):
        count_modes(np.array([-1, 3]), 3)
