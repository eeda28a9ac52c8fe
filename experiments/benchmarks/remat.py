"""Measure the memory and the time of a training step with rematerialisation (``--remat``).

    python -m experiments.benchmarks.remat                # all cases
    python -m experiments.benchmarks.remat cyclegan128 r3gan64

Rematerialisation stores fewer activations, and computes the others again for the gradient. Each case is the turn of one
network, which learns to minimise the mean of its squared outputs. The cases with R1 add the penalty. Memory is the
temporary memory of the compiled step: arrays that are neither arguments nor results. The times are medians of processor
time, and both forms run in one process, in alternating order.
"""

import time
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from rich.console import Console
from rich.table import Table

from jaxgan import Game, Net, Player, losses, total
from jaxgan.core import system
from jaxgan.games.remat import Rematerialized
from jaxgan.models import cyclegan, r3gan, resnet, stylegan2


def main(cases: tyro.conf.Positional[tuple[str, ...]] = (), rounds: int = 5) -> None:
    """Compile and time a step of each case with and without rematerialisation, and print a table.

    Args:
      cases: names of cases. By default, all cases.
      rounds: number of timed steps of each form.
    """
    columns = ("case", "form", "memory, MB", "processor ms", "trace, s", "compilation, s")
    table = Table(*columns, title=f"{system.hardware()}, jax {system.versions()['jax']}")
    for name in cases or CASES:
        game, batch = _game(*CASES[name])
        state = jax.jit(game.init)(jax.random.key(0))
        forms = {"stored": game, "recomputed": Rematerialized(game)}
        steps = {form: _compile(each, state, batch) for form, each in forms.items()}
        times = {form: [] for form in forms}
        for turn in range(rounds + 1):
            for form in forms if turn % 2 else reversed(forms):
                started = time.process_time()
                jax.block_until_ready(steps[form][0](state, batch))
                times[form].append(1e3 * (time.process_time() - started))
        for form, (compiled, tracing, compiling) in steps.items():
            megabytes = compiled.memory_analysis().temp_size_in_bytes / 1e6
            median = np.median(times[form][1:])
            table.add_row(name, form, f"{megabytes:.0f}", f"{median:.0f}", f"{tracing:.1f}", f"{compiling:.1f}")
    Console(width=100).print(table)


def _compile(game: Any, state: Any, batch: Any) -> tuple[Any, float, float]:
    """Return the compiled step, and the processor time of tracing and of compiling it, in seconds."""
    started = time.process_time()
    lowered = jax.jit(game.step).lower(state, batch)
    traced = time.process_time()
    return lowered.compile(), traced - started, time.process_time() - traced


def _game(create: Callable[[], nn.Module], shape: tuple[int, ...], penalty: bool) -> tuple[Game, jax.Array]:
    """Return the game of a case and a batch.

    Args:
      create: function that creates the network.
      shape: shape of the batch.
      penalty: whether the loss contains R1.
    """

    def loss(nets, batch, keys, step):
        output, stats = nets.net.with_stats(batch)
        value = jnp.square(output).reshape(len(batch), -1).mean(1)
        r1 = losses.r1(nets.net, batch) if penalty else 0.0
        return total(value=value, r1=r1, stats={"net": stats})

    batch = jax.random.normal(jax.random.key(0), shape)
    return Game(
        {"net": Net(create(), batch[:1])}, {"net": Player(("net",), loss, optax.adam(1e-4))}, (("net",),)
    ), batch


def _stylegan2_discriminator() -> nn.Module:
    return stylegan2.Discriminator(channel_base=2048, channel_max=128)


def _stylegan2_synthesis() -> nn.Module:
    return stylegan2.Synthesis((64, 64), channel_base=2048, channel_max=128)


def _r3gan_discriminator() -> nn.Module:
    return r3gan.Discriminator((64, 128, 256, 256), blocks_per_stage=2)


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], bool]] = {
    "cyclegan128": (lambda: cyclegan.Generator(channels=32, num_blocks=6), (2, 128, 128, 3), False),
    "resnet64": (lambda: resnet.Generator(64, channels=128), (16, 128), False),
    "stylegan2_64": (_stylegan2_synthesis, (8, 10, 64), False),
    "stylegan2_d64": (_stylegan2_discriminator, (8, 64, 64, 3), False),
    "stylegan2_d64_r1": (_stylegan2_discriminator, (8, 64, 64, 3), True),
    "r3gan_d32_r1": (_r3gan_discriminator, (16, 32, 32, 3), True),
}


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
