"""Mistakes of a user: each ends the command with an error that says how to fix it, and no data are lost."""

import fcntl
import gc
import json
import os
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
from helpers import programs
from helpers.files import archive, folder, noise
from helpers.programs import TINY, run

from jaxgan import data

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of four steps with checkpoints at 2 and 4."""
    run_dir = tmp_path_factory.mktemp("runs") / "run"

    arguments = ["--steps", 4, "--checkpoint-every", 2, "--run-dir", run_dir, *TINY]
    assert run(programs.Silent(), *arguments)[0] == 0
    return run_dir


@pytest.fixture
def copy(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


class Malicious:
    def __reduce__(self):
        return (os.system, ("touch /tmp/jaxgan-was-here",))


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


# Wrong flags: (arguments, exit code, message).
FLAGS = {
    "unknown flag": (["--batchsize", 8], 2, "--batch-size"),
    "unknown flag of a command": (["inspect", "--rundir", "x"], 2, "--run-dir"),
    "no number": (["--steps", "many"], 2, "--steps must be a whole number, got 'many'."),
    "no such choice": (["--compute-dtype", "float8"], 2, "float32"),
    "no steps": (["--steps", 0], 2, "--steps must be at least 1, got 0."),
    "negative seed": (["--seed", -1], 2, "--seed must be between 0 and 4294967295, got -1."),
    "no latents": (["--z-dim", 0], 2, "--z-dim must be at least 1, got 0."),
    "no width": (["--g-channels", 0], 2, "--g-channels must be at least 1, got 0."),
    "a decay above 1": (["--ema-decay", 2.0], 2, "--ema-decay must be between 0 and 1, got 2.0."),
    "no rate": (["--learning-rate", "nan"], 2, "--learning-rate must be between 0 and 1000000, got nan."),
    "a process of no cluster": ([*TINY, "--process-id", 1], 2, "--num-processes and --process-id require --coordinator"),
    "no checkpoints": (["--checkpoint-every", 0], 2, "--checkpoint-every must be at least 1, got 0."),
    "batch over devices": ([*TINY, "--batch-size", 12], 2, "--batch-size must be divisible by the number of devices, 8, got 12. Use 8 or 16."),
    "no batch": ([*TINY, "--batch-size", 0], 2, "--batch-size must be at least 1, got 0."),
    "too many devices": ([*TINY, "--devices", 9], 2, "--devices must be between 1 and 8, the number of devices of this machine (cpu), got 9"),
    "micro-batches": ([*TINY, "--grad-accum-steps", 3, "--devices", 1], 2, "A turn has 8 examples per device, which cannot be split evenly into 3 micro-batches."),
    "base": ([*TINY, "--base-resolution", 3], 2, "--resolution must be a power of two times --base-resolution (3), got 8. Use 6 or 12, or --base-resolution 4."),
    "missing name, near": (["--data", "mnists"], 2, "Did you mean mnist"),
    "missing name, far": (["--data", "qqqqqq"], 2, "does not exist as a file or folder, and TensorFlow Datasets has no data set of this name"),
    "no such photograph": (["--data", "photos:tree"], 2, "--data 'photos:tree' is not one of the photographs. Use 'photos' for all photographs in colour, or 'photos:'"),
    "missing folder": (["--data", "/nowhere/at/all"], 2, "--data '/nowhere/at/all' does not exist."),
    "points for a convolution": (["--data", "ring"], 2, "this experiment takes images, [height, width, channels]. Use the experiment gan, which takes examples of any shape."),
    "resize floats": (["--resolution", 16], 2, "have shape (8, 8, 1) and cannot be resized to --resolution 16. Only uint8 images"),
    "channels of arrays": (["--channels", 3], 2, "--channels must be 1 for "),
    "sample of no run": (["sample", "--run-dir", "/nowhere", "--out", "a.png"], 2, "--run-dir /nowhere contains no run, because it has no config.json."),
    "inspect of no run": (["inspect", "--run-dir", "/nowhere"], 2, "--run-dir /nowhere has no checkpoints."),
    "report of no run": (["report", "--run-dir", "/nowhere"], 2, "contains no run"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "message"), FLAGS.values(), ids=FLAGS.keys())
def test_wrong_flags_are_reported(arguments, code, message, tmp_path, capsys):
    run_dir = [] if arguments[0] in ("sample", "inspect", "report") else ["--run-dir", tmp_path / "run"]
    found, text = run(capsys, *arguments, *run_dir)
    assert message in " ".join(text.split())
    assert found == code
    assert "Traceback" not in text


# Wrong data: (function that writes the data, more flags, message).
DATA = {
    "empty folder": (lambda p: folder(p, {"readme.txt": b"hello"}), [], "contains no images (other files: 1 .txt)"),
    "truncated png": (lambda p: folder(p, {"a.png": noise(), "b.png": noise((64, 64))[:-2000]}), ["--resolution", 8], "b.png cannot be decoded"),
    "no image inside": (lambda p: folder(p, {"a.png": b"not a png"}), [], "a.png is not an image, or its format is not supported"),
    "two sizes": (lambda p: folder(p, {"a.png": noise(), "b.png": noise((9, 8))}), [], "Set --resolution, for example to 64, to crop them to squares and resize them."),
    "no doubling": (lambda p: folder(p, {"a.png": noise((28, 28))}), [], "--resolution must be a power of two times --base-resolution (4), got 28. Use 16 or 32, or --base-resolution 7."),
    "channels": (lambda p: folder(p, {"a.png": noise()}), ["--channels", 2], "--channels must be 1 (grey), 3"),
    "zip that leads out": (lambda p: archive(p.with_suffix(".zip"), {"../a.png": noise()}), [], "leads out of the archive"),
    "absolute zip": (lambda p: archive(p.with_suffix(".zip"), {"/etc/a.png": noise()}), [], "leads out of the archive"),
    "no zip": (lambda p: folder(p.parent, {"a.zip": b"PK nonsense"}) / "a.zip", [], "is not a zip file, or it is damaged"),
    "empty zip": (lambda p: archive(p.with_suffix(".zip"), {}), [], "contains no images"),
    "pickled": (lambda p: saved(p.with_suffix(".npz"), images=np.array([Malicious()], object)), [], "the array 'images' contains Python objects"),
    "no images": (lambda p: saved(p.with_suffix(".npz"), pictures=np.zeros((4, 8, 8, 1), np.uint8)), [], "has no array 'images'. It contains: pictures."),
    "floats out of range": (lambda p: saved(p.with_suffix(".npz"), images=np.full((4, 8, 8, 1), 255.0)), [], "must be floats in [-1, 1] or uint8 from 0 to 255, got floats from 255 to 255"),
    "wrong type": (lambda p: saved(p.with_suffix(".npz"), images=np.zeros((4, 8, 8, 1), np.int64)), [], "must be uint8 from 0 to 255 or floats in [-1, 1], got int64. If 0 is black"),
    "wrong labels": (lambda p: saved(p.with_suffix(".npz"), images=np.zeros((4, 8, 8, 1), np.uint8), labels=np.zeros(3, int)), [], "must have one label for each image, got 3 labels and 4 images"),
    "labels that are no numbers": (lambda p: saved(p.with_suffix(".npz"), images=np.zeros((4, 8, 8, 1), np.uint8), labels=np.full(4, 0.5)), [], "labels must be whole numbers, names or booleans [N], or one-hot vectors [N, classes], got the number 0.5"),
    "no examples": (lambda p: saved(p.with_suffix(".npz"), images=np.zeros((0, 8, 8, 1), np.uint8)), [], "N > 0"),
    "not square": (lambda p: saved(p.with_suffix(".npz"), images=np.zeros((4, 8, 16, 1), np.uint8)), [], "they must be square. Set --resolution, for example to 8."),
    "another format": (lambda p: folder(p.parent, {"a.csv": b"1,2"}) / "a.csv", [], "--data must be a folder, or a .zip, .npz or .npy file, got a .csv file"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "more", "message"), DATA.values(), ids=DATA.keys())
def test_wrong_data_are_reported(make, more, message, tmp_path, capsys):
    code, text = run(capsys, "--data", make(tmp_path / "data"), "--run-dir", tmp_path / "run", *TINY, *more)
    assert message in " ".join(text.split())
    assert code == 2
    assert "Traceback" not in text
    assert not (tmp_path / "run").exists()
    assert not os.path.exists("/tmp/jaxgan-was-here")


# Arguments that do not apply to a run: (arguments, message).
RUNS = {
    "another setting": (
        ["--steps", 4, *TINY, "--seed", 9],
        "--seed is 0 in the run in {}, got 9. Use the command `resume` to continue the run with its own settings, use "
        "--fresh",
    ),
    "fewer steps": (["--steps", 2, *TINY], "--steps must be at least 4, the number of steps of the run in {}, got 2."),
    "missing step": (["inspect", "--step", 3], "(2, 4), got 3."),
    "format": (["sample", "--out", "a.bmp"], "--out must be a .png, .jpg, .jpeg, .gif, .webp or .npz file, got a.bmp"),
    "no samples": (["sample", "--out", "a.png", "--count", 0], "--count must be at least 1, got 0"),
    "no styles": (
        ["sample", "--out", "a.png", "--psi", 0.5],
        "--truncation-psi requires a generator with styles, such as StyleGAN2's.",
    ),
    "no styles to mix": (
        ["sample", "--out", "a.png", "--style-mix", "fine"],
        "--style-mix requires a generator with styles",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), RUNS.values(), ids=RUNS.keys())
def test_arguments_that_do_not_apply_to_a_run_are_reported(arguments, message, copy, capsys):
    before = programs.inspect(capsys, copy)
    code, text = run(capsys, *arguments, "--run-dir", copy)
    assert message.format(copy) in text
    assert code == 2
    assert programs.inspect(capsys, copy) == before


def test_a_conflict_with_the_run_is_reported_before_the_steps_are_traced(copy, capsys, monkeypatch):
    monkeypatch.setattr("jaxgan.training.steps.Steps.trace", lambda *_: pytest.fail("traced"))
    code, text = run(capsys, "--steps", 2, *TINY, "--run-dir", copy)
    assert (code, "--steps must be at least 4" in text) == (2, True), text


def test_a_sample_file_that_cannot_be_written_is_reported(copy, capsys):
    code, text = run(capsys, "sample", "--run-dir", copy, "--out", "/proc/jaxgan/a.png")
    assert (code, "--out /proc/jaxgan/a.png cannot be written: " in text) == (1, True), text


def test_a_change_of_the_data_is_reported(tmp_path, capsys):
    folder(tmp_path / "images", {f"{kind}/{i}.png": noise() for kind in ("cat", "dog") for i in range(8)})
    command = ["--data", tmp_path / "images", "--run-dir", tmp_path / "run", *TINY, "--steps"]
    assert run(capsys, *command, 2)[0] == 0
    before = programs.inspect(capsys, tmp_path / "run")
    folder(tmp_path / "images", {"cat/new.png": noise()})
    code, text = run(capsys, *command, 3)
    assert (code, "the recorded value of examples is 16, got 17. Restore the data" in text) == (2, True), text
    assert programs.inspect(capsys, tmp_path / "run") == before


def test_a_lack_of_memory_is_reported_with_a_fix(tmp_path, capsys, monkeypatch):
    def exhausted(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")

    monkeypatch.setattr("jaxgan.training.loop.train", exhausted)
    code, text = run(capsys, "--run-dir", tmp_path, *TINY)
    assert code == 1, text
    assert "There is not enough memory. Lower --batch-size, or split each batch with --grad-accum-steps." in text


def test_a_full_disk_that_tensorstore_reports_is_not_taken_for_a_lack_of_memory(tmp_path, capsys, monkeypatch):
    """TensorStore's message contains RESOURCE_EXHAUSTED, as JAX's message about memory does."""

    def full(*_):
        raise OSError("A checkpoint could not be written: RESOURCE_EXHAUSTED: No space left on device")

    monkeypatch.setattr("jaxgan.training.loop.train", full)
    code, text = run(capsys, "--run-dir", tmp_path, *TINY)
    assert code == 1
    assert "No space left on device. Free some disk space and run the same command again" in text
    assert "memory" not in text


def test_a_run_of_another_experiment_is_refused(copy, capsys):
    code, text = run(capsys, "--run-dir", copy, *programs.tiny("gan"), experiment="gan")
    assert (
        code,
        "contains a run of the experiment 'dcgan', not of 'gan'. Run `python -m experiments.dcgan`, or" in text,
    ) == (2, True)


def test_a_damaged_config_json_is_reported(copy, capsys):
    (copy / "config.json").write_text("[1, 2")
    code, text = run(capsys, "sample", "--run-dir", copy, "--out", "a.png")
    assert (
        code,
        "config.json is not valid JSON at line 1, column 6 (Expecting ',' delimiter). Restore it from a backup" in text,
    ) == (2, True)


def test_a_config_json_of_another_version_is_reported(copy, capsys):
    record = json.loads((copy / "config.json").read_text())
    record["config"]["momentum"] = 0.5
    (copy / "config.json").write_text(json.dumps(record))
    code, text = run(capsys, "sample", "--run-dir", copy, "--out", "a.png")
    assert (code, "settings that dcgan does not have: momentum" in text) == (2, True)
    del record["config"]["momentum"], record["config"]["norm"], record["config"]["r1_gamma"]
    (copy / "config.json").write_text(json.dumps(record))
    code, text = run(capsys, "sample", "--run-dir", copy, "--out", copy / "a.png")
    assert (
        "The missing settings get these values: norm batch, r1_gamma 1.0. If the run was trained with other values"
        in text
    )
    assert code == 0


def test_a_run_without_all_recorded_settings_is_resumed(copy, capsys):
    """A missing setting is not added to config.json, because the present default may differ from the run's value."""
    record = json.loads((copy / "config.json").read_text())
    steps = record["config"]["steps"]
    del record["config"]["r1_gamma"]
    (copy / "config.json").write_text(json.dumps(record))
    code, text = run(capsys, "--run-dir", copy, *TINY, "--steps", steps, "--r1-gamma", 2.0)
    assert (code, text.count("The missing settings get these values: r1_gamma 1.0")) == (0, 1), text
    assert "r1_gamma" not in json.loads((copy / "config.json").read_text())["config"]


