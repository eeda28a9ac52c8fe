"""From how many channels on Winograd's 16 products are faster than patches and a matrix: maps of 3 x 3, in turn.

    python -m experiments.benchmarks.winograd
    python -m experiments.benchmarks.winograd --batch 1 --size 32 --channels 256

The threshold of ``jaxgan.models.convolution``, WINOGRAD, is from this. See ``experiments.benchmarks.paired`` for how a
round is timed.
"""

import math
from collections.abc import Callable
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.benchmarks.paired import race, timed
from jaxgan.models import convolution

LEAST = {"16 products": 1, "patches": math.inf}


def main(batch: int = 32, size: int = 16, channels: tuple[int, ...] = (16, 32, 64, 128), rounds: int = 15) -> None:
    """Time the convolution, and its kernel's gradient, of as many channels in as out.

    Args:
      batch: images.
      size: of an image.
      channels: how many.
      rounds: of each form.
    """
    rng = np.random.default_rng(0)
    for count in channels:
        g = convolution.same((size, size), (3, 3), 1)
        x, y = (jnp.array(rng.normal(size=(batch, size, size, count)), jnp.float32) for _ in range(2))
        w = jnp.array(rng.normal(size=(3, 3, count, count)), jnp.float32)
        maps = {
            "down": (convolution.down, x, w),
            "up": (convolution.up, y, w),
            "kernel_gradient": (convolution.kernel_gradient, x, y),
        }
        for name, (f, *arguments) in maps.items():
            print(f"{name}, {batch} images of {size} x {size}, {count} channels")
            race({form: stepper(f, least, g, *arguments) for form, least in LEAST.items()}, rounds)


def stepper(f: Callable, least: float, g: convolution.Geometry, *arguments: jax.Array) -> Callable[[], float]:
    """A function that computes the map once, with so many channels as the threshold, and returns its seconds."""
    with mock.patch.object(convolution, "WINOGRAD", least):
        compiled = jax.jit(lambda *x: f(g, *x)).lower(*arguments).compile()
    return timed(lambda state, _: (state, compiled(*arguments)), None)


if __name__ == "__main__":
    tyro.cli(main)
