"""SRGAN: images at twice or four times their size, sharp instead of safe.

Paper      Ledig et al. 2017, arXiv:1609.04802: a residual network that shuffles pixels, first trained by L2 alone, then
           by content and against a discriminator. Not the paper's are: what the network makes is added to a bicubic
           enlargement; there is no batch normalisation without --norm batch; the four pixels that one becomes have
           kernels of one sum, or the game draws a grid of them where images are flat, --no-icnr; content is of pixels,
           features of VGG19 need --content-loss vgg19 --content-file; and the discriminator judges patches, each
           against the photograph's, with R1 and R2, as one of whole images, --discriminator image --loss non_saturating
           --gamma 0, told images and not their origin: its logits were one number for both
Command    jaxgan train srgan
Presets    --preset paper --data tiles:FOLDER --content-file vgg19-dcbb9e9d.pth: the paper's; --preset demo: the
           defaults
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
from jaxgan.interop import read_weights
from jaxgan.models import pix2pix, srgan, vgg


@dataclasses.dataclass(frozen=True)
class Config(TranslationSettings):
    """What the result depends on."""

    # Data
    data: str = "photos"
    test_data: str | None = None
    resolution: int | None = 64
    mirror: bool = True
    jitter: bool = False
    scale: Literal[2, 4] = 4
    """Factor by which height and width are enlarged."""
    # Networks
    g_channels: int = 32
    """Channels of the generator's layers; the paper's are 64."""
    d_channels: int = 32
    """Channels of the discriminator's first layer; the paper's are 64."""
    num_blocks: int = 5
    """Residual blocks of the generator; the paper's has 16."""
    norm: Literal["batch", "none"] = "none"
    """Normalisation in both networks. batch is the paper's; with none the generator is EDSR's, which is better."""
    icnr: bool = True
    """The kernels of the four pixels that one becomes are constrained to one sum, so that the game draws no grid. The
    paper's are not."""
    residual: bool = True
    """The network's output is added to a bicubic enlargement. The paper's is the image itself."""
    discriminator: Literal["patches", "image"] = "patches"
    """What the discriminator judges: patches of 34 x 34 pixels or, as in the paper, the whole image."""
    # Losses
    loss: Literal["relativistic", "non_saturating"] = "relativistic"
    """Whether an enlargement is judged against the image that it should be, or by itself."""
    gamma: float = 10.0
    """Gamma of R1 and R2, of the mean logit of an image's patches; their weights are gamma / 2, 0 leaves them out."""
    adv_weight: float = 2e-2
    """Weight of the adversarial loss."""
    content_loss: Literal["pixels", "discriminator", "inception", "vgg19"] = "pixels"
    """What enlargements are compared by: pixels, features of the discriminator, or of a network whose weights
    content_file has."""
    content_file: str | None = None
    """Weights of Inception or VGG19: a PyTorch file, or an .npz."""
    content_weight: float = 1.0
    """Weight of the content loss."""
    # Optimisation
    steps: int = 6000
    pretrain_steps: int = 4000
    """Steps by L2 alone, before the adversarial game begins."""
    batch_size: int = 8
    learning_rate: float = 5e-4
    """Learning rate of Adam while L2 alone is minimised."""
    game_learning_rate: float = 1e-4
    """Learning rate of both players in the game; it too falls after lr_constant_steps, which count all steps."""
    lr_constant_steps: int = 4000
    lr_decay_steps: int = 2000
    beta1: float = 0.9
    """Adam's decay of the mean of gradients, as in the paper. With 0.5, L2 alone once diverged at this rate."""
    beta2: float = 0.999
    ema_decay: float = 0.99

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Settings for tests."""
        small = cls(steps=4, pretrain_steps=2, batch_size=8, resolution=16, num_blocks=1, g_channels=4, d_channels=2)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # Section 3.2: a million steps of L2, then 100,000 of the game at 1e-4 and 100,000 at 1e-5, in place of which the
    # rate falls in a line here. content_file has to be given.
    "paper": {
        "resolution": 96,
        "scale": 4,
        "jitter": False,
        "mirror": False,
        "num_blocks": 16,
        "g_channels": 64,
        "d_channels": 64,
        "discriminator": "image",
        "norm": "batch",
        "icnr": False,
        "residual": False,
        "loss": "non_saturating",
        "adv_weight": 1e-3,
        "gamma": 0.0,
        "content_loss": "vgg19",
        "content_weight": 1.0,
        "batch_size": 16,
        "pretrain_steps": 1_000_000,
        "steps": 1_200_000,
        "learning_rate": 1e-4,
        "game_learning_rate": 1e-4,
        "beta1": 0.9,
        "beta2": 0.999,
        "lr_constant_steps": 1_100_000,
        "lr_decay_steps": 100_000,
        "ema_decay": 0.0,
    },
    "demo": {},  # the defaults
}


class Adversarial(NamedTuple):
    """An adversarial loss, of the logits of images and of enlargements of them, [B] each.

    Attributes:
      discriminator, generator: the players' losses.
      metrics: tell which player is winning.
    """

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[[jax.Array, jax.Array], jax.Array]
    metrics: Callable[[jax.Array, jax.Array], dict[str, jax.Array]]


def relativistic_metrics(real_logits: jax.Array, fake_logits: jax.Array) -> dict[str, jax.Array]:
    """How often and by how much images are preferred to their enlargements."""
    return {"accuracy": real_logits > fake_logits, "gap": real_logits - fake_logits}


def non_saturating_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """The generator's loss, which does not depend on the logits of reals."""
    return losses.non_saturating_generator(fake_logits)