def flip_a_byte(checkpoint):
    """Flip a bit in the middle of each array file of a checkpoint."""
    for path in (checkpoint / "state").rglob("d/*"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


def truncate(checkpoint):
    for path in (checkpoint / "state").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose_checksums(checkpoint):
    shutil.rmtree(checkpoint / "checksums")


@pytest.fixture
def to_damage(copy):
    """Collect the coroutines that Orbax leaves behind after an error, so that they warn in the test that made them."""
    yield copy
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", [flip_a_byte, truncate, lose_checksums])
def test_a_run_with_a_damaged_newest_checkpoint_resumes_from_the_previous_one(damage, to_damage, trained, capsys):
    copy = to_damage
    damage(copy / "checkpoints" / "4")
    code, text = run(capsys, "inspect", "--run-dir", copy)
    assert code == 2, text
    assert "error: " in text
    code, text = run(capsys, "--steps", 4, "--checkpoint-every", 2, "--run-dir", copy, *TINY)
    assert code == 0, text
    assert "checkpoint 4 is damaged" in text
    assert "resumed from step 2" in text
    assert programs.inspect(capsys, copy) == programs.inspect(capsys, trained)
    assert (copy / "damaged" / "4").is_dir()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_run_with_only_damaged_checkpoints_is_refused(to_damage, capsys):
    copy = to_damage
    for step in ("2", "4"):
        flip_a_byte(copy / "checkpoints" / step)
    code, text = run(capsys, "--steps", 4, "--run-dir", copy, *TINY)
    assert (code, "are damaged (steps 2, 4)" in text) == (2, True), text
    # The refused command did not move the checkpoints, so the second one does not start over.
    again, text = run(capsys, "--steps", 4, "--run-dir", copy, *TINY)
    assert (again, "are damaged (steps 2, 4)" in text) == (2, True), text


def test_a_checkpoint_of_another_network_is_refused(copy, tmp_path, capsys):
    other = tmp_path / "other"
    wide = [*TINY, "--g-channels", 6]
    assert run(capsys, "--steps", 4, "--run-dir", other, *wide)[0] == 0
    shutil.rmtree(copy / "checkpoints")
    shutil.copytree(other / "checkpoints", copy / "checkpoints")
    before = programs.inspect(capsys, copy)
    code, text = run(capsys, "--steps", 5, "--run-dir", copy, *TINY)
    assert "belongs to another game: " in text
    assert "is float32[6], not float32[4]" in text
    assert code == 2
    assert programs.inspect(capsys, copy) == before


def test_a_second_run_in_the_same_directory_is_refused(copy, capsys):
    with (copy / ".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, text = run(capsys, "--steps", 5, "--run-dir", copy, *TINY)
    assert (code, "is in use by another run. Wait until it has finished" in text) == (2, True)


def test_a_file_at_the_path_of_the_run_directory_is_reported(tmp_path, capsys):
    (tmp_path / "run").write_text("")
    code, text = run(capsys, "--run-dir", tmp_path / "run" / "below", *TINY)
    assert (code, "cannot be created, because a file is in its place" in text) == (2, True), text
    code, text = run(capsys, "--run-dir", tmp_path / "run", *TINY)
    assert (code, "cannot be created, because a file is in its place" in text) == (2, True), text


def test_a_run_directory_that_cannot_be_written_is_reported(capsys):
    code, text = run(capsys, "--run-dir", "/proc/jaxgan", *TINY)  # not even root can write below /proc
    assert (code, "--run-dir /proc/jaxgan cannot be written" in text) == (1, True), text


def test_a_full_disk_ends_the_run_and_preserves_the_checkpoints(tmp_path, capsys):
    """A limit on the size of files simulates the full disk. metrics.jsonl is the first file to reach it."""
    flags = ["--steps", 20_000, "--checkpoint-every", 100, "--run-dir", tmp_path / "run", *TINY]
    command = [sys.executable, "-m", "experiments.dcgan", *map(str, flags)]
    data.load("digits")  # prepares the data before the limit applies
    capsys.readouterr()
    limited = ["bash", "-c", 'ulimit -f 400; exec "$@"', "bash", *command]
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1"}
    done = subprocess.run(limited, cwd=programs.ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1, done.stderr
    assert "File too large. Free some disk space and run the same command again" in done.stderr
    saved = int(programs.inspect(capsys, tmp_path / "run").splitlines()[0].removeprefix("step "))
    assert saved >= 100
    assert saved % 100 == 0


def test_a_directory_with_other_files_is_not_overwritten(tmp_path, capsys):
    for name in ("config.json", "report.html"):
        (tmp_path / name).write_text("mine")
    for more in ([], ["--fresh"]):
        code, text = run(capsys, "--run-dir", tmp_path, *TINY, *more)
        assert (code, "contains config.json, report.html, but no valid config.json of a run" in text) == (2, True), text
    assert (tmp_path / "report.html").read_text() == "mine"


def test_fresh_with_invalid_settings_removes_nothing(copy, capsys):
    before = programs.inspect(capsys, copy)
    code, text = run(capsys, "--run-dir", copy, *TINY, "--fresh", "--grad-accum-steps", 3, "--devices", 1)
    assert (code, "cannot be split evenly into 3 micro-batches" in text) == (2, True), text
    assert programs.inspect(capsys, copy) == before


def test_a_single_image_can_be_trained_on(tmp_path, capsys):
    folder(tmp_path / "images", {"a.png": noise()})
    code, text = run(capsys, "--data", tmp_path / "images", "--steps", 2, "--run-dir", tmp_path / "run", *TINY)
    assert code == 0, text
    assert "saved at step 2" in text
