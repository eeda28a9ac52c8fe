"""SRGAN: super-resolution, which enlarges images to twice or four times their size.

Paper      Ledig et al. 2017, arXiv:1609.04802, with differences that docs/results.md lists
Command    jaxgan train srgan
Presets    --preset paper with --data tiles:FOLDER --content-file vgg19-dcbb9e9d.pth; --preset demo: the defaults
Data       tiles of photographs of scikit-learn and scikit-image; --data tiles:FOLDER cuts tiles from other images
Hardware   one core of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       23 minutes of processor time
Score      PSNR 30.02 dB, SSIM 0.743 of 605 test tiles, by evaluate --metrics psnr ssim; a bicubic filter has 29.98 dB
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

import jax
import jax.numpy as jnp

from jaxgan import Game, Net, Player, data, losses, media, total
from jaxgan.cli.program import main
from jaxgan.core import weights
from jaxgan.core.networks import Frozen, FrozenVariables
from jaxgan.data import degrade, transforms
from jaxgan.evaluation.inception import Inception, parameters
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
    idle_player,
    is_enabled,
)
from jaxgan.interop import read_weights
from jaxgan.models import pix2pix, srgan, vgg


@dataclasses.dataclass(frozen=True)
class Config(TranslationSettings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "photos"
    test_data: str | None = None
    resolution: int | None = 64
    mirror: bool = True
    jitter: bool = False
    scale: Literal[2, 4] = 4
    """Factor by which height and width are multiplied."""
    # Networks
    g_channels: int = 32
    """Number of channels of the generator's layers (paper: 64)."""
    d_channels: int = 32
    """Number of channels of the discriminator's first layer (paper: 64)."""
    num_blocks: int = 5
    """Number of residual blocks of the generator (paper: 16)."""
    norm: Literal["batch", "none"] = "none"
    """Normalisation layers of both networks (paper: batch). Without normalisation, the generator has the architecture
    of EDSR, which reaches a higher PSNR."""
    icnr: bool = True
    """Constrain the convolution before each pixel shuffle, to avoid grid patterns. The convolution has a separate
    kernel for each of the four pixels that replace one pixel. The constraint makes the sums of the four kernels equal.
    The paper has no such constraint."""
    residual: bool = True
    """Add the generator's output to a bicubic enlargement of its input. In the paper, the generator's output is the
    enlarged image."""
    discriminator: Literal["patches", "image"] = "patches"
    """Input of each logit of the discriminator: patches (a patch of 34 x 34 pixels) or image (the complete image, as in
    the paper)."""
    # Losses
    loss: Literal["relativistic", "non_saturating"] = "relativistic"
    """Adversarial loss: relativistic (compares the logit of an enlarged image with the logit of a real image) or
    non_saturating (uses each logit on its own, as in the paper)."""
    gamma: float = 10.0
    """Gamma of the R1 and R2 penalties on the mean logit of an image's patches. Both penalties have the weight
    gamma / 2; 0 omits the penalties."""
    adv_weight: float = 2e-2
    """Weight of the adversarial loss."""
    content_loss: Literal["pixels", "discriminator", "inception", "vgg19"] = "pixels"
    """Features in which the enlarged and the real image are compared: pixels, or features of the discriminator, of
    Inception or of VGG19. Inception and VGG19 require content_file."""
    content_file: str | None = None
    """File with the weights of Inception or VGG19, in the format of PyTorch or as an .npz file."""
    content_weight: float = 1.0
    """Weight of the content loss."""
    # Optimisation
    steps: int = 6000
    pretrain_steps: int = 4000
    """Number of steps at the start in which the generator minimises the L2 loss and the discriminator is not
    trained."""
    batch_size: int = 8
    learning_rate: float = 5e-4
    """Learning rate of Adam in the first pretrain_steps steps."""
    game_learning_rate: float = 1e-4
    """Learning rate of both networks after pretraining. This learning rate decays to 0 in the same steps as
    learning_rate."""
    lr_constant_steps: int = 4000
    lr_decay_steps: int = 2000
    beta1: float = 0.9
    """Adam's decay rate of the mean of the gradients, as in the paper. With 0.5, the L2 loss diverged in one run at the
    default learning rate."""
    beta2: float = 0.999
    ema_decay: float = 0.99

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(steps=4, pretrain_steps=2, batch_size=8, resolution=16, num_blocks=1, g_channels=4, d_channels=2)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # Section 3.2: a million steps of L2, then 100,000 steps of the game at a learning rate of 1e-4 and 100,000 at 1e-5.
    # Here, the learning rate falls linearly over the last 100,000 steps. The preset requires content_file.
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
    "demo": {},  # the default settings
}