ADVERSARIAL = {
    "relativistic": Adversarial(losses.relativistic_discriminator, losses.relativistic_generator, relativistic_metrics),
    "non_saturating": Adversarial(
        losses.non_saturating_discriminator, non_saturating_generator, losses.discriminator_metrics
    ),
}

MIN_PATCH = 12  # the smallest side of an image of which the kernels of the discriminator of patches leave something
MIN_INCEPTION = 14  # likewise Inception's convolutions, of an image enlarged twice
# The authors' factor, which makes VGG19's features about as large as pixels: section 2.2.1. With it the gradient of
# Inception's, at bicubic enlargements of eight images of Set14, is 1.4 times that of pixels.
FEATURE_SCALE = 12.75

WEIGHTS = {"inception": extractors.WEIGHTS_SOURCE, "vgg19": vgg.WHERE}  # where to get the file of a content loss


def networks(config: Config, size: int, channels: int) -> tuple[dict[str, Net], Callable]:
    """Generator, discriminator and the network that the content loss needs; and ``content_features``'s function."""
    example = jnp.zeros((1, size, size, channels))
    generator = srgan.Generator(
        channels, config.scale, config.num_blocks, config.g_channels, config.norm, config.icnr, config.dtype
    )
    kwargs: dict[str, Any] = {"channels": config.d_channels, "norm": config.norm, "dtype": config.dtype}
    if config.discriminator == "patches":
        discriminator = pix2pix.Discriminator(n_layers=2, **kwargs)
    else:
        discriminator = srgan.Discriminator(**kwargs)
    content, content_nets = content_features(config, example)
    small, seen = example[:, :: config.scale, :: config.scale], d_view(config, jax.random.key(0)[None], example)
    return {"g": Net(generator, small), "d": Net(discriminator, seen), **content_nets}, content


def d_view(config: Config, keys: jax.Array, images: jax.Array) -> jax.Array:
    """What the discriminator sees of images.

    If it judges patches, which lie 4 pixels apart, it sees a window at a random place. Otherwise a pattern that repeats
    with the generator's shuffled pixels would look the same to all patches.
    """
    size = images.shape[1] - config.scale + 1
    return transforms.random_crop(keys, images, size) if config.discriminator == "patches" else images


