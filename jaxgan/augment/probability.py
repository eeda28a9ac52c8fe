"""Adapt the probability of ADA to the overfitting of the discriminator, as in section 3 of Karras et al. 2020.

The paper is arXiv:2006.06676.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.core import axis


class AdaptiveProbability(nn.Module):
    """A network that computes the probability of ADA. It has no parameters, and the probability is part of its state.

    No player owns this network.

        nets={..., "ada": Net(AdaptiveProbability(batch_size=64))}
        p = nets.ada()                                   # in every loss
        _, stats = nets.ada.with_stats(real_logits)      # in D's loss, which returns total(..., stats={"ada": stats})

    The measure of overfitting is r = E[sign(D(x))] over the augmented real images of the last ``interval`` turns
    (updates) of the discriminator D, on all devices. r is 0 if D cannot distinguish real images from fakes, and 1 if D
    recognises all real images. After these turns, the probability p changes as in the paper: it increases by
    ``batch_size * interval / (1000 * kimg)`` if r is above ``target``, and decreases by the same amount if r is below
    ``target``. p is never negative. It may exceed 1, which has the same effect as the probability 1.

    During a turn, only the mean of the signs of the logits is added to the state. p changes only at the start of a
    turn, and the new p does not depend on the logits of this turn. Splitting a turn into micro-batches with
    ``gradients.accumulate`` therefore does not change the result, and a resumed run yields bitwise equal results.

    Attributes:
      batch_size: number of real images in a turn of the discriminator, over all devices.
      target: the desired value of r, in [-1, 1].
      kimg: number of real images, in thousands, that are needed at least to raise p from 0 to 1.
      interval: number of turns between two changes of p.
      initial: value of p in the first turns.
    """

    batch_size: int
    target: float = 0.6
    kimg: float = 500.0
    interval: int = 4
    initial: float = 0.0

    @nn.compact
    def __call__(self, real_logits: jax.Array | None = None) -> jax.Array:
        """Return the probability in this turn, a scalar.

        Args:
          real_logits: logits of the augmented real images, [B]. Their signs are added to the state if the state is
            mutable. If ``real_logits`` is None, the state does not change.
        """
        p = self.variable("ada", "p", lambda: jnp.float32(self.initial))
        turns = self.variable("ada", "turns", lambda: jnp.int32(0))
        # The collection "batch_stats" is used because ``gradients.accumulate`` averages it over micro-batches.
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
