"""Reconstruction losses: the distance of an output from its target, one value per example.

``output`` and ``target`` are [B, ...], of the same shape; anything else raises ``ValueError``.
"""

import jax
import jax.numpy as jnp
import optax


def l1(output: jax.Array, target: jax.Array) -> jax.Array:
    """The mean absolute difference over all axes but the batch's."""
    _check(output, target)
    return jnp.abs(output - target).mean(range(1, output.ndim))


def l2(output: jax.Array, target: jax.Array) -> jax.Array:
    """The mean squared difference over all axes but the batch's."""
    _check(output, target)
    return jnp.square(output - target).mean(range(1, output.ndim))


def multiscale_l1(output: jax.Array, target: jax.Array, smallest: int = 4) -> jax.Array:
    """The mean absolute difference of images, [B, h, w, C], averaged over an image pyramid.

    Each level averages two by two pixels of the one before, as long as both sides are even and above ``smallest``. So
    coarse differences count at every level, fine ones at the first alone.
    """
    _check(output, target)
    if output.ndim != 4:
        raise ValueError(f"multiscale_l1: images must be [B, h, w, C], got the shape {output.shape}.")
    difference, found = output - target, []
    while True:
        found.append(jnp.abs(difference).mean((1, 2, 3)))
        b, h, w, c = difference.shape
        if min(h, w) <= smallest or h % 2 or w % 2:
            return jnp.stack(found).mean(0)
        difference = difference.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def binary_cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
    """The negative log-likelihood of Bernoulli pixels, in nats (Kingma and Welling 2014, appendix C.1).

    -target log sigma(logits) - (1 - target) log(1 - sigma(logits)), summed over all axes but the batch's. It is finite
    at any finite logit.

    Args:
      logits: [B, ...], unbounded.
      target: [B, ...], in [0, 1].
    """
    _check(logits, target)
    return optax.sigmoid_binary_cross_entropy(logits, target).sum(range(1, logits.ndim))


def _check(output: jax.Array, target: jax.Array) -> None:
    if output.shape != target.shape or output.ndim < 1:
        raise ValueError(
            f"The output and its target must have the same shape, [B, ...], got {output.shape} and {target.shape}."
        )
