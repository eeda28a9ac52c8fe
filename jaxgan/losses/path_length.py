"""Path-length regularisation: Karras et al. 2020 (1912.04958), section 3.2."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.core import axis

_DIRECTION = 0x9A7B  # of the keys that are folded in


def path_lengths(synthesis: Callable[[jax.Array], jax.Array], ws: jax.Array, keys: jax.Array) -> jax.Array:
    """|| J^T y ||, [B]: how far images go in a random direction y for a step of their styles. Equation 4.

    J is the derivative of the images by the styles, y normal and divided by the square root of the image's pixels. The
    square of the norm is the sum over w, and the mean over layers, as in the authors' code.

    Args:
      synthesis: styles to images, [B, h, w, C], each from its own: ``lambda ws: nets.synthesis(ws, keys)``.
      ws: styles, [B, layers, w].
      keys: [B]; each example's direction is drawn from its own.

    Raises:
      ValueError: styles or images are of another shape.
    """
    if ws.ndim != 3:
        raise ValueError(f"path_lengths: styles of shape {ws.shape}; want [B, layers, w]")

    def projected(ws):
        images = synthesis(ws)
        if images.ndim != 4 or len(images) != len(ws):
            raise ValueError(f"path_lengths: styles {ws.shape} give images {images.shape}; want [B, h, w, C]")
        draw = lambda key: jax.random.normal(jax.random.fold_in(key, _DIRECTION), images.shape[1:])  # noqa: E731
        return (images * jax.vmap(draw)(keys)).sum() / math.sqrt(math.prod(images.shape[1:3]))

    squares = jnp.square(jax.grad(projected)(ws)).sum(2).mean(1)
    # The square root has no derivative at 0, where images do not move: its slope there is taken as 0.
    still = squares == 0
    return jnp.where(still, 0.0, jnp.sqrt(jnp.where(still, 1.0, squares)))


def path_length(lengths: jax.Array, mean: jax.Array) -> jax.Array:
    """(|| J^T y || - a)^2, [B]: a term of the generator's loss, whose weight, 2, is the caller's. Equation 4.

    Args:
      lengths: [B]; see ``path_lengths``.
      mean: a scalar a, their moving average; see ``PathLengthEMA``.

    Raises:
      ValueError: the shapes are others.
    """
    if lengths.ndim != 1 or jnp.shape(mean):
        raise ValueError(f"path_length: lengths {lengths.shape}, mean {jnp.shape(mean)}; want [B] and a scalar")
    return jnp.square(lengths - mean)


class PathLengthEMA(nn.Module):
    """The moving average of path lengths, over all devices: a network without parameters that nobody owns.

    On every fourth step, for the half of the batch that is every second example, which is the same half on any number
    of devices::

        nets={..., "path": Net(PathLengthEMA())}
        half, due = keys[::2], step % 4 == 0
        lengths = lambda: losses.path_lengths(lambda ws: nets.synthesis(ws, half), nets.mapping(z[::2]), half)
        lengths = lax.cond(due, lengths, lambda: jnp.zeros(len(half)))
        mean, path_stats = nets.path.with_stats(lengths, due)
        penalty = losses.lazy(4, step, lambda: 2 * losses.path_length(lengths, mean))
        total(path=penalty, stats={..., "path": path_stats})

    It begins at 0, and, as in the authors' code, what the lengths add to it has a gradient.

    Attributes:
      decay: the share of the newest lengths.
    """

    decay: float = 0.01

    @nn.compact
    def __call__(self, lengths: jax.Array | None = None, due: jax.Array | bool = True) -> jax.Array:
        """The mean, a scalar, after these lengths, [B], where there are any; it moves where ``due`` is true."""
        # An average over the batch, by the name under which micro-batches' are averaged.
        mean = self.variable("batch_stats", "mean", lambda: jnp.float32(0))
        if lengths is None:
            return mean.value
        moved = mean.value + self.decay * (axis.mean(lengths.mean()) - mean.value)
        moved = jnp.where(due, moved, mean.value)
        if self.is_mutable_collection("batch_stats") and not self.is_initializing():
            mean.value = moved
        return moved
