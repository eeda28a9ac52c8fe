"""Train D2GAN, a generator with two discriminators (Nguyen et al. 2017, arXiv:1709.03831).

The first discriminator assigns high scores to real images, and the second assigns high scores to generated images.
Together, they estimate the Kullback-Leibler divergence in both directions, so the generator learns to cover all modes
of the data and to generate nothing between them. Both discriminators are players, and both move in the same turn.

    python examples/two_discriminators.py --out two.png
"""

import argparse

import jax
import jax.numpy as jnp
import optax

import jaxgan
from jaxgan import Game, Net, Player, latents, losses, total
from jaxgan.models import mlp

Z_DIM = 32
ALPHA, BETA = 0.2, 0.1  # weights of the logarithms in equation 1 of the paper


def log_and_score(output):
    """Map an unbounded output [B] of a network to a positive score [B], and return its logarithm and the score."""
    score = jax.nn.softplus(output) + 1e-4
    return jnp.log(score), score


def first_discriminator_loss(nets, batch, keys, step):
    """Return the negative of ALPHA log D1(x) - D1(G(z)), the first line of equation 1, plus an R1 penalty."""
    real_log, _ = log_and_score(nets.d1(batch["image"]))
    _, fake_score = log_and_score(nets.d1(nets.g(latents(keys, Z_DIM))))
    return total(scores=fake_score - ALPHA * real_log, r1=losses.r1(nets.d1, batch["image"]))


def second_discriminator_loss(nets, batch, keys, step):
    """Return the negative of BETA log D2(G(z)) - D2(x), the second line of equation 1, plus an R1 penalty."""
    _, real_score = log_and_score(nets.d2(batch["image"]))
    fake_log, _ = log_and_score(nets.d2(nets.g(latents(keys, Z_DIM))))
    return total(scores=real_score - BETA * fake_log, r1=losses.r1(nets.d2, batch["image"]))


def generator_loss(nets, batch, keys, step):
    fake = nets.g(latents(keys, Z_DIM))
    _, score = log_and_score(nets.d1(fake))
    log, _ = log_and_score(nets.d2(fake))
    return total(first=-score, second=BETA * log)


def main(out: str, steps: int = 10_000) -> None:
    adam = optax.adam(3e-4, b1=0.5, b2=0.99)
    image, discriminator = jnp.zeros((1, 8, 8, 1)), mlp.Discriminator((256, 256))
    game = Game(
        nets={
            "g": Net(mlp.Generator((8, 8, 1), (256, 256)), jnp.zeros((1, Z_DIM))),
            "d1": Net(discriminator, image),
            "d2": Net(discriminator, image),
        },
        players={
            "d1": Player(("d1",), first_discriminator_loss, adam),
            "d2": Player(("d2",), second_discriminator_loss, adam),
            "g": Player(("g",), generator_loss, adam),
        },
        turns=(("d1", "d2"), ("g",)),
        ema={"g": 0.998},
    )
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
