"""LeCam regularisation for training with little data: Tseng et al. 2021 (arXiv:2104.03310), section 3."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core import axis
from jaxgan.losses.adversarial import check_logits


def lecam(real_logits: jax.Array, fake_logits: jax.Array, real_anchor: jax.Array, fake_anchor: jax.Array) -> jax.Array:
    """Return the LeCam penalty (D(x) - a_F)^2 + (D(G(z)) - a_R)^2, [B], a term of the discriminator's loss.

    Args:
      real_logits: D(x), [B].
      fake_logits: D(G(z)), [B].
      real_anchor: a_R, the moving average of D's logits of real images, a scalar from ``LeCamEMA``. No gradient passes
        through it.
      fake_anchor: a_F, the moving average of D's logits of generated images, a scalar from ``LeCamEMA``. No gradient
        passes through it.

    Raises:
      ValueError: if the logits are not vectors of the same length, or the anchors are not scalars.
    """
    check_logits(real_logits, fake_logits)
    if jnp.shape(real_anchor) or jnp.shape(fake_anchor):
        raise ValueError(
            f"`real_anchor` and `fake_anchor` must be scalars, got the shapes {jnp.shape(real_anchor)} and "
            f"{jnp.shape(fake_anchor)}."
        )
    real_anchor, fake_anchor = lax.stop_gradient((real_anchor, fake_anchor))
    return jnp.square(real_logits - fake_anchor) + jnp.square(fake_logits - real_anchor)


class LeCamEMA(nn.Module):
    """Moving averages of the discriminator's logits, which ``lecam`` uses as anchors.

    It is a network without parameters. Add it to the ``nets`` of a ``Game``, and let no player own it. The averages
    include the examples of all devices::

        nets={..., "anchors": Net(LeCamEMA())}
        anchors, anchor_stats = nets.anchors.with_stats(real_logits, fake_logits)
        total(..., lecam=0.01 * losses.lecam(real_logits, fake_logits, *anchors), stats={..., "anchors": anchor_stats})

    During the first updates, each average is the plain mean over all updates so far, so the initial value does not bias
    it.

    Attributes:
      decay: weight of the old average in each update of the discriminator (official: 0.99).
    """

    decay: float = 0.99

    @nn.compact
    def __call__(
        self, real_logits: jax.Array | None = None, fake_logits: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Return the anchors of real and of generated images, two scalars.

        Args:
          real_logits: D(x), [B]. The averages are updated with these logits before they are returned. With None, the
            current averages are returned.
          fake_logits: D(G(z)), [B]. Pass None if ``real_logits`` is None.
        """
        # The anchors are averages over the batch. They are in the collection "batch_stats", because
        # ``gradients.accumulate`` averages this collection over micro-batches.
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
