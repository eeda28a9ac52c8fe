"""Tests of the HTML page that reports and comparisons share."""

import json
import re

import pytest

from jaxgan.reporting.charts import EQUILIBRIUM, Chart, Line, Mark
from jaxgan.reporting.curves import to_columns
from jaxgan.reporting.page import MARKER, Page, describe_maker, last_step


def make_page(**more):
    contents = {
        "kicker": "a run",
        "experiment": "gan",
        "steps": {"done": 1, "wanted": 2},
        "facts": [],
        "members": None,
        "charts": [Chart("Loss", [Line("d/loss", "d", "player0")], "read", "log", "d", Mark(1, "one"))],
        "curves": {},
        "grids": [],
        "pictures": [],
        "sheets": [],
        "settings": [],
        "versions": [],
        "maker": "me",
    }
    return Page(**{**contents, **more})


def test_a_page_is_a_single_file_with_its_contents(tmp_path):
    make_page().write(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert MARKER not in text and [file.name for file in tmp_path.iterdir()] == ["page.html"]
    contents = json.loads(re.search(r'id="run">(.*?)</script>', text)[1])  # pyright: ignore
    assert contents["charts"] == [
        {
            "title": "Loss",
            "lines": [{"curve": "d/loss", "label": "d", "colour": "player0"}],
            "reading": "read",
            "kind": "log",
            "player": "d",
            "mark": {"at": 1, "label": "one"},
        }
    ]
    assert contents["equilibrium"] == EQUILIBRIUM and contents["headline"] == [] and contents["doctor"] is None
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d", contents["written"])


def test_contents_cannot_close_the_script_element(tmp_path):
    make_page(facts=["</script><script>alert(1)</script>"]).write(tmp_path / "page.html")
    assert "</script><script>alert" not in (tmp_path / "page.html").read_text()


def test_a_page_that_cannot_be_written_does_not_change_the_old_one(tmp_path):
    (tmp_path / "page.html").write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        make_page(steps={"done": float("nan"), "wanted": None}).write(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "old"


def test_last_step():
    assert last_step({}) == 0
    columns = to_columns([{"step": 1, "a": 0.0}, {"step": 3, "b": 0.0}, {"step": 9, "a": 0.0}])
    assert last_step(columns) == 9


def test_describe_maker():
    assert describe_maker({"jaxgan": "0.1.0"}, "gan") == "jaxgan 0.1.0, experiment gan"
    assert describe_maker({}, "gan") == describe_maker({"jaxgan": "not installed"}, "gan")
    assert describe_maker({}, "gan") == "jaxgan, version unknown, experiment gan"
