"""What a doctor for training measures: a game's samples, weights and players, looked at as it goes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.game import Game
from jaxgan.core.keys import sample_keys
from jaxgan.core.state import State
from jaxgan.data import Source, normalize
from jaxgan.experiment.experiment import Experiment
from jaxgan.games.population import AXES

EXAMPLES = 64  # that a probe looks at
DRAWS = 8  # of so many reals each, which samples are compared with


class Probe:
    """What a state is like, compiled: ``probe(state)`` starts it, and gives arrays that are ready later.

    Of a population they are [members] each. They are:
      diversity: the spread of samples, the root of their covariance's trace, by that of reals.
      nearest: the mean distance from a sample to the next, by that of reals.
      swing: how far the mean of samples has moved since the last probe, of the same latents, by the spread of reals.
      moved/<net>: how far a network's weights have moved since then, by their length, for each turn in a step.
      turned/<net>: the cosine between that move and the one before: -1 there and back, 1 straight on.
      over_held_out/<player>, over_fakes/<player>: of a player that tells its logits, if examples are held out: how far
        those of what it trains on lie above those of held-out reals, and of fakes.

    Args:
      experiment: what is trained.
      seed: of the latents and of the examples that it looks at.
      members: of a population, how many; the state then has an axis for them.
    """

    def __init__(self, experiment: Experiment, seed: int, members: int | None = None):
        game, classes, rng = experiment.game.unwrapped, len(experiment.sampling.classes), np.random.default_rng(seed)
        labels = (jnp.arange(EXAMPLES) % classes,) if classes else ()
        latents = (experiment.draw(seed, np.arange(EXAMPLES)), *labels)
        draws = [_spread(_flat(_images(experiment.source, rng))) for _ in range(DRAWS)]
        spread, apart = (max(float(np.mean(x)), 1e-12) for x in zip(*draws))
        pair = _pair(experiment, rng)
        turns = _turns(game)

        def draw(state: State, latents: Any) -> jax.Array:
            # As the discriminator meets them: neither averaged nor with moving statistics, which lag behind.
            return _flat(experiment.sampling.generate(game.functions(state, train=True, ema=False), *latents))

        def measure(state: State, last: Any, latents: Any, pair: Any) -> tuple[dict[str, jax.Array], Any]:
            samples = draw(state, latents)
            own_spread, own_apart = _spread(samples)
            swing = jnp.sqrt(jnp.square((samples - last["samples"]).mean(0)).sum()) / spread
            found = {"diversity": own_spread / spread, "nearest": own_apart / apart, "swing": swing}
            moves = jax.tree.map(jnp.subtract, state.params, last["params"])
            for net, params in state.params.items():
                found[f"moved/{net}"] = _norm(moves[net]) / jnp.maximum(_norm(params), 1e-12) / turns[net]
                found[f"turned/{net}"] = _cosine(moves[net], last["moves"][net])
            if pair:
                found |= _memory(experiment, state, seed, *pair)
            return found, {"samples": samples, "params": state.params, "moves": moves}

        def nothing(state: State) -> Any:
            """What is remembered before the first probe."""
            params, samples = jax.tree.map(jnp.zeros_like, (state.params, jax.eval_shape(draw, state, latents)))
            return {"samples": samples, "params": params, "moves": params}

        many = members is not None
        self._measure = jax.jit(jax.vmap(measure, in_axes=(AXES, 0, None, None)) if many else measure)
        self._nothing = jax.jit(jax.vmap(nothing, in_axes=(AXES,)) if many else nothing)
        self._last: Any = None
        self._looked_at = latents, pair  # no constants: XLA would compute with them while it compiles
        self._late = ["turned/", "swing", "moved/"]  # what needs more probes than there were, the latest first

    def __call__(self, state: State) -> dict[str, jax.Array]:
        last = self._nothing(state) if self._last is None else self._last
        found, self._last = self._measure(state, last, *self._looked_at)
        known = {name: x for name, x in found.items() if not name.startswith(tuple(self._late))}
        self._late = self._late[:1] if len(self._late) > 1 else []
        return known


def _turns(game: Game) -> dict[str, int]:
    """How often each network's owner plays in a step; once if none does."""
    played = {name: sum(turn.count(name) for turn in game.turns) for name in game.players}
    return {net: max((played[p] for p in played if net in game.players[p].owns), default=1) for net in game.nets}


def check(experiment: Experiment) -> None:
    """``ValueError`` if examples are held out, and no player tells the logits to compare them by."""
    pair = _pair(experiment, np.random.default_rng(0))
    if pair:
        state = jax.eval_shape(experiment.game.init, jax.random.key(0))
        if not jax.eval_shape(lambda state: _memory(experiment, state, 0, *pair), state):
            raise ValueError(
                "--num-held-out: no player of this experiment logs logits_real and logits_fake, so nothing would be "
                "made of what is held out; leave it out"
            )


def _images(source: Source, rng: np.random.Generator) -> jax.Array:
    chosen = rng.choice(len(source), EXAMPLES, replace=len(source) < EXAMPLES)
    return normalize(source.read(np.sort(chosen)))["image"]


def _pair(experiment: Experiment, rng: np.random.Generator) -> tuple[Any, Any] | None:
    """As many examples that are trained on as are held out; None where none are."""
    source, held = experiment.source, experiment.held_out
    if held is None:
        return None
    size = min(EXAMPLES, len(held), len(source))
    chosen = np.sort(rng.choice(len(source), size, replace=False))
    return normalize(source.read(chosen)), normalize(held.read(np.arange(size)))


def _memory(experiment: Experiment, state: State, seed: int, train: Any, held: Any) -> dict[str, jax.Array]:
    game = experiment.game.unwrapped
    nets = game.functions(state, train=True, ema=False)
    keys = sample_keys(seed, len(jax.tree.leaves(train)[0]))
    found = {}
    for name, player in game.players.items():
        on_train, on_held = (player.loss(nets, batch, keys, state.step).metrics for batch in (train, held))
        if {"logits_real", "logits_fake"} <= set(on_train):
            found[f"over_held_out/{name}"] = on_train["logits_real"] - on_held["logits_real"]
            found[f"over_fakes/{name}"] = on_train["logits_real"] - on_train["logits_fake"]
    return found


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(len(x), -1).astype(jnp.float32)


def _spread(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The root of the covariance's trace, and the mean distance to the nearest other one."""
    x = x - x.mean(0)[None]
    squares = jnp.square(x).sum(1)
    apart = squares[:, None] + squares[None] - 2 * x @ x.T + jnp.diag(jnp.full(len(x), jnp.inf))
    return jnp.sqrt(squares.mean()), jnp.sqrt(jnp.maximum(apart.min(1), 0)).mean()


def _norm(tree: Any) -> jax.Array:
    return jnp.sqrt(sum((jnp.square(x).sum() for x in jax.tree.leaves(tree)), jnp.float32(0)))


def _cosine(a: Any, b: Any) -> jax.Array:
    product = sum((x * y).sum() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))
    return product / jnp.maximum(_norm(a) * _norm(b), 1e-30)
