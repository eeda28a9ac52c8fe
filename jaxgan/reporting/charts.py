"""The charts of a report: which curves are drawn together, and how. A new chart is added to ``run_charts``."""

import dataclasses
import math
from collections.abc import Collection, Sequence
from typing import Literal

from jaxgan.reporting import captions
from jaxgan.reporting.curves import DIAGNOSIS, EVALUATION, SPEED

COLOURS = 6  # that the page has for players and runs
EQUILIBRIUM = -math.log(4)  # of the value V(D, G)

Kind = Literal["linear", "log", "share"]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line in a chart.

    Attributes:
      curve: the name of its column, as ``curves.read_columns`` has it.
      label: its name in the legend.
      colour: ``real``, ``fake``, ``ink``, or ``series_colour(i)``.
    """

    curve: str
    label: str
    colour: str


@dataclasses.dataclass(frozen=True)
class Mark:
    """A level to compare lines with."""

    at: float
    label: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
      title: its heading.
      lines: at least one.
      reading: how to read it.
      kind: the scale; a ``share`` goes from 0 to 1.
      player: the player whose it is; empty if it is about several.
      mark: a level to compare with.
    """

    title: str
    lines: Sequence[Line]
    reading: str
    kind: Kind = "linear"
    player: str = ""
    mark: Mark | None = None


COIN_TOSS = Mark(0.5, "50 %, a coin toss")
ZERO = Mark(0, "")
# What the monitor measures: title, measures, which of them says how to read the chart, kind, mark.
MEASURES: tuple[tuple[str, tuple[str, ...], str, Kind, Mark | None], ...] = (
    ("Diversity", ("diversity", "nearest"), "diversity", "linear", Mark(1, "reals")),
    ("Swing", ("swing",), "swing", "linear", None),
    ("Weights moved", ("moved",), "moved", "log", None),
    ("Turned", ("turned",), "turned", "linear", ZERO),
    ("Memory", ("over_held_out", "over_fakes"), "over_held_out", "linear", Mark(0, "like what is trained on")),
)


def run_charts(names: Sequence[str]) -> list[Chart]:
    """The charts of a run, in the page's order.

    Args:
      names: of its columns, as ``curves.read_columns`` has them.
    """
    terms = list(dict.fromkeys(name.partition("/")[2] or name for name in names if _is_metric(name)))
    pairs = {term.rpartition("_")[0] for term in terms if term.endswith(("_real", "_fake"))} - {""}
    elbo = [term for term in captions.ELBO_READINGS if "elbo" in terms and term in terms]
    drawn = {f"{pair}_{side}" for pair in pairs for side in ("real", "fake")}
    drawn |= {*elbo, "value", "loss", "grad_norm"}
    charts = _pair_charts(names, "accuracy", "share", COIN_TOSS)
    charts += _value_charts(names)
    charts += _evaluation_charts(names)
    charts += _pair_charts(names, "logits", "linear", ZERO)
    for term in [*elbo, "loss"]:
        charts += _term_chart(names, term)
    for pair in sorted(pairs - {"accuracy", "logits"}):
        charts += _pair_charts(names, pair, "linear")
    for term in terms:
        if term not in drawn:
            charts += _term_chart(names, term)
    charts += _term_chart(names, "grad_norm", "log")
    charts += _measure_charts(names)
    charts += _speed_chart(names)
    return charts


def players(names: Collection[str]) -> list[str]:
    """The players of a game, in the order in which their metrics appear."""
    return list(dict.fromkeys(name.partition("/")[0] for name in names if "/" in name and _is_metric(name)))


def judges(names: Collection[str]) -> list[str]:
    """The players that tell reals from fakes: those with an accuracy on both."""
    return [p for p in players(names) if f"{p}/accuracy_real" in names and f"{p}/accuracy_fake" in names]


def series_colour(i: int) -> str:
    """The colour of the ``i``-th of several lines."""
    return f"player{i % COLOURS}"


def _is_metric(name: str) -> bool:
    """Whether a column is one of the game's own metrics."""
    return name != SPEED and not name.startswith((EVALUATION, DIAGNOSIS))


def _reading(term: str, names: Collection[str], default: str) -> str:
    return captions.reading(term, names, len(players(names)), default)


def _pair_charts(names: Collection[str], term: str, kind: Kind, mark: Mark | None = None) -> list[Chart]:
    """A chart for each player that logs a term of reals, of fakes, or of both."""
    charts = []
    for player in (*players(names), ""):
        prefix = f"{player}/{term}" if player else term
        sides = [Line(f"{prefix}_{side}", f"on {side}s", side) for side in ("real", "fake")]
        lines = [line for line in sides if line.curve in names]
        if lines:
            reading = _reading(term, names, captions.PAIR_READING)
            charts.append(Chart(captions.title(term), lines, reading, kind, player, mark))
    return charts


def _value_charts(names: Collection[str]) -> list[Chart]:
    mark = Mark(EQUILIBRIUM, f"\u2212log 4 = {captions.format_number(EQUILIBRIUM)}")
    reading = captions.READINGS["value"]
    return [
        Chart(captions.title("value"), [Line(f"{player}/value", "V(D, G)", "ink")], reading, player=player, mark=mark)
        for player in players(names)
        if f"{player}/value" in names
    ]


def _term_chart(names: Collection[str], term: str, kind: Kind = "linear") -> list[Chart]:
    """A chart with a line for each player that logs the term, if there is one."""
    lines = [
        Line(f"{player}/{term}", player, series_colour(i))
        for i, player in enumerate(players(names))
        if f"{player}/{term}" in names
    ]
    if term in names:  # a metric of no player
        lines.append(Line(term, term, "ink"))
    reading = _reading(term, names, captions.TERM_READING)
    return [Chart(captions.title(term), lines, reading, kind)] if lines else []


def _evaluation_charts(names: Collection[str]) -> list[Chart]:
    """A chart for each figure of the evaluations; precision and its like are in one."""
    figures = [name.removeprefix(EVALUATION) for name in names if name.startswith(EVALUATION)]
    figures = [figure for figure in figures if not figure.endswith("_std")]
    groups = [[figure] for figure in figures if figure not in captions.SHARES]
    shares = [figure for figure in figures if figure in captions.SHARES]
    if shares:
        groups.append(shares)
    charts = []
    for group in groups:
        lines = [Line(EVALUATION + figure, figure, series_colour(i)) for i, figure in enumerate(group)]
        charts.append(Chart(captions.figure_title(group[0]), lines, captions.figure_reading(group[0])))
    return charts


def _measure_charts(names: Collection[str]) -> list[Chart]:
    """What the monitor measured, see ``jaxgan.monitoring.probe``."""
    measures = [name.removeprefix(DIAGNOSIS) for name in names if name.startswith(DIAGNOSIS)]
    charts = []
    for title, wanted, reading, kind, mark in MEASURES:
        found = [measure for measure in measures if measure in wanted or measure.partition("/")[0] in wanted]
        lines = []
        for i, measure in enumerate(found):
            label = measure if len(wanted) > 1 else measure.partition("/")[2] or measure
            lines.append(Line(DIAGNOSIS + measure, label, series_colour(i)))
        if lines:
            charts.append(Chart(title, lines, captions.READINGS[reading], kind, mark=mark))
    return charts


def _speed_chart(names: Collection[str]) -> list[Chart]:
    if SPEED not in names:
        return []
    return [Chart("Speed", [Line(SPEED, "images a second", "ink")], captions.READINGS["speed"])]
