"""Text: the character-level WGAN-GP for lines of text, with softmax or Gumbel-softmax outputs.

Paper      Gulrajani et al. 2017, arXiv:1704.00028, section 5.4; Gumbel-softmax: Kusner and Hernandez-Lobato 2016
Command    jaxgan train text
Presets    --preset paper with --data FILE.txt; --preset gumbel; --preset demo has the default settings
Data       5,344 lines of The Song of Hiawatha, bundled with the package; --data names a text file
Hardware   two cores of a shared AMD EPYC (Zen 3), jax 0.10.2, float32
Time       4.3 min; 353 s of processor time, beside other programs
Score      n-gram divergences js_2 0.178, js_3 0.388, js_4 0.607 of 4,812 samples; a unigram model: 0.264, 0.595, 0.869
"""

import dataclasses
from typing import Any, Literal, Self

import jax.numpy as jnp
import optax

from jaxgan import data, latents, losses, total
from jaxgan.cli.program import main
from jaxgan.experiment import COUNT, DEPTH, FRACTION, NON_NEGATIVE, CommonSettings, Experiment, two_player_experiment
from jaxgan.media import Text
from jaxgan.models import text


@dataclasses.dataclass(frozen=True)
class Config(CommonSettings):
    """Settings of the experiment, which determine its result."""

    # Data
    data: str = "hiawatha"
    """Path of a text file in UTF-8 with one example in each line, or "hiawatha" for the text that is bundled with the
    package."""
    length: int = 40
    """Number of characters of a line (paper: 32). Shorter lines are padded."""
    long_lines: Literal["cut", "drop"] = "cut"
    """What happens to lines with more characters: cut (their first characters are used) or drop (they are left out)."""
    max_characters: int = 200
    """Largest number of different characters. The rarer ones are replaced by an unknown character."""
    test_fraction: float = 0.1
    """Fraction of the different lines that are only used for comparison in evaluations, below 1."""
    # Networks
    z_dim: int = 128
    """Dimension of the latents."""
    width: int = 32
    """Number of channels of each layer of both networks (paper: 512)."""
    num_blocks: int = 5
    """Number of residual blocks of each network, with two convolutions each."""
    output: Literal["softmax", "gumbel"] = "softmax"
    """What the generator shows to the critic in each position: softmax (the probabilities of the characters) or gumbel
    (a Gumbel-softmax sample of a character)."""
    straight_through: bool = False
    """Show one-hot vectors to the critic, with the gradient of the Gumbel-softmax samples. It requires the output
    gumbel."""
    # Losses
    gp_weight: float = 10.0
    """Weight of the gradient penalty."""
    temperature: float = 1.0
    """Temperature of the Gumbel-softmax samples at the first step. Lower temperatures are closer to one-hot vectors."""
    final_temperature: float = 0.5
    """Temperature of the Gumbel-softmax samples after anneal_steps steps. Each step changes it by the same factor."""
    anneal_steps: int = 1500
    """Number of steps until the temperature is final_temperature."""
    # Optimisation
    steps: int = 2000
    batch_size: int = 32
    n_critic: int = 2
    """Number of updates of the critic in each step (paper: 10)."""
    learning_rate: float = 2e-3
    """Learning rate of Adam (paper: 1e-4)."""
    beta1: float = 0.5
    """Adam's decay rate of the mean of the gradients."""
    beta2: float = 0.9
    """Adam's decay rate of the mean of the squared gradients."""
    ema_decay: float = 0.995

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        return dataclasses.replace(cls(steps=4, batch_size=8, z_dim=4, width=4, num_blocks=1, n_critic=1), **changes)


PRESETS = {
    # gan_language.py of the authors' code. The data of the paper are the lines of the Billion Word benchmark.
    "paper": {
        "length": 32,
        "long_lines": "cut",
        "max_characters": 2048,
        "z_dim": 128,
        "width": 512,
        "num_blocks": 5,
        "output": "softmax",
        "gp_weight": 10.0,
        "batch_size": 64,
        "steps": 200_000,
        "n_critic": 10,
        "learning_rate": 1e-4,
        "beta1": 0.5,
        "beta2": 0.9,
        "ema_decay": 0.0,
    },
    "gumbel": {"output": "gumbel"},
    "demo": {},  # the default settings
}


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(
        z_dim=COUNT,
        width=COUNT,
        num_blocks=DEPTH,
        n_critic=DEPTH,
        gp_weight=NON_NEGATIVE,
        temperature=(1e-3, 1e3),
        final_temperature=(1e-3, 1e3),
        anneal_steps=COUNT,
        beta1=FRACTION,
        beta2=FRACTION,
    )
    if config.straight_through and config.output != "gumbel":
        raise ValueError("`straight_through` has an effect only on Gumbel-softmax samples. Set `output` to gumbel.")
    source = source or data.texts.load(
        config.data,
        length=config.length,
        long_lines=config.long_lines,
        max_characters=config.max_characters,
        test_fraction=config.test_fraction,
    )
    details = getattr(source, "details", None)
    if not details:
        raise ValueError(f"{source.name} must consist of lines of text, as jaxgan.data.texts.load returns them.")
    medium = Text(**details)
    characters, gumbel = medium.num_characters, config.output == "gumbel"
    generator = text.Generator(
        medium.length,
        characters,
        config.width,
        config.num_blocks,
        gumbel=gumbel,
        straight_through=config.straight_through,
        dtype=config.dtype,
    )
    critic = text.Critic(config.width, config.num_blocks, dtype=config.dtype)
    z_dim = config.z_dim + medium.length * characters * gumbel  # the other latents become Gumbel noise

    def temperature(step):
        """Return the temperature at a step, on a geometric path from the first to the final temperature."""
        progress = jnp.minimum(step / config.anneal_steps, 1.0)
        return config.temperature * (config.final_temperature / config.temperature) ** progress

    def critic_loss(nets, batch, keys, step):
        real, fake = batch["text"], nets.g(latents(keys, z_dim), temperature(step))
        real_logits, fake_logits = nets.d(real), nets.d(fake)
        return total(
            adversarial=losses.wasserstein_discriminator(real_logits, fake_logits),
            gradient_penalty=config.gp_weight * losses.gradient_penalty(nets.d, real, fake, keys),
            metrics={"distance": real_logits - fake_logits, "logits_real": real_logits, "logits_fake": fake_logits},
        )

    def generator_loss(nets, batch, keys, step):
        fake = nets.g(latents(keys, z_dim), temperature(step))
        return total(adversarial=losses.wasserstein_generator(nets.d(fake)))

    adam = optax.adam(config.learning_rate, config.beta1, config.beta2)
    return two_player_experiment(
        config,
        source,
        generator,
        critic,
        z_dim=z_dim,
        losses={"d": critic_loss, "g": generator_loss},
        optimizers={"d": adam, "g": adam},
        turns=(("d",),) * config.n_critic + (("g",),),
        medium=medium,
    )


if __name__ == "__main__":
    main("text", Config, build, __doc__, presets=PRESETS)
