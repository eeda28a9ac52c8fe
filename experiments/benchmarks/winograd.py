"""From how many channels on Winograd's 16 products are faster than patches and a matrix: maps of 3 x 3, in turn.

    python -m experiments.benchmarks.winograd
    python -m experiments.benchmarks.winograd --batch 1 --size 32 --channels 256
    python -m experiments.benchmarks.winograd --smooth
    python -m experiments.benchmarks.winograd --precision bfloat16

The thresholds of ``jaxgan.models.convolution``, WINOGRAD and CELLS, are from this. Of the three maps alone, and of the
gradients of layers, which differ: what comes before a convolution is computed again for each patch that XLA fuses it
with. See ``experiments.benchmarks.paired`` for how a round is timed.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal, cast
from unittest import mock

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.benchmarks.paired import race, timed
from jaxgan.models import convolution

LEAST = {"16 products": 0, "patches": math.inf}


def main(
    batch: int = 32,
    size: int = 16,
    channels: tuple[int, ...] = (16, 32, 64, 128),
    smooth: bool = False,
    precision: Literal["float32", "bfloat16"] = "float32",
    rounds: int = 15,
) -> None:
    """Time the three maps, of as many channels in as out, and the gradients of layers.

    Args:
      batch: images.
      size: of the small image, which is the large one's unless ``smooth``.
      channels: how many.
      smooth: of stride 2, of a smoothed image.
      precision: of images and kernels.
      rounds: of each form.
    """
    rng = np.random.default_rng(0)
    for count in channels:
        large = size * (1 + smooth)
        halved, same = convolution.halved((large, large), (3, 3)), convolution.same((large, large), (3, 3), 1)
        g = halved if smooth else same
        x = jnp.array(rng.normal(size=(batch, large, large, count)), precision)
        y = jnp.array(rng.normal(size=(batch, size, size, count)), precision)
        w = jnp.array(rng.normal(size=(3, 3, count, count)), precision)

        def layers(x, w, g=g, same=same):
            """Three, or of ``smooth`` one that halves, one that doubles and one more."""
            x = nn.leaky_relu(jnp.asarray(convolution.down(g, x, w)) + 0.1)
            x = nn.leaky_relu(jnp.asarray((convolution.up if smooth else convolution.down)(g, x, w)) + 0.1)
            return jnp.square(jnp.asarray(convolution.down(same, x, w))).sum()

        timing = {
            "down": (functools.partial(convolution.down, g), x, w),
            "up": (functools.partial(convolution.up, g), y, w),
            "kernel_gradient": (functools.partial(convolution.kernel_gradient, g), x, y),
            "gradients of three layers": (jax.grad(layers, (0, 1)), x, w),
        }
        for name, (f, *arguments) in timing.items():
            print(f"{name}, {batch} images of {size} x {size}, {count} channels{', smoothed' * smooth}")
            race({form: stepper(f, least, smooth, *arguments) for form, least in LEAST.items()}, rounds)


def stepper(f: Callable, least: float, smooth: bool, *arguments: jax.Array) -> Callable[[], float]:
    """A function that computes f once, with such a threshold, of cells alone if ``smooth``, and returns its seconds."""
    limits = {"LEAST": 0, "WINOGRAD": 0 if smooth else least, "CELLS": least}
    with mock.patch.multiple(convolution, **cast(Any, limits)):
        compiled = jax.jit(lambda *x: f(*x)).lower(*arguments).compile()  # not jit(f), which may be compiled already
    return timed(lambda state, _: (state, compiled(*arguments)), None)


if __name__ == "__main__":
    tyro.cli(main)
