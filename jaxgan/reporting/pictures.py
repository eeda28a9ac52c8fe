"""Read the pictures of a report as data URLs: sample grids, sheets and projections.

A sheet is an additional picture that an experiment draws, such as a grid of reconstructions. The picture of samples of
text is a text. A projection is a generated image that resembles a given target image. A style-based generator generates
it from styles that were optimised for this purpose.
"""

import base64
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.text import printable
from jaxgan.editing.projection_files import read_sheets
from jaxgan.reporting import captions

# Maximum number of steps for which a report contains sample grids, and maximum number of projections in a report.
MAX_PICTURES = 60
MAX_TEXT = 20_000  # maximum number of characters of a picture that is a text


def read_pictures(folder: Path) -> list[dict[str, Any]]:
    """Read the sample grids of a run at up to ``MAX_PICTURES`` steps, including the first and the last step.

    Args:
      folder: the folder ``samples`` of a run.

    Returns:
      For each step, a dictionary with the number ``step``, the sample grid ``picture`` as a data URL, and ``sheets``, a
      dictionary from names to sheets as data URLs.
    """
    by_step: dict[int, dict[str, Path]] = {}
    for file in sorted([*folder.glob("step_*.png"), *folder.glob("step_*.txt")]):
        number, _, sheet = file.stem.removeprefix("step_").partition("_")
        if number.isdecimal():
            by_step.setdefault(int(number), {})[sheet] = file
    pictures = []
    for step in thin(sorted(step for step, files in by_step.items() if "" in files)):
        sheets = {name: data_address(file) for name, file in by_step[step].items()}
        pictures.append({"step": step, "picture": sheets.pop(""), "sheets": sheets})
    return pictures


def thin(steps: Sequence[int]) -> list[int]:
    """Return up to ``MAX_PICTURES`` evenly spaced steps of a list, including the first and the last step."""
    if len(steps) <= MAX_PICTURES:
        return list(steps)
    return [steps[i] for i in np.linspace(0, len(steps) - 1, MAX_PICTURES).round().astype(int)]


def describe_sheets(pictures: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the name, the title and the caption of each sheet, in the order of their names.

    Args:
      pictures: the sample grids and sheets of each step, as ``read_pictures`` returns them.
    """
    names = sorted({name for picture in pictures for name in picture["sheets"]})
    return [
        {"name": name, "title": captions.title(name), "caption": captions.SHEETS.get(name, captions.OTHER_SHEET)}
        for name in names
    ]


def read_projections(folder: Path) -> list[dict[str, str]]:
    """Read up to ``MAX_PICTURES`` images of projections, with captions that state their similarity to the targets.

    Args:
      folder: the folder of projections of a run. It may be missing.
    """
    return [
        {
            "title": sheet.relative_to(folder).with_suffix("").as_posix(),
            "picture": data_address(sheet),
            "caption": caption,
        }
        for sheet, caption in read_sheets(folder, MAX_PICTURES)
    ]


def data_address(file: Path) -> str:
    """Return the contents of a PNG file, or the first ``MAX_TEXT`` characters of a text file, as a data URL."""
    if file.suffix == ".txt":
        with file.open(encoding="utf-8", errors="replace") as text:
            lines = text.read(MAX_TEXT).splitlines()
        return "data:text/plain;charset=utf-8," + urllib.parse.quote("\n".join(map(printable, lines)))
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode("ascii")
