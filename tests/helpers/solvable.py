"""Games with known dynamics: the bilinear game, and Dirac-GAN (Mescheder et al. 2018, section 2).

Near the equilibrium, a training step multiplies the vector of the parameters by a matrix. The largest absolute
eigenvalue of this matrix is the rate: the factor by which the distance from the equilibrium changes in one step.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import Game, Net, Player, losses, total

STEPS = 400
REAL = jnp.zeros((4, 1))
ONE = np.zeros((1, 1), np.float32)


class Scalar(nn.Module):
    """A network that consists of one number."""

    value: float

    @nn.compact
    def __call__(self):
        return self.param("value", lambda _: jnp.float32(self.value))


def bilinear(optimizer, turns=(("min", "max"),)):
    """Create the bilinear game: the minimum over x of the maximum over y of x y.

    See Goodfellow 2016, exercise 7.3, and Mescheder et al. 2018.
    """
    return Game(
        nets={"x": Net(Scalar(1.0)), "y": Net(Scalar(1.0))},
        players={
            "min": Player(("x",), lambda nets, batch, keys, step: total(xy=nets.x() * nets.y()), optimizer),
            "max": Player(("y",), lambda nets, batch, keys, step: total(xy=-nets.x() * nets.y()), optimizer),
        },
        turns=turns,
    )


class Point(nn.Module):
    """The generator of Dirac-GAN: it returns the point theta for every latent."""

    @nn.compact
    def __call__(self, z):
        theta = self.param("theta", nn.initializers.constant(1e-3), (1,))
        return jnp.broadcast_to(theta[None], (len(z), 1))


class Slope(nn.Module):
    """The discriminator of Dirac-GAN: psi * x."""

    @nn.compact
    def __call__(self, x):
        return (x * self.param("psi", nn.initializers.constant(1e-3), (1, 1))).reshape(-1)


def dirac(turns, rate=0.1, gamma=0.0, optimizer=None) -> Game:
    """Create Dirac-GAN: the data is the point 0, the generator is a point theta, and the discriminator is psi * x.

    Args:
      turns: the turns of a step, as in ``Game``.
      rate: learning rate of SGD.
      gamma: gamma of R1; 0 for no R1.
      optimizer: the optimizer of both players. By default, SGD.
    """

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


def radii(game: Game, batch=REAL, steps=STEPS) -> np.ndarray:
    """Return the distance from the equilibrium after each step, [steps]."""

    def step(state, _):
        state, _ = game.step(state, batch)
        flat = jnp.concatenate([jnp.ravel(x) for x in jax.tree.leaves(state.params)])
        return state, jnp.linalg.norm(flat)

    _, found = jax.jit(lambda state: jax.lax.scan(step, state, length=steps))(game.init(jax.random.key(0)))
    return np.asarray(found, np.float64)


def rate_of(found: np.ndarray) -> float:
    """Estimate the rate from the distances after each step.

    The estimate is a linear fit of the logarithm over all steps, which averages over the revolutions of a spiral.
    """
    return float(np.exp(np.polyfit(np.arange(len(found)), np.log(found), 1)[0]))


SIMULTANEOUS, ALTERNATING = (("d", "g"),), (("d",), ("g",))


def predicted(matrix) -> float:
    """Return the rate that follows from the matrix of a step: its largest absolute eigenvalue."""
    return float(max(abs(np.linalg.eigvals(matrix))))
