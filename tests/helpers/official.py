"""Weights of official networks, drawn by their official names, and what was seen of the official code's outputs."""

import functools
import zlib

import jax
import numpy as np

from jaxgan.interop import pix2pix, stylegan2
from jaxgan.models import stylegan2 as networks


def drawn(name, shape):
    """An array of a state dict, from a seed that its name gives."""
    draws = np.random.RandomState(zlib.crc32(name.encode()))
    if len(shape) == 4:
        return draws.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
    if name.endswith(("running_var", "weight")):
        return draws.uniform(0.5, 1.5, shape).astype(np.float32)
    return draws.normal(0, 0.1, shape).astype(np.float32)


def styled(name, shape):
    """``drawn`` for StyleGAN2, whose weights are normal and scaled where they are used; what begins at 0 does not here."""
    draws = np.random.RandomState(zlib.crc32(name.encode()))
    x = draws.normal(size=shape)
    mapped = 100 if ".fc" in f".{name}" and "b4" not in name else 1  # of a hundredth of the learning rate
    if name.endswith(("weight", "const")):
        return np.float32(mapped * x)
    if name.endswith("noise_strength"):
        return np.float32(0.2 * x)
    return np.float32(0.1 * mapped * x + name.endswith("affine.bias"))


def generator(size=32, classes=0, channels=3, **how):
    """StyleGAN2's mapping and synthesis in small, their variables, and the state dict of both."""
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
    """The norm of the gradient, arrays by official names, and its product with noise of these names."""
    norm = np.sqrt(sum(np.square(x.astype(np.float64)).sum() for x in arrays.values()))
    return norm, sum((x * styled(f"direction.{name}", x.shape).astype(np.float64)).sum() for name, x in arrays.items())


def image(*shape):
    return np.random.RandomState(1).uniform(-1, 1, shape).astype(np.float32)


def shapes(module, *inputs):
    return jax.eval_shape(functools.partial(module.init, train=True), jax.random.key(0), *inputs)


def variables(module, *inputs, **layout):
    """Of a module of pix2pix or CycleGAN, by way of a state dict."""
    like = shapes(module, *inputs)
    arrays = {name: drawn(name, shape) for name, shape in pix2pix.shapes(like, **layout).items()}
    return pix2pix.to_variables(arrays, like)


def names_checksum(shapes):
    return zlib.crc32("\n".join(sorted(f"{name} {tuple(shape)}" for name, shape in shapes.items())).encode())


def trained(module, variables, *inputs):
    """The output in training, and the norm of the gradient of its product with noise, over all parameters."""

    def product(params):
        y = module.apply({**variables, "params": params}, *inputs, train=True, mutable=["batch_stats"])[0]
        weights = np.random.RandomState(2).normal(size=y.shape).astype(np.float32)
        return (y * weights).sum(), y

    (_, y), grads = jax.jit(jax.value_and_grad(product, has_aux=True))(variables["params"])
    return y, np.sqrt(sum(float(np.square(g).sum()) for g in jax.tree.leaves(grads)))


def at_test(module, variables, *inputs):
    return jax.jit(functools.partial(module.apply, train=False))(variables, *inputs)


def agrees(y, figures):
    """An output with the first three numbers, the mean, and the mean square of the official code's."""
    numbers = np.asarray(y).reshape(-1)
    found = [*numbers[:3], numbers.mean(), np.square(numbers.astype(np.float64)).mean()]
    np.testing.assert_allclose(found, figures, rtol=1e-4, atol=2e-5)
