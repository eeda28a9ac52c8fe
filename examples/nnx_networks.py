"""Train a GAN with networks that are nnx modules with BatchNorm and dropout.

``Net`` takes a function that creates the module, so the initial parameters depend only on the key of ``game.init``.
In losses, BatchNorm uses the statistics of the batch, and dropout draws its masks from ``keys``.

    python examples/nnx_networks.py --out nnx.png
"""

import argparse

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import jaxgan
from jaxgan import Game, Net, Player, fold_in_keys, latents, losses, total

Z_DIM, WIDTH = 32, 32


class Generator(nnx.Module):
    """A generator from latents [B, Z_DIM] to images [B, 8, 8, 1]."""

    def __init__(self, *, rngs):
        self.project = nnx.Linear(Z_DIM, 4 * 4 * WIDTH, rngs=rngs)
        self.norm = nnx.BatchNorm(WIDTH, rngs=rngs)
        self.up = nnx.ConvTranspose(WIDTH, WIDTH, (4, 4), strides=2, rngs=rngs)
        self.out = nnx.Conv(WIDTH, 1, (3, 3), rngs=rngs)

    def __call__(self, z):
        x = nnx.relu(self.norm(self.project(z).reshape(-1, 4, 4, WIDTH)))
        return jnp.tanh(self.out(nnx.relu(self.up(x))))


class Discriminator(nnx.Module):
    """A discriminator from images [B, 8, 8, 1] to logits [B]."""

    def __init__(self, *, rngs):
        self.down = nnx.Conv(1, WIDTH, (4, 4), strides=2, rngs=rngs)
        self.hidden = nnx.Linear(4 * 4 * WIDTH, 128, rngs=rngs)
        self.dropout = nnx.Dropout(0.3, rngs=rngs)
        self.out = nnx.Linear(128, 1, rngs=rngs)

    def __call__(self, x):
        x = nnx.leaky_relu(self.down(x), 0.2).reshape(len(x), -1)
        return self.out(self.dropout(nnx.leaky_relu(self.hidden(x), 0.2)))[:, 0]


def discriminator_loss(nets, batch, keys, step):
    real_logits = nets.d(batch["image"], keys=keys)
    fake_logits = nets.d(nets.g(latents(keys, Z_DIM)), keys=fold_in_keys(keys))
    r1 = losses.r1(lambda x: nets.d(x, keys=keys), batch["image"])
    return total(adversarial=losses.non_saturating_discriminator(real_logits, fake_logits), r1=0.5 * r1)


def generator_loss(nets, batch, keys, step):
    fake, stats = nets.g.with_stats(latents(keys, Z_DIM))  # `stats`: BatchNorm's moving averages, stored by the game
    return total(adversarial=losses.non_saturating_generator(nets.d(fake, keys=keys)), stats={"g": stats})


def main(out: str, steps: int = 5000) -> None:
    z, image = jnp.zeros((1, Z_DIM)), jnp.zeros((1, 8, 8, 1))
    nets = {"g": Net(lambda rngs: Generator(rngs=rngs), z), "d": Net(lambda rngs: Discriminator(rngs=rngs), image)}
    adam = optax.adam(5e-4, b1=0.5, b2=0.99)
    players = {"d": Player(("d",), discriminator_loss, adam), "g": Player(("g",), generator_loss, adam)}
    game = Game(nets, players, turns=(("d",), ("g",)), ema={"g": 0.995})
    state, step = jax.jit(game.init)(jax.random.key(0)), jax.jit(game.step, donate_argnums=0)
    for number, batch in enumerate(jaxgan.batches("digits", 64, steps=steps), 1):
        state, metrics = step(state, batch)
        if number % 500 == 0 or number == steps:
            print(f"step {number}:", ", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    jaxgan.grid(game.functions(state).g(latents(jaxgan.sample_keys(0, 64), Z_DIM)), out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="path of the grid of samples, a .png file")
    main(parser.parse_args().out)
