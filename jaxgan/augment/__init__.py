"""Augment the images on their way to the discriminator.

The functions are pure functions of images and PRNG keys, and differentiable with respect to the images to any order.

    images = augment.ada(keys, images, p)        # Karras et al. 2020, with probability p
    images = augment.diffaugment(keys, images)   # Zhao et al. 2020

Both real images and fakes must be augmented, in the losses of both players. Otherwise, the generator learns to
reproduce the augmentation. The class ``Augmentation`` augments real images and fakes in an experiment.
``jaxgan.data.transforms`` is different: it enlarges a data set by transforms that the generator learns to reproduce.
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
