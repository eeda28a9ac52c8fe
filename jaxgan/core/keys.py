"""Create random keys, one for each example, and draw latents from them.

Because each example has its own key, random draws depend neither on the batch size nor on the number of devices.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxgan.core import axis
from jaxgan.core.classes import find_class
from jaxgan.core.numbers import check_above


def latents(keys: jax.Array, size: int, times: int = 1) -> jax.Array:
    """Draw latents from the standard normal distribution, each from the key of its own example.

    >>> latents(sample_keys(0, 4), 100).shape
    (4, 100)

    Args:
      keys: random keys, [B].
      size: the number of dimensions of a latent.
      times: the number of latents to draw from each key. The first B latents are the same for any ``times``. The batch
        of the generator can therefore be larger than the batch of the discriminator, and begin with the same latents.

    Returns:
      The latents, [times * B, size].

    Raises:
      TypeError: if ``keys`` is not an array of random keys.
      ValueError: if ``keys`` is a single key, or has several axes.
    """
    _check_keys(keys)
    more = [fold_in_keys(keys, n) for n in range(2, times + 1)]
    return jax.vmap(lambda key: jax.random.normal(key, (size,)))(jnp.concatenate([keys, *more]))


def fold_in_keys(keys: jax.Array, n: int = 1) -> jax.Array:
    """Derive [B] new keys from [B] keys and the number ``n``.

    A loss uses ``fold_in_keys(keys)`` to draw random numbers a second time. For each further draw, use another number,
    such as ``fold_in_keys(keys, 2)``.

    Args:
      keys: random keys, [B].
      n: the number of the draw, a non-negative integer. Different numbers return independent keys.

    Raises:
      TypeError, ValueError: if ``keys`` is not an array of [B] random keys, as in ``latents``.
    """
    _check_keys(keys)
    return jax.vmap(jax.random.fold_in, (0, None))(keys, n)


def split_keys(keys: jax.Array, count: int = 2) -> jax.Array:
    """Split [B] keys into [count, B] new keys, for a loss that draws several independent random quantities.

    For example, ``z_keys, label_keys = split_keys(keys)``.

    >>> split_keys(sample_keys(0, 4), 3).shape
    (3, 4)

    Args:
      keys: random keys, [B].
      count: the number of new keys to create from each key.

    Raises:
      TypeError, ValueError: if ``keys`` is not an array of [B] random keys, as in ``latents``.
    """
    _check_keys(keys)
    return jax.vmap(lambda key: jax.random.split(key, count), out_axes=1)(keys)


def example_keys(key: jax.Array, batch: Any) -> jax.Array:
    """Create [B] keys for the examples of a batch. Each key depends on the example's position in the global batch.

    Random draws from these keys do not depend on the number of devices that share the batch.

    Args:
      key: a single typed random key, the same on all devices.
      batch: the examples of this device, a pytree of arrays [B, ...].
    """
    size = jax.tree.leaves(batch)[0].shape[0]
    places = axis.index() * size + jnp.arange(size)
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, places)


def batch_key(keys: jax.Array) -> jax.Array:
    """Derive one key from the first of [B] keys, for a network that draws random numbers for its complete batch.

    The constant in the code makes the result different from the keys that ``fold_in_keys`` or the layers of
    ``jaxgan.nn`` derive from the same keys. The devices that share a batch have different keys.

    Args:
      keys: random keys, [B].
    """
    return jax.random.fold_in(keys[0], 0x62617463)


def uniform_latents(keys: jax.Array, size: int, low: float = -1.0, high: float = 1.0) -> jax.Array:
    """Draw latents [B, size] from the uniform distribution over [low, high).

    Args:
      keys: random keys, [B].
      size: the number of dimensions of a latent.
      low: the lower end of the interval.
      high: the upper end of the interval, which is never drawn.

    Raises:
      TypeError, ValueError: if ``keys`` is not an array of [B] random keys, as in ``latents``.
    """
    _check_keys(keys)
    return jax.vmap(lambda key: jax.random.uniform(key, (size,), minval=low, maxval=high))(keys)


def truncated_latents(keys: jax.Array, size: int, threshold: float) -> jax.Array:
    """Draw latents [B, size] from the standard normal distribution truncated to [-threshold, threshold].

    A smaller threshold increases the quality of samples and reduces their variety (Brock et al. 2019, section 3.1).

    Args:
      keys: random keys, [B].
      size: the number of dimensions of a latent.
      threshold: the largest absolute value of a dimension, above 0.

    Raises:
      TypeError: if ``keys`` is not an array of random keys.
      ValueError: if ``threshold`` is not positive, or ``keys`` is a single key or has several axes.
    """
    _check_keys(keys)
    check_above("threshold", threshold, 0)

    def draw(key):
        return jax.random.truncated_normal(key, -threshold, threshold, (size,))

    return jax.vmap(draw)(keys)


def sample_keys(seed: int, count: int, start: int = 0) -> jax.Array:
    """Create the [count] keys of the samples with the indices ``start``, ``start + 1``, ...; see ``keys_of``.

    Args:
      seed: the seed of all samples, from 0 to 4294967295.
      count: the number of keys.
      start: the index of the first sample.
    """
    return keys_of(seed, jnp.arange(start, start + count))


def keys_of(seed: int | jax.Array, indices: ArrayLike) -> jax.Array:
    """Create the keys of the samples with the given indices.

    The key of a sample depends only on its index and ``seed``, so the sample is the same in any batch.

    Args:
      seed: the seed of all samples, from 0 to 4294967295.
      indices: the indices of the samples, [N] integers.

    Returns:
      The keys, [N].
    """
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), jnp.asarray(indices))


def _check_keys(keys: Any) -> None:
    """Raise an error unless ``keys`` are [B] keys. Typed keys and raw keys, [B, n] uint32, are accepted."""
    fix = "Create them with jaxgan.sample_keys(seed, count). In a loss, use the third argument."
    dtype = getattr(keys, "dtype", None)
    typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)
    if not typed and dtype != jnp.uint32:
        got = f"an array of {dtype}" if dtype is not None else repr(keys)
        raise TypeError(f"`keys` must be an array of random keys, [B], with one key per example, got {got}. {fix}")
    ndim = keys.ndim if typed else keys.ndim - 1
    if ndim != 1:
        got = "a single key" if ndim == 0 else f"an array of shape {list(keys.shape)}"
        raise ValueError(f"`keys` must be an array of random keys, [B], with one key per example, got {got}. {fix}")


def check_key_count(keys: Any, count: int) -> None:
    """Raise an error unless ``keys`` are ``count`` keys. A single key would be used for all examples without an error.

    Args:
      keys: random keys, [count].
      count: the number of examples.
    """
    _check_keys(keys)
    if len(keys) != count:
        raise ValueError(f"`keys` must have one random key per example, got {len(keys)} keys for {count} examples.")


def class_labels(count: int, classes: tuple[str, ...], label: int | str | None = None) -> np.ndarray:
    """Return the classes of ``count`` samples as class numbers, int32 [count].

    >>> class_labels(5, ("cat", "dog")).tolist()
    [0, 1, 0, 1, 0]

    Args:
      count: the number of samples, from 1 to 2**31 - 1.
      classes: the names of the classes. If there are none, all class numbers are 0.
      label: the class of all samples, its number or its name; see ``find_class``. By default, the samples cycle through
        all classes.

    Raises:
      ValueError: if ``count`` is out of its range, or ``label`` is not a class.
    """
    if not 1 <= count < 2**31:
        raise ValueError(f"`count` must be {'at least 1' if count < 1 else f'below {2**31}'}, got {count}.")
    if label is None:
        return np.arange(count, dtype=np.int32) % max(1, len(classes))
    if not classes:
        raise ValueError(f"`label` is {label}, but this model has no classes.")
    return np.full(count, find_class(classes, label), np.int32)
