"""SRGAN: images at twice or four times their size, sharp instead of safe.

Paper      Ledig et al. 2017, arXiv:1609.04802: a residual network that shuffles pixels, first trained by L2 alone, then
           by content and against a discriminator. Not the paper's are: what the network makes is added to a bicubic
           enlargement; there is no batch normalisation without --norm batch; the four pixels that one becomes have
           kernels of one sum, or the game draws a grid of them where images are flat, --no-icnr; content is of pixels,
           features of VGG19 need --content-loss vgg19 --content-file; and the discriminator judges patches, each
           against the photograph's, with R1 and R2, as one of whole images, --discriminator image --loss non_saturating
           --gamma 0, told images and not their origin: its logits were one number for both
Command    python -m experiments.srgan
Data       tiles of photographs that come with scikit-learn and scikit-image, made smaller by a bicubic filter; --data
           tiles:FOLDER cuts any images
Hardware   one core of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       23 minutes of processor time; 25 for the 91 images at scale 4 below, 18 at scale 2
Score      --data tiles:T91 --resolution 64 --steps 5500 --pretrain-steps 3500 --lr-constant-steps 3500 --lr-decay-steps
           2000, scale 4, one seed. By L2, of the luma, 30.43 dB on Set5 and 27.37 on Set14, where bicubic has 28.43 and
           26.00. Frechet distance of Inception's 768 features of all 2,831 tiles of Set14: by L2 0.737, after the game
           0.685. --scale 2 --steps 4000 --pretrain-steps 4000 --lr-constant-steps 2500 --lr-decay-steps 1500: by L2
           35.30 dB on Set5 and 31.49 on Set14, bicubic 33.68 and 30.24. In earlier trials the game was farther than L2
           by --adv-weight 1e-1, of a generator that drew grain too, and by --no-icnr, of an older L2, where it also
           drew a grid in all that was flat. The command's own, of its 605 test tiles, by evaluate --metrics psnr ssim:
           30.02 dB and 0.743 after the game, bicubic 29.98 dB; what is sharp is sharper, and in flat skies a faint
           pattern is seen
           python -m pytest -n 0 -s -m slow tests/experiments/test_image_to_image.py
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

import jax
import jax.numpy as jnp

from jaxgan import Game, Net, Player, data, losses, media, total
from jaxgan.cli.program import main
from jaxgan.core.networks import Frozen, FrozenVariables
from jaxgan.data import degrade, transforms
from jaxgan.evaluation import extractors
from jaxgan.evaluation.inception import Inception, parameters
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
from jaxgan.interop import read_weights
from jaxgan.models import pix2pix, srgan, vgg


@dataclasses.dataclass(frozen=True)
class Config(TranslationSettings):
    """What the result depends on."""

    data: str = "photos"
    resolution: int | None = 64
    steps: int = 6000
    pretrain_steps: int = 4000
    """Steps by L2 alone, before the game begins."""
    batch_size: int = 8
    learning_rate: float = 5e-4
    """Adam's while L2 alone trains."""
    game_learning_rate: float = 1e-4
    """Adam's of both players in the game; it falls by --lr-constant-steps and --lr-decay-steps too, which count all
    steps."""
    lr_constant_steps: int = 4000
    lr_decay_steps: int = 2000
    beta1: float = 0.9
    """Adam's decay of the mean gradient, as the paper has it. With 0.5 L2 alone once broke down at this rate."""
    ema_decay: float = 0.99
    scale: Literal[2, 4] = 4
    """How many times as high and wide images become."""
    num_blocks: int = 5
    """Residual blocks; the paper's generator has 16."""
    g_channels: int = 32
    """Features of the generator's layers; the paper's are 64."""
    d_channels: int = 32
    """Features of the discriminator's first layer; the paper's are 64."""
    discriminator: Literal["patches", "image"] = "patches"
    """What is judged: patches of 34 pixels a side, or, as in the paper, the whole image."""
    loss: Literal["relativistic", "non_saturating"] = "relativistic"
    """Whether an enlargement is judged against the image that it should be, or by itself."""
    gamma: float = 10.0
    """Weight of R1 and R2, halved, of the mean logit of an image's patches; 0 leaves them out."""
    norm: Literal["batch", "none"] = "none"
    """batch: batch normalisation in both networks, as in the paper. none: the generator is EDSR's, which is better."""
    icnr: bool = True
    """Kernels of four shuffled pixels have one sum, lest the game draw a grid; without, they are the paper's."""
    residual: bool = True
    """What the network makes is added to a bicubic enlargement; without, it is the image."""
    content_loss: Literal["pixels", "discriminator", "inception", "vgg19"] = "pixels"
    """What the game's images are held to: pixels, features of the discriminator, or of a network by its weights."""
    content_file: str | None = None
    """Of Inception or VGG19: a file of PyTorch's, or an .npz."""
    content_weight: float = 1.0
    """Weight of the content."""
    adv_weight: float = 2e-2
    """Weight of the game."""
    jitter: bool = False

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        small = {"g_channels": 4, "d_channels": 2, "num_blocks": 1, "resolution": 16, "pretrain_steps": 2, "steps": 4}
        return super().tiny(**{**small, **changes})


