"""Augmentation of what the discriminator sees: pure functions of images and their keys, differentiable to any order.

    images = augment.ada(keys, images, p)        # Karras et al. 2020, with probability p
    images = augment.diffaugment(keys, images)   # Zhao et al. 2020

Both players' turns must see reals and fakes through it, or the generator learns the augmentation; ``Augmentation`` does
that in an experiment. What enlarges a data set instead, and shows in the samples, is ``jaxgan.data.transforms``.
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
