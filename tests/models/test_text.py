"""Tests of the character-level networks: the sizes of the paper, the blocks by hand, and Gumbel-softmax samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.models import text

SMALL = {"length": 4, "characters": 3, "channels": 5, "num_blocks": 1}


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def test_the_networks_have_the_sizes_of_the_official_code():
    """Layers of gan_language.py with DIM 512, SEQ_LEN 32, 128 latents, and a vocabulary of 60 characters."""
    length, width, vocabulary = 32, 512, 60
    blocks = 5 * 2 * (5 * width * width + width)
    generator = jax.eval_shape(text.Generator(length, vocabulary).init, jax.random.key(0), jnp.zeros((1, 128)))
    assert count(generator) == (128 + 1) * length * width + blocks + (width + 1) * vocabulary
    critic = jax.eval_shape(text.Critic().init, jax.random.key(0), jnp.zeros((1, length, vocabulary)))
    assert count(critic) == (vocabulary + 1) * width + blocks + length * width + 1


def test_a_block_adds_three_tenths_of_two_convolutions():
    """The convolutions of width 5 are computed in NumPy, with zeros beyond both ends."""
    net = text.Critic(5, 1)
    x = jax.random.normal(jax.random.key(1), (2, 4, 3))
    params = jax.tree.map(lambda w: w + 0.1, net.init(jax.random.key(0), x)["params"])

    def convolve(y, layer):
        padded = np.pad(np.maximum(y, 0), ((0, 0), (2, 2), (0, 0)))
        taps = [padded[:, i : i + 4] @ np.asarray(layer["kernel"][i]) for i in range(5)]
        return sum(taps) + np.asarray(layer["bias"])

    h = np.asarray(x) @ np.asarray(params["characters"]["kernel"]) + 0.1
    h = h + 0.3 * convolve(convolve(h, params["conv_0_0"]), params["conv_0_1"])
    expected = h.reshape(2, -1) @ np.asarray(params["value"]["kernel"]) + 0.1
    np.testing.assert_allclose(net.apply({"params": params}, x), expected[:, 0], rtol=1e-5)


@pytest.mark.parametrize("gumbel", [False, True])
def test_rows_are_distributions(gumbel):
    net = text.Generator(**SMALL, gumbel=gumbel)
    z = jax.random.normal(jax.random.key(1), (6, 7 + 12 * gumbel))
    params = net.init(jax.random.key(0), z)
    assert params["params"]["linear"]["kernel"].shape == (7, 4 * 5)
    rows = net.apply(params, z)
    assert rows.shape == (6, 4, 3) and rows.dtype == jnp.float32 and rows.min() >= 0
    np.testing.assert_allclose(rows.sum(-1), 1, rtol=1e-6)


def test_characters_of_gumbel_samples_have_the_probabilities_of_the_softmax():
    soft, gumbel = text.Generator(**SMALL), text.Generator(**SMALL, gumbel=True)
    z = jax.random.normal(jax.random.key(1), (1, 7))
    params = jax.tree.map(lambda w: 2 * w, soft.init(jax.random.key(0), z))
    expected = soft.apply(params, z)[0]
    noise = jax.random.normal(jax.random.key(2), (20_000, 12))
    drawn = gumbel.apply(params, jnp.concatenate([jnp.repeat(z, len(noise), 0), noise], 1)).argmax(-1)
    frequencies = jax.nn.one_hot(drawn, 3).mean(0)
    assert jnp.ptp(expected) > 0.2
    np.testing.assert_allclose(frequencies, expected, atol=0.015)


def test_gumbel_noise_is_finite_for_all_normals_that_float32_draws():
    noise = text._gumbel_noise(jnp.array([-8.0, -5.5, 0.0, 5.5, 8.0]))
    assert jnp.isfinite(noise).all() and (jnp.diff(noise) > 0).all()
    np.testing.assert_allclose(noise[2], -np.log(np.log(2)), rtol=1e-6)
    np.testing.assert_allclose(noise[3], -np.log(1.8989562e-08), rtol=1e-4)  # 1 - Phi(5.5)


def test_a_lower_temperature_is_closer_to_one_hot_and_straight_through_is_one_hot():
    net = text.Generator(**SMALL, gumbel=True)
    z = jax.random.normal(jax.random.key(1), (8, 19))
    params = net.init(jax.random.key(0), z)
    warm, cold = (net.apply(params, z, t) for t in (1.0, 0.1))
    np.testing.assert_array_equal(warm.argmax(-1), cold.argmax(-1))
    assert cold.max(-1).mean() > warm.max(-1).mean()
    through = text.Generator(**SMALL, gumbel=True, straight_through=True)
    weights = jax.random.normal(jax.random.key(2), (8, 4, 3))

    def grad(net):
        return jax.grad(lambda params: (net.apply(params, z, 0.5) * weights).sum())(params)

    hard = through.apply(params, z, 0.5)
    np.testing.assert_allclose(hard, jax.nn.one_hot(warm.argmax(-1), 3), atol=1e-6)
    for ours, soft in zip(jax.tree.leaves(grad(through)), jax.tree.leaves(grad(net))):
        np.testing.assert_allclose(ours, soft, rtol=1e-5, atol=1e-7)
