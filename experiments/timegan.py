"""TimeGAN: a generator of codes of series, trained after an autoencoder and together with it.

Paper      Yoon, Jarrett, van der Schaar 2019, "Time-series Generative Adversarial Networks", NeurIPS
Command    jaxgan train timegan
Presets    --preset paper with --data sines, the settings of the official code; --preset demo has the default settings
Data       four years of daily weather in Seattle (NOAA, public domain), bundled; --data names a .csv or .npz file
Hardware   two cores of a shared AMD EPYC (Zen 4), jax 0.10.2, float32
Time       149 s of processor time
Score      discriminative 0.437, predictive 0.137: 1,127 windows, means of three networks
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import optax

from jaxgan import Game, Net, Nets, Player, data, total
from jaxgan.cli.program import main
from jaxgan.core import axis
from jaxgan.core.gradients import full_batch
from jaxgan.core.terms import Terms
from jaxgan.experiment import COUNT, DEPTH, NON_NEGATIVE, Experiment, Sampling, SeriesSettings
from jaxgan.models import timegan

TURNS = 2  # updates of the generator and of the autoencoder for each update of the discriminator
RECONSTRUCTION_WEIGHT, SUPERVISION_WEIGHT, MOMENT_WEIGHT, EMBEDDER_SUPERVISION_WEIGHT = 10.0, 100.0, 100.0, 0.1


@dataclasses.dataclass(frozen=True)
class Config(SeriesSettings):
    """Settings of the experiment, which determine its result.

    Training has three phases: ``autoencoder_steps``, then ``supervisor_steps``, and joint training in all other steps.
    """

    # Data
    data: str = "weather"
    """The series: weather (four years of daily weather), sines (TimeGAN's sines), or a .csv, .tsv, .txt, .npz,
    .parquet, .feather or .xlsx file. A row of a table is a time step. An .npz file contains the array series,
    [N, T, C]. Classes are not used."""
    window: int | None = None
    test_fraction: float = 0.2
    # Networks
    units: int = 24
    """Number of units of each recurrent layer, and number of features of a code."""
    num_layers: int = 3
    """Number of recurrent layers of each network. The supervisor has one less."""
    # Losses
    gamma: float = 1.0
    """Weight of the adversarial terms of the codes before the supervisor."""
    min_discriminator_loss: float = 0.15
    """The discriminator is updated only if its loss is above this value."""
    # Optimisation
    steps: int = 1200
    autoencoder_steps: int = 400
    """Number of steps of the first phase, which trains the embedder and the recovery network. Each of its steps makes
    two updates."""
    supervisor_steps: int = 400
    """Number of steps of the second phase, which trains the supervisor. Each of its steps makes two updates."""
    batch_size: int = 128
    learning_rate: float = 1e-3
    ema_decay: float = 0.0
    """Decay per step of the moving averages of the generator, the supervisor and the recovery network. The official
    code has none."""

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """Return small settings for tests."""
        small = cls(steps=4, autoencoder_steps=1, supervisor_steps=1, batch_size=8, window=8, units=4, num_layers=1)
        return dataclasses.replace(small, **changes)


PRESETS = {
    # The official settings for sines and stocks: 50,000 iterations of each phase. A step of the first two phases makes
    # two updates, and one of the third phase is an iteration.
    "paper": {
        "window": 24,
        "test_fraction": 0.0,
        "units": 24,
        "num_layers": 3,
        "gamma": 1.0,
        "min_discriminator_loss": 0.15,
        "autoencoder_steps": 25_000,
        "supervisor_steps": 25_000,
        "steps": 100_000,
        "batch_size": 128,
        "learning_rate": 1e-3,
        "ema_decay": 0.0,
    },
    "demo": {},  # the default settings
}


def binary_cross_entropy(logits: jax.Array, target: float) -> jax.Array:
    """Return the cross-entropy of logits [B, T, 1] with a constant target, the mean over the time steps, [B]."""
    return optax.sigmoid_binary_cross_entropy(logits, jnp.full_like(logits, target)).mean((1, 2))


def root_of_mean_square(x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the root of the mean squared difference over all axes and devices, a scalar.

    The official code takes the root of the loss of a batch. The smallest root is 1e-6, to keep its derivative finite.
    """
    return jnp.sqrt(jnp.maximum(axis.mean(jnp.square(x - y).mean()), 1e-12))


def moment_distance(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Return the distance of the means and of the standard deviations of two batches [B, T, F], a scalar.

    Both moments are taken over the batch, for each time step and feature. The distance is the mean absolute difference
    of the means plus that of the standard deviations, sqrt(variance + 1e-6).
    """

    def moments(x):
        mean = axis.mean(x.mean(0))
        return mean, jnp.sqrt(axis.mean(jnp.square(x - mean[None]).mean(0)) + 1e-6)

    return sum((jnp.abs(a - b).mean() for a, b in zip(moments(real), moments(fake))), jnp.float32(0))


def generated_codes(nets: Nets, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return generated codes before and after the supervisor, [B, T, units], from latents [B, T, F]."""
    before = nets.generator(z)
    return before, nets.supervisor(before)


def autoencoder_loss(nets: Nets, x: jax.Array) -> Terms:
    """Return the loss of the embedder and the recovery network in the first phase, for series [B, T, F] in [0, 1]."""
    return total(reconstruction=RECONSTRUCTION_WEIGHT * root_of_mean_square(x, nets.recovery(nets.embedder(x))))


def supervisor_loss(nets: Nets, x: jax.Array) -> Terms:
    """Return the loss of the supervisor in the second phase: it predicts the codes of the next time steps."""
    return total(supervised=_supervised(nets, nets.embedder(x)))


def _supervised(nets, codes):
    return jnp.square(codes[:, 1:] - nets.supervisor(codes)[:, :-1]).mean((1, 2))


def joint_generator_loss(nets: Nets, x: jax.Array, z: jax.Array, gamma: float) -> Terms:
    """Return the loss of the generator and the supervisor in the third phase, U + gamma U_e + 100 sqrt(S) + 100 V."""
    before, after = generated_codes(nets, z)
    codes = nets.embedder(x)
    return total(
        adversarial=binary_cross_entropy(nets.discriminator(after), 1.0),
        adversarial_unsupervised=gamma * binary_cross_entropy(nets.discriminator(before), 1.0),
        supervised=SUPERVISION_WEIGHT * root_of_mean_square(codes[:, 1:], nets.supervisor(codes)[:, :-1]),
        moments=MOMENT_WEIGHT * moment_distance(x, nets.recovery(after)),
    )


def joint_autoencoder_loss(nets: Nets, x: jax.Array) -> Terms:
    """Return the loss of the embedder and the recovery network in the third phase, 10 sqrt(MSE) + 0.1 S."""
    codes = nets.embedder(x)
    return total(
        reconstruction=RECONSTRUCTION_WEIGHT * root_of_mean_square(x, nets.recovery(codes)),
        supervised=EMBEDDER_SUPERVISION_WEIGHT * _supervised(nets, codes),
    )


def joint_discriminator_loss(nets: Nets, x: jax.Array, z: jax.Array, gamma: float) -> Terms:
    """Return the loss of the discriminator: real and generated codes, and gamma times those before the supervisor."""
    before, after = generated_codes(nets, z)
    return total(
        real=binary_cross_entropy(nets.discriminator(nets.embedder(x)), 1.0),
        fake=binary_cross_entropy(nets.discriminator(after), 0.0),
        fake_unsupervised=gamma * binary_cross_entropy(nets.discriminator(before), 0.0),
    )


def above(optimizer: optax.GradientTransformation, loss: float) -> optax.GradientTransformationExtraArgs:
    """Return an optimizer that updates only if the loss of the batch is above a limit.

    The official code trains the discriminator only while its loss is above 0.15. Otherwise, the parameters and the
    state of the optimizer do not change.

    Args:
      optimizer: the optimizer.
      loss: the limit.
    """
    inner = optax.with_extra_args_support(optimizer)

    def update(updates, state, params=None, **extra):
        moved, new = inner.update(updates, state, params, **extra)
        moves = extra["value"] > loss  # the loss of the batch, which the game passes
        moved = jax.tree.map(lambda x: jnp.where(moves, x, jnp.zeros_like(x)), moved)
        return moved, jax.tree.map(lambda new, old: jnp.where(moves, new, old), new, state)

    return optax.GradientTransformationExtraArgs(inner.init, update)


def draw_latents(keys: jax.Array, steps: int, channels: int) -> jax.Array:
    """Return latents that are uniform in [0, 1), [B, steps, channels], one vector for each time step."""
    return jax.vmap(lambda key: jax.random.uniform(key, (steps, channels)))(keys)


class Games(NamedTuple):
    """The games of the three phases, which have the same networks and the same states of the optimizers.

    Attributes:
      autoencoder: trains the embedder and the recovery network to reconstruct series.
      supervisor: trains the supervisor to predict the next codes.
      joint: trains all five networks.
    """

    autoencoder: Game
    supervisor: Game
    joint: Game


def create_games(
    networks: timegan.Networks,
    shape: tuple[int, int],
    *,
    read: Callable[[Any], jax.Array] = lambda batch: batch,
    learning_rate: float = 1e-3,
    gamma: float = 1.0,
    min_discriminator_loss: float = 0.15,
    ema_decay: float = 0.0,
    gradient: Callable = full_batch,
) -> Games:
    """Return the games of the three phases. The joint game initialises the state of all of them.

    A step of each phase makes two updates: of the autoencoder, of the supervisor, or of the generator and of the
    autoencoder, and then one of the discriminator. Each player uses the state of its optimizer in all phases. In the
    official code, the moments of Adam start anew in the third phase, and the discriminator has a batch of its own.

    Args:
      networks: the five networks.
      shape: shape of a series, (T, F).
      read: function that returns series in [0, 1], [B, T, F], from the batch.
      learning_rate: learning rate of Adam of all players.
      gamma: weight of the terms of the codes before the supervisor.
      min_discriminator_loss: the discriminator is updated only if its loss is above this value.
      ema_decay: decay of the averages of the networks that generate series.
      gradient: the gradient of all players; see ``Player``.
    """
    code, series = jnp.zeros((1, shape[0], networks.embedder.outputs)), jnp.zeros((1, *shape))
    nets = {
        "embedder": Net(networks.embedder, series),
        "recovery": Net(networks.recovery, code),
        "generator": Net(networks.generator, series),
        "supervisor": Net(networks.supervisor, code),
        "discriminator": Net(networks.discriminator, code),
    }
    ema = {"generator": ema_decay, "supervisor": ema_decay, "recovery": ema_decay}
    adam = optax.adam(learning_rate)

    def autoencoder(loss):
        return Player(("embedder", "recovery"), loss, adam, gradient)

    def generator(loss):
        return Player(("generator", "supervisor"), loss, adam, gradient)

    def reconstruct(nets, batch, keys, step):
        return autoencoder_loss(nets, read(batch))

    def supervise(nets, batch, keys, step):
        return supervisor_loss(nets, read(batch))

    def generate(nets, batch, keys, step):
        return joint_generator_loss(nets, read(batch), draw_latents(keys, *shape), gamma)

    def embed(nets, batch, keys, step):
        return joint_autoencoder_loss(nets, read(batch))

    def discriminate(nets, batch, keys, step):
        return joint_discriminator_loss(nets, read(batch), draw_latents(keys, *shape), gamma)

    discriminator = Player(("discriminator",), discriminate, above(adam, min_discriminator_loss), gradient)
    players = {"g": generator(generate), "e": autoencoder(embed), "d": discriminator}
    return Games(
        autoencoder=Game(nets, {"e": autoencoder(reconstruct)}, (("e",),) * TURNS, ema),
        supervisor=Game(nets, {"g": generator(supervise)}, (("g",),) * TURNS, ema),
        joint=Game(nets, players, (("g",), ("e",)) * TURNS + (("d",),), ema),
    )


def build(config: Config, source: data.Source | None = None) -> Experiment:
    """Return the experiment for these settings. ``source`` replaces the data that ``config.data`` names."""
    config.check(
        units=COUNT,
        num_layers=DEPTH,
        gamma=NON_NEGATIVE,
        min_discriminator_loss=NON_NEGATIVE,
        autoencoder_steps=(0, COUNT[1]),
        supervisor_steps=(0, COUNT[1]),
    )
    source, medium = config.load_series(source)
    static = medium.static_channels
    shape = (source.shape[0], source.shape[1] + static)
    games = create_games(
        timegan.networks(shape[1], config.units, config.num_layers, config.dtype),
        shape,
        read=lambda batch: (batch["series"] + 1) / 2,
        learning_rate=config.learning_rate,
        gamma=config.gamma,
        min_discriminator_loss=config.min_discriminator_loss,
        ema_decay=config.ema_decay,
        gradient=config.gradient,
    )

    def game_at(step):
        if step < config.autoencoder_steps:
            return games.autoencoder
        return games.supervisor if step < config.autoencoder_steps + config.supervisor_steps else games.joint

    def generate(nets, z):
        x = 2 * nets.recovery(generated_codes(nets, z)[1]) - 1
        # TimeGAN generates static attributes as series. Their mean over time is the attribute.
        means = jnp.broadcast_to(x[..., shape[1] - static :].mean(1, keepdims=True), (*x.shape[:2], static))
        return jnp.concatenate([x[..., : shape[1] - static], means], -1)

    sampling = Sampling(latents=lambda keys: draw_latents(keys, *shape), generate=generate)
    return Experiment(games.joint, source, sampling, game_at=game_at, medium=medium)


if __name__ == "__main__":
    main("timegan", Config, build, __doc__, presets=PRESETS)
