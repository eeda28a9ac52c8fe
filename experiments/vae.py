"""VAE: the variational auto-encoder, as a game with one player.

Paper      Kingma, Welling 2014, arXiv:1312.6114, with the settings of examples/vae of https://github.com/google/flax
Command    jaxgan train vae
Presets    --preset paper with --data mnist, which TFDS downloads; --preset demo has the default settings
Data       the 1,797 digits of scikit-learn, 8 x 8, bundled with the package; --data names other images
Hardware   two cores of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       11 s by the clock, 15 s of processor time
Score      ELBO -24.0 nats, the mean over the last 100 training batches
"""

import dataclasses
from typing import Any, Self

import jax.numpy as jnp
import optax

from jaxgan import Game, Net, Player, data, latents, losses, media, total
from jaxgan.cli.program import main
from jaxgan.experiment import COUNT, Display, Experiment, Sampling, Settings
from jaxgan.models import vae


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "digits"
    resolution: int | None = None
    # Networks
    z_dim: int = 20
    """Dimension of the latents."""
    hidden: int = 500
    """Number of units of the hidden layer of the encoder and of the decoder."""
    # Optimisation
    steps: int = 5000
    batch_size: int = 128
    learning_rate: float = 1e-3
    ema_decay: float = 0.995
    """Decay per step of the exponential moving average of the weights of the encoder and of the decoder. Samples are
    generated with the averaged weights."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        return dataclasses.replace(cls(steps=4, batch_size=8, z_dim=4, hidden=16), **changes)


PRESETS = {
    # flax's examples/vae: 30 epochs of 468 steps. Kingma and Welling use the same widths, with tanh and Adagrad.
    "paper": {
        "z_dim": 20,
        "hidden": 500,
        "batch_size": 128,
        "steps": 14_040,
        "learning_rate": 1e-3,
        "ema_decay": 0.0,
    },
    "demo": {},  # the default settings
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(z_dim=COUNT, hidden=COUNT)
    source = config.load_images(source)
    encoder = vae.Encoder(config.z_dim, config.hidden, config.dtype)
    decoder = vae.Decoder(source.shape, config.hidden, config.dtype)

    def negative_elbo(nets, batch, keys, step):
        mean, log_variance = nets.encoder(batch["image"])
        z = mean + jnp.exp(log_variance / 2) * latents(keys, config.z_dim)
        # A pixel value, rescaled to [0, 1], is the probability of white. The loss of a grey pixel is the mean of the
        # losses of a white and of a black pixel, weighted by their probabilities.
        reconstruction = losses.binary_cross_entropy(nets.decoder(z), (batch["image"] + 1) / 2)
        kl = losses.gaussian_kl(mean, log_variance)
        return total(reconstruction=reconstruction, kl=kl, metrics={"elbo": -(reconstruction + kl)})

    def decoded(nets, z):
        """Return the mean of p(x | z) in [-1, 1]. The sigmoid of a logit, rescaled to [-1, 1], is tanh(logit / 2)."""
        return jnp.tanh(nets.decoder(z) / 2)

    def reconstruction(nets, batch, keys):
        mean, _ = nets.encoder(batch["image"])
        return media.stack_rows(batch["image"], decoded(nets, mean))

    def walk(nets, batch, keys):
        mean, _ = nets.encoder(batch["image"])
        paths = jnp.linspace(mean[:8], mean[16:24], 8, axis=1)
        return decoded(nets, paths.reshape(-1, config.z_dim))

    game = Game(
        nets={
            "encoder": Net(encoder, jnp.zeros((1, *source.shape))),
            "decoder": Net(decoder, jnp.zeros((1, config.z_dim))),
        },
        players={
            "vae": Player(("encoder", "decoder"), negative_elbo, optax.adam(config.learning_rate), config.gradient)
        },
        turns=(("vae",),),
        ema={"encoder": config.ema_decay, "decoder": config.ema_decay},
    )
    return Experiment(
        game,
        source,
        Sampling(latents=lambda keys: latents(keys, config.z_dim), generate=decoded),
        Display(sheets={"reconstruction": reconstruction, "walk": walk}),
    )


if __name__ == "__main__":
    main("vae", Config, build, __doc__, presets=PRESETS)
