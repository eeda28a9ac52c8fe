"""Define the charts of a report. To add a new chart, extend ``run_charts``."""

import dataclasses
import math
from collections.abc import Collection, Sequence
from typing import Literal

from jaxgan.reporting import captions
from jaxgan.reporting.curves import DIAGNOSIS, EVALUATION, SPEED

COLOURS = 6  # number of colours that the page defines for players and runs
EQUILIBRIUM = -math.log(4)  # value V(D, G) at the equilibrium of the game

Kind = Literal["linear", "log", "share"]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line in a chart.

    Attributes:
      curve: the name of the column of numbers to draw; see ``curves.read_columns``.
      label: the name of the line in the legend.
      colour: the name of a colour of the page: ``real``, ``fake``, ``ink`` or ``series_colour(i)``.
    """

    curve: str
    label: str
    colour: str


@dataclasses.dataclass(frozen=True)
class Mark:
    """A horizontal line that marks a reference value.

    Attributes:
      at: the reference value.
      label: the text beside the line.
    """

    at: float
    label: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
      title: the heading.
      lines: the lines of the chart, at least one.
      reading: the caption, which explains the quantity and how to read the chart.
      kind: the scale of the y axis: ``linear``, ``log``, or ``share``, which is a scale from 0 % to 100 %.
      player: the player that the chart belongs to; empty if the chart shows several players.
      mark: a reference value to draw; None to draw no reference value.
    """

    title: str
    lines: Sequence[Line]
    reading: str
    kind: Kind = "linear"
    player: str = ""
    mark: Mark | None = None


COIN_TOSS = Mark(0.5, "50 %: random guessing")
ZERO = Mark(0, "")
# The charts of the monitor's measurements. Each tuple contains the title, the names of the measurements, the name of
# the caption in ``captions.READINGS``, the scale of the y axis, and the reference value.
MEASURES: tuple[tuple[str, tuple[str, ...], str, Kind, Mark | None], ...] = (
    ("Diversity of the samples", ("diversity", "nearest"), "diversity", "linear", Mark(1, "real examples")),
    ("Movement of the samples", ("swing",), "swing", "linear", None),
    ("Change of the weights", ("moved",), "moved", "log", None),
    ("Direction of weight changes", ("turned",), "turned", "linear", ZERO),
    ("Memorisation", ("over_held_out", "over_fakes"), "over_held_out", "linear", Mark(0, "no difference")),
)


def run_charts(names: Sequence[str]) -> list[Chart]:
    """Return the charts of a run, in the order of the page.

    Args:
      names: the names of the run's columns; see ``curves.read_columns``.
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
    """Return the players of a game, in the order in which their metrics appear.

    Args:
      names: the names of all columns of a run.
    """
    return list(dict.fromkeys(name.partition("/")[0] for name in names if "/" in name and _is_metric(name)))


def judges(names: Collection[str]) -> list[str]:
    """Return the discriminators of a game, which are the players with an accuracy on real examples and on fakes.

    Args:
      names: the names of all columns of a run.
    """
    return [p for p in players(names) if f"{p}/accuracy_real" in names and f"{p}/accuracy_fake" in names]


def series_colour(i: int) -> str:
    """Return the name of the colour of the ``i``-th line of a chart."""
    return f"player{i % COLOURS}"


def _is_metric(name: str) -> bool:
    """Return whether a column contains a metric of the game, and not a measurement such as the speed."""
    return name != SPEED and not name.startswith((EVALUATION, DIAGNOSIS))


def _reading(term: str, names: Collection[str], default: str) -> str:
    return captions.reading(term, names, len(players(names)), default)


def _pair_charts(names: Collection[str], term: str, kind: Kind, mark: Mark | None = None) -> list[Chart]:
    """Return a chart for each player that logs the metric of real examples, the metric of fakes, or both."""
    charts = []
    for player in (*players(names), ""):
        prefix = f"{player}/{term}" if player else term
        sides = [Line(f"{prefix}_real", "real examples", "real"), Line(f"{prefix}_fake", "fakes", "fake")]
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
    """Return a list with one chart, which has a line for each player that logs the term.

    If no player logs the term, the list is empty.
    """
    lines = [
        Line(f"{player}/{term}", player, series_colour(i))
        for i, player in enumerate(players(names))
        if f"{player}/{term}" in names
    ]
    if term in names:  # a metric that belongs to no player
        lines.append(Line(term, term, "ink"))
    reading = _reading(term, names, captions.TERM_READING)
    return [Chart(captions.title(term), lines, reading, kind)] if lines else []


def _evaluation_charts(names: Collection[str]) -> list[Chart]:
    """Return a chart for each metric of the evaluations. The metrics in ``captions.SHARES`` share one chart."""
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
    """Return the charts of the measurements in ``jaxgan.monitoring.probe``."""
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
    return [Chart("Speed", [Line(SPEED, "examples per second", "ink")], captions.READINGS["speed"])]
