"""The behaviour that scripts rely on: the files that a run writes, how it is resumed, and how it ends."""

import json
import signal

import numpy as np
import pytest
from helpers import programs
from helpers.programs import TINY, run
from PIL import Image

from jaxgan.training import steps as stepping

pytestmark = pytest.mark.integration


def rows(run_dir):
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def train(capsys, run_dir, steps, *more):
    code, text = run(capsys, "train", "--steps", steps, "--run-dir", run_dir, "--checkpoint-every", 4, *TINY, *more)
    assert code == 0, text
    return text


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the directory of an uninterrupted run of 12 steps on 8 devices."""
    run_dir = tmp_path_factory.mktemp("runs") / "whole"

    train(programs.Silent(), run_dir, 12)
    return run_dir


def test_a_run_writes_its_files(finished):
    assert {path.name for path in finished.iterdir()} >= {
        *("config.json", "metrics.jsonl", "speed.jsonl", "samples", "checkpoints", "report.html", "tensorboard"),
    }
    config = json.loads((finished / "config.json").read_text())
    assert config["experiment"] == "dcgan"
    assert config["config"]["steps"] == 12
    assert [row["step"] for row in rows(finished)] == list(range(1, 13))
    assert {"d/loss", "d/r1", "d/grad_norm", "d/accuracy_fake", "g/adversarial"} <= set(rows(finished)[0])
    assert [p.name for p in sorted((finished / "samples").iterdir())] == ["step_0000000.png", "step_0000012.png"]
    assert "12" in {p.name for p in (finished / "checkpoints").iterdir()}


def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(finished, tmp_path, capsys):
    run_dir = tmp_path / "run"
    train(capsys, run_dir, 6)
    assert "resumed from step 6" in train(capsys, run_dir, 12)
    assert programs.inspect(capsys, run_dir) == programs.inspect(capsys, finished)
    assert (run_dir / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


def test_streamed_data_train_the_same_run(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stepping, "RESIDENT_BYTES", -1)
    run_dir = tmp_path / "run"
    train(capsys, run_dir, 12)
    assert rows(run_dir)[0] == pytest.approx(rows(finished)[0], rel=1e-6)  # the two compiled programs round differently
    for streamed, resident in zip(rows(run_dir), rows(finished)):
        assert streamed == pytest.approx(resident, rel=1e-3, abs=1e-4)


def test_a_finished_run_has_nothing_to_do(finished, capsys):
    before = programs.inspect(capsys, finished)
    assert "nothing to do: the run is at step 12 of 12" in train(capsys, finished, 12)
    assert programs.inspect(capsys, finished) == before


def test_fresh_starts_over_and_does_not_remove_other_files(tmp_path, capsys):
    run_dir = tmp_path / "run"
    train(capsys, run_dir, 4)
    (run_dir / "notes.txt").write_text("mine")
    assert "resumed" not in train(capsys, run_dir, 3, "--fresh", "--seed", 5)
    assert len(rows(run_dir)) == 3
    assert (run_dir / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("count", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_a_run_can_be_resumed_with_another_number_of_devices(count, tmp_path, capsys):
    run_dir = tmp_path / "run"
    train(capsys, run_dir, 4, "--devices", 4)
    assert "resumed from step 4" in train(capsys, run_dir, 5, "--devices", count, "--parallel", "shard_map")
    assert len(rows(run_dir)) == 5


def test_inspect_prints_a_checksum_for_each_leaf(finished, capsys):
    lines = programs.inspect(capsys, finished).splitlines()
    assert lines[0] == "step 12"
    digests = dict(reversed(line.split("  ")) for line in lines[1:])
    assert {"step", "key", "params.g.image.kernel", "ema.g.params.image.bias"} <= set(digests)
    assert all(len(digest) == 64 for digest in digests.values())
    assert any(name.startswith("opt_states.d.") for name in digests)


@pytest.mark.parametrize("suffix", ["png", "gif", "webp"])
def test_samples_are_marked_as_synthetic(finished, suffix, tmp_path, capsys):
    out = tmp_path / f"out.{suffix}"
    code, text = run(capsys, "sample", "--run-dir", finished, "--count", 3, "--out", out)
    assert code == 0, text
    with Image.open(out) as image:
        message = str(image.info)
        # An animation has at most 3 x 24 frames, because equal neighbouring frames are merged.
        assert (getattr(image, "n_frames", 1) > 24) == (suffix != "png")
    if suffix != "gif":
        assert "trainedAlgorithmicMedia" in message
        assert "dcgan" in message
    else:
        assert "Synthetic" in message
        assert "jaxgan" in message


def test_samples_do_not_depend_on_the_number_of_samples(finished, tmp_path, capsys):
    samples = {}
    for count in (2, 300):
        out = tmp_path / f"{count}.npz"
        assert run(capsys, "sample", "--run-dir", finished, "--count", count, "--seed", 3, "--out", out)[0] == 0
        samples[count] = np.load(out)["images"]
    assert samples[300].shape == (300, 8, 8, 1)
    assert samples[300].dtype == np.float32
    assert np.abs(samples[300]).max() <= 1
    np.testing.assert_allclose(samples[300][:2], samples[2], atol=1e-5)
    assert len(np.unique(samples[300].round(5), axis=0)) > 250


def test_the_command_report_writes_the_report(finished, capsys):
    (finished / "report.html").unlink()
    code, text = run(capsys, "report", "--run-dir", finished)
    assert code == 0, text
    assert "d/accuracy_real" in (finished / "report.html").read_text()


def test_dry_run_trains_nothing(tmp_path, capsys, few_measured_steps):
    code, text = run(capsys, "--dry-run", "--run-dir", tmp_path / "run", *TINY)
    assert code == 0, text
    for message in ("batch_size", "g: Generator", "parameters", "FLOPs", "images/s", "time: ", "disk space: "):
        assert message in text
    assert not (tmp_path / "run").exists()


def test_help_lists_all_commands_and_flags(capsys):
    code, text = run(capsys, "--help")
    assert code == 0
    assert all(command in text for command in ("train", "sample", "evaluate", "report", "inspect", "1511.06434"))
    first = {line.split()[0] for line in text.splitlines() if line.strip()}
    assert {"Paper", "Command", "Data", "Hardware", "Time", "Score"} <= first  # the header is not refilled
    code, text = run(capsys, "train", "--help")
    flags = "--steps --batch-size --seed --data --run-dir --devices --compute-dtype --grad-accum-steps --fresh --dry-run --profile"
    assert all(flag in text for flag in flags.split())


@pytest.mark.slow
def test_runs_with_other_precision_accumulation_and_profiling(tmp_path, capsys):
    for more in (["--compute-dtype", "bfloat16"], ["--grad-accum-steps", "2", "--devices", "2"], ["--profile", "2"]):
        text = train(capsys, tmp_path / more[0], 14 if "--profile" in more else 2, *more)
        assert "saved at step" in text
    assert list((tmp_path / "--profile" / "profile").rglob("*.xplane.pb"))


def test_a_run_that_diverges_names_the_loss_term_and_preserves_the_last_finite_checkpoint(tmp_path, capsys):
    run_dir = tmp_path / "run"
    flags = ["--steps", 30, "--checkpoint-every", 1, "--run-dir", run_dir, *TINY, "--learning-rate", "1e6"]
    code, text = run(capsys, *flags)
    assert code == 1
    assert "error: Training diverged at step 2: the metric " in text
    assert "Traceback" not in text
    assert rows(run_dir)[-1]["step"] == 1
    assert programs.inspect(capsys, run_dir).startswith("step 1\n")


def test_a_run_without_checkpoints_is_not_recommended_for_samples(tmp_path, capsys):
    flags = ["--steps", 30, "--checkpoint-every", 30, "--run-dir", tmp_path / "run", *TINY, "--learning-rate", "1e6"]
    code, text = run(capsys, *flags)
    assert (code, "report: " in text, "more samples: " in text) == (1, True, False), text


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, 138, marks=pytest.mark.slow),
        (signal.SIGTERM, 143),
    ],
)
def test_a_signal_saves_a_checkpoint_and_ends_the_run(number, code, tmp_path, capsys):
    run_dir = tmp_path / "run"
    process = programs.start("--steps", 10**6, "--run-dir", run_dir, *programs.tiny("gan"), experiment="gan")
    programs.wait_for(lambda: (run_dir / "speed.jsonl").exists() and (run_dir / "speed.jsonl").stat().st_size, process)
    process.send_signal(number)
    message, _ = process.communicate(timeout=60)
    assert process.returncode == code, message
    step = int(programs.inspect(capsys, run_dir, "gan").splitlines()[0].removeprefix("step "))
    assert f"saved at step {step}" in message
    assert rows(run_dir)[-1]["step"] == step
    assert (run_dir / "report.html").exists()


@pytest.mark.slow  # a short form is in tests/chaos/test_trials.py
@pytest.mark.parametrize("kills", [1, 20])
def test_a_run_that_is_killed_at_random_moments_equals_an_uninterrupted_one(kills, tmp_path, capsys):
    """The run receives SIGKILL at random moments after the first checkpoint, and the same command resumes it."""
    steps = 300 * kills
    command = ["train", "--steps", steps, "--checkpoint-every", 20, "--sample-every", 100, *TINY]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert programs.killed(command, whole, broken, kills, experiment="dcgan") >= kills - 1
    assert programs.inspect(capsys, broken) == programs.inspect(capsys, whole)
    assert [row["step"] for row in rows(broken)] == list(range(1, steps + 1))
    assert (broken / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
