"""CycleGAN: images of one kind made of another, of which none belongs to any: what goes there has to come back.

Paper      Zhu et al. 2017, arXiv:1703.10593, as in https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix: residual
           networks both ways, least squares, cycles and identities in L1, a pool of 50 fakes
Command    jaxgan train cyclegan
Presets    --preset paper --data cycle_gan/horse2zebra: the paper's, on images that TFDS downloads; for others change
           --steps, --lr-constant-steps and --lr-decay-steps; --preset demo: the defaults
Data       tiles of two textures that come with scikit-image, grass to gravel; --data FOLDER --data-a FOLDER, or
           a TFDS name, cycle_gan/horse2zebra
Hardware   one core of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       10 minutes of processor time; 24 for EuroSAT below
Score      EuroSAT's rivers and highways, --resolution 64 --num-blocks 4 --n-layers-d 2 --lambda-cycle 5 --steps 6000
           --lr-constant-steps 3500 --lr-decay-steps 2500, one seed: a classifier of the two, which saw each real one
           turned and mirrored in eight ways and is right on 95 and 99 % of others, takes 96.5 % of rivers' translations
           for highways and 96.7 % of highways' for rivers; another, right on 92 and 96 %, 95.7 and 98.4 %. What is
           translated keeps its course: a linear classifier of Inception's 768 features, right on 95 and 98 %, is
           persuaded by 41 and 62 %. With --lambda-cycle 10 the first took 97.6 and 84.0 %, with that and --n-layers-d
           1, 63.5 and 99.6 %; with --n-layers-d 1, 6 blocks and --upsample transposed, after 5,000 steps, 77.6 and 76.2
           %, and a grid is seen. Both cycles' error, weights and all, fell from 1.79 to 1.18, means of 200 steps. The
           command's own: blades of grass become stones, and grass again; both cycles' error fell from 5.1 to 2.1, means
           of 100 steps
           python -m pytest -n 0 -s -m slow tests/experiments/test_image_to_image.py
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
    """What the result depends on. Images of domain A are translated to domain B, and back."""

    # Data
    data: str = "photos:gravel"
    """Images of domain B; or a TFDS name that has both domains, as cycle_gan/horse2zebra."""
    data_a: str | None = None
    """Images of domain A, if they have another name than those of B. For photos:gravel it is photos:grass."""
    test_data: str | None = None
    test_data_a: str | None = None
    """Images of domain A that belong to test_data, as data_a to data."""
    resolution: int | None = 32
    mirror: bool = True
    jitter: bool = True
    # Networks
    g_channels: int = 16
    """Channels of the generators' first layer; the paper's are 64."""
    d_channels: int = 32
    """Channels of the discriminators' first layer; the paper's are 64."""
    num_blocks: int = 6
    """Residual blocks of a generator; the paper's has 9 for images of 256 x 256 and more."""
    n_layers_d: int = 1
    """Strided convolutions of the discriminators. 1 judges patches of 16 x 16 pixels, which are to images of
    64 x 64 what the paper's 3 layers, of patches of 70 x 70, are to images of 256 x 256."""
    upsample: Literal["transposed", "nearest"] = "nearest"
    """What doubles the resolution: the authors' transposed convolutions, or nearest neighbours, which draw no grid."""
    # Losses
    lambda_cycle: float = 10.0
    """Weight of the cycle consistency losses."""
    lambda_identity: float = 0.5
    """Weight of the identity losses, as a factor of lambda_cycle."""
    pool_size: int = 50
    """Past fakes that each discriminator is shown some of; 0 for none."""
    # Optimisation
    steps: int = 5000
    batch_size: int = 1
    learning_rate: float = 2e-4
    lr_constant_steps: int = 2500
    lr_decay_steps: int = 2500
    beta1: float = 0.5
    beta2: float = 0.999
    ema_decay: float = 0.0
    """Decay of the moving average of the generators' weights; at 0 samples are drawn with the newest, as in the
    paper."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Settings for tests."""
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
    # The authors' horse2zebra: 1,334 images of the larger domain, 100 epochs and 100 more in which the rate falls.
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
    "demo": {},  # the defaults
}


