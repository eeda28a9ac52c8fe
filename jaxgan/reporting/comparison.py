"""Compare several runs on one page: their settings, their curves in shared charts, and their samples side by side."""

import bisect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.files import writing_out
from jaxgan.experiment.settings_file import rename_settings, without_secrets
from jaxgan.monitoring.run_record import advice_without_record, read_record
from jaxgan.reporting import captions
from jaxgan.reporting.captions import format_number, format_value
from jaxgan.reporting.charts import COIN_TOSS, Chart, Kind, Line, players, series_colour
from jaxgan.reporting.curves import DIAGNOSIS, EVALUATION, SPEED, Columns, read_columns, thin_columns
from jaxgan.reporting.page import Page, describe_maker, last_step
from jaxgan.reporting.pictures import read_pictures, thin
from jaxgan.reporting.quality import read_quality

FIRST_TERMS = ("accuracy_real", "accuracy_fake", "value", "loss", "elbo")  # metrics that are drawn before other metrics
TABLE_TERMS = ("accuracy_real", "accuracy_fake", "loss")  # metrics with columns in the table of runs


def write(runs: Sequence[Path], out: Path) -> Path:
    """Write a page that compares several runs. The runs may still be training.

    Args:
      runs: the directories of at least two runs.
      out: the HTML file to write.

    Returns:
      The path of the file.

    Raises:
      ValueError: if there are fewer than two directories, or if a directory contains no run.
      OSError: if the page cannot be written.
    """
    if len(runs) < 2:
        raise ValueError(f"A comparison requires at least two runs, got {len(runs)}.")
    records = [_read_record(run) for run in runs]
    names = _names(runs)
    columns = [read_columns(run) for run in runs]
    pictures = [read_pictures(run / "samples") for run in runs]
    settings = [{"experiment": record["experiment"], **without_secrets(record["config"])} for record in records]
    keys = list(dict.fromkeys(key for own in settings for key in own))
    alike = [key for key in keys if all(own.get(key) == settings[0].get(key) for own in settings)]
    differing = [key for key in keys if key not in alike]
    curves, grids = thin_columns({f"{i}:{name}": x for i, own in enumerate(columns) for name, x in own.items()})
    makers = [describe_maker(record.get("versions", {}), record["experiment"]) for record in records]
    page = Page(
        kicker="comparison",
        experiment=f"{len(runs)} runs",
        steps={"done": max(map(last_step, columns)), "wanted": None},
        facts=names,
        members=_runs_table(names, settings, differing, columns, list(map(read_quality, runs)), any(pictures)),
        charts=_charts(names, columns),
        curves=curves,
        grids=grids,
        pictures=_join_pictures(pictures),
        sheets=[{"name": f"run_{i}", "title": name, "caption": ""} for i, name in enumerate(names) if pictures[i]],
        settings_title="Settings that are equal in all runs",
        settings=[[key, format_value(settings[0].get(key))] for key in alike],
        versions_title=f"Versions of {names[0]}",
        versions=[[name, format_value(value)] for name, value in records[0].get("versions", {}).items()],
        maker=", ".join(dict.fromkeys(makers)),
    )
    with writing_out(out):
        page.write(out)
    return out


def _read_record(run: Path) -> dict[str, Any]:
    try:
        record = read_record(run)
    except FileNotFoundError:
        raise ValueError(
            f"{run} contains no run, because it has no config.json."
            + (advice_without_record(run) or " Pass the directory of a run.")
        ) from None
    return {**record, "config": rename_settings(record["config"], record["experiment"])}


def _names(runs: Sequence[Path]) -> list[str]:
    """Return distinct names of the runs: the names of their directories, or the paths if two names are equal."""
    own = [run.resolve().name for run in runs]
    return own if len(set(own)) == len(own) else [str(run) for run in runs]