class Judgement(NamedTuple):
    """Of logits of images and of enlargements of them, [B]: both players' losses, and what tells who is winning."""

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[[jax.Array, jax.Array], jax.Array]
    metrics: Callable[[jax.Array, jax.Array], dict[str, jax.Array]]


LOSSES = {
    "relativistic": Judgement(
        losses.relativistic_discriminator,
        losses.relativistic_generator,
        lambda real, fake: {"accuracy": real > fake, "gap": real - fake},
    ),
    "non_saturating": Judgement(
        losses.non_saturating_discriminator,
        lambda real, fake: losses.non_saturating_generator(fake),
        losses.discriminator_metrics,
    ),
}

WINDOW = 12  # pixels a side of an image from which the kernels of the discriminator of patches leave a place

WHERE = {"inception": extractors.WEIGHTS_SOURCE, "vgg19": vgg.WHERE}  # the weights of what --content-loss names

LEAST = 14  # pixels a side from which Inception's convolutions leave a place, of an image twice as large
# The authors' factor, by which VGG19's features are about as large as pixels: section 2.2.1. By it the gradient of
# Inception's, at bicubic enlargements of eight of Set14, is 1.4 times that of pixels.
AS_PIXELS = 12.75


def networks(config: Config, size: int, channels: int) -> tuple[dict[str, Net], Callable]:
    """Generator, discriminator and what else the content needs; and the content's ``(nets, images) -> features``."""
    example, norm = jnp.zeros((1, size, size, channels)), config.norm == "batch"
    generator = srgan.Generator(
        channels, config.scale, config.num_blocks, config.g_channels, norm, config.icnr, config.dtype
    )
    judge: dict[str, Any] = {"width": config.d_channels, "dtype": config.dtype}
    if config.discriminator == "patches":
        discriminator = pix2pix.Discriminator(layers=2, norm=config.norm, **judge)
    else:
        discriminator = srgan.Discriminator(norm=norm, **judge)
    held, more = content(config, example)
    small, seen = example[:, :: config.scale, :: config.scale], shown(config, jax.random.key(0)[None], example)
    return {"g": Net(generator, small), "d": Net(discriminator, seen), **more}, held


def shown(config: Config, keys: jax.Array, images: jax.Array) -> jax.Array:
    """What the discriminator sees of images.

    Where it judges patches, which lie 4 pixels apart, a window at a random place, lest a pattern that repeats with the
    generator's shuffled pixels look the same to all of them.
    """
    size = images.shape[1] - config.scale + 1
    return transforms.cut(keys, images, size) if config.discriminator == "patches" else images


def content(config: Config, example: jax.Array) -> tuple[Callable, dict[str, Net]]:
    """``(nets, images) -> features``, to which images are held, and the networks that this needs.

    Raises:
      ValueError: there are no weights for it, or weights that it does not take, or images are not of three channels, or
        too small for it.
      OSError: the weights cannot be read.
    """
    where = WHERE.get(config.content_loss)
    if (where is not None) != (config.content_file is not None):
        told = f"needs --content-file, its weights: {where}" if where else "has no use for --content-file, leave it out"
        raise ValueError(f"--content-loss {config.content_loss} {told}")
    if config.content_loss == "pixels":
        return lambda nets, images: images, {}
    if config.content_loss == "discriminator":
        if config.discriminator == "patches":
            raise ValueError(
                "--content-loss discriminator: one of patches has no features of an image; use --discriminator image"
            )
        return lambda nets, images: nets.d(images, features=True), {}
    if example.shape[-1] != 3:
        channels = example.shape[-1]
        raise ValueError(f"--content-loss {config.content_loss}: it takes images of 3 channels, these have {channels}")
    arrays = read_weights(str(config.content_file))
    if config.content_loss == "vgg19":
        fixed = Frozen(vgg.Features(config.dtype), FrozenVariables(vgg.parameters(arrays)))
        return lambda nets, images: nets.content(images) / AS_PIXELS, {"content": Net(fixed, example)}
    if min(example.shape[1:3]) < LEAST:
        raise ValueError(
            f"--content-loss inception: of images below {LEAST} pixels a side it sees nothing; give --resolution"
        )
    fixed = Frozen(Inception(192, pooled=False), FrozenVariables(parameters(arrays, 192)))

    def seen(nets, images):
        """Twice as large: Inception's first convolution skips every second pixel, which the game would find."""
        return nets.content((degrade.bicubic(images, 1 / 2) + 1) * 127.5) / AS_PIXELS

    return seen, {"content": Net(fixed, example)}


