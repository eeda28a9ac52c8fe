"""``jaxgan compare``: several runs on one page, curve on curve, samples beside samples."""

import bisect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.experiment.config import renamed
from jaxgan.reporting import report
from jaxgan.reporting.curves import DOCTOR, EVALUATION, SPEED, Columns, columns_of, curves

FIRST = ("accuracy_real", "accuracy_fake", "value", "loss", "elbo")  # of the players' charts
ENDS = ("accuracy_real", "accuracy_fake", "loss")  # of metrics whose last values are told in the table


def write(runs: Sequence[Path], out: Path) -> Path:
    """Write a page that compares what several runs' directories hold so far.

    Args:
      runs: at least two.
      out: the page.

    Raises:
      ValueError: there are fewer than two, or one is no run.
      OSError: the page cannot be written.
    """
    if len(runs) < 2:
        raise ValueError(f"{len(runs)} run: name two or more to compare")
    records = [_record(run) for run in runs]
    names = _names(runs)
    columns = [columns_of(run) for run in runs]
    pictures = [report.pictures_of(run / "samples") for run in runs]
    settings = [{"experiment": record["experiment"], **record["config"]} for record in records]
    keys = list(dict.fromkeys(key for own in settings for key in own))
    alike = [key for key in keys if all(own.get(key) == settings[0].get(key) for own in settings)]
    versions = records[0].get("versions", {})
    every = {f"{i}:{name}": column for i, own in enumerate(columns) for name, column in own.items()}
    contents = {
        "kicker": "a comparison",
        "experiment": f"{len(runs)} runs",
        "steps": {"done": max(map(report.steps_done, columns)), "wanted": None},
        "facts": names,
        "headline": [],
        "doctor": None,
        "members": _table(names, settings, [key for key in keys if key not in alike], columns),
        "charts": _charts(names, columns),
        "equilibrium": report.EQUILIBRIUM,
        **curves(every),
        "pictures": _together(pictures),
        "sheets": [{"name": f"run_{i}", "title": name, "caption": ""} for i, name in enumerate(names) if pictures[i]],
        "projections": [],
        "settings": [[key, report.text(settings[0].get(key))] for key in alike],
        "versions": [[name, report.text(value)] for name, value in versions.items()],
        "maker": ", ".join(dict.fromkeys(report.maker(r.get("versions", {}), str(r["experiment"])) for r in records)),
        "written": report.now(),
    }
    with writing_out(out):
        report.write_page(out, contents)
    return out


def _record(run: Path) -> dict[str, Any]:
    try:
        record = json.loads((run / "config.json").read_text(encoding="utf-8"))
        experiment = str(record["experiment"])
        return {**record, "config": renamed(dict(record["config"]), experiment), "experiment": experiment}
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{run}: no run there, or a damaged one: it has no config.json that can be read") from None


def _names(runs: Sequence[Path]) -> list[str]:
    """What tells them apart: the directories' own names where these differ, else the paths."""
    own = [run.resolve().name for run in runs]
    return own if len(set(own)) == len(own) else [str(run) for run in runs]


def _table(names, settings, differing, columns: Sequence[Columns]) -> dict[str, Any]:
    """A row for each run: what is its own, and how it stands at the end."""
    figures = [x for own in columns for x in own if x.startswith(EVALUATION) or x.partition("/")[2] in ENDS]
    figures = sorted(dict.fromkeys(figures), key=lambda figure: not figure.startswith(EVALUATION))
    rows = []
    for name, own, of in zip(names, settings, columns):
        last = [_last(of[figure][1], figure) if figure in of else "" for figure in figures]
        rows.append([name, *(report.text(own[key]) if key in own else "" for key in differing), *last])
    head = ["run", *differing, *(figure.removeprefix(EVALUATION) for figure in figures)]
    return {"title": "Runs", "caption": "Of the first run; the others' are below. ", "head": head, "rows": rows}


def _last(values: np.ndarray, name: str) -> str:
    """Of evaluations the last one, of what every step has the mean of the last ones."""
    last = values[-1:] if name.startswith(EVALUATION) else values[-report.LAST :]
    return f"{np.nanmean(last):.4g}".replace("-", "\u2212")


def _charts(names: Sequence[str], columns: Sequence[Columns]) -> list[dict[str, Any]]:
    """A chart for each column that a run has, with a line for each run that has it; evaluations first."""
    found = list(dict.fromkeys(name for own in columns for name in own))

    def place(name: str) -> tuple[bool, bool, int]:
        beside = name == SPEED or name.startswith(DOCTOR)
        term = name.partition("/")[2]
        return not name.startswith(EVALUATION), beside, FIRST.index(term) if term in FIRST else len(FIRST)

    order = sorted(found, key=place)
    charts = []
    for column in order:
        section, _, term = column.partition("/")
        is_share = term.startswith("accuracy")
        kind = "share" if is_share else "log" if term == "grad_norm" or term.startswith("moved/") else "linear"
        lines = [
            {"curve": f"{i}:{column}", "label": name, "colour": f"player{i % 6}"}
            for i, name in enumerate(names)
            if column in columns[i]
        ]
        beside = f"{section}/" in (EVALUATION, DOCTOR) or column == SPEED
        mark = report.COIN if is_share else None
        if column == SPEED:
            title, reading = "Images a second", report.READINGS["speed"]
        elif f"{section}/" == EVALUATION:
            title = report.title(term) if term in report.SHARES else report.figure_title(term)
            reading = report.figure_reading(term)
        else:
            title = report.title(term.replace("/", " of ") or section)
            reading = report.READINGS.get(term.partition("/")[0], "")
        charts.append(report.chart(title, lines, reading, kind, "" if beside or not term else section, mark))
    return charts


def _together(pictures: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """At each step that some run has a grid of, each run's newest: the first run's as the picture, all as sheets."""
    shown = []
    steps = sorted({picture["step"] for own in pictures for picture in own})
    if len(steps) > report.PICTURES:
        steps = [steps[i] for i in np.linspace(0, len(steps) - 1, report.PICTURES).round().astype(int)]
    for step in steps:
        newest = [
            own[max(0, bisect.bisect(own, step, key=lambda p: p["step"]) - 1)] if own else None for own in pictures
        ]
        sheets = {f"run_{i}": picture["picture"] for i, picture in enumerate(newest) if picture}
        shown.append({"step": step, "picture": next(iter(sheets.values())), "sheets": sheets})
    return shown
