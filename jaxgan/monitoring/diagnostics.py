"""Detect common failures of GAN training, such as mode collapse, and suggest remedies.

Every ``PROBE_EVERY`` steps, a ``probe.Probe`` measures the training state on the devices. The training does not wait
for the result. ``TrainingMonitor`` combines the measurements with the mean metrics of the steps since the previous
probe. ``diagnose`` averages these numbers over the last ``WINDOW`` probes and compares the averages with thresholds.

The thresholds were chosen so that they separate runs that were broken on purpose (``tests/helpers/sabotages.py``, seeds
0 to 2) from the experiments' runs with default settings.
"""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.monitoring.metrics_file import finite_mean

PROBE_EVERY = 50  # number of steps from one probe to the next
WARM_UP = 200  # number of steps at the start of a run that are not diagnosed, because measurements change quickly
WINDOW = 10  # number of probes to average over (500 steps), so that short-lived problems are not reported

# A finding is one row of ``diagnosis.jsonl``. It is a dictionary from names to numbers. The numbers are the values that
# one probe (a measurement of the game, taken every PROBE_EVERY steps) measured, and the metrics averaged over the steps
# since the previous probe. For a population, each value is a list with one number per member.
Finding = Mapping[str, Any]


class Verdict(NamedTuple):
    """A problem that was detected in a game.

    Attributes:
      name: the problem, a key of ``REMEDIES``.
      subject: the name of the network or player that has the problem; empty if the problem concerns the complete game.
      evidence: the measurement that led to the verdict, as text.
    """

    name: str
    subject: str
    evidence: str


REMEDIES = {
    "divergence": "lower the learning rate of {subject}; limit the critic's gradient with a gradient penalty, R1 or "
    "spectral normalisation; or clip gradients with optax.clip_by_global_norm",
    "vanishing gradients": "give {subject} a loss that does not saturate, such as the non-saturating or the "
    "Wasserstein loss; or weaken the discriminator with R1 or a lower learning rate",
    "mode collapse": "check that the generator's output depends on the latents; try R3GAN's loss with R1 and R2, or "
    "WGAN-GP; or lower the generator's learning rate",
    "memorising": "train on more data; use ADA or DiffAugment if the experiment supports augmentation; increase R1; or "
    "make {subject} smaller",
    "discriminator too strong": "increase R1 or lower the learning rate of {subject}; hold out 64 examples to see "
    "whether it memorises the training data",
    "oscillation": "lower the learning rates; add R1; set Adam's beta1 to 0; or use optimistic or extra-gradient "
    "steps (jaxgan.games.dynamics)",
}
MAX_MOVE = 0.24  # norm of the change of a network's weights over PROBE_EVERY turns, divided by the weights' norm
MAX_GRADIENT_GROWTH = 1e3  # gradient norm divided by the gradient norm at the first probe
MIN_GRADIENT = 1e-7  # gradient norm of a player
MIN_GRADIENT_AGAINST_SURE = 1e-3  # gradient norm of a player if its opponent recognises nearly all of its fakes
SURE = 0.99  # accuracy of a discriminator that is said to recognise nearly all examples
MIN_DIVERSITY = 0.15  # spread of the samples divided by the spread of real examples
MIN_NEAREST = 0.1  # mean nearest-neighbour distance among samples, divided by the same distance among real examples
MAX_MEMORY = 0.6  # mean logit of held-out examples, on a scale from 0 (that of training examples) to 1 (that of fakes)
MAX_SWING = 1.45  # distance that the samples' mean moves in PROBE_EVERY steps, divided by the spread of real examples
CERTAIN = 3.0  # number of standard errors by which a mean difference of logits must exceed 0 to be significant


def diagnose(window: Sequence[Mapping[str, float]], first: Mapping[str, float]) -> list[Verdict]:
    """Return the problems of one game, the likeliest cause first. Without problems, the list is empty.

    Args:
      window: the latest findings of the game, oldest first.
      first: the first finding of the run. Current gradient norms are compared with its gradient norms.
    """
    # The first probe of a resumed run has no earlier state to compare with, so it has fewer measurements.
    names = dict.fromkeys(name for row in window for name in row)
    mean = {name: float(np.mean([row[name] for row in window if name in row])) for name in names}
    players = [name.partition("/")[0] for name in mean if name.endswith("/grad_norm")]
    judges = [p for p in players if {f"{p}/accuracy_real", f"{p}/accuracy_fake"} <= set(mean)]
    diverging = list(_find_divergence(mean, first, players))
    verdicts = [*diverging]
    verdicts += _find_vanishing_gradients(mean, players, judges)
    verdicts += _find_mode_collapse(mean)
    verdicts += _find_memorising(window, players)
    # A game that diverges also oscillates, so oscillation is not reported together with divergence. Each of the other
    # problems can make the discriminator too strong, so a strong discriminator is only reported in their absence.
    if not diverging:
        verdicts += _find_oscillation(mean)
    return verdicts or list(_find_strong_discriminator(mean, judges))


