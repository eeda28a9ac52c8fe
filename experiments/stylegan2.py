"""StyleGAN2 with ADA: styles instead of latents, lazy R1 and path lengths, and augmentation for few data.

Paper      Karras et al. 2020, arXiv:1912.04958 and arXiv:2006.06676, as in
           https://github.com/NVlabs/stylegan2-ada-pytorch, of whose settings are the presets
Command    python -m experiments.stylegan2; for accelerators
           python -m experiments.stylegan2 --preset cifar --conditional; or paper256 or auto, with --data
Control    python -m experiments.stylegan2 sample --mix coarse --out mixed.png; or --psi, --noise, --space,
           --direction
Data       tiles of photographs that come with scikit-image, 32 x 32; --data takes any other images
Hardware   one core of a shared AMD EPYC (Zen 4); EuroSAT's, two cores of one without AVX-512 (Zen 3)
Time       by default 25 minutes of processor time for the last 3,172 of 5,000 steps; EuroSAT's 0.9 s a step
Score      EuroSAT's rivers and highways, 3,187 images, --resolution 64 --channel-base 1024 --r1-gamma 0.05 --mirror,
           after 7,010 steps (112 kimg): a Frechet distance of 0.72 of Inception's 768 features, 1,000 samples; after
           3,000 steps (48 kimg) it was 1.62, in another run. Banks and fields are there, and layouts and colours mix
           apart; precision is 0.25, and of the data next to nothing lies among samples: recall 0.0003, coverage 0.04.
           By default (80 kimg) not measured yet; in its mixing sheet coarse styles carry the layout, middle ones the
           colours, fine ones contrast. The authors' own FID of CIFAR-10 with classes is 2.42
"""

import dataclasses
import functools
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import optax

from jaxgan import Game, Net, Player, data, latents, losses, total
from jaxgan.augment import Kind
from jaxgan.cli.program import main
from jaxgan.core.keys import fold_in_keys
from jaxgan.data import transforms as augment
from jaxgan.editing.styles import Styles
from jaxgan.experiment import (
    COUNT,
    SHARE,
    WEIGHT,
    AugmentedSettings,
    Display,
    Experiment,
    Sampling,
    conditions,
    positive,
)
from jaxgan.experiment.style_sheets import of_styles
from jaxgan.models import stylegan2
from jaxgan.parallel import nearest

NOISE = 0x5EED  # the key of the constant noise


@dataclasses.dataclass(frozen=True)
class Config(AugmentedSettings):
    """What the result depends on."""

    steps: int = 5000
    batch_size: int = 16
    data: str = "photos"
    resolution: int | None = 32
    learning_rate: float = 2.5e-3
    augment: Kind = "ada"
    conditional: bool = False
    """Ask for a class, and judge by it; the data must have labels."""
    mirror: bool = False
    """Mirror half of the images left to right."""
    w_dim: int = 64
    """Features of w, the style; the authors have 512, and as many latents."""
    mapping_layers: int = 2
    """Layers that map latents to w."""
    channel_base: int = 1024
    """A size of n x n has base / n features; the authors have 16384, and 32768 from 512 x 512 on."""
    channel_max: int = 64
    """Features at most; the authors' are 512."""
    base_resolution: int = 4
    """The size from which images grow."""
    d_architecture: Literal["orig", "resnet"] = "resnet"
    """resnet: the discriminator's layers have residual connections beside them. orig: they have none."""
    mbstd_group_size: int = 4
    """Examples of whose features the discriminator sees the deviation; 0 leaves it out."""
    style_mixing_prob: float = 0.9
    """The share of fakes whose last layers have another latent's styles."""
    r1_gamma: float = 0.01
    """Gamma of R1, whose weight is gamma / 2; 0 leaves it out."""
    r1_interval: int = 16
    """Steps from one R1 to the next."""
    pl_weight: float = 2.0
    """Weight of path-length regularisation; 0 leaves it out."""
    pl_interval: int = 4
    """Steps from one to the next."""
    beta1: float = 0.0
    """Adam's decay of the mean gradient."""
    beta2: float = 0.99
    """Adam's decay of the mean square."""
    ema_decay: float = 0.0
    """Decay of the generator's averaged weights, each step; at 0 it follows from the two below."""
    ema_kimg: float = 5.0
    """Thousands of images in which what the averaged weights remember is halved."""
    ema_rampup: float = 0.05
    """As a share of the images seen so far, which that is at most; 0 for no such limit."""
    num_low_precision_res: int = 4
    """Number of highest resolutions computed in --compute-dtype; the others use float32."""
    conv_clamp: float | None = None
    """The largest output of a layer; the authors have 256, for float16."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        small = {"data": "digits", "resolution": 8, "w_dim": 4, "channel_base": 32, "channel_max": 4, **changes}
        return super().tiny(**small)

    def averaging(self, step: jax.Array) -> jax.Array:
        """The averaged weights' decay at a step, of half-life ``ema_kimg``; what came first is soon forgotten."""
        seen = jnp.float32(step) * self.batch_size * self.ema_rampup
        kept = 1000.0 * jnp.float32(self.ema_kimg)
        kept = jnp.where(jnp.float32(self.ema_rampup) > 0, jnp.minimum(kept, seen), kept)
        return 0.5 ** (self.batch_size / jnp.maximum(kept, 1e-8))


