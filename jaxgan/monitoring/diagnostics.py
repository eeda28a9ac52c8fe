"""Watches a training and says what looks wrong, with what to try.

Every ``PROBE_EVERY`` steps a ``probe.Probe`` measures the state on the devices, while the next steps are computed.
``TrainingMonitor`` joins these measures to the mean metrics of the steps since the last probe, and ``diagnose`` judges
the last ``WINDOW`` of them.

The thresholds lie between the measures of trainings that are broken on purpose (``tests/helpers/sabotages.py``, seeds
0 to 2) and those of the experiments' default runs.
"""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.monitoring.metrics_file import finite_mean

PROBE_EVERY = 50  # steps
WARM_UP = 200  # steps that are not judged, because everything still moves
WINDOW = 10  # probes, 500 steps, whose mean is judged, so that what passes is not reported

# A finding is a row of ``diagnosis.jsonl``: the measures of a probe and the mean metrics of the steps since the last
# one, by name. Of a population each is a list with a number for each member.
Finding = Mapping[str, Any]


class Verdict(NamedTuple):
    """What is wrong with a game.

    Attributes:
      name: a key of ``REMEDIES``.
      whose: the network or the player that it is about; empty if it is about the whole game.
      evidence: the measure behind it, in words.
    """

    name: str
    whose: str
    evidence: str


REMEDIES = {
    "divergence": "lower the learning rate of {whose}; bound a critic's slope by a gradient penalty, R1 or spectral "
    "normalisation; or clip gradients, optax.clip_by_global_norm",
    "vanishing gradients": "give {whose} a loss that does not saturate, non-saturating or Wasserstein; or weaken the "
    "discriminator: R1, a lower learning rate",
    "mode collapse": "see that latents reach the output; try R3GAN's loss with R1 and R2, or WGAN-GP; lower the "
    "generator's learning rate",
    "memorising": "more data, or ADA or DiffAugment where the experiment can augment; more R1; a smaller {whose}",
    "discriminator too strong": "more R1, or a lower learning rate for {whose}; hold out 64 examples to see whether it "
    "memorises",
    "oscillation": "lower the learning rates; R1; Adam's first decay at 0; or optimistic or extra-gradient steps, "
    "jaxgan.games.dynamics",
}
MAX_MOVE = 0.24  # of a network's weights in PROBE_EVERY turns, by their length
MAX_GRADIENT_GROWTH = 1e3  # of a gradient's norm since the start
MIN_GRADIENT = 1e-7  # norm
MIN_GRADIENT_AGAINST_SURE = 1e-3  # norm, of a player whose opponent is sure of its fakes
SURE = 0.99  # accuracy
MIN_DIVERSITY = 0.15  # by that of reals
MIN_NEAREST = 0.1  # distance between neighbours, by that of reals
MAX_MEMORY = 0.6  # place of held-out reals between what D trains on, at 0, and fakes, at 1
MAX_SWING = 1.45  # by the spread of reals, in PROBE_EVERY steps
CERTAIN = 3.0  # standard errors that separate a gap between logits from 0


def diagnose(window: Sequence[Mapping[str, float]], first: Mapping[str, float]) -> list[Verdict]:
    """What is wrong with a game, the likeliest cause first; empty if nothing is.

    Args:
      window: the last findings of one game, oldest first.
      first: the first finding of all, to compare with.
    """
    names = dict.fromkeys(name for row in window for name in row)  # the first probe of a resumed run has fewer
    mean = {name: float(np.mean([row[name] for row in window if name in row])) for name in names}
    players = [name.partition("/")[0] for name in mean if name.endswith("/grad_norm")]
    judges = [p for p in players if {f"{p}/accuracy_real", f"{p}/accuracy_fake"} <= set(mean)]
    diverging = list(_find_divergence(mean, first, players))
    verdicts = [*diverging]
    verdicts += _find_vanishing_gradients(mean, players, judges)
    verdicts += _find_mode_collapse(mean)
    verdicts += _find_memorising(window, players)
    # A game that diverges also swings, and what was found so far explains a strong discriminator.
    if not diverging:
        verdicts += _find_oscillation(mean)
    return verdicts or list(_find_strong_discriminator(mean, judges))


