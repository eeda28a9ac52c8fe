"""Dirac-GAN: the smallest game, whose rates of convergence its eigenvalues say. Mescheder et al. 2018, section 2.

The data is the point 0, the generator a point theta, the discriminator psi * x. Near the equilibrium theta = psi = 0 a
step of size h multiplies (theta, psi) by I + h J, whose eigenvalues are the rates below.
"""

import numpy as np
import pytest
from helpers.solvable import ALTERNATING, SIMULTANEOUS, dirac, predicted, radii, rate_of


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_simultaneous_descent_grows(rate):
    half = rate / 2
    expected = predicted([[1, half], [-half, 1]])
    assert expected == pytest.approx(np.sqrt(1 + half**2)) and expected > 1
    assert rate_of(radii(dirac(SIMULTANEOUS, rate))) == pytest.approx(expected, rel=2e-5)


def test_alternating_descent_keeps_its_distance():
    found = radii(dirac(ALTERNATING, 0.2))
    half = 0.1
    assert predicted(np.array([[1 - half**2, half], [-half, 1]])) == pytest.approx(1)
    assert rate_of(found) == pytest.approx(1, abs=2e-5)
    assert found.max() / found.min() < 1.2


@pytest.mark.parametrize(("gamma", "turns"), [(0.3, SIMULTANEOUS), (3.0, SIMULTANEOUS), (0.3, ALTERNATING)])
def test_r1_converges_at_the_predicted_rate(gamma, turns):
    rate, half = 0.1, 0.05
    slope = [-half, 1 - rate * gamma]  # psi after the discriminator's move, of (theta, psi)
    seen = [0, 1] if turns == SIMULTANEOUS else slope  # the psi that the generator moves by
    expected = predicted([[1 + half * seen[0], half * seen[1]], slope])
    assert expected < 1
    assert rate_of(radii(dirac(turns, rate, gamma))) == pytest.approx(expected, rel=2e-3)
