"""DCGAN on real handwritten digits, with R1.

Paper      Radford, Metz, Chintala 2016, arXiv:1511.06434: its architecture (section 3) and Adam settings
           (section 4). R1 on reals from Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406.
Command    python -m experiments.dcgan
Data       scikit-learn's 1,797 digits, 8 x 8, which come along; --data takes any other
Hardware   two cores of a shared Intel Xeon, jax 0.10.2, float32
Time       40 to 50 s of training at 9 to 11 ms a step, a minute for the command
Score      Frechet distance on pixels 0.13 (two halves of the digits: 0.26), precision 0.78, recall 0.73, classes from
           8.4 % to 11.3 %, 1,797 samples of seed 0:
           python -m pytest -n 0 -s -m slow tests/test_default_run.py
"""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from jaxgan import Game, Net, Player, data, latents, losses, total
from jaxgan.data import augment
from jaxgan.gradients import accumulate
from jaxgan.models import dcgan
from jaxgan.training.experiment import Experiment, check_ranges
from jaxgan.training.program import main


@dataclasses.dataclass(frozen=True)
class Config:
    """What the result depends on."""

    steps: int = 4500
    """Steps of training; may grow when a run is resumed."""
    batch_size: int = 64
    """Examples a turn, over all devices."""
    seed: int = 0
    """Of weights, latents and the order of the data."""
    population: int = 1
    """Games trained at once, of seeds seed, seed + 1, ..."""
    vary: tuple[str, ...] = ()
    """Settings that members of a population differ in: learning_rate=1e-4,4e-4. One member for each value."""
    data: str = "digits"
    """A folder or zip of images, an .npz, or a TFDS name."""
    size: int | None = None
    """Images are made this size: a power of two from 8. Not given: their own."""
    channels: int | None = None
    """Of image files: 1 grey, 3 colour. Not given: what they are."""
    flip: bool = False
    """Mirror half of the images left to right: for faces and scenes, not for digits."""
    crop: int = 0
    """Shift images by up to so many pixels."""
    latents: int = 32
    """Dimensions of the latents."""
    generator_width: int = 48
    """Features of the generator's last hidden layer."""
    discriminator_width: int = 32
    """Features of the discriminator's first layer."""
    base: int = 2
    """The size from which the generator grows its images; the paper's is 4."""
    learning_rate: float = 7e-4
    """Adam's, for both players."""
    beta1: float = 0.5
    """Adam's decay of the mean gradient."""
    beta2: float = 0.99
    """Adam's decay of the mean square."""
    r1: float = 1.0
    """Gamma of R1, whose weight is gamma / 2; 0 leaves it out."""
    ema: float = 0.995
    """Decay of the generator's averaged weights, which samples are drawn with."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What networks compute in; parameters, statistics and logits are float32."""
    accumulate: int = 1
    """Micro-batches that a turn's gradient is accumulated over."""

    @classmethod
    def tiny(cls, **changes: Any) -> "Config":
        """Seconds instead of minutes, for tests."""
        small = cls(steps=4, batch_size=8, latents=4, generator_width=4, discriminator_width=4)
        return dataclasses.replace(small, **changes)


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; a source in the place of ``config.data``."""
    many = (1, float("inf"))
    check_ranges(config, steps=many, batch_size=many, seed=(0, 2**32 - 1), latents=many, accumulate=many)
    check_ranges(config, generator_width=many, discriminator_width=many, learning_rate=(0, 1e6), r1=(0, 1e6))
    check_ranges(config, beta1=(0, 1), beta2=(0, 1), ema=(0, 1))
    source = data.load(config.data, size=config.size, channels=config.channels) if source is None else source
    if len(source.shape) != 3:
        raise ValueError(f"{source.name}: examples of shape {source.shape}; DCGAN takes images, experiments.gan any")
    size, width, channels = source.shape
    if size != width:
        raise ValueError(
            f"{source.name}: images of {size} x {width}; DCGAN makes square images, say --size {min(size, width)}"
        )
    check_ranges(config, crop=(0, size - 1))
    dtype = jnp.dtype(config.precision)
    penalised = isinstance(config.r1, jax.Array) or config.r1 > 0  # one that varies has no value here
    generator = dcgan.Generator(size, channels, config.generator_width, config.base, dtype)
    discriminator = dcgan.Discriminator(config.discriminator_width, config.base, dtype=dtype)

    def discriminator_loss(nets, batch, keys, step):
        real = augment.crop(keys, batch["image"], config.crop)
        real = augment.flip(keys, real) if config.flip else real
        real_logits, stats = nets.d.with_stats(real)
        fake_logits = nets.d(nets.g(latents(keys, config.latents)))
        adversarial = losses.non_saturating_discriminator(real_logits, fake_logits)
        penalty = {"r1": config.r1 / 2 * losses.r1(nets.d, real)} if penalised else {}
        metrics = losses.discriminator_metrics(real_logits, fake_logits)
        return total(adversarial=adversarial, **penalty, metrics=metrics, stats={"d": stats})

    def generator_loss(nets, batch, keys, step):
        fake, stats = nets.g.with_stats(latents(keys, config.latents))
        return total(adversarial=losses.non_saturating_generator(nets.d(fake)), stats={"g": stats})

    adam = optax.adam(config.learning_rate, config.beta1, config.beta2)
    gradient = accumulate(config.accumulate)
    game = Game(
        nets={
            "g": Net(generator, jnp.zeros((1, config.latents))),
            "d": Net(discriminator, jnp.zeros((1, *source.shape))),
        },
        players={
            "d": Player(("d",), discriminator_loss, adam, gradient),
            "g": Player(("g",), generator_loss, adam, gradient),
        },
        turns=(("d",), ("g",)),
        ema={"g": config.ema},
    )
    return Experiment(
        game,
        source,
        latents=lambda keys: latents(keys, config.latents),
        generate=lambda nets, z: nets.g(z),
    )


if __name__ == "__main__":
    main("dcgan", Config, build, __doc__)