def content_features(config: Config, example: jax.Array) -> tuple[Callable, dict[str, Net]]:
    """``(nets, images) -> features``, by which enlargements are compared with images; and the networks that it needs.

    Raises:
      ValueError: the weights are missing, or do not fit; or images have not three channels, or are too small.
      OSError: the weights cannot be read.
    """
    check_content(config, example)
    if config.content_loss == "pixels":
        return lambda nets, images: images, {}
    if config.content_loss == "discriminator":
        return lambda nets, images: nets.d(images, features=True), {}
    arrays = read_weights(str(config.content_file))
    if config.content_loss == "vgg19":
        frozen = Frozen(vgg.Features(config.dtype), FrozenVariables(vgg.parameters(arrays)))

        def content(nets, images):
            return nets.content(images) / FEATURE_SCALE

    else:
        frozen = Frozen(Inception(192, pooled=False), FrozenVariables(parameters(arrays, 192)))

        def content(nets, images):
            # Enlarged twice, as Inception's first convolution skips every second pixel, which the game would find.
            return nets.content((degrade.resize_bicubic(images, 1 / 2) + 1) * 127.5) / FEATURE_SCALE

    return content, {"content": Net(frozen, example)}


def check_content(config: Config, example: jax.Array) -> None:
    """``ValueError`` if the settings of the content loss do not go together, or not with images as the example."""
    kind = config.content_loss
    if kind in WEIGHTS and config.content_file is None:
        raise ValueError(f"`content_loss` {kind} needs `content_file`, its weights: {WEIGHTS[kind]}")
    if kind not in WEIGHTS and config.content_file is not None:
        raise ValueError(f"`content_loss` {kind} has no use for `content_file`; leave it out.")
    if kind == "discriminator" and config.discriminator == "patches":
        raise ValueError(
            "`content_loss` discriminator needs features of an image, which a discriminator of patches does not have; "
            "set `discriminator` to image."
        )
    _, size, _, channels = example.shape
    if kind in WEIGHTS and channels != 3:
        raise ValueError(f"`content_loss` {kind} takes images of 3 channels, but these have {channels}.")
    if kind == "inception" and size < MIN_INCEPTION:
        raise ValueError(
            f"`content_loss` inception takes images of at least {MIN_INCEPTION} pixels a side; set `resolution`."
        )


def check_fits(config: Config, size: int) -> None:
    """``ValueError`` if settings do not go together, or not with images of this size."""
    if size % config.scale:
        raise ValueError(f"`resolution` must be a multiple of `scale`, {config.scale}, got {size}.")
    least = MIN_PATCH + config.scale - 1
    if config.discriminator == "patches" and size < least:
        raise ValueError(
            f"`resolution` must be at least {least} for patches at scale {config.scale}, got {size}; give a larger "
            "one, or set `discriminator` to image."
        )
    if config.norm == "batch" and is_enabled(config.gamma):
        raise ValueError(
            "`norm` batch mixes examples, but R1 and R2 are gradients of one example; set `gamma` to 0 or "
            "`norm` to none."
        )


def downscale(config: Config, images: jax.Array) -> jax.Array:
    """Images at the low resolution, rounded as in a file."""
    return degrade.round_to_bytes(degrade.resize_bicubic(images, config.scale))


def training_pairs(config: Config, keys: jax.Array, batch: Any) -> tuple[jax.Array, jax.Array]:
    """Images at the low resolution, and at the high one."""
    images = config.jitter_and_mirror(keys, batch["image"])
    return downscale(config, images), images


def enlarge(config: Config, nets: Any, low: jax.Array) -> tuple[jax.Array, Any]:
    """The generator's images, and its statistics."""
    made, stats = nets.g.with_stats(low)
    return (made + degrade.resize_bicubic(low, 1 / config.scale) if config.residual else made), stats


def l2_loss(config: Config) -> Callable:
    """The loss of the generator before the game begins."""

    def loss(nets, batch, keys, step):
        low, real = training_pairs(config, keys, batch)
        made, stats = enlarge(config, nets, low)
        return total(l2=losses.l2(made, real), stats={"g": stats})

    return loss


