"""Consistency regularisation, which trains the discriminator to be invariant to augmentations.

Algorithm 1 of Zhang et al. 2020 (CR, arXiv:1910.12027) regularises real images only. Algorithm 1 of Zhao et al. 2020
(bCR, arXiv:2002.04724) regularises real and generated images, with separate weights::

    balanced = 10 * consistency(real_logits, nets.d(t(real))) + 10 * consistency(fake_logits, nets.d(t(fake)))

Here ``t`` is a random augmentation that uses the PRNG keys of the examples. Compute the adversarial loss from images
without augmentation, because otherwise the generator learns to generate augmented images.
"""

import jax
import jax.numpy as jnp

from jaxgan.losses.adversarial import check_logits


def consistency(logits: jax.Array, augmented_logits: jax.Array) -> jax.Array:
    """Return the consistency penalty (D(x) - D(T(x)))^2, [B], a term of the discriminator's loss.

    Args:
      logits: D(x), [B], logits of the images.
      augmented_logits: D(T(x)), [B], logits of the same images after augmentation.

    Raises:
      ValueError: if the logits are not vectors of the same length.
    """
    check_logits(logits, augmented_logits)
    return jnp.square(logits - augmented_logits)
