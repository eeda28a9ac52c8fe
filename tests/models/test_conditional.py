"""Tests of layers and networks with class labels, and of grouped convolutions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgan.models import resnet
from jaxgan.nn.layers import Embedding, GroupedConv, one_hot_labels
from jaxgan.nn.normalization import BatchNorm

LABELS = jnp.array([0, 2, 1, 2])
KEY = jax.random.key(0)


def test_one_hot_labels():
    np.testing.assert_array_equal(one_hot_labels(LABELS, 3), np.eye(3)[np.asarray(LABELS)])
    mixture = jnp.array([[0.5, 0.5, 0.0]])
    assert one_hot_labels(mixture, 3) is mixture
    with pytest.raises(ValueError, match=r"must be integers \[B\] or class weights \[B, 3\], got float32\[4, 2\]"):
        one_hot_labels(jnp.zeros((4, 2)), 3)
    with pytest.raises(ValueError, match="conditional network with 3 classes requires labels"):
        one_hot_labels(None, 3)


def test_class_weights_interpolate_embeddings():
    layer = Embedding(3, 5)
    variables = layer.init(jax.random.key(0), LABELS)
    vectors = [layer.apply(variables, jnp.array([i])) for i in (0, 2)]
    between = layer.apply(variables, jnp.array([[0.25, 0.0, 0.75]]))
    np.testing.assert_allclose(between, 0.25 * vectors[0] + 0.75 * vectors[1], rtol=1e-5)


def test_conditional_batch_norm_has_a_scale_for_each_class():
    x = jax.random.normal(jax.random.key(1), (4, 6, 6, 2))
    norm = BatchNorm(classes=3)
    variables = norm.init(jax.random.key(0), x, True, LABELS)
    scale, bias = np.random.default_rng(0).normal(size=(2, 3, 2)).astype(np.float32)
    variables["params"].update(scale=jnp.array(scale), bias=jnp.array(bias))
    y, _ = norm.apply(variables, x, True, LABELS, mutable=["batch_stats"])
    plain = (x - x.mean((0, 1, 2))[None, None, None]) / jnp.sqrt(x.var((0, 1, 2)) + 1e-5)[None, None, None]
    expected = plain * scale[np.asarray(LABELS)][:, None, None] + bias[np.asarray(LABELS)][:, None, None]
    np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.integration
@pytest.mark.parametrize("group", [2, 4, 8])
def test_grouped_conv_equals_xlas_grouped_convolution(group):
    x = jax.random.normal(jax.random.key(0), (2, 5, 6, 8))
    layer = GroupedConv(3, group)
    variables = layer.init(jax.random.key(1), x)
    w = variables["params"]["kernel"]  # [groups, 3, 3, in, out]
    together = jnp.moveaxis(w, 0, -2).reshape(3, 3, group, 8)
    numbers = ("NHWC", "HWIO", "NHWC")
    expected = lax.conv_general_dilated(
        x, together, (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=8 // group
    )
    np.testing.assert_allclose(layer.apply(variables, x), expected, atol=1e-5)
    # LeCun's initialisation uses the fan-in of one group.
    spread = np.asarray(w).std() * np.sqrt(9 * group)
    assert 0.7 < spread < 1.3


def test_channels_per_group_must_divide_the_number_of_channels():
    with pytest.raises(ValueError, match="`channels_per_group` must divide the number of channels, 8, got 3"):
        GroupedConv(3, 3).init(jax.random.key(0), jnp.zeros((1, 4, 4, 8)))


@pytest.mark.integration
def test_samples_and_logits_depend_on_the_class():
    z, x = jnp.ones((2, 4)), jnp.ones((2, 8, 8, 1))
    g, d = resnet.Generator(8, 1, 4, classes=3), resnet.Critic(4, spectral_norm=True, sum_pool=True, classes=3)
    variables = jax.jit(functools.partial(g.init, train=False))(jax.random.key(0), z, LABELS[:2])
    variables["params"]["norm_0_0"]["scale"] = jnp.arange(12.0).reshape(3, 4)
    images = jax.jit(functools.partial(g.apply, train=False))(variables, z, LABELS[:2])
    assert np.abs(images[0] - images[1]).max() > 1e-4
    logits = jax.jit(lambda key: d.apply(d.init(key, x, LABELS[:2]), x, LABELS[:2]))(jax.random.key(1))
    assert abs(logits[0] - logits[1]) > 1e-4


@pytest.mark.parametrize("shape", [(2, 14, 14, 1), (2, 8, 6, 1), (2, 8, 8)])
def test_critic_requires_sides_that_are_multiples_of_4(shape):
    with pytest.raises(ValueError, match=r"Images must be \[B, h, w, channels\], with a height and width that are"):
        jax.eval_shape(lambda: resnet.Critic(4).init(KEY, jnp.zeros(shape)))


def test_networks_support_the_resolution_of_mnist():
    images = jax.eval_shape(
        lambda: resnet.Generator(28, 1, 4, 7).init_with_output(KEY, jnp.zeros((2, 8)), train=True)[0]
    )
    assert images.shape == (2, 28, 28, 1)
    assert jax.eval_shape(lambda: resnet.Critic(4).init_with_output(KEY, jnp.zeros(images.shape))[0]).shape == (2,)
