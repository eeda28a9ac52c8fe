"""Tests of pictures of the columns of tables."""

import numpy as np

from jaxgan.drawing.tables import FAKE, PANEL, REAL, Distribution, render_distributions


def count(picture, colour):
    return int((picture == colour).all(-1).sum())


def test_each_column_has_a_panel_with_bars_of_samples_beside_the_data():
    half = np.array([0.5, 0.5])
    numbers = Distribution("age", fake=half, real=half, ends=("1", "9"))
    categories = Distribution("job", fake=half, labels=("a", "b"))
    picture = render_distributions([numbers, categories])
    width, height = PANEL
    assert (picture.shape, picture.dtype) == ((height, 2 * width, 3), np.uint8)
    left, right = np.split(picture, 2, axis=1)
    assert count(left, FAKE) and count(left, REAL) and count(right, FAKE)
    assert not count(right, REAL)  # no data are passed for this column


def test_the_length_of_a_bar_is_proportional_to_the_fraction():
    picture = render_distributions([Distribution("job", fake=np.array([0.8, 0.2]), labels=("a", "b"))])
    lengths = (picture == FAKE).all(-1).sum(1)
    assert abs(lengths.max() / lengths[lengths > 0].min() - 4) < 0.2
