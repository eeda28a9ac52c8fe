"""pix2pix: images made of images that belong to them: colours of grey, what is missing, photographs of drawings.

Paper      Isola et al. 2017, arXiv:1611.07004, as in https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix: a
           U-Net, a discriminator of patches that sees the input too, cross-entropy + 100 L1. Its own settings, of
           images of 256: --resolution 256 --batch-size 1 --g-channels 64 --d-channels 64 --n-layers-d 3
           --learning-rate 2e-4 --steps 80000 --lr-constant-steps 40000 --lr-decay-steps 40000
Command    python -m experiments.pix2pix
Data       photographs that come with scikit-learn and scikit-image, in tiles, of themselves in grey; --inputs edges of
           line drawings, of which so few photographs do not teach what was drawn; --inputs hole of the rest; pairs:
           --inputs pairs --data FOLDER, files side by side, or --data IMAGES --data-a INPUTS, of equal names
Hardware   one core of a shared AMD EPYC (Zen 4), jax 0.10.2, float32; what has 4,000 steps, of an Intel Xeon
Time       16 minutes of processor time; 0.26 s a step of the facades below
Score      CMP's facades, 400 to train on and 100 to measure, --inputs pairs --resolution 64 --lambda-l1 10 --steps 6000
           --lr-constant-steps 3000 --lr-decay-steps 3000, one seed: fid_768 1.03,
           L1 0.334, SSIM 0.318. L1 alone, --adv-weight 0, as long: 1.43, 0.307 and 0.367; one mean image for all: 3.32;
           100 of the 400 themselves: 0.44. With 4,000 steps the game reached 1.19, L1 alone 1.53. The rate, the patches
           and L1's weight are the best of six settings; with the paper's, at this size, the distance was 2.07. The
           command's own: colours of skin, petals, wood and metal that may be and often are not those of the photograph,
           PSNR 20.8 dB of 400 tiles held out, of which grey itself has 24.1. --inputs hole --data tiles:T91
           --resolution 64 --steps 1500 --lr-constant-steps 1000 --lr-decay-steps 500, 9 minutes: 24.1 dB on 400 tiles
           of Set14, where the nearest known pixel has 23.7 and grey 18.6
           python -m pytest -n 0 -s -m slow tests/experiments/test_image_to_image.py
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import Game, Net, Player, data, losses, media, total
from jaxgan.cli.program import main
from jaxgan.data import degrade, pairs
from jaxgan.experiment import (
    COUNT,
    WEIGHT,
    Display,
    Experiment,
    ImageToImage,
    Sampling,
    Translation,
    TranslationSettings,
    positive,
    waiting,
)
from jaxgan.models import pix2pix

MADE = {  # of an image and its key, inside the compiled step
    "edges": lambda keys, images: degrade.edges(images),
    "grey": lambda keys, images: degrade.grey(images),
    "hole": lambda keys, images: degrade.masked(images, keys),
}


class Adversarial(NamedTuple):
    """The game of a loss: of logits, [N], and that at which D is unsure."""

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]  # of reals' and of fakes'
    generator: Callable[[jax.Array], jax.Array]
    unsure: float


GAMES = {
    # Halved, so that D learns more slowly than G: section 3.3.
    "cross_entropy": Adversarial(
        lambda real, fake: 0.5 * losses.non_saturating_discriminator(real, fake), losses.non_saturating_generator, 0.0
    ),
    # The authors' has a half in D's alone.
    "least_squares": Adversarial(
        losses.least_squares_discriminator, lambda fake: 2 * losses.least_squares_generator(fake), 0.5
    ),
}


@dataclasses.dataclass(frozen=True)
class Config(TranslationSettings):
    """What the result depends on."""

    data: str = "photos"
    inputs: Literal["pairs", "edges", "grey", "hole"] = "grey"
    """What images are made of: the data's own pairs, or what is made of them: line drawings, grey, a part missing."""
    data_a: str | None = None
    """Of pairs in two folders, that of the inputs."""
    test_data_a: str | None = None
    """The same of test_data."""
    direction: pairs.Direction = "right-to-left"
    """Of pairs side by side in a file: from which half."""
    steps: int = 3000
    batch_size: int = 8
    learning_rate: float = 6e-4
    lr_constant_steps: int = 1500
    lr_decay_steps: int = 1500
    num_downs: int | None = None
    """Levels of the U-Net, 8 for 256 x 256. Not given: down to one pixel."""
    g_channels: int = 32
    """Features of the U-Net's first level; the paper's are 64."""
    d_channels: int = 32
    """Features of the discriminator's first layer; the paper's are 64."""
    n_layers_d: int = 1
    """Of the discriminator: 1 for patches of 16 x 16 pixels, which are to images of 64 what the paper's 3, for patches
    of 70 x 70, are to images of 256; 0 for single pixels."""
    norm: Literal["batch", "instance", "none"] = "batch"
    """Of both networks."""
    dropout: float = 0.5
    """The share that the generator's inner levels drop, at test too: it is what makes its images differ."""
    loss: Literal["cross_entropy", "least_squares"] = "cross_entropy"
    """Of the game."""
    adv_weight: float = 1.0
    """Weight of the game; 0 leaves L1 alone."""
    lambda_l1: float = 100.0
    """Weight of the difference from the image that belongs to the input."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        small = {"g_channels": 4, "d_channels": 4, "n_layers_d": 2, "resolution": 16, "batch_size": 8}
        return super().tiny(**{**small, **changes})


def loaded(config: Config, name: str, split: str) -> data.Source:
    """Images, or pairs of them."""
    if config.inputs != "pairs":
        return data.load(name, size=config.resolution, channels=config.channels, split=split)
    inputs = config.data_a if name == config.data else config.test_data_a
    beside = inputs is None and not name.endswith(".npz")
    direction = config.direction if beside else "left-to-right"
    return pairs.load(name, inputs, size=config.resolution, channels=config.channels, direction=direction)


def networks(config: Config, channels: int, size: int) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of images of a size."""
    downs = config.num_downs or size.bit_length() - 1
    # Trained on one image at a time, a network knows an image's own statistics alone; on several, only their mix.
    at_test = "image" if config.batch_size == 1 else "averages"
    generator = pix2pix.Generator(
        channels, downs, config.g_channels, config.norm, 1 - config.dropout, at_test, config.dtype
    )
    if not config.n_layers_d:
        return generator, pix2pix.PixelDiscriminator(config.d_channels, config.norm, dtype=config.dtype)
    return generator, pix2pix.Discriminator(config.n_layers_d, config.d_channels, config.norm, dtype=config.dtype)


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; a source in the place of ``config.data``."""
    config.check(
        **dict.fromkeys(("g_channels", "d_channels"), COUNT),
        **dict.fromkeys(("adv_weight", "lambda_l1"), WEIGHT),
        n_layers_d=(0, 6),
        dropout=(0, 0.99),
    )
    if config.inputs != "pairs" and (config.data_a or config.test_data_a):
        flag = "--data-a" if config.data_a else "--test-data-a"
        raise ValueError(f"{flag}: of pairs, and with --inputs {config.inputs} there are none; give --inputs pairs")
    source, test = config.with_test(functools.partial(loaded, config), source)
    size, _, channels = source.shape
    if config.inputs == "grey" and channels == 1:
        raise ValueError("--inputs grey: these images are grey themselves; give --inputs edges or hole")
    generator, discriminator = networks(config, channels, size)
    adversarial, is_game = GAMES[config.loss], positive(config.adv_weight)

    def made(keys, batch):
        """What the generator takes."""
        return batch["input"] if config.inputs == "pairs" else MADE[config.inputs](keys, batch["image"])

    def examples(keys, batch):
        """Input and image, enlarged, cut and mirrored alike."""
        pair = {name: config.augmented(keys, batch[name]) for name in ("image", "input") if name in batch}
        return made(keys, pair), pair["image"]

    def generated(nets, given, keys):
        """The generator's images, and its statistics; of an image with a hole what is there stays."""
        images, stats = nets.g.with_stats(given, keys)
        return (degrade.composite(given, images) if config.inputs == "hole" else images), stats

    def discriminator_loss(nets, batch, keys, step):
        given, real = examples(keys, batch)
        fake, _ = generated(nets, given, keys)
        real_logits, stats = nets.d.with_stats(given, real)
        real_logits, fake_logits = real_logits.reshape(-1), nets.d(given, fake).reshape(-1)  # a value for each patch
        metrics = losses.discriminator_metrics(real_logits - adversarial.unsure, fake_logits - adversarial.unsure)
        loss = adversarial.discriminator(real_logits, fake_logits)
        return total(adversarial=loss, metrics=metrics, stats={"d": stats})

    def generator_loss(nets, batch, keys, step):
        given, real = examples(keys, batch)
        fake, stats = generated(nets, given, keys)
        terms: dict[str, Any] = {"l1": config.lambda_l1 * losses.l1(fake, real)}
        if is_game:
            terms["adversarial"] = config.adv_weight * adversarial.generator(nets.d(given, fake).reshape(-1))
        return total(**terms, stats={"g": stats})

    def before_and_after(nets, batch, keys):
        """Inputs, beneath them what is made of them, and the images that they belong to."""
        given = made(keys, batch)
        return media.stack_rows(media.match_channels(given, channels), generated(nets, given, keys)[0], batch["image"])

    example = jnp.zeros((1, *source.shape))
    given = made(jax.random.split(jax.random.key(0), 1), data.normalize(source.read(np.zeros(1, int))))
    d = Player(("d",), discriminator_loss, config.adam(), config.gradient)
    game = Game(
        nets={"g": Net(generator, given), "d": Net(discriminator, given, example)},
        players={
            "d": d if is_game else waiting(d),
            "g": Player(("g",), generator_loss, config.adam(), config.gradient),
        },
        turns=(("d",), ("g",)),
        ema={"g": config.ema_decay},
    )
    multiple = 2**generator.downs
    taken = degrade.holed if config.inputs == "hole" else lambda x: x
    translations = {
        "to_image": Translation(lambda nets, x, keys: generated(nets, taken(x), keys)[0], given.shape[-1], multiple)
    }
    if config.inputs in ("edges", "grey"):
        again = lambda nets, x, keys: generated(nets, MADE[config.inputs](keys, x), keys)[0]  # noqa: E731
        translations["remake"] = Translation(again, channels, multiple)
    return Experiment(
        game,
        source,
        Sampling(
            latents=lambda keys, batch: {"given": made(keys, batch), "keys": keys},
            generate=lambda nets, z: generated(nets, z["given"], z["keys"])[0],
        ),
        Display(sheets={"before_and_after": before_and_after}),
        ImageToImage(test, translations, paired=True),
    )


if __name__ == "__main__":
    main("pix2pix", Config, build, __doc__)
