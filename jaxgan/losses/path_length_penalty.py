"""Path length regularisation of StyleGAN2's generator: Karras et al. 2020 (arXiv:1912.04958), section 3.2."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.core import axis, precision
from jaxgan.core.keys import check_key_count, fold_in_keys

_DIRECTION = 0x9A7B  # folded into PRNG keys, so that the directions are independent of other random numbers


def path_lengths(synthesis: Callable[[jax.Array], jax.Array], ws: jax.Array, keys: jax.Array) -> jax.Array:
    """Return the path lengths || J^T y || of images, [B]: Karras et al. 2020, equation 4.

    A path length measures how strongly an image changes along a random direction y when its styles change. J is the
    Jacobian of the image with respect to the styles. y is Gaussian noise of the image's shape, divided by the square
    root of the number of pixels. As in the official code, the squares are summed over the w axis and averaged over the
    layers before the square root is taken.

    Args:
      synthesis: function from styles to images, [B, h, w, C], such as ``lambda ws: nets.synthesis(ws, keys)``. Each
        image must depend only on its own styles.
      ws: styles, [B, layers, w_dim].
      keys: PRNG keys, [B]. The direction of each example is drawn from its own key.

    Raises:
      ValueError: if the styles or the images have other shapes.
    """
    if ws.ndim != 3:
        raise ValueError(f"`ws` must have the shape [B, layers, w_dim], got {ws.shape}.")

    check_key_count(keys, len(ws))

    def projected(ws):
        images = synthesis(ws)
        if images.ndim != 4 or len(images) != len(ws):
            raise ValueError(
                f"`synthesis` must map styles of shape {ws.shape} to images [B, h, w, C] with the same B, got images "
                f"of shape {images.shape}."
            )
        directions = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:]))(fold_in_keys(keys, _DIRECTION))
        return (images * directions).sum() / math.sqrt(math.prod(images.shape[1:3]))

    with precision.of_penalties():
        gradient = jax.grad(projected)(ws)
    squares = jnp.square(gradient).sum(2).mean(1)
    # The square root has no derivative at 0, where an image does not depend on its styles. Use 0 as its derivative.
    still = squares == 0
    return jnp.where(still, 0.0, jnp.sqrt(jnp.where(still, 1.0, squares)))


def path_length_penalty(lengths: jax.Array, mean: jax.Array) -> jax.Array:
    """Return the path length penalty (|| J^T y || - a)^2, [B], a term of the generator's loss.

    It is equation 4 of Karras et al. 2020. Multiply it by its weight (official: 2).

    Args:
      lengths: path lengths || J^T y ||, [B], from ``path_lengths``.
      mean: a, the moving average of the path lengths, a scalar, from ``PathLengthEMA``.

    Raises:
      ValueError: if ``lengths`` is not a vector, or ``mean`` is not a scalar.
    """
    if lengths.ndim != 1 or jnp.shape(mean):
        raise ValueError(
            f"`lengths` must have the shape [B] and `mean` must be a scalar, got the shapes {lengths.shape} and "
            f"{jnp.shape(mean)}."
        )
    return jnp.square(lengths - mean)


class PathLengthEMA(nn.Module):
    """Moving average of path lengths, the target of ``path_length_penalty``.

    It is a network without parameters. Add it to the ``nets`` of a ``Game``, and let no player own it. The average
    includes the examples of all devices. The code below computes the penalty in every fourth step (official:
    ``G_reg_interval``) for half of the batch (official: ``pl_batch_shrink``). This half consists of every second image,
    so it contains the same images on any number of devices::

        nets={..., "path": Net(PathLengthEMA())}
        def penalty():
            half = keys[::2]
            lengths = losses.path_lengths(lambda ws: nets.synthesis(ws, half), nets.mapping(z[::2]), half)
            mean, path_stats = nets.path.with_stats(lengths)
            return 2 * losses.path_length_penalty(lengths, mean), path_stats

        _, current = nets.path.with_stats()
        penalty, path_stats = losses.lazy(4, step, penalty, otherwise=current)
        total(path=penalty, stats={..., "path": path_stats})

    The average starts at 0. As in the official code, the gradient also passes through the contribution of the newest
    lengths to the average.

    Attributes:
      decay: weight of the old average in each update. The official option ``pl_decay`` is 1 minus this weight.
    """

    decay: float = 0.99

    @nn.compact
    def __call__(self, lengths: jax.Array | None = None, due: jax.Array | bool = True) -> jax.Array:
        """Return the moving average, a scalar.

        Args:
          lengths: path lengths, [B]. The average is updated with these lengths before it is returned. With None, the
            current average is returned.
          due: whether to update the average with ``lengths``, a bool or a boolean scalar, which may be a tracer.
        """
        # The moving average is updated with the mean of the path lengths over the batch. The moving average is in the
        # collection "batch_stats", because ``gradients.accumulate`` averages this collection over micro-batches.
        mean = self.variable("batch_stats", "mean", lambda: jnp.float32(0))
        if lengths is None:
            return mean.value
        moved = mean.value + (1 - self.decay) * (axis.mean(lengths.mean()) - mean.value)
        moved = jnp.where(due, moved, mean.value)
        if self.is_mutable_collection("batch_stats") and not self.is_initializing():
            mean.value = moved
        return moved
