"""The settings that every experiment has; an experiment's ``Config`` adds its own, and its defaults.

@dataclasses.dataclass(frozen=True)
class Config(Settings):
    steps: int = 4500
    width: int = 48
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import optax

from jaxgan.augment import AdaptiveProbability, Augmentation, Kind
from jaxgan.core.gradients import accumulate
from jaxgan.data import Source, load, transforms as augment

COUNT, WEIGHT, SHARE = (1, math.inf), (0, 1e6), (0, 1)  # ranges, ends included


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a result depends on."""

    steps: int = 5000
    """Steps of training; may grow when a run is resumed."""
    batch_size: int = 64
    """Examples a turn, over all devices."""
    seed: int = 0
    """Of weights, latents and the order of the data."""
    population: int = 1
    """Games trained at once, of seeds seed, seed + 1, ..."""
    sweep: tuple[str, ...] = ()
    """Settings that members of a population differ in: learning_rate=1e-4,4e-4. One member for each value."""
    data: str = "digits"
    """A folder or zip of images, an .npz, photos, a TFDS name, stacked:NAME for three in one; for points ring, grid."""
    resolution: int | None = None
    """Images are made this size, square. Not given: their own."""
    num_held_out: int = 0
    """Examples kept from training, by which the doctor tells whether the discriminator knows the others by heart."""
    channels: int | None = None
    """Of image files: 1 grey, 3 colour. Not given: what they are."""
    z_dim: int = 64
    """Dimensions of the latents."""
    learning_rate: float = 2e-4
    """The optimizers', for both players where they have one."""
    ema_decay: float = 0.995
    """Decay of the generator's averaged weights, which samples are drawn with."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """What networks compute in; parameters, statistics and logits are float32."""
    grad_accum_steps: int = 1
    """Micro-batches that a turn's gradient is accumulated over."""
    dp_noise_multiplier: float = 0.0
    """Above 0, who sees the data learns with differential privacy: noise of so many times the clip; 1 is usual."""
    dp_l2_clip: float = 1.0
    """Of private training: the norm to which each example's gradient is scaled down."""
    dp_delta: float = 1e-5
    """Of private training: the probability with which the epsilon that is told may not hold."""
    dp_seed: int | None = None
    """Of the noise. Not given: drawn from the system; whoever knows it, or a checkpoint, can take noise away."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Seconds instead of minutes, for tests."""
        return dataclasses.replace(cls(steps=4, batch_size=8, z_dim=4), **changes)

    def check(self, **ranges: tuple[float, float]) -> None:
        """``ValueError`` for the first setting that is out of its range: of these, and of those named here."""
        check_ranges(
            self,
            steps=COUNT,
            batch_size=COUNT,
            z_dim=COUNT,
            grad_accum_steps=COUNT,
            num_held_out=(0, math.inf),
            seed=(0, 2**32 - 1),
            learning_rate=WEIGHT,
            ema_decay=SHARE,
            **ranges,
        )

    def examples(self, source: Source | None = None) -> Source:
        """The data that ``data`` names, or the source given in its place."""
        return load(self.data, size=self.resolution, channels=self.channels) if source is None else source

    def images(self, source: Source | None = None) -> Source:
        """``examples``, which must be square images.

        Raises:
          ValueError: they are not; it says what they are.
        """
        source = self.examples(source)
        if len(source.shape) != 3:
            raise ValueError(f"{source.name}: examples of shape {source.shape}; want images, experiments.gan takes any")
        height, width, _ = source.shape
        if height != width:
            raise ValueError(
                f"{source.name}: images of {height} x {width}; want square ones, say --resolution {min(height, width)}"
            )
        return source

    @property
    def dtype(self) -> Any:
        """What networks compute in."""
        return jnp.dtype(self.compute_dtype)

    @property
    def gradient(self) -> Any:
        """For ``Player``."""
        return accumulate(self.grad_accum_steps)


