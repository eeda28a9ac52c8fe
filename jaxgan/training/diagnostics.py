"""A doctor for training: measures of a game that are taken as it goes, what they say is wrong, and the mend.

Every ``EVERY`` steps a ``Probe`` looks at the state, on the devices, while the next steps are computed. ``Doctor``
joins what it finds to the metrics of the steps between, and ``diagnose`` names what holds of the last ``WINDOW``.

Where the thresholds come from: ``tests/sabotages.py`` breaks trainings on purpose; thresholds lie between what those
show, of seeds 0 to 2, and what the experiments' default runs show.
"""

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import sampling
from jaxgan.data import Source, as_float
from jaxgan.game import State
from jaxgan.population import AXES
from jaxgan.training.experiment import Experiment
from jaxgan.training.logging import middle

EVERY = 50  # steps between probes
EXAMPLES = 64  # that a probe looks at
DRAWS = 8  # of so many reals each, which samples are compared with
START = 200  # steps that are not judged: everything moves
WINDOW = 10  # probes over whose mean it judges, 500 steps: nothing is said of what passes


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
        game, classes, rng = experiment.game, len(experiment.classes), np.random.default_rng(seed)
        z = experiment.latents(sampling.sample_keys(seed, EXAMPLES))
        labels = (jnp.arange(EXAMPLES) % classes,) if classes else ()
        draws = [_spread(_flat(_images(experiment.source, rng))) for _ in range(DRAWS)]
        spread, apart = (max(float(np.mean(x)), 1e-12) for x in zip(*draws))
        pair = _pair(experiment, rng)
        turns = {
            net: max(
                (sum(t.count(name) for t in game.turns) for name, p in game.players.items() if net in p.owns), default=1
            )
            for net in game.nets
        }

        def draw(state: State) -> jax.Array:
            # As the discriminator meets them: neither averaged nor with moving statistics, which lag behind.
            return _flat(experiment.generate(game.functions(state, train=True, ema=False), z, *labels))

        def measure(state: State, last: Any) -> tuple[dict[str, jax.Array], Any]:
            samples = draw(state)
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
            params, samples = jax.tree.map(jnp.zeros_like, (state.params, jax.eval_shape(draw, state)))
            return {"samples": samples, "params": params, "moves": params}

        many = members is not None
        self._measure = jax.jit(jax.vmap(measure, in_axes=(AXES, 0)) if many else measure)
        self._nothing = jax.jit(jax.vmap(nothing, in_axes=(AXES,)) if many else nothing)
        self._last: Any = None
        self._late = ["turned/", "swing", "moved/"]  # what needs more probes than there were, the latest first

    def __call__(self, state: State) -> dict[str, jax.Array]:
        found, self._last = self._measure(state, self._nothing(state) if self._last is None else self._last)
        known = {name: x for name, x in found.items() if not name.startswith(tuple(self._late))}
        self._late = self._late[:1] if len(self._late) > 1 else []
        return known


def check(experiment: Experiment) -> None:
    """``ValueError`` if examples are held out, and no player tells the logits to compare them by."""
    pair = _pair(experiment, np.random.default_rng(0))
    if pair:
        state = jax.eval_shape(experiment.game.init, jax.random.key(0))
        if not jax.eval_shape(lambda state: _memory(experiment, state, 0, *pair), state):
            raise ValueError(
                "--held-out: no player of this experiment logs logits_real and logits_fake, so nothing would be made "
                "of what is held out; leave it out"
            )


def _images(source: Source, rng: np.random.Generator) -> jax.Array:
    chosen = rng.choice(len(source), EXAMPLES, replace=len(source) < EXAMPLES)
    return as_float(source.read(np.sort(chosen)))["image"]


def _pair(experiment: Experiment, rng: np.random.Generator) -> tuple[Any, Any] | None:
    """As many examples that are trained on as are held out; None where none are."""
    source, held = experiment.source, experiment.held_out
    if held is None:
        return None
    size = min(EXAMPLES, len(held), len(source))
    chosen = np.sort(rng.choice(len(source), size, replace=False))
    return as_float(source.read(chosen)), as_float(held.read(np.arange(size)))


def _memory(experiment: Experiment, state: State, seed: int, train: Any, held: Any) -> dict[str, jax.Array]:
    game = experiment.game
    nets = game.functions(state, train=True, ema=False)
    keys = sampling.sample_keys(seed, len(jax.tree.leaves(train)[0]))
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