def auto(config: Config) -> dict[str, Any]:
    """The authors' rules of thumb, of --resolution and --batch-size."""
    if config.resolution is None:
        raise ValueError("--preset auto: its settings follow from --resolution and --batch-size; give --resolution")
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


# As in train.py of the authors' code. Their groups are of one device's examples, and at most as many.
PRESETS = {
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
}


def networks(
    config: Config, shape: tuple[int, ...], classes: int
) -> tuple[stylegan2.Mapping, stylegan2.Synthesis, stylegan2.Discriminator]:
    """The generator's two, and the discriminator, of images of this shape.

    Raises:
      ValueError: their size does not grow from the smallest.
    """
    size, _, channels = shape
    how: dict[str, Any] = {
        "base": config.channel_base,
        "most": config.channel_max,
        "base_shape": (config.base_resolution, config.base_resolution),
        "dtype": config.dtype,
        "low": config.num_low_precision_res,
        "clamp": config.conv_clamp,
    }
    synthesis = stylegan2.Synthesis((size, size), channels, **how)
    try:
        layers = synthesis.layers
    except ValueError as error:
        raise ValueError(f"--base-resolution {config.base_resolution}: {error}") from None
    mapping = stylegan2.Mapping(layers, config.w_dim, config.mapping_layers, classes)
    residual = config.d_architecture == "resnet"
    discriminator = stylegan2.Discriminator(classes, group=config.mbstd_group_size, residual=residual, **how)
    return mapping, synthesis, discriminator


