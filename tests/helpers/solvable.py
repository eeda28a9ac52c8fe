"""Games whose course is known: the bilinear game, and Dirac-GAN (Mescheder et al. 2018, section 2).

A step of size h multiplies what is moved by a matrix, near the equilibrium, whose largest eigenvalue is the rate.
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
    """A network that is one number."""

    value: float

    @nn.compact
    def __call__(self):
        return self.param("value", lambda _: jnp.float32(self.value))


def bilinear(optimizer, turns=(("min", "max"),)):
    """min over x, max over y of x y: Goodfellow 2016, exercise 7.3; Mescheder et al. 2018."""
    return Game(
        nets={"x": Net(Scalar(1.0)), "y": Net(Scalar(1.0))},
        players={
            "min": Player(("x",), lambda nets, batch, keys, step: total(xy=nets.x() * nets.y()), optimizer),
            "max": Player(("y",), lambda nets, batch, keys, step: total(xy=-nets.x() * nets.y()), optimizer),
        },
        turns=turns,
    )


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
    """The data is the point 0, the generator a point theta, the discriminator psi * x."""

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
    """The distance from the equilibrium after each step."""

    def step(state, _):
        state, _ = game.step(state, batch)
        flat = jnp.concatenate([jnp.ravel(x) for x in jax.tree.leaves(state.params)])
        return state, jnp.linalg.norm(flat)

    _, found = jax.jit(lambda state: jax.lax.scan(step, state, length=steps))(game.init(jax.random.key(0)))
    return np.asarray(found, np.float64)


def rate_of(found: np.ndarray) -> float:
    """The factor of a step, over the whole run: turns of a spiral average out."""
    return float(np.exp(np.polyfit(np.arange(len(found)), np.log(found), 1)[0]))


SIMULTANEOUS, ALTERNATING = (("d", "g"),), (("d",), ("g",))


def predicted(matrix) -> float:
    return float(max(abs(np.linalg.eigvals(matrix))))
