"""Compare alternative forms of jaxgan's convolutions on CPUs, by the time of a complete training step.

    python -m experiments.benchmarks.reformulations dcgan32
    python -m experiments.benchmarks.reformulations stylegan2_64 --forms ours "never native"

The games are DCGAN and WGAN-GP from ``experiments.benchmarks.games``, and StyleGAN2 at 32 x 32, 64 x 64 or 128 x 128
with the default settings of ``experiments.stylegan2``. ``jaxgan.nn.convolution`` consists of three maps: the
convolution, its transpose and the gradient of its kernel. A form is a set of algorithms for these maps. Each form below
``ours`` changes one thing in ``ours``:

    ours             jaxgan's own algorithms; in DCGAN, these are im2col for all three maps
    never native     as ours, but without XLA's native convolution, which jaxgan uses for large images with few
                     channels; the same as ours in DCGAN
    native conv      XLA's native convolution in the forward pass, which gathers the patches during the multiplication
    native kernel    XLA's native gradient of the kernel, for images smaller than 32 x 32
    blocked kernel   the gradient of the kernel as a sum over blocks of the batch, so that the patches fit in a cache
    blocked conv     the convolution, computed for one block of the batch after the other
    space to depth   space-to-depth by 2 first, then patches of 2 x 2
"""

import sys
from collections.abc import Callable
from typing import Any, Literal
from unittest import mock

import jax.numpy as jnp
import numpy as np
import tyro
from jax import lax

from experiments import stylegan2
from experiments.benchmarks.games import CASES, build
from experiments.benchmarks.paired import race, step_timer
from jaxgan.core import system
from jaxgan.core.game import Game
from jaxgan.data import Arrays
from jaxgan.nn import convolution

_BLOCKS = 16  # number of blocks of a batch
_conv, _kernel_gradient = convolution._conv_cpu, convolution._kernel_gradient_cpu


def _below_32(form: Callable) -> Callable:
    """Return a function that uses ``form`` for images smaller than 32 x 32, and jaxgan's own form for larger images."""
    return lambda g, x, y: form(g, x, y) if max(g.large) < 32 else _kernel_gradient(g, x, y)


def _blocked_conv(g, x, w):
    """Compute the convolution for one block of the batch after the other."""
    if len(x) % _BLOCKS:
        return _conv(g, x, w)
    y = lax.map(lambda block: _conv(g, block, w), x.reshape(_BLOCKS, -1, *x.shape[1:]))
    return y.reshape(-1, *y.shape[2:])


def _blocked_kernel_gradient(g, x, y):
    """Compute the gradient of the kernel as a sum over blocks of the batch."""
    if len(x) % _BLOCKS:
        return _kernel_gradient(g, x, y)
    blocks = x.reshape(_BLOCKS, -1, *x.shape[1:]), y.reshape(_BLOCKS, -1, *y.shape[1:])
    zero = jnp.zeros((*g.kernel, x.shape[-1], y.shape[-1]), x.dtype)
    return lax.scan(lambda total, block: (total + _kernel_gradient(g, *block), None), zero, blocks)[0]


def _space_to_depth_conv(g, x, w):
    """Compute a 4 x 4 convolution of stride 2 as space-to-depth by 2 and a 2 x 2 convolution of stride 1."""
    if g.kernel != (4, 4) or g.stride != 2:
        return _conv(g, x, w)
    x = jnp.pad(x, ((0, 0), *g.padding, (0, 0)))
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    x = x.reshape(batch, height // 2, width // 2, 4 * channels)
    h, v = g.small
    patches = jnp.concatenate([x[:, i : i + h, j : j + v] for i in (0, 1) for j in (0, 1)], -1)
    w = w.reshape(2, 2, 2, 2, channels, -1).transpose(0, 2, 1, 3, 4, 5).reshape(16 * channels, -1)
    return (patches.reshape(-1, 16 * channels) @ w).reshape(batch, h, v, -1)


FORMS: dict[str, dict[str, Any]] = {
    "ours": {"_conv_cpu": _conv, "_kernel_gradient_cpu": _kernel_gradient},
    "never native": {"_NATIVE_CHANNELS": (1, 0)},
    "native conv": {"_conv_cpu": convolution._conv_native},
    "native kernel": {"_kernel_gradient_cpu": _below_32(convolution._kernel_gradient_native)},
    "blocked kernel": {"_kernel_gradient_cpu": _below_32(_blocked_kernel_gradient)},
    "blocked conv": {"_conv_cpu": _blocked_conv},
    "space to depth": {"_conv_cpu": _space_to_depth_conv},
}


_SIZES = {"stylegan2_32": 32, "stylegan2_64": 64, "stylegan2_128": 128}


def main(
    game: tyro.conf.Positional[
        Literal["dcgan32", "dcgan64", "dcgan32_r1", "wgan_gp32", "stylegan2_32", "stylegan2_64", "stylegan2_128"]
    ],
    forms: tuple[str, ...] = tuple(FORMS),
    rounds: int = 15,
) -> None:
    """Time a training step with each form.

    Args:
      game: game to train.
      forms: forms to time. All other forms are compared with the first form. By default, all forms are timed.
      rounds: number of steps to time with each form.
    """
    unknown = [name for name in forms if name not in FORMS]
    if unknown:
        sys.exit(f"error: --forms has an unknown form {unknown[0]!r}. The forms are {', '.join(FORMS)}.")
    system.keep_freed_memory()
    timers = {}
    for name in forms:
        with mock.patch.multiple(convolution, **FORMS[name]):
            timers[name] = step_timer(*_build(game))
    race(timers, rounds)


def _build(name: str) -> tuple[Game, Any]:
    """Create a game and a batch of noise for it."""
    rng = np.random.default_rng(0)
    if name in _SIZES:
        config = stylegan2.Config(resolution=_SIZES[name])
        images = rng.uniform(-1, 1, (config.batch_size, _SIZES[name], _SIZES[name], 3)).astype(np.float32)
        return stylegan2.build(config, Arrays(images)).game.unwrapped, {"image": jnp.asarray(images)}
    case = CASES[name]
    return build(case), jnp.array(rng.normal(size=(case.batch * case.turns, *case.shape)), jnp.float32)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
