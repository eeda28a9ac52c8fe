"""A medium of a user, in a file outside of the package, has every command: examples/own_medium.py as a user copies it."""

import csv
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers import programs
from PIL import Image

from jaxgan.cli.program import main

pytestmark = pytest.mark.integration

EXAMPLE = programs.ROOT / "examples" / "own_medium.py"
SMALL = ["--steps", 4, "--batch-size", 8, "--checkpoint-every", 2, "--sample-every", 2, "--devices", 1]
LARGEST = 40.0  # far from 1, so that samples that are not converted back are noticed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the program of a user and their data, in which the program has trained for four steps."""
    folder = tmp_path_factory.mktemp("mine")
    shutil.copy(EXAMPLE, folder / "mine.py")
    days = np.random.default_rng(0).uniform(0, LARGEST - 1, (60, 24)).round(2)
    days[0, 0] = LARGEST
    header = ",".join(f"{hour}:00 MW" for hour in range(24))
    np.savetxt(folder / "days.csv", days, "%.2f", ",", header=header, comments="")
    evaluated = ["--evaluate-every", 2, "--evaluate-count", 50]
    words = [sys.executable, "mine.py", "train", "--data", "days.csv", "--run-dir", "run", *SMALL, *evaluated]
    environment = {**os.environ, "PYTHONPATH": str(programs.ROOT), "JAX_NUM_CPU_DEVICES": "1"}
    done = subprocess.run(list(map(str, words)), cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "printed.txt").write_text(done.stdout + done.stderr)
    return folder


@pytest.fixture
def call(folder, capsys, monkeypatch):
    """Return a function that calls a command of the user's program in this process."""
    spec = importlib.util.spec_from_file_location("mine", folder / "mine.py")
    assert spec is not None and spec.loader is not None
    mine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mine)
    monkeypatch.chdir(folder)

    def run(*words, code=0):
        try:
            main("own_medium", mine.Config, mine.build, mine.__doc__, [str(word) for word in words])
            found = 0
        except SystemExit as stop:
            found = int(stop.code or 0)
        captured = capsys.readouterr()
        text = captured.out + captured.err
        assert found == code and "Traceback" not in text, text
        return text

    return run


def read_csv(path):
    with path.open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header[3] == "3:00 MW"
    return np.array(rows, float)


def test_the_run_names_its_examples_and_draws_them(folder):
    text = (folder / "printed.txt").read_text()
    assert "image" not in text and "days.csv, shape 24" in text, text
    record = json.loads((folder / "run" / "config.json").read_text())
    assert record["data"]["details"] == {"unit": "MW", "largest": LARGEST}
    pictures = sorted((folder / "run" / "samples").glob("step_*.png"))
    assert len(pictures) == 3 and np.ptp(np.asarray(Image.open(pictures[-1]))) > 100


def test_the_speed_is_counted_in_examples_of_the_medium(call, tmp_path):
    text = call("train", "--data", "days.csv", "--run-dir", tmp_path / "run", "--dry-run", *SMALL)
    assert re.search(r"\d days/s", text) and "image" not in text, text


def test_checkpoints_are_ranked_by_the_first_metric_of_the_medium(folder):
    rows = [json.loads(line) for line in (folder / "run" / "evaluations.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4] and set(rows[0]) == {"step", "fd_days", "protocol"}


def test_a_run_is_resumed(call, folder, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    assert "resum" in call("resume", "--steps", 6, "--run-dir", tmp_path / "run")


def test_samples_are_written_in_every_format_of_the_medium(call, folder, tmp_path):
    for suffix in (".csv", ".npz", ".png"):
        call("sample", "--run-dir", "run", "--count", 5, "--out", tmp_path / f"a{suffix}")
    days = read_csv(tmp_path / "a.csv")
    assert days.shape == (5, 24) and 1.5 < days.max() <= LARGEST and days.min() >= 0
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_allclose(days, arrays["day"], atol=1e-4)
    assert np.ptp(np.asarray(Image.open(tmp_path / "a.png"))) > 100
    text = call("sample", "--run-dir", "run", "--out", tmp_path / "a.wav", code=2)
    assert ".csv" in text and ".png" in text and ".npz" in text
    call("sample", "--run-dir", "run", "--count", 5)
    assert (folder / "samples.csv").is_file()


def test_samples_are_measured_with_the_metrics_of_the_medium(call, folder, tmp_path):
    text = call("evaluate", "--run-dir", "run", "--out", tmp_path / "a.json")
    found = json.loads((tmp_path / "a.json").read_text())
    assert set(found) == {"fd_days", "peak", "protocol"} and found["protocol"]["features"] == "days"
    assert f"fd_days {found['fd_days']:.6g}" in text and found["fd_days"] > 100
    call("sample", "--run-dir", "run", "--count", 60, "--out", tmp_path / "a.npz")
    days = np.loadtxt(folder / "days.csv", delimiter=",", skiprows=1)
    with np.load(tmp_path / "a.npz") as arrays:
        expected = abs(arrays["day"].argmax(1).mean() - days.argmax(1).mean())
    assert found["peak"] == pytest.approx(expected)
    text = call("evaluate", "--run-dir", "run", "--metrics", "is", code=2)
    assert "--metrics must be one or more of fid, peak, got is." in text


def test_a_report_and_exported_files_need_no_data(call, folder, tmp_path):
    """The command sample writes equal samples after the data were moved, and from a file of parameters."""
    call("sample", "--run-dir", "run", "--count", 5, "--out", tmp_path / "before.csv")
    call("export", "--run-dir", "run", "--out", tmp_path / "a.safetensors")
    (folder / "days.csv").rename(folder / "moved.csv")
    try:
        text = call("sample", "--run-dir", "run", "--count", 5, "--out", tmp_path / "after.csv")
        assert "This command does not need them" in text
        call("sample", "--parameters", tmp_path / "a.safetensors", "--count", 5, "--out", tmp_path / "shared.csv")
        for name in ("after", "shared"):
            assert (tmp_path / f"{name}.csv").read_bytes() == (tmp_path / "before.csv").read_bytes()
        call("report", "--run-dir", "run")
        call("export", "--run-dir", "run", "--out", tmp_path / "a.jaxgan")
        assert "days.csv" in call("evaluate", "--run-dir", "run", code=2)
    finally:
        (folder / "moved.csv").rename(folder / "days.csv")
    page = (folder / "run" / "report.html").read_text()
    assert "fd_days" in page and "days" in page and "data:image/png" in page
    done = subprocess.run(
        [sys.executable, "-m", "jaxgan", "sample", str(tmp_path / "a.jaxgan"), "--count", "5", "--out", "raw.npz"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(programs.ROOT), "JAX_NUM_CPU_DEVICES": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(tmp_path / "raw.npz") as arrays:
        np.testing.assert_allclose((arrays["samples"] + 1) / 2 * LARGEST, read_csv(tmp_path / "before.csv"), atol=1e-3)


def test_the_page_shows_the_class_of_the_example():
    text = EXAMPLE.read_text()
    shown = text[text.index("@dataclasses.dataclass(frozen=True)\nclass Days") : text.index("def load_days")]
    assert shown.rstrip() in (programs.ROOT / "docs" / "how_to" / "own_medium.md").read_text()