def _find_divergence(
    mean: Mapping[str, float], first: Mapping[str, float], players: Iterable[str]
) -> Iterator[Verdict]:
    for net in (name.partition("/")[2] for name in mean if name.startswith("moved/")):
        move = mean[f"moved/{net}"]
        if move > MAX_MOVE:
            evidence = f"its weights changed by {move:.0%} of their norm within {PROBE_EVERY} turns"
            yield Verdict("divergence", net, evidence)
    for player in players:
        norm, start = mean[f"{player}/grad_norm"], first.get(f"{player}/grad_norm", 0.0)
        if start and norm > MAX_GRADIENT_GROWTH * start:
            yield Verdict(
                "divergence", player, f"its gradient norm is {norm / start:,.0f} times as large as at the start"
            )


def _find_vanishing_gradients(
    mean: Mapping[str, float], players: Iterable[str], judges: Sequence[str]
) -> Iterator[Verdict]:
    is_sure_of_fakes = any(mean[f"{judge}/accuracy_fake"] >= SURE for judge in judges)
    for player in players:
        norm = mean[f"{player}/grad_norm"]
        if norm == mean.get(f"{player}/loss") == 0:  # the player is idle while others are pretrained
            continue
        is_against_sure = is_sure_of_fakes and player not in judges
        if norm < (MIN_GRADIENT_AGAINST_SURE if is_against_sure else MIN_GRADIENT):
            yield Verdict("vanishing gradients", player, f"its gradient norm is {norm:.1e}")


def _find_mode_collapse(mean: Mapping[str, float]) -> Iterator[Verdict]:
    diversity, nearest = mean["diversity"], mean["nearest"]
    if diversity < MIN_DIVERSITY or nearest < MIN_NEAREST:
        evidence = (
            f"the samples have {diversity:.0%} of the spread and {nearest:.0%} of the nearest-neighbour distance of "
            "real examples"
        )
        yield Verdict("mode collapse", "", evidence)


def _find_memorising(window: Sequence[Mapping[str, float]], players: Iterable[str]) -> Iterator[Verdict]:
    for player in players:
        memory = _memory(window, player)
        if memory > MAX_MEMORY:
            evidence = (
                f"on a scale from 0% (training examples) to 100% (fakes), its mean logit of held-out real examples is "
                f"at {memory:.0%}"
            )
            yield Verdict("memorising", player, evidence)


def _find_oscillation(mean: Mapping[str, float]) -> Iterator[Verdict]:
    swing = mean.get("swing", 0.0)
    if swing > MAX_SWING:
        evidence = (
            f"the mean of the samples moved by {swing:.0%} of the spread of real examples within {PROBE_EVERY} steps"
        )
        yield Verdict("oscillation", "", evidence)


def _find_strong_discriminator(mean: Mapping[str, float], judges: Iterable[str]) -> Iterator[Verdict]:
    for player in judges:
        real, fake = mean[f"{player}/accuracy_real"], mean[f"{player}/accuracy_fake"]
        if min(real, fake) >= SURE:
            yield Verdict(
                "discriminator too strong",
                player,
                f"its accuracy is {real:.1%} on real examples and {fake:.1%} on fakes",
            )


def _memory(window: Sequence[Mapping[str, float]], player: str) -> float:
    """Return the overfitting measure r_v of Karras et al. 2020, arXiv:2006.06676, equation 1.

    The measure is (D(train) - D(held out)) / (D(train) - D(fake)), averaged over the window. The result is 0 if one of
    the two differences is not at least ``CERTAIN`` standard errors above 0.
    """
    gaps = []
    for name in (f"over_held_out/{player}", f"over_fakes/{player}"):
        values = [row[name] for row in window if name in row]
        error = np.std(values) / np.sqrt(len(values)) if values else 0.0
        if not values or np.mean(values) <= CERTAIN * error:
            return 0.0
        gaps.append(float(np.mean(values)))
    return gaps[0] / gaps[1]


def remedy(verdict: Verdict) -> str:
    """Return a text that describes how to fix a problem.

    Args:
      verdict: the problem.
    """
    return REMEDIES[verdict.name].format(subject=verdict.subject or "the generator")


