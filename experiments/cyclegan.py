"""CycleGAN: translation between two sets of images without pairs, trained by cycle consistency.

Paper      Zhu et al. 2017, arXiv:1703.10593, as in https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix
Command    jaxgan train cyclegan
Presets    --preset paper with --data cycle_gan/horse2zebra, which TFDS downloads; --preset demo: the default settings
Data       tiles of two textures of scikit-image, grass and gravel; --data FOLDER --data-a FOLDER names others
Hardware   two cores of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       19 minutes of wall time on a busy machine, 5 minutes of CPU time
Score      kid_768 0.0025: translations of 484 test tiles of grass, compared with 484 test tiles of gravel
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import Game, Net, Player, data, losses, media, total
from jaxgan.cli.program import main
from jaxgan.core.keys import fold_in_keys
from jaxgan.data import unpaired
from jaxgan.experiment import (
    COUNT,
    DEPTH,
    NON_NEGATIVE,
    Display,
    Experiment,
    ImageToImage,
    Sampling,
    Translation,
    TranslationSettings,
    is_enabled,
)
from jaxgan.games.pool import ImagePool
from jaxgan.models import cyclegan, pix2pix


@dataclasses.dataclass(frozen=True)
class Config(TranslationSettings):
    """Settings of the experiment, which determine its result. Domain A is translated to domain B, and B to A."""

    # Data
    data: str = "photos:gravel"
    """Path or name of the images of domain B. To pass both domains, name a folder that contains the folders trainA and
    trainB, or a TFDS data set such as cycle_gan/horse2zebra."""
    data_a: str | None = None
    """Path or name of the images of domain A. By default, photos:grass if ``data`` is photos:gravel. With any other
    ``data``, this setting is required unless ``data`` contains both domains."""
    test_data: str | None = None
    test_data_a: str | None = None
    """Path or name of the test images of domain A. This setting is required if test_data contains only domain B."""
    resolution: int | None = 32
    mirror: bool = True
    jitter: bool = True
    # Networks
    g_channels: int = 16
    """Number of channels of the generators' first layer (paper: 64)."""
    d_channels: int = 32
    """Number of channels of the discriminators' first layer (paper: 64)."""
    num_blocks: int = 6
    """Number of residual blocks of each generator (paper: 9 for images of 256 x 256 pixels and more)."""
    n_layers_d: int = 1
    """Number of strided convolutions of each discriminator. With 1, each logit depends on a patch of 16 x 16 pixels.
    The paper uses 3, for patches of 70 x 70 pixels in images of 256 x 256 pixels."""
    upsample: Literal["transposed", "nearest"] = "nearest"
    """Upsampling of the generators: transposed (transposed convolutions, as in the paper, which can produce grid
    patterns) or nearest (nearest-neighbour enlargement before a convolution, which avoids grid patterns)."""
    # Losses
    lambda_cycle: float = 10.0
    """Weight of the cycle consistency losses."""
    lambda_identity: float = 0.5
    """Weight of the identity losses, as a multiple of lambda_cycle."""
    pool_size: int = 50
    """Number of earlier fakes that are stored for each discriminator. The discriminator is trained on stored and new
    fakes. At 0, the discriminator is trained on new fakes only."""
    # Optimisation
    steps: int = 5000
    batch_size: int = 1
    learning_rate: float = 2e-4
    lr_constant_steps: int = 2500
    lr_decay_steps: int = 2500
    beta1: float = 0.5
    beta2: float = 0.999
    ema_decay: float = 0.0
    """Decay per step of the moving average of the generators' weights. Samples are generated with the averaged weights.
    At 0, samples are generated with the newest weights, as in the paper."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(
            steps=4,
            batch_size=8,
            resolution=16,
            num_blocks=1,
            g_channels=4,
            d_channels=4,
            n_layers_d=1,
            pool_size=3,
        )
        return dataclasses.replace(small, **changes)


PRESETS = {
    # The authors' settings for horse2zebra: 1,334 images in the larger domain, 100 epochs at a constant learning rate
    # and 100 epochs in which the learning rate falls.
    "paper": {
        "resolution": 256,
        "jitter": True,
        "mirror": True,
        "num_blocks": 9,
        "g_channels": 64,
        "upsample": "transposed",
        "d_channels": 64,
        "n_layers_d": 3,
        "lambda_cycle": 10.0,
        "lambda_identity": 0.5,
        "pool_size": 50,
        "batch_size": 1,
        "steps": 266_800,
        "learning_rate": 2e-4,
        "beta1": 0.5,
        "beta2": 0.999,
        "lr_constant_steps": 133_400,
        "lr_decay_steps": 133_400,
        "ema_decay": 0.0,
    },
    "demo": {},  # the default settings
}


def load_domains(config: Config, name: str, split: str, argument: str) -> data.Source:
    """Return the images of domain B, with images of domain A as their inputs."""
    domain_a = config.data_a if name == config.data else config.test_data_a
    if domain_a is None and name == "photos:gravel":
        domain_a = "photos:grass"
    return unpaired.load(
        name,
        domain_a,
        resolution=config.resolution,
        channels=config.channels,
        split=split,
        argument=argument,
        jpeg_draft=config.jpeg_draft,
    )


def networks(config: Config, shape: tuple[int, ...]) -> dict[str, Net]:
    """Return two generators, two discriminators and their pools of fakes, for images of this shape."""
    example = jnp.zeros((1, *shape))
    generator = cyclegan.Generator(
        shape[-1], config.num_blocks, config.g_channels, upsample=config.upsample, dtype=config.dtype
    )
    discriminator = pix2pix.Discriminator(config.n_layers_d, config.d_channels, "instance", config.dtype)
    pool = ImagePool(config.pool_size)
    return {
        "g_ab": Net(generator, example),
        "g_ba": Net(generator, example),
        "d_a": Net(discriminator, example),
        "d_b": Net(discriminator, example),
        "pool_a": Net(pool, example),
        "pool_b": Net(pool, example),
    }


def domains(config: Config, keys: jax.Array, batch: Any) -> tuple[jax.Array, jax.Array]:
    """Return a batch's images of A and of B, each augmented by random crops and mirroring."""
    return (
        config.jitter_and_mirror(keys, batch["input"]),
        config.jitter_and_mirror(fold_in_keys(keys, 3), batch["image"]),
    )


