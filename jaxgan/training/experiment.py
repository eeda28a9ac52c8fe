"""What an experiment's ``build(config)`` returns, and samples drawn from it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import sampling
from jaxgan.data import Source, as_float
from jaxgan.game import Game, State
from jaxgan.metrics import frechet_distance
from jaxgan.networks import Nets

SAMPLE_BATCH = 64
SCORE_SAMPLES = 1024


def check_ranges(config: Any, **ranges: tuple[float, float]) -> None:
    """``ValueError`` for the first setting that is out of its range, ends included."""
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if isinstance(value, jax.Array):  # of a population whose members' values were checked
            continue
        if value is not None and not low <= value <= high:
            reach = f"at least {low:g}" if high == float("inf") else f"from {low:g} to {high:g}"
            raise ValueError(f"--{name.replace('_', '-')} {value}: {reach}")


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """A game, its data, and how to look at it.

    Attributes:
      game: what is trained. Networks, players and their state; of several, the one with the most turns.
      source: the examples.
      latents: ``keys -> z``, [B] keys to [B, ...] latents.
      generate: ``(nets, z) -> images``, [B, ...]; ``nets`` have averaged parameters and ``train=False``.
      game_at: ``step -> Game``, for a game that changes with the step by more than a number: a warm-up, a
        lazy penalty without a branch. Each must have ``game``'s networks and players' states; equal ones
        must be one object, because each is compiled once.
    """

    game: Game
    source: Source
    latents: Callable[[jax.Array], jax.Array]
    generate: Callable[[Nets, jax.Array], jax.Array]
    game_at: Callable[[int], Game] | None = None

    def at(self, step: int) -> Game:
        """The game of a step."""
        return self.game_at(step) if self.game_at else self.game

    def sampler(self) -> Callable[[State, jax.Array], np.ndarray]:
        """A function ``(state, z) -> images`` on the host, which draws in batches and compiles once."""
        from_batch = jax.jit(lambda state, z: self.generate(self.game.functions(state), z))

        def sample(state: State, z: jax.Array) -> np.ndarray:
            size = min(SAMPLE_BATCH, len(z))
            batches = [z[i : i + size] for i in range(0, len(z), size)]
            padding = size - len(batches[-1])
            batches[-1] = jnp.concatenate([batches[-1], jnp.repeat(batches[-1][-1:], padding, 0)])
            return np.concatenate([np.asarray(from_batch(state, batch)) for batch in batches])[: len(z)]

        return sample


class PixelScore:
    """A quick score for the best checkpoint, lower is better: the Fréchet distance on pixels.

    Images are first averaged down to at most 8 x 8 and grey, so it is cheap, and blind to detail: for choosing
    among checkpoints of one run, not for comparing models.
    """

    def __init__(self, experiment: Experiment, seed: int):
        count = min(SCORE_SAMPLES, len(experiment.source))
        chosen = np.sort(np.random.default_rng(seed).choice(len(experiment.source), count, replace=False))
        parts = (experiment.source.read(part)["image"] for part in _parts(chosen))
        self._real = np.concatenate([_coarse(np.asarray(as_float({"image": x})["image"])) for x in parts])
        self._z = experiment.latents(sampling.sample_keys(seed + 1, count))
        self._sample = experiment.sampler()

    def __call__(self, state: State) -> float:
        if len(self._real) < 2:
            return float("inf")  # one example has no covariance
        fake = np.concatenate([_coarse(self._sample(state, z)) for z in _parts(self._z)])
        return frechet_distance(fake, self._real) if np.isfinite(fake).all() else float("inf")


def _parts(x):
    """Few at a time: coarse images are small, what they are made from is not."""
    return [x[i : i + SAMPLE_BATCH] for i in range(0, len(x), SAMPLE_BATCH)]


def _coarse(images: np.ndarray) -> np.ndarray:
    """[N, h, w, C] to features [N, at most 64]; anything else, flat, to its first 64 numbers."""
    if images.ndim != 4:
        return images.reshape(len(images), -1)[:, :64]
    grey = images.mean(-1)
    by_height, by_width = (max(1, -(-n // 8)) for n in grey.shape[1:])
    height, width = (n // by * by for n, by in zip(grey.shape[1:], (by_height, by_width)))
    cells = grey[:, :height, :width].reshape(len(grey), height // by_height, by_height, width // by_width, by_width)
    return cells.mean((2, 4)).reshape(len(grey), -1)


def parameter_counts(state: Any) -> dict[str, int]:
    """Parameters by network."""
    return {name: sum(x.size for x in jax.tree.leaves(tree)) for name, tree in state.params.items()}
