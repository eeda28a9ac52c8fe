"""Write ``report.html``, a page that shows the samples, the curves and the diagnosis of a run."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.experiment.settings_file import without_secrets
from jaxgan.monitoring.diagnostics import PROBE_EVERY, WARM_UP, WINDOW
from jaxgan.monitoring.metrics_file import iterate_rows
from jaxgan.monitoring.run_directory import PROJECTIONS
from jaxgan.monitoring.run_record import read_record, summarize_privacy
from jaxgan.reporting.captions import ELBO_READINGS, format_number, format_value, title
from jaxgan.reporting.charts import EQUILIBRIUM, judges, players, run_charts, series_colour
from jaxgan.reporting.curves import SPEED, Columns, read_columns, round_values, thin_columns
from jaxgan.reporting.page import Page, describe_maker, last_step
from jaxgan.reporting.pictures import describe_sheets, read_pictures, read_projections
from jaxgan.reporting.quality import read_quality

MEMBER_TERMS = ("accuracy_real", "accuracy_fake", "value", "elbo", "loss")  # metrics in the table of members


def write(path: Path) -> Path:
    """Write ``report.html`` from the files in the directory of a run. The run may still be training.

    Args:
      path: the directory of the run.

    Returns:
      The path of the report.

    Raises:
      OSError: if there is no ``config.json``, or if the report cannot be written.
    """
    written = path / "report.html"
    _read_page(path).write(written)
    return written


def _read_page(path: Path) -> Page:
    record = read_record(path)
    experiment, config, versions = record["experiment"], record["config"], record.get("versions", {})
    columns = read_columns(path)
    pictures = read_pictures(path / "samples")
    curves, grids = thin_columns(columns)
    facts = (config.get("data"), record.get("hardware"), summarize_privacy(record))
    return Page(
        kicker="report of a run",
        experiment=experiment,
        steps={"done": last_step(columns), "wanted": _int_or_none(config.get("steps"))},
        facts=[format_value(fact) for fact in facts if fact],
        headline=_headline(columns),
        doctor=summarize_diagnosis(iterate_rows(path / "diagnosis.jsonl"), bool(record.get("members"))),
        quality=read_quality(path),
        members=_members_table(record, columns),
        charts=run_charts(list(columns)),
        curves=curves,
        grids=grids,
        pictures=pictures,
        sheets=describe_sheets(pictures),
        projections=read_projections(path / PROJECTIONS),
        settings=[[name, format_value(value)] for name, value in without_secrets(config).items()],
        versions=[[name, format_value(value)] for name, value in versions.items()],
        maker=describe_maker(versions, experiment),
    )


def _int_or_none(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def summarize_diagnosis(rows: Iterable[Mapping[str, Any]], is_population: bool) -> dict[str, Any] | None:
    """Summarise the problems that the training monitor found. Return None if the monitor has made no measurement.

    Args:
      rows: the rows of ``diagnosis.jsonl``.
      is_population: whether the run trains a population, so that each problem names a member.

    Returns:
      A dictionary with three entries: ``step`` is the last step that was measured, ``judged`` is whether enough steps
      were measured for a diagnosis, and ``found`` is a list of problems in the order of their first steps. Each problem
      is a dictionary with ``title``, ``from`` (the first step of the problem), ``to`` (its last step), ``evidence``,
      ``mend`` (the remedy), and ``now`` (whether the problem was still present at the last measured step).
    """
    last: int | None = None  # the last step that was measured
    found: list[dict[str, Any]] = []
    current: dict[tuple, dict[str, Any]] = {}  # the problems of the latest row; keys are (member, name, subject)
    for row in rows:
        last = row["step"]
        before, current = current, {}
        for i, name, subject, evidence, remedy in row.get("verdicts", ()):
            span = before.get((i, name, subject))
            if span is None:
                span = {"from": row["step"]}
                found.append(span)
            current[i, name, subject] = span
            owner = " ".join(filter(None, (f"member {i}" if is_population else "", subject)))
            heading = f"{name} of {owner}" if owner else name
            span |= {"title": heading, "to": row["step"], "evidence": evidence, "mend": remedy}
    # The run may have continued after the last measurement, so `now` refers to the last measured step.
    if last is None:
        return None
    is_judged = last >= WARM_UP + WINDOW * PROBE_EVERY
    return {"step": last, "judged": is_judged, "found": [{**span, "now": span["to"] == last} for span in found]}


def _members_table(record: Mapping[str, Any], columns: Columns) -> dict[str, Any] | None:
    """Return a table of the members of a population, or None for a single game.

    Each row contains the settings in which the members differ, and the means of one member's metrics over the last
    ``curves.LAST_STEPS`` steps.
    """
    members = record.get("members")
    if not members:
        return None
    by_member = {name: column.last for name, column in columns.items() if column.last.shape[1:] == (len(members),)}
    names = [name for term in MEMBER_TERMS for name in by_member if name.partition("/")[2] == term]
    rows = []
    for i, settings in enumerate(members):
        row = [str(i), *map(format_value, settings.values())]
        for name in names:
            last = by_member[name][:, i]
            row.append("diverged" if np.isnan(last[-1]) else format_number(float(np.nanmean(last))))
        rows.append(row)
    caption = "Each row or plot shows one member. "
    return {"title": "Members", "caption": caption, "head": ["member", *members[0], *names], "rows": rows}


def _headline(columns: Columns) -> list[dict[str, Any]]:
    """Return the numbers in the header: means of the main metrics at the end of the run, and the mean speed."""
    numbers = []
    discriminators = judges(columns)
    for player in discriminators:
        prefix = f"{player}: " if len(discriminators) > 1 else ""
        for side, name in {"real": "real examples", "fake": "fakes"}.items():
            label = f"{prefix}accuracy on {name}"
            numbers += _number(columns, f"{player}/accuracy_{side}", label, kind="share", colour=side)
        note = f"{format_number(EQUILIBRIUM)} at equilibrium"
        numbers += _number(columns, f"{player}/value", f"{prefix}value V(D, G)", note=note)
    if not discriminators:
        for i, player in enumerate(players(columns)):
            if f"{player}/elbo" in columns:
                labels = {term: f"{title(term)}, nats" for term in ELBO_READINGS}
            else:
                labels = {"loss": f"loss of {player}"}
            for term, label in labels.items():
                numbers += _number(columns, f"{player}/{term}", label, colour=series_colour(i))
    return numbers + _number(columns, SPEED, "examples per second", note="median of the last measurements")


def _number(
    columns: Columns, name: str, label: str, *, kind: str = "linear", note: str = "", colour: str | None = None
) -> list[dict[str, Any]]:
    """Return a list with one number for the header: the mean of the last values of a column.

    If there is no column with this name, the list is empty.
    """
    if name not in columns:
        return []
    values = columns[name].last
    if not note:
        note = f"mean of the last {len(values):,} steps" if len(values) > 1 else "at the first step"
    if values.ndim == 2:
        values = values[:, np.isfinite(values[-1])]
        note = f"mean of {values.shape[1]} members, {note}"
    # The speed is low while grids or checkpoints are written, so its median is the speed of the training.
    typical = np.nanmedian(values) if name == SPEED else np.nanmean(values)
    value = round_values(np.asarray([typical]))[0]
    return [{"label": label, "value": value, "kind": kind, "note": note, "colour": colour}]
