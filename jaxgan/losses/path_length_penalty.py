"""Path-length regularisation: Karras et al. 2020 (1912.04958), section 3.2."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.core import axis
from jaxgan.core.keys import fold_in_keys

_DIRECTION = 0x9A7B  # folded into the keys that draw directions


def path_lengths(synthesis: Callable[[jax.Array], jax.Array], ws: jax.Array, keys: jax.Array) -> jax.Array:
    """|| J^T y ||, [B]: how far an image moves in a random direction y per step of its styles. Equation 4.

    J is the derivative of the images with respect to the styles; y is normal, divided by the square root of the number
    of pixels. The square of the norm is the sum over w and the mean over layers, as in the official code.

    Args:
      synthesis: maps styles to images, [B, h, w, C], each from its own: ``lambda ws: nets.synthesis(ws, keys)``.
      ws: styles, [B, layers, w].
      keys: [B]; each example's direction is drawn from its own key.

    Raises:
      ValueError: styles or images have other shapes.
    """
    if ws.ndim != 3:
        raise ValueError(f"path_lengths: `ws` must be [B, layers, w], got the shape {ws.shape}.")

    def projected(ws):
        images = synthesis(ws)
        if images.ndim != 4 or len(images) != len(ws):
            raise ValueError(
                f"path_lengths: `synthesis` must map styles {ws.shape} to images [B, h, w, C], got the shape "
                f"{images.shape}."
            )
        directions = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:]))(fold_in_keys(keys, _DIRECTION))
        return (images * directions).sum() / math.sqrt(math.prod(images.shape[1:3]))

    squares = jnp.square(jax.grad(projected)(ws)).sum(2).mean(1)
    # The square root has no derivative at 0, where images do not move. Its slope there is defined as 0.
    still = squares == 0
    return jnp.where(still, 0.0, jnp.sqrt(jnp.where(still, 1.0, squares)))


def path_length_penalty(lengths: jax.Array, mean: jax.Array) -> jax.Array:
    """(|| J^T y || - a)^2, [B]: a term of the generator's loss, which the caller weights by 2. Equation 4.

    Args:
      lengths: [B]; see ``path_lengths``.
      mean: a, the moving average of the lengths, a scalar; see ``PathLengthEMA``.

    Raises:
      ValueError: the arguments have other shapes.
    """
    if lengths.ndim != 1 or jnp.shape(mean):
        raise ValueError(
            f"path_length_penalty: `lengths` must be [B] and `mean` a scalar, got {lengths.shape} and "
            f"{jnp.shape(mean)}."
        )
    return jnp.square(lengths - mean)


class PathLengthEMA(nn.Module):
    """The moving average of path lengths over all devices: a network without parameters, owned by no player.

    In every fourth step, for every second example of the batch, which are the same on any number of devices::

        nets={..., "path": Net(PathLengthEMA())}
        half, due = keys[::2], step % 4 == 0
        measure = lambda: losses.path_lengths(lambda ws: nets.synthesis(ws, half), nets.mapping(z[::2]), half)
        lengths = lax.cond(due, measure, lambda: jnp.zeros(len(half)))
        mean, path_stats = nets.path.with_stats(lengths, due)
        penalty = losses.lazy(4, step, lambda: 2 * losses.path_length_penalty(lengths, mean))
        total(path=penalty, stats={..., "path": path_stats})

    The average begins at 0. As in the official code, the gradient passes through what the newest lengths add to it.

    Attributes:
      decay: the weight of the old average, as in ``Game.ema``; the official code's ``pl_decay`` is one minus this.
    """

    decay: float = 0.99

    @nn.compact
    def __call__(self, lengths: jax.Array | None = None, due: jax.Array | bool = True) -> jax.Array:
        """The average, a scalar, after these lengths, [B], if any are given. It moves where ``due`` is true."""
        # An average over the batch: in this collection, ``gradients.accumulate`` averages it over micro-batches.
        mean = self.variable("batch_stats", "mean", lambda: jnp.float32(0))
        if lengths is None:
            return mean.value
        moved = mean.value + (1 - self.decay) * (axis.mean(lengths.mean()) - mean.value)
        moved = jnp.where(due, moved, mean.value)
        if self.is_mutable_collection("batch_stats") and not self.is_initializing():
            mean.value = moved
        return moved
