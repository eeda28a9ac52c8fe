"""Random keys, one for each example, and the latents that are drawn from them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


def latents(keys: jax.Array, size: int, times: int = 1) -> jax.Array:
    """[times * B, size] standard normal latents; keys [B], each example's draws from its own key alone.

    The first B are what they are for any ``times``: a generator's batch may be larger than the discriminator's.
    """
    more = [fold_in_keys(keys, n) for n in range(2, times + 1)]
    return jax.vmap(lambda key: jax.random.normal(key, (size,)))(jnp.concatenate([keys, *more]))


def fold_in_keys(keys: jax.Array, n: int = 1) -> jax.Array:
    """[B] keys made from ``keys``, [B]: for what is drawn of each example a second time, or an n-th."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys, n)


def uniform_latents(keys: jax.Array, size: int, low: float = -1.0, high: float = 1.0) -> jax.Array:
    """[B, size] latents uniform in [low, high)."""
    return jax.vmap(lambda key: jax.random.uniform(key, (size,), minval=low, maxval=high))(keys)


def truncated_latents(keys: jax.Array, size: int, threshold: float) -> jax.Array:
    """[B, size] normal latents within +-threshold: better samples for less variety (Brock et al. 2019, 3.1)."""
    if threshold <= 0:
        raise ValueError(f"threshold {threshold}: latents are cut at +-threshold, which is above 0")
    draw = lambda key: jax.random.truncated_normal(key, -threshold, threshold, (size,))  # noqa: E731
    return jax.vmap(draw)(keys)


def sample_keys(seed: int, count: int, start: int = 0) -> jax.Array:
    """[count] keys of samples ``start``, ``start + 1``, ..., see ``keys_of``."""
    return keys_of(seed, jnp.arange(start, start + count))


def keys_of(seed: int | jax.Array, indices: ArrayLike) -> jax.Array:
    """A key for each sample: sample i of a seed is the same in any batch."""
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), jnp.asarray(indices))


def class_labels(count: int, classes: tuple[str, ...], label: int | None = None) -> np.ndarray:
    """[count] numbers of the classes that samples are asked for: all in turn, or one; 0 where there are none.

    Raises:
      ValueError: there is no such class, or nothing is asked for.
    """
    if count < 1:
        raise ValueError(f"--count {count}: at least 1")
    if label is not None and not 0 <= label < len(classes):
        known = f"want 0 to {len(classes) - 1}, for {', '.join(classes)}" if classes else "this model has no classes"
        raise ValueError(f"--label {label}: {known}")
    return np.arange(count, dtype=np.int32) % max(1, len(classes)) if label is None else np.full(count, label, np.int32)
