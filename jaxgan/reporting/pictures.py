"""The pictures of a report: sample grids, sheets and projections, as data addresses that need no other file."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.editing.projection_files import read_sheets
from jaxgan.reporting import captions

MAX_PICTURES = 60


def read_pictures(folder: Path) -> list[dict[str, Any]]:
    """The sample grids of a run by step, at most ``MAX_PICTURES``, the first and the last among them.

    Returns:
      For each ``step`` its ``picture``, a data address, and its ``sheets``, the same by name.
    """
    by_step: dict[int, dict[str, Path]] = {}
    for file in sorted(folder.glob("step_*.png")):
        number, _, sheet = file.stem.removeprefix("step_").partition("_")
        if number.isdecimal():
            by_step.setdefault(int(number), {})[sheet] = file
    pictures = []
    for step in thin(sorted(step for step, files in by_step.items() if "" in files)):
        sheets = {name: data_address(file) for name, file in by_step[step].items()}
        pictures.append({"step": step, "picture": sheets.pop(""), "sheets": sheets})
    return pictures


def thin(steps: Sequence[int]) -> list[int]:
    """At most ``MAX_PICTURES`` of these steps, evenly spread, the first and the last among them."""
    if len(steps) <= MAX_PICTURES:
        return list(steps)
    return [steps[i] for i in np.linspace(0, len(steps) - 1, MAX_PICTURES).round().astype(int)]


def describe_sheets(pictures: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The titles of the sheets and how to read them, in order of name."""
    names = sorted({name for picture in pictures for name in picture["sheets"]})
    return [
        {"name": name, "title": captions.title(name), "caption": captions.SHEETS.get(name, captions.OTHER_SHEET)}
        for name in names
    ]


def read_projections(folder: Path) -> list[dict[str, str]]:
    """Images beside their projections, at most ``MAX_PICTURES``, with figures of how near these are."""
    return [
        {
            "title": sheet.relative_to(folder).with_suffix("").as_posix(),
            "picture": data_address(sheet),
            "caption": caption,
        }
        for sheet, caption in read_sheets(folder, MAX_PICTURES)
    ]


def data_address(file: Path) -> str:
    """A PNG file as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode("ascii")
