"""The page that reports and comparisons share: one HTML file that opens anywhere, offline.

``report.html`` beside this file draws what it is given, and chooses nothing.
"""

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgan.core.files import write_atomically
from jaxgan.reporting.charts import EQUILIBRIUM, Chart
from jaxgan.reporting.curves import Columns

MARKER = "@@THE RUN GOES HERE@@"  # in the template


def _now() -> str:
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """The contents of a page, by the names that ``report.html`` has for them.

    Attributes:
      kicker: a line above the heading.
      experiment: the heading.
      steps: ``done``, and ``wanted`` or None.
      facts: short facts beneath the heading.
      headline: numbers, each with ``label``, ``value``, ``kind``, ``note``, ``colour``.
      doctor: what the monitor found; None if it did not look. See ``report.summarize_diagnosis``.
      members: a table, with ``title``, ``caption``, ``head``, ``rows``; None if there is none.
      charts: in order.
      curves, grids: see ``curves.thin_columns``.
      pictures: see ``pictures.read_pictures``.
      sheets: see ``pictures.describe_sheets``.
      projections: see ``pictures.read_projections``.
      settings, versions: rows of two texts.
      maker: what made the samples.
      equilibrium: the value V(D, G) at equilibrium.
      written: when the page was written.
    """

    kicker: str
    experiment: str
    steps: Mapping[str, int | None]
    facts: Sequence[str]
    headline: Sequence[Mapping[str, Any]] = ()
    doctor: Mapping[str, Any] | None = None
    members: Mapping[str, Any] | None
    charts: Sequence[Chart]
    curves: Mapping[str, Any]
    grids: Sequence[Sequence[int]]
    pictures: Sequence[Mapping[str, Any]]
    sheets: Sequence[Mapping[str, str]]
    projections: Sequence[Mapping[str, str]] = ()
    settings: Sequence[Sequence[str]]
    versions: Sequence[Sequence[str]]
    maker: str
    equilibrium: float = EQUILIBRIUM
    written: str = dataclasses.field(default_factory=_now)

    def write(self, path: Path) -> None:
        """Write the page; a reader finds the old page or the new one, and no part of one.

        Raises:
          OSError: it cannot be written.
        """
        template = Path(__file__).with_name("report.html").read_text(encoding="utf-8")
        contents = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        write_atomically(path, template.replace(MARKER, _to_json(contents), 1))


def _to_json(contents: Mapping[str, Any]) -> str:
    """JSON that is inert in a script element: without ``<`` nothing in it can close the element."""
    text = json.dumps(contents, allow_nan=False, separators=(",", ":"), default=dataclasses.asdict)
    return text.replace("<", "\\u003c")


def last_step(columns: Columns) -> int:
    """The last step that a column has a number of; 0 without any."""
    return max((int(steps[-1]) for steps, _ in columns.values()), default=0)


def describe_maker(versions: Mapping[str, Any], experiment: str) -> str:
    """What made the samples: ``jaxgan 0.1.0, experiment dcgan``."""
    version = str(versions.get("jaxgan", "not installed"))
    version = ", version unknown" if version == "not installed" else f" {version}"
    return f"jaxgan{version}, experiment {experiment}"
