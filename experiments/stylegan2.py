"""StyleGAN2 with ADA: a style-based generator, lazy regularisation, and adaptive augmentation for small data sets.

Paper      Karras et al. 2020, arXiv:1912.04958 and 2006.06676, as in https://github.com/NVlabs/stylegan2-ada-pytorch
Command    jaxgan train stylegan2
Presets    --preset paper, --preset demo, --preset paper256, --preset cifar, --preset auto, --preset photos
Data       tiles of photographs of scikit-image, 32 x 32; --data names other images
Hardware   two cores of a shared AMD EPYC (Zen 3), jax 0.10.2, float32
Time       0.9 s for each step of the EuroSAT training
Score      fid_768 0.72 of 1,000 samples, EuroSAT, after 7,010 steps with the settings in docs/results.md
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import optax

from jaxgan import Game, Net, Player, data, latents, losses, total
from jaxgan.augment import Augmentation, Kind
from jaxgan.cli.program import main
from jaxgan.core.keys import fold_in_keys
from jaxgan.data import transforms
from jaxgan.editing.styles import Styles
from jaxgan.experiment import (
    COUNT,
    DEPTH,
    FRACTION,
    NON_NEGATIVE,
    AugmentedSettings,
    Display,
    Experiment,
    Sampling,
    is_enabled,
    require_classes,
)
from jaxgan.experiment.photo_settings import choose_for
from jaxgan.experiment.style_sheets import make_style_sheets
from jaxgan.models import stylegan2
from jaxgan.parallel import nearest_multiples

NOISE_SEED = 0x5EED  # seed of the constant noise of samples


@dataclasses.dataclass(frozen=True)
class Config(AugmentedSettings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "photos"
    resolution: int | None = 32
    mirror: bool = False
    """Mirror a random half of the training images left to right."""
    # Augmentation
    augment: Kind = "ada"
    ada_target: float = 0.6
    ada_kimg: float = 500.0
    # Networks
    conditional: bool = False
    """Condition both networks on the class. The data must have labels."""
    z_dim: int = 64
    """Dimension of the latents z (paper: 512)."""
    w_dim: int = 64
    """Dimension of the styles w (paper: 512)."""
    mapping_layers: int = 2
    """Number of layers of the mapping network from z to w (paper: 8)."""
    channel_base: int = 1024
    """Number of channels of a layer, multiplied by its height in pixels: a layer of n x n pixels has channel_base / n
    channels, but at most channel_max. The authors' code uses 16384, or 32768 for images of 512 x 512 pixels and
    more."""
    channel_max: int = 64
    """Maximum number of channels of a layer (paper: 512)."""
    base_resolution: int = 4
    """Resolution of the generator's constant input. Each following block doubles the resolution."""
    d_architecture: Literal["orig", "resnet"] = "resnet"
    """Architecture of the discriminator: resnet (blocks with residual connections) or orig (blocks without them)."""
    mbstd_group_size: int = 4
    """Number of examples in each group of the discriminator's minibatch standard deviation layer; 0 omits the layer."""
    style_mixing_prob: float = 0.9
    """Probability, during training, that a fake is generated from the styles of two latents."""
    conv_clamp: float | None = None
    """Maximum magnitude of the outputs of convolutions (authors' code: 256, for float16). By default, the outputs are
    not clamped."""
    num_low_precision_res: int = 4
    """Number of resolutions, counted from the highest, at which layers compute in compute_dtype. Layers at lower
    resolutions use float32."""
    # Losses
    r1_gamma: float = 0.01
    """Gamma of the R1 penalty, which has the weight gamma / 2; 0 omits the penalty."""
    r1_interval: int = 16
    """Number of steps from one evaluation of R1 to the next."""
    pl_weight: float = 2.0
    """Weight of the path length penalty; 0 omits the penalty."""
    pl_interval: int = 4
    """Number of steps from one evaluation of the path length penalty to the next."""
    # Optimisation
    steps: int = 5000
    batch_size: int = 16
    learning_rate: float = 2.5e-3
    beta1: float = 0.0
    """Adam's decay rate of the mean of the gradients."""
    beta2: float = 0.99
    """Adam's decay rate of the mean of the squared gradients."""
    ema_decay: float = 0.0
    """Decay per step of the moving average of the generator's weights. At 0, the decay is computed from ema_kimg and
    ema_rampup."""
    ema_kimg: float = 5.0
    """Half-life of the moving average of the generator's weights, in thousands of training images."""
    ema_rampup: float = 0.05
    """Maximum half-life of the moving average, as a fraction of the number of images that were trained on so far. At 0,
    there is no maximum."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(
            steps=4,
            batch_size=8,
            data="digits",
            resolution=8,
            z_dim=4,
            w_dim=4,
            channel_base=32,
            channel_max=4,
        )
        return dataclasses.replace(small, **changes)

    def ema_decay_at(self, step: jax.Array) -> jax.Array:
        """Compute the decay of the moving average at a step from ``ema_kimg`` and ``ema_rampup``."""
        images_seen = jnp.float32(step) * self.batch_size * self.ema_rampup
        half_life = 1000.0 * jnp.float32(self.ema_kimg)
        half_life = jnp.where(jnp.float32(self.ema_rampup) > 0, jnp.minimum(half_life, images_seen), half_life)
        return 0.5 ** (self.batch_size / jnp.maximum(half_life, 1e-8))


def auto(config: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the authors' configuration "auto", which follow from resolution and batch size.

    Args:
      config: the settings before the preset is applied.
      given: the settings that the user set, as a dictionary from names to values. They are not used here.
    """
    if config.resolution is None:
        raise ValueError(
            "The preset 'auto' derives settings from `resolution` and `batch_size`, so `resolution` must be set."
        )
    size, batch = config.resolution, max(config.batch_size, 1)
    return {
        "z_dim": 512,
        "w_dim": 512,
        "channel_max": 512,
        "conv_clamp": 256.0,
        "steps": 25_000_000 // batch,
        "learning_rate": 2e-3 if size >= 1024 else 2.5e-3,
        "mapping_layers": 2,
        "channel_base": 32768 if size >= 512 else 16384,
        "r1_gamma": 0.0002 * size**2 / batch,
        "ema_kimg": batch * 10 / 32,
        "ema_rampup": 0.05,
    }


