"""The variational auto-encoder, the cousin that GANs are contrasted with: a game of one player.

Paper      Kingma and Welling 2014, arXiv:1312.6114, as in https://github.com/google/flax, examples/vae: 784-500-20-
           500-784, rectified, Adam 1e-3, batches of 128. Its loss is minus the ELBO of Bernoulli pixels.
Command    jaxgan train vae
Presets    --preset paper --data mnist: the example's on MNIST, which TFDS downloads; --preset demo: the defaults
Data       scikit-learn's 1,797 digits, 8 x 8, which come along; --data mnist.npz for MNIST
Hardware   two cores of a shared Intel Xeon, jax 0.10.2, float32
Time       34 s of training at 7 ms a step for the command, on a machine that others used as well
Score      ELBO -24.0 nats, of the last 100 batches. On MNIST, of the test set: -103.3 after 10 epochs of binarised
           pixels, where flax's example has -103.6 (its pull request 1361); -107.7 after 7 epochs of grey ones with
           --hidden 400, where PyTorch's has -106.7 (pytorch/examples, pull request 1416):
           JAXGAN_TEST_DATA=... python -m pytest -n 0 -s -m slow tests/experiments/test_vae.py
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
    """What the result depends on."""

    # Data
    data: str = "digits"
    resolution: int | None = None
    # Networks
    z_dim: int = 20
    """Dimension of the latents."""
    hidden: int = 500
    """Units of the hidden layer of the encoder and of the decoder."""
    # Optimisation
    steps: int = 5000
    batch_size: int = 128
    learning_rate: float = 1e-3
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Settings for tests."""
        return dataclasses.replace(cls(steps=4, batch_size=8, z_dim=4, hidden=16), **changes)


PRESETS = {
    # flax's examples/vae: 30 epochs of 468 steps. Kingma and Welling have layers of these widths, tanh and Adagrad.
    "paper": {
        "z_dim": 20,
        "hidden": 500,
        "batch_size": 128,
        "steps": 14_040,
        "learning_rate": 1e-3,
        "ema_decay": 0.0,
    },
    "demo": {},  # the defaults
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; a source in the place of ``config.data``."""
    config.check(z_dim=COUNT, hidden=COUNT)
    source = config.load_images(source)
    encoder = vae.Encoder(config.z_dim, config.hidden, config.dtype)
    decoder = vae.Decoder(source.shape, config.hidden, config.dtype)

    def negative_elbo(nets, batch, keys, step):
        mean, log_variance = nets.encoder(batch["image"])
        z = mean + jnp.exp(log_variance / 2) * latents(keys, config.z_dim)
        # A pixel in [-1, 1] stands for the probability of white; a grey one counts as that share of each.
        reconstruction = losses.binary_cross_entropy(nets.decoder(z), (batch["image"] + 1) / 2)
        kl = losses.gaussian_kl(mean, log_variance)
        return total(reconstruction=reconstruction, kl=kl, metrics={"elbo": -(reconstruction + kl)})

    def decoded(nets, z):
        """The mean of p(x | z), a sigmoid brought from [0, 1] to [-1, 1]: a tanh of half."""
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
