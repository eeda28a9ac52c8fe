"""The program that measures an accelerator: its time budget, its records, and its small form on a CPU."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tyro

from experiments.benchmarks.accelerator import __main__ as program, context, peaks, plan, record, supervisor, worker
from experiments.benchmarks.accelerator.plan import Measurement

ROOT = Path(__file__).parents[2]
MODULE = "experiments.benchmarks.accelerator"


class Clock:
    """A simulated clock. A measurement takes the number of seconds that it is asked for, unless ``takes`` says more."""

    def __init__(self, **takes):
        self.now, self.takes, self.started, self.killed, self.asked = 0.0, takes, 0, 0, {}

    def __call__(self):
        return self.now

    def start(self):
        self.started += 1
        return FakeWorker(self)


class FakeWorker:
    def __init__(self, clock):
        self.clock, self.rows = clock, []

    def send(self, part, detail, seconds):
        self.clock.asked[part] = seconds
        self.ends = self.clock.now + self.clock.takes.get(part, seconds)
        self.rows = [{"crashed": "exit code -9."}] if part == "crash" else [{"ms": 1.5}, {"status": "done"}]

    def receive(self, timeout):
        if len(self.rows) == 1 and self.clock.now + timeout < self.ends:
            self.clock.now += timeout
            return None
        if len(self.rows) == 1:
            self.clock.now = self.ends
        return self.rows.pop(0)

    def kill(self):
        self.clock.killed += 1


def measure(folder, parts, seconds=100.0, **takes):
    """Run measurements with equal shares on a simulated clock. Return the clock and the status of each part."""
    clock, written = Clock(**takes), record.Record(folder)
    supervisor.run([Measurement(part, "", 1) for part in parts], clock.start, written, seconds, clock)
    return clock, {row["part"]: row["status"] for row in written.rows if "status" in row}


def test_measurements_share_the_time(tmp_path):
    clock, status = measure(tmp_path, ("device", "maps", "step", "calls"))
    assert clock.asked == {"device": 25.0, "maps": 25.0, "step": 25.0, "calls": 25.0}
    assert set(status.values()) == {"done"} and clock.now == 100 and clock.started == 1


def test_time_that_is_not_used_goes_to_later_measurements(tmp_path):
    clock, _ = measure(tmp_path, ("device", "maps", "step", "calls"), device=10.0)
    assert clock.asked == {"device": 25.0, "maps": 30.0, "step": 30.0, "calls": 30.0}


def test_a_measurement_that_takes_too_long_is_stopped_and_the_next_one_runs(tmp_path):
    clock, status = measure(tmp_path, ("device", "maps", "step", "calls"), maps=1e9)
    # maps may use its share of 25 s, and half of the 50 s that the two later measurements have.
    assert status["maps"] == "Stopped after 50 s, because its time was over."
    assert clock.asked["step"] == 12.5 and status["step"] == status["calls"] == "done"
    assert (clock.now, clock.started, clock.killed) == (100.0, 2, 2)  # the second worker is ended at the end


def test_the_time_is_kept_and_skipped_measurements_are_named(tmp_path):
    clock, status = measure(tmp_path, ("device", "maps", "step", "calls"), 60.0, device=1e9, maps=1e9, step=1e9)
    assert clock.now <= 60.0
    clock, status = measure(tmp_path / "none", ("device", "maps"), 1.0)
    assert set(status.values()) == {"Skipped, because the 0.0166667 minutes were over."} and clock.started == 0
    assert "- maps: Skipped, because" in (tmp_path / "none" / "results.md").read_text()


def test_a_crash_is_recorded_and_the_next_measurement_has_a_new_process(tmp_path):
    clock, status = measure(tmp_path, ("device", "crash", "step"))
    assert status == {"device": "done", "crash": "The process crashed: exit code -9.", "step": "done"}
    assert (clock.started, clock.killed) == (2, 2)


def test_results_are_tables_with_a_row_for_each_measurement(tmp_path):
    written = record.Record(tmp_path)
    written.add(Measurement("step", "dcgan64", 1), {"step_ms": 12.3456, "of_peak": None})
    written.add(Measurement("step", "cyclegan", 1), {"step_ms": 123456.7, "note": "a|b"})
    written.add(Measurement("step", "cyclegan", 1), {"status": "Out of memory: 12 bytes.", "seconds": 1.0})
    assert (tmp_path / "results.md").read_text() == (
        "# Measurements of an accelerator\n\n## Training steps\n\n"
        "|  | ms per step | share of the chip's peak | note |\n|---|---|---|---|\n"
        "| dcgan64 | 12.35 |  |  |\n| cyclegan | 123,457 |  | a/b |\n\n"
        "## Not measured\n\n- step cyclegan: Out of memory: 12 bytes.\n"
    )


def test_a_line_that_was_cut_off_is_removed_and_finished_measurements_are_known(tmp_path):
    written = record.Record(tmp_path)
    written.add(Measurement("step", "cyclegan", 1), {"step_ms": 1.5})
    for status, name in {"done": "dcgan64", "Skipped.": "cyclegan"}.items():
        written.add(Measurement("step", name, 1), {"status": status, "seconds": 1.0})
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"part": "step", "deta')
    again = record.Record(tmp_path)
    assert (len(again.rows), again.finished) == (3, {"step dcgan64"})
    again.add(Measurement("step", "cyclegan", 1), {"step_ms": 2.5})
    again.add(Measurement("step", "cyclegan", 1), {"status": "done", "seconds": 1.0})
    assert len(list(map(json.loads, (tmp_path / "results.jsonl").read_text().splitlines()))) == 5
    page = (tmp_path / "results.md").read_text()  # shows the second measurement in place of the first
    assert "| cyclegan | 2.5 |" in page and "| cyclegan | 1.5 |" not in page and "Not measured" not in page


def test_a_failing_measurement_is_one_sentence(tmp_path, monkeypatch):
    def fail(detail, context, seconds):
        yield {"ms": 1.0}
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nwhile trying to allocate 12 bytes.")

    monkeypatch.setattr(worker, "measurements", lambda: {"step": fail})
    rows = list(worker.answer("step", "", context.Context(True, tmp_path, None), 1.0))
    message = "Out of memory: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 12 bytes."
    assert rows == [{"ms": 1.0}, {"status": message}]
    assert worker.describe(context.Unavailable("PyTorch is not installed.")) == "PyTorch is not installed."


def test_every_measurement_has_a_function_and_its_arguments_exist():
    from experiments.benchmarks.accelerator import steps
    from experiments.benchmarks.games import CASES

    assert set(worker.measurements()) == set(plan.PARTS) == {m.part for m in plan.PLAN}
    assert plan.make_plan(parts=["calls"])[0] == plan.PLAN[0]
    assert len({m.name for m in plan.PLAN}) == len(plan.PLAN)
    for measurement in plan.PLAN:
        name, _, variant = measurement.detail.partition(" ")
        if measurement.part == "step":
            assert name in steps.CASES and variant in steps.VARIANTS
        if measurement.part in ("calls", "pytorch"):
            assert name in CASES


@pytest.mark.parametrize(
    ("platform", "kind", "dtype", "precision", "expected"),
    [
        ("gpu", "NVIDIA H100 80GB HBM3", "float32", "default", ("tf32", 494.7)),
        ("gpu", "NVIDIA H100 80GB HBM3", "float32", "highest", ("float32", 67)),
        ("gpu", "Tesla V100-SXM2-16GB", "float32", "default", ("float32", 15.7)),
        ("gpu", "Some new chip", "bfloat16", "default", ("bfloat16", None)),
        ("tpu", "TPU v5 lite", "float32", "default", ("bfloat16", 197)),
        ("tpu", "TPU v5p", "float32", "default", ("bfloat16", 459)),
        ("cpu", "cpu", "float32", "default", ("float32", None)),
    ],
)
def test_the_peak_is_that_of_the_type_to_which_a_product_is_rounded(platform, kind, dtype, precision, expected):
    rounded = peaks.rounding(platform, kind, dtype, precision)
    assert (rounded, peaks.peak_tflops(kind, rounded)) == expected


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--minutes", "0"], "error: --minutes must be above 0 and at most 1,440, got 0."),
        (["--minutes", "inf"], "error: --minutes must be above 0 and at most 1,440, got inf."),
        (["--data", "nowhere"], "error: --data must be a folder or a .zip file of images, but nowhere does not exist."),
        (["--parts", "stepp"], "error: --parts must be some of device, products, maps, step, pytorch, calls"),
    ],
)
def test_wrong_flags_are_one_sentence(flags, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        tyro.cli(program.main, args=[*flags, "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("line", ["{", '"text"', '{"part": "step"}'])
def test_a_directory_that_cannot_be_used_is_one_sentence(line, capsys, tmp_path):
    (tmp_path / "results.jsonl").write_text(line + "\n")
    with pytest.raises(SystemExit) as stopped:
        tyro.cli(program.main, args=["--out", str(tmp_path)])
    message = (
        f"error: {tmp_path}/results.jsonl has lines that this program did not write, or is damaged. Choose another"
    )
    assert stopped.value.code == 2 and message in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        tyro.cli(program.main, args=["--out", str(tmp_path / "results.jsonl")])
    assert stopped.value.code == 2 and "cannot be used: File exists. Choose" in capsys.readouterr().err


def test_help_is_printed(capsys):
    with pytest.raises(SystemExit) as stopped:
        tyro.cli(program.main, description=program.__doc__, args=["--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0 and "--minutes FLOAT" in text and "needs no network" in text


def start(folder, *flags):
    command = [sys.executable, "-m", MODULE, "--small", "--out", str(folder), *flags]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.integration
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="lists the child processes with /proc")
def test_a_killed_run_leaves_its_results_and_is_continued(tmp_path):
    running = start(tmp_path, "--parts", "products", "maps")
    results = tmp_path / "results.jsonl"
    while '"products"' not in (results.read_text() if results.exists() else ""):
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.05)
    (child,) = children(running.pid)
    running.send_signal(signal.SIGKILL)
    running.wait()
    rows = record.Record(tmp_path).rows
    assert {row["part"] for row in rows} >= {"device", "products"}
    assert "## Versions and devices" in (tmp_path / "results.md").read_text()
    while Path(f"/proc/{child}/stat").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():
        time.sleep(0.05)  # the worker ends, because its standard input is closed

    continued = start(tmp_path, "--parts", "products", "pytorch")
    printed = continued.communicate(timeout=600)[0]
    assert continued.returncode == 0, printed
    assert "results: " in printed
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    products = [row for row in rows if row["part"] == "products" and "error" in row]
    assert '"status": "PyTorch ' in results.read_text() or '"side": "torch"' in results.read_text()
    assert {"type": "bfloat16", "rounded to": "bfloat16"}.items() <= products[-1].items()


@pytest.mark.slow
def test_the_small_form_makes_all_measurements(tmp_path):
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1"}
    command = [sys.executable, "-m", MODULE, "--small", "--out", str(tmp_path), "--minutes", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = record.Record(tmp_path).rows
    status = {f"{row['part']} {row['detail']}": row["status"] for row in rows if "status" in row}
    unmeasured = {name: text for name, text in status.items() if text != "done" and "pytorch" not in name}
    assert len(status) == len(plan.make_plan(small=True)) and not unmeasured
    kinds = {row["kind of step"] for row in rows if row["detail"] == "stylegan2" and "step_ms" in row}
    assert kinds == {"without lazy terms", "with path lengths", "with R1 and path lengths", "mean"}
    assert all(row["error"] < 0.02 for row in rows if "error" in row)
    assert next(Path(row["samples"]).exists() for row in rows if "samples" in row)
