"""3D-GAN: solids of voxels from latents.

Paper      Wu, Zhang, Xue, Freeman, Tenenbaum 2016, arXiv:1610.07584: its layers, at narrower widths, and its pause of
           the discriminator. Not the paper's: learning rates, R1, latents around 0, a discriminator without BatchNorm
Command    jaxgan train gan3d
Presets    --preset paper --data chairs.npz: the paper's, for cubes of 64 x 64 x 64 voxels of one kind; --preset demo:
           the defaults
Data       scikit-learn's 1,797 digits as solids, 16 x 16 x 16, which come along; --data takes an .npz or a folder of
           .binvox files, --category chair one class of them
Hardware   two cores of a shared Intel Xeon, jax 0.10.2, float32
Time       3 min 20 s for the command, on cores that others used too
Score      --data modelnet10_chair_monitor_32.npz --category chair --resolution 16 (889 chairs, bits): of 512 samples of
           seed 0, 100 % are chairs to a classifier of chairs and monitors (99.7 % right on held-out ones); median
           overlap (IoU) with the nearest real chair 0.44, at most 0.56, where real chairs have 0.58 with each other,
           voxels drawn one by one 0.29; with the nearest other sample 0.50. Some have loose voxels. With --z-min 0,
           as in the paper, all samples are one chair (0.997):
           python -m pytest -n 0 -s -m slow tests/experiments/test_gan3d.py
"""

import dataclasses
import functools
from typing import Any, Literal, Self

import optax

from jaxgan import data, losses, media, total
from jaxgan.cli.program import main
from jaxgan.core.keys import uniform_latents
from jaxgan.data import voxels
from jaxgan.experiment import (
    COUNT,
    FRACTION,
    NON_NEGATIVE,
    Display,
    Experiment,
    Settings,
    is_enabled,
    two_player_experiment,
)
from jaxgan.games import optimizers
from jaxgan.models import gan3d


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """What the result depends on."""

    # Data
    data: str = "digits"
    """digits, an .npz of voxels, or a folder of .binvox files."""
    resolution: int | None = None
    """Side that cubes are brought to: smaller by blocks, larger with empty space around. Without it, their own."""
    category: str | None = None
    """The class to train on, of data with classes; the paper has a network for each."""
    up_axis: Literal["x", "y", "z"] = "z"
    """The axis that points up in pictures."""
    # Networks
    z_dim: int = 200
    """Dimension of the latents."""
    z_min: float = -1.0
    """Latents are uniform from here to 1. The paper's start at 0: three quarters of the first layer's variance, which
    BatchNorm keeps, are then the same for every latent."""
    g_channels: int = 16
    """Channels of the generator's last hidden layer; the paper's has 64."""
    d_channels: int = 16
    """Channels of the discriminator's first layer; the paper's has 64."""
    base_resolution: int = 4
    """Side of the cube from which the generator grows its solids."""
    d_norm: Literal["batch", "none"] = "none"
    """Normalisation in the discriminator; the paper has batch, with which it judges batches rather than solids."""
    # Losses
    r1_gamma: float = 5.0
    """Gamma of R1, whose weight is gamma / 2; the paper has none."""
    d_pause_accuracy: float = 0.8
    """The discriminator is not updated after a batch in which its accuracy was above this; 1 never pauses it."""
    # Optimisation
    steps: int = 1500
    batch_size: int = 16
    learning_rate: float = 7e-4
    """Learning rate of the generator; the paper's is 0.0025."""
    d_learning_rate: float = 7e-4
    """Learning rate of the discriminator; the paper's is 1e-5."""
    beta1: float = 0.5
    """Adam's decay of the mean of gradients."""
    ema_decay: float = 0.99

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Settings for tests."""
        small = cls(steps=4, batch_size=8, resolution=8, z_dim=4, g_channels=2, d_channels=2)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # Section 3. The paper trains a network for each category of ShapeNet's voxels, and does not say for how long.
    "paper": {
        "resolution": 64,
        "base_resolution": 4,
        "z_dim": 200,
        "z_min": 0.0,
        "g_channels": 64,
        "d_channels": 64,
        "d_norm": "batch",
        "batch_size": 100,
        "learning_rate": 2.5e-3,
        "d_learning_rate": 1e-5,
        "beta1": 0.5,
        "d_pause_accuracy": 0.8,
        "r1_gamma": 0.0,
        "ema_decay": 0.0,
    },
    "demo": {},  # the defaults
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; a source of cubes, [n, n, n, 1], in the place of ``config.data``."""
    config.check(
        z_dim=COUNT,
        z_min=(-1, 0),
        g_channels=COUNT,
        d_channels=COUNT,
        d_learning_rate=NON_NEGATIVE,
        beta1=FRACTION,
        d_pause_accuracy=FRACTION,
        r1_gamma=NON_NEGATIVE,
    )
    if config.channels not in (None, 1):
        raise ValueError(f"`channels` must be 1 for voxels, which are empty or solid, got {config.channels}.")
    if source is None:
        source = voxels.load(config.data, resolution=config.resolution, category=config.category)
    if len(source.shape) != 4:
        raise ValueError(
            f"{source.name} has examples of shape {source.shape}, but this experiment takes cubes of voxels, "
            "(n, n, n, 1)."
        )
    generator = gan3d.Generator(source.shape[0], config.g_channels, config.base_resolution, config.dtype)
    discriminator = gan3d.Discriminator(config.d_channels, config.base_resolution, config.d_norm, config.dtype)

    def sample_latents(keys, z_dim=config.z_dim):
        return uniform_latents(keys, z_dim, low=config.z_min)

    def discriminator_loss(nets, batch, keys, step):
        real_logits, stats = nets.d.with_stats(batch["image"])
        fake_logits = nets.d(nets.g(sample_latents(keys)))
        adversarial = losses.non_saturating_discriminator(real_logits, fake_logits)
        accuracy = (real_logits > 0) / 2 + (fake_logits < 0) / 2
        metrics = {**losses.discriminator_metrics(real_logits, fake_logits), "accuracy": accuracy}
        terms = {"adversarial": adversarial}
        if is_enabled(config.r1_gamma):
            terms["r1"] = config.r1_gamma / 2 * losses.r1(nets.d, batch["image"])
        return total(**terms, metrics=metrics, stats={"d": stats})

    def generator_loss(nets, batch, keys, step):
        fake, stats = nets.g.with_stats(sample_latents(keys))
        return total(adversarial=losses.non_saturating_generator(nets.d(fake)), stats={"g": stats})

    d_optimizer = optimizers.pause(
        optax.adam(config.d_learning_rate, config.beta1),
        when=lambda terms: terms["accuracy"] > config.d_pause_accuracy,
    )
    g_optimizer = optax.adam(config.learning_rate, config.beta1)
    experiment = two_player_experiment(
        config,
        source,
        generator,
        discriminator,
        z_dim=config.z_dim,
        losses={"d": discriminator_loss, "g": generator_loss},
        optimizers={"d": d_optimizer, "g": g_optimizer},
        sample_latents=sample_latents,
    )
    up = "xyz".index(config.up_axis)
    view, film = (functools.partial(render, up_axis=up) for render in (media.render_solids, media.render_turning))
    display = Display(view=view, film=film)
    return dataclasses.replace(experiment, display=display)


if __name__ == "__main__":
    main("gan3d", Config, build, __doc__, presets=PRESETS)
