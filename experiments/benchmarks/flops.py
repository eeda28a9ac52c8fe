"""Floating-point operations of a game's step, counted from its layers and not by a compiler.

Products alone: of a linear map, twice its multiplications. XLA's ``cost_analysis`` differs between equal functions.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.benchmarks.games import Case
from jaxgan.core.modules import LinenNetwork, call_options
from jaxgan.models import resnet
from jaxgan.nn import layers


def forward(module: nn.Module, x: jax.ShapeDtypeStruct) -> tuple[int, int]:
    """Of one pass over ``x``, [B, ...]; and of its first layer, whose input needs no gradient."""
    counts = [count for count, _, _ in _layers(module, x)]
    return sum(counts), counts[0]


def _layers(module: nn.Module, x: jax.ShapeDtypeStruct) -> list[tuple[int, nn.Module, tuple[int, ...]]]:
    """Each linear layer's operations, itself, and its input's shape, in the order in which they are called."""
    found = []

    def count(call, args, kwargs, context):
        layer, (x, *_) = context.module, args
        y = call(*args, **kwargs)
        if context.method_name != "__call__":
            return y
        if isinstance(layer, layers.Dense | nn.Dense):
            products = x.size * y.shape[-1]
        elif isinstance(layer, layers.Conv):
            products = y.size * layer.kernel_size ** (y.ndim - 2) * x.shape[-1]
        elif isinstance(layer, layers.ConvTranspose):
            products = x.size * layer.kernel_size ** (x.ndim - 2) * y.shape[-1]
        elif isinstance(layer, resnet.UpConv):
            products = x.size * 16 * y.shape[-1]
        elif isinstance(layer, resnet.DownConv):
            products = y.size * 16 * x.shape[-1]
        else:
            return y
        found.append((2 * products, layer, x.shape))
        return y

    def run(x):
        with nn.intercept_methods(count):
            return module.init_with_output(jax.random.key(0), x, **train)[0]

    train = call_options(LinenNetwork(module), {}, train=False)
    jax.eval_shape(run, x)
    return found


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
    return case.turns * discriminators + generators * case.generator


def largest_convolution(case: Case) -> tuple[tuple[int, ...], int, int, int] | None:
    """Of the discriminator's convolutions: its input's shape, kernel, stride and features; None where it has none."""
    x = jax.ShapeDtypeStruct((case.batch, *case.shape), jnp.float32)
    found = [row for row in _layers(case.networks()[1], x) if isinstance(row[1], layers.Conv)]
    if not found:
        return None
    _, layer, shape = max(found, key=lambda row: row[0])
    return shape, layer.kernel_size, layer.stride, layer.features
