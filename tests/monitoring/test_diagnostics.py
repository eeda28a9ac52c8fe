"""Tests of the diagnosis of trainings: the verdicts on known measurements, and the output of a run."""

import json

import numpy as np
import pytest
from helpers import programs, sabotages

from jaxgan.monitoring import diagnostics
from jaxgan.monitoring.diagnostics import REMEDIES, WINDOW, TrainingMonitor, Verdict, describe, diagnose, remedy
from jaxgan.reporting import report
from jaxgan.training import write_schedule

pytestmark = pytest.mark.integration

HEALTHY = {
    "d/accuracy_real": 0.7,
    "d/accuracy_fake": 0.7,
    "d/grad_norm": 1.0,
    "g/grad_norm": 0.5,
    "diversity": 0.95,
    "nearest": 0.9,
    "swing": 0.1,
    "moved/g": 0.08,
    "moved/d": 0.08,
    "over_held_out/d": 0.1,
    "over_fakes/d": 1.0,
}
SURE = {"d/accuracy_real": 0.995, "d/accuracy_fake": 1.0}
SWINGS = diagnostics.MAX_SWING
PROBLEMS = {
    "divergence of d": {"moved/d": 1.1 * diagnostics.MAX_MOVE},
    "divergence of g": {"g/grad_norm": 5000.0},
    "vanishing gradients of g": {**SURE, "g/grad_norm": 1e-5},
    "mode collapse": {**SURE, "diversity": 0.9, "nearest": 0.01},
    "memorising of d": {**SURE, "over_held_out/d": 1.1 * diagnostics.MAX_MEMORY},
    "discriminator too strong of d": SURE,
    "oscillation": {"swing": 1.1 * SWINGS},
}


@pytest.mark.parametrize("name", [None, *PROBLEMS])
def test_each_problem_has_exactly_one_verdict(name):
    """A healthy game has no verdict. A verdict has the measured number and a remedy."""
    found = diagnose([{**HEALTHY, **PROBLEMS.get(name, {})}] * WINDOW, HEALTHY)
    assert [f"{v.name} of {v.subject}" if v.subject else v.name for v in found] == ([name] if name else [])
    for verdict in found:
        assert any(digit.isdigit() for digit in verdict.evidence) and "{" not in remedy(verdict)
    assert {name.partition(" of ")[0] for name in PROBLEMS} == set(REMEDIES)


def test_a_verdict_is_described_with_its_evidence_and_a_remedy():
    verdict = Verdict("divergence", "d", "its gradient norm is 5,000 times as large as at the start")
    assert (
        describe(verdict, "member 1 d")
        == "divergence of member 1 d: its gradient norm is 5,000 times as large as at the start"
    )
    assert describe(verdict) == "divergence: its gradient norm is 5,000 times as large as at the start"
    assert remedy(verdict).startswith("lower the learning rate of d; ")
    assert "lower the learning rate of the generator" in remedy(verdict._replace(subject=""))


def test_short_lived_problems_are_not_reported():
    """One probe in ten beyond the thresholds causes no verdict, and neither does a game without accuracies."""
    beyond = {"swing": 2 * SWINGS, "moved/d": 2 * diagnostics.MAX_MOVE, "diversity": 0.0}
    assert diagnose([HEALTHY] * (WINDOW - 1) + [{**HEALTHY, **beyond}], HEALTHY) == []
    quiet = {name: x for name, x in HEALTHY.items() if "accuracy" not in name and "over" not in name}
    assert diagnose([{**quiet, "g/grad_norm": 1e-5}] * WINDOW, quiet) == []


def test_an_idle_player_does_not_have_vanishing_gradients():
    """A player that is trained later has neither a loss nor a gradient. A player with a loss must have a gradient."""
    waiting = {"d/grad_norm": 0.0, "d/loss": 0.0, "d/accuracy_real": 0.5, "d/accuracy_fake": 0.5}
    assert diagnose([{**HEALTHY, **waiting}] * WINDOW, HEALTHY) == []
    found = diagnose([{**HEALTHY, **waiting, "d/loss": 1.0}] * WINDOW, HEALTHY)
    assert [(v.name, v.subject) for v in found] == [("vanishing gradients", "d")]