class Adversarial(NamedTuple):
    """An adversarial loss. The arguments of each function are the logits of real images and of enlarged images, [N].

    Attributes:
      discriminator: function that returns the discriminator's losses, [N].
      generator: function that returns the generator's losses, [N].
      metrics: function that returns a dictionary from names to metrics, [N], such as the discriminator's accuracy.
    """

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[[jax.Array, jax.Array], jax.Array]
    metrics: Callable[[jax.Array, jax.Array], dict[str, jax.Array]]


def relativistic_metrics(real_logits: jax.Array, fake_logits: jax.Array) -> dict[str, jax.Array]:
    """Return whether, and by how much, the logits of real images exceed those of the enlarged images."""
    return {"accuracy": real_logits > fake_logits, "gap": real_logits - fake_logits}


def non_saturating_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """Return the generator's loss, which does not depend on the logits of real images."""
    return losses.non_saturating_generator(fake_logits)


ADVERSARIAL = {
    "relativistic": Adversarial(losses.relativistic_discriminator, losses.relativistic_generator, relativistic_metrics),
    "non_saturating": Adversarial(
        losses.non_saturating_discriminator, non_saturating_generator, losses.discriminator_metrics
    ),
}

MIN_PATCH = 12  # smallest side of an image that the patch discriminator can process, in pixels
MIN_INCEPTION = 14  # smallest image, in pixels per side, for which Inception has an output after doubling the size
# Divisor of the features of the content loss. The authors' divisor brings VGG19's features to about the scale of pixels
# (section 2.2.1). With this divisor, the gradient of Inception's features is 1.4 times the gradient of pixels, measured
# at bicubic enlargements of eight images of Set14.
FEATURE_SCALE = 12.75

# Sentences for error messages that explain where users can download the weights.
WEIGHTS = {"inception": weights.INCEPTION.source, "vgg19": weights.VGG19.source}


def networks(config: Config, size: int, channels: int) -> tuple[dict[str, Net], Callable]:
    """Return all networks of the game, and the function that ``content_features`` returns."""
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
    """Return the input of the discriminator: the images or, for a patch discriminator, a random crop of each image.

    Neighbouring logits of the patch discriminator belong to patches that are shifted by 4 pixels. Without the random
    crop, a pattern that repeats every 4 pixels, which is a common artefact of pixel shuffle, would look the same in
    every patch.
    """
    size = images.shape[1] - config.scale + 1
    return transforms.random_crop(keys, images, size) if config.discriminator == "patches" else images


