"""Consistency regularisation: the discriminator gives the same logit to an image however it is augmented.

Zhang et al. 2020 (1910.12027), algorithm 1, for reals (CR); Zhao et al. 2020 (2002.04724), algorithm 1, for reals and
fakes (bCR), each with a weight of its own::

    balanced = 10 * consistency(real_logits, nets.d(t(real))) + 10 * consistency(fake_logits, nets.d(t(fake)))

where ``t`` augments by the examples' keys. The adversarial loss sees the images without augmentation, because otherwise
the generator would learn ``t``.
"""

import jax
import jax.numpy as jnp

from jaxgan.losses.adversarial import check_logits


def consistency(logits: jax.Array, augmented_logits: jax.Array) -> jax.Array:
    """(D(x) - D(T(x)))^2, [B], from logits [B] of the same images: a term of the discriminator's loss.

    Raises:
      ValueError: the logits are not vectors of the same length.
    """
    check_logits(logits, augmented_logits)
    return jnp.square(logits - augmented_logits)
