"""Reconstruction losses: distances between an output and its target, one value per example.

``output`` and ``target`` have the same shape, [B, ...], and contain floating-point numbers. Every function returns [B],
and raises ``ValueError`` if the shapes differ, or ``TypeError`` if the numbers are integers.
"""

import jax
import jax.numpy as jnp
import optax

from jaxgan.core.numbers import require_floats


def l1(output: jax.Array, target: jax.Array) -> jax.Array:
    """Return the mean absolute difference over all axes but the batch axis, [B].

    Args:
      output: the output of a network, [B, ...].
      target: the desired output, an array of the same shape.

    Raises:
      ValueError: if the shapes differ, or the arrays have no batch axis.
    """
    _check(output, target)
    return jnp.abs(output - target).mean(range(1, output.ndim))


def l2(output: jax.Array, target: jax.Array) -> jax.Array:
    """Return the mean squared difference over all axes but the batch axis, [B].

    Args:
      output: the output of a network, [B, ...].
      target: the desired output, an array of the same shape.

    Raises:
      ValueError: if the shapes differ, or the arrays have no batch axis.
    """
    _check(output, target)
    return jnp.square(output - target).mean(range(1, output.ndim))


def multiscale_l1(output: jax.Array, target: jax.Array, smallest: int = 4) -> jax.Array:
    """Return the mean absolute difference between images, averaged over the levels of an image pyramid, [B].

    Each level has half the height and width of the previous level, and is computed by averaging blocks of 2 x 2 pixels.
    Coarse differences contribute at every level and fine differences only at the first levels.

    Args:
      output: images, [B, h, w, C].
      target: images of the same shape.
      smallest: the pyramid ends at the first level with a height or width of at most this number of pixels. It also
        ends at a level with an odd height or width.

    Raises:
      ValueError: if the shapes differ or are not [B, h, w, C].
    """
    _check(output, target)
    if output.ndim != 4:
        raise ValueError(f"`output` and `target` must be images [B, h, w, C], got the shape {output.shape}.")
    difference, found = output - target, []
    while True:
        found.append(jnp.abs(difference).mean((1, 2, 3)))
        b, h, w, c = difference.shape
        if min(h, w) <= smallest or h % 2 or w % 2:
            return jnp.stack(found).mean(0)
        difference = difference.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def binary_cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Return the negative log-likelihood of Bernoulli pixels in nats, [B]: Kingma and Welling 2014, appendix C.1.

    It is -target log sigma(logits) - (1 - target) log(1 - sigma(logits)), summed over all axes but the batch axis. The
    result is finite for all finite logits.

    Args:
      logits: logits of the pixels, [B, ...], unbounded.
      target: pixels, of the same shape, in [0, 1].

    Raises:
      ValueError: if the shapes differ or have no batch axis.
    """
    _check(logits, target)
    return optax.sigmoid_binary_cross_entropy(logits, target).sum(range(1, logits.ndim))


def _check(output: jax.Array, target: jax.Array) -> None:
    require_floats(output=output, target=target)
    if output.shape != target.shape or output.ndim < 1:
        raise ValueError(
            f"The output and its target must have the same shape [B, ...], got {output.shape} and {target.shape}."
        )
