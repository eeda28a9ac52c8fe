"""Small games and data for tests."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import Game, Net, Player, latents, losses, total
from jaxgan.core.gradients import full_batch
from jaxgan.data import Arrays
from jaxgan.experiment import Experiment, Sampling
from jaxgan.models import dcgan, mlp


def dcgan_game(critic_turns=1, optimizer=None, gradient=full_batch, norm="batch", ema=True, lazy=None) -> Game:
    """Create a DCGAN game at 8 x 8 with BatchNorm, R1 and the hinge loss.

    Args:
      critic_turns: number of the discriminator's turns in one step, each on a different slice of the batch.
      optimizer: the optimizer of both players. By default, SGD.
      gradient: the gradient function of both players.
      norm: the normalisation of the discriminator, ``batch`` or ``none``.
      ema: whether the generator has a moving average of its weights.
      lazy: interval of lazy R1 in steps; None computes R1 in every step.
    """
    # The learning rate is small, because large steps cross the kinks of leaky ReLU, where the result depends on
    # rounding.
    optimizer = optimizer or optax.sgd(0.01)

    def discriminator_loss(nets, real, keys, step):
        real_logits, stats = nets.d.with_stats(real)
        fake_logits = nets.d(nets.g(latents(keys, 4)))
        adversarial = losses.hinge_discriminator(real_logits, fake_logits)

        def r1():
            return 0.5 * losses.r1(nets.d, real)

        term = losses.lazy(lazy, step, r1) if lazy else r1()
        metrics = losses.discriminator_metrics(real_logits, fake_logits)
        return total(hinge=adversarial, r1=term, metrics=metrics, stats={"d": stats} if norm == "batch" else {})

    def generator_loss(nets, real, keys, step):
        fake, stats = nets.g.with_stats(latents(keys, 4))
        return total(hinge=losses.hinge_generator(nets.d(fake)), stats={"g": stats})

    return Game(
        nets={
            "g": Net(dcgan.Generator(8, 1, 4, base_resolution=2), jnp.zeros((1, 4))),
            "d": Net(dcgan.Discriminator(4, base_resolution=2, norm=norm), jnp.zeros((1, 8, 8, 1))),
        },
        players={
            "d": Player(("d",), discriminator_loss, optimizer, gradient),
            "g": Player(("g",), generator_loss, optimizer, gradient),
        },
        turns=(("d",),) * critic_turns + (("g",),),
        ema={"g": 0.9} if ema else {},
    )


def points_game(optimizer=None) -> Game:
    """Create a game of multi-layer perceptrons on points in the plane, which compiles in about a second."""
    optimizer = optimizer or optax.sgd(0.01)

    def discriminator_loss(nets, real, keys, step):
        fake_logits = nets.d(nets.g(latents(keys, 2)))
        return total(hinge=losses.hinge_discriminator(nets.d(real), fake_logits))

    def generator_loss(nets, real, keys, step):
        return total(hinge=losses.hinge_generator(nets.d(nets.g(latents(keys, 2)))))

    generator, discriminator = mlp.Generator((2,), (8,), output_activation=lambda x: x), mlp.Discriminator((8,))
    return Game(
        nets={"g": Net(generator, jnp.zeros((1, 2))), "d": Net(discriminator, jnp.zeros((1, 2)))},
        players={"d": Player(("d",), discriminator_loss, optimizer), "g": Player(("g",), generator_loss, optimizer)},
        turns=(("d",), ("g",)),
    )


def points_experiment() -> Experiment:
    """Create an experiment with ``points_game``, so that a run can train it.

    The batches of a run are dicts with the examples under ``image``, while the game's own batches are arrays.
    """

    def of_batch(loss):
        return lambda nets, batch, keys, step: loss(nets, batch["image"], keys, step)

    game = points_game()
    players = {name: dataclasses.replace(player, loss=of_batch(player.loss)) for name, player in game.players.items()}
    sampling = Sampling(lambda keys: latents(keys, 2), lambda nets, z: nets.g(z))
    return Experiment(dataclasses.replace(game, players=players), Arrays(points(64)), sampling)


class Vector(nn.Module):
    """The inner product of the input with a vector, plus the sum of a second parameter, which is initialised with 0."""

    size: int = 3

    @nn.compact
    def __call__(self, x):
        w = self.param("w", nn.initializers.constant(0.5), (self.size,))
        rest = self.param("rest", nn.initializers.zeros, (2, 2))
        return x @ w + rest.sum()


def _squares(nets, batch, keys, step):
    return total(square=0.5 * jnp.square(nets.v(batch)))


def vector_game(size=3, loss=_squares, optimizer=None) -> Game:
    """Create a game of one player with a ``Vector``, whose loss is the mean of squares."""
    nets = {"v": Net(Vector(size), jnp.zeros((1, size)))}
    return Game(nets, {"v": Player(("v",), loss, optimizer or optax.sgd(1.0))}, (("v",),))


def points(count: int, seed: int = 0) -> np.ndarray:
    """Return random points, [count, 2] in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 2)).astype(np.float32)


def images(count: int, seed: int = 0) -> np.ndarray:
    """Return random images, [count, 8, 8, 1] in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 8, 8, 1)).astype(np.float32)


def flat(state) -> np.ndarray:
    """Return all parameters of a state as one vector."""
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(state.params)])


def change(before, after, other=None) -> float:
    """Return the distance between two states' parameters, divided by the change of the parameters in training.

    It is |other - after| / |after - before|, with L2 norms over all parameters.

    Args:
      before: a state before training.
      after: a state after training.
      other: the state that is compared with ``after``. By default ``after`` itself, which returns 0.
    """
    first, last, compared = flat(before), flat(after), flat(other or after)
    return float(np.linalg.norm(compared - last) / np.linalg.norm(last - first))