class Verdict(NamedTuple):
    """What is wrong.

    Attributes:
      name: of ``MENDS``.
      of: the network or player whose it is; empty of all.
      evidence: the measure behind it, in words.
    """

    name: str
    of: str
    evidence: str


MENDS = {
    "divergence": "lower the learning rate of {of}; bound a critic's slope by a gradient penalty, R1 or spectral "
    "normalisation; or clip gradients, optax.clip_by_global_norm",
    "vanishing gradients": "give {of} a loss that does not saturate, non-saturating or Wasserstein; or weaken the "
    "discriminator: R1, a lower learning rate",
    "mode collapse": "see that latents reach the output; try R3GAN's loss with R1 and R2, or WGAN-GP; lower the "
    "generator's learning rate",
    "memorising": "more data, or --augment ada or diffaugment where there is --augment; more R1; a smaller {of}",
    "discriminator too strong": "more R1, or a lower learning rate for {of}; --held-out 64 tells whether it memorises",
    "oscillation": "lower the learning rates; R1; Adam's first decay at 0; or optimistic or extra-gradient steps, "
    "jaxgan.dynamics",
}
MOVED = 0.24  # of a network's length, in EVERY turns
GROWN = 1e3  # times the gradient's norm at the start
VANISHED, GONE = 1e-3, 1e-7  # a gradient's norm, where the discriminator is sure of fakes, and anywhere
SURE = 0.99  # an accuracy
SPREAD, APART = 0.15, 0.1  # diversity and nearest, of reals 1
REMEMBERED = 0.6  # of the gap between what D trains on and fakes, at which held-out reals lie
SWING = 1.45  # of the spread of reals, in EVERY steps
CERTAIN = 3.0  # standard errors that a gap between logits is from 0, to be one


def diagnose(window: Sequence[Mapping[str, float]], first: Mapping[str, float]) -> list[Verdict]:
    """What is wrong with a game, the likeliest cause first; empty if nothing is.

    Args:
      window: the last findings of one game, oldest first: measures, and metrics averaged between probes.
      first: the first one there was, to compare with.
    """
    names = dict.fromkeys(name for row in window for name in row)  # the first probe of a resumed run has fewer
    mean = {name: float(np.mean([row[name] for row in window if name in row])) for name in names}
    players = [name.partition("/")[0] for name in mean if name.endswith("/grad_norm")]
    judges = [p for p in players if {f"{p}/accuracy_real", f"{p}/accuracy_fake"} <= set(mean)]
    sure_of_fakes = any(mean[f"{p}/accuracy_fake"] >= SURE for p in judges)
    found = []
    for net in (name.partition("/")[2] for name in mean if name.startswith("moved/")):
        if mean[f"moved/{net}"] > MOVED:
            told = f"in {EVERY} turns its weights move by {mean[f'moved/{net}']:.0%} of their length"
            found.append(Verdict("divergence", net, told))
    for player in players:
        norm, start = mean[f"{player}/grad_norm"], first.get(f"{player}/grad_norm", 0.0)
        if start and norm > GROWN * start:
            found.append(Verdict("divergence", player, f"its gradient is {norm / start:,.0f} times that at the start"))
        if norm < (VANISHED if sure_of_fakes and player not in judges else GONE):
            found.append(Verdict("vanishing gradients", player, f"its gradient's norm is {norm:.1e}"))
    if mean["diversity"] < SPREAD or mean["nearest"] < APART:
        told = (
            f"samples spread {mean['diversity']:.0%} as far as reals, neighbours are {mean['nearest']:.0%} as far off"
        )
        found.append(Verdict("mode collapse", "", told))
    for player in players:
        remembered = _remembered(window, player)
        if remembered > REMEMBERED:
            told = f"to it held-out reals are {remembered:.0%} of the way from what it trains on to fakes"
            found.append(Verdict("memorising", player, told))
    if mean.get("swing", 0.0) > SWING and not any(verdict.name == "divergence" for verdict in found):
        told = f"in {EVERY} steps the mean of samples moves by {mean['swing']:.0%} of the spread of reals"
        found.append(Verdict("oscillation", "", told))
    for player in judges if not found else ():  # what is found explains it
        real, fake = mean[f"{player}/accuracy_real"], mean[f"{player}/accuracy_fake"]
        if min(real, fake) >= SURE:
            found.append(Verdict("discriminator too strong", player, f"right on reals {real:.1%}, on fakes {fake:.1%}"))
    return found


