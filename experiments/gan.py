"""GAN: the first generative adversarial network, with multi-layer perceptrons.

Paper      Goodfellow et al. 2014, arXiv:1406.2661; --networks goodfellow: https://github.com/goodfeli/adversarial
Command    jaxgan train gan
Presets    --preset paper with --data mnist, which TFDS downloads; --preset demo has the default settings
Data       the 1,797 digits of scikit-learn, 8 x 8, bundled with the package; --data names other images, or points
Hardware   two cores of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       22 s by the clock, 33 s of processor time
Score      Frechet distance 0.45, precision 0.69, recall 0.96: 1,797 samples, features of a classifier (fd_classifier)
"""

import dataclasses
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import optax

from jaxgan import data, latents, losses, total
from jaxgan.cli.program import main
from jaxgan.core.keys import fold_in_keys
from jaxgan.experiment import COUNT, Experiment, Settings, two_player_experiment
from jaxgan.models import mlp


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "digits"
    resolution: int | None = None
    # Networks
    networks: Literal["short", "goodfellow"] = "short"
    """Architecture of both networks: short (one hidden layer) or goodfellow (two hidden layers, with maxout and dropout
    in the discriminator)."""
    z_dim: int = 100
    """Dimension of the latents."""
    # Losses
    saturating: bool = False
    """Train the generator with the saturating minimax loss. Its gradient vanishes where the discriminator recognises
    the fakes. By default, the loss is non-saturating."""
    # Optimisation
    steps: int = 20000
    batch_size: int = 100
    learning_rate: float = 2e-4
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        return dataclasses.replace(cls(steps=4, batch_size=8, z_dim=4), **changes)


PRESETS = {
    # mnist.yaml of the authors' code. The authors train by SGD for 250 epochs of 500 steps. Their learning rate decays
    # from 0.1, and their momentum grows from 0.5 to 0.7. This experiment takes the same number of steps with Adam.
    "paper": {
        "networks": "goodfellow",
        "z_dim": 100,
        "batch_size": 100,
        "steps": 125_000,
        "ema_decay": 0.0,
    },
    "demo": {},  # the default settings
}


def identity(x: jax.Array) -> jax.Array:
    """Return the input unchanged. Generators of points use this output activation, because points are not bounded."""
    return x


def half_tanh(x: jax.Array) -> jax.Array:
    """Return the sigmoid of ``x``, rescaled from [0, 1] to [-1, 1], the range of images."""
    return jnp.tanh(x / 2)


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(z_dim=COUNT)
    source = config.load_examples(source)
    bounded = len(source.shape) == 3
    output = jnp.tanh if bounded else identity
    if config.networks == "goodfellow":
        output = half_tanh if bounded else identity
        generator = mlp.Generator(source.shape, (1200, 1200), output, config.dtype, init_range=0.05)
        discriminator = mlp.MaxoutDiscriminator(dtype=config.dtype)
    else:
        generator = mlp.Generator(source.shape, output_activation=output, dtype=config.dtype)
        discriminator = mlp.Discriminator(dtype=config.dtype)
    generator_adversarial = losses.minimax_generator if config.saturating else losses.non_saturating_generator

    def dropout_keys(keys):
        """Return the keys as arguments of the discriminator. Only Goodfellow's discriminator has dropout."""
        return (keys,) if config.networks == "goodfellow" else ()

    def discriminator_loss(nets, batch, keys, step):
        real_logits = nets.d(batch["image"], *dropout_keys(keys))
        fake_logits = nets.d(nets.g(latents(keys, config.z_dim)), *dropout_keys(fold_in_keys(keys)))
        adversarial = losses.minimax_discriminator(real_logits, fake_logits)
        return total(adversarial=adversarial, metrics=losses.discriminator_metrics(real_logits, fake_logits))

    def generator_loss(nets, batch, keys, step):
        fake = nets.g(latents(keys, config.z_dim))
        return total(adversarial=generator_adversarial(nets.d(fake, *dropout_keys(keys))))

    adam = optax.adam(config.learning_rate, b1=0.5)
    return two_player_experiment(
        config,
        source,
        generator,
        discriminator,
        z_dim=config.z_dim,
        losses={"d": discriminator_loss, "g": generator_loss},
        optimizers={"d": adam, "g": adam},
    )


if __name__ == "__main__":
    main("gan", Config, build, __doc__, presets=PRESETS)
