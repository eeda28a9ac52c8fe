"""Series: windows of several columns over time, by a relativistic loss with the R1 and R2 penalties.

Paper      the loss of Huang et al. 2024, arXiv:2501.05441; protocol of the scores: Yoon et al. 2019, TimeGAN
Command    jaxgan train series
Presets    --preset paper with --data sines, or a file of stocks; --preset demo has the default settings
Data       four years of daily weather in Seattle (NOAA, public domain), bundled; --data names a .csv or .npz file
Hardware   two cores of a shared AMD EPYC (Zen 3), jax 0.10.2, float32
Time       2 min; 159 s of processor time
Score      discriminative 0.039, predictive 0.117: 1,127 windows, means of three networks
"""

import dataclasses
from typing import Any, Literal, Self

import flax.linen as nn
import optax

from jaxgan import data, latents, losses, total
from jaxgan.cli.program import main
from jaxgan.experiment import (
    COUNT,
    DEPTH,
    FRACTION,
    NON_NEGATIVE,
    Experiment,
    SeriesSettings,
    two_player_experiment,
)
from jaxgan.games.optimizers import cosine
from jaxgan.models import series


@dataclasses.dataclass(frozen=True)
class Config(SeriesSettings):
    """Settings of the experiment, which determine its result.

    ``learning_rate``, ``gamma`` and ``beta2`` change during training, to the values of ``learning_rate_final``,
    ``gamma_final`` and ``beta2_final``.
    """

    # Data
    data: str = "weather"
    """The series: weather (four years of daily weather), sines (TimeGAN's sines), or a .csv, .tsv, .txt, .npz,
    .parquet, .feather or .xlsx file. A row of a table is a time step. An .npz file contains the array series,
    [N, T, C]."""
    window: int | None = None
    test_fraction: float = 0.2
    # Networks
    networks: Literal["conv", "causal", "gru"] = "conv"
    """Architecture of both networks: conv (residual networks of 1-D convolutions), causal (the same with causal
    convolutions, so that a time step depends on earlier ones) or gru (recurrent networks)."""
    z_dim: int = 32
    """Dimension of the latents of a window."""
    step_z_dim: int = 0
    """Dimension of the additional latents of each time step."""
    g_channels: int = 32
    """Number of channels or units of each layer of the generator."""
    d_channels: int = 32
    """Number of channels or units of each layer of the discriminator."""
    num_blocks: int = 3
    """Number of residual blocks, or of recurrent layers, of each network."""
    # Losses
    gamma: float = 0.2
    """Gamma of the R1 and R2 penalties at the start. Both penalties have the weight gamma / 2."""
    gamma_final: float = 0.02
    """Gamma from step decay_steps on."""
    # Optimisation
    steps: int = 2000
    batch_size: int = 64
    learning_rate: float = 2e-3
    learning_rate_final: float = 2e-4
    """Learning rate from step decay_steps on."""
    decay_steps: int = 2000
    """Number of steps over which the learning rate, gamma and beta2 change along a cosine to their final values."""
    beta2: float = 0.9
    """Adam's decay rate of the mean of the squared gradients, at the start of training. The decay rate of the mean of
    the gradients is always 0."""
    beta2_final: float = 0.99
    """Adam's decay rate of the mean of the squared gradients, from step decay_steps on."""
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(steps=4, batch_size=8, window=8, z_dim=4, g_channels=4, d_channels=4, num_blocks=1)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # TimeGAN's protocol: windows of 24 rows, all of which are training windows and are compared with the samples. Its
    # batches have 128 windows. The networks, the loss and the number of steps are not TimeGAN's.
    "paper": {"window": 24, "test_fraction": 0.0, "batch_size": 128, "steps": 6000, "decay_steps": 6000},
    "demo": {},  # the default settings
}


def networks(config: Config, steps: int, channels: int, static: int, classes: int) -> tuple[nn.Module, nn.Module]:
    """Return the generator and the discriminator.

    Args:
      config: the settings.
      steps: number of time steps of a window.
      channels: number of channels of a window, with those of static attributes.
      static: number of channels of static attributes.
      classes: number of classes; 0 for unconditional networks.
    """
    kwargs: dict[str, Any] = {"step_latents": config.step_z_dim, "static": static, "classes": classes}
    both: dict[str, Any] = {"classes": classes, "dtype": config.dtype}
    if config.networks == "gru":
        generator = series.GRUGenerator(
            steps, channels, config.g_channels, config.num_blocks, dtype=config.dtype, **kwargs
        )
        return generator, series.GRUDiscriminator(config.d_channels, config.num_blocks, **both)
    causal = config.networks == "causal"
    generator = series.ConvGenerator(
        steps, channels, config.g_channels, config.num_blocks, causal=causal, dtype=config.dtype, **kwargs
    )
    return generator, series.ConvDiscriminator(config.d_channels, config.num_blocks, causal=causal, **both)


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(
        z_dim=COUNT,
        step_z_dim=(0, COUNT[1]),
        g_channels=COUNT,
        d_channels=COUNT,
        num_blocks=DEPTH,
        decay_steps=COUNT,
        learning_rate_final=NON_NEGATIVE,
        gamma=NON_NEGATIVE,
        gamma_final=NON_NEGATIVE,
        beta2=FRACTION,
        beta2_final=FRACTION,
    )
    source, medium = config.load_series(source)
    classes, (steps, columns) = source.classes, source.shape
    static = medium.static_channels
    generator, discriminator = networks(config, steps, columns + static, static, len(classes))
    z_dim = config.z_dim + steps * config.step_z_dim
    gamma = cosine(config.gamma, config.gamma_final, config.decay_steps)

    def discriminator_loss(nets, batch, keys, step):
        label = (batch["label"],) if classes else ()
        real, fake = batch["series"], nets.g(latents(keys, z_dim), *label)

        def d(x):
            return nets.d(x, *label)

        real_logits, fake_logits = d(real), d(fake)
        return total(
            adversarial=losses.relativistic_discriminator(real_logits, fake_logits),
            r1=gamma(step) / 2 * losses.r1(d, real),
            r2=gamma(step) / 2 * losses.r2(d, fake),
            metrics={"accuracy": real_logits > fake_logits, "gap": real_logits - fake_logits},
        )

    def generator_loss(nets, batch, keys, step):
        label = (batch["label"],) if classes else ()
        fake_logits = nets.d(nets.g(latents(keys, z_dim), *label), *label)
        return total(adversarial=losses.relativistic_generator(nets.d(batch["series"], *label), fake_logits))

    adam = optax.inject_hyperparams(optax.adam)(
        cosine(config.learning_rate, config.learning_rate_final, config.decay_steps),
        b1=0.0,
        b2=cosine(config.beta2, config.beta2_final, config.decay_steps),
    )
    return two_player_experiment(
        config,
        source,
        generator,
        discriminator,
        z_dim=z_dim,
        losses={"d": discriminator_loss, "g": generator_loss},
        optimizers={"d": adam, "g": adam},
        classes=classes,
        medium=medium,
    )


if __name__ == "__main__":
    main("series", Config, build, __doc__, presets=PRESETS)
