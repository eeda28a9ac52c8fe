"""Store past generated images in a pool, and train the discriminator on some of them (Shrivastava et al. 2017)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis

_SWAP = 0x9001  # arbitrary number that is folded into the keys, so that the draws of the pool differ from other draws


class ImagePool(nn.Module):
    """A pool of past generated images, as a network without parameters that stores the images in its state.

    Add it to a game as a network that no player owns::

        nets={..., "pool": Net(ImagePool(50), image)}
        shown, stats = nets.pool.with_stats(fakes, keys)   # in the discriminator's loss, once per turn
        total(..., stats={"pool": stats})

    The pool was introduced in arXiv:1612.07828. This class follows the rule of the authors of CycleGAN
    (arXiv:1703.10593). Images pass through the pool one after the other. Until the pool is full, each image is stored
    and also returned. Afterwards, a random draw with the image's key decides between two cases: the image itself is
    returned, or a random stored image is returned and the new image replaces it in the pool. All devices have the same
    pool. The images of all devices pass through it in the order of the batch, so the result does not depend on the
    number of devices.

    With ``gradients.accumulate``, all micro-batches start with the same pool, and the pool after the last micro-batch
    is stored.

    Attributes:
      size: the number of images that the pool can store. With a size of 0, all images are returned unchanged.
    """

    size: int = 50

    @nn.compact
    def __call__(self, images: jax.Array, keys: jax.Array | None = None) -> jax.Array:
        """Return images [B, ...] for the discriminator. Some of the new images are replaced by stored images.

        The pool is updated only if the collection ``pool`` is mutable.

        Args:
          images: the new images, [B, ...].
          keys: random keys, [B], one per image.
        """
        stored = self.variable("pool", "images", jnp.zeros, (self.size, *images.shape[1:]), images.dtype)
        count = self.variable("pool", "count", jnp.zeros, (), jnp.int32)
        if self.is_initializing() or not self.size:
            return images
        if keys is None:
            raise ValueError("`keys` is required for an ImagePool, with one key per image. Call pool(images, keys).")
        gathered, swaps, places = axis.gather((images, *jax.vmap(self._draw)(keys)))

        def pass_through(state, coming):
            pool, count = state
            image, swap, place = coming
            is_full = count == self.size
            place = jnp.where(is_full, place, count)
            shown = jnp.where(is_full & swap, pool[place], image)
            pool = pool.at[place].set(jnp.where(is_full & ~swap, pool[place], image))
            return (pool, jnp.minimum(count + 1, self.size)), shown

        state = stored.value, count.value
        (images_after, count_after), shown = lax.scan(pass_through, state, (gathered, swaps, places))
        if self.is_mutable_collection("pool"):
            stored.value, count.value = images_after, count_after
        return lax.dynamic_slice_in_dim(shown, axis.index() * len(images), len(images))

    def _draw(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Draw whether an image is swapped for a stored image, and the position of the stored image."""
        swap_key, place_key = jax.random.split(jax.random.fold_in(key, _SWAP))
        return jax.random.bernoulli(swap_key), jax.random.randint(place_key, (), 0, self.size)