def content_features(config: Config, example: jax.Array) -> tuple[Callable, dict[str, Net]]:
    """Return the features of the content loss, and the networks that compute them.

    Args:
      config: the settings.
      example: one image, [1, height, width, C].

    Returns:
      A function ``(nets, images) -> features``, and a dictionary with the additional networks that it requires.

    Raises:
      ValueError: if the weights are missing or do not fit, or if the images are too small or do not have three
        channels.
      OSError: if the weights cannot be read.
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
            # Images are enlarged to twice their size, because Inception's first convolution has a stride of 2. The
            # generator could otherwise exploit the pixels that the convolution skips.
            return nets.content((degrade.resize_bicubic(images, 1 / 2) + 1) * 127.5) / FEATURE_SCALE

    return content, {"content": Net(frozen, example)}


def check_content(config: Config, example: jax.Array) -> None:
    """Raise ``ValueError`` if the settings of the content loss are incompatible with each other or with the images."""
    kind = config.content_loss
    if kind in WEIGHTS and config.content_file is None:
        raise ValueError(f"`content_loss` {kind} requires `content_file`, the file of its weights. {WEIGHTS[kind]}")
    if kind not in WEIGHTS and config.content_file is not None:
        raise ValueError(
            f"`content_loss` {kind} does not use `content_file`; leave it out, or set `content_loss` to inception or "
            "vgg19."
        )
    if kind == "discriminator" and config.discriminator == "patches":
        raise ValueError(
            "`content_loss` discriminator requires features of complete images, but with `discriminator` patches, the "
            "discriminator computes features of patches. Set `discriminator` to image."
        )
    _, size, _, channels = example.shape
    if kind in WEIGHTS and channels != 3:
        raise ValueError(f"`content_loss` {kind} requires images of 3 channels, but these have {channels}.")
    if kind == "inception" and size < MIN_INCEPTION:
        raise ValueError(
            f"`content_loss` inception requires at least {MIN_INCEPTION} x {MIN_INCEPTION} pixels, got {size} x "
            f"{size}; set `resolution`."
        )


def check_fits(config: Config, size: int) -> None:
    """Raise ``ValueError`` if settings are incompatible with each other or with images of this size."""
    if size % config.scale:
        raise ValueError(f"`resolution` must be a multiple of `scale`, {config.scale}, got {size}.")
    least = MIN_PATCH + config.scale - 1
    if config.discriminator == "patches" and size < least:
        raise ValueError(
            f"`resolution` must be at least {least} with `discriminator` patches and `scale` {config.scale}, got "
            f"{size}; increase it, or set `discriminator` to image."
        )
    if config.norm == "batch" and is_enabled(config.gamma):
        raise ValueError(
            "`norm` batch mixes the examples of a batch, but R1 and R2 are computed from the gradient of each example; "
            "set `gamma` to 0 or `norm` to none."
        )


def downscale(config: Config, images: jax.Array) -> jax.Array:
    """Return images at the low resolution, rounded to 8 bits as in a file."""
    return degrade.round_to_bytes(degrade.resize_bicubic(images, config.scale))


def training_pairs(config: Config, keys: jax.Array, batch: Any) -> tuple[jax.Array, jax.Array]:
    """Return images at the low resolution and at the high resolution."""
    images = config.jitter_and_mirror(keys, batch["image"])
    return downscale(config, images), images


def enlarge(config: Config, nets: Any, low: jax.Array) -> tuple[jax.Array, Any]:
    """Return the enlarged images and the generator's statistics."""
    made, stats = nets.g.with_stats(low)
    return (made + degrade.resize_bicubic(low, 1 / config.scale) if config.residual else made), stats


def l2_loss(config: Config) -> Callable:
    """Return the loss of the generator during pretraining."""

    def loss(nets, batch, keys, step):
        low, real = training_pairs(config, keys, batch)
        made, stats = enlarge(config, nets, low)
        return total(l2=losses.l2(made, real), stats={"g": stats})

    return loss


def discriminator_loss(config: Config) -> Callable:
    """Return the loss of the discriminator: adversarial, R1 and R2."""
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
    """Return the loss of the generator after pretraining: content and adversarial."""
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
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(
        pretrain_steps=(0, 10**9),
        num_blocks=DEPTH,
        g_channels=COUNT,
        d_channels=COUNT,
        content_weight=NON_NEGATIVE,
        adv_weight=NON_NEGATIVE,
        gamma=NON_NEGATIVE,
        game_learning_rate=NON_NEGATIVE,
    )
    source, test = config.load_train_and_test(config.load_split, source)
    size, _, channels = source.shape
    check_fits(config, size)
    nets, content = networks(config, size, channels)

    def before_and_after(nets, batch, keys):
        """Return an image sheet with rows of bicubic enlargements, of the generator's outputs and of real images."""
        low, real = training_pairs(config, keys, batch)
        return media.stack_rows(degrade.resize_bicubic(low, 1 / config.scale), enlarge(config, nets, low)[0], real)

    # The optimizer of the idle discriminator counts no steps during pretraining, so its schedule starts at the first
    # step of the game. The generator's Adam continues with its state from pretraining.
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
