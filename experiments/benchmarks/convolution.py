"""Compare the speed of a training step with different forms (implementations) of the convolutions, in one process.

    python -m experiments.benchmarks.convolution dcgan32
    python -m experiments.benchmarks.convolution stylegan2_64 --forms ours im2col

The games are DCGAN and WGAN-GP from ``experiments.benchmarks.games``, and StyleGAN2 at 32 x 32, 64 x 64 or 128 x 128
with the default settings of ``experiments.stylegan2``. The forms are:

    ours      jaxgan.nn.convolution, which chooses the fastest form of each convolution from a table of measurements
    im2col    jaxgan.nn.convolution, but each convolution is a matrix product with the patches under the kernel
    plain     im2col differentiated by JAX. A transposed convolution is the derivative of a convolution.
    dilated   im2col differentiated by JAX. A transposed convolution is a convolution of an image with zeros inserted
              between its pixels.
    native    XLA's native convolution and transposed convolution, as in flax, differentiated by JAX

``experiments.benchmarks.paired`` explains how the forms are timed.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, Literal
from unittest import mock

import jax
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
from jaxgan.nn.convolution import choice, native


def _plain_conv(g, x, w):
    """Compute a convolution as a matrix product with the patches under the kernel (im2col)."""
    space = [(0, 0), *g.padding, (0, 0)]
    x = jnp.pad(x, space)
    views = [
        x[(slice(None), *(slice(o, o + g.stride * (m - 1) + 1, g.stride) for o, m in zip(offsets, g.small)))]
        for offsets in np.ndindex(*g.kernel)
    ]
    return jnp.concatenate(views, -1) @ w.reshape(-1, w.shape[-1])


def _plain_conv_transpose(g, y, w):
    """Compute a transposed convolution as the derivative of ``_plain_conv``."""
    x = jax.ShapeDtypeStruct((len(y), *g.large, w.shape[-2]), y.dtype)
    return jax.linear_transpose(lambda x: _plain_conv(g, x, w), x)(y)[0]


def _dilated_conv_transpose(g, y, w):
    """Insert zeros between the pixels of ``y``, and convolve the result with the flipped kernel with stride 1."""
    edges = [(k - 1 - low, k - 1 - high, g.stride - 1) for k, (low, high) in zip(g.kernel, g.padding)]
    spread = lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    kernel = jnp.flip(w, tuple(range(len(g.kernel)))).swapaxes(-1, -2)
    one = convolution.Geometry(1, g.kernel, spread.shape[1:-1], g.large, ((0, 0),) * len(g.kernel))
    return _plain_conv(one, spread, kernel)


_OURS = {"conv": convolution.conv, "conv_transpose": convolution.conv_transpose}
FORMS: dict[str, dict[str, Any]] = {
    "ours": _OURS,
    "im2col": _OURS,  # with an empty table
    "plain": {"conv": _plain_conv, "conv_transpose": _plain_conv_transpose},
    "dilated": {"conv": _plain_conv, "conv_transpose": _dilated_conv_transpose},
    "native": {"conv": native.conv, "conv_transpose": native.conv_transpose},
}
_SIZES = {"stylegan2_32": 32, "stylegan2_64": 64, "stylegan2_128": 128}


def main(
    game: tyro.conf.Positional[
        Literal["dcgan32", "dcgan64", "dcgan32_r1", "wgan_gp32", "stylegan2_32", "stylegan2_64", "stylegan2_128"]
    ] = "dcgan32",
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
        with use(name):
            timers[name] = step_timer(*_build(game))
    race(timers, rounds)


@contextlib.contextmanager
def use(form: str) -> Iterator[None]:
    """Compute all convolutions with a form inside a ``with`` block.

    Args:
      form: a name in ``FORMS``.
    """
    table = {} if form == "im2col" else choice.FASTEST
    with mock.patch.object(choice, "FASTEST", table), mock.patch.multiple(convolution, **FORMS[form]):
        choice.choose_form.cache_clear()
        yield
    choice.choose_form.cache_clear()


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
