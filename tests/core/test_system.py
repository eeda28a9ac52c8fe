"""What differs between operating systems: each of its fallbacks, and a training without the modules that some lack."""

import subprocess
import sys

import pytest
from helpers import programs

from jaxgan.core import system

FREED_MEMORY = """
import resource, sys
import numpy as np
from jaxgan.core import system
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.full(1 << 26, 1, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
sys.platform = "darwin"
assert not system.keep_freed_memory()
sys.platform = "linux"
given_back = (faults(), faults())[1]
if not system.keep_freed_memory():
    print("none")
else:
    kept = (faults(), faults())[1]
    print(given_back, kept)
"""

# A system without Unix's modules: they cannot be imported, and the functions are not there. Windows' msvcrt locks a
# file for the process that came first; ours remembers which.
WITHOUT_UNIX = """
import os, runpy, sys, types
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("getloadavg", "sched_getaffinity", "sched_setaffinity"):
    delattr(os, name)
if hasattr(os, "process_cpu_count"):  # from Python 3.13 on, by sched_getaffinity where there is one
    os.process_cpu_count = os.cpu_count
msvcrt = types.ModuleType("msvcrt")
msvcrt.LK_NBLCK, msvcrt.taken = 2, set()
def locking(number, mode, count):
    path = os.readlink(f"/proc/self/fd/{number}")
    if path in msvcrt.taken or os.environ.get("TAKEN"):
        raise PermissionError(13, "Permission denied")
    msvcrt.taken.add(path)
msvcrt.locking = locking
from jaxgan.core import system
assert system.fcntl is system.resource is None
system.msvcrt = msvcrt
module, *sys.argv[1:] = sys.argv[1:]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's alone")
def test_freed_memory_is_kept():
    """64 MiB are 16,384 pages, or 32 large ones; elsewhere than on Linux nothing is done."""
    result = subprocess.run([sys.executable, "-c", FREED_MEMORY], capture_output=True, text=True, cwd=programs.ROOT)
    assert result.returncode == 0, result.stderr
    if result.stdout.split() == ["none"]:
        pytest.skip("this C library has no such settings")
    given_back, kept = map(int, result.stdout.split())
    assert given_back >= 32 and kept < 8


def test_every_command_of_a_program_keeps_freed_memory(tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("jaxgan.core.system.keep_freed_memory", lambda: asked.append(1))
    assert programs.run(capsys, "inspect", "--run-dir", tmp_path)[0] == 2 and asked == [1]


def without_unix(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_UNIX, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=programs.ROOT,
        env={**programs.os.environ, **environment},
    )


@pytest.mark.integration
def test_a_system_without_unix_modules_trains_samples_and_locks(tmp_path):
    run = ("experiments.gan", "--run-dir", tmp_path / "run", "--batch-size", 8, "--steps", 2)
    trained = without_unix(*run)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "run" / "report.html").exists()
    resumed = without_unix(*run[:-1], 3)
    assert resumed.returncode == 0 and "resumed from step 2" in resumed.stdout, resumed.stderr
    locked = without_unix(*run[:-1], 4, TAKEN="1")
    assert (locked.returncode, "another run is writing it" in locked.stderr) == (2, True), locked.stderr
    grid = tmp_path / "grid.png"
    drawn = without_unix("experiments.gan", "sample", "--run-dir", tmp_path / "run", "--out", grid)
    assert drawn.returncode == 0 and grid.exists(), drawn.stderr


def test_a_system_without_unix_modules_says_what_it_does_not_know(monkeypatch):
    monkeypatch.setattr(system, "resource", None)
    monkeypatch.delattr("os.getloadavg", raising=False)
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert system.peak_memory_bytes() is None and system.load_average() is None and system.cores() >= 1


def test_peak_memory_counts_bytes():
    assert 10e6 < system.peak_memory_bytes() < 1e12


def test_a_lock_is_one_process_at_a_time(tmp_path):
    hold = "import sys\nfrom jaxgan.core import system\nf = open(sys.argv[1], 'a')\nprint(system.try_lock(f), flush=True)\ninput()"
    path = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", hold, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=programs.ROOT
    ) as other:
        assert other.stdout.readline() == "True\n"
        with path.open("a") as file:
            assert not system.try_lock(file)
            other.communicate("\n")
            system.lock(file)  # waits for the other process's end


def test_without_any_file_lock_every_process_is_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(system, "fcntl", None)
    monkeypatch.setattr(system, "msvcrt", None)
    with (tmp_path / "a").open("a") as one, (tmp_path / "a").open("a") as other:
        assert system.try_lock(one) and system.try_lock(other)


def test_versions_and_hardware_name_what_is_here():
    assert {"jaxgan", "python", "jax", "numpy"} <= set(system.versions())
    assert system.hardware() == "8 x cpu"


def test_a_signature_has_the_version_and_the_experiment():
    assert system.signature("dcgan") == f"jaxgan {system.__version__} dcgan"
