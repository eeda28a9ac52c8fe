"""Create random weights of networks under their official names, and compare outputs with the official code's outputs."""

import functools
import zlib

import jax
import numpy as np

from jaxgan.interop import pix2pix, stylegan2
from jaxgan.models import stylegan2 as networks


def drawn(name, shape):
    """Return a random array of a state dict. Its seed is a checksum of the array's name."""
    draws = np.random.RandomState(zlib.crc32(name.encode()))
    if len(shape) == 4:
        return draws.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
    if name.endswith(("running_var", "weight")):
        return draws.uniform(0.5, 1.5, shape).astype(np.float32)
    return draws.normal(0, 0.1, shape).astype(np.float32)


def styled(name, shape):
    """Return a random array of a state dict of StyleGAN2, from a seed that is a checksum of the array's name.

    StyleGAN2's weights have unit variance, because the layers scale them when they are used. Parameters with an initial
    value of 0 are random too.
    """
    draws = np.random.RandomState(zlib.crc32(name.encode()))
    x = draws.normal(size=shape)
    # The mapping network has a learning rate multiplier of 0.01, so its parameters are 100 times as large.
    mapped = 100 if ".fc" in f".{name}" and "b4" not in name else 1
    if name.endswith(("weight", "const")):
        return np.float32(mapped * x)
    if name.endswith("noise_strength"):
        return np.float32(0.2 * x)
    return np.float32(0.1 * mapped * x + name.endswith("affine.bias"))


def generator(size=32, classes=0, channels=3, **how):
    """Create a small generator of StyleGAN2 with random weights.

    Args:
      size: height and width of the images.
      classes: number of classes; 0 for an unconditional generator.
      channels: number of channels of the images.
      **how: further arguments of ``Synthesis``.

    Returns:
      The mapping network, the synthesis network, the variables of both, and their state dict under official names.
    """
    synthesis = networks.Synthesis((size, size), channels, 1024, 32, **how)
    mapping = networks.Mapping(synthesis.num_ws, 16, 2, classes, w_avg_beta=0.995)
    label = (np.zeros(4, np.int32),) if classes else ()
    init = functools.partial(mapping.init, train=False)
    like = {
        "mapping": jax.eval_shape(init, jax.random.key(0), np.zeros((4, 16), np.float32), *label),
        "synthesis": jax.eval_shape(synthesis.init, jax.random.key(0), np.zeros((4, synthesis.num_ws, 16), np.float32)),
    }
    arrays = {name: styled(name, shape) for name, shape in stylegan2.shapes(like).items()}
    return mapping, synthesis, stylegan2.to_variables(arrays, like), arrays


def direction(arrays):
    """Return the norm of a gradient, and its inner product with noise.

    Args:
      arrays: the arrays of the gradient under official names. The noise depends on the names and shapes.
    """
    norm = np.sqrt(sum(np.square(x.astype(np.float64)).sum() for x in arrays.values()))
    return norm, sum((x * styled(f"direction.{name}", x.shape).astype(np.float64)).sum() for name, x in arrays.items())


def image(*shape):
    """Return a random image of this shape with values in [-1, 1]."""
    return np.random.RandomState(1).uniform(-1, 1, shape).astype(np.float32)


def shapes(module, *inputs):
    """Return the shapes of a module's variables."""
    return jax.eval_shape(functools.partial(module.init, train=True), jax.random.key(0), *inputs)


def variables(module, *inputs, **layout):
    """Return random variables of a module of pix2pix or CycleGAN, which are converted from a state dict."""
    like = shapes(module, *inputs)
    arrays = {name: drawn(name, shape) for name, shape in pix2pix.shapes(like, **layout).items()}
    return pix2pix.to_variables(arrays, like)


def names_checksum(shapes):
    """Return a checksum of the names and shapes of a state dict."""
    return zlib.crc32("\n".join(sorted(f"{name} {tuple(shape)}" for name, shape in shapes.items())).encode())


def trained(module, variables, *inputs):
    """Compute a module's output in training mode, and the gradient of the output's inner product with noise.

    Returns:
      The output, and the norm of the gradient over all parameters.
    """

    def product(params):
        y = module.apply({**variables, "params": params}, *inputs, train=True, mutable=["batch_stats"])[0]
        weights = np.random.RandomState(2).normal(size=y.shape).astype(np.float32)
        return (y * weights).sum(), y

    (_, y), grads = jax.jit(jax.value_and_grad(product, has_aux=True))(variables["params"])
    return y, np.sqrt(sum(float(np.square(g).sum()) for g in jax.tree.leaves(grads)))


def at_test(module, variables, *inputs):
    """Compute a module's output in evaluation mode."""
    return jax.jit(functools.partial(module.apply, train=False))(variables, *inputs)


def agrees(y, figures):
    """Assert that an output agrees with the output of the official code.

    Args:
      y: the output.
      figures: five numbers from the official code's output: the first three elements, the mean and the mean square.
    """
    numbers = np.asarray(y).reshape(-1)
    found = [*numbers[:3], numbers.mean(), np.square(numbers.astype(np.float64)).mean()]
    np.testing.assert_allclose(found, figures, rtol=1e-4, atol=2e-5)