def test_a_balanced_game_is_not_reported_as_memorising():
    """If D cannot distinguish real examples from fakes, the ratio of the differences of its logits is noise."""
    rng = np.random.default_rng(0)
    gaps = [{"over_held_out/d": x, "over_fakes/d": y} for x, y in 0.02 * rng.normal(size=(WINDOW, 2)) + 0.001]
    assert max(abs(row["over_held_out/d"] / row["over_fakes/d"]) for row in gaps) > 2
    assert diagnose([{**HEALTHY, **gap} for gap in gaps], HEALTHY) == []


def test_a_probe_with_fewer_measurements_does_not_hide_a_problem():
    """The first probe of a resumed run has not measured the changes of weights."""
    moving = {**HEALTHY, "moved/d": 2 * diagnostics.MAX_MOVE}
    less = {name: x for name, x in HEALTHY.items() if not name.startswith(("moved", "swing"))}
    assert [v.name for v in diagnose([moving] * (WINDOW - 1) + [less], HEALTHY)] == ["divergence"]


def test_each_of_two_discriminators_has_a_verdict():
    two = {**HEALTHY, **{f"{p}/{name}": 1.0 for p in ("d", "d_b") for name in ("accuracy_real", "accuracy_fake")}}
    found = diagnose([{**two, "d_b/grad_norm": 1.0}] * WINDOW, {**two, "d_b/grad_norm": 1.0})
    assert [(v.name, v.subject) for v in found] == [
        ("discriminator too strong", "d"),
        ("discriminator too strong", "d_b"),
    ]


def monitor_swings(values, members=1, known=()):
    """Return a monitor that has received one probe for each of the given swings, its findings and its messages."""
    said, swings = [], iter(values)
    healthy = {name: x for name, x in HEALTHY.items() if "/" not in name or "grad_norm" in name}
    shape = (members,) if members > 1 else ()

    def measures(swing):
        return {name: np.broadcast_to(np.asarray(x), shape) for name, x in {**healthy, "swing": swing}.items()}

    monitor = TrainingMonitor(
        lambda state: measures(next(swings)), members, lambda i: f"member {i}", said.append, known
    )
    findings = []
    for n in range(len(values)):
        step = diagnostics.WARM_UP + (len(known) + n + 1) * diagnostics.PROBE_EVERY
        monitor.watch(None, step)
        assert monitor.add_row({"step": step - 1, "g/loss": 3.0}) is None
        findings.append(monitor.add_row({"step": step, "g/loss": 1.0}))
    return monitor, findings, said


def test_a_verdict_is_reported_once_and_stays_in_the_summary():
    monitor, findings, said = monitor_swings([1.1 * SWINGS] * (WINDOW + 3) + [0.0] * WINDOW)
    assert findings[0]["g/loss"] == 2.0  # the mean over the steps between two probes
    assert "verdicts" not in findings[WINDOW - 2] and findings[WINDOW - 1]["verdicts"][0][1] == "oscillation"
    assert len(said) == 1
    assert said[0].startswith(f"step {200 + WINDOW * 50}: oscillation of member 0: the mean of the samples moved by")
    assert "To fix it, lower the learning rates" in said[0]
    assert "verdicts" not in findings[-1] and monitor.summary() == ""
    assert json.loads(json.dumps(findings)) == findings


def test_a_resumed_run_has_the_verdicts_of_an_uninterrupted_run():
    _, whole, _ = monitor_swings([1.1 * SWINGS] * (WINDOW + 2))
    _, rest, said = monitor_swings([1.1 * SWINGS] * 4, known=whole[: WINDOW - 2])
    assert [row.get("verdicts") for row in rest] == [row.get("verdicts") for row in whole[WINDOW - 2 :]]
    assert len(said) == 1
    assert monitor_swings([1.1 * SWINGS] * 2, known=whole)[2] == []  # it was reported before


def test_the_members_of_a_population_have_their_own_verdicts():
    swings = [np.array([0.1, 1.1 * SWINGS, np.nan])] * WINDOW
    monitor, findings, said = monitor_swings(swings, members=3)
    assert [found[0] for found in findings[-1]["verdicts"]] == [1]
    assert len(said) == 1 and "oscillation of member 1" in said[0]
    assert monitor.summary() == "oscillation in 1 of 3"


