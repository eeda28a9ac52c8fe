"""``jaxgan compare``: several runs on one page, curve on curve, samples beside samples."""

import bisect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.experiment.settings_file import rename_settings
from jaxgan.reporting import captions
from jaxgan.reporting.captions import format_number, format_value
from jaxgan.reporting.charts import COIN_TOSS, Chart, Kind, Line, series_colour
from jaxgan.reporting.curves import DIAGNOSIS, EVALUATION, SPEED, Columns, read_columns, thin_columns
from jaxgan.reporting.page import Page, describe_maker, last_step
from jaxgan.reporting.pictures import read_pictures, thin
from jaxgan.reporting.report import LAST_STEPS

FIRST_TERMS = ("accuracy_real", "accuracy_fake", "value", "loss", "elbo")  # whose charts come first
TABLE_TERMS = ("accuracy_real", "accuracy_fake", "loss")  # whose last values are in the table


def write(runs: Sequence[Path], out: Path) -> Path:
    """Write a page that compares what the directories of several runs hold so far.

    Args:
      runs: at least two directories.
      out: the page.

    Raises:
      ValueError: there are fewer than two, or one holds no run.
      OSError: the page cannot be written.
    """
    if len(runs) < 2:
        raise ValueError(f"A comparison needs at least two runs, got {len(runs)}.")
    records = [_read_record(run) for run in runs]
    names = _names(runs)
    columns = [read_columns(run) for run in runs]
    pictures = [read_pictures(run / "samples") for run in runs]
    settings = [{"experiment": record["experiment"], **record["config"]} for record in records]
    keys = list(dict.fromkeys(key for own in settings for key in own))
    alike = [key for key in keys if all(own.get(key) == settings[0].get(key) for own in settings)]
    differing = [key for key in keys if key not in alike]
    curves, grids = thin_columns({f"{i}:{name}": x for i, own in enumerate(columns) for name, x in own.items()})
    makers = [describe_maker(record.get("versions", {}), record["experiment"]) for record in records]
    page = Page(
        kicker="a comparison",
        experiment=f"{len(runs)} runs",
        steps={"done": max(map(last_step, columns)), "wanted": None},
        facts=names,
        members=_runs_table(names, settings, differing, columns),
        charts=_charts(names, columns),
        curves=curves,
        grids=grids,
        pictures=_join_pictures(pictures),
        sheets=[{"name": f"run_{i}", "title": name, "caption": ""} for i, name in enumerate(names) if pictures[i]],
        settings=[[key, format_value(settings[0].get(key))] for key in alike],
        versions=[[name, format_value(value)] for name, value in records[0].get("versions", {}).items()],
        maker=", ".join(dict.fromkeys(makers)),
    )
    with writing_out(out):
        page.write(out)
    return out


def _read_record(run: Path) -> dict[str, Any]:
    try:
        record = json.loads((run / "config.json").read_text(encoding="utf-8"))
        experiment = str(record["experiment"])
        return {**record, "config": rename_settings(dict(record["config"]), experiment), "experiment": experiment}
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{run}: no run there, or a damaged one: it has no config.json that can be read") from None


def _names(runs: Sequence[Path]) -> list[str]:
    """Names that tell the runs apart: those of their directories where these differ, else the paths."""
    own = [run.resolve().name for run in runs]
    return own if len(set(own)) == len(own) else [str(run) for run in runs]


def _runs_table(
    names: Sequence[str],
    settings: Sequence[Mapping[str, Any]],
    differing: Sequence[str],
    columns: Sequence[Columns],
) -> dict[str, Any]:
    """A row for each run: the settings in which it differs, and how it stands at the end."""
    shown = list(dict.fromkeys(name for own in columns for name in own))
    evaluations = [name for name in shown if name.startswith(EVALUATION)]
    terms = [name for name in shown if name.partition("/")[2] in TABLE_TERMS and name not in evaluations]
    rows = []
    for name, own_settings, own_columns in zip(names, settings, columns):
        row = [name]
        row += [format_value(own_settings[key]) if key in own_settings else "" for key in differing]
        row += [_last_value(own_columns, figure) for figure in evaluations + terms]
        rows.append(row)
    head = ["run", *differing, *(figure.removeprefix(EVALUATION) for figure in evaluations), *terms]
    return {"title": "Runs", "caption": "Of the first run; the others' are below. ", "head": head, "rows": rows}


def _last_value(columns: Columns, name: str) -> str:
    """The last evaluation, or the mean of a metric's last steps; empty if the run has no such column."""
    if name not in columns:
        return ""
    values = columns[name][1]
    last = values[-1:] if name.startswith(EVALUATION) else values[-LAST_STEPS:]
    return format_number(float(np.nanmean(last)), ".4g")


def _charts(names: Sequence[str], columns: Sequence[Columns]) -> list[Chart]:
    """A chart for each column that a run has, with a line for each run that has it."""
    found = dict.fromkeys(name for own in columns for name in own)
    charts = []
    for column in sorted(found, key=_place):
        lines = [Line(f"{i}:{column}", name, series_colour(i)) for i, name in enumerate(names) if column in columns[i]]
        charts.append(_chart(column, lines))
    return charts


def _place(column: str) -> tuple[bool, bool, int]:
    """Where a column's chart is on the page: evaluations first, the monitor's measures and the speed last."""
    term = column.partition("/")[2]
    place = FIRST_TERMS.index(term) if term in FIRST_TERMS else len(FIRST_TERMS)
    return not column.startswith(EVALUATION), column == SPEED or column.startswith(DIAGNOSIS), place


def _chart(column: str, lines: Sequence[Line]) -> Chart:
    if column == SPEED:
        return Chart("Images a second", lines, captions.READINGS["speed"])
    section, _, term = column.partition("/")
    kind: Kind = "linear"
    if term.startswith("accuracy"):
        kind = "share"
    elif term == "grad_norm" or term.startswith("moved/"):
        kind = "log"
    mark = COIN_TOSS if kind == "share" else None
    if column.startswith(EVALUATION):
        title = captions.title(term) if term in captions.SHARES else captions.figure_title(term)
        return Chart(title, lines, captions.figure_reading(term), kind, mark=mark)
    title = captions.title(term.replace("/", " of ") or section)
    reading = captions.READINGS.get(term.partition("/")[0], "")
    player = "" if column.startswith(DIAGNOSIS) or not term else section
    return Chart(title, lines, reading, kind, player, mark)


def _join_pictures(pictures: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """At each step for which some run has a grid, each run's newest: the first run's as the picture, all as sheets."""
    joined = []
    for step in thin(sorted({picture["step"] for own in pictures for picture in own})):
        sheets = {f"run_{i}": _newest(own, step)["picture"] for i, own in enumerate(pictures) if own}
        joined.append({"step": step, "picture": next(iter(sheets.values())), "sheets": sheets})
    return joined


def _newest(pictures: Sequence[Mapping[str, Any]], step: int) -> Mapping[str, Any]:
    """The last of a run's pictures up to a step; before its first, the first."""
    return pictures[max(0, bisect.bisect(pictures, step, key=lambda picture: picture["step"]) - 1)]
