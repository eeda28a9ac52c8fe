"""pix2pix: images made of images that belong to them: colours of grey, what is missing, photographs of drawings.

Paper      Isola et al. 2017, arXiv:1611.07004, as in https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix: a
           U-Net, a discriminator of patches that sees the input too, cross-entropy + 100 L1
Command    jaxgan train pix2pix
Presets    --preset paper --data facades/train --test-data facades/test: the paper's, for pairs side by side; --preset
           demo: the defaults
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
    NON_NEGATIVE,
    Display,
    Experiment,
    ImageToImage,
    Sampling,
    Translation,
    TranslationSettings,
    idle_player,
    is_enabled,
)
from jaxgan.models import pix2pix


@dataclasses.dataclass(frozen=True)
class Config(TranslationSettings):
    """What the result depends on."""

    # Data
    data: str = "photos"
    data_a: str | None = None
    """The folder of inputs, of pairs that lie in two folders."""
    test_data: str | None = None
    test_data_a: str | None = None
    """The folder of inputs that belongs to test_data, as data_a to data."""
    resolution: int | None = None
    mirror: bool = True
    jitter: bool = True
    inputs: Literal["pairs", "edges", "grey", "hole"] = "grey"
    """What images are made of: pairs takes the data's own; others are derived from the images: line drawings, grey
    images, or images with a part missing."""
    direction: pairs.Direction = "right-to-left"
    """Of pairs that lie side by side in one file: from which half to which."""
    # Networks
    g_channels: int = 32
    """Channels of the U-Net's first level; the paper's are 64."""
    d_channels: int = 32
    """Channels of the discriminator's first layer; the paper's are 64."""
    n_layers_d: int = 1
    """Strided convolutions of the discriminator. 1 judges patches of 16 x 16 pixels, which are to images of
    64 x 64 what the paper's 3 layers, of patches of 70 x 70, are to images of 256 x 256; 0 judges single pixels."""
    num_downs: int | None = None
    """Levels of the U-Net, 8 for 256 x 256. Without it, they go down to one pixel."""
    norm: Literal["batch", "instance", "none"] = "batch"
    """Normalisation in both networks."""
    dropout: float = 0.5
    """Share of features that the generator's inner levels drop, at test too: it is what makes its images differ."""
    # Losses
    loss: Literal["cross_entropy", "least_squares"] = "cross_entropy"
    """The adversarial loss."""
    lambda_l1: float = 100.0
    """Weight of the L1 difference from the image that belongs to the input."""
    adv_weight: float = 1.0
    """Weight of the adversarial loss; at 0 only L1 is minimised."""
    # Optimisation
    steps: int = 3000
    batch_size: int = 8
    learning_rate: float = 6e-4
    lr_constant_steps: int = 1500
    lr_decay_steps: int = 1500
    beta1: float = 0.5
    beta2: float = 0.999
    ema_decay: float = 0.0
    """Decay of the moving average of the generator's weights; at 0 samples are drawn with the newest, as in the
    paper."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Settings for tests."""
        small = cls(steps=4, batch_size=8, resolution=16, g_channels=4, d_channels=4, n_layers_d=2)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # The authors' facades: 400 pairs, 100 epochs and 100 more in which the rate falls.
    "paper": {
        "inputs": "pairs",
        "resolution": 256,
        "jitter": True,
        "mirror": True,
        "num_downs": 8,
        "g_channels": 64,
        "d_channels": 64,
        "n_layers_d": 3,
        "norm": "batch",
        "dropout": 0.5,
        "loss": "cross_entropy",
        "lambda_l1": 100.0,
        "batch_size": 1,
        "steps": 80_000,
        "learning_rate": 2e-4,
        "beta1": 0.5,
        "beta2": 0.999,
        "lr_constant_steps": 40_000,
        "lr_decay_steps": 40_000,
        "ema_decay": 0.0,
    },
    "demo": {},  # the defaults
}


