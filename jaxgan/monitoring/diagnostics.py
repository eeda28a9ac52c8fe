"""Watches a training and says what looks wrong, with what to try.

Every ``EVERY`` steps a ``probe.Probe`` measures the state on the devices, while the next steps are computed.
``TrainingMonitor`` joins these measures to the mean metrics of the steps since the last probe, and ``diagnose`` judges
the last ``WINDOW`` of them.

The thresholds lie between the measures of trainings that are broken on purpose (``tests/helpers/sabotages.py``, seeds
0 to 2) and those of the experiments' default runs.
"""

import collections
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.monitoring.metrics_file import middle

EVERY = 50  # steps between probes
START = 200  # steps that are not judged: everything moves
WINDOW = 10  # probes over whose mean it judges, 500 steps: nothing is said of what passes


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
    "discriminator too strong": "more R1, or a lower learning rate for {of}; --num-held-out 64 tells whether it "
    "memorises",
    "oscillation": "lower the learning rates; R1; Adam's first decay at 0; or optimistic or extra-gradient steps, "
    "jaxgan.games.dynamics",
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
    diverging = list(_divergence(mean, first, players))
    found = [*diverging, *_vanishing(mean, players, judges), *_collapse(mean), *_memorising(window, players)]
    # What is found explains what would follow from it.
    found += () if diverging else _oscillation(mean)
    return found or list(_too_strong(mean, judges))


def _divergence(mean, first, players) -> Iterator[Verdict]:
    for net in (name.partition("/")[2] for name in mean if name.startswith("moved/")):
        if mean[f"moved/{net}"] > MOVED:
            yield Verdict(
                "divergence", net, f"in {EVERY} turns its weights move by {mean[f'moved/{net}']:.0%} of their length"
            )
    for player in players:
        norm, start = mean[f"{player}/grad_norm"], first.get(f"{player}/grad_norm", 0.0)
        if start and norm > GROWN * start:
            yield Verdict("divergence", player, f"its gradient is {norm / start:,.0f} times that at the start")


def _vanishing(mean, players, judges) -> Iterator[Verdict]:
    sure_of_fakes = any(mean[f"{judge}/accuracy_fake"] >= SURE for judge in judges)
    for player in players:
        norm = mean[f"{player}/grad_norm"]
        if norm == mean.get(f"{player}/loss") == 0:  # it waits, while others are trained beforehand
            continue
        if norm < (VANISHED if sure_of_fakes and player not in judges else GONE):
            yield Verdict("vanishing gradients", player, f"its gradient's norm is {norm:.1e}")


def _collapse(mean) -> Iterator[Verdict]:
    if mean["diversity"] < SPREAD or mean["nearest"] < APART:
        spread, apart = mean["diversity"], mean["nearest"]
        yield Verdict(
            "mode collapse", "", f"samples spread {spread:.0%} as far as reals, neighbours are {apart:.0%} as far off"
        )


def _memorising(window, players) -> Iterator[Verdict]:
    for player in players:
        remembered = _remembered(window, player)
        if remembered > REMEMBERED:
            yield Verdict(
                "memorising",
                player,
                f"to it held-out reals are {remembered:.0%} of the way from what it trains on to fakes",
            )


def _oscillation(mean) -> Iterator[Verdict]:
    swing = mean.get("swing", 0.0)
    if swing > SWING:
        yield Verdict(
            "oscillation", "", f"in {EVERY} steps the mean of samples moves by {swing:.0%} of the spread of reals"
        )


def _too_strong(mean, judges) -> Iterator[Verdict]:
    for player in judges:
        real, fake = mean[f"{player}/accuracy_real"], mean[f"{player}/accuracy_fake"]
        if min(real, fake) >= SURE:
            yield Verdict("discriminator too strong", player, f"right on reals {real:.1%}, on fakes {fake:.1%}")


def _remembered(window: Sequence[Mapping[str, float]], player: str) -> float:
    """(D(train) - D(held out)) / (D(train) - D(fake)), Karras et al. 2020, 2006.06676; 0 if not certain."""
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


class TrainingMonitor:
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
        self._reported = {(i, name, of) for row in known for i, name, of, *_ in row.get("verdicts", ())}
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
            if (i, verdict.name, verdict.of) not in self._reported:
                self._reported.add((i, verdict.name, verdict.of))
                whose = " ".join(filter(None, (self._name(i), verdict.of)))
                self._say(f"step {step}: {describe(verdict, whose)}: {mend(verdict)}")
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


def describe(verdict: Verdict, whose: str = "") -> str:
    """A verdict and its evidence."""
    return f"{verdict.name}{' of ' + whose if whose else ''}: {verdict.evidence}"
