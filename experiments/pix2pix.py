"""pix2pix: translation of images, trained on pairs of images such as grey images and their originals in colour.

Paper      Isola et al. 2017, arXiv:1611.07004, as in https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix
Command    jaxgan train pix2pix
Presets    --preset paper with --data facades/train --test-data facades/test; --preset demo has the default settings
Data       tiles of photographs of scikit-learn and scikit-image, with grey tiles as inputs; see --inputs and --data
Hardware   one core of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       16 minutes of processor time
Score      PSNR 20.8 dB of 400 held-out tiles, by evaluate --metrics psnr; the grey tiles themselves have 24.1 dB
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
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "photos"
    data_a: str | None = None
    """With ``inputs`` pairs: folder of the input images. Files in this folder and in ``data`` with the same name form a
    pair. By default, ``data`` contains both images of each pair."""
    test_data: str | None = None
    test_data_a: str | None = None
    """Folder of the input images of test_data. By default, test_data contains both images of each pair."""
    resolution: int | None = None
    mirror: bool = True
    jitter: bool = True
    inputs: Literal["pairs", "edges", "grey", "hole"] = "grey"
    """Inputs of the generator: pairs (input images from the data), edges (line drawings of the images), grey (grey
    versions of the images) or hole (the images with a missing rectangle)."""
    halves: pairs.Halves = "square"
    """With ``inputs`` pairs: shape of the two halves of a file that contains an input and its image: square, or any.
    With square, files that are not about twice as wide as high are refused, because they are probably photographs."""
    direction: pairs.Direction = "right-to-left"
    """Direction of the translation, for files that contain the two images of a pair side by side."""
    # Networks
    g_channels: int = 32
    """Number of channels of the U-Net's first level (paper: 64)."""
    d_channels: int = 32
    """Number of channels of the discriminator's first layer (paper: 64)."""
    n_layers_d: int = 1
    """Number of strided convolutions of the discriminator. With 1, each logit depends on a patch of 16 x 16 pixels. The
    paper uses 3, for patches of 70 x 70 pixels in images of 256 x 256 pixels. With 0, each logit depends on one
    pixel."""
    num_downs: int | None = None
    """Number of levels of the U-Net (paper: 8 for 256 x 256 pixels). Each level halves the resolution. By default, the
    U-Net has enough levels to reduce an image to one pixel."""
    norm: Literal["batch", "instance", "none"] = "batch"
    """Normalisation layers of both networks."""
    dropout: float = 0.5
    """Dropout rate of the generator's inner levels. Dropout is also active when images are translated, because it is
    the only source of randomness."""
    # Losses
    loss: Literal["cross_entropy", "least_squares"] = "cross_entropy"
    """Adversarial loss of both networks."""
    lambda_l1: float = 100.0
    """Weight of the L1 loss between the generated and the real image."""
    adv_weight: float = 1.0
    """Weight of the adversarial loss. At 0, only the L1 loss is minimised."""
    # Optimisation
    steps: int = 3000
    batch_size: int = 8
    learning_rate: float = 6e-4
    lr_constant_steps: int = 1500
    lr_decay_steps: int = 1500
    beta1: float = 0.5
    beta2: float = 0.999
    ema_decay: float = 0.0
    """Decay per step of the moving average of the generator's weights. Samples are generated with the averaged weights.
    At 0, samples are generated with the newest weights, as in the paper."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(steps=4, batch_size=8, resolution=16, g_channels=4, d_channels=4, n_layers_d=2)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # The authors' settings for facades: 400 pairs, 100 epochs at a constant learning rate and 100 epochs in which the
    # learning rate falls.
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
    "demo": {},  # the default settings
}


class Adversarial(NamedTuple):
    """An adversarial loss.

    Attributes:
      discriminator: function from logits of real images, [N], and logits of fakes, [N], to losses, [N].
      generator: function from logits of fakes, [N], to losses, [N].
      metrics: function from logits of real images and of fakes, [N] each, to metrics.
    """

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[[jax.Array], jax.Array]
    metrics: Callable[[jax.Array, jax.Array], dict[str, jax.Array]]


def halved_cross_entropy(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """Return half of the discriminator's loss, so that D learns more slowly than the generator (section 3.3)."""
    return 0.5 * losses.non_saturating_discriminator(real_logits, fake_logits)


def doubled_least_squares(fake_logits: jax.Array) -> jax.Array:
    """Return the generator's least-squares loss, which has no factor of 1/2 in the authors' code."""
    return 2 * losses.least_squares_generator(fake_logits)


ADVERSARIAL = {
    "cross_entropy": Adversarial(halved_cross_entropy, losses.non_saturating_generator, losses.discriminator_metrics),
    "least_squares": Adversarial(
        losses.least_squares_discriminator,
        doubled_least_squares,
        functools.partial(losses.score_metrics, threshold=0.5),
    ),
}


