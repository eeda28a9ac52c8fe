"""Tests of convergence rates on Dirac-GAN, a game with two parameters (Mescheder et al. 2018, section 2).

The data set is the point 0, the generator is a point theta, and the discriminator is psi * x. Near the equilibrium
theta = psi = 0, a step of size h multiplies (theta, psi) by a matrix I + h J. The absolute values of its eigenvalues are
the rates below.
"""

import numpy as np
import pytest
from helpers.solvable import ALTERNATING, SIMULTANEOUS, dirac, predicted, radii, rate_of


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_simultaneous_descent_diverges_at_the_predicted_rate(rate):
    half = rate / 2
    expected = predicted([[1, half], [-half, 1]])
    assert expected == pytest.approx(np.sqrt(1 + half**2)) and expected > 1
    assert rate_of(radii(dirac(SIMULTANEOUS, rate))) == pytest.approx(expected, rel=2e-5)


def test_alternating_descent_neither_converges_nor_diverges():
    found = radii(dirac(ALTERNATING, 0.2))
    half = 0.1
    assert predicted(np.array([[1 - half**2, half], [-half, 1]])) == pytest.approx(1)
    assert rate_of(found) == pytest.approx(1, abs=2e-5)
    assert found.max() / found.min() < 1.2


@pytest.mark.parametrize(("gamma", "turns"), [(0.3, SIMULTANEOUS), (3.0, SIMULTANEOUS), (0.3, ALTERNATING)])
def test_r1_converges_at_the_predicted_rate(gamma, turns):
    rate, half = 0.1, 0.05
    slope = [-half, 1 - rate * gamma]  # coefficients of theta and psi in the new psi
    used = (
        [0, 1] if turns == SIMULTANEOUS else slope
    )  # coefficients of theta and psi in the psi that the generator uses
    expected = predicted([[1 + half * used[0], half * used[1]], slope])
    assert expected < 1
    assert rate_of(radii(dirac(turns, rate, gamma))) == pytest.approx(expected, rel=2e-3)
