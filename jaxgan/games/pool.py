"""A pool of past fakes, which a discriminator is shown in the place of some new ones: Shrivastava et al. 2017."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis

_SWAP = 0x9001  # of the keys that are folded in


class ImagePool(nn.Module):
    """A network without parameters that nobody owns: its state is the pool, and moves with the game.

        nets={..., "pool": Net(ImagePool(50), image)}
        shown, stats = nets.pool.with_stats(fakes, keys)   # in the discriminator's loss, once a turn
        total(..., stats={"pool": stats})

    The idea is 1612.07828's, the rule that of CycleGAN's authors (1703.10593): image after image, one that comes while
    the pool is not full is kept and shown; later, by its own key, either it is shown, or a kept one in whose place it
    is kept. The images of all devices pass in the batch's order through one pool, the same on each, so the number of
    devices makes no difference.

    Micro-batches of ``gradients.accumulate`` begin with the same pool each, and the last one's stays.

    Attributes:
      size: images that are kept; 0 shows what comes.
    """

    size: int = 50

    @nn.compact
    def __call__(self, images: jax.Array, keys: jax.Array | None = None) -> jax.Array:
        """Images, [B, ...], and keys, [B], to what is shown instead, [B, ...]; kept where the state is mutable."""
        kept = self.variable("pool", "images", jnp.zeros, (self.size, *images.shape[1:]), images.dtype)
        count = self.variable("pool", "count", jnp.zeros, (), jnp.int32)
        if self.is_initializing() or not self.size:
            return images
        if keys is None:
            raise ValueError("the pool is called with a key for each image: pool(images, keys)")
        every, swaps, places = axis.gather((images, *jax.vmap(self._drawn)(keys)))

        def pass_through(state, coming):
            kept, count = state
            image, swap, place = coming
            is_full = count == self.size
            place = jnp.where(is_full, place, count)
            shown = jnp.where(is_full & swap, kept[place], image)
            kept = kept.at[place].set(jnp.where(is_full & ~swap, kept[place], image))
            return (kept, jnp.minimum(count + 1, self.size)), shown

        (images_after, count_after), shown = lax.scan(pass_through, (kept.value, count.value), (every, swaps, places))
        if self.is_mutable_collection("pool"):
            kept.value, count.value = images_after, count_after
        return lax.dynamic_slice_in_dim(shown, axis.index() * len(images), len(images))

    def _drawn(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Whether an image is swapped for a kept one, and for which."""
        whether, which = jax.random.split(jax.random.fold_in(key, _SWAP))
        return jax.random.bernoulli(whether), jax.random.randint(which, (), 0, self.size)
