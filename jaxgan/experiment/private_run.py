"""Private training as settings: any experiment's games made private, and what a run spends."""

import collections
import dataclasses
import functools
import math
import secrets
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jaxgan.core.protocol import GameLike, require_game
from jaxgan.data import Unpaired, normalize
from jaxgan.experiment.experiment import Experiment
from jaxgan.experiment.settings import Settings
from jaxgan.games import accounting, privacy


def made_private(experiment: Experiment, config: Any) -> Experiment:
    """The experiment; with private games, and without its sheets of reals, if the settings ask for them.

    Raises:
      ValueError: they ask, and a game cannot be private; or they say how, and do not ask.
    """
    noise = getattr(config, "dp_noise_multiplier", 0.0)
    if not noise:
        for field in dataclasses.fields(Settings):
            if field.name.startswith("dp_") and getattr(config, field.name, field.default) != field.default:
                raise ValueError(f"{_flag(field.name)} is of private training; ask for that: --dp-noise-multiplier 1.0")
        return experiment
    if isinstance(experiment.source, Unpaired):
        raise ValueError("--dp-noise-multiplier: of examples that are drawn in one order; unpaired ones have two")
    for name in ("dp_noise_multiplier", "dp_l2_clip"):
        if not 0 < getattr(config, name) < math.inf:
            raise ValueError(f"{_flag(name)} {getattr(config, name)}: a number above 0")
    how = {"noise_multiplier": noise, "l2_clip": config.dp_l2_clip, "micro_batches": config.grad_accum_steps}
    batch, key = _batch(experiment, config), _key(config.dp_seed)

    @functools.cache  # of a game one private game, which is compiled once
    def make(game: GameLike) -> GameLike:
        return privacy.private(require_game(game, "private"), batch, key=key, **how)

    game_at = (lambda step: make(experiment.at(step))) if experiment.game_at else None
    # Sheets show what networks make of the batch, some the batch itself.
    display = dataclasses.replace(experiment.display, sheets={})
    return dataclasses.replace(experiment, game=make(experiment.game), game_at=game_at, display=display)


def account(experiment: Experiment, config: Any, steps: int) -> dict[str, Any] | None:
    """What ``steps`` steps of a private run spend, in numbers and in words; None if it is not private.

    Raises:
      ValueError: it cannot be told; see ``accounting.compute_epsilon``.
    """
    noise = getattr(config, "dp_noise_multiplier", 0.0)
    if not noise:
        return None
    batch, most = _batch(experiment, config), experiment.game.batch_multiple

    @functools.cache
    def of(game: GameLike) -> tuple[int, ...]:
        found = privacy.count_uses(game, batch)
        return found + (0,) * (most - len(found))

    kinds = collections.Counter(map(of, map(experiment.at, range(steps)))) if experiment.game_at else {}
    spent = accounting.compute_epsilon(
        noise_multiplier=noise,
        delta=config.dp_delta,
        examples=len(experiment.source),
        batch_size=config.batch_size,
        steps=steps,
        uses=kinds or of(experiment.game),
    )
    names = privacy.players_that_see_data(experiment.game, batch)
    summary = accounting.describe_epsilon(names, spent, config.dp_delta, noise, config.dp_l2_clip, steps)
    # JSON has no infinity.
    numbers = {name: value if math.isfinite(value) else None for name, value in spent._asdict().items()}
    return {"steps": steps, "epsilon": numbers, "delta": config.dp_delta, "players": names, "summary": summary}


def _batch(experiment: Experiment, config: Any) -> Any:
    """The shapes of a turn's batch, over all devices."""
    example = normalize(experiment.source.read(np.zeros(1, np.int32)))
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((config.batch_size, *x.shape[1:]), x.dtype), example)


def _key(seed: int | None) -> jax.Array:
    """The noise's: of a seed, or from the system, the same on every host."""
    if seed is not None:
        return jax.random.key(seed, impl="threefry2x32")
    words = np.frombuffer(secrets.token_bytes(8), np.uint32)
    if jax.process_count() > 1:
        words = np.asarray(multihost_utils.broadcast_one_to_all(words))
    return jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
