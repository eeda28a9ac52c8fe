"""Write the HTML page of a report or a comparison: a single file that can be opened without a network connection.

A ``Page`` has all contents. The template ``report.html`` only draws them.
"""

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgan.core.files import write_atomically
from jaxgan.core.text import printable
from jaxgan.reporting.charts import EQUILIBRIUM, Chart, Line, Mark
from jaxgan.reporting.curves import Columns

MARKER = "@@THE RUN GOES HERE@@"  # the text in the template that is replaced by the contents


def _now() -> str:
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """The contents of a page. The attributes have the names that ``report.html`` uses.

    Attributes:
      kicker: a line above the heading.
      experiment: the heading.
      steps: dictionary with ``done``, the number of steps that were taken, and ``wanted``, the number of steps of the
        complete run. In a comparison, ``wanted`` is None.
      facts: short facts to show below the heading.
      headline: numbers to show in the header. Each is a dictionary with ``label``, ``value``, ``kind``, ``note`` and
        ``colour``.
      doctor: the diagnosis of the training; None if there is no diagnosis. See ``report.summarize_diagnosis``.
      quality: the metrics that were computed with ``jaxgan evaluate``; see ``quality.read_quality``.
      members: a table of members or of runs, as a dictionary with ``title``, ``caption``, ``head`` and ``rows``. The
        caption is shown below the sample grid. None for no table.
      charts: the charts in the order of the page.
      curves, grids: see ``curves.thin_columns``.
      pictures: see ``pictures.read_pictures``.
      sheets: see ``pictures.describe_sheets``.
      projections: see ``pictures.read_projections``.
      settings_title, versions_title: headings of the tables of settings and versions.
      settings, versions: rows of the tables of settings and versions. Each row has a name and a value.
      maker: the program and the experiment that generated the samples.
      equilibrium: the value V(D, G) at equilibrium.
      written: the time at which the page was written.
    """

    kicker: str
    experiment: str
    steps: Mapping[str, int | None]
    facts: Sequence[str]
    headline: Sequence[Mapping[str, Any]] = ()
    doctor: Mapping[str, Any] | None = None
    quality: Mapping[str, Any] | None = None
    members: Mapping[str, Any] | None
    charts: Sequence[Chart]
    curves: Mapping[str, Any]
    grids: Sequence[Sequence[int]]
    pictures: Sequence[Mapping[str, Any]]
    sheets: Sequence[Mapping[str, str]]
    projections: Sequence[Mapping[str, str]] = ()
    settings_title: str = "Settings"
    settings: Sequence[Sequence[str]]
    versions_title: str = "Versions"
    versions: Sequence[Sequence[str]]
    maker: str
    equilibrium: float = EQUILIBRIUM
    written: str = dataclasses.field(default_factory=_now)

    def write(self, path: Path) -> None:
        """Write the page atomically, so that readers never find an incomplete file.

        Args:
          path: the HTML file to write.

        Raises:
          OSError: if the page cannot be written.
        """
        template = Path(__file__).with_name("report.html").read_text(encoding="utf-8")
        contents = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        write_atomically(path, template.replace(MARKER, _to_json(contents), 1))


def _to_json(contents: Mapping[str, Any]) -> str:
    """Convert the contents to JSON. Escape each ``<``, so that no text can end the script element around the JSON."""
    text = json.dumps(_printable(contents), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _printable(contents: Any) -> Any:
    """Return contents in which every text is printable, because names of files, classes and settings are among them."""
    if isinstance(contents, Chart | Line | Mark):
        contents = dataclasses.asdict(contents)
    if isinstance(contents, Mapping):
        return {printable(name): _printable_entry(name, value) for name, value in contents.items()}
    if isinstance(contents, list | tuple):
        return [_printable(value) for value in contents]
    return printable(contents) if isinstance(contents, str) else contents


def _printable_entry(name: str, value: Any) -> Any:
    # Pictures are data addresses of up to a megabyte, which the report itself encodes. ``printable`` would cut them.
    if name == "picture":
        return value
    if name == "sheets" and isinstance(value, Mapping):  # the sheets of one step
        return {printable(sheet): address for sheet, address in value.items()}
    return _printable(value)


def last_step(columns: Columns) -> int:
    """Return the last step at which a column has a value, or 0 if there are no columns."""
    return max((column.last_step for column in columns.values()), default=0)


def describe_maker(versions: Mapping[str, Any], experiment: str) -> str:
    """Return the program and the experiment that generated the samples, such as ``jaxgan 0.1.0, experiment dcgan``.

    Args:
      versions: dictionary from packages to versions, as in ``config.json``.
      experiment: the name of the experiment.
    """
    version = str(versions.get("jaxgan", "not installed"))
    version = ", version unknown" if version == "not installed" else f" {version}"
    return f"jaxgan{version}, experiment {experiment}"
