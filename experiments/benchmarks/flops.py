"""Count the floating-point operations of a game's step from the shapes of its layers.

Only dense layers and convolutions are counted, with two operations for each multiplication. XLA's ``cost_analysis`` is
not used, because it returns different numbers for different programs that compute the same function.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.benchmarks.games import Case
from jaxgan.core.modules import LinenNetwork, call_options
from jaxgan.models import resnet
from jaxgan.nn import layers


def forward(module: nn.Module, x: jax.ShapeDtypeStruct) -> tuple[int, int]:
    """Count the operations of a forward pass.

    Args:
      module: the network.
      x: shape of the network's input, [B, ...].

    Returns:
      Two numbers: the operations of the complete forward pass, and the operations of the first layer. The first layer
      is returned separately, because no gradient with respect to its input is computed.
    """
    counts = [count for count, _, _ in _layers(module, x)]
    return sum(counts), counts[0]


def _layers(module: nn.Module, x: jax.ShapeDtypeStruct) -> list[tuple[int, nn.Module, tuple[int, ...]]]:
    """Return the number of operations, the module and the input shape of each counted layer, in the order of calls."""
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
    """Count the operations of a complete step, in which both players share the generator's forward pass.

    The gradient with respect to the parameters costs as much as one forward pass. The gradient with respect to the
    inputs costs the same. R1 costs as much as three passes: one for its inner gradient, and two for the derivative of
    this gradient, because the networks are piecewise linear. The gradient penalty costs one more pass, the forward pass
    at the interpolated examples.
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
    """Return the convolution of the discriminator that needs the most operations.

    Returns:
      Four values: the shape of the convolution's input [B, height, width, C], its kernel size, its stride and its
      number of output channels. None if the discriminator has no convolutions.
    """
    x = jax.ShapeDtypeStruct((case.batch, *case.shape), jnp.float32)
    found = [row for row in _layers(case.networks()[1], x) if isinstance(row[1], layers.Conv)]
    if not found:
        return None
    _, layer, shape = max(found, key=lambda row: row[0])
    return shape, layer.kernel_size, layer.stride, layer.features
