"""Train a BiGAN, which learns an encoder together with a generator (Donahue et al. 2017, arXiv:1605.09782).

The discriminator receives pairs: (x, E(x)) for a real image x, and (G(z), z) for a latent z. One player owns the
encoder E and the generator G, and trains both against the discriminator, so E learns to approximate the inverse of G.
The program writes a grid with three rows: digits x, their reconstructions G(E(x)), and samples G(z).

    python examples/bigan.py --out bigan.png
"""

import argparse

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import jaxgan
from jaxgan import Game, Net, Player, latents, losses, total
from jaxgan.models import mlp

Z_DIM = 16


class Encoder(nn.Module):
    """An encoder from images [B, 8, 8, 1] to latents [B, Z_DIM]."""

    @nn.compact
    def __call__(self, x):
        x = nn.leaky_relu(nn.Dense(256)(x.reshape(len(x), -1)), 0.2)
        return nn.Dense(Z_DIM)(nn.leaky_relu(nn.Dense(256)(x), 0.2))


class PairDiscriminator(nn.Module):
    """A discriminator from images [B, 8, 8, 1] and latents [B, Z_DIM] to logits [B]."""

    @nn.compact
    def __call__(self, x, z):
        return mlp.Discriminator((256, 256))(jnp.concatenate([x.reshape(len(x), -1), z], axis=1))


def discriminator_loss(nets, batch, keys, step):
    x, z = batch["image"], latents(keys, Z_DIM)
    encoded, generated = nets.d(x, nets.e(x)), nets.d(nets.g(z), z)
    return total(
        adversarial=losses.non_saturating_discriminator(encoded, generated),
        r1=losses.r1(lambda x: nets.d(x, nets.e(x)), x),
        metrics=losses.discriminator_metrics(encoded, generated),
    )


def encoder_generator_loss(nets, batch, keys, step):
    """Return the cross-entropy of the discriminator's logits with exchanged labels: real pairs count as fake."""
    x, z = batch["image"], latents(keys, Z_DIM)
    return total(adversarial=losses.non_saturating_discriminator(nets.d(nets.g(z), z), nets.d(x, nets.e(x))))


def main(out: str, steps: int = 10_000) -> None:
    image, z, adam = jnp.zeros((1, 8, 8, 1)), jnp.zeros((1, Z_DIM)), optax.adam(3e-4, b1=0.5, b2=0.99)
    game = Game(
        nets={"g": Net(mlp.Generator((8, 8, 1), (256, 256)), z), "e": Net(Encoder(), image),
              "d": Net(PairDiscriminator(), image, z)},
        players={"d": Player(("d",), discriminator_loss, adam), "eg": Player(("e", "g"), encoder_generator_loss, adam)},
        turns=(("d",), ("eg",)),
        ema={"e": 0.998, "g": 0.998},
    )  # fmt: skip
    state, step = jax.jit(game.init)(jax.random.key(0)), jax.jit(game.step, donate_argnums=0)
    for number, batch in enumerate(jaxgan.batches("digits", 64, steps=steps), 1):
        state, metrics = step(state, batch)
        if number % 500 == 0 or number == steps:
            print(f"step {number}: d/value {metrics['d/value']:.3f}, d/accuracy_real {metrics['d/accuracy_real']:.2f}")
    nets, x = game.functions(state), next(jaxgan.batches("digits", 16, steps=1))["image"]
    rows = [x, nets.g(nets.e(x)), nets.g(latents(jaxgan.sample_keys(0, 16), Z_DIM))]
    jaxgan.grid(jnp.concatenate(rows), out, columns=16, beside_real=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="path of the grid of images, a .png file")
    main(parser.parse_args().out)
