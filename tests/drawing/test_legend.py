"""The legend of pictures that compare samples with data."""

import numpy as np

from jaxgan.drawing.legend import FAKE, HEIGHT, REAL, add_legend


def test_the_legend_shows_both_colours_above_the_picture():
    picture = np.full((40, 200, 3), 7, np.uint8)
    found = add_legend(picture)
    assert found.shape == (40 + HEIGHT, 200, 3) and found.dtype == np.uint8
    np.testing.assert_array_equal(found[HEIGHT:], picture)
    for colour in (REAL, FAKE):
        assert (found[:HEIGHT] == colour).all(-1).sum() == 100  # a square of 10 x 10 pixels


def test_the_picture_is_widened_for_the_legend():
    assert add_legend(np.zeros((3, 20, 3), np.uint8)).shape == (3 + HEIGHT, 130, 3)
