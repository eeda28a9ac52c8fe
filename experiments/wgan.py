"""WGAN: a critic of the earth mover's distance, kept Lipschitz by clipping its weights.

Paper      Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875: algorithm 1 with RMSprop, DCGAN's networks, and the
           warm-up of https://github.com/martinarjovsky/WassersteinGAN: a hundred turns of the critic for each of the
           generator's first 25, and for every 500th
Command    jaxgan train wgan
Presets    --preset paper --data FOLDER: the authors', for a folder of LSUN's bedrooms or of other pictures of 64 x 64;
           --preset demo: the defaults
Data       scikit-learn's 1,797 digits, 8 x 8, which come along; --data takes any other images
Hardware   two cores of a shared Intel Xeon, jax 0.10.2, float32
Time       8 minutes on one core, which was shared
Score      Frechet distance on pixels 0.37, precision 0.32, recall 0.78, classes from 8.9 % to 12.1 %, of 1,797 samples:
           all kinds of digits, many of them rough; at the authors' rate, for so few steps, 0.73, 0.25 and 0.71:
           python -m pytest -n 0 -s -m slow tests/experiments/test_default_run.py -k wgan
"""

import dataclasses
from typing import Any, Self

import optax

from jaxgan import data, latents, losses, total
from jaxgan.cli.program import main
from jaxgan.experiment import COUNT, Experiment, Settings, two_player_experiment
from jaxgan.games.optimizers import clip_weights
from jaxgan.models import dcgan


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """What the result depends on."""

    # Data
    data: str = "digits"
    resolution: int | None = None
    # Networks
    z_dim: int = 100
    """Dimension of the latents."""
    g_channels: int = 48
    """Channels of the generator's last hidden layer."""
    d_channels: int = 32
    """Channels of the critic's first layer."""
    base_resolution: int = 2
    """Resolution from which the generator grows its images; the paper's is 4."""
    # Losses
    weight_clip: float = 0.01
    """The critic's weights stay in [-weight_clip, weight_clip]."""
    # Optimisation
    steps: int = 10000
    batch_size: int = 64
    n_critic: int = 5
    """Turns of the critic in a step."""
    critic_warmup_steps: int = 20
    """Steps of a long turn: the critic moves alone in all of them but the last, in which both players move."""
    critic_warmup_first: int = 25
    """Number of the generator's turns at the start that are long ones."""
    critic_warmup_every: int = 500
    """After these, one in so many of the generator's turns is a long one."""
    learning_rate: float = 2e-4
    """Learning rate of RMSprop; the authors' is 5e-5, for more steps."""
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Settings for tests."""
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
    # The defaults of the authors' main.py: 25 epochs of LSUN's 3,033,042 bedrooms, five batches a step.
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
    "demo": {},  # the defaults
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """The game and its data; a source in the place of ``config.data``."""
    config.check(
        z_dim=COUNT,
        g_channels=COUNT,
        d_channels=COUNT,
        n_critic=COUNT,
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

    # Epsilon outside the root is PyTorch's, which the authors had: at their rate a distance of 0.73, within it 1.16.
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
    """Whether the critic moves alone in a step: in all but the last of a long turn of the generator."""
    long_turn, every = config.critic_warmup_steps, config.critic_warmup_every
    steps_of_first_turns = config.critic_warmup_first * long_turn
    if step < steps_of_first_turns:
        return step % long_turn < long_turn - 1
    # Short turns, of one step, follow up to the generator's next turn whose number critic_warmup_every divides. From
    # there on a long turn and every - 1 short ones repeat.
    short_turns = every - config.critic_warmup_first % every
    steps_after = step - steps_of_first_turns - short_turns
    return steps_after >= 0 and steps_after % (long_turn + every - 1) < long_turn - 1


if __name__ == "__main__":
    main("wgan", Config, build, __doc__, presets=PRESETS)
