"""Tests of the networks of TimeGAN."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.models.timegan import Networks, RecurrentNetwork, networks
from jaxgan.nn.recurrent import GRU

X = jnp.array(np.random.default_rng(0).uniform(size=(2, 5, 3)), jnp.float32)


def test_a_network_is_a_stack_of_grus_and_a_linear_layer():
    network = RecurrentNetwork(outputs=2, units=4, num_layers=2)
    params = network.init(jax.random.key(0), X)["params"]
    states = X
    for i in range(2):
        states = GRU(4).apply({"params": params[f"gru_{i}"]}, states)
    logits = states @ params["output"]["kernel"] + params["output"]["bias"][None, None]
    np.testing.assert_allclose(network.apply({"params": params}, X), nn.sigmoid(logits), atol=1e-6)
    np.testing.assert_allclose(network.clone(sigmoid=False).apply({"params": params}, X), logits, atol=1e-6)


def test_the_five_networks_of_the_official_code():
    """24 units, three layers and two in the supervisor, and sigmoids everywhere but in the discriminator."""
    nets = networks(5)
    assert isinstance(nets, Networks)
    assert [net.outputs for net in nets] == [24, 5, 24, 24, 1]
    assert [net.num_layers for net in nets] == [3, 3, 3, 2, 3]
    assert [net.sigmoid for net in nets] == [True, True, True, True, False]
    assert {net.units for net in nets} == {24}
    assert networks(5, num_layers=1).supervisor.num_layers == 1
