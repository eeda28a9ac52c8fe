"""A pool of past generated images, some of which the discriminator sees again: Shrivastava et al. 2017."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis

_SWAP = 0x9001  # folded into the keys


class ImagePool(nn.Module):
    """A network without parameters, owned by no player, whose state is the pool.

        nets={..., "pool": Net(ImagePool(50), image)}
        shown, stats = nets.pool.with_stats(fakes, keys)   # in the discriminator's loss, once a turn
        total(..., stats={"pool": stats})

    The idea is that of 1612.07828, the rule that of CycleGAN's authors (1703.10593). Images pass through the pool one
    by one. While the pool is not full, an image is stored and returned. Later, by its own key, either it is returned,
    or a stored image is returned and it takes that image's place. The images of all devices pass in the order of the
    batch through one pool, the same on each device, so the number of devices makes no difference.

    All micro-batches of ``gradients.accumulate`` begin with the same pool, and that of the last one is kept.

    Attributes:
      size: the number of images in the pool; with 0 every image is returned as it is.
    """

    size: int = 50

    @nn.compact
    def __call__(self, images: jax.Array, keys: jax.Array | None = None) -> jax.Array:
        """The images to show instead of ``images``, [B, ...], by keys, [B]. They are stored if the state is mutable."""
        kept = self.variable("pool", "images", jnp.zeros, (self.size, *images.shape[1:]), images.dtype)
        count = self.variable("pool", "count", jnp.zeros, (), jnp.int32)
        if self.is_initializing() or not self.size:
            return images
        if keys is None:
            raise ValueError("ImagePool: `keys` must be given, one for each image: pool(images, keys)")
        gathered, swaps, places = axis.gather((images, *jax.vmap(self._draw)(keys)))

        def pass_through(state, coming):
            kept, count = state
            image, swap, place = coming
            is_full = count == self.size
            place = jnp.where(is_full, place, count)
            shown = jnp.where(is_full & swap, kept[place], image)
            kept = kept.at[place].set(jnp.where(is_full & ~swap, kept[place], image))
            return (kept, jnp.minimum(count + 1, self.size)), shown

        state = kept.value, count.value
        (images_after, count_after), shown = lax.scan(pass_through, state, (gathered, swaps, places))
        if self.is_mutable_collection("pool"):
            kept.value, count.value = images_after, count_after
        return lax.dynamic_slice_in_dim(shown, axis.index() * len(images), len(images))

    def _draw(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Whether an image is swapped for a stored one, and the place of that one."""
        swap_key, place_key = jax.random.split(jax.random.fold_in(key, _SWAP))
        return jax.random.bernoulli(swap_key), jax.random.randint(place_key, (), 0, self.size)
