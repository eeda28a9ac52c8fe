"""The settings that all experiments share, and functions that check the values of settings.

Each experiment defines a class ``Config`` that extends ``Settings`` if it trains on images, or ``CommonSettings`` if it
trains on other examples, to which settings such as ``resolution`` do not apply. ``Config`` states the default of every
setting that the result depends on, so that the file of an experiment can be read on its own. A field without a default
in this module must therefore be stated by every ``Config``. The descriptions of the fields are in this module, because
they are the same for all experiments. The command line prints them as the help of its flags. A comment such as
``# Data`` is the heading under which the help lists the fields that follow the comment.

    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        # Data
        data: str = "digits"
        resolution: int | None = None
        # Networks
        width: int = 48
        \"""Number of units of each hidden layer.\"""
        # Optimisation
        steps: int = 4500
        batch_size: int = 64
        learning_rate: float = 2e-4
        ema_decay: float = 0.995
"""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from jaxgan.augment import AdaptiveProbability, Augmentation, Kind
from jaxgan.core.gradients import accumulate
from jaxgan.core.precision import Precise, Precision
from jaxgan.core.wrappers import GameLike
from jaxgan.data import Source, load, transforms
from jaxgan.data.layouts import explain_missing_labels, find_test_split, has_split

# Ranges for ``check``. Both ends are allowed.
LARGEST = 2**31 - 1  # the largest integer that devices compute with
COUNT = (1, LARGEST)
DEPTH = (1, 1000)  # numbers of layers and of turns, each of which is compiled
NON_NEGATIVE = (0, 1_000_000)
FRACTION = (0, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CommonSettings:
    """The settings that experiments on examples of any kind have.

    An experiment calls ``check`` to reject values that are out of their range. Experiments on images extend
    ``Settings``.
    """

    # Data
    data: str
    """Path or name of the data."""
    num_held_out: int = 0
    """Number of examples to keep out of training, to detect whether the discriminator memorises the training
    examples. An experiment without a discriminator allows only 0."""
    # Networks
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """Data type of the networks' computations. Parameters, statistics and logits are always float32."""
    matmul_precision: Precision = "default"
    """Precision of float32 matrix products and convolutions in training steps on accelerators. default is the lowest:
    TF32 on NVIDIA GPUs, bfloat16 on TPUs. high is TF32 on GPUs and three bfloat16 products on TPUs. highest is float32.
    CPUs always use float32."""
    penalty_precision: Precision = "highest"
    """Precision of the products of R1, R2, gradient penalties and path lengths, which are sensitive to rounding errors.
    It is at least matmul_precision. default saves time on accelerators."""
    # Optimisation
    steps: int
    """Number of training steps. A run can be resumed with a larger number of steps."""
    batch_size: int
    """Number of examples in one update of a network, summed over all devices."""
    learning_rate: float
    """Learning rate of the optimizers."""
    ema_decay: float
    """Decay per step of the exponential moving average of the generator's weights. Samples are generated with the
    averaged weights."""
    grad_accum_steps: int = 1
    """Number of micro-batches into which each batch is split to save memory. The gradients of the micro-batches are
    averaged."""
    # Privacy
    dp_noise_multiplier: float = 0.0
    """Standard deviation of the DP-SGD noise divided by dp_l2_clip; 1 is common. If the value is positive,
    DP-SGD trains every network with a loss that depends on the training data. If it is 0, training is not private."""
    dp_l2_clip: float = 1.0
    """L2 norm to which DP-SGD clips the gradient of each example."""
    dp_delta: float = 1e-5
    """Delta of the (epsilon, delta) privacy guarantee of DP-SGD, a probability. The run reports the epsilon for this
    delta."""
    dp_seed: int | None = None
    """Seed of the DP-SGD noise. By default, the seed is random. Keep the seed secret: the noise can be computed from
    the seed and then subtracted."""
    # Run
    seed: int = 0
    """Seed of the initial weights, the latents and the order of the data."""
    population: int = 1
    """Number of copies of the model that are trained together in one compiled step. The copies, called members of the
    population, use consecutive seeds that start at ``seed``. With ``sweep``, this many members are trained for each
    combination of the listed values."""
    sweep: tuple[str, ...] = ()
    """Settings that differ between the members of a population, each with a list of values, such as
    learning_rate=1e-4,4e-4. Every combination of the values is trained."""

    def check(self, **ranges: tuple[float, float]) -> None:
        """Check that the settings of this class and the settings in ``ranges`` are in their ranges.

        Args:
          **ranges: the smallest and the largest allowed value of each setting that the experiment adds to this class.

        Raises:
          ValueError: if a value is out of its range.
        """
        check_ranges(
            self,
            steps=COUNT,
            batch_size=COUNT,
            grad_accum_steps=COUNT,
            num_held_out=(0, LARGEST),
            seed=(0, 2**32 - 1),
            learning_rate=NON_NEGATIVE,
            ema_decay=FRACTION,
            **ranges,
        )

    def advice(self) -> list[str]:
        """Return warnings about settings that are allowed but are probably a mistake.

        A run prints the warnings when it starts.
        """
        return []

    @property
    def batch_multiple(self) -> int:
        """``batch_size`` must be a multiple of this number."""
        return self.grad_accum_steps

    @property
    def dtype(self) -> Any:
        """The data type of the networks' computations."""
        return jnp.dtype(self.compute_dtype)

    def precise(self, game: GameLike) -> Precise:
        """Return a game whose training step has the precision of the settings ``matmul_`` and ``penalty_precision``.

        Args:
          game: the game or wrapper to train.
        """
        return Precise(game, self.matmul_precision, self.penalty_precision)

    @property
    def gradient(self) -> Any:
        """The function that computes gradients, for the ``gradient`` of every ``Player``."""
        return accumulate(self.grad_accum_steps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _ImageData:
    """The settings of image files. They are a class of their own, so that they follow ``data`` in ``Settings``."""

    # Data
    data: str
    resolution: int | None
    """Height and width of the images in pixels. Images of other sizes are cropped to a square and resized. By default,
    images keep their size."""
    channels: int | None = None
    """Number of channels that image files are converted to: 1 for grey, 3 for colour, 4 for colour with alpha. By
    default, 1 if all files are grey, otherwise 3."""
    jpeg_draft: bool = False
    """Decode JPEG files that are at least four times as large as the resolution at a fraction of their size before
    they are resized. Reading is about twice as fast, and the pixels change slightly. Evaluations always decode complete
    images. Pairs of images, tiles and other data are not affected."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(CommonSettings, _ImageData):
    """The settings of an experiment on images, or on other examples that ``jaxgan.data.load`` loads."""

    # Data
    data: str
    """Path or name of the data. A path names a folder or .zip file of images, or an .npz or .npy file. Valid names are
    "digits" (the digits of scikit-learn), "photos" (tiles of several photographs), the names of TFDS data sets, and
    the point sets "ring", "grid" and "swiss_roll". stacked:NAME combines three grey images into one colour image.
    tiles:FOLDER cuts large images into square tiles."""

    def load_examples(self, source: Source | None = None) -> Source:
        """Load the data that the setting ``data`` names. If ``source`` is passed, return it instead."""
        if source is not None:
            return source
        return load(self.data, resolution=self.resolution, channels=self.channels, jpeg_draft=self.jpeg_draft)

    def load_images(self, source: Source | None = None) -> Source:
        """Load the data as ``load_examples`` does, and check that the examples are square images.

        Args:
          source: the examples to check. By default, the data that the settings name are loaded.

        Raises:
          ValueError: if the examples are not images, or the images are not square.
        """
        source = self.load_examples(source)
        if len(source.shape) != 3:
            hint = " Add an axis of channels to grey images: images[..., None]." if len(source.shape) == 2 else ""
            raise ValueError(
                f"{source.name} has examples of shape {source.shape}, but this experiment takes images, [height, "
                f"width, channels].{hint} Use the experiment gan, which takes examples of any shape."
            )
        height, width, _ = source.shape
        if height != width:
            raise ValueError(
                f"{source.name} has images of height {height} and width {width}, but they must be square. Set "
                f"`resolution`, for example to {min(height, width)}."
            )
        return source


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentedSettings(Settings):
    """The settings of an experiment that augments all images that the discriminator receives."""

    # Augmentation
    augment: Kind
    """Augmentation of all images that the discriminator receives. ada adapts the probability of its transforms to
    the discriminator's overfitting."""
    ada_target: float
    """Target of ADA for the mean sign of the discriminator's logits of real images, from -1 to 1. If the measured mean
    is larger, ADA augments more often."""
    ada_kimg: float
    """Number of real images, in thousands, that ADA needs at least to raise the probability of its transforms from 0
    to 1. With a larger number, the probability changes more slowly."""

    def check(self, **ranges: tuple[float, float]) -> None:
        """Check the settings of this class and of its base class; see ``Settings.check``.

        Args:
          **ranges: the smallest and the largest allowed value of each setting that the experiment adds to this class.

        Raises:
          ValueError: if a value is out of its range.
        """
        super().check(ada_target=(-1, 1), ada_kimg=(1e-3, 1e6), **ranges)

    def augmentation(self) -> Augmentation:
        """Return the augmentation. Losses use its ``views``, and its ``nets`` must be networks of the game."""
        return Augmentation(self.augment, AdaptiveProbability(self.batch_size, self.ada_target, self.ada_kimg))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearDecaySettings(Settings):
    """The settings of an experiment that trains with ``adam()``, with linear decay of the learning rate at the end."""

    # Optimisation
    beta1: float
    """Adam's decay rate of the mean of the gradients."""
    beta2: float
    """Adam's decay rate of the mean of the squared gradients."""
    lr_constant_steps: int
    """Number of steps at the full learning rate, before the decay starts."""
    lr_decay_steps: int
    """Number of steps after lr_constant_steps over which the learning rate decays linearly to 0."""

    def check(self, **ranges: tuple[float, float]) -> None:
        """Check the settings of this class and of its base class; see ``Settings.check``.

        Args:
          **ranges: the smallest and the largest allowed value of each setting that the experiment adds to this class.

        Raises:
          ValueError: if a value is out of its range.
        """
        super().check(beta1=FRACTION, beta2=FRACTION, lr_constant_steps=(0, LARGEST), lr_decay_steps=COUNT, **ranges)

    def advice(self) -> list[str]:
        """Return a warning if ``steps`` is larger than the step at which the learning rate reaches 0."""
        last = self.lr_constant_steps + self.lr_decay_steps
        if self.steps <= last:
            return super().advice()
        return [
            *super().advice(),
            f"The learning rate is 0 after step {last:,}, which is `lr_constant_steps` + `lr_decay_steps`, so the last "
            f"{self.steps - last:,} of {self.steps:,} steps do not change the networks. Set `lr_decay_steps` to "
            f"{self.steps - self.lr_constant_steps}, or lower `steps` to {last}.",
        ]

    def adam(self, turns: int = 1, first_step: int = 0) -> optax.GradientTransformation:
        """Create the Adam optimizer of a player, with linear decay of the learning rate.

        Args:
          turns: number of the player's turns in one step.
          first_step: step at which the player starts to train. The decay of the learning rate is counted from step 0.
        """
        rate = optax.linear_schedule(
            self.learning_rate, 0.0, self.lr_decay_steps * turns, self.lr_constant_steps * turns
        )
        return optax.adam(lambda count: rate(count + first_step * turns), self.beta1, self.beta2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranslationSettings(LinearDecaySettings):
    """The settings of an experiment that translates images."""

    # Data
    test_data: str | None
    """Path or name of test data, as for ``data``. The test images are translated for sample grids and evaluations, and
    are not used for training. By default, the test images are the test or validation split of ``data`` (a folder with
    the folders train and test, or a folder train beside a folder test); without a split, the examples that
    ``num_held_out`` excludes from training; and otherwise, the training data."""
    jitter: bool
    """Augment training images with random jitter: enlarge them by a factor of 286 / 256, and crop them to their
    original size at a random position."""
    mirror: bool
    """Mirror a random half of the training images left to right."""

    def jitter_and_mirror(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Augment images as the settings ``jitter`` and ``mirror`` require. Equal keys result in equal augmentations.

        Args:
          keys: [B], one per image.
          images: [B, height, width, C] in [-1, 1].

        Returns:
          The augmented images, [B, height, width, C].
        """
        if self.jitter:
            images = transforms.resize_and_crop(
                keys, images, round(images.shape[1] * 286 / 256)
            )  # the enlargement of pix2pix
        return transforms.random_flip(keys, images) if self.mirror else images

    def load_split(self, name: str, split: str, argument: str) -> Source:
        """Load one split of image data, with the resolution and the channels of these settings.

        Args:
          name: path or name of the data, as for ``data``.
          split: name of the split, such as train or test.
          argument: name of the setting that errors blame.
        """
        return load(
            name,
            resolution=self.resolution,
            channels=self.channels,
            split=split,
            argument=argument,
            jpeg_draft=self.jpeg_draft,
        )

    def load_train_and_test(
        self, load: Callable[[str, str, str], Source], source: Source | None = None
    ) -> tuple[Source, Source]:
        """Return the examples to train on, and the examples to translate for samples and evaluations.

        Args:
          load: function ``(data, split, argument) -> source`` that reads the examples. ``argument`` is the name of the
            setting that errors blame.
          source: examples to train on. If None, the examples that the setting ``data`` names.

        Raises:
          ValueError: if the training examples are not square images, or the shapes of the two sources differ.
        """
        train = self.load_images(load(self.data, "train", "data") if source is None else source)
        place = self._place_of_test_data(source is None)
        if place is None:
            return train, train
        test = load(*place, "data" if place[0] == self.data else "test_data")
        if test.shape != train.shape:
            raise ValueError(
                f"`test_data` ({test.name}) has images of shape {test.shape}, but `data` has images of shape "
                f"{train.shape}. Set `resolution` and `channels` so that both have the same shape."
            )
        return train, test

    def _place_of_test_data(self, reads_data: bool) -> tuple[str, str] | None:
        """Return the name and the split of the test data; None if there are none.

        Args:
          reads_data: whether the examples to train on are those that the setting ``data`` names.
        """
        if self.test_data is not None:
            return self.test_data, "test" if has_split(self.test_data, "test") else "train"
        if not reads_data:
            return None
        # The name photos denotes the bundled photographs. The name of a folder would be photos/ or ./photos.
        if self.data.partition(":")[0] == "photos":
            return self.data, "test"
        found = find_test_split(self.data)
        # The inputs of a folder beside ``data`` would be in another folder, too.
        return found if found and (found[0] == self.data or getattr(self, "data_a", None) is None) else None


def check_ranges(config: Any, **ranges: tuple[float, float]) -> None:
    """Check that settings are in their ranges.

    >>> import argparse
    >>> check_ranges(argparse.Namespace(steps=0), steps=COUNT)
    Traceback (most recent call last):
    ValueError: `steps` must be at least 1, got 0.

    Args:
      config: an object with the settings as attributes. A setting with the value None is not checked. Settings that
        vary within a population have traced values. They were checked before tracing and are not checked again.
      **ranges: the smallest and the largest allowed value of each setting.

    Raises:
      ValueError: if a value is out of its range.
    """
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if value is None or isinstance(value, jax.Array):
            continue
        if not low <= value <= high:
            allowed = f"between {low} and {high}"
            if high in (math.inf, LARGEST):
                allowed = f"at most {high}" if value > high else f"at least {low}"
            raise ValueError(f"`{name}` must be {allowed}, got {value}.")


def is_enabled(weight: Any) -> bool:
    """Return whether a loss has to compute the term with this weight, that is, whether the weight is above 0.

    The weight is traced if it is a setting that varies within a population. The result is then always True.

    >>> is_enabled(0.5), is_enabled(0.0)
    (True, False)
    """
    return isinstance(weight, jax.Array) or weight > 0


def require_classes(source: Source) -> tuple[str, ...]:
    """Return the names of the classes of a source, for a conditional model.

    Raises:
      ValueError: if the examples have no labels.
    """
    if not source.classes:
        reason = explain_missing_labels(Path(source.name))
        fix = "Use an .npz file with labels, a folder with one subfolder per class, or a TFDS dataset with labels."
        raise ValueError(f"{source.name} has no labels, but a conditional model needs them. {reason or fix}")
    return source.classes
