"""The program of the trials: its help, its counts, its results and its exit codes."""

import importlib
import json
import sys
import types

import pytest
import tyro

from experiments.chaos import __main__ as program
from experiments.chaos.case import Case

TRIALS = ("kills", "damage", "disks", "signals", "hosts")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the program with a trial in place of ``kills`` that yields the given cases. Return code, text and rows."""

    def run(cases, *flags, missing=""):
        trial = types.SimpleNamespace(COUNT=7, missing=lambda folder: missing, run=lambda *_: iter(cases))
        monkeypatch.setitem(sys.modules, "experiments.chaos.kills", trial)
        code = 0
        try:
            tyro.cli(program.main, args=["--trial", "kills", "--out", str(tmp_path / "out"), *flags])
        except SystemExit as stop:
            code = stop.code
        results = tmp_path / "out" / "results.jsonl"
        rows = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return code, capsys.readouterr().out, rows

    return run


@pytest.mark.parametrize("name", TRIALS)
def test_each_trial_is_a_module_with_a_count_and_two_functions(name):
    assert f"\n    {name} " in (program.__doc__ or "")
    trial = importlib.import_module(f"experiments.chaos.{name}")
    assert trial.COUNT > 0 and callable(trial.missing) and callable(trial.run)


def test_help_names_the_trials(capsys):
    with pytest.raises(SystemExit) as stopped:
        tyro.cli(program.main, description=program.__doc__, args=["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("--trial", "--count", "--seed"))


def test_counts_are_printed_and_cases_are_written(run):
    code, text, rows = run([Case("first", "equal"), Case("second", "equal"), Case("third", "refused")])
    assert code == 0
    assert "kills: 3 cases" in text and "2 equal, 1 refused; 0 failed" in text
    assert "| kills | 3 | 2 equal, 1 refused | 0 |" in text
    assert [row["name"] for row in rows[1:]] == ["first", "second", "third"]
    assert "jax" in rows[0]["machine"] and rows[0]["seed"] == 0


def test_a_failed_case_is_printed_at_once_and_sets_the_exit_code(run, tmp_path):
    code, text, rows = run([Case("first", "equal"), Case("second", "differs", True, "line 3 differs")])
    assert code == 1
    assert "kills: FAILED: second: differs\nline 3 differs" in text and "1 failed" in text
    assert rows[-1]["failed"] and (tmp_path / "out" / "kills").is_dir()


def test_a_trial_that_the_machine_cannot_run_is_skipped_with_the_reason(run):
    code, text, rows = run([], missing="There is no disk.")
    assert (code, rows) == (2, []) and "kills: skipped. There is no disk." in text


@pytest.mark.parametrize(("flag", "value"), [("--count", "0"), ("--seed", "-1")])
def test_numbers_out_of_range_are_refused(run, flag, value):
    assert f"error: {flag} must be at least" in run([], flag, value)[0]
