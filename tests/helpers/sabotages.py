"""Trainings that are broken on purpose, and the verdict that the training monitor must reach within 2,000 steps.

| defect                                                             | verdict             |
|--------------------------------------------------------------------|---------------------|
| the discriminator's learning rate times 100                        | divergence          |
| the generator's learning rate times 100                            | divergence          |
| the saturating loss, by SGD, against a pretrained discriminator    | vanishing gradients |
| a generator that ignores its latents                               | mode collapse       |
| 64 training images, 16 held out                                    | memorising          |
| no regularisation on the ring: WGAN-GP without its penalty         | divergence          |
| a generator trained by SGD with a learning rate of 0.1             | oscillation         |

On two cores of a shared Xeon, the monitor reached the right verdict for all seven trainings with the seeds 0 to 2,
which were used to choose its thresholds. With each of the seeds 3 to 9, it did so for the first six trainings; the
seventh was not trained with these seeds. With some seeds, only the first diagnosis, at step 700, reports the
generator's high learning rate, because BatchNorm and Adam let the training recover afterwards.
"""

import dataclasses
import functools
import json

import flax.linen as nn
import jax.numpy as jnp
import optax

from experiments import dcgan, gan, points
from jaxgan import latents, losses, total
from jaxgan.cli import program
from jaxgan.core.networks import Net
from jaxgan.data import load
from jaxgan.data.source import Subset, read_into_memory
from jaxgan.models.dcgan import Generator

STEPS = 2000  # number of training steps
PRETRAINED = 1000  # number of steps in which only the discriminator is trained, before ``saturating`` trains both


def _adam(rate):
    return optax.adam(rate, 0.5, 0.99)


def _with_rate(player, config, source=None):
    """Multiply the learning rate of a player by 100."""
    experiment = dcgan.build(config, source)
    game = experiment.game
    fast = dataclasses.replace(game.players[player], optimizer=_adam(100 * config.learning_rate))
    return dataclasses.replace(experiment, game=dataclasses.replace(game, players={**game.players, player: fast}))


def _pretrained(config, source=None):
    """Pretrain the discriminator, and train the generator with the saturating loss and SGD."""
    experiment = dcgan.build(config, source)

    def saturating(nets, batch, keys, step):
        fake, stats = nets.g.with_stats(latents(keys, config.z_dim))
        return total(adversarial=losses.minimax_generator(nets.d(fake)), stats={"g": stats})

    players = dict(experiment.game.players)
    # SGD as in the paper: Adam would compensate for the small gradient, because it normalises the gradient's size.
    players["g"] = dataclasses.replace(players["g"], loss=saturating, optimizer=optax.sgd(0.1, 0.5))
    both = dataclasses.replace(experiment.game, players=players)
    alone = dataclasses.replace(both, players={"d": players["d"]}, turns=(("d",),))
    return dataclasses.replace(experiment, game=both, game_at=lambda step: alone if step < PRETRAINED else both)


class _Deaf(Generator):
    """A generator that ignores its latents and generates the same image for all of them."""

    @nn.compact
    def __call__(self, z, train):
        return super().__call__(jnp.zeros_like(z), train)


def _deaf(config, source=None):
    """Replace the generator by one that ignores its latents."""
    experiment = dcgan.build(config, source)
    g = experiment.game.nets["g"]
    fields = {
        f.name: getattr(g.module, f.name)
        for f in dataclasses.fields(g.module)
        if f.init and f.name not in ("parent", "name")
    }
    nets = {**experiment.game.nets, "g": Net(_Deaf(**fields), *g.examples)}
    return dataclasses.replace(experiment, game=dataclasses.replace(experiment.game, nets=nets))


def _few(config, source=None):
    """Train on 64 images only."""
    source = load("digits") if source is None else source
    return dcgan.build(config, read_into_memory(Subset(source, jnp.arange(64 + config.num_held_out) * 7 % len(source))))


def _hopping(config, source=None):
    """Train the generator by SGD with a learning rate of 0.1, so that its samples oscillate."""
    experiment = gan.build(config, source)
    g = dataclasses.replace(experiment.game.players["g"], optimizer=optax.sgd(0.1, 0.5))
    players = {**experiment.game.players, "g": g}
    return dataclasses.replace(experiment, game=dataclasses.replace(experiment.game, players=players))


# Maps the name of each broken training to its settings, the function that builds it, and the expected verdict.
SABOTAGES = {
    "critic_rate": (dcgan.Config(steps=STEPS), functools.partial(_with_rate, "d"), "divergence"),
    "generator_rate": (dcgan.Config(steps=STEPS), functools.partial(_with_rate, "g"), "divergence"),
    "saturating": (dcgan.Config(steps=STEPS, r1_gamma=0.0), _pretrained, "vanishing gradients"),
    "deaf": (dcgan.Config(steps=STEPS), _deaf, "mode collapse"),
    "few": (dcgan.Config(steps=STEPS, num_held_out=16), _few, "memorising"),
    "ring": (points.Config(steps=STEPS, game="wgan_gp", gp_weight=0.0), points.build, "divergence"),
    "hopping": (gan.Config(steps=STEPS), _hopping, "oscillation"),
}


def run(name, seed, run_dir) -> list[str]:
    """Train a broken training, and return the names of the monitor's verdicts in the order in which they were reached.

    Args:
      name: a key of ``SABOTAGES``.
      seed: seed of the run.
      run_dir: directory of the run.
    """
    config, build, _ = SABOTAGES[name]
    flags = {
        "--steps": STEPS,
        "--seed": seed,
        "--run-dir": run_dir,
        "--checkpoint-every": STEPS,
        "--sample-every": STEPS,
    }
    usual = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    fields = [(field.name, field.type, usual[field.name]) for field in dataclasses.fields(config)]
    its_config = dataclasses.make_dataclass("Config", fields, bases=(type(config),), frozen=True)
    its_config.__module__ = type(config).__module__  # the help of the flags is read from the source of this module
    program.main(name, its_config, build, None, ["train", "--quiet", *(str(x) for flag in flags.items() for x in flag)])
    found = []
    for line in (run_dir / "diagnosis.jsonl").read_text().splitlines():
        found += [verdict[1] for verdict in json.loads(line).get("verdicts", ())]
    return list(dict.fromkeys(found))
