"""Counts of floating-point operations, and the fused residual blocks that the benchmarks time."""

import typing

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmarks import flops
from experiments.benchmarks.games import CASES, Case, Name, build
from jaxgan.models import resnet


def test_operations_of_a_multi_layer_perceptron():
    g, d = 2 * 100 * (100 * 256 + 256 * 784), 2 * 100 * (784 * 128 + 128)
    discriminators = g + 2 * d + 2 * d + 2 * 2 * 100 * 128
    generators = d + d + g + 2 * 100 * 256 * 784
    assert flops.step(CASES["mlp"]) == discriminators + generators


def test_operations_of_dcgans_discriminator():
    d = 2 * 64 * 16 * (16**2 * 3 * 64 + 8**2 * 64 * 128 + 4**2 * 128 * 256) + 2 * 64 * 4096
    images = jax.ShapeDtypeStruct((64, 32, 32, 3), jnp.float32)
    assert flops.forward(CASES["dcgan32"].networks()[1], images) == (d, 2 * 64 * 16 * 16**2 * 3 * 64)


def test_largest_convolution():
    """If two convolutions need the same number of operations, the first is returned."""
    assert flops.largest_convolution(CASES["dcgan32"]) == ((64, 16, 16, 64), 4, 2, 128)
    assert flops.largest_convolution(CASES["mlp"]) is None


def test_every_case_has_a_name():
    assert set(typing.get_args(Name)) == CASES.keys()
    assert all(isinstance(case, Case) for case in CASES.values())


@pytest.mark.integration
@pytest.mark.parametrize("name", ["mlp", "toy"])
def test_a_benchmark_game_trains(name):
    game = build(CASES[name])
    batch = jnp.zeros((game.batch_multiple * 8, *CASES[name].shape))
    _, metrics = jax.jit(game.step)(game.init(jax.random.key(0)), batch)
    assert all(np.isfinite(float(value)) for value in metrics.values())


def test_up_conv_equals_nearest_neighbour_upsampling_and_convolution():
    x = jnp.array(np.random.default_rng(0).normal(size=(2, 8, 8, 3)), jnp.float32)
    layer = resnet.UpConv(5)
    variables = layer.init(jax.random.key(0), x)
    expected = nn.Conv(5, (3, 3), padding="SAME").apply(variables, x.repeat(2, 1).repeat(2, 2))
    np.testing.assert_allclose(layer.apply(variables, x), expected, atol=1e-5)


def test_down_conv_equals_convolution_and_average_pooling():
    x = jnp.array(np.random.default_rng(0).normal(size=(2, 8, 8, 3)), jnp.float32)
    layer = resnet.DownConv(5)
    variables = layer.init(jax.random.key(0), x)
    expected = nn.avg_pool(nn.Conv(5, (3, 3), padding="SAME").apply(variables, x), (2, 2), (2, 2))
    np.testing.assert_allclose(layer.apply(variables, x), expected, atol=1e-5)
