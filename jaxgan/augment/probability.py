"""ADA's probability, which follows how much the discriminator overfits: Karras et al. 2020 (2006.06676), section 3."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.core import axis


class AdaptiveProbability(nn.Module):
    """A network without parameters, owned by no player, whose state is the probability.

        nets={..., "ada": Net(AdaptiveProbability(batch_size=64))}
        p = nets.ada()                                   # in every loss
        _, stats = nets.ada.with_stats(real_logits)      # in the discriminator's: total(..., stats={"ada": stats})

    The heuristic is r = E[sign(D(x))] over the augmented real images of the last ``interval`` turns of the
    discriminator, on all devices: 0 where D cannot tell, 1 where it is always right. As published, p then grows by
    ``batch_size * interval / (1000 * kimg)`` if r is above ``target``, and falls by as much if r is below. It stays at
    least 0; it may exceed 1, and then counts as 1.

    The state is linear in the signs of a turn, and p changes when the next turn begins. So micro-batches of
    ``gradients.accumulate`` make no difference, and a resumed run continues to the bit.

    Attributes:
      batch_size: the number of real images in a turn of the discriminator, over all devices.
      target: the r that p is adapted to, in [-1, 1].
      kimg: thousands of real images in which p can go from 0 to 1.
      interval: turns between two changes of p.
      initial: p in the first turns.
    """

    batch_size: int
    target: float = 0.6
    kimg: float = 500.0
    interval: int = 4
    initial: float = 0.0

    @nn.compact
    def __call__(self, real_logits: jax.Array | None = None) -> jax.Array:
        """The probability of this turn, a scalar; ``real_logits``, [B], are counted if the state is mutable."""
        p = self.variable("ada", "p", lambda: jnp.float32(self.initial))
        turns = self.variable("ada", "turns", lambda: jnp.int32(0))
        # An average over the batch: in this collection, ``gradients.accumulate`` averages it over micro-batches.
        signs = self.variable("batch_stats", "signs", lambda: jnp.float32(0))
        full = turns.value == self.interval
        speed = self.batch_size * self.interval / (1000 * self.kimg)
        moved = jnp.maximum(p.value + speed * jnp.sign(signs.value / self.interval - self.target), 0)
        now = jnp.where(full, moved, p.value)
        if real_logits is not None and self.is_mutable_collection("ada") and not self.is_initializing():
            signs.value = jnp.where(full, 0, signs.value) + axis.mean(jnp.sign(real_logits).mean())
            turns.value = jnp.where(full, 0, turns.value) + 1
            p.value = now
        return now
