"""Small networks in each kind that ``Net`` accepts: linen modules, nnx modules and pairs of functions.

The generators have BatchNorm, except for that of plain functions, and the discriminators have dropout.
"""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import nnx

from jaxgan import Game, Net, Player, latents, losses, total
from jaxgan.nn.layers import dropout

WIDTH = 8


class LinenGenerator(nn.Module):
    @nn.compact
    def __call__(self, z, train):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(nn.Dense(WIDTH)(z))
        return nn.Dense(2)(nn.relu(x))


class LinenDiscriminator(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dropout(self.rate, deterministic=not train)(nn.leaky_relu(nn.Dense(WIDTH)(x)))
        return nn.Dense(1)(x)[:, 0]


class NNXGenerator(nnx.Module):
    def __init__(self, *, rngs):
        self.hidden = nnx.Linear(2, WIDTH, rngs=rngs)
        self.norm = nnx.BatchNorm(WIDTH, momentum=0.9, rngs=rngs)
        self.out = nnx.Linear(WIDTH, 2, rngs=rngs)

    def __call__(self, z):
        return self.out(nnx.relu(self.norm(self.hidden(z))))


class NNXDiscriminator(nnx.Module):
    def __init__(self, rate, *, rngs):
        self.layers = nnx.List([nnx.Linear(2, WIDTH, rngs=rngs), nnx.Linear(WIDTH, 1, rngs=rngs)])
        self.dropout = nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x):
        hidden, out = self.layers
        return out(self.dropout(nnx.leaky_relu(hidden(x))))[:, 0]


def init_layers(key, sizes):
    keys = jax.random.split(key, len(sizes) - 1)
    shapes = itertools.pairwise(sizes)
    return [
        {"kernel": jax.random.normal(k, shape) / shape[0] ** 0.5, "bias": jnp.zeros(shape[1])}
        for k, shape in zip(keys, shapes)
    ]


def dense(layer, x):
    return x @ layer["kernel"] + layer["bias"][None]


def init_generator(key, z):
    return init_layers(key, (z.shape[1], WIDTH, 2))


def generate(params, z):
    return dense(params[1], jax.nn.relu(dense(params[0], z)))


def init_discriminator(key, x):
    return init_layers(key, (x.shape[1], WIDTH, 1))


def discriminator(rate):
    def discriminate(params, x, train, keys=None):
        x = dropout(jax.nn.leaky_relu(dense(params[0], x)), keys if train else None, 0, rate)
        return dense(params[1], x)[:, 0]

    return discriminate


# Maps each kind to a function of the dropout rate that returns the generator and the discriminator.
KINDS = {
    "linen": lambda rate: (LinenGenerator(), LinenDiscriminator(rate)),
    "nnx": lambda rate: (NNXGenerator, lambda rngs: NNXDiscriminator(rate, rngs=rngs)),
    "functions": lambda rate: ((init_generator, generate), (init_discriminator, discriminator(rate))),
}


def game_of(kind, rate=0.5, optimizer=None) -> Game:
    """Create a game on points in the plane.

    Args:
      kind: the kind of the networks, a key of ``KINDS``.
      rate: the dropout rate of the discriminator.
      optimizer: the optimizer of both players. By default, SGD.
    """
    generator, discriminator = KINDS[kind](rate)
    optimizer = optimizer or optax.sgd(0.05)

    def discriminator_loss(nets, real, keys, step):
        fake = nets.g(latents(keys, 2))
        return total(hinge=losses.hinge_discriminator(nets.d(real, keys=keys), nets.d(fake, keys=keys)))

    def generator_loss(nets, real, keys, step):
        fake, stats = nets.g.with_stats(latents(keys, 2))
        return total(hinge=losses.hinge_generator(nets.d(fake, keys=keys)), stats={"g": stats})

    point = jnp.zeros((1, 2))
    return Game(
        nets={"g": Net(generator, point), "d": Net(discriminator, point)},
        players={"d": Player(("d",), discriminator_loss, optimizer), "g": Player(("g",), generator_loss, optimizer)},
        turns=(("d",), ("g",)),
        ema={"g": 0.9},
    )
