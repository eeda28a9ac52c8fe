"""Measures of a game's samples, weights and players, taken from its state while it is trained."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.game import Game
from jaxgan.core.keys import sample_keys
from jaxgan.core.networks import MissingKeysError
from jaxgan.core.state import State
from jaxgan.data import Source, normalize
from jaxgan.experiment.experiment import Experiment
from jaxgan.games.population import AXES

EXAMPLES = 64  # that a probe looks at
DRAWS = 8  # of EXAMPLES reals each, whose mean measures samples are compared with

# Measures that need one or two probes before, by how often the state was probed: the first has nothing to compare with.
NOT_YET = {0: ("swing", "moved/", "turned/"), 1: ("turned/",)}


class _Memory(NamedTuple):
    """What a probe keeps for the next one."""

    samples: jax.Array
    params: Any
    moves: Any


class Probe:
    """Measures a state: ``probe(state)`` starts compiled work, and returns arrays that are ready later.

    Each measure is a scalar, or [members] for a population:
      diversity: the spread of samples, the root of their covariance's trace, by that of reals.
      nearest: the mean distance from a sample to its nearest neighbour, by that of reals.
      swing: how far the mean of samples moved since the last probe, with the same latents, by the spread of reals.
      moved/<net>: how far a network's weights moved since then, by their length, for each turn in a step.
      turned/<net>: the cosine between that move and the one before: -1 there and back, 1 straight on.
      over_held_out/<player>, over_fakes/<player>: how far a player's logits of training examples lie above those of
        held-out reals, and of fakes; if examples are held out and the player logs its logits.

    Args:
      experiment: what is trained.
      seed: of the latents and of the examples that it looks at.
      members: the number of members if the state is a population's.
    """

    def __init__(self, experiment: Experiment, seed: int, members: int | None = None):
        self._experiment, self._game, self._seed = experiment, experiment.game.unwrapped, seed
        rng = np.random.default_rng(seed)
        reals = [_spread(_flatten(_read_images(experiment.source, rng))) for _ in range(DRAWS)]
        self._real_spread, self._real_nearest = (max(float(np.mean(x)), 1e-12) for x in zip(*reals))
        self._turns = _turns(self._game)
        classes = len(experiment.sampling.classes)
        labels = (jnp.arange(EXAMPLES) % classes,) if classes else ()
        latents = (experiment.draw_latents(seed, np.arange(EXAMPLES)), *labels)
        # Arguments and not constants of the compiled function: XLA would compute with constants while it compiles.
        self._inputs = latents, _read_held_out_pair(experiment, rng)
        measure, forget = self._measure, self._forget
        if members is not None:
            measure = jax.vmap(measure, in_axes=(AXES, 0, None, None))
            forget = jax.vmap(forget, in_axes=(AXES, None))
        self._compiled_measure, self._compiled_forget = jax.jit(measure), jax.jit(forget)
        self._memory: _Memory | None = None
        self._probes = 0

    def __call__(self, state: State) -> dict[str, jax.Array]:
        if self._memory is None:
            # Placed like the parameters, as every later memory is: else the second probe would be compiled again.
            placement = jax.tree.leaves(state.params)[0].sharding
            self._memory = jax.device_put(self._compiled_forget(state, self._inputs[0]), placement)
        measures, self._memory = self._compiled_measure(state, self._memory, *self._inputs)
        not_yet = NOT_YET.get(self._probes, ())
        self._probes += 1
        return {name: x for name, x in measures.items() if not name.startswith(not_yet)}

    def _draw(self, state: State, latents: Any) -> jax.Array:
        # As the discriminator meets samples: without averaged weights and moving statistics, which lag behind.
        nets = self._game.functions(state, train=True, ema=False)
        generate = self._experiment.sampling.generate
        try:
            return _flatten(generate(nets, *latents))
        except MissingKeysError:  # The generator drops out. Samples of two probes must not differ by other masks.
            return _flatten(generate(self._game.functions(state, ema=False), *latents))

    def _measure(
        self, state: State, last: _Memory, latents: Any, held_out_pair: Any
    ) -> tuple[dict[str, jax.Array], _Memory]:
        samples = self._draw(state, latents)
        spread, nearest = _spread(samples)
        swing = jnp.sqrt(jnp.square((samples - last.samples).mean(0)).sum()) / self._real_spread
        measures = {"diversity": spread / self._real_spread, "nearest": nearest / self._real_nearest, "swing": swing}
        moves = jax.tree.map(jnp.subtract, state.params, last.params)
        for net, params in state.params.items():
            measures[f"moved/{net}"] = _norm(moves[net]) / jnp.maximum(_norm(params), 1e-12) / self._turns[net]
            measures[f"turned/{net}"] = _cosine(moves[net], last.moves[net])
        if held_out_pair:
            measures |= _held_out_gaps(self._experiment, state, self._seed, *held_out_pair)
        return measures, _Memory(samples, state.params, moves)

    def _forget(self, state: State, latents: Any) -> _Memory:
        """The memory before the first probe."""
        samples = jax.eval_shape(self._draw, state, latents)
        params, samples = jax.tree.map(jnp.zeros_like, (state.params, samples))
        return _Memory(samples, params, params)


def check_held_out(experiment: Experiment) -> None:
    """Check that held-out examples are of use: that a player logs the logits to compare them by.

    Raises:
      ValueError: examples are held out, and no player does.
    """
    pair = _read_held_out_pair(experiment, np.random.default_rng(0))
    if pair:
        state = jax.eval_shape(experiment.game.init, jax.random.key(0))
        if not jax.eval_shape(lambda state: _held_out_gaps(experiment, state, 0, *pair), state):
            raise ValueError(
                "`num_held_out` has no effect, because no player of this experiment logs logits_real and logits_fake; "
                "leave it out."
            )


def _turns(game: Game) -> dict[str, int]:
    """How often each network's owner plays in a step; 1 if none does."""
    turns = {name: sum(turn.count(name) for turn in game.turns) for name in game.players}
    return {net: max((turns[p] for p in turns if net in game.players[p].owns), default=1) for net in game.nets}


