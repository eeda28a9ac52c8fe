"""What every experiment can be configured with, and checks of the values.

A ``Config`` extends ``Settings`` and states every default that its result depends on, so that an experiment's file can
be read alone. Fields without a default here have to be stated. Their help, which is the same everywhere, stands here.
Comments such as ``# Data`` are the headings under which the command line's help shows the fields that follow.

    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        # Data
        data: str = "digits"
        resolution: int | None = None
        # Networks
        width: int = 48
        \"""Units of each hidden layer.\"""
        # Optimisation
        steps: int = 4500
        batch_size: int = 64
        learning_rate: float = 2e-4
        ema_decay: float = 0.995
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from jaxgan.augment import AdaptiveProbability, Augmentation, Kind
from jaxgan.core.gradients import accumulate
from jaxgan.data import Source, load, transforms

# Ranges for ``check``, ends included.
COUNT = (1, math.inf)
NON_NEGATIVE = (0, 1_000_000)
FRACTION = (0, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a run. ``check`` raises ``ValueError`` where a value is out of its range."""

    # Data
    data: str
    """A folder or zip of images, an .npz, photos, a TFDS name, stacked:NAME for three in one; for points ring, grid."""
    resolution: int | None
    """Images are resized to this height and width. Without it, they keep their own."""
    channels: int | None = None
    """Channels of image files: 1 for grey, 3 for colour. Without it, those of the files."""
    num_held_out: int = 0
    """Number of examples kept from training, to see whether the discriminator memorises the others."""
    # Networks
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """What networks compute in; parameters, statistics and logits are float32."""
    # Optimisation
    steps: int
    """Number of training steps; it may grow when a run is resumed."""
    batch_size: int
    """Examples per turn, over all devices."""
    learning_rate: float
    """Learning rate of the optimizers."""
    ema_decay: float
    """Decay of the moving average of the generator's weights, which samples are drawn with."""
    grad_accum_steps: int = 1
    """Number of micro-batches over which the gradient of a turn is accumulated."""
    # Privacy
    dp_noise_multiplier: float = 0.0
    """Above 0, players whose loss reads the data are trained with DP-SGD: the noise's standard deviation divided by
    dp_l2_clip; 1 is usual."""
    dp_l2_clip: float = 1.0
    """DP-SGD: the L2 norm to which the gradient of each example is clipped."""
    dp_delta: float = 1e-5
    """DP-SGD: the probability with which the reported epsilon may not hold."""
    dp_seed: int | None = None
    """DP-SGD: seed of the noise. Without it, the noise is random; who knows the seed can subtract the noise."""
    # Run
    seed: int = 0
    """Seed of the weights, the latents and the order of the data."""
    population: int = 1
    """Number of games that are trained at once, with the seeds seed, seed + 1, ..."""
    sweep: tuple[str, ...] = ()
    """Settings in which the members of a population differ, as learning_rate=1e-4,4e-4: one member per value."""

    def check(self, **ranges: tuple[float, float]) -> None:
        """Check that settings are in their ranges: those of this class, and those that are named.

        Args:
          **ranges: for a setting's name the least and the greatest value.

        Raises:
          ValueError: a value is out of its range.
        """
        check_ranges(
            self,
            steps=COUNT,
            batch_size=COUNT,
            grad_accum_steps=COUNT,
            num_held_out=(0, math.inf),
            seed=(0, 2**32 - 1),
            learning_rate=NON_NEGATIVE,
            ema_decay=FRACTION,
            **ranges,
        )

    def advice(self) -> list[str]:
        """Sentences about settings that are allowed, but are probably a mistake. A run prints them when it starts."""
        return []

    def load_examples(self, source: Source | None = None) -> Source:
        """The data that ``data`` names, or ``source`` if it is given."""
        return load(self.data, resolution=self.resolution, channels=self.channels) if source is None else source

    def load_images(self, source: Source | None = None) -> Source:
        """``load_examples``, which must be square images.

        Raises:
          ValueError: they are not.
        """
        source = self.load_examples(source)
        if len(source.shape) != 3:
            raise ValueError(
                f"{source.name} has examples of shape {source.shape}, but this experiment takes images, [height, "
                "width, channels]; experiments.gan takes examples of any shape."
            )
        height, width, _ = source.shape
        if height != width:
            raise ValueError(
                f"{source.name} has images of {height} x {width}, but they must be square; set `resolution`, for "
                f"example to {min(height, width)}."
            )
        return source

    @property
    def dtype(self) -> Any:
        """The type that networks compute in."""
        return jnp.dtype(self.compute_dtype)

    @property
    def gradient(self) -> Any:
        """The ``gradient`` of every ``Player``."""
        return accumulate(self.grad_accum_steps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentedSettings(Settings):
    """``Settings`` of an experiment whose discriminator sees images through ``augmentation()``."""

    # Augmentation
    augment: Kind
    """What the discriminator sees images through: DiffAugment, or ADA, whose probability follows its overfitting."""
    ada_target: float
    """ADA aims for this mean sign of the discriminator's logits of reals."""
    ada_kimg: float
    """Thousands of reals in which ADA's probability can go from 0 to 1."""

    def check(self, **ranges: tuple[float, float]) -> None:
        super().check(ada_target=(-1, 1), ada_kimg=(1e-3, 1e6), **ranges)

    def augmentation(self) -> Augmentation:
        """The augmentation, which losses and the ``nets`` of a game take."""
        return Augmentation(self.augment, AdaptiveProbability(self.batch_size, self.ada_target, self.ada_kimg))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearDecaySettings(Settings):
    """``Settings`` of an experiment whose players have ``adam()``, whose rate falls to zero in a line at the end."""

    # Optimisation
    beta1: float
    """Adam's decay of the mean of gradients."""
    beta2: float
    """Adam's decay of the mean of squared gradients."""
    lr_constant_steps: int
    """Steps at the full learning rate."""
    lr_decay_steps: int
    """Steps after these, over which the learning rate falls linearly to zero."""

    def check(self, **ranges: tuple[float, float]) -> None:
        super().check(beta1=FRACTION, beta2=FRACTION, lr_constant_steps=(0, math.inf), lr_decay_steps=COUNT, **ranges)

    def advice(self) -> list[str]:
        last = self.lr_constant_steps + self.lr_decay_steps
        if self.steps <= last:
            return super().advice()
        return [
            *super().advice(),
            f"the learning rate is 0 after step {last:,}, which is `lr_constant_steps` + `lr_decay_steps`, so the last "
            f"{self.steps - last:,} of {self.steps:,} steps train nothing; set `lr_decay_steps` to "
            f"{self.steps - self.lr_constant_steps}, or lower `steps` to {last}.",
        ]

    def adam(self, turns: int = 1, first_step: int = 0) -> optax.GradientTransformation:
        """Adam for a player.

        Args:
          turns: of the player in a step.
          first_step: at which the player first moves; the schedule counts from step 0.
        """
        rate = optax.linear_schedule(
            self.learning_rate, 0.0, self.lr_decay_steps * turns, self.lr_constant_steps * turns
        )
        return optax.adam(lambda count: rate(count + first_step * turns), self.beta1, self.beta2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranslationSettings(LinearDecaySettings):
    """``Settings`` of an experiment that translates images."""

    # Data
    test_data: str | None
    """Like data, but not trained on: samples are made of it and measured on it. Without it, the part of photos that is
    not trained on, or else data itself."""
    jitter: bool
    """Enlarge images a little and crop them to their size at a random place."""
    mirror: bool
    """Mirror half of the images left to right."""

    def jitter_and_mirror(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Images as networks see them in training; equal keys crop and mirror alike.

        Args:
          keys: [B].
          images: [B, height, width, C].
        """
        if self.jitter:
            images = transforms.resize_and_crop(
                keys, images, round(images.shape[1] * 286 / 256)
            )  # pix2pix's enlargement
        return transforms.random_flip(keys, images) if self.mirror else images

    def load_train_and_test(
        self, load: Callable[[str, str], Source], source: Source | None = None
    ) -> tuple[Source, Source]:
        """The examples to train on, and those that samples are made of and measured on.

        Args:
          load: ``(data, split) -> source``.
          source: taken instead of ``data``.

        Raises:
          ValueError: examples are no square images, or those of the two have different shapes.
        """
        train = self.load_images(load(self.data, "train") if source is None else source)
        if self.test_data is not None:
            test = load(self.test_data, "train")
        elif source is None and self.data.startswith("photos"):
            test = load(self.data, "test")
        else:
            test = train
        if test.shape != train.shape:
            raise ValueError(
                f"`test_data` has images of {test.shape}, but `data` has images of {train.shape}; set `resolution`."
            )
        return train, test


def check_ranges(config: Any, **ranges: tuple[float, float]) -> None:
    """Check that settings are in their ranges.

    >>> import argparse
    >>> check_ranges(argparse.Namespace(steps=0), steps=COUNT)
    Traceback (most recent call last):
    ValueError: `steps` must be at least 1, got 0.

    Args:
      config: has the settings. A traced value, of a member of a population, is not checked: it was checked before.
      **ranges: for a setting's name the least and the greatest value.

    Raises:
      ValueError: a value is out of its range.
    """
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if value is None or isinstance(value, jax.Array):
            continue
        if not low <= value <= high:
            allowed = f"at least {low}" if high == math.inf else f"between {low} and {high}"
            raise ValueError(f"`{name}` must be {allowed}, got {value}.")


def is_enabled(weight: Any) -> bool:
    """Whether a term of this weight is computed: above 0. A traced weight, of a population that varies it, always is.

    >>> is_enabled(0.5), is_enabled(0.0)
    (True, False)
    """
    return isinstance(weight, jax.Array) or weight > 0


def require_classes(source: Source) -> tuple[str, ...]:
    """The names of the classes, for a conditional model.

    Raises:
      ValueError: the examples have no labels.
    """
    if not source.classes:
        raise ValueError(
            f"{source.name} has no labels, so there is nothing to condition on; a conditional model takes an .npz with "
            "labels, a folder with a sub-folder for each class, or a TFDS dataset that has labels."
        )
    return source.classes
