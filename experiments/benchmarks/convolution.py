"""Compare the speed of a training step with different forms (implementations) of the convolutions, in one process.

    python -m experiments.benchmarks.convolution
    python -m experiments.benchmarks.convolution --g-channels 64 --d-channels 64

The program trains the game of ``experiments.dcgan``. With the default settings, this game computes R1 in every step.
The forms are:

    ours      jaxgan.nn.convolution. On CPUs, it mostly uses im2col, a matrix product with the image patches under the
              kernel. Its derivatives are computed with the same operations.
    plain     im2col differentiated by JAX. A transposed convolution is the derivative of a convolution.
    dilated   im2col differentiated by JAX. A transposed convolution is a convolution of an image with zeros inserted
              between its pixels.
    native    XLA's native convolution and transposed convolution, as in flax, differentiated by JAX.

``experiments.benchmarks.paired`` explains how the forms are timed.
"""

from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax import lax

from experiments import dcgan
from experiments.benchmarks.paired import race, step_timer
from jaxgan.data import Batches
from jaxgan.nn import convolution
from jaxgan.training import steps


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


FORMS: dict[str, dict[str, Any]] = {
    "ours": {"conv": convolution.conv, "conv_transpose": convolution.conv_transpose},
    "plain": {"conv": _plain_conv, "conv_transpose": _plain_conv_transpose},
    "dilated": {"conv": _plain_conv, "conv_transpose": _dilated_conv_transpose},
    "native": {"conv": convolution._conv_native, "conv_transpose": convolution._conv_transpose_native},
}


def main(config: tyro.conf.OmitArgPrefixes[dcgan.Config] = dcgan.Config(), rounds: int = 100) -> None:  # noqa: B008
    """Time a training step with each implementation of the convolutions.

    Args:
      config: settings of the game.
      rounds: number of steps to time with each implementation.
    """
    source = dcgan.build(config).source
    rows = source.read(Batches(source, config.batch_size, config.seed).indices(0))
    batch = jax.tree.map(jnp.asarray, steps.prepare(None, rows))
    timers = {}
    for name in FORMS:
        with mock.patch.multiple(convolution, **FORMS[name]):
            timers[name] = step_timer(dcgan.build(config).game.unwrapped, batch, config.seed)
    race(timers, rounds)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
