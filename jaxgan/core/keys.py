"""Random keys, one for each example, and the latents that are drawn from them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxgan.core import axis


def latents(keys: jax.Array, size: int, times: int = 1) -> jax.Array:
    """[times * B, size] standard normal latents from [B] keys; each example's draws depend on its own key alone.

    The first B do not depend on ``times``, so a generator's batch may be larger than the discriminator's and begin with
    the same latents.

    >>> latents(sample_keys(0, 4), 100).shape
    (4, 100)

    Raises:
      TypeError: ``keys`` are no keys.
      ValueError: ``keys`` is a single key, or has several axes.
    """
    _check_keys(keys)
    more = [fold_in_keys(keys, n) for n in range(2, times + 1)]
    return jax.vmap(lambda key: jax.random.normal(key, (size,)))(jnp.concatenate([keys, *more]))


def fold_in_keys(keys: jax.Array, n: int = 1) -> jax.Array:
    """[B] new keys, each made from one of ``keys`` [B] and ``n``.

    A loss that draws a second time uses ``fold_in_keys(keys)``, and for an n-th draw ``fold_in_keys(keys, n)``.

    Raises:
      TypeError, ValueError: ``keys`` are no [B] keys, as for ``latents``.
    """
    _check_keys(keys)
    return jax.vmap(jax.random.fold_in, (0, None))(keys, n)


def split_keys(keys: jax.Array, count: int = 2) -> jax.Array:
    """[count, B] new keys: ``count`` independent streams for a loss that draws several things.

    ``z_keys, label_keys = split_keys(keys)``

    >>> split_keys(sample_keys(0, 4), 3).shape
    (3, 4)

    Raises:
      TypeError, ValueError: ``keys`` are no [B] keys, as for ``latents``.
    """
    _check_keys(keys)
    return jax.vmap(lambda key: jax.random.split(key, count), out_axes=1)(keys)


def example_keys(key: jax.Array, batch: Any) -> jax.Array:
    """[B] keys, one for each example of a batch, from its place in the global batch.

    So draws do not depend on how many devices share the batch.
    """
    size = jax.tree.leaves(batch)[0].shape[0]
    places = axis.index() * size + jnp.arange(size)
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, places)


def batch_key(keys: jax.Array) -> jax.Array:
    """One key for a network that draws for a whole batch at once, made from the first of [B] keys.

    It is none of the keys that ``fold_in_keys`` or a layer's own number make from the same keys. Devices that share a
    batch have different ones.
    """
    return jax.random.fold_in(keys[0], 0x62617463)


def uniform_latents(keys: jax.Array, size: int, low: float = -1.0, high: float = 1.0) -> jax.Array:
    """[B, size] latents, uniform in [low, high).

    Raises:
      TypeError, ValueError: ``keys`` are no [B] keys, as for ``latents``.
    """
    _check_keys(keys)
    return jax.vmap(lambda key: jax.random.uniform(key, (size,), minval=low, maxval=high))(keys)


def truncated_latents(keys: jax.Array, size: int, threshold: float) -> jax.Array:
    """[B, size] normal latents, truncated to [-threshold, threshold].

    A smaller threshold gives samples of higher quality and less variety (Brock et al. 2019, section 3.1).

    Raises:
      TypeError: ``keys`` are no keys.
      ValueError: ``threshold`` is not positive, or ``keys`` are no [B] keys.
    """
    _check_keys(keys)
    if threshold <= 0:
        raise ValueError(f"`threshold` must be above 0, got {threshold}.")

    def draw(key):
        return jax.random.truncated_normal(key, -threshold, threshold, (size,))

    return jax.vmap(draw)(keys)


def sample_keys(seed: int, count: int, start: int = 0) -> jax.Array:
    """[count] keys of the samples ``start``, ``start + 1``, ...; see ``keys_of``."""
    return keys_of(seed, jnp.arange(start, start + count))


def keys_of(seed: int | jax.Array, indices: ArrayLike) -> jax.Array:
    """The keys of the samples with these indices. Sample i of a seed is the same in any batch."""
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), jnp.asarray(indices))


def _check_keys(keys: Any) -> None:
    """An error unless ``keys`` are [B] keys, typed or of ``jax.random.PRNGKey``, [B, n] uint32; tracers are fine."""
    mend = "jaxgan.sample_keys(seed, count) makes them, and a loss gets them as its third argument."
    dtype = getattr(keys, "dtype", None)
    typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)
    if not typed and dtype != jnp.uint32:
        got = f"an array of {dtype}" if dtype is not None else repr(keys)
        raise TypeError(f"`keys` must be [B] keys, one for each example, got {got}. {mend}")
    ndim = keys.ndim if typed else keys.ndim - 1
    if ndim != 1:
        got = "a single key" if ndim == 0 else f"an array of shape {list(keys.shape)}"
        raise ValueError(f"`keys` must be [B] keys, one for each example, got {got}. {mend}")


def class_labels(count: int, classes: tuple[str, ...], label: int | None = None) -> np.ndarray:
    """[count] class numbers for samples, int32: every class in turn, or ``label`` alone; 0 if there are no classes.

    >>> class_labels(5, ("cat", "dog")).tolist()
    [0, 1, 0, 1, 0]

    Raises:
      ValueError: ``count`` is below 1, or ``label`` is not the number of a class.
    """
    if count < 1:
        raise ValueError(f"`count` must be at least 1, got {count}.")
    if label is None:
        return np.arange(count, dtype=np.int32) % max(1, len(classes))
    if not classes:
        raise ValueError(f"`label` is {label}, but this model has no classes.")
    if not 0 <= label < len(classes):
        raise ValueError(f"`label` must be between 0 and {len(classes) - 1} ({', '.join(classes)}), got {label}.")
    return np.full(count, label, np.int32)
