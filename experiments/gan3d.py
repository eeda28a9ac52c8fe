"""3D-GAN: solid objects as voxels.

Paper      Wu, Zhang, Xue, Freeman, Tenenbaum 2016, arXiv:1610.07584, with narrower layers, R1 and other learning rates
Command    jaxgan train gan3d
Presets    --preset paper with --data FILE.npz, cubes of 64 x 64 x 64 voxels; --preset demo has the default settings
Data       the 1,797 digits as solids of 16 x 16 x 16 voxels; --data takes an .npz file or a folder of .binvox files
Hardware   two cores of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       57 s by the clock, 99 s of processor time
Score      precision 0.30, recall 0.49: voxels of 1,797 samples against the digits, 3 nearest neighbours
"""

import dataclasses
from typing import Any, Literal, Self

import optax

from jaxgan import data, losses, total
from jaxgan.cli.program import main
from jaxgan.core.keys import uniform_latents
from jaxgan.data import voxels
from jaxgan.experiment import (
    COUNT,
    FRACTION,
    NON_NEGATIVE,
    Experiment,
    Settings,
    is_enabled,
    two_player_experiment,
)
from jaxgan.games import optimizers
from jaxgan.media import Voxels
from jaxgan.models import gan3d


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "digits"
    """The data: digits, an .npz file of voxels, or a folder of .binvox files."""
    resolution: int | None = None
    """Number of voxels along each side of the cubes. Larger cubes are downsampled, and smaller cubes are surrounded by
    empty space. By default, cubes keep their size."""
    category: str | None = None
    """The class to train on, if the data have classes. By default, one network is trained on all classes. The paper
    trains a separate network for each class."""
    up_axis: Literal["x", "y", "z"] = "z"
    """The axis of the voxels that points up in rendered images."""
    # Networks
    z_dim: int = 200
    """Dimension of the latents."""
    z_min: float = -1.0
    """Lower end of the uniform distribution of the latents (paper: 0). The upper end is 1. At 0, the mean of the
    latents is 1/2 in all samples, and it makes up three quarters of the latents' mean square."""
    g_channels: int = 16
    """Number of channels of the generator's last hidden layer (paper: 64)."""
    d_channels: int = 16
    """Number of channels of the discriminator's first layer (paper: 64)."""
    base_resolution: int = 4
    """Side of the generator's first feature maps in voxels. Each following layer doubles the side."""
    d_norm: Literal["batch", "none"] = "none"
    """Normalisation layers of the discriminator (paper: batch). With batch normalisation, the logit of an object also
    depends on the other objects of the batch."""
    # Losses
    r1_gamma: float = 5.0
    """Gamma of the R1 penalty, which has the weight gamma / 2; 0 omits the penalty, as in the paper."""
    d_pause_accuracy: float = 0.8
    """Accuracy of the discriminator on a batch, above which the discriminator is not updated in the next step. At 1,
    the discriminator is updated in every step."""
    # Optimisation
    steps: int = 1500
    batch_size: int = 16
    learning_rate: float = 7e-4
    """Learning rate of the generator (paper: 0.0025)."""
    d_learning_rate: float = 7e-4
    """Learning rate of the discriminator (paper: 1e-5)."""
    beta1: float = 0.5
    """Adam's decay rate of the mean of the gradients."""
    ema_decay: float = 0.99

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(steps=4, batch_size=8, resolution=8, z_dim=4, g_channels=2, d_channels=2)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # Section 3. The paper trains a network for each category of ShapeNet and does not state the number of steps.
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
    "demo": {},  # the default settings
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source``, cubes [n, n, n, 1], replaces ``config.data``."""
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
    medium = Voxels("xyz".index(config.up_axis))
    medium.check(source)
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
    return two_player_experiment(
        config,
        source,
        generator,
        discriminator,
        z_dim=config.z_dim,
        losses={"d": discriminator_loss, "g": generator_loss},
        optimizers={"d": d_optimizer, "g": g_optimizer},
        sample_latents=sample_latents,
        medium=medium,
    )


if __name__ == "__main__":
    main("gan3d", Config, build, __doc__, presets=PRESETS)