def check_groups(config: Config) -> None:
    """``ValueError`` unless the examples that the discriminator sees at once are dealt into its groups."""
    batch_size, micro_batches, group = config.batch_size, config.grad_accum_steps, config.mbstd_group_size
    shown = max(1, batch_size // micro_batches)  # on all devices
    if not group or shown % min(group, shown) == 0:
        return
    of = f"--batch-size {batch_size}"
    if micro_batches > 1:
        of += f" and --grad-accum-steps {micro_batches}"
    fits = [n for n in range(1, group) if shown % n == 0][-1]
    raise ValueError(
        f"--mbstd-group-size {group}: the {shown} examples of {of} are not dealt into such groups; use "
        f"--mbstd-group-size {fits}, or --batch-size {nearest(batch_size, group * micro_batches)}"
    )


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; a source in the place of ``config.data``."""
    config.check(
        w_dim=COUNT,
        mapping_layers=COUNT,
        channel_base=COUNT,
        channel_max=COUNT,
        base_resolution=COUNT,
        r1_interval=COUNT,
        pl_interval=COUNT,
        r1_gamma=WEIGHT,
        pl_weight=WEIGHT,
        ema_kimg=WEIGHT,
        ema_rampup=WEIGHT,
        mbstd_group_size=WEIGHT,
        num_low_precision_res=WEIGHT,
        style_mixing_prob=SHARE,
        beta1=SHARE,
        beta2=SHARE,
        conv_clamp=(1e-3, 1e6),
    )
    check_groups(config)
    source = config.images(source)
    classes = conditions(source) if config.conditional else ()
    mapping, synthesis, discriminator = networks(config, source.shape, len(classes))

    def map_latents(nets, z, *label, truncation_psi=1.0, truncation_cutoff=None):
        return nets.mapping(z, *label, psi=truncation_psi, cutoff=truncation_cutoff)

    styles = Styles(
        map=map_latents,
        average=lambda nets: nets.mapping.stats["moving"]["w"],
        images=lambda nets, ws, noise: nets.synthesis(ws, noise),
        noise=functools.partial(synthesis.constant_noise, jax.random.key(NOISE)),
        weights=lambda nets: synthesis.style_weights(nets.synthesis.params),
        num_ws=synthesis.layers,
        features=lambda nets, images: nets.d(images, features=True),
    )
    augmentation = config.augmentation()

    def label_of(batch):
        return (batch["label"],) if classes else ()

    def fakes(nets, batch, keys):
        """Images, their styles, mapping's statistics; both players' are the same, so XLA computes them once."""
        z = [latents(keys, config.z_dim), latents(fold_in_keys(keys), config.z_dim)]
        ws, stats = nets.mapping.with_stats(z[0], *label_of(batch))
        if positive(config.style_mixing_prob):
            ws = stylegan2.mixed(ws, nets.mapping(z[1], *label_of(batch)), keys, config.style_mixing_prob)
        return nets.synthesis(ws, keys), ws, stats

    # The authors' penalties have steps of their own, so Adam moves n + 1 times in n steps: they scale its rate by
    # n / (n + 1), and raise betas to it. Here a penalty is a term of the step's one loss, Adam moves n times, and there
    # is nothing to correct.

    def discriminator_loss(nets, batch, keys, step):
        d_real, d_fake = augmentation.views(nets, keys)
        label = label_of(batch)
        real = augment.flip(keys, batch["image"]) if config.mirror else batch["image"]
        real_logits, fake_logits = d_real(real, *label), d_fake(fakes(nets, batch, keys)[0], *label)
        terms: dict[str, Any] = {"adversarial": losses.non_saturating_discriminator(real_logits, fake_logits)}
        if positive(config.r1_gamma):
            penalty = lambda: config.r1_gamma / 2 * losses.r1(lambda x: d_real(x, *label), real)  # noqa: E731
            terms["r1"] = losses.lazy(config.r1_interval, step, penalty)
        metrics = losses.discriminator_metrics(real_logits, fake_logits) | augmentation.metrics(nets)
        return total(**terms, metrics=metrics, stats=augmentation.stats(nets, real_logits))

    def generator_loss(nets, batch, keys, step):
        _, d_fake = augmentation.views(nets, keys)
        images, ws, moved = fakes(nets, batch, keys)
        terms: dict[str, Any] = {"adversarial": losses.non_saturating_generator(d_fake(images, *label_of(batch)))}
        stats, metrics = {"mapping": moved}, {}
        if positive(config.pl_weight):
            half, due = keys[::2], step % config.pl_interval == 0
            lengths = lambda: losses.path_lengths(lambda ws: nets.synthesis(ws, half), ws[::2], half)  # noqa: E731
            lengths = jax.lax.cond(due, lengths, lambda: jnp.zeros(len(half)))
            mean, stats["path"] = nets.path.with_stats(lengths, due)
            penalty = lambda: config.pl_weight * losses.path_length_penalty(lengths, mean)  # noqa: E731
            terms["path"], metrics["path_mean"] = losses.lazy(config.pl_interval, step, penalty), mean
        return total(**terms, metrics=metrics, stats=stats)

    draw = lambda keys: latents(keys, config.z_dim)  # noqa: E731
    label = (jnp.zeros(1, jnp.int32),) * bool(classes)
    adam = optax.adam(config.learning_rate, config.beta1, config.beta2, eps=1e-8)
    ema = config.ema_decay if positive(config.ema_decay) else config.averaging
    game = Game(
        nets={
            "mapping": Net(mapping, jnp.zeros((1, config.z_dim)), *label),
            "synthesis": Net(synthesis, jnp.zeros((1, synthesis.layers, config.w_dim))),
            "d": Net(discriminator, jnp.zeros((1, *source.shape)), *label),
            **({"path": Net(losses.PathLengthEMA())} if positive(config.pl_weight) else {}),
            **augmentation.nets,
        },
        players={
            "d": Player(("d",), discriminator_loss, adam, config.gradient),
            "g": Player(("mapping", "synthesis"), generator_loss, adam, config.gradient),
        },
        turns=(("d",), ("g",)),
        ema={"mapping": ema, "synthesis": ema},
    )

    def generate(nets, *inputs):
        return styles.images(nets, styles.map(nets, *inputs), styles.noise())

    sampling = Sampling(draw, generate, classes, styles)
    return Experiment(game, source, sampling, Display(sheets=of_styles(styles, draw, label_of)))


if __name__ == "__main__":
    main("stylegan2", Config, build, __doc__, presets=PRESETS)
