"""Other ways to write the CPU's convolutions, against jaxgan's, in a step of a game that is timed against PyTorch.

    python -m experiments.benchmarks.reformulations dcgan32

Each replaces some of the three maps of ``jaxgan.models.convolution``:

    ours            patches and a matrix for all three
    native down     XLA's own convolution forwards, which makes its patches as it multiplies
    native kernel   XLA's own kernel gradient, for images below 32 x 32
    blocked kernel  the kernel gradient summed over blocks of the batch, whose patches fit in a cache
    blocked down    the convolution block by block
    cells first     images made of cells of 2 x 2 pixels first, then patches of 2 x 2 cells
"""

from collections.abc import Callable
from typing import Any, Literal
from unittest import mock

import jax.numpy as jnp
import numpy as np
import tyro
from jax import lax

from experiments.benchmarks.games import CASES, build
from experiments.benchmarks.paired import race, stepper
from jaxgan.models import convolution

BLOCKS = 16
_down, _kernel = convolution._down_patches, convolution._kernel_patches


def small(form: Callable) -> Callable:
    """A form for images below 32 x 32, ours for others."""
    return lambda g, x, y: form(g, x, y) if max(g.large) < 32 else _kernel(g, x, y)


def blocked_down(g, x, w):
    """Block by block of the batch."""
    if len(x) % BLOCKS:
        return _down(g, x, w)
    y = lax.map(lambda block: _down(g, block, w), x.reshape(BLOCKS, -1, *x.shape[1:]))
    return y.reshape(-1, *y.shape[2:])


def blocked_kernel(g, x, y):
    """Summed over blocks of the batch."""
    if len(x) % BLOCKS:
        return _kernel(g, x, y)
    blocks = x.reshape(BLOCKS, -1, *x.shape[1:]), y.reshape(BLOCKS, -1, *y.shape[1:])
    zero = jnp.zeros((*g.kernel, x.shape[-1], y.shape[-1]), x.dtype)
    return lax.scan(lambda total, block: (total + _kernel(g, *block), None), zero, blocks)[0]


def cells_down(g, x, w):
    """Of kernels of 4 x 4 and stride 2: of kernels of 2 x 2 cells and stride 1."""
    if g.kernel != (4, 4) or g.stride != 2:
        return _down(g, x, w)
    x = jnp.pad(x, ((0, 0), *g.padding, (0, 0)))
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    x = x.reshape(batch, height // 2, width // 2, 4 * channels)
    h, v = g.small
    patches = jnp.concatenate([x[:, i : i + h, j : j + v] for i in (0, 1) for j in (0, 1)], -1)
    w = w.reshape(2, 2, 2, 2, channels, -1).transpose(0, 2, 1, 3, 4, 5).reshape(16 * channels, -1)
    return (patches.reshape(-1, 16 * channels) @ w).reshape(batch, h, v, -1)


FORMS: dict[str, dict[str, Any]] = {
    "ours": {"_down_patches": _down, "_kernel_patches": _kernel},
    "native down": {"_down_patches": convolution._down_native},
    "native kernel": {"_kernel_patches": small(convolution._kernel_native)},
    "blocked kernel": {"_kernel_patches": small(blocked_kernel)},
    "blocked down": {"_down_patches": blocked_down},
    "cells first": {"_down_patches": cells_down},
}


def main(
    game: tyro.conf.Positional[Literal["dcgan32", "dcgan64", "dcgan32_r1", "wgan_gp32"]], rounds: int = 15
) -> None:
    """Time a step in each form.

    Args:
      game: which.
      rounds: how many steps of each form.
    """
    case = CASES[game]
    size = case.batch * case.turns
    batch = jnp.array(np.random.default_rng(0).normal(size=(size, *case.shape)), jnp.float32)
    steppers = {}
    for name in FORMS:
        with mock.patch.multiple(convolution, **FORMS[name]):
            steppers[name] = stepper(build(case), batch)
    race(steppers, rounds)


if __name__ == "__main__":
    tyro.cli(main)
