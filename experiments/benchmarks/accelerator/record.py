"""Write results as they are measured: ``results.jsonl``, one JSON object per line, and ``results.md``."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.benchmarks.accelerator.plan import PARTS, Measurement

# Titles of columns. Other columns have the name of the result.
TITLES = {
    "compile_s": "compilation, s",
    "step_ms": "ms per step",
    "memory_mb": "memory of the step, MB",
    "device_peak_mb": "peak memory of the device, MB",
    "gflop": "GFLOP per step",
    "tflops": "TFLOP/s",
    "of_peak": "share of the chip's peak",
    "images_per_second": "images per second",
    "error": "relative error",
    "ms": "ms",
}
END = ("status", "seconds")  # the results in the last line of each measurement


class Record:
    """The results in a directory.

    Attributes:
      markdown: the path of results.md.
      rows: the lines of results.jsonl, from this and from earlier calls of the program.

    Args:
      folder: the directory, which is created if it does not exist.

    Raises:
      ValueError: if results.jsonl exists and has other lines.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.markdown, self._lines = folder / "results.md", folder / "results.jsonl"
        self.rows = _read_lines(self._lines)
        self._session = 1 + max((row["session"] for row in self.rows), default=0)

    @property
    def finished(self) -> set[str]:
        """The names of the measurements that ended without an error. Versions are always measured again."""
        names = (Measurement(row["part"], row["detail"], 0).name for row in self.rows if row.get("status") == "done")
        return set(names) - {"device"}

    def add(self, measurement: Measurement, results: Mapping[str, Any]) -> None:
        """Write one row of results to both files.

        Args:
          measurement: the measurement that the results belong to.
          results: a dictionary from names to numbers, texts or None. The last row of a measurement has ``status``,
            which is "done" or a sentence about what went wrong.
        """
        row = {"session": self._session, "part": measurement.part, "detail": measurement.detail, **results}
        self.rows.append(row)
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new = self.markdown.with_suffix(".new")
        new.write_text(format_markdown(self.rows), encoding="utf-8")
        new.replace(self.markdown)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file. A line that was cut off by a kill is removed from the file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    try:
        rows = [json.loads(line) for line in whole.splitlines()]
        [Measurement(row["part"], row["detail"], row["session"]) for row in rows]
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{path} has lines that this program did not write, or is damaged.") from None
    return rows


def format_markdown(rows: list[dict[str, Any]]) -> str:
    """Return a page with one table for each part, and a list of the measurements that are missing.

    If a measurement was made in several calls of the program, the page contains the last one.

    Args:
      rows: the lines of results.jsonl.
    """
    newest = {(row["part"], row["detail"]): row["session"] for row in rows}
    rows = [row for row in rows if row["session"] == newest[row["part"], row["detail"]]]
    sections = ["# Measurements of an accelerator", ""]
    for part, title in PARTS.items():
        found = [
            {k: v for k, v in row.items() if k not in ("session", "part", *END)} for row in rows if row["part"] == part
        ]
        found = [row for row in found if len(row) > 1]  # rows that have more than ``detail``
        if found:
            sections += [f"## {title}", "", *_format_table(found), ""]
    last = {(row["part"], row["detail"]): row for row in rows if "status" in row}
    missing = [row for row in last.values() if row["status"] != "done"]
    if missing:
        named = [f"- {Measurement(row['part'], row['detail'], 0).name}: {row['status']}" for row in missing]
        sections += ["## Not measured", "", *named, ""]
    return "\n".join(sections)


def _format_table(rows: list[dict[str, Any]]) -> list[str]:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if not any(row.get("detail") for row in rows):
        keys.remove("detail")
    titles = ["" if key == "detail" else TITLES.get(key, key.replace("_", " ")) for key in keys]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(keys) + "|"]
    return lines + [f"| {' | '.join(_format(row.get(key)) for key in keys)} |" for row in rows]


def _format(value: Any) -> str:
    """Return a number with four significant digits, or another value as text."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value).replace("|", "/")
