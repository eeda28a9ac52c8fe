"""Train a GAN with networks that are pairs of functions: ``init(key, *examples)`` and ``apply(params, *inputs)``.

The parameters can be any pytree of arrays. The losses are those of R3GAN (Huang et al. 2024, arXiv:2501.05441).

    python examples/functions.py --out functions.png
"""

import argparse
import itertools

import jax
import jax.numpy as jnp
import optax

import jaxgan
from jaxgan import Game, Net, Player, latents, losses, total

Z_DIM, SHAPE = 32, (8, 8, 1)


def init_layers(key, widths):
    """Return the parameters of linear layers. The weights are normal with variance 2 / inputs (He et al. 2015)."""
    sizes = list(itertools.pairwise(widths))
    return [
        {"kernel": jax.random.normal(layer_key, size) * jnp.sqrt(2 / size[0]), "bias": jnp.zeros((1, size[1]))}
        for layer_key, size in zip(jax.random.split(key, len(sizes)), sizes)
    ]


def apply_layers(layers, x):
    for layer in layers[:-1]:
        x = jax.nn.leaky_relu(x @ layer["kernel"] + layer["bias"], 0.2)
    return x @ layers[-1]["kernel"] + layers[-1]["bias"]


def init_generator(key, z):
    return init_layers(key, (z.shape[1], 256, 256, 64))


def generate(params, z):
    return jnp.tanh(apply_layers(params, z)).reshape(-1, *SHAPE)


def init_discriminator(key, x):
    return init_layers(key, (x[0].size, 256, 256, 1))


def discriminate(params, x):
    return apply_layers(params, x.reshape(len(x), -1))[:, 0]


def discriminator_loss(nets, batch, keys, step):
    real, fake = batch["image"], nets.g(latents(keys, Z_DIM))
    gap = losses.relativistic_discriminator(nets.d(real), nets.d(fake))
    return total(gap=gap, r1=0.5 * losses.r1(nets.d, real), r2=0.5 * losses.r2(nets.d, fake))


def generator_loss(nets, batch, keys, step):
    return total(gap=losses.relativistic_generator(nets.d(batch["image"]), nets.d(nets.g(latents(keys, Z_DIM)))))


def main(out: str, steps: int = 10_000) -> None:
    z, image = jnp.zeros((1, Z_DIM)), jnp.zeros((1, *SHAPE))
    nets = {"g": Net((init_generator, generate), z), "d": Net((init_discriminator, discriminate), image)}
    adam = optax.adam(3e-4, b1=0.0, b2=0.99)
    players = {"d": Player(("d",), discriminator_loss, adam), "g": Player(("g",), generator_loss, adam)}
    game = Game(nets, players, turns=(("d",), ("g",)), ema={"g": 0.998})
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