def load_domains(config: Config, name: str, split: str) -> data.Source:
    """Images of domain B, and as their inputs images of domain A."""
    domain_a = config.data_a if name == config.data else config.test_data_a
    if domain_a is None and name == "photos:gravel":
        domain_a = "photos:grass"
    return unpaired.load(name, domain_a, resolution=config.resolution, channels=config.channels, split=split)


def networks(config: Config, shape: tuple[int, ...]) -> dict[str, Net]:
    """Two generators, two discriminators and their pools, for images of this shape."""
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
    """Images of A and of B as networks see them in training, cropped and mirrored independently."""
    return (
        config.jitter_and_mirror(keys, batch["input"]),
        config.jitter_and_mirror(fold_in_keys(keys, 3), batch["image"]),
    )


def translate(config: Config, nets: Any, a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array, dict[str, Any]]:
    """Translations of ``a`` to B and of ``b`` to A; and by domain what the identity losses compare.

    Each generator is called once: products of twice as many rows are faster, and normalisation is of each image alone.
    The discriminators' loss has no use for the identities, but XLA shares these calls with the generators' loss.
    """
    if not is_enabled(config.lambda_identity):
        return nets.g_ab(a), nets.g_ba(b), {}
    fake_b, same_b = jnp.split(nets.g_ab(jnp.concatenate([a, b])), 2)
    fake_a, same_a = jnp.split(nets.g_ba(jnp.concatenate([b, a])), 2)
    return fake_b, fake_a, {"a": (same_a, a), "b": (same_b, b)}


def discriminators_loss(config: Config) -> Callable:
    """The loss of both discriminators, by least squares."""

    def loss(nets, batch, keys, step):
        a, b = domains(config, keys, batch)
        fake_b, fake_a, _ = translate(config, nets, a, b)
        terms, stats, all_real, all_fake = {}, {}, [], []
        for name, real, fake in (("a", a, fake_a), ("b", b, fake_b)):
            shown, stats[f"pool_{name}"] = nets[f"pool_{name}"].with_stats(fake, keys)
            d = nets[f"d_{name}"]
            real_logits, fake_logits = d(real).reshape(-1), d(shown).reshape(-1)  # one for each patch
            terms[f"adversarial_{name}"] = losses.least_squares_discriminator(real_logits, fake_logits)
            all_real.append(real_logits)
            all_fake.append(fake_logits)
        # With least squares a discriminator is undecided at 1/2.
        metrics = losses.discriminator_metrics(jnp.concatenate(all_real) - 0.5, jnp.concatenate(all_fake) - 0.5)
        return total(**terms, metrics=metrics, stats=stats)

    return loss


def generators_loss(config: Config) -> Callable:
    """The loss of both generators: least squares, cycle consistency and identity."""

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
    """A sheet: images, below them their translations, and below these what they are translated back to."""

    def sheet(nets, batch, keys):
        translated = nets[there](batch[inputs])
        return media.stack_rows(batch[inputs], translated, nets[back](translated))

    return sheet


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; an unpaired source in the place of ``config.data``."""
    config.check(
        num_blocks=COUNT,
        g_channels=COUNT,
        d_channels=COUNT,
        n_layers_d=COUNT,
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
                f"{each.name} has images of domain B of shape {source.shape} and of domain A of shape {inputs}, but "
                "both must have one shape; set `resolution` and `channels`."
            )
    game = Game(
        nets=networks(config, source.shape),
        players={
            "g": Player(("g_ab", "g_ba"), generators_loss(config), config.adam(), config.gradient),
            "d": Player(("d_a", "d_b"), discriminators_loss(config), config.adam(), config.gradient),
        },
        turns=(("g", "d"),),  # the discriminators see the fakes by which the generators are updated
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
