"""Augmentation of what the discriminator sees: pure functions of images and their keys, differentiable to any order.

    images = augment.ada(keys, images, p)        # Karras et al. 2020, with probability p
    images = augment.diffaugment(keys, images)   # Zhao et al. 2020

In the turns of both players, the discriminator must see real and generated images through the augmentation, or the
generator learns to produce it; ``Augmentation`` does that in an experiment. Transforms that enlarge a data set, and are
visible in samples, are in ``jaxgan.data.transforms``.
"""

from jaxgan.augment.differentiable import POLICY as POLICY, diffaugment as diffaugment
from jaxgan.augment.discriminator import Augmentation as Augmentation, Augmented as Augmented, Kind as Kind
from jaxgan.augment.pipeline import (
    BGC as BGC,
    BLIT as BLIT,
    COLOUR as COLOUR,
    CORRUPTION as CORRUPTION,
    FILTER as FILTER,
    GEOMETRY as GEOMETRY,
    ada as ada,
)
from jaxgan.augment.probability import AdaptiveProbability as AdaptiveProbability
