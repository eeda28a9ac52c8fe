"""Train an experiment with DP-SGD as the ``dp_`` settings require, and compute the privacy loss of a run.

``jaxgan.games.privacy`` clips gradients and adds noise, and ``jaxgan.games.accounting`` computes epsilon.
"""

import collections
import dataclasses
import functools
import hashlib
import math
from typing import Any

import jax
import numpy as np

from jaxgan.core.wrappers import GameLike, require_game
from jaxgan.data import Unpaired
from jaxgan.experiment.experiment import Experiment
from jaxgan.experiment.settings import CommonSettings
from jaxgan.games import accounting, privacy


def make_private(experiment: Experiment, config: CommonSettings) -> Experiment:
    """Return the experiment with private games, or unchanged if ``config.dp_noise_multiplier`` is 0.

    A private experiment draws no ``display.sheets`` and does not show its data, because such pictures can contain
    training examples.

    Args:
      experiment: the experiment of a run.
      config: the settings of the run.

    Raises:
      ValueError: if a game cannot be trained privately, if a setting of DP-SGD is out of its range, or if another
        ``dp_`` setting was changed although ``dp_noise_multiplier`` is 0.
    """
    if not config.dp_noise_multiplier:
        for field in dataclasses.fields(CommonSettings):
            if field.name.startswith("dp_") and getattr(config, field.name) != field.default:
                raise ValueError(
                    f"`{field.name}` has an effect only in private training. Set `dp_noise_multiplier` too."
                )
        return experiment
    if isinstance(experiment.source, Unpaired):
        raise ValueError(
            "`dp_noise_multiplier` cannot be used with unpaired data, because each of the two sources is shuffled "
            "separately, and the privacy accounting requires a single order of the examples."
        )
    if getattr(experiment.source, "weights", None) is not None:
        raise ValueError(
            "`dp_noise_multiplier` cannot be used with data that have weights, because some examples are drawn more "
            "often than others, and the privacy accounting requires that all are drawn equally often."
        )
    for name in ("dp_noise_multiplier", "dp_l2_clip"):
        if not 0 < getattr(config, name) < math.inf:
            raise ValueError(f"`{name}` must be positive and finite, got {getattr(config, name)}.")
    batch, key = _turn_shapes(experiment, config), _noise_key(config)

    @functools.cache  # the same game must result in the same object, because each object is compiled once
    def make_game_private(game: GameLike) -> GameLike:
        return privacy.private(
            require_game(game, "private"),
            batch,
            key=key,
            noise_multiplier=config.dp_noise_multiplier,
            l2_clip=config.dp_l2_clip,
            micro_batches=config.grad_accum_steps,
        )

    def private_game_at(step: int) -> GameLike:
        return make_game_private(experiment.at(step))

    return dataclasses.replace(
        experiment,
        game=make_game_private(experiment.game),
        game_at=private_game_at if experiment.game_at else None,
        display=dataclasses.replace(experiment.display, sheets={}, shows_data=False),
    )


def privacy_spent(experiment: Experiment, config: CommonSettings, steps: int) -> dict[str, Any] | None:
    """Return the privacy loss of a number of steps, or None if the run is not private.

    Args:
      experiment: the experiment of the run, as ``make_private`` returns it.
      config: the settings of the run.
      steps: the number of steps taken so far.

    Returns:
      A dictionary with ``steps``, ``epsilon`` (a dictionary of the fields of ``accounting.Epsilon``; a field that is
      infinite is None), ``delta``, the names of the private ``players``, and a ``summary`` in words.

    Raises:
      ValueError: if epsilon cannot be computed; see ``accounting.compute_epsilon``.
    """
    if not config.dp_noise_multiplier:
        return None
    batch, most_turns = _turn_shapes(experiment, config), experiment.game.batch_multiple

    @functools.cache
    def count_uses(game: GameLike) -> tuple[int, ...]:
        uses = privacy.count_uses(game, batch)
        return uses + (0,) * (most_turns - len(uses))

    if experiment.game_at and steps:
        uses = collections.Counter(count_uses(experiment.at(step)) for step in range(steps))
    else:
        uses = count_uses(experiment.game)
    spent = accounting.compute_epsilon(
        noise_multiplier=config.dp_noise_multiplier,
        delta=config.dp_delta,
        examples=len(experiment.source),
        batch_size=config.batch_size,
        steps=steps,
        uses=uses,
    )
    players = privacy.players_that_see_data(experiment.game, batch)
    summary = accounting.describe_epsilon(
        players, spent, config.dp_delta, config.dp_noise_multiplier, config.dp_l2_clip, steps
    )
    if experiment.medium.disclosed:
        summary += f" Epsilon does not cover {experiment.medium.disclosed}: they were found in the data without noise."
    # JSON cannot represent infinity.
    epsilon = {name: value if math.isfinite(value) else None for name, value in spent._asdict().items()}
    return {"steps": steps, "epsilon": epsilon, "delta": config.dp_delta, "players": players, "summary": summary}


def _turn_shapes(experiment: Experiment, config: CommonSettings) -> Any:
    """Return the shapes and types of the batch of one turn, over all devices."""
    batch = {name: np.asarray(x) for name, x in experiment.source.read(np.zeros(1, np.int32)).items()}
    example = jax.eval_shape(experiment.medium.normalize, batch)
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((config.batch_size, *x.shape[1:]), x.dtype), example)


def _noise_key(config: CommonSettings) -> jax.Array:
    """Return the PRNG key of the noise, which is the same on every host. If ``dp_seed`` is None, the key is random.

    Runs with the same ``dp_seed`` and other settings have other keys. Otherwise, the difference of their updates would
    not contain the noise. The number of steps has no effect on the key, because a run can be prolonged.
    """
    if config.dp_seed is None:
        return privacy.random_key()
    settings = {**dataclasses.asdict(config), "steps": None}
    return privacy.random_key(hashlib.sha256(repr(sorted(settings.items())).encode()).digest())