def discriminator_loss(config: Config) -> Callable:
    """The loss of the discriminator: adversarial, R1 and R2."""
    adversarial = ADVERSARIAL[config.loss]

    def loss(nets, batch, keys, step):
        low, high = training_pairs(config, keys, batch)
        real, fake = (d_view(config, keys, x) for x in (high, enlarge(config, nets, low)[0]))
        real_logits, stats = nets.d.with_stats(real)
        real_logits, fake_logits = real_logits.reshape(-1), nets.d(fake).reshape(-1)
        terms = {"adversarial": adversarial.discriminator(real_logits, fake_logits)}
        if is_enabled(config.gamma):

            def mean_logit(x):
                return nets.d(x).reshape(len(x), -1).mean(1)

            terms["r1"] = config.gamma / 2 * losses.r1(mean_logit, real)
            terms["r2"] = config.gamma / 2 * losses.r2(mean_logit, fake)
        return total(**terms, metrics=adversarial.metrics(real_logits, fake_logits), stats={"d": stats})

    return loss


def generator_loss(config: Config, content: Callable) -> Callable:
    """The loss of the generator in the game: content and adversarial."""
    adversarial = ADVERSARIAL[config.loss]

    def loss(nets, batch, keys, step):
        low, real = training_pairs(config, keys, batch)
        made, stats = enlarge(config, nets, low)
        difference = losses.l2(content(nets, made), content(nets, real))
        real_logits, fake_logits = (nets.d(d_view(config, keys, x)).reshape(-1) for x in (real, made))
        value = adversarial.generator(real_logits, fake_logits)
        return total(
            content=config.content_weight * difference, adversarial=config.adv_weight * value, stats={"g": stats}
        )

    return loss


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; a source in the place of ``config.data``."""
    config.check(
        pretrain_steps=(0, 10**9),
        num_blocks=COUNT,
        g_channels=COUNT,
        d_channels=COUNT,
        content_weight=NON_NEGATIVE,
        adv_weight=NON_NEGATIVE,
        gamma=NON_NEGATIVE,
        game_learning_rate=NON_NEGATIVE,
    )

    def load(name, split):
        return data.load(name, resolution=config.resolution, channels=config.channels, split=split)

    source, test = config.load_train_and_test(load, source)
    size, _, channels = source.shape
    check_fits(config, size)
    nets, content = networks(config, size, channels)

    def before_and_after(nets, batch, keys):
        """Bicubic enlargements, below them what the network makes, and the images themselves."""
        low, real = training_pairs(config, keys, batch)
        return media.stack_rows(degrade.resize_bicubic(low, 1 / config.scale), enlarge(config, nets, low)[0], real)

    # The idle discriminator's optimizer counts no steps while G is pretrained, so its schedule is given its first step.
    # G's Adam goes on with the state that the pretraining left.
    in_game = dataclasses.replace(config, learning_rate=config.game_learning_rate)
    d_optimizer = in_game.adam(first_step=config.pretrain_steps)
    d = Player(("d",), discriminator_loss(config), d_optimizer, config.gradient)
    g = Player(("g",), generator_loss(config, content), in_game.adam(), config.gradient)
    game = Game(nets=nets, players={"d": d, "g": g}, turns=(("d",), ("g",)), ema={"g": config.ema_decay})
    by_l2 = dataclasses.replace(g, loss=l2_loss(config), optimizer=config.adam())
    pretraining = dataclasses.replace(game, players={"d": idle_player(d), "g": by_l2})

    def generate(nets, low, keys=None):
        return enlarge(config, nets, low)[0]

    return Experiment(
        game,
        source,
        Sampling(latents=lambda keys, batch: downscale(config, batch["image"]), generate=generate),
        Display(sheets={"before_and_after": before_and_after}),
        ImageToImage(test, {"enlarge": Translation(generate, channels, scale=config.scale)}, paired=True),
        game_at=lambda step: pretraining if step < config.pretrain_steps else game,
    )


if __name__ == "__main__":
    main("srgan", Config, build, __doc__, presets=PRESETS)
