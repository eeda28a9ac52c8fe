"""WGAN: a critic that estimates the earth mover's distance, with weight clipping as its Lipschitz constraint.

Paper      Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875; https://github.com/martinarjovsky/WassersteinGAN
Command    jaxgan train wgan
Presets    --preset paper with --data FOLDER, images of 64 x 64 pixels; --preset demo has the default settings
Data       the 1,797 digits of scikit-learn, 8 x 8, bundled with the package; --data names other images
Hardware   two cores of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       4 minutes by the clock, 4 minutes of processor time
Score      Frechet distance 0.099, precision 0.62, recall 0.98: 1,797 samples, features of a classifier (fd_classifier)
"""

import dataclasses
from typing import Any, Self

import optax

from jaxgan import data, latents, losses, total
from jaxgan.cli.program import main
from jaxgan.experiment import COUNT, DEPTH, Experiment, Settings, two_player_experiment
from jaxgan.games.optimizers import clip_weights
from jaxgan.models import dcgan


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "digits"
    resolution: int | None = None
    # Networks
    z_dim: int = 100
    """Dimension of the latents."""
    g_channels: int = 48
    """Number of channels of the generator's last hidden layer."""
    d_channels: int = 32
    """Number of channels of the critic's first layer."""
    base_resolution: int = 2
    """Resolution of the generator's first feature maps (paper: 4). Each following layer doubles the resolution."""
    # Losses
    weight_clip: float = 0.01
    """Maximum magnitude of the critic's weights, which are clipped after each update."""
    # Optimisation
    steps: int = 10000
    batch_size: int = 64
    n_critic: int = 5
    """Number of updates of the critic in each step."""
    critic_warmup_steps: int = 20
    """Length of a warm-up of the critic, in steps. Each step of a warm-up updates the critic. Only the last step also
    updates the generator."""
    critic_warmup_first: int = 25
    """Number of warm-ups at the start of training. Each warm-up directly follows the previous one."""
    critic_warmup_every: int = 500
    """Number of updates of the generator from one warm-up to the next, after the critic_warmup_first warm-ups at the
    start."""
    learning_rate: float = 2e-4
    """Learning rate of RMSprop (paper: 5e-5, for more steps)."""
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(
            steps=4,
            batch_size=8,
            z_dim=4,
            g_channels=4,
            d_channels=4,
            n_critic=2,
            critic_warmup_steps=2,
            critic_warmup_first=1,
        )
        return dataclasses.replace(small, **changes)


PRESETS = {
    # The default settings of the authors' main.py: 25 epochs of the 3,033,042 bedrooms of LSUN, five batches per step.
    "paper": {
        "resolution": 64,
        "base_resolution": 4,
        "z_dim": 100,
        "g_channels": 64,
        "d_channels": 64,
        "batch_size": 64,
        "steps": 236_956,
        "weight_clip": 0.01,
        "n_critic": 5,
        "critic_warmup_steps": 20,
        "critic_warmup_first": 25,
        "critic_warmup_every": 500,
        "learning_rate": 5e-5,
        "ema_decay": 0.0,
    },
    "demo": {},  # the default settings
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(
        z_dim=COUNT,
        g_channels=COUNT,
        d_channels=COUNT,
        n_critic=DEPTH,
        weight_clip=(1e-6, 1e6),
        critic_warmup_steps=COUNT,
        critic_warmup_first=(0, 10**9),
        critic_warmup_every=COUNT,
    )
    source = config.load_images(source)
    size, _, channels = source.shape
    generator = dcgan.Generator(size, channels, config.g_channels, config.base_resolution, config.dtype)
    critic = dcgan.Discriminator(config.d_channels, config.base_resolution, dtype=config.dtype)

    def critic_loss(nets, batch, keys, step):
        real_logits, stats = nets.d.with_stats(batch["image"])
        fake_logits = nets.d(nets.g(latents(keys, config.z_dim)))
        return total(
            adversarial=losses.wasserstein_discriminator(real_logits, fake_logits),
            metrics={"distance": real_logits - fake_logits, "logits_real": real_logits, "logits_fake": fake_logits},
            stats={"d": stats},
        )

    def generator_loss(nets, batch, keys, step):
        fake, stats = nets.g.with_stats(latents(keys, config.z_dim))
        return total(adversarial=losses.wasserstein_generator(nets.d(fake)), stats={"g": stats})

    # The authors used PyTorch, which adds epsilon outside the square root. At their learning rate, the Frechet distance
    # on the pixels of the digits was 0.73 with epsilon outside the root, and 1.16 with epsilon inside the root.
    rmsprop = optax.rmsprop(config.learning_rate, decay=0.99, eps_in_sqrt=False)
    experiment = two_player_experiment(
        config,
        source,
        generator,
        critic,
        z_dim=config.z_dim,
        losses={"d": critic_loss, "g": generator_loss},
        optimizers={"d": optax.chain(rmsprop, clip_weights(config.weight_clip)), "g": rmsprop},
        turns=(("d",),) * config.n_critic + (("g",),),
    )
    both = experiment.game.unwrapped
    alone = dataclasses.replace(both, players={"d": both.players["d"]}, turns=both.turns[:-1])
    return dataclasses.replace(experiment, game_at=lambda step: alone if is_alone(config, step) else both)


def is_alone(config: Config, step: int) -> bool:
    """Return whether a step trains only the critic. This holds for all steps of a warm-up except its last step."""
    long_turn, every = config.critic_warmup_steps, config.critic_warmup_every
    steps_of_first_turns = config.critic_warmup_first * long_turn
    if step < steps_of_first_turns:
        return step % long_turn < long_turn - 1
    # Each of the first warm-ups updates the generator once, in its last step. After these warm-ups, every step updates
    # the generator until the number of its updates is a multiple of critic_warmup_every. From then on, a cycle repeats:
    # a warm-up that ends with one update of the generator, and critic_warmup_every - 1 steps that each update the
    # generator.
    short_turns = every - config.critic_warmup_first % every
    steps_after = step - steps_of_first_turns - short_turns
    return steps_after >= 0 and steps_after % (long_turn + every - 1) < long_turn - 1


if __name__ == "__main__":
    main("wgan", Config, build, __doc__, presets=PRESETS)