def check_fits(config: Config, size: int) -> None:
    """``ValueError`` if settings do not go together, or not with images of this size."""
    if size % config.scale:
        raise ValueError(f"--resolution {size}: --scale {config.scale} does not divide it")
    least = WINDOW + config.scale - 1
    if config.discriminator == "patches" and size < least:
        raise ValueError(
            f"--resolution {size}: patches are judged of {least} pixels a side or more at --scale {config.scale}; give "
            f"a larger --resolution, or --discriminator image"
        )
    if config.norm == "batch" and positive(config.gamma):
        raise ValueError(
            "--norm batch: R1 and R2 are of an example alone, which batch normalisation mixes; give --gamma 0"
        )


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; a source in the place of ``config.data``."""
    config.check(
        **dict.fromkeys(("num_blocks", "g_channels", "d_channels"), COUNT),
        **dict.fromkeys(("content_weight", "adv_weight", "gamma", "game_learning_rate"), WEIGHT),
        pretrain_steps=(0, 10**9),
    )

    def load(name, split):
        return data.load(name, size=config.resolution, channels=config.channels, split=split)

    source, test = config.with_test(load, source)
    size, _, channels = source.shape
    check_fits(config, size)
    own, held = networks(config, size, channels)
    judgement = LOSSES[config.loss]

    def smaller(images):
        """As a file of them holds them."""
        return degrade.rounded(degrade.bicubic(images, config.scale))

    def examples(keys, batch):
        """Images, and those made smaller."""
        images = config.augmented(keys, batch["image"])
        return smaller(images), images

    def enlarged(nets, low):
        """The generator's images, and its statistics."""
        made, stats = nets.g.with_stats(low)
        return (made + degrade.bicubic(low, 1 / config.scale) if config.residual else made), stats

    def l2_loss(nets, batch, keys, step):
        low, real = examples(keys, batch)
        made, stats = enlarged(nets, low)
        return total(l2=losses.l2(made, real), stats={"g": stats})

    def discriminator_loss(nets, batch, keys, step):
        low, real = examples(keys, batch)
        real, fake = (shown(config, keys, x) for x in (real, enlarged(nets, low)[0]))
        real_logits, stats = nets.d.with_stats(real)
        real_logits, fake_logits = real_logits.reshape(-1), nets.d(fake).reshape(-1)
        terms = {"adversarial": judgement.discriminator(real_logits, fake_logits)}
        if positive(config.gamma):
            of_image = lambda x: nets.d(x).reshape(len(x), -1).mean(1)  # noqa: E731
            terms["r1"] = config.gamma / 2 * losses.r1(of_image, real)
            terms["r2"] = config.gamma / 2 * losses.r2(of_image, fake)
        return total(**terms, metrics=judgement.metrics(real_logits, fake_logits), stats={"d": stats})

    def generator_loss(nets, batch, keys, step):
        low, real = examples(keys, batch)
        made, stats = enlarged(nets, low)
        content = losses.l2(held(nets, made), held(nets, real))
        real_logits, fake_logits = (nets.d(shown(config, keys, x)).reshape(-1) for x in (real, made))
        adversarial = judgement.generator(real_logits, fake_logits)
        return total(
            content=config.content_weight * content, adversarial=config.adv_weight * adversarial, stats={"g": stats}
        )

    def before_and_after(nets, batch, keys):
        """Bicubic enlargements, beneath them what the network makes, and the images themselves."""
        low, real = examples(keys, batch)
        return media.stack_rows(degrade.bicubic(low, 1 / config.scale), enlarged(nets, low)[0], real)

    in_game = dataclasses.replace(config, learning_rate=config.game_learning_rate)
    d = Player(("d",), discriminator_loss, in_game.adam(since=config.pretrain_steps), config.gradient)
    g = Player(("g",), generator_loss, in_game.adam(), config.gradient)
    game = Game(
        nets=own,
        players={"d": d, "g": g},
        turns=(("d",), ("g",)),
        ema={"g": config.ema_decay},
    )
    alone = {"d": waiting(d), "g": dataclasses.replace(g, loss=l2_loss, optimizer=config.adam())}
    by_l2 = dataclasses.replace(game, players=alone)
    enlarge = Translation(lambda nets, low, keys: enlarged(nets, low)[0], channels, 1, config.scale)
    return Experiment(
        game,
        source,
        Sampling(
            latents=lambda keys, batch: smaller(batch["image"]), generate=lambda nets, low: enlarged(nets, low)[0]
        ),
        Display(sheets={"before_and_after": before_and_after}),
        ImageToImage(test, {"enlarge": enlarge}, paired=True),
        game_at=lambda step: by_l2 if step < config.pretrain_steps else game,
    )


if __name__ == "__main__":
    main("srgan", Config, build, __doc__)