def translate(config: Config, nets: Any, a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array, dict[str, Any]]:
    """Return the translations of ``a`` to B and of ``b`` to A, and the pairs of images for the identity losses.

    Each generator is called once, with ``a`` and ``b`` concatenated, because one call with more images is faster than
    two calls. The result is the same, because instance normalisation does not mix images. The discriminators' loss does
    not use the pairs. They take no additional time there, because XLA computes the calls of both losses once.

    Args:
      config: the settings.
      nets: the networks.
      a: images of domain A, [B, height, width, C].
      b: images of domain B, [B, height, width, C].

    Returns:
      Translations of ``a``, translations of ``b``, and a dictionary from domains to pairs. A pair consists of images of
      the domain, translated by the generator that translates to this domain, and of the images themselves. The
      dictionary is empty if the weight of the identity losses is 0.
    """
    if not is_enabled(config.lambda_identity):
        return nets.g_ab(a), nets.g_ba(b), {}
    fake_b, same_b = jnp.split(nets.g_ab(jnp.concatenate([a, b])), 2)
    fake_a, same_a = jnp.split(nets.g_ba(jnp.concatenate([b, a])), 2)
    return fake_b, fake_a, {"a": (same_a, a), "b": (same_b, b)}


def discriminators_loss(config: Config) -> Callable:
    """Return the least-squares loss of both discriminators."""

    def loss(nets, batch, keys, step):
        a, b = domains(config, keys, batch)
        fake_b, fake_a, _ = translate(config, nets, a, b)
        terms, stats, all_real, all_fake = {}, {}, [], []
        for name, real, fake in (("a", a, fake_a), ("b", b, fake_b)):
            shown, stats[f"pool_{name}"] = nets[f"pool_{name}"].with_stats(fake, keys)
            d = nets[f"d_{name}"]
            real_logits, fake_logits = d(real).reshape(-1), d(shown).reshape(-1)  # one logit for each patch
            terms[f"adversarial_{name}"] = losses.least_squares_discriminator(real_logits, fake_logits)
            all_real.append(real_logits)
            all_fake.append(fake_logits)
        metrics = losses.score_metrics(jnp.concatenate(all_real), jnp.concatenate(all_fake), threshold=0.5)
        return total(**terms, metrics=metrics, stats=stats)

    return loss


