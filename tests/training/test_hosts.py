"""Tests of the command line on several hosts, which are simulated by two processes with two devices each."""

import signal
import socket
import time

import jax
import numpy as np
import pytest
from helpers import programs
from helpers.programs import TINY, tiny
from jax.experimental import multihost_utils

from experiments import dcgan
from jaxgan import parallel
from jaxgan.core import rendezvous
from jaxgan.data import Arrays
from jaxgan.training import hosts


def start_both(run_dir, steps):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    several = ["--parallel", "shard_map", "--coordinator", coordinator, "--num-processes", 2]
    flags = ["--steps", steps, "--run-dir", run_dir, "--checkpoint-every", 1000, *tiny("gan"), *several]
    return [programs.start(*flags, "--process-id", i, experiment="gan", JAX_NUM_CPU_DEVICES="2") for i in range(2)]


@pytest.mark.integration
def test_a_signal_to_one_process_stops_all_at_the_same_step_and_one_process_can_resume(
    tmp_path, capsys, few_measured_steps
):
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
    step = int(programs.inspect(capsys, run_dir, "gan").splitlines()[0].removeprefix("step "))
    assert f"saved at step {step}" in told[0]
    assert len((run_dir / "metrics.jsonl").read_text().splitlines()) == step
    more = ["--run-dir", run_dir, *tiny("gan")]
    code, text = programs.run(capsys, "--steps", 10**6 + 1, *more, "--dry-run", experiment="gan")
    assert code == 0, text
    alone = programs.start("--steps", 10**6, *more, experiment="gan")
    while "resumed" not in (line := alone.stdout.readline()):
        assert line, "ended without resuming"
    alone.kill()
    alone.communicate()
    assert f"resumed from step {step}" in line


def test_a_missing_coordinator_ends_the_command_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rendezvous.meet, "__defaults__", (1.0,))
    several = ["--parallel", "shard_map", "--coordinator", "localhost:1", "--num-processes", 2, "--process-id", 1]
    code, text = programs.run(capsys, "--run-dir", tmp_path / "run", *TINY, *several)
    assert code == 1
    assert "error: Process 0 at --coordinator localhost:1 could not be reached within 1 s: Connection refused." in text


def test_an_empty_coordinator_is_refused(tmp_path, capsys):
    code, text = programs.run(capsys, "--run-dir", tmp_path / "run", *TINY, "--coordinator", "", "--num-processes", 2)
    assert code == 2 and "error: --coordinator must not be empty" in text
    assert not (tmp_path / "run").exists()


def test_auto_without_a_cluster_is_refused(monkeypatch):
    def fail(*_, **__):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", fail)
    with pytest.raises(ValueError, match=r"JAX found no cluster .* Pass all three"):
        parallel.initialize()


def test_settings_and_code_are_compared_without_the_paths_of_the_data():
    config = dcgan.Config()
    first = hosts.describe("dcgan", config)
    assert {"the experiment", "the version of jax", "the code of jaxgan", "the setting seed"} <= first.keys()
    assert hosts.describe("dcgan", dcgan.Config(data="/elsewhere/photos")) == first
    second = hosts.describe("dcgan", dcgan.Config(seed=1))
    assert {name for name in first if first[name] != second[name]} == {"the setting seed"}


def test_other_data_in_one_process_are_refused(monkeypatch):
    """The digests of two processes are passed in place of those that the processes would exchange."""
    digests = []
    monkeypatch.setattr(multihost_utils, "process_allgather", lambda x, tiled: digests.append(x) or np.array(digests))
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    images = np.zeros((100, 8, 8, 1), np.float32)
    changed = images.copy()
    changed[99, 0, 0] = -1
    hosts.check_data(Arrays(images, name="a"))
    hosts.check_data(Arrays(images, name="b"))
    for other in (images[:99], changed, images[:, :4]):
        digests[1:] = []
        with pytest.raises(ValueError, match="`data` differs between process 0 and process 1"):
            hosts.check_data(Arrays(other, name="a"))
