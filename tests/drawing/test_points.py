"""Tests of scatter plots of points."""

import numpy as np
import pytest

from jaxgan import drawing


def test_points_are_drawn_as_a_scatter_plot():
    points = np.array([[1.0, 1.0], [-1.0, 0.0], [5.0, 5.0]])
    picture = drawing.render_points(points)
    assert (picture.shape, picture.dtype) == ((256, 256, 1), np.uint8)
    ys, xs, _ = np.nonzero(picture == 0)
    # [-1.2, 1.2] is 256 pixels wide, and points outside of it are not drawn. y grows upwards, rows grow downwards.
    assert sorted(zip(xs.tolist(), ys.tolist())) == [(21, 127), (234, 21)]
    np.testing.assert_array_equal(drawing.make_grid(points), picture)
    assert drawing.render_points(points, 64).shape == (64, 64, 1)


def test_invalid_shapes_raise():
    for shape in ((4, 3), (4,), (4, 2, 1)):
        with pytest.raises(ValueError, match=r"`points` must be \[N, 2\], got shape \(4,"):
            drawing.render_points(np.zeros(shape))
