"""Tests of the networks for series: shapes, causality, latents of single time steps, static attributes and classes."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core.networks import Net
from jaxgan.losses import r1
from jaxgan.models.series import ConvDiscriminator, ConvGenerator, GRUDiscriminator, GRUGenerator

T, C, Z = 7, 3, 4
GENERATORS = {
    "conv": ConvGenerator(T, C, 5, 2),
    "causal": ConvGenerator(T, C, 5, 2, causal=True, step_latents=2),
    "gru": GRUGenerator(T, C, 5, step_latents=2),
}
DISCRIMINATORS = {
    "conv": ConvDiscriminator(5, 2),
    "causal": ConvDiscriminator(5, 2, causal=True),
    "gru": GRUDiscriminator(5),
}
LABELS = jnp.array([0, 1])


def draw(*shape, seed=0):
    return jnp.array(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def latents_for(network, batch=2):
    return draw(batch, Z + T * network.step_latents)


def initialise(network, *inputs):
    """Return variables in which no kernel is zero, so that every layer has an effect."""
    variables = jax.jit(network.init)(jax.random.key(0), *inputs)
    return jax.tree.map(lambda p: p + 0.3 * draw(*p.shape, seed=p.size), variables)


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_return_series_in_the_open_interval(name):
    network = GENERATORS[name]
    z = latents_for(network)
    variables = initialise(network, z)
    x = jax.jit(network.apply)(variables, z)
    assert x.shape == (2, T, C) and x.dtype == jnp.float32
    assert float(jnp.abs(x).max()) < 1 and float(jnp.abs(x[0] - x[1]).max()) > 1e-3
    half = network.clone(dtype=jnp.bfloat16).apply(variables, z)
    assert half.dtype == jnp.float32 and 0 < float(jnp.abs(half - x).max()) < 0.1


@pytest.mark.parametrize("name", ["causal", "gru"])
def test_latents_of_a_step_change_no_earlier_step(name):
    network = GENERATORS[name]
    z = latents_for(network)
    variables = initialise(network, z)
    change = network.apply(variables, z.at[:, Z + 2 * 3].add(1.0)) - network.apply(variables, z)  # of time step 3
    changed = np.abs(change).max((0, 2)) > 1e-6
    assert changed.tolist() == [False] * 3 + [True] * (T - 3)


def test_latents_of_a_step_change_earlier_steps_of_convolutions_that_are_not_causal():
    network = GENERATORS["causal"].clone(causal=False)
    z = latents_for(network)
    variables = initialise(network, z)
    change = network.apply(variables, z.at[:, Z + 2 * 3].add(1.0)) - network.apply(variables, z)
    assert float(jnp.abs(change[:, 1]).max()) > 1e-6


@pytest.mark.parametrize("name", GENERATORS)
def test_static_attributes_are_constant_channels(name):
    network = GENERATORS[name].clone(static=2)
    z = latents_for(network)
    x = np.asarray(network.apply(initialise(network, z), z))
    assert x.shape == (2, T, C)
    np.testing.assert_array_equal(x[:, :, 1:], np.broadcast_to(x[:, :1, 1:], (2, T, 2)))
    assert np.abs(x[0, 0, 1:] - x[1, 0, 1:]).min() > 1e-4 and np.abs(np.diff(x[..., 0])).min() > 1e-5


@pytest.mark.parametrize("name", GENERATORS)
def test_samples_and_logits_depend_on_the_class(name):
    generator, discriminator = GENERATORS[name].clone(classes=3), DISCRIMINATORS[name].clone(classes=3)
    z, x = jnp.tile(latents_for(generator)[:1], (2, 1)), jnp.tile(draw(1, T, C), (2, 1, 1))
    for network, inputs in ((generator, z), (discriminator, x)):
        found = jax.jit(network.apply)(initialise(network, inputs, LABELS), inputs, LABELS)
        assert float(jnp.abs(found[0] - found[1]).max()) > 1e-3


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators_return_logits_whose_penalty_trains_every_layer(name):
    """R1 needs second derivatives. A linear bias has no influence on the gradient, and no other parameter has none."""
    network, x = DISCRIMINATORS[name], draw(2, T, C)
    variables = initialise(network, x)
    assert jax.eval_shape(network.apply, variables, x) == jax.ShapeDtypeStruct((2,), jnp.float32)
    gradient = jax.jit(jax.grad(lambda v: r1(lambda x: network.apply(v, x), x).sum()))(variables)["params"]
    gradient["logit"].pop("bias")
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        is_last_bias = "joint" in jax.tree_util.keystr(path) or jax.tree_util.keystr(path).endswith("['bias']")
        assert is_last_bias or float(jnp.abs(leaf).max()) > 1e-6, path


def test_convolutional_networks_in_a_net_take_series_of_a_length_without_powers_of_two():
    net = Net(ConvDiscriminator(4, 3), jnp.zeros((1, 10, 2)))
    params = net.init(jax.random.key(0))["params"]
    assert params["logit"]["kernel"].shape == (3 * 4, 1)  # 10, 5 and 3 time steps


def test_a_block_is_initially_the_identity():
    """The generator without latents of steps is then a linear function, leaky ReLU, linear function and tanh."""
    network, z = GENERATORS["conv"], draw(2, Z)
    params = network.init(jax.random.key(0), z)["params"]
    x = (z @ params["series"]["kernel"]).reshape(2, T, 5)
    x = nn.leaky_relu(x, 0.2) @ params["output"]["kernel"]
    np.testing.assert_allclose(network.apply({"params": params}, z), np.tanh(x), atol=1e-5)


@pytest.mark.parametrize("network", [ConvGenerator, GRUGenerator])
def test_arguments_are_checked(network):
    def check(message, z=Z, label=None, **options):
        with pytest.raises(ValueError, match=re.escape(message)):
            network(T, C, 4, **options).init(jax.random.key(0), jnp.zeros((1, z)), label)

    check("`static` must be at least 0 and less than `channels`, 3, got 3", static=3)
    check("`z` must have more than 14 numbers, `steps` 7 times `step_latents` 2, got 14.", z=14, step_latents=2)
    check("A conditional network with 3 classes requires labels", classes=3)