def generators_loss(config: Config) -> Callable:
    """Return the loss of both generators: least squares, cycle consistency and identity."""

    def loss(nets, batch, keys, step):
        a, b = domains(config, keys, batch)
        fake_b, fake_a, identities = translate(config, nets, a, b)
        terms: dict[str, Any] = {
            # The authors' least squares have no factor of 1/2.
            "adversarial_ab": 2 * losses.least_squares_generator(nets.d_b(fake_b).reshape(-1)),
            "adversarial_ba": 2 * losses.least_squares_generator(nets.d_a(fake_a).reshape(-1)),
            "cycle_a": config.lambda_cycle * losses.l1(nets.g_ba(fake_b), a),
            "cycle_b": config.lambda_cycle * losses.l1(nets.g_ab(fake_a), b),
        }
        for name, (image, own) in identities.items():
            terms[f"identity_{name}"] = config.lambda_cycle * config.lambda_identity * losses.l1(image, own)
        return total(**terms)

    return loss


def cycle_sheet(there: str, back: str, inputs: str) -> Callable:
    """Return a function that draws an image sheet: images, their translations, and the translations back to the
    original domain.

    Args:
      there: name of the generator that translates the images to the other domain.
      back: name of the generator that translates the results back to the original domain.
      inputs: key of the images in a batch.
    """

    def sheet(nets, batch, keys):
        translated = nets[there](batch[inputs])
        return media.stack_rows(batch[inputs], translated, nets[back](translated))

    return sheet


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source``, which is unpaired, replaces ``config.data``."""
    config.check(
        num_blocks=DEPTH,
        g_channels=COUNT,
        d_channels=COUNT,
        n_layers_d=DEPTH,
        lambda_cycle=NON_NEGATIVE,
        lambda_identity=NON_NEGATIVE,
        pool_size=(0, 10_000),
    )
    source, test = config.load_train_and_test(functools.partial(load_domains, config), source)
    for each in (source, test):
        example = each.read(np.zeros(1, int))
        inputs = example["input"].shape[1:] if "input" in example else None
        if inputs != source.shape:
            raise ValueError(
                f"{each.name} has images of domain B of shape {source.shape} and images of domain A of shape {inputs}, "
                "but both domains must have the same shape; set `resolution` and `channels`."
            )
    game = Game(
        nets=networks(config, source.shape),
        players={
            "g": Player(("g_ab", "g_ba"), generators_loss(config), config.adam(), config.gradient),
            "d": Player(("d_a", "d_b"), discriminators_loss(config), config.adam(), config.gradient),
        },
        turns=(("g", "d"),),  # one turn: both players are updated from the same fakes
        ema={"g_ab": config.ema_decay, "g_ba": config.ema_decay},
    )
    channels = source.shape[-1]
    return Experiment(
        game,
        source,
        Sampling(latents=lambda keys, batch: batch["input"], generate=lambda nets, a: nets.g_ab(a)),
        Display(
            sheets={
                "a_to_b_to_a": cycle_sheet("g_ab", "g_ba", "input"),
                "b_to_a_to_b": cycle_sheet("g_ba", "g_ab", "image"),
            }
        ),
        ImageToImage(
            test,
            {
                "a_to_b": Translation(lambda nets, x, keys: nets.g_ab(x), channels, multiple=4),
                "b_to_a": Translation(lambda nets, x, keys: nets.g_ba(x), channels, multiple=4),
            },
        ),
    )


if __name__ == "__main__":
    main("cyclegan", Config, build, __doc__, presets=PRESETS)
