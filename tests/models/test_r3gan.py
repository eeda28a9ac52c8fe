"""Tests of R3GAN's residual blocks. test_parity.py compares the complete networks with PyTorch."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.models import r3gan

X = np.random.default_rng(0).normal(size=(2, 5, 6, 4)).astype(np.float32)


def test_biased_activation():
    module = r3gan.BiasedActivation(4)
    np.testing.assert_array_equal(module.init(jax.random.key(0), X)["params"]["bias"], 0)
    bias = np.array([-1.0, 0.0, 1.0, 2.0], np.float32)
    y = module.apply({"params": {"bias": bias}}, X)
    np.testing.assert_allclose(y, np.where(X + bias > 0, X + bias, 0.2 * (X + bias)), rtol=1e-6)


def test_residual_block_is_initially_the_identity():
    module = r3gan.ResidualBlock(num_blocks=4, channels_per_group=2)
    y, variables = module.init_with_output(jax.random.key(0), X)
    np.testing.assert_array_equal(y, X)
    inner = 4 * r3gan.EXPANSION
    assert jax.tree.map(jnp.shape, variables["params"]) == {
        "expand": {"kernel": (1, 1, 4, inner)},
        "activation_0": {"bias": (inner,)},
        "mix": {"kernel": (inner // 2, 3, 3, 2, 2)},
        "activation_1": {"bias": (inner,)},
        "join": {"kernel": (1, 1, inner, 4)},
    }


@pytest.mark.parametrize("num_blocks", [1, 16])
def test_initial_weights_are_smaller_in_deeper_networks(num_blocks):
    """Fixup (Zhang et al. 2019) multiplies the initialisation of He et al. by L^(-1 / (2 m - 2)).

    L is the number of blocks, and m = 3 is the number of layers in a block.
    """
    module = r3gan.ResidualBlock(num_blocks, channels_per_group=64)
    params = jax.jit(module.init)(jax.random.key(0), np.zeros((1, 4, 4, 64), np.float32))["params"]
    gain = np.sqrt(2 / (1 + 0.2**2)) * num_blocks**-0.25
    assert np.std(params["expand"]["kernel"]) == pytest.approx(gain / np.sqrt(64), rel=0.05)
    assert np.std(params["mix"]["kernel"]) == pytest.approx(gain / np.sqrt(9 * 64), rel=0.05)
    assert not np.any(params["join"]["kernel"])


def test_residual_block_equals_flaxs_layers():
    """The block has a single group, so that flax's ungrouped convolution can be used."""
    module = r3gan.ResidualBlock(1, channels_per_group=8)
    params = jax.tree.map(
        lambda p: np.random.default_rng(p.size).normal(size=p.shape).astype(np.float32) / 4,
        module.init(jax.random.key(0), X)["params"],
    )

    def conv(x, name, size, bias):
        kernel = params[name]["kernel"].reshape(size, size, -1, len(bias))
        layer = nn.Conv(len(bias), (size, size))
        return layer.apply({"params": {"kernel": kernel, "bias": bias}}, x)

    y = nn.leaky_relu(conv(X, "expand", 1, params["activation_0"]["bias"]), 0.2)
    y = nn.leaky_relu(conv(y, "mix", 3, params["activation_1"]["bias"]), 0.2)
    expected = X + conv(y, "join", 1, np.zeros(4, np.float32))
    np.testing.assert_allclose(module.apply({"params": params}, X), expected, rtol=1e-4, atol=1e-4)