def test_invalid_numbers_of_held_out_examples_are_errors(tmp_path, capsys):
    """The error is raised before any file is written."""
    for flags, message in {
        ("--num-held-out", 8): "--num-held-out has no effect, because no player of this experiment logs logits_real",
        ("--num-held-out", 40_000): "must be from 1 to 25,000, half of the 50,000 examples of ring, got 40,000.",
    }.items():
        run_dir = tmp_path / "run"
        code, text = programs.run(capsys, "--steps", 2, "--run-dir", run_dir, *flags, experiment="points")
        assert code == 2 and message in " ".join(text.split()) and not run_dir.exists()


def test_a_run_reports_its_verdicts(tmp_path, capsys, monkeypatch):
    """They appear in diagnosis.jsonl, in the output and in the report. A resumed run reads its earlier findings."""
    monkeypatch.setattr(diagnostics, "PROBE_EVERY", 2)
    monkeypatch.setattr(diagnostics, "WINDOW", 3)
    monkeypatch.setattr(diagnostics, "WARM_UP", 0)
    monkeypatch.setattr(diagnostics, "MAX_SWING", 0.0)
    monkeypatch.setattr(write_schedule, "METRICS_EVERY", 2)
    run_dir = tmp_path / "run"
    flags = ["--run-dir", run_dir, "--num-held-out", 32, *programs.tiny("gan")]
    code, text = programs.run(capsys, "--steps", 9, *flags, experiment="gan")
    assert code == 0, text
    found = [json.loads(line) for line in (run_dir / "diagnosis.jsonl").read_text().splitlines()]
    assert [row["step"] for row in found] == [2, 4, 6, 8]
    assert {"diversity", "nearest", "over_fakes/d", "d/loss"} <= set(found[0]) and "swing" not in found[0]
    assert {"swing", "moved/g", "turned/d"} <= set(found[2])
    assert "verdicts" not in found[1] and found[-1]["verdicts"][-1][1] == "oscillation"
    assert "oscillation: the mean of the samples moved by" in text
    code, text = programs.run(capsys, "--steps", 12, *flags, experiment="gan")
    assert code == 0 and "resumed from step 9" in text, text
    assert "step 10: oscillation" not in text
    again = [json.loads(line) for line in (run_dir / "diagnosis.jsonl").read_text().splitlines()]
    assert again[:4] == found and [row["step"] for row in again[4:]] == [10, 12]
    contents = report.write(run_dir).read_text()
    assert '"title":"oscillation"' in contents and '"title":"Change of the weights"' in contents


@pytest.mark.slow
def test_a_private_run_has_no_diagnosis(tmp_path, capsys):
    """Measurements of real examples would exceed the privacy budget."""
    flags = [
        "--steps",
        2,
        "--run-dir",
        tmp_path / "run",
        "--norm",
        "none",
        "--dp-noise-multiplier",
        1.0,
        *programs.TINY,
    ]
    code, text = programs.run(capsys, *flags)
    assert code == 0, text
    assert (tmp_path / "run" / "diagnosis.jsonl").read_text() == ""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", list(sabotages.SABOTAGES))
def test_a_broken_training_has_the_expected_verdict(name, seed, tmp_path, capsys):
    """The thresholds were chosen with seeds 0 to 2. The other seeds test them."""
    found = sabotages.run(name, seed, tmp_path / "run")
    print(name, seed, found)
    assert sabotages.SABOTAGES[name][-1] in found


HEALTHY_RUNS = ("cgan", "dcgan", "gan", "gan3d", "points", "r3gan", "sngan", "vae", "wgan", "wgan_gp")


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY_RUNS)
def test_healthy_runs_have_no_verdict(name, tmp_path):
    """This test trains the experiments completely, with their default settings."""
    programs.done("--run-dir", tmp_path / "run", "--quiet", experiment=name)
    rows = [json.loads(line) for line in (tmp_path / "run" / "diagnosis.jsonl").read_text().splitlines()]
    assert len(rows) > WINDOW
    assert [row["verdicts"] for row in rows if "verdicts" in row] == []
