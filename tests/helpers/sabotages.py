"""Trainings that are broken on purpose, and what a doctor has to call each within 2,000 steps.

| what is broken                                                     | the verdict         |
|--------------------------------------------------------------------|---------------------|
| the discriminator's learning rate times 100                        | divergence          |
| the generator's learning rate times 100                            | divergence          |
| the saturating loss, by SGD, against a pretrained discriminator    | vanishing gradients |
| a generator that ignores its latents                               | mode collapse       |
| 64 training images, 16 held out                                    | memorising          |
| no regularisation on the ring: WGAN-GP without its penalty         | divergence          |
| a generator by SGD at a rate that it cannot follow                 | oscillation         |

Measured on two cores of a shared Xeon: each of the seven is named on seeds 0 to 2, on which thresholds were set, and
the first six on each of seeds 3 to 9; the seventh was not trained on these. The generator's rate is named at step 700
alone on some seeds: BatchNorm and Adam make it mend itself.
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

STEPS = 2000
PRETRAINED = 1000  # steps in which the critic moves alone


def _adam(rate):
    return optax.adam(rate, 0.5, 0.99)


def _with_rate(player, config, source=None):
    experiment = dcgan.build(config, source)
    game = experiment.game
    fast = dataclasses.replace(game.players[player], optimizer=_adam(100 * config.learning_rate))
    return dataclasses.replace(experiment, game=dataclasses.replace(game, players={**game.players, player: fast}))


def _pretrained(config, source=None):
    experiment = dcgan.build(config, source)

    def saturating(nets, batch, keys, step):
        fake, stats = nets.g.with_stats(latents(keys, config.z_dim))
        return total(adversarial=losses.minimax_generator(nets.d(fake)), stats={"g": stats})

    players = dict(experiment.game.players)
    # By SGD, as the paper has it: Adam divides what is left of the gradient by its own size.
    players["g"] = dataclasses.replace(players["g"], loss=saturating, optimizer=optax.sgd(0.1, 0.5))
    both = dataclasses.replace(experiment.game, players=players)
    alone = dataclasses.replace(both, players={"d": players["d"]}, turns=(("d",),))
    return dataclasses.replace(experiment, game=both, game_at=lambda step: alone if step < PRETRAINED else both)


class _Deaf(Generator):
    """Makes one image, whatever it is given."""

    @nn.compact
    def __call__(self, z, train):
        return super().__call__(jnp.zeros_like(z), train)


def _deaf(config, source=None):
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
    source = load("digits") if source is None else source
    return dcgan.build(config, read_into_memory(Subset(source, jnp.arange(64 + config.num_held_out) * 7 % len(source))))


def _hopping(config, source=None):
    experiment = gan.build(config, source)
    g = dataclasses.replace(experiment.game.players["g"], optimizer=optax.sgd(0.1, 0.5))
    players = {**experiment.game.players, "g": g}
    return dataclasses.replace(experiment, game=dataclasses.replace(experiment.game, players=players))


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
    """Train the one of a seed, and name the verdicts on it, the first one first."""
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
    its_config.__module__ = type(config).__module__  # whose text has its flags
    program.main(name, its_config, build, None, ["train", "--quiet", *(str(x) for flag in flags.items() for x in flag)])
    found = []
    for line in (run_dir / "diagnosis.jsonl").read_text().splitlines():
        found += [verdict[1] for verdict in json.loads(line).get("verdicts", ())]
    return list(dict.fromkeys(found))