def load_pairs(config: Config, name: str, split: str, argument: str) -> data.Source:
    """Load the images. If the setting ``inputs`` is pairs, the source also contains their inputs."""
    if config.inputs != "pairs":
        return config.load_split(name, split, argument)
    inputs = config.data_a if name == config.data else config.test_data_a
    side_by_side = inputs is None and not name.endswith(".npz")
    direction = config.direction if side_by_side else "left-to-right"
    return pairs.load(
        name,
        inputs,
        resolution=config.resolution,
        channels=config.channels,
        direction=direction,
        halves=config.halves,
        split=split,
        argument=argument,
    )


def networks(config: Config, channels: int, size: int) -> tuple[nn.Module, nn.Module]:
    """Return the generator and the discriminator for images of this number of channels and size."""
    num_downs = config.num_downs or size.bit_length() - 1
    # With batches of one image, training normalises by the statistics of single images, so sampling does the same.
    eval_stats = "instance" if config.batch_size == 1 else "running"
    generator = pix2pix.Generator(
        channels, num_downs, config.g_channels, config.norm, config.dropout, eval_stats, config.dtype
    )
    if not config.n_layers_d:
        return generator, pix2pix.PixelDiscriminator(config.d_channels, config.norm, dtype=config.dtype)
    return generator, pix2pix.Discriminator(config.n_layers_d, config.d_channels, config.norm, dtype=config.dtype)


def derive_inputs(config: Config, keys: jax.Array, images: jax.Array) -> jax.Array:
    """Compute the generator's inputs from images, as the setting ``inputs`` requires."""
    if config.inputs == "edges":
        return degrade.draw_edges(images)
    if config.inputs == "grey":
        return degrade.to_grey(images)
    return degrade.mask_rectangle(images, keys)


def inputs_of(config: Config, keys: jax.Array, batch: Any) -> jax.Array:
    """Return the generator's inputs for a batch. The batch contains them, or they are computed from its images."""
    return batch["input"] if config.inputs == "pairs" else derive_inputs(config, keys, batch["image"])


def training_pairs(config: Config, keys: jax.Array, batch: Any) -> tuple[jax.Array, jax.Array]:
    """Return inputs and images. An input and its image have the same random crop and the same mirroring."""
    pair = {name: config.jitter_and_mirror(keys, batch[name]) for name in ("image", "input") if name in batch}
    return inputs_of(config, keys, pair), pair["image"]


def generate(config: Config, nets: Any, inputs: jax.Array, keys: jax.Array) -> tuple[jax.Array, Any]:
    """Return the generator's images and its statistics. Around a hole, the pixels of the input are copied."""
    images, stats = nets.g.with_stats(inputs, keys)
    return (degrade.composite(inputs, images) if config.inputs == "hole" else images), stats


def discriminator_loss(config: Config) -> Callable:
    """Return the loss of the discriminator, which receives the input together with the image."""
    adversarial = ADVERSARIAL[config.loss]

    def loss(nets, batch, keys, step):
        inputs, real = training_pairs(config, keys, batch)
        fake, _ = generate(config, nets, inputs, keys)
        real_logits, stats = nets.d.with_stats(inputs, real)
        real_logits, fake_logits = real_logits.reshape(-1), nets.d(inputs, fake).reshape(-1)  # one logit for each patch
        value = adversarial.discriminator(real_logits, fake_logits)
        return total(adversarial=value, metrics=adversarial.metrics(real_logits, fake_logits), stats={"d": stats})

    return loss


def generator_loss(config: Config) -> Callable:
    """Return the loss of the generator: L1, and the adversarial loss if its weight is above 0."""
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
    """Return a dictionary with the translation ``to_image``, which translates inputs to images.

    For edges and grey images, the dictionary also has the translation ``remake``, which computes inputs from images and
    translates these inputs.
    """

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
    """Raise ``ValueError`` if settings are out of range or incompatible."""
    config.check(
        g_channels=COUNT,
        d_channels=COUNT,
        num_downs=(2, 16),
        n_layers_d=(0, 6),
        dropout=(0, 0.99),
        adv_weight=NON_NEGATIVE,
        lambda_l1=NON_NEGATIVE,
    )
    for name in ("data_a", "test_data_a"):
        if config.inputs != "pairs" and getattr(config, name):
            raise ValueError(
                f"`{name}` has no effect if `inputs` is {config.inputs}. Set `inputs` to pairs, or leave out `{name}`."
            )


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    check(config)
    source, test = config.load_train_and_test(functools.partial(load_pairs, config), source)
    size, _, channels = source.shape
    if config.inputs == "grey" and channels == 1:
        raise ValueError("`inputs` cannot be grey, because the images of the data are grey; set it to edges or hole.")
    generator, discriminator = networks(config, channels, size)

    def before_and_after(nets, batch, keys):
        """Return an image sheet with rows of inputs, rows of generated images and rows of real images."""
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