def _find_divergence(
    mean: Mapping[str, float], first: Mapping[str, float], players: Iterable[str]
) -> Iterator[Verdict]:
    for net in (name.partition("/")[2] for name in mean if name.startswith("moved/")):
        move = mean[f"moved/{net}"]
        if move > MAX_MOVE:
            evidence = f"in {PROBE_EVERY} turns its weights move by {move:.0%} of their length"
            yield Verdict("divergence", net, evidence)
    for player in players:
        norm, start = mean[f"{player}/grad_norm"], first.get(f"{player}/grad_norm", 0.0)
        if start and norm > MAX_GRADIENT_GROWTH * start:
            yield Verdict("divergence", player, f"its gradient is {norm / start:,.0f} times that at the start")


def _find_vanishing_gradients(
    mean: Mapping[str, float], players: Iterable[str], judges: Sequence[str]
) -> Iterator[Verdict]:
    is_sure_of_fakes = any(mean[f"{judge}/accuracy_fake"] >= SURE for judge in judges)
    for player in players:
        norm = mean[f"{player}/grad_norm"]
        if norm == mean.get(f"{player}/loss") == 0:  # the player waits while others are trained beforehand
            continue
        is_against_sure = is_sure_of_fakes and player not in judges
        if norm < (MIN_GRADIENT_AGAINST_SURE if is_against_sure else MIN_GRADIENT):
            yield Verdict("vanishing gradients", player, f"its gradient's norm is {norm:.1e}")


def _find_mode_collapse(mean: Mapping[str, float]) -> Iterator[Verdict]:
    diversity, nearest = mean["diversity"], mean["nearest"]
    if diversity < MIN_DIVERSITY or nearest < MIN_NEAREST:
        evidence = f"samples spread {diversity:.0%} as far as reals, neighbours are {nearest:.0%} as far off"
        yield Verdict("mode collapse", "", evidence)


def _find_memorising(window: Sequence[Mapping[str, float]], players: Iterable[str]) -> Iterator[Verdict]:
    for player in players:
        memory = _memory(window, player)
        if memory > MAX_MEMORY:
            evidence = f"to it held-out reals are {memory:.0%} of the way from what it trains on to fakes"
            yield Verdict("memorising", player, evidence)


def _find_oscillation(mean: Mapping[str, float]) -> Iterator[Verdict]:
    swing = mean.get("swing", 0.0)
    if swing > MAX_SWING:
        evidence = f"in {PROBE_EVERY} steps the mean of samples moves by {swing:.0%} of the spread of reals"
        yield Verdict("oscillation", "", evidence)


def _find_strong_discriminator(mean: Mapping[str, float], judges: Iterable[str]) -> Iterator[Verdict]:
    for player in judges:
        real, fake = mean[f"{player}/accuracy_real"], mean[f"{player}/accuracy_fake"]
        if min(real, fake) >= SURE:
            yield Verdict("discriminator too strong", player, f"right on reals {real:.1%}, on fakes {fake:.1%}")


def _memory(window: Sequence[Mapping[str, float]], player: str) -> float:
    """(D(train) - D(held out)) / (D(train) - D(fake)), Karras et al. 2020, 2006.06676; 0 if a gap is not certain."""
    gaps = []
    for name in (f"over_held_out/{player}", f"over_fakes/{player}"):
        values = [row[name] for row in window if name in row]
        error = np.std(values) / np.sqrt(len(values)) if values else 0.0
        if not values or np.mean(values) <= CERTAIN * error:
            return 0.0
        gaps.append(float(np.mean(values)))
    return gaps[0] / gaps[1]


def remedy(verdict: Verdict) -> str:
    """What to try against it."""
    return REMEDIES[verdict.name].format(whose=verdict.whose or "the generator")