def describe(verdict: Verdict, subject: str = "") -> str:
    """Return one line that names a problem and its evidence.

    Args:
      verdict: the problem.
      subject: the name of the member, network or player that has the problem; empty if the line should name none.
    """
    of_subject = f" of {subject}" if subject else ""
    return f"{verdict.name}{of_subject}: {verdict.evidence}"


class TrainingMonitor:
    """Diagnoses a run while it trains: combines probes and metrics into findings, and reports problems.

    Args:
      probe: function that measures a state, see ``probe.Probe``.
      members: number of games that are trained together; 1 unless a population is trained.
      member_name: function that returns the name of the member with the given index, for messages.
      say: called with a message for each problem when it is detected for the first time.
      earlier: the findings of the run before it was resumed.
      rows: the metrics of the steps between the last finding and the step that the run resumes after.

    Attributes:
      verdicts: the current problems. Each is a pair of the index of a member and the verdict on this member.
    """

    def __init__(
        self,
        probe: Callable[[Any], Mapping[str, jax.Array]],
        members: int,
        member_name: Callable[[int], str],
        say: Callable[[str], None],
        earlier: Sequence[Finding] = (),
        rows: Sequence[Mapping[str, Any]] = (),
    ):
        self.verdicts: list[tuple[int, Verdict]] = []
        self._probe, self._member_name, self._say = probe, member_name, say
        # A dictionary from steps to probes. A probe is removed when the metrics of its step arrive.
        self._probes: dict[int, Mapping[str, jax.Array]] = {}
        self._rows: list[Mapping[str, Any]] = [
            _nan_for_none(row) for row in rows
        ]  # the metrics of the steps since the last probe
        self._first: list[Mapping[str, float] | None] = [None] * members
        self._windows = [collections.deque(maxlen=WINDOW) for _ in range(members)]
        self._reported = {(i, name, subject) for row in earlier for i, name, subject, *_ in row.get("verdicts", ())}
        for row in earlier:
            self._remember(row)

    def watch(self, state: Any, step: int) -> None:
        """Start to measure the state after ``step``. ``add_row`` waits for the result.

        Args:
          state: the training state, as the probe accepts it.
          step: the number of steps taken so far.
        """
        self._probes[step] = self._probe(state)

    def add_row(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Add the metrics of the next step.

        Args:
          row: dictionary with the number of the ``step`` and the metrics of the step. For a population, each metric is
            a list with one number per member.

        Returns:
          A finding if ``watch`` was called for this step, otherwise None. If there are problems, the finding has an
          entry ``verdicts``. It contains one list for each problem: the member's index, the fields of ``Verdict`` and
          the remedy.
        """
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
        """Return the current problems for the progress line.

        For a population, the text contains the number of members that have each problem.
        """
        names = collections.Counter(name for _, name in {(i, verdict.name) for i, verdict in self.verdicts})
        members = len(self._windows)
        return ", ".join(f"{name} in {count} of {members}" if members > 1 else name for name, count in names.items())

    def _mean_metrics(self) -> dict[str, Any]:
        names = dict.fromkeys(name for row in self._rows for name in row if name != "step")
        return {name: np.mean([row[name] for row in self._rows if name in row], 0).tolist() for name in names}

    def _report(self, step: int) -> None:
        """Report the problems that were not reported before."""
        for i, verdict in self.verdicts:
            if (i, verdict.name, verdict.subject) not in self._reported:
                self._reported.add((i, verdict.name, verdict.subject))
                subject = " ".join(filter(None, (self._member_name(i), verdict.subject)))
                self._say(f"step {step}: {describe(verdict, subject)}. To fix it, {remedy(verdict)}.")

    def _remember(self, finding: Finding) -> None:
        """Add a finding to the windows of the members, after the warm-up.

        If a number of a member is not finite, the member's window is cleared instead.
        """
        for i, window in enumerate(self._windows):
            own = {name: x[i] if isinstance(x, list) else x for name, x in finding.items() if name != "verdicts"}
            if any(finite_mean(x) is None for x in own.values()):  # the training loop reports non-finite values
                window.clear()
                continue
            self._first[i] = self._first[i] or own
            if own["step"] > WARM_UP:
                window.append(own)


def _nan_for_none(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with NaN in place of None, which stands for numbers that are not finite in files."""

    def convert(value: Any) -> Any:
        if isinstance(value, list):
            return [convert(x) for x in value]
        return float("nan") if value is None else value

    return {name: convert(value) for name, value in row.items()}


def _to_lists(measures: Mapping[str, jax.Array]) -> dict[str, Any]:
    return {name: np.asarray(x).tolist() for name, x in measures.items()}
