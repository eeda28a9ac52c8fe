"""Dirac-GAN: the smallest game, whose rates of convergence its eigenvalues say. Mescheder et al. 2018, section 2.

The data is the point 0, the generator a point theta, the discriminator psi * x. Near the equilibrium theta = psi = 0 a
step of size h multiplies (theta, psi) by I + h J, whose eigenvalues are the rates below.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import Game, Net, Player, losses, total

STEPS = 400
REAL = jnp.zeros((4, 1))


class Point(nn.Module):
    """theta, for each of the latents."""

    @nn.compact
    def __call__(self, z):
        theta = self.param("theta", nn.initializers.constant(1e-3), (1,))
        return jnp.broadcast_to(theta[None], (len(z), 1))


class Slope(nn.Module):
    """psi * x."""

    @nn.compact
    def __call__(self, x):
        return (x * self.param("psi", nn.initializers.constant(1e-3), (1, 1))).reshape(-1)


def dirac(turns, rate=0.1, gamma=0.0, optimizer=None) -> Game:
    def discriminator_loss(nets, real, keys, step):
        fake_logits = nets.d(nets.g(real))
        penalty = {"r1": gamma / 2 * losses.r1(nets.d, real)} if gamma else {}
        return total(adversarial=losses.minimax_discriminator(nets.d(real), fake_logits), **penalty)

    def generator_loss(nets, real, keys, step):
        return total(adversarial=losses.minimax_generator(nets.d(nets.g(real))))

    optimizer = optimizer or optax.sgd(rate)
    return Game(
        nets={"g": Net(Point(), REAL), "d": Net(Slope(), REAL)},
        players={"d": Player(("d",), discriminator_loss, optimizer), "g": Player(("g",), generator_loss, optimizer)},
        turns=turns,
    )


def radii(game: Game) -> np.ndarray:
    """The distance from the equilibrium after each step."""

    def step(state, _):
        state, _ = game.step(state, REAL)
        flat = jnp.concatenate([jnp.ravel(x) for x in jax.tree.leaves(state.params)])
        return state, jnp.linalg.norm(flat)

    _, found = jax.jit(lambda state: jax.lax.scan(step, state, length=STEPS))(game.init(jax.random.key(0)))
    return np.asarray(found, np.float64)


def rate_of(found: np.ndarray) -> float:
    """The factor of a step, over the whole run: turns of a spiral average out."""
    return float(np.exp(np.polyfit(np.arange(STEPS), np.log(found), 1)[0]))


SIMULTANEOUS, ALTERNATING = (("d", "g"),), (("d",), ("g",))


def predicted(matrix) -> float:
    return float(max(abs(np.linalg.eigvals(matrix))))


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
