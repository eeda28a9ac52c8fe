"""Train InfoGAN, which finds categories and a continuous factor without labels (Chen et al. 2016, arXiv:1606.03657).

A latent consists of noise and a code. The code is a category and a number. A second head of the discriminator predicts
the code from the generated image. Both players minimise the error of this prediction. This increases a lower bound on
the mutual information between codes and images. The program writes a grid of samples with one column per category. All
columns have the same noise, and the number increases from top to bottom.

    python examples/infogan.py --out infogan.png
"""

import argparse

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import jaxgan
from jaxgan import Game, Net, Player, fold_in_keys, latents, losses, total
from jaxgan.models import mlp

NOISE_DIM, CATEGORIES = 16, 10


class Discriminator(nn.Module):
    """A discriminator from images [B, 8, 8, 1] to logits [B], category logits [B, CATEGORIES], and numbers [B]."""

    @nn.compact
    def __call__(self, x):
        x = nn.leaky_relu(nn.Dense(256)(x.reshape(len(x), -1)), 0.2)
        x = nn.leaky_relu(nn.Dense(256)(x), 0.2)
        codes = nn.Dense(CATEGORIES + 1)(nn.leaky_relu(nn.Dense(128)(x), 0.2))
        return nn.Dense(1)(x)[:, 0], codes[:, :-1], codes[:, -1]


def make_latents(noise, category, number):
    return jnp.concatenate([noise, jax.nn.one_hot(category, CATEGORIES), number[:, None]], axis=1)


def judge_fakes(nets, keys):
    """Return the logits of generated images, and the prediction errors of the category and of the number, all [B]."""
    category = jax.vmap(lambda key: jax.random.randint(key, (), 0, CATEGORIES))(fold_in_keys(keys, 1))
    number = jax.vmap(lambda key: jax.random.uniform(key, (), minval=-1))(fold_in_keys(keys, 2))
    logits, categories, mean = nets.d(nets.g(make_latents(latents(keys, NOISE_DIM), category, number)))
    return logits, optax.softmax_cross_entropy_with_integer_labels(categories, category), jnp.square(mean - number)


def discriminator_loss(nets, batch, keys, step):
    fake_logits, category, number = judge_fakes(nets, keys)
    adversarial = losses.non_saturating_discriminator(nets.d(batch["image"])[0], fake_logits)
    r1 = losses.r1(lambda x: nets.d(x)[0], batch["image"])
    return total(adversarial=adversarial, r1=r1, category=category, number=number)


def generator_loss(nets, batch, keys, step):
    fake_logits, category, number = judge_fakes(nets, keys)
    return total(adversarial=losses.non_saturating_generator(fake_logits), category=category, number=number)


def main(out: str, steps: int = 10_000) -> None:
    generator, adam = mlp.Generator((8, 8, 1), (256, 256)), optax.adam(3e-4, b1=0.5, b2=0.99)
    z, image = jnp.zeros((1, NOISE_DIM + CATEGORIES + 1)), jnp.zeros((1, 8, 8, 1))
    players = {"d": Player(("d",), discriminator_loss, adam), "g": Player(("g",), generator_loss, adam)}
    nets = {"g": Net(generator, z), "d": Net(Discriminator(), image)}
    game = Game(nets, players, turns=(("d",), ("g",)), ema={"g": 0.998})
    state, step = jax.jit(game.init)(jax.random.key(0)), jax.jit(game.step, donate_argnums=0)
    for number, batch in enumerate(jaxgan.batches("digits", 64, steps=steps), 1):
        state, metrics = step(state, batch)
        if number % 500 == 0 or number == steps:
            print(f"step {number}:", ", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    noise = latents(jaxgan.sample_keys(0, 8), NOISE_DIM).repeat(CATEGORIES, axis=0)
    codes = jnp.tile(jnp.arange(CATEGORIES), 8), jnp.linspace(-1, 1, 8).repeat(CATEGORIES)
    jaxgan.grid(game.functions(state).g(make_latents(noise, *codes)), out, columns=CATEGORIES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="path of the grid of samples, a .png file")
    main(parser.parse_args().out)