def photos(config: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings for your own images, which ``config.data`` names.

    Args:
      config: the settings before the preset is applied.
      given: the settings that the user set, as a dictionary from names to values.
    """
    pictures = choose_for(config, given)
    settings: dict[str, Any] = {
        "resolution": pictures.resolution,
        "base_resolution": pictures.base_resolution,
        "mirror": True,
        "augment": "ada",
    }
    if pictures.on_accelerator:
        settings["batch_size"] = 32
        settings = auto(dataclasses.replace(config, **settings), given) | settings
    else:
        gamma = 0.0002 * pictures.resolution**2 / 16  # the rule of the preset auto
        settings |= {"batch_size": 16, "channel_base": 512, "channel_max": 64, "r1_gamma": gamma}
    return settings | {"steps": pictures.num_images // settings["batch_size"]}


# The settings of train.py in the authors' code. In that code, each group of the minibatch standard deviation layer has
# examples of a single GPU only. The values of mbstd_group_size below are the authors' batch sizes per GPU.
PRESETS = {
    # The authors' "stylegan2": configuration F of the first paper on FFHQ's faces, mirrored, without augmentation.
    "paper": {
        "z_dim": 512,
        "w_dim": 512,
        "channel_max": 512,
        "learning_rate": 2e-3,
        "resolution": 1024,
        "mirror": True,
        "augment": "none",
        "batch_size": 32,
        "steps": 781_250,
        "mapping_layers": 8,
        "channel_base": 32768,
        "mbstd_group_size": 4,
        "r1_gamma": 10.0,
        "ema_kimg": 10.0,
        "ema_rampup": 0.0,
    },
    "demo": {},  # the default settings
    "paper256": {
        "z_dim": 512,
        "w_dim": 512,
        "channel_max": 512,
        "learning_rate": 2.5e-3,
        "conv_clamp": 256.0,
        "resolution": 256,
        "batch_size": 64,
        "steps": 390_625,
        "mapping_layers": 8,
        "channel_base": 16384,
        "mbstd_group_size": 8,
        "r1_gamma": 1.0,
        "ema_kimg": 20.0,
        "ema_rampup": 0.0,
    },
    "cifar": {
        "z_dim": 512,
        "w_dim": 512,
        "channel_max": 512,
        "learning_rate": 2.5e-3,
        "conv_clamp": 256.0,
        "data": "cifar10",
        "batch_size": 64,
        "steps": 1_562_500,
        "mapping_layers": 2,
        "channel_base": 32768,
        "mbstd_group_size": 32,
        "r1_gamma": 0.01,
        "ema_kimg": 500.0,
        "ema_rampup": 0.05,
        "d_architecture": "orig",
        "style_mixing_prob": 0.0,
        "pl_weight": 0.0,
    },
    "auto": auto,
    "photos": photos,
}


def networks(
    config: Config, shape: tuple[int, ...], classes: int
) -> tuple[stylegan2.Mapping, stylegan2.Synthesis, stylegan2.Discriminator]:
    """Return the mapping network, the synthesis network and the discriminator for images of this shape.

    Args:
      config: the settings.
      shape: shape of an image, (size, size, C).
      classes: number of classes; 0 without conditioning.

    Raises:
      ValueError: if the resolution is not the base resolution times a power of two.
    """
    size, _, channels = shape
    kwargs: dict[str, Any] = {
        "channel_base": config.channel_base,
        "channel_max": config.channel_max,
        "base_shape": (config.base_resolution, config.base_resolution),
        "dtype": config.dtype,
        "num_low_precision_res": config.num_low_precision_res,
        "conv_clamp": config.conv_clamp,
    }
    synthesis = stylegan2.Synthesis((size, size), channels, **kwargs)
    mapping = stylegan2.Mapping(synthesis.num_ws, config.w_dim, config.mapping_layers, classes)
    discriminator = stylegan2.Discriminator(
        classes, mbstd_group_size=config.mbstd_group_size, architecture=config.d_architecture, **kwargs
    )
    return mapping, synthesis, discriminator


def styles_of(synthesis: stylegan2.Synthesis) -> Styles:
    """Return the functions of the generator that style mixing, truncation and directions use."""

    def map_latents(nets, z, *label, truncation_psi=1.0, truncation_cutoff=None):
        return nets.mapping(z, *label, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)

    return Styles(
        map=map_latents,
        average=lambda nets: nets.mapping.stats["moving"]["w"],
        images=lambda nets, ws, noise: nets.synthesis(ws, noise),
        noise=functools.partial(synthesis.constant_noise, jax.random.key(NOISE_SEED)),
        weights=lambda nets: synthesis.style_weights(nets.synthesis.params),
        num_ws=synthesis.num_ws,
        features=lambda nets, images: nets.d(images, features=True),
    )


def label_of(config: Config, batch: Any) -> tuple[jax.Array, ...]:
    """Return the labels of a batch as further arguments of a network, or an empty tuple without conditioning."""
    return (batch["label"],) if config.conditional else ()


def fakes(config: Config, nets: Any, batch: Any, keys: jax.Array) -> tuple[jax.Array, jax.Array, Any]:
    """Return generated images, their styles, and the statistics of the mapping network.

    The losses of both players call this function with the same arguments, so XLA computes the images once.
    """
    z, other_z = latents(keys, config.z_dim), latents(fold_in_keys(keys), config.z_dim)
    ws, stats = nets.mapping.with_stats(z, *label_of(config, batch))
    if is_enabled(config.style_mixing_prob):
        other_ws = nets.mapping(other_z, *label_of(config, batch))
        ws = stylegan2.mix_styles(ws, other_ws, keys, config.style_mixing_prob)
    return nets.synthesis(ws, keys), ws, stats


# In the authors' code, a penalty that is computed every n steps has its own optimizer steps. Adam then makes n + 1
# updates in n steps. The authors compensate for the additional update: they multiply the learning rate by n / (n + 1)
# and raise the betas to the power n / (n + 1). Here, a penalty is a term of the loss of its step, so Adam makes n
# updates and no compensation is necessary.


def discriminator_loss(config: Config, augmentation: Augmentation) -> Callable:
    """Return the loss of the discriminator: non-saturating, with R1 in each ``r1_interval``-th step."""

    def loss(nets, batch, keys, step):
        d_real, d_fake = augmentation.views(nets, keys)
        label = label_of(config, batch)
        real = transforms.random_flip(keys, batch["image"]) if config.mirror else batch["image"]
        real_logits, fake_logits = d_real(real, *label), d_fake(fakes(config, nets, batch, keys)[0], *label)
        terms: dict[str, Any] = {"adversarial": losses.non_saturating_discriminator(real_logits, fake_logits)}

        def r1():
            return config.r1_gamma / 2 * losses.r1(lambda x: d_real(x, *label), real)

        if is_enabled(config.r1_gamma):
            terms["r1"] = losses.lazy(config.r1_interval, step, r1)
        metrics = losses.discriminator_metrics(real_logits, fake_logits) | augmentation.metrics(nets)
        return total(**terms, metrics=metrics, stats=augmentation.stats(nets, real_logits))

    return loss


def generator_loss(config: Config, augmentation: Augmentation) -> Callable:
    """Return the loss of the generator: non-saturating, with path lengths in each ``pl_interval``-th step."""

    def loss(nets, batch, keys, step):
        _, d_fake = augmentation.views(nets, keys)
        images, ws, mapping_stats = fakes(config, nets, batch, keys)
        adversarial = losses.non_saturating_generator(d_fake(images, *label_of(config, batch)))
        if not is_enabled(config.pl_weight):
            return total(adversarial=adversarial, stats={"mapping": mapping_stats})

        def penalty():
            # Path lengths are computed for half of the batch, as in the authors' code with a pl_batch_shrink of 2.
            half = keys[::2]
            lengths = losses.path_lengths(lambda ws: nets.synthesis(ws, half), ws[::2], half)
            mean, path_stats = nets.path.with_stats(lengths)
            return config.pl_weight * losses.path_length_penalty(lengths, mean), (mean, path_stats)

        current = nets.path.with_stats()
        path, (mean, path_stats) = losses.lazy(config.pl_interval, step, penalty, otherwise=current)
        return total(
            adversarial=adversarial,
            path=path,
            metrics={"path_mean": mean},
            stats={"mapping": mapping_stats, "path": path_stats},
        )

    return loss


def check(config: Config) -> None:
    """Raise ``ValueError`` if settings are out of range or incompatible."""
    config.check(
        z_dim=COUNT,
        w_dim=COUNT,
        mapping_layers=DEPTH,
        channel_base=COUNT,
        channel_max=COUNT,
        base_resolution=COUNT,
        mbstd_group_size=NON_NEGATIVE,
        style_mixing_prob=FRACTION,
        num_low_precision_res=NON_NEGATIVE,
        conv_clamp=(1e-3, 1e6),
        beta1=FRACTION,
        beta2=FRACTION,
        r1_gamma=NON_NEGATIVE,
        r1_interval=COUNT,
        pl_weight=NON_NEGATIVE,
        pl_interval=COUNT,
        ema_kimg=NON_NEGATIVE,
        ema_rampup=NON_NEGATIVE,
    )
    batch_size, micro_batches, group = config.batch_size, config.grad_accum_steps, config.mbstd_group_size
    at_once = max(1, batch_size // micro_batches)  # examples in one call of the discriminator, over all devices
    if group and at_once % min(group, at_once):
        given = f"`batch_size` {batch_size}"
        if micro_batches > 1:
            given = f"{at_once}, which is {given} / `grad_accum_steps` {micro_batches}"
        fitting = [n for n in range(1, group) if at_once % n == 0][-1]
        raise ValueError(
            f"`mbstd_group_size` must divide {given}, got {group}; use `mbstd_group_size` {fitting}, or `batch_size` "
            f"{nearest_multiples(batch_size, group * micro_batches)}."
        )


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    check(config)
    source = config.load_images(source)
    classes = require_classes(source) if config.conditional else ()
    mapping, synthesis, discriminator = networks(config, source.shape, len(classes))
    styles = styles_of(synthesis)
    augmentation = config.augmentation()
    z, image, label = jnp.zeros((1, config.z_dim)), jnp.zeros((1, *source.shape)), ()
    if classes:
        label = (jnp.zeros(1, jnp.int32),)
    nets = {
        "mapping": Net(mapping, z, *label),
        "synthesis": Net(synthesis, jnp.zeros((1, synthesis.num_ws, config.w_dim))),
        "d": Net(discriminator, image, *label),
    }
    if is_enabled(config.pl_weight):
        nets["path"] = Net(losses.PathLengthEMA())
    adam = optax.adam(config.learning_rate, config.beta1, config.beta2, eps=1e-8)
    d_loss, g_loss = discriminator_loss(config, augmentation), generator_loss(config, augmentation)
    ema_decay = config.ema_decay if is_enabled(config.ema_decay) else config.ema_decay_at
    game = Game(
        nets={**nets, **augmentation.nets},
        players={
            "d": Player(("d",), d_loss, adam, config.gradient),
            "g": Player(("mapping", "synthesis"), g_loss, adam, config.gradient),
        },
        turns=(("d",), ("g",)),
        ema={"mapping": ema_decay, "synthesis": ema_decay},
    )

    def sample_latents(keys):
        return latents(keys, config.z_dim)

    def generate(nets, z, *label):
        return styles.images(nets, styles.map(nets, z, *label), styles.noise())

    sheets = make_style_sheets(styles, sample_latents, functools.partial(label_of, config))
    return Experiment(game, source, Sampling(sample_latents, generate, classes, styles), Display(sheets=sheets))


if __name__ == "__main__":
    main("stylegan2", Config, build, __doc__, presets=PRESETS)