def _remembered(window: Sequence[Mapping[str, float]], player: str) -> float:
    """(D(train) - D(held out)) / (D(train) - D(fake)), Karras et al. 2020, 2006.06676, equation 1; 0 if not certain."""
    gaps = []
    for name in (f"over_held_out/{player}", f"over_fakes/{player}"):
        values = [row[name] for row in window if name in row]
        error = np.std(values) / np.sqrt(len(values)) if values else 0.0
        if not values or np.mean(values) <= CERTAIN * error:
            return 0.0
        gaps.append(float(np.mean(values)))
    return gaps[0] / gaps[1]


def mend(verdict: Verdict) -> str:
    """What to try."""
    return MENDS[verdict.name].format(of=verdict.of or "the generator")


class Doctor:
    """Watches a run: joins what a probe found to the metrics of the steps before it, and tells what is wrong.

    Args:
      probe: takes a state.
      members: how many games there are.
      name: ``i -> str``, a member's, for messages.
      say: is told of each verdict when it first holds.
      known: the findings of a run that is resumed.
    """

    def __init__(
        self,
        probe: Callable[[Any], Mapping[str, jax.Array]],
        members: int,
        name: Callable[[int], str],
        say: Callable[[str], None],
        known: Sequence[Mapping[str, Any]] = (),
    ):
        self._probe, self._name, self._say = probe, name, say
        self._waiting: dict[int, Mapping[str, jax.Array]] = {}  # probes by step
        self._rows: list[Mapping[str, Any]] = []
        self._first: list[Mapping[str, float] | None] = [None] * members
        self._windows = [collections.deque(maxlen=WINDOW) for _ in range(members)]
        self._told = {(i, name, of) for row in known for i, name, of, *_ in row.get("verdicts", ())}
        self.verdicts: list[tuple[int, Verdict]] = []
        for row in known:
            self._remember(row)

    def watch(self, state: Any, step: int) -> None:
        """Start a probe; what it finds is told once the step's row is seen."""
        self._waiting[step] = self._probe(state)

    def see(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """A step's metrics, in order; of a step that was probed the finding, with ``verdicts`` if there are any."""
        self._rows.append(row)
        step = row["step"]
        if step not in self._waiting:
            return None
        measures = self._waiting.pop(step)
        names = dict.fromkeys(name for row in self._rows for name in row if name != "step")
        means = {name: np.mean([row[name] for row in self._rows if name in row], 0).tolist() for name in names}
        self._rows = []
        finding = {"step": step, **means, **{name: np.asarray(x).tolist() for name, x in measures.items()}}
        self._remember(finding)
        self.verdicts = [
            (i, verdict)
            for i, (window, first) in enumerate(zip(self._windows, self._first))
            if len(window) == WINDOW and first
            for verdict in diagnose(window, first)
        ]
        for i, verdict in self.verdicts:
            if (i, verdict.name, verdict.of) not in self._told:
                self._told.add((i, verdict.name, verdict.of))
                whose = " ".join(filter(None, (self._name(i), verdict.of)))
                self._say(f"step {step}: {told(verdict, whose)}: {mend(verdict)}")
        listed = [[i, *verdict, mend(verdict)] for i, verdict in self.verdicts]
        return {**finding, **({"verdicts": listed} if listed else {})}

    def summary(self) -> str:
        """The names of what is wrong now, for a line; of a population, of how many members."""
        names = collections.Counter(name for _, name in {(i, verdict.name) for i, verdict in self.verdicts})
        of = f" of {len(self._windows)}" if len(self._windows) > 1 else ""
        return ", ".join(f"{name}{f' in {count}{of}' if of else ''}" for name, count in names.items())

    def _remember(self, finding: Mapping[str, Any]) -> None:
        for i, window in enumerate(self._windows):
            own = {name: x[i] if isinstance(x, list) else x for name, x in finding.items() if name != "verdicts"}
            if any(middle(x) is None for x in own.values()):  # the run tells of a loss that is not finite
                window.clear()
                continue
            self._first[i] = self._first[i] or own
            if own["step"] > START:
                window.append(own)


def told(verdict: Verdict, whose: str = "") -> str:
    """A verdict and its evidence."""
    return f"{verdict.name}{' of ' + whose if whose else ''}: {verdict.evidence}"