@dataclasses.dataclass(frozen=True)
class AugmentedSettings(Settings):
    """``Settings`` of an experiment whose discriminator sees images through ``augmentation()``."""

    augment: Kind = "none"
    """What the discriminator sees images through: DiffAugment, or ADA whose probability follows its overfitting."""
    ada_target: float = 0.6
    """The mean sign of D on reals that ADA aims for."""
    ada_kimg: float = 500.0
    """Thousands of reals in which ADA's probability goes from 0 to 1."""

    def check(self, **ranges: tuple[float, float]) -> None:
        super().check(ada_target=(-1, 1), ada_kimg=(1e-3, 1e6), **ranges)

    def augmentation(self) -> Augmentation:
        """For the losses and ``nets`` of a game."""
        return Augmentation(self.augment, AdaptiveProbability(self.batch_size, self.ada_target, self.ada_kimg))


@dataclasses.dataclass(frozen=True)
class FallingSettings(Settings):
    """``Settings`` of an experiment whose players have ``adam()``, its rate falling to zero in a line at the end."""

    beta1: float = 0.0
    """Adam's decay of the mean gradient."""
    beta2: float = 0.9
    """Adam's decay of the mean square."""
    lr_constant_steps: int = 0
    """Steps at the learning rate."""
    lr_decay_steps: int = 5000
    """Steps after these, over which the rate falls to zero."""

    def check(self, **ranges: tuple[float, float]) -> None:
        super().check(beta1=SHARE, beta2=SHARE, lr_constant_steps=(0, math.inf), lr_decay_steps=COUNT, **ranges)

    def adam(self, turns: int = 1, since: int = 0) -> optax.GradientTransformation:
        """Of a player with so many turns in a step, who first moves at the step ``since``."""
        falling, constant = self.lr_decay_steps * turns, self.lr_constant_steps * turns
        rate = optax.linear_schedule(self.learning_rate, 0.0, falling, constant)
        return optax.adam(lambda count: rate(count + since * turns), self.beta1, self.beta2)


@dataclasses.dataclass(frozen=True)
class TranslationSettings(FallingSettings):
    """``Settings`` of an experiment that makes images of images."""

    batch_size: int = 1
    ema_decay: float = 0.0
    """Decay of the generator's averaged weights; at 0 samples are drawn with the newest, as in the papers."""
    test_data: str | None = None
    """Data like data, not trained on, that samples are made of and measured on. Not given: of photos the part that is
    not trained on, else data itself."""
    jitter: bool = True
    """Enlarge images a little and cut their size out again, somewhere."""
    mirror: bool = True
    """Mirror half of the images left to right."""
    beta1: float = 0.5
    beta2: float = 0.999
    lr_constant_steps: int = 2500
    lr_decay_steps: int = 2500

    def augmented(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Images, [B, h, w, C], as networks see them in training; of equal keys, [B], others are made so alike."""
        if self.jitter:
            images = augment.jitter(keys, images, round(images.shape[1] * 286 / 256))  # pix2pix's share
        return augment.flip(keys, images) if self.mirror else images

    def with_test(self, load: Callable[[str, str], Source], source: Source | None) -> tuple[Source, Source]:
        """What is trained on, and what samples are made of and measured on.

        Args:
          load: ``(data, split) -> source``.
          source: in the place of ``data``.

        Raises:
          ValueError: examples are no square images, or the two's are of other shapes.
        """
        ours = self.images(load(self.data, "train") if source is None else source)
        if self.test_data is not None:
            test = load(self.test_data, "train")
        else:
            test = load(self.data, "test") if source is None and self.data.startswith("photos") else ours
        if test.shape != ours.shape:
            raise ValueError(
                f"--test-data: its images are {test.shape}, those of --data {ours.shape}; give --resolution"
            )
        return ours, test


def check_ranges(config: Any, **ranges: tuple[float, float]) -> None:
    """``ValueError`` for the first setting that is out of its range, ends included."""
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if isinstance(value, jax.Array):  # of a population whose members' values were checked
            continue
        if value is not None and not low <= value <= high:
            reach = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
            raise ValueError(f"--{name.replace('_', '-')} {value}: {reach}")


def positive(value: Any) -> bool:
    """Whether a weight counts at all; one that varies over a population has no value here, and does."""
    return isinstance(value, jax.Array) or value > 0


def conditions(source: Source) -> tuple[str, ...]:
    """The classes that a conditional model of these examples has.

    Raises:
      ValueError: the examples have no labels.
    """
    if not source.classes:
        raise ValueError(
            f"{source.name}: no labels, so there is nothing to condition on; give an .npz with labels, a folder with a "
            "sub-folder for each class, or a TFDS dataset that has them"
        )
    return source.classes
