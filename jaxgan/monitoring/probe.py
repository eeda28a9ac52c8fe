"""Measure the samples, the weights and the players of a game while it is trained.

``jaxgan.monitoring.diagnostics`` uses these measurements to detect problems such as mode collapse.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.game import Game
from jaxgan.core.keys import sample_keys
from jaxgan.core.networks import MissingKeysError
from jaxgan.core.state import State
from jaxgan.experiment.experiment import Experiment
from jaxgan.games.population import AXES

# A probe compares EXAMPLES generated samples with DRAWS batches of EXAMPLES real examples each. The measurements of the
# batches are averaged.
EXAMPLES = 64
DRAWS = 8

# Some measurements compare a state with the states at the previous one or two probes. The first probes of a process
# omit these measurements. Keys: number of probes before the current one. Values: beginnings of the omitted names.
NOT_YET = {0: ("swing", "moved/", "turned/"), 1: ("turned/",)}


class _Memory(NamedTuple):
    """The arrays that a probe stores for the next probe.

    Attributes:
      mean: the mean of the generated samples, an array of shape [features].
      params: the parameters of all networks.
      moves: the changes of the parameters between the last two probes, in bfloat16, because they are stored with each
        checkpoint and only their directions are used.
    """

    mean: jax.Array
    params: Any
    moves: Any


class Probe:
    """Measures a training state.

    ``probe(state)`` starts the computation and returns a dictionary of measurements without waiting for their values.
    Each measurement is a scalar or, for a population, an array of shape [members]. The spread of a set of examples is
    the square root of the trace of the set's covariance. The measurements are:

      diversity: spread of the samples, divided by the spread of real examples.
      nearest: mean distance between a sample and the nearest other sample, divided by the mean distance between a real
        example and the nearest other real example.
      swing: distance that the mean of the samples moved since the previous probe, divided by the spread of real
        examples. The latents of the samples are the same at every probe.
      moved/<net>: L2 norm of the change of a network's weights since the previous probe, divided by the weights' L2
        norm and by the number of turns of the network's owner in a step.
      turned/<net>: cosine between the last two changes of a network's weights: 1 if they have the same direction, -1
        if they have opposite directions.
      over_held_out/<player>: a player's mean logit of training examples minus its mean logit of held-out examples. This
        measurement exists if examples are held out and the player logs its logits.
      over_fakes/<player>: a player's mean logit of training examples minus its mean logit of fakes. This measurement
        exists under the same conditions.

    Args:
      experiment: the experiment that is trained.
      seed: seed of the latents and of the choice of real examples.
      members: number of members of a population; None for a single game.
    """

    def __init__(self, experiment: Experiment, seed: int, members: int | None = None):
        self._experiment, self._game, self._seed = experiment, experiment.game.unwrapped, seed
        rng = np.random.default_rng(seed)
        measure_reals = jax.jit(lambda images: _measure_spread(_flatten(images)))  # one program in place of fifteen
        reals = [measure_reals(_read_examples(experiment, rng)) for _ in range(DRAWS)]
        self._real_spread, self._real_nearest = (max(float(np.mean(x)), 1e-12) for x in zip(*reals))
        self._turns = _turns(self._game)
        classes = len(experiment.sampling.classes)
        labels = (jnp.arange(EXAMPLES) % classes,) if classes else ()
        latents = (experiment.draw_latents(seed, np.arange(EXAMPLES)), *labels)
        # These arrays are arguments of the compiled function and not constants, because XLA would evaluate operations
        # on constants during compilation, which is slow.
        self._inputs = latents, _read_held_out_pair(experiment, rng)
        measure, forget = self._measure, self._forget
        if members is not None:
            measure = jax.vmap(measure, in_axes=(AXES, 0, None, None))
            forget = jax.vmap(forget, in_axes=(AXES, None))
        self._compiled_measure, self._compiled_forget = jax.jit(measure), jax.jit(forget)
        self._memory: _Memory | None = None  # on the host until the first probe of a resumed run
        self._probes = 0

    def __call__(self, state: State) -> dict[str, jax.Array]:
        if self._memory is None:
            self._memory = self._compiled_forget(state, self._inputs[0])
        # The memory that the compiled function returns is on the same devices as the parameters. If the first memory
        # were on another device, the second probe would be compiled again.
        self._memory = jax.device_put(self._memory, jax.tree.leaves(state.params)[0].sharding)
        measures, self._memory = self._compiled_measure(state, self._memory, *self._inputs)
        not_yet = NOT_YET.get(self._probes, ())
        self._probes += 1
        return {name: x for name, x in measures.items() if not name.startswith(not_yet)}

    def memory(self, is_current: bool) -> dict[str, np.ndarray]:
        """Return the arrays that another probe needs to continue after the latest measurement.

        Args:
          is_current: whether the latest measurement was of the state that is saved. Its parameters are then omitted.

        Returns:
          A dictionary from names to arrays, which is empty before the first measurement.
        """
        if self._memory is None:
            return {}
        memory = self._memory._replace(params={}) if is_current else self._memory
        arrays = {name: np.asarray(x) for name, x in _named(memory)}
        as_bits = {name: x.view(np.uint16) if x.dtype == jnp.bfloat16 else x for name, x in arrays.items()}
        return {"probes": np.asarray(self._probes), **as_bits}

    def restore(self, arrays: Mapping[str, np.ndarray], state: State) -> None:
        """Continue after the latest measurement of another probe.

        Args:
          arrays: the arrays that the other probe's ``memory`` returned.
          state: the state that was saved with the arrays.

        Raises:
          ValueError: if the arrays belong to another experiment.
        """
        shapes = jax.eval_shape(self._compiled_forget, state, self._inputs[0])
        found = {**dict(_named({"params": state.params})), **arrays}
        leaves = []
        for name, shape in _named(shapes):
            bits = np.uint16 if shape.dtype == jnp.bfloat16 else shape.dtype
            leaf = np.asarray(found.get(name))
            if (leaf.shape, leaf.dtype) != (shape.shape, bits):
                raise ValueError(f"its array {name!r} is missing or has another shape")
            leaves.append(leaf.view(shape.dtype))
        self._memory = jax.tree.unflatten(jax.tree.structure(shapes), leaves)
        self._probes = int(found.get("probes", 0))

    def _draw(self, state: State, latents: Any) -> jax.Array:
        # Generate samples as in training: with the current weights instead of their moving averages, and with batch
        # statistics instead of moving statistics. Moving averages react to a problem too late.
        nets = self._game.functions(state, train=True, ema=False)
        generate = self._experiment.sampling.generate
        try:
            return _flatten(generate(nets, *latents))
        except MissingKeysError:
            # The generator uses dropout, which requires keys. With train=False, dropout is off, so that the samples of
            # two probes do not differ in their dropout masks.
            return _flatten(generate(self._game.functions(state, ema=False), *latents))

    def _measure(
        self, state: State, last: _Memory, latents: Any, held_out_pair: Any
    ) -> tuple[dict[str, jax.Array], _Memory]:
        samples = self._draw(state, latents)
        spread, nearest = _measure_spread(samples)
        mean = samples.mean(0)
        swing = jnp.sqrt(jnp.square(mean - last.mean).sum()) / self._real_spread
        measures = {"diversity": spread / self._real_spread, "nearest": nearest / self._real_nearest, "swing": swing}
        moves = jax.tree.map(jnp.subtract, state.params, last.params)
        for net, params in state.params.items():
            measures[f"moved/{net}"] = _norm(moves[net]) / jnp.maximum(_norm(params), 1e-12) / self._turns[net]
            measures[f"turned/{net}"] = _cosine(moves[net], last.moves[net])
        if held_out_pair:
            measures |= _held_out_gaps(self._experiment, state, self._seed, *held_out_pair)
        return measures, _Memory(mean, state.params, jax.tree.map(_rounded, moves))

    def _forget(self, state: State, latents: Any) -> _Memory:
        """Return the memory of the first probe, which contains zeros."""
        samples = jax.eval_shape(self._draw, state, latents)
        params = jax.tree.map(jnp.zeros_like, state.params)
        return _Memory(jnp.zeros(samples.shape[1:]), params, jax.tree.map(_rounded, params))


def check_held_out(experiment: Experiment) -> None:
    """Check that held-out examples can be used, which requires a player that logs its logits.

    Args:
      experiment: the experiment, with or without held-out examples.

    Raises:
      ValueError: if examples are held out and no player logs its logits.
    """
    pair = _read_held_out_pair(experiment, np.random.default_rng(0))
    if pair:
        state = jax.eval_shape(experiment.game.init, jax.random.key(0))
        if not jax.eval_shape(lambda state: _held_out_gaps(experiment, state, 0, *pair), state):
            raise ValueError(
                "`num_held_out` has no effect, because no player of this experiment logs logits_real and logits_fake. "
                "Leave it at 0."
            )


def _turns(game: Game) -> dict[str, int]:
    """Return a dictionary from networks to the number of turns of their owner in a step.

    A network without an owner counts as a network with one turn.
    """
    turns = {name: sum(turn.count(name) for turn in game.turns) for name in game.players}
    return {net: max((turns[p] for p in turns if net in game.players[p].owns), default=1) for net in game.nets}


def _read_examples(experiment: Experiment, rng: np.random.Generator) -> jax.Array:
    source, medium = experiment.source, experiment.medium
    chosen = rng.choice(len(source), EXAMPLES, replace=len(source) < EXAMPLES)
    return medium.normalize(source.read(np.sort(chosen)))[medium.key]


def _read_held_out_pair(experiment: Experiment, rng: np.random.Generator) -> tuple[Any, Any] | None:
    """Return a batch of training examples and a batch of held-out examples, or None if no examples are held out.

    Both batches have the same size.
    """
    source, held_out = experiment.source, experiment.held_out
    if held_out is None:
        return None
    size = min(EXAMPLES, len(held_out), len(source))
    chosen = np.sort(rng.choice(len(source), size, replace=False))
    normalize = experiment.medium.normalize
    return normalize(source.read(chosen)), normalize(held_out.read(np.arange(size)))


def _held_out_gaps(experiment: Experiment, state: State, seed: int, train: Any, held_out: Any) -> dict[str, jax.Array]:
    """Return ``over_held_out`` and ``over_fakes`` for each player that logs its logits; see ``Probe``."""
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


def _measure_spread(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the spread and the mean nearest-neighbour distance of a set of shape [N, features]; see ``Probe``."""
    x = x - x.mean(0)[None]
    squares = jnp.square(x).sum(1)
    distances = squares[:, None] + squares[None] - 2 * x @ x.T + jnp.diag(jnp.full(len(x), jnp.inf))
    return jnp.sqrt(squares.mean()), jnp.sqrt(jnp.maximum(distances.min(1), 0)).mean()


def _named(tree: Any) -> list[tuple[str, Any]]:
    """Return the leaves of a tree with their names, such as ``moves.g.linear.kernel``."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in leaves]


def _rounded(x: jax.Array) -> jax.Array:
    return x.astype(jnp.bfloat16)


def _norm(tree: Any) -> jax.Array:
    return jnp.sqrt(sum((jnp.square(x.astype(jnp.float32)).sum() for x in jax.tree.leaves(tree)), jnp.float32(0)))


def _cosine(a: Any, b: Any) -> jax.Array:
    product = sum((x * y.astype(x.dtype)).sum() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))
    return product / jnp.maximum(_norm(a) * _norm(b), 1e-30)
