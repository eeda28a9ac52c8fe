"""LeCam regularisation: Tseng et al. 2021 (2104.03310), section 3."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis
from jaxgan.losses.adversarial import check_logits


def lecam(real_logits: jax.Array, fake_logits: jax.Array, real_anchor: jax.Array, fake_anchor: jax.Array) -> jax.Array:
    """(D(x) - a_F)^2 + (D(G(z)) - a_R)^2, [B]: a term of the discriminator's loss. Tseng et al. 2021, section 3.

    Args:
      real_logits, fake_logits: [B].
      real_anchor, fake_anchor: scalars a_R and a_F, the moving averages of D on real and on generated images; see
        ``LeCamEMA``. No gradient passes through them.

    Raises:
      ValueError: logits are not vectors of the same length, or anchors are not scalars.
    """
    check_logits(real_logits, fake_logits)
    if jnp.shape(real_anchor) or jnp.shape(fake_anchor):
        raise ValueError(
            f"lecam: `real_anchor` and `fake_anchor` must be scalars, got the shapes {jnp.shape(real_anchor)} and "
            f"{jnp.shape(fake_anchor)}."
        )
    real_anchor, fake_anchor = lax.stop_gradient((real_anchor, fake_anchor))
    return jnp.square(real_logits - fake_anchor) + jnp.square(fake_logits - real_anchor)


class LeCamEMA(nn.Module):
    """Moving averages of the discriminator's logits over all devices: a network without parameters, owned by no player.

        nets={..., "anchors": Net(LeCamEMA())}
        anchors, anchor_stats = nets.anchors.with_stats(real_logits, fake_logits)
        total(..., lecam=0.01 * losses.lecam(real_logits, fake_logits, *anchors), stats={..., "anchors": anchor_stats})

    The averages begin as plain means over the first turns, so their initial values have no weight.

    Attributes:
      decay: the weight of the old averages in a turn, as in ``Game.ema``; the official value is 0.99.
    """

    decay: float = 0.99

    @nn.compact
    def __call__(
        self, real_logits: jax.Array | None = None, fake_logits: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """The anchors of real and generated images, scalars, after these logits, [B] each, if any are given."""
        # Averages over the batch: in this collection, ``gradients.accumulate`` averages them over micro-batches.
        real = self.variable("batch_stats", "real", lambda: jnp.float32(0))
        fake = self.variable("batch_stats", "fake", lambda: jnp.float32(0))
        turns = self.variable("lecam", "turns", lambda: jnp.int32(0))
        if real_logits is None or fake_logits is None:
            return real.value, fake.value
        decay = jnp.minimum(self.decay, turns.value / (turns.value + 1))
        means = axis.mean((lax.stop_gradient(real_logits).mean(), lax.stop_gradient(fake_logits).mean()))
        anchors = [decay * old.value + (1 - decay) * new for old, new in zip((real, fake), means)]
        if self.is_mutable_collection("batch_stats") and not self.is_initializing():
            real.value, fake.value = anchors
            turns.value += 1
        return anchors[0], anchors[1]
