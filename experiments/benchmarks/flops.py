"""Floating-point operations of a game's step, counted from its layers and not by a compiler.

Products alone: of a linear map, twice its multiplications. XLA's ``cost_analysis`` differs between equal functions.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.benchmarks.games import Case
from jaxgan.models import layers, resnet
from jaxgan.networks import takes_train


def forward(module: nn.Module, x: jax.ShapeDtypeStruct) -> tuple[int, int]:
    """Of one pass over ``x``, [B, ...]; and of its first layer, whose input needs no gradient."""
    counts = []

    def count(call, args, kwargs, context):
        layer, (x, *_) = context.module, args
        y = call(*args, **kwargs)
        if context.method_name != "__call__":
            return y
        if isinstance(layer, layers.Dense | nn.Dense):
            counts.append(2 * x.size * y.shape[-1])
        elif isinstance(layer, layers.Conv):
            counts.append(2 * y.size * layer.kernel ** (y.ndim - 2) * x.shape[-1])
        elif isinstance(layer, layers.ConvTranspose):
            counts.append(2 * x.size * layer.kernel ** (x.ndim - 2) * y.shape[-1])
        elif isinstance(layer, resnet.UpConv):
            counts.append(2 * x.size * 16 * y.shape[-1])
        elif isinstance(layer, resnet.DownConv):
            counts.append(2 * y.size * 16 * x.shape[-1])
        return y

    def run(x):
        with nn.intercept_methods(count):
            return module.init_with_output(jax.random.key(0), x, **train)[0]

    train: dict[str, Any] = {"train": False} if takes_train(type(module)) else {}
    jax.eval_shape(run, x)
    return sum(counts), counts[0]


def step(case: Case) -> int:
    """Of a whole step, the generator's pass shared by both players.

    A gradient takes as much as the pass once for the parameters and once for the inputs. R1's inner gradient is one
    more pass, and its own derivative, of piecewise linear networks, two; a gradient penalty also needs the pass at
    its points.
    """
    generator, discriminator = case.networks()
    z = jax.ShapeDtypeStruct((case.batch, case.latents), jnp.float32)
    x = jax.ShapeDtypeStruct((case.batch, *case.shape), jnp.float32)
    g, g_first = forward(generator, z)
    d, d_first = forward(discriminator, x)
    penalty = {"": 0, "r1": 3 * d, "gradient": 4 * d}[case.penalty]
    discriminators = g + 2 * d + 2 * d + 2 * (d - d_first) + penalty
    generators = 2 * d + g + (g - g_first)
    return case.turns * discriminators + generators


def largest_convolution(case: Case) -> tuple[int, int, int] | None:
    """(size, channels, features) of the discriminator's widest strided convolution at 4 x 4; None without one."""
    if len(case.shape) != 3 or case.shape[0] < 32:
        return None
    levels = int(math.log2(case.shape[0])) - 2
    return case.shape[0] // 2 ** (levels - 1), 64 * 2 ** (levels - 2), 64 * 2 ** (levels - 1)