def _read_images(source: Source, rng: np.random.Generator) -> jax.Array:
    chosen = rng.choice(len(source), EXAMPLES, replace=len(source) < EXAMPLES)
    return normalize(source.read(np.sort(chosen)))["image"]


def _read_held_out_pair(experiment: Experiment, rng: np.random.Generator) -> tuple[Any, Any] | None:
    """Equally many examples that are trained on and that are held out; None where none are."""
    source, held_out = experiment.source, experiment.held_out
    if held_out is None:
        return None
    size = min(EXAMPLES, len(held_out), len(source))
    chosen = np.sort(rng.choice(len(source), size, replace=False))
    return normalize(source.read(chosen)), normalize(held_out.read(np.arange(size)))


def _held_out_gaps(experiment: Experiment, state: State, seed: int, train: Any, held_out: Any) -> dict[str, jax.Array]:
    """How far each player's logits of training examples lie above those of held-out examples, and of fakes."""
    game = experiment.game.unwrapped
    nets = game.functions(state, train=True, ema=False)
    keys = sample_keys(seed, len(jax.tree.leaves(train)[0]))
    gaps = {}
    for name, player in game.players.items():
        on_train = player.loss(nets, train, keys, state.step).metrics
        on_held_out = player.loss(nets, held_out, keys, state.step).metrics
        if {"logits_real", "logits_fake"} <= set(on_train):
            gaps[f"over_held_out/{name}"] = on_train["logits_real"] - on_held_out["logits_real"]
            gaps[f"over_fakes/{name}"] = on_train["logits_real"] - on_train["logits_fake"]
    return gaps


def _flatten(x: jax.Array) -> jax.Array:
    return x.reshape(len(x), -1).astype(jnp.float32)


def _spread(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of [N, features]: the root of the covariance's trace, and the mean distance to the nearest neighbour."""
    x = x - x.mean(0)[None]
    squares = jnp.square(x).sum(1)
    distances = squares[:, None] + squares[None] - 2 * x @ x.T + jnp.diag(jnp.full(len(x), jnp.inf))
    return jnp.sqrt(squares.mean()), jnp.sqrt(jnp.maximum(distances.min(1), 0)).mean()


def _norm(tree: Any) -> jax.Array:
    return jnp.sqrt(sum((jnp.square(x).sum() for x in jax.tree.leaves(tree)), jnp.float32(0)))


def _cosine(a: Any, b: Any) -> jax.Array:
    product = sum((x * y).sum() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))
    return product / jnp.maximum(_norm(a) * _norm(b), 1e-30)
