"""Tests of the perceptual path length, with generators of a known path length."""

import numpy as np
import pytest

from jaxgan.metrics import perceptual_path_length

RNG = np.random.default_rng(0)


def test_a_linear_generator_has_the_known_length():
    """G(z) = A z moves by |A (z' - z)|. The mean over directions of unit length is |A|^2 / dim(z), for any epsilon."""
    matrix, z = RNG.normal(size=(16, 8)), RNG.normal(size=(40_000, 16))
    steps = RNG.normal(size=z.shape)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    for epsilon in (1e-2, 1e-4):
        found = perceptual_path_length(z @ matrix, (z + epsilon * steps) @ matrix, epsilon, central_share=1.0)
        assert found == pytest.approx(np.square(matrix).sum() / 16, rel=0.02)


def test_extreme_lengths_are_excluded():
    start = np.zeros((1000, 1))
    end = np.full((1000, 1), 2.0)
    end[:5] = 1e6
    assert perceptual_path_length(start, end, 1.0) == 4.0
    assert perceptual_path_length(start, end, 1.0, central_share=1.0) > 1e9


@pytest.mark.parametrize(
    ("start", "end", "options", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), {}, "`start` and `end` must have the same number of examples, got 3 and"),
        (np.zeros((3, 2)), np.zeros((3, 3)), {}, "got shapes"),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), {}, "`end` must be finite, but 3 of its 3 examples"),
        (np.zeros((3, 2)), np.zeros((3, 2)), {"epsilon": 0}, "`epsilon` must be above 0, got 0"),
        (
            np.zeros((3, 2)),
            np.zeros((3, 2)),
            {"central_share": 1.5},
            "`central_share` must be above 0 and at most 1, got 1.5",
        ),
    ],
)
def test_invalid_arguments_raise(start, end, options, message):
    with pytest.raises(ValueError, match=message):
        perceptual_path_length(start, end, **{"epsilon": 1e-4, **options})