def _runs_table(
    names: Sequence[str],
    settings: Sequence[Mapping[str, Any]],
    differing: Sequence[str],
    columns: Sequence[Columns],
    quality: Sequence[Mapping[str, Any] | None],
    has_pictures: bool,
) -> dict[str, Any]:
    """Return a table with one row per run: the settings in which the runs differ, and the latest metrics.

    Args:
      names: the names of the runs.
      settings: the settings of each run.
      differing: the settings that differ between the runs.
      columns: the columns of each run.
      quality: the metrics of each run, which ``jaxgan evaluate`` computed; see ``quality.read_quality``. They replace
        the metrics of the same name that were computed during training.
      has_pictures: whether a run has sample grids.
    """
    shown = list(dict.fromkeys(name for own in columns for name in own))
    evaluations = [name for name in shown if name.startswith(EVALUATION)]
    figures = [dict(own["figures"]) if own else {} for own in quality]
    measured = dict.fromkeys(name for own in figures for name in own)
    measured |= dict.fromkeys(name.removeprefix(EVALUATION) for name in evaluations)
    terms = [name for name in shown if name.partition("/")[2] in TABLE_TERMS and name not in evaluations]
    rows = []
    for name, own_settings, own_columns, own_figures in zip(names, settings, columns, figures):
        row = [name]
        row += [own_figures.get(figure) or _last_value(own_columns, EVALUATION + figure) for figure in measured]
        row += [format_value(own_settings[key]) if key in own_settings else "" for key in differing]
        row += [_last_value(own_columns, term) for term in terms]
        rows.append(row)
    head = ["run", *measured, *differing, *terms]
    caption = "The samples of all runs are shown below. " if has_pictures else ""
    return {"title": "Runs", "caption": caption, "head": head, "rows": rows}


def _last_value(columns: Columns, name: str) -> str:
    """Return the text of a column in the table of runs. If the run does not have the column, the text is empty.

    For a metric of evaluations, the text is the last value. For other metrics, it is the mean over the last
    ``LAST_STEPS`` steps.
    """
    if name not in columns:
        return ""
    last = columns[name].last
    if name.startswith(EVALUATION):
        last = last[-1:]
    return format_number(float(np.nanmean(last)), ".4g")


def _charts(names: Sequence[str], columns: Sequence[Columns]) -> list[Chart]:
    """Return a chart for each column that at least one run has, with one line for each run that has the column."""
    found = dict.fromkeys(name for own in columns for name in own)
    charts = []
    for column in sorted(found, key=_place):
        runs = [i for i, own in enumerate(columns) if column in own]
        lines = [Line(f"{i}:{column}", names[i], series_colour(i)) for i in runs]
        charts.append(_chart(column, lines, [columns[i] for i in runs]))
    return charts


def _place(column: str) -> tuple[bool, bool, int]:
    """Return the sort key of a column's chart. Metrics of evaluations are first, and measurements of the run last."""
    term = column.partition("/")[2]
    place = FIRST_TERMS.index(term) if term in FIRST_TERMS else len(FIRST_TERMS)
    return not column.startswith(EVALUATION), column == SPEED or column.startswith(DIAGNOSIS), place


def _chart(column: str, lines: Sequence[Line], runs: Sequence[Columns]) -> Chart:
    """Return the chart of a column.

    Args:
      column: the name of the column.
      lines: the lines of the chart.
      runs: the columns of each run in the chart. The caption depends on the number of players in these columns.
    """
    if column == SPEED:
        return Chart("Examples per second", lines, captions.READINGS["speed"])
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
    name, _, subject = term.partition("/")
    title = captions.title(name or section)
    if subject:
        title = f"{title} of {subject}"
    pair = name.removesuffix("_real").removesuffix("_fake")
    all_names, most_players = {name for own in runs for name in own}, max(len(players(own)) for own in runs)
    reading = captions.reading(name or section, all_names, most_players, captions.READINGS.get(pair, ""))
    player = "" if column.startswith(DIAGNOSIS) or not term else section
    return Chart(title, lines, reading, kind, player, mark)


def _join_pictures(pictures: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the sample grids of all runs in the format of ``pictures.read_pictures``.

    The result has an entry for each step at which a run has a sample grid. If there are many steps, some are omitted.

    At each step, ``sheets`` contains the newest grid of each run that has grids, and ``origins`` the step of this grid,
    and whether the run has no later one (``ended``). ``picture`` is None, because no run is more important than others.
    """
    joined = []
    for step in thin(sorted({picture["step"] for own in pictures for picture in own})):
        newest = {f"run_{i}": (_newest(own, step), own[-1]["step"]) for i, own in enumerate(pictures) if own}
        joined.append(
            {
                "step": step,
                "picture": None,
                "sheets": {name: picture["picture"] for name, (picture, _) in newest.items()},
                "origins": {
                    name: {"step": picture["step"], "ended": last < step} for name, (picture, last) in newest.items()
                },
            }
        )
    return joined


def _newest(pictures: Sequence[Mapping[str, Any]], step: int) -> Mapping[str, Any]:
    """Return the newest sample grid of a run at or before a step. If all grids are later, return the first grid."""
    return pictures[max(0, bisect.bisect(pictures, step, key=lambda picture: picture["step"]) - 1)]