class Adversarial(NamedTuple):
    """An adversarial loss.

    Attributes:
      discriminator: of the logits of reals and of fakes, [N] each.
      generator: of the logits of fakes, [N].
      undecided: the logit at which the discriminator is undecided.
    """

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[[jax.Array], jax.Array]
    undecided: float


def halved_cross_entropy(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """The discriminator's loss, halved so that it learns more slowly than the generator: section 3.3."""
    return 0.5 * losses.non_saturating_discriminator(real_logits, fake_logits)


def doubled_least_squares(fake_logits: jax.Array) -> jax.Array:
    """The generator's loss: the authors' has no factor of 1/2."""
    return 2 * losses.least_squares_generator(fake_logits)


ADVERSARIAL = {
    "cross_entropy": Adversarial(halved_cross_entropy, losses.non_saturating_generator, 0.0),
    "least_squares": Adversarial(losses.least_squares_discriminator, doubled_least_squares, 0.5),
}


def load_pairs(config: Config, name: str, split: str) -> data.Source:
    """Images, with inputs of their own if ``inputs`` are pairs."""
    if config.inputs != "pairs":
        return data.load(name, resolution=config.resolution, channels=config.channels, split=split)
    inputs = config.data_a if name == config.data else config.test_data_a
    side_by_side = inputs is None and not name.endswith(".npz")
    direction = config.direction if side_by_side else "left-to-right"
    return pairs.load(name, inputs, resolution=config.resolution, channels=config.channels, direction=direction)


def networks(config: Config, channels: int, size: int) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator for images of this size."""
    num_downs = config.num_downs or size.bit_length() - 1
    # Trained on batches of one image, the networks have only seen statistics of single images; else only of batches.
    eval_stats = "instance" if config.batch_size == 1 else "running"
    generator = pix2pix.Generator(
        channels, num_downs, config.g_channels, config.norm, config.dropout, eval_stats, config.dtype
    )
    if not config.n_layers_d:
        return generator, pix2pix.PixelDiscriminator(config.d_channels, config.norm, dtype=config.dtype)
    return generator, pix2pix.Discriminator(config.n_layers_d, config.d_channels, config.norm, dtype=config.dtype)


def derive_inputs(config: Config, keys: jax.Array, images: jax.Array) -> jax.Array:
    """The generator's inputs, made of images inside the compiled step."""
    if config.inputs == "edges":
        return degrade.draw_edges(images)
    if config.inputs == "grey":
        return degrade.to_grey(images)
    return degrade.mask_rectangle(images, keys)


def inputs_of(config: Config, keys: jax.Array, batch: Any) -> jax.Array:
    """The generator's inputs: the batch's own, or derived from its images."""
    return batch["input"] if config.inputs == "pairs" else derive_inputs(config, keys, batch["image"])


def training_pairs(config: Config, keys: jax.Array, batch: Any) -> tuple[jax.Array, jax.Array]:
    """Inputs and images, cropped and mirrored alike."""
    pair = {name: config.jitter_and_mirror(keys, batch[name]) for name in ("image", "input") if name in batch}
    return inputs_of(config, keys, pair), pair["image"]


def generate(config: Config, nets: Any, inputs: jax.Array, keys: jax.Array) -> tuple[jax.Array, Any]:
    """The generator's images, and its statistics; around a hole, the input's pixels stay."""
    images, stats = nets.g.with_stats(inputs, keys)
    return (degrade.composite(inputs, images) if config.inputs == "hole" else images), stats


def discriminator_loss(config: Config) -> Callable:
    """The loss of the discriminator, which sees the input beside the image."""
    adversarial = ADVERSARIAL[config.loss]

    def loss(nets, batch, keys, step):
        inputs, real = training_pairs(config, keys, batch)
        fake, _ = generate(config, nets, inputs, keys)
        real_logits, stats = nets.d.with_stats(inputs, real)
        real_logits, fake_logits = real_logits.reshape(-1), nets.d(inputs, fake).reshape(-1)  # one for each patch
        metrics = losses.discriminator_metrics(real_logits - adversarial.undecided, fake_logits - adversarial.undecided)
        value = adversarial.discriminator(real_logits, fake_logits)
        return total(adversarial=value, metrics=metrics, stats={"d": stats})

    return loss


def generator_loss(config: Config) -> Callable:
    """The loss of the generator: L1, and the adversarial loss if it has a weight."""
    adversarial = ADVERSARIAL[config.loss]

    def loss(nets, batch, keys, step):
        inputs, real = training_pairs(config, keys, batch)
        fake, stats = generate(config, nets, inputs, keys)
        terms: dict[str, Any] = {"l1": config.lambda_l1 * losses.l1(fake, real)}
        if is_enabled(config.adv_weight):
            terms["adversarial"] = config.adv_weight * adversarial.generator(nets.d(inputs, fake).reshape(-1))
        return total(**terms, stats={"g": stats})

    return loss


def translations(config: Config, inputs_channels: int, channels: int, multiple: int) -> dict[str, Translation]:
    """From inputs to images; and where inputs are derived from whole images, from images to images."""

    def to_image(nets, inputs, keys):
        if config.inputs == "hole":
            inputs = degrade.mask_transparent(inputs)
        return generate(config, nets, inputs, keys)[0]

    def remake(nets, images, keys):
        return generate(config, nets, derive_inputs(config, keys, images), keys)[0]

    found = {"to_image": Translation(to_image, inputs_channels, multiple)}
    if config.inputs in ("edges", "grey"):
        found["remake"] = Translation(remake, channels, multiple)
    return found


def check(config: Config) -> None:
    """``ValueError`` for settings that are out of their range, or do not go together."""
    config.check(
        g_channels=COUNT,
        d_channels=COUNT,
        n_layers_d=(0, 6),
        dropout=(0, 0.99),
        adv_weight=NON_NEGATIVE,
        lambda_l1=NON_NEGATIVE,
    )
    for name in ("data_a", "test_data_a"):
        if config.inputs != "pairs" and getattr(config, name):
            raise ValueError(
                f"`{name}` is the folder of inputs of pairs, but `inputs` is {config.inputs}; set `inputs` to pairs."
            )


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; a source in the place of ``config.data``."""
    check(config)
    source, test = config.load_train_and_test(functools.partial(load_pairs, config), source)
    size, _, channels = source.shape
    if config.inputs == "grey" and channels == 1:
        raise ValueError("`inputs` cannot be grey for images that are grey themselves; set it to edges or hole.")
    generator, discriminator = networks(config, channels, size)

    def before_and_after(nets, batch, keys):
        """Inputs, below them what is made of them, and the images that they belong to."""
        inputs = inputs_of(config, keys, batch)
        generated, _ = generate(config, nets, inputs, keys)
        return media.stack_rows(media.match_channels(inputs, channels), generated, batch["image"])

    example = jnp.zeros((1, *source.shape))
    inputs = inputs_of(config, jax.random.split(jax.random.key(0), 1), data.normalize(source.read(np.zeros(1, int))))
    g = Player(("g",), generator_loss(config), config.adam(), config.gradient)
    d = Player(("d",), discriminator_loss(config), config.adam(), config.gradient)
    game = Game(
        nets={"g": Net(generator, inputs), "d": Net(discriminator, inputs, example)},
        players={"d": d if is_enabled(config.adv_weight) else idle_player(d), "g": g},
        turns=(("d",), ("g",)),
        ema={"g": config.ema_decay},
    )
    return Experiment(
        game,
        source,
        Sampling(
            latents=lambda keys, batch: {"inputs": inputs_of(config, keys, batch), "keys": keys},
            generate=lambda nets, z: generate(config, nets, z["inputs"], z["keys"])[0],
        ),
        Display(sheets={"before_and_after": before_and_after}),
        ImageToImage(test, translations(config, inputs.shape[-1], channels, 2**generator.num_downs), paired=True),
    )


if __name__ == "__main__":
    main("pix2pix", Config, build, __doc__, presets=PRESETS)
