"""Loss functions for GANs.

Most of them are pure functions that return one value per example, [B]. You can combine these values with arithmetic.
``jaxgan.total`` then computes the mean over the batch.
"""

from jaxgan.core.lazy import lazy as lazy
from jaxgan.losses.adversarial import (
    discriminator_metrics as discriminator_metrics,
    hinge_discriminator as hinge_discriminator,
    hinge_generator as hinge_generator,
    least_squares_discriminator as least_squares_discriminator,
    least_squares_generator as least_squares_generator,
    minimax_discriminator as minimax_discriminator,
    minimax_generator as minimax_generator,
    non_saturating_discriminator as non_saturating_discriminator,
    non_saturating_generator as non_saturating_generator,
    relativistic_discriminator as relativistic_discriminator,
    relativistic_generator as relativistic_generator,
    score_metrics as score_metrics,
    wasserstein_discriminator as wasserstein_discriminator,
    wasserstein_generator as wasserstein_generator,
)
from jaxgan.losses.consistency import consistency as consistency
from jaxgan.losses.features import feature_matching as feature_matching, perceptual as perceptual
from jaxgan.losses.lecam import LeCamEMA as LeCamEMA, lecam as lecam
from jaxgan.losses.orthogonal import orthogonal as orthogonal
from jaxgan.losses.path_length_penalty import (
    PathLengthEMA as PathLengthEMA,
    path_length_penalty as path_length_penalty,
    path_lengths as path_lengths,
)
from jaxgan.losses.penalties import dragan as dragan, gradient_penalty as gradient_penalty, r1 as r1, r2 as r2
from jaxgan.losses.reconstruction import (
    binary_cross_entropy as binary_cross_entropy,
    l1 as l1,
    l2 as l2,
    multiscale_l1 as multiscale_l1,
)
from jaxgan.losses.variational import gaussian_kl as gaussian_kl