def describe(verdict: Verdict, whose: str = "") -> str:
    """A verdict and its evidence in a line.

    Args:
      verdict: what is wrong.
      whose: the member, the network or the player that it is about, if there is one to name.
    """
    return f"{verdict.name}{' of ' + whose if whose else ''}: {verdict.evidence}"


class TrainingMonitor:
    """Watches a run: joins what a probe measured to the metrics of the steps before it, and says what is wrong.

    Args:
      probe: measures a state.
      members: how many games there are.
      member_name: a member's name for messages.
      say: called with a message for each verdict when it first holds.
      earlier: the findings of the run so far, if it is resumed.

    Attributes:
      verdicts: what is wrong now, each with the index of its member.
    """

    def __init__(
        self,
        probe: Callable[[Any], Mapping[str, jax.Array]],
        members: int,
        member_name: Callable[[int], str],
        say: Callable[[str], None],
        earlier: Sequence[Finding] = (),
    ):
        self.verdicts: list[tuple[int, Verdict]] = []
        self._probe, self._member_name, self._say = probe, member_name, say
        self._probes: dict[int, Mapping[str, jax.Array]] = {}  # by step, until the metrics of the step arrive
        self._rows: list[Mapping[str, Any]] = []  # since the last probe
        self._first: list[Mapping[str, float] | None] = [None] * members
        self._windows = [collections.deque(maxlen=WINDOW) for _ in range(members)]
        self._reported = {(i, name, whose) for row in earlier for i, name, whose, *_ in row.get("verdicts", ())}
        for row in earlier:
            self._remember(row)

    def watch(self, state: Any, step: int) -> None:
        """Start a probe of the state after ``step``; ``add_row`` waits for it."""
        self._probes[step] = self._probe(state)

    def add_row(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Add the metrics of the next step; returns a finding, with ``verdicts`` if there are any, if it was probed."""
        self._rows.append(row)
        step = row["step"]
        if step not in self._probes:
            return None
        finding = {"step": step, **self._mean_metrics(), **_to_lists(self._probes.pop(step))}
        self._rows = []
        self._remember(finding)
        self.verdicts = [
            (i, verdict)
            for i, (window, first) in enumerate(zip(self._windows, self._first))
            if len(window) == WINDOW and first
            for verdict in diagnose(window, first)
        ]
        self._report(step)
        if self.verdicts:
            finding["verdicts"] = [[i, *verdict, remedy(verdict)] for i, verdict in self.verdicts]
        return finding

    def summary(self) -> str:
        """The names of what is wrong now, for a line; of a population with the number of members."""
        names = collections.Counter(name for _, name in {(i, verdict.name) for i, verdict in self.verdicts})
        members = len(self._windows)
        return ", ".join(f"{name} in {count} of {members}" if members > 1 else name for name, count in names.items())

    def _mean_metrics(self) -> dict[str, Any]:
        names = dict.fromkeys(name for row in self._rows for name in row if name != "step")
        return {name: np.mean([row[name] for row in self._rows if name in row], 0).tolist() for name in names}

    def _report(self, step: int) -> None:
        """Say the verdicts that were not said before."""
        for i, verdict in self.verdicts:
            if (i, verdict.name, verdict.whose) not in self._reported:
                self._reported.add((i, verdict.name, verdict.whose))
                whose = " ".join(filter(None, (self._member_name(i), verdict.whose)))
                self._say(f"step {step}: {describe(verdict, whose)}: {remedy(verdict)}")

    def _remember(self, finding: Finding) -> None:
        """Add a finding to the window of each member, if its numbers are finite and the warm-up is over."""
        for i, window in enumerate(self._windows):
            own = {name: x[i] if isinstance(x, list) else x for name, x in finding.items() if name != "verdicts"}
            if any(finite_mean(x) is None for x in own.values()):  # the run itself reports that it diverged
                window.clear()
                continue
            self._first[i] = self._first[i] or own
            if own["step"] > WARM_UP:
                window.append(own)


def _to_lists(measures: Mapping[str, jax.Array]) -> dict[str, Any]:
    return {name: np.asarray(x).tolist() for name, x in measures.items()}
