"""The measurement of starts: its checks, the process that is killed after a line, and the table."""

import json

import pytest

from experiments.benchmarks import start


def test_a_process_is_measured_until_its_line(tmp_path):
    program = "import os, sys, time; print(os.environ['XDG_CACHE_HOME'], os.environ['PYTHONPATH']); {}; time.sleep(99)"
    arguments = ["-c", program.format("print('compiled in 0.1 s')")]
    result = start._time_first_step(arguments, "compiled in ", str(tmp_path), str(tmp_path))
    assert 0 < result["seconds"] < 90 and result["cpu_seconds"] < 90 and result["peak_mb"] > 1
    arguments = ["-c", program.format("print('first step: ' + '{\"seconds\": 1000}')")]
    assert start._time_first_step(arguments, "first step: ", str(tmp_path), str(tmp_path))["seconds"] < -900
    with pytest.raises(RuntimeError, match=r"(?s)ended before its first step:\n.*ZeroDivisionError"):
        start._time_first_step(["-c", program.format("1 / 0")], "compiled", str(tmp_path), str(tmp_path))


def test_games_are_computed_in_a_new_process(tmp_path):
    result = start._measure_game("toy", "jaxgan", ".")
    assert set(result) == {"cold", "cached"} and result["cached"]["peak_mb"] > 10


def test_the_memory_of_a_step_counts_the_state_once(capsys, monkeypatch):
    from experiments import gan

    monkeypatch.setattr(gan, "Config", gan.Config.tiny)
    start._print_step_memory("gan")
    result = json.loads(capsys.readouterr().out)
    parts = result["parts_mb"]
    assert parts["alias"] > 0
    assert result["step_mb"] == pytest.approx(parts["argument"] + parts["output"] - parts["alias"] + parts["temp"])


def test_each_result_is_printed_and_appended(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "dcgan.py").touch()
    one = {"seconds": 2.0, "cpu_seconds": 1.0, "peak_mb": 400.0}
    monkeypatch.setattr(start, "_measure_experiment", lambda name, folder: {"cold": one, "cached": one, "step_mb": 7.0})
    start.main(("dcgan",), repeats=2)
    assert capsys.readouterr().out.count("| dcgan | 2.0 | 1.0 | 2.0 | 1.0 | 400 | 7 |") == 2
    assert [json.loads(line)["program"] for line in (tmp_path / "start.jsonl").open()] == ["dcgan"] * 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"names": ("dgan",)}, "There is no experiment or game 'dgan'. The names are cgan"),
        ({"names": ("toy",), "repeats": 0}, "--repeats must be at least 1, got 0."),
        ({"checkouts": ("missing",)}, "--checkouts: missing is not a checkout of jaxgan"),
        ({"names": ("toy",)}, "--checkouts: . is not a checkout of jaxgan, because it has no experiments/dcgan.py."),
    ],
)
def test_mistakes_are_reported_before_the_first_process(given, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        start.main(**given)
    assert stop.value.code == 2 and f"error: {message}" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_reported(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        start.main(("toy",), out=tmp_path)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: --out: {tmp_path} cannot be written: Is a directory.\n"
