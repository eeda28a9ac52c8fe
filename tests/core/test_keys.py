"""Tests of random keys per example, and of the latents and labels that are drawn from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxgan
from jaxgan.core import axis
from jaxgan.core.keys import (
    batch_key,
    class_labels,
    example_keys,
    fold_in_keys,
    keys_of,
    latents,
    sample_keys,
    truncated_latents,
    uniform_latents,
)

KEYS = sample_keys(0, 256)
DRAWS = {
    "normal": latents,
    "uniform": uniform_latents,
    "truncated": lambda keys, size: truncated_latents(keys, size, 0.7),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_latents_do_not_depend_on_their_batch(draw):
    z = draw(KEYS[:8], 5)
    assert (z.shape, z.dtype) == ((8, 5), jnp.float32)
    np.testing.assert_array_equal(draw(KEYS[2:5], 5), z[2:5])
    np.testing.assert_array_equal(draw(KEYS[:8][::-1], 5), z[::-1])
    assert len(np.unique(z)) == 40


def test_latents_have_their_distributions():
    """A Kolmogorov-Smirnov test on 16,384 numbers must not reject the distribution at a p-value of 1e-3."""
    expected = {
        "normal": scipy.stats.norm(),
        "uniform": scipy.stats.uniform(-1, 2),
        "truncated": scipy.stats.truncnorm(-0.7, 0.7),
    }
    for name, distribution in expected.items():
        z = np.asarray(DRAWS[name](KEYS, 64)).ravel()
        assert scipy.stats.kstest(z, distribution.cdf).pvalue > 1e-3, name
    z = np.asarray(uniform_latents(KEYS, 64, low=2.0, high=3.0))
    assert 2 <= z.min() < 2.01 < 2.99 < z.max() < 3


@pytest.mark.parametrize("threshold", [0.1, 1.0, 2.5])
def test_truncated_latents_fill_the_interval_up_to_the_threshold(threshold):
    z = np.abs(truncated_latents(KEYS, 64, threshold))
    assert 0.9 * threshold < z.max() <= threshold


@pytest.mark.parametrize("threshold", [0.0, -1.0])
def test_a_threshold_that_is_not_positive_is_refused(threshold):
    with pytest.raises(ValueError, match="`threshold` must be above 0"):
        truncated_latents(KEYS, 2, threshold)


def test_every_sample_has_its_own_key():
    data = jax.random.key_data(sample_keys(7, 10))
    np.testing.assert_array_equal(jax.random.key_data(sample_keys(7, 3, start=4)), data[4:7])
    assert len(np.unique(data, axis=0)) == 10
    others = jax.random.key_data(sample_keys(8, 10))
    assert len(np.unique(np.concatenate([data, others]), axis=0)) == 20


def test_keys_of_indices_agree_with_keys_of_a_range():
    data = jax.random.key_data(sample_keys(7, 10))
    np.testing.assert_array_equal(jax.random.key_data(keys_of(7, np.array([9, 2]))), data[np.array([9, 2])])


def test_folding_in_different_numbers_gives_different_keys():
    folds = [jax.random.key_data(fold_in_keys(KEYS[:8], n)) for n in (1, 2)]
    np.testing.assert_array_equal(jax.random.key_data(fold_in_keys(KEYS[:8])), folds[0])
    assert len(np.unique(np.concatenate([jax.random.key_data(KEYS[:8]), *folds]), axis=0)) == 24
    expected = jax.random.key_data(jax.random.fold_in(KEYS[3], 2))
    np.testing.assert_array_equal(folds[1][3], expected)
    assert jaxgan.fold_in_keys is fold_in_keys


def test_more_latents_begin_with_the_same_ones():
    z = latents(KEYS[:4], 6, times=3)
    assert z.shape == (12, 6)
    np.testing.assert_array_equal(z[:4], latents(KEYS[:4], 6))
    np.testing.assert_array_equal(z[8:], latents(fold_in_keys(KEYS[:4], 3), 6))
    assert len(np.unique(z)) == 72


def test_keys_of_examples_do_not_depend_on_the_number_of_devices():
    key, batch = jax.random.key(5), {"image": jnp.zeros((8, 2))}

    def data(batch):
        return jax.random.key_data(example_keys(key, batch))

    whole = data(batch)
    assert len(np.unique(whole, axis=0)) == 8
    parts = jax.pmap(data, axis.NAME, devices=jax.devices()[:4])({"image": jnp.zeros((4, 2, 2))})
    np.testing.assert_array_equal(parts.reshape(whole.shape), whole)


def test_labels_cycle_through_all_classes_or_are_one_class():
    classes = ("cat", "dog", "owl")
    assert class_labels(4, classes).tolist() == [0, 1, 2, 0]
    assert class_labels(2, classes, 2).tolist() == [2, 2]
    assert class_labels(2, classes, "dog").tolist() == [1, 1]
    assert class_labels(2, ()).tolist() == [0, 0] and class_labels(2, ()).dtype == np.int32
    for label in (-1, 3):
        with pytest.raises(
            ValueError, match=r"`label` must be between 0 and 2, or the name of a class \(cat, dog, owl\), got"
        ):
            class_labels(1, classes, label)
    with pytest.raises(ValueError, match="`label` is 0, but this model has no classes"):
        class_labels(1, (), 0)
    with pytest.raises(ValueError, match="`count` must be at least 1, got 0"):
        class_labels(0, classes)
    with pytest.raises(ValueError, match="`count` must be below 2147483648, got 9223372036854775808"):
        class_labels(2**63, classes)


def test_split_keys_are_different_and_derived_from_each_examples_key():
    first, second = jaxgan.split_keys(KEYS[:8])
    expected = jax.random.key_data(jax.random.split(KEYS[3], 2))
    np.testing.assert_array_equal(jax.random.key_data(jnp.stack([first[3], second[3]])), expected)
    assert len(np.unique(jax.random.key_data(jaxgan.split_keys(KEYS[:8], 3)).reshape(24, -1), axis=0)) == 24


def test_the_key_of_a_batch_differs_from_the_keys_of_its_examples():
    key = batch_key(KEYS)
    assert key.shape == ()
    assert (batch_key(KEYS[:1]) == key) and (batch_key(KEYS[1:]) != key)
    own = jnp.stack([KEYS[0], *(fold_in_keys(KEYS[:1], n)[0] for n in range(100))])
    assert (own != key).all()


@pytest.mark.parametrize("function", [fold_in_keys, jaxgan.split_keys, *DRAWS.values()])
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (8, r"`keys` must be an array of random keys, \[B\], .*, got 8\. Create them with jaxgan\.sample_keys"),
        (np.zeros(8, np.float32), "`keys` must be .*, got an array of float32"),
        (jax.random.key(0), r"`keys` must be .*, with one key per example, got a single key\. Create them with"),
        (jax.random.PRNGKey(0), "`keys` must be .*, got a single key"),
        (jax.random.split(jax.random.key(0), (2, 3)), r"`keys` must be .*, got an array of shape \[2, 3\]"),
    ],
)
def test_arguments_that_are_no_keys_of_examples_are_refused(function, keys, message):
    call = function if function in (fold_in_keys, jaxgan.split_keys) else lambda keys: function(keys, 4)
    with pytest.raises((TypeError, ValueError), match=message):
        call(keys)


def test_traced_keys_and_raw_keys_are_accepted():
    keys = jax.random.split(jax.random.key(0), (2, 3))
    assert jax.jit(jax.vmap(lambda k: latents(k, 4, times=2)))(keys).shape == (2, 6, 4)
    raw = jax.random.split(jax.random.PRNGKey(0), 3)
    np.testing.assert_array_equal(latents(raw, 4), latents(jax.random.wrap_key_data(raw), 4))
