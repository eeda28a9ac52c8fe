"""Tests of losses with inputs of wrong types or numbers of keys, which would otherwise be computed without an error."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses, sample_keys
from jaxgan.augment import ada, diffaugment
from jaxgan.core.keys import check_key_count
from jaxgan.core.numbers import require_floats

BYTES = jnp.full((2, 8, 8, 3), 10, jnp.uint8)
IMAGES = jnp.zeros((4, 8, 8, 3))
STYLES = jnp.zeros((4, 2, 3))


def d(x):
    return x.reshape(len(x), -1).sum(1)


@pytest.mark.parametrize(
    "loss",
    [
        lambda: losses.l1(BYTES, BYTES + 10),  # 246 without the check, because 10 - 20 wraps around
        lambda: losses.l2(BYTES, BYTES),
        lambda: losses.multiscale_l1(BYTES, BYTES),
        lambda: losses.binary_cross_entropy(BYTES, BYTES),
        lambda: losses.gaussian_kl(BYTES, BYTES),
        lambda: losses.r1(d, BYTES),
        lambda: losses.gradient_penalty(d, BYTES, BYTES, sample_keys(0, 2)),
        lambda: losses.hinge_discriminator(jnp.arange(2), jnp.arange(2)),
        lambda: losses.wasserstein_discriminator(jnp.zeros(2, jnp.uint8), jnp.ones(2, jnp.uint8)),
        lambda: losses.hinge_generator(jnp.array([True, False])),
        lambda: losses.discriminator_metrics([1.0], [2.0]),
        lambda: require_floats(x=np.zeros(2, complex)),
    ],
)
def test_inputs_without_floating_point_numbers_are_refused(loss):
    with pytest.raises(TypeError, match="must be an array of floating-point numbers, got "):
        loss()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "function",
    [
        lambda keys: losses.gradient_penalty(d, IMAGES, IMAGES, keys),
        lambda keys: losses.dragan(d, IMAGES, keys, 0.1),
        lambda keys: losses.path_lengths(lambda ws: IMAGES, STYLES, keys),
        lambda keys: ada(keys, IMAGES, 0.5),
        lambda keys: diffaugment(keys, IMAGES),
        lambda keys: check_key_count(keys, 4),
    ],
)
def test_another_number_of_keys_than_examples_is_refused(function, count):
    """A single key would be broadcast, so all examples would have the same random numbers."""
    with pytest.raises(ValueError, match=f"`keys` must have one random key per example, got {count} keys for 4"):
        function(sample_keys(0, count))
