"""Tests of the images of a report."""

import base64
import urllib.parse

import numpy as np
import pytest
from PIL import Image

from jaxgan.reporting import captions
from jaxgan.reporting.pictures import (
    MAX_PICTURES,
    MAX_TEXT,
    data_address,
    describe_sheets,
    read_pictures,
    read_projections,
    thin,
)


def draw(path, grey=0):
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(np.full((4, 4), grey, np.uint8)).save(path)
    return path


def test_a_data_url_contains_the_file(tmp_path):
    file = draw(tmp_path / "a.png")
    head, _, body = data_address(file).partition(",")
    assert head == "data:image/png;base64" and base64.b64decode(body) == file.read_bytes()


def test_sample_grids_and_image_sheets_are_read_by_step(tmp_path):
    for name in ("step_0000010", "step_0000000", "step_0000010_walk", "step_0000020_walk", "step_x", "other"):
        draw(tmp_path / f"{name}.png")
    pictures = read_pictures(tmp_path)
    assert [(picture["step"], list(picture["sheets"])) for picture in pictures] == [(0, []), (10, ["walk"])]
    assert pictures[0]["picture"] == data_address(tmp_path / "step_0000000.png")
    assert read_pictures(tmp_path / "none") == []


def test_samples_of_text_are_read_as_text(tmp_path):
    (tmp_path / "step_0000000.txt").write_text("a <b>\nü\x1b[31m\n" + "x" * MAX_TEXT, encoding="utf-8")
    draw(tmp_path / "step_0000000_walk.png")
    (tmp_path / "step_0000003.txt").write_bytes(b"\xff")
    first, last = read_pictures(tmp_path)
    head, _, body = first["picture"].partition(",")
    lines = urllib.parse.unquote(body).split("\n")
    assert head == "data:text/plain;charset=utf-8" and lines[0] == "a <b>" and lines[1].startswith("ü")
    assert "\x1b" not in body and len(lines[2]) < MAX_TEXT and body.isascii() and "<" not in body
    assert first["sheets"]["walk"].startswith("data:image/png") and last["picture"].endswith("%EF%BF%BD")


@pytest.mark.parametrize("count", [0, 1, MAX_PICTURES, MAX_PICTURES + 1, 1000])
def test_thin_keeps_evenly_spaced_steps(count):
    steps = list(range(0, 10 * count, 10))
    kept = thin(steps)
    assert len(kept) == min(count, MAX_PICTURES) and kept[:1] == steps[:1] and kept[-1:] == steps[-1:]
    assert len(set(np.diff(kept))) <= 2


def test_each_image_sheet_is_described_once():
    pictures = [{"sheets": {"walk": ""}}, {"sheets": {"mine": "", "walk": ""}}, {"sheets": {}}]
    assert describe_sheets(pictures) == [
        {"name": "mine", "title": "Mine", "caption": captions.OTHER_SHEET},
        {"name": "walk", "title": "Walk", "caption": captions.SHEETS["walk"]},
    ]


def test_a_run_without_projections(tmp_path):
    """tests/editing/test_inversion.py tests a run with projections."""
    assert read_projections(tmp_path / "none") == []
