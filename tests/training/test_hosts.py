"""Tests of the command line on several hosts, which are simulated by two processes with two devices each."""

import signal
import socket
import time

import pytest
from helpers import programs
from helpers.programs import TINY


def start_both(run_dir, steps):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    several = ["--parallel", "shard_map", "--coordinator", coordinator, "--num-processes", 2]
    flags = ["--steps", steps, "--run-dir", run_dir, "--checkpoint-every", 1000, *TINY, *several]
    return [programs.start(*flags, "--process-id", i, JAX_NUM_CPU_DEVICES="2") for i in range(2)]


@pytest.mark.integration
def test_a_signal_to_one_process_stops_all_at_the_same_step_and_one_process_can_resume(tmp_path, capsys):
    run_dir = tmp_path / "run"
    processes = start_both(run_dir, 10**6)
    speed, end = run_dir / "speed.jsonl", time.monotonic() + 120
    while not (speed.exists() and speed.stat().st_size):
        assert all(process.poll() is None for process in processes), [p.stdout.read() for p in processes]
        assert time.monotonic() < end
        time.sleep(0.05)
    processes[1].send_signal(signal.SIGTERM)
    told = [process.communicate(timeout=100)[0] for process in processes]
    assert processes[1].returncode == 143, told
    # Process 0 received no signal. It saves its state, stops at the same step and exits with the same code.
    assert processes[0].returncode == 143, told
    step = int(programs.inspect(capsys, run_dir).splitlines()[0].removeprefix("step "))
    assert f"saved at step {step}" in told[0]
    assert len((run_dir / "metrics.jsonl").read_text().splitlines()) == step
    code, text = programs.run(capsys, "--steps", 10**6 + 1, "--run-dir", run_dir, *TINY, "--dry-run")
    assert code == 0, text
    alone = programs.start("--steps", 10**6, "--run-dir", run_dir, *TINY)
    while "resumed" not in (line := alone.stdout.readline()):
        assert line, "ended without resuming"
    alone.kill()
    alone.communicate()
    assert f"resumed from step {step}" in line
