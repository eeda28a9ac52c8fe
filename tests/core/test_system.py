"""Tests of the fallbacks for other operating systems, and of a training without modules that some systems lack."""

import json
import os
import re
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

# This program simulates a system without the modules and functions of Unix, and then runs commands of an experiment one
# after the other, as separate processes would. The commands are a list in JSON. Its msvcrt replaces the module of Windows.
# It refuses to lock the same file twice in a command. If a command begins with true, it refuses all locks.
WITHOUT_UNIX = """
import json, os, runpy, sys, types
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("getloadavg", "sched_getaffinity", "sched_setaffinity"):
    delattr(os, name)
if hasattr(os, "process_cpu_count"):  # Python 3.13 and later implement it with sched_getaffinity if that exists
    os.process_cpu_count = os.cpu_count
msvcrt = types.ModuleType("msvcrt")
msvcrt.LK_NBLCK, msvcrt.taken = 2, set()
def locking(number, mode, count):
    path = os.readlink(f"/proc/self/fd/{number}")
    if path in msvcrt.taken or is_taken:
        raise PermissionError(13, "Permission denied")
    msvcrt.taken.add(path)
msvcrt.locking = locking
from jaxgan.core import system
assert system.fcntl is system.resource is None
system.msvcrt = msvcrt
for is_taken, *command in json.loads(sys.argv.pop()):
    msvcrt.taken.clear()
    sys.argv[1:] = command
    try:
        runpy.run_module("experiments.gan", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as stop:
        code = stop.code
    print("exit code", code, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="The function configures glibc, which is on Linux only.")
def test_freed_memory_is_reused():
    """The page faults of writing 64 MiB, which are 16,384 pages or 32 huge pages, disappear. Only Linux is affected."""
    result = subprocess.run([sys.executable, "-c", FREED_MEMORY], capture_output=True, text=True, cwd=programs.ROOT)
    assert result.returncode == 0, result.stderr
    if result.stdout.split() == ["none"]:
        pytest.skip("The C library is not glibc.")
    given_back, kept = map(int, result.stdout.split())
    assert given_back >= 32 and kept < 8


def test_commands_configure_the_allocator(tmp_path, capsys, monkeypatch):
    calls = []
    monkeypatch.setattr("jaxgan.core.system.keep_freed_memory", lambda: calls.append(1))
    assert programs.run(capsys, "inspect", "--run-dir", tmp_path)[0] == 2 and calls == [1]


@pytest.mark.integration
def test_a_system_without_unix_modules_trains_samples_and_locks(tmp_path):
    run, grid = ["--run-dir", str(tmp_path / "run"), *programs.tiny("gan"), "--steps"], tmp_path / "grid.png"
    sample = ["sample", *run[:2], "--out", str(grid)]
    commands = [[False, *run, "2"], [False, *run, "3"], [True, *run, "4"], [False, *sample]]
    line = [sys.executable, "-c", WITHOUT_UNIX, json.dumps(commands)]
    result = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=programs.ROOT)
    assert result.returncode == 0, result.stdout
    _, resumed, locked, _, rest = re.split(r"exit code \d+\n", result.stdout)
    assert re.findall(r"exit code (\d+)", result.stdout) == ["0", "0", "2", "0"] and not rest, result.stdout
    assert "resumed from step 2" in resumed and "is in use by another run" in locked, result.stdout
    assert (tmp_path / "run" / "report.html").exists() and grid.exists()


def test_unknown_measurements_are_none_without_unix_modules(monkeypatch):
    monkeypatch.setattr(system, "resource", None)
    monkeypatch.delattr("os.getloadavg", raising=False)
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert system.peak_memory_bytes() is None and system.load_average() is None and system.cores() >= 1


def test_peak_memory_is_in_bytes():
    assert 10e6 < system.peak_memory_bytes() < 1e12


def test_one_process_at_a_time_holds_a_lock(tmp_path):
    hold = "import sys\nfrom jaxgan.core import system\nf = open(sys.argv[1], 'a')\nprint(system.try_lock(f), flush=True)\ninput()"
    path = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", hold, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=programs.ROOT
    ) as other:
        assert other.stdout.readline() == "True\n"
        with path.open("a") as file:
            assert not system.try_lock(file)
            other.communicate("\n")
            system.lock(file)  # waits until the other process ends


def test_locking_always_succeeds_on_a_system_without_file_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(system, "fcntl", None)
    monkeypatch.setattr(system, "msvcrt", None)
    with (tmp_path / "a").open("a") as one, (tmp_path / "a").open("a") as other:
        assert system.try_lock(one) and system.try_lock(other)


def test_versions_and_hardware_describe_this_machine():
    assert {"jaxgan", "python", "jax", "numpy"} <= set(system.versions())
    assert system.hardware() == "8 x cpu"


def test_a_signature_has_the_version_and_the_experiment():
    assert system.signature("dcgan") == f"jaxgan {system.__version__} dcgan"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no handlers of SIGABRT.")
@pytest.mark.parametrize(
    ("end", "code", "message"),
    [
        ("ctypes.CDLL(None).abort()", 1, "error: A host is lost. The messages of JAX are in "),
        (
            "from jaxgan.core.system import expect_exit; expect_exit(); threading.Timer(0.5, os._exit, (7,)).start(); ctypes.CDLL(None).abort()",
            7,
            "",
        ),
        (
            "from jaxgan.core.system import exit_immediately; print('own', file=sys.stderr); exit_immediately(3)",
            3,
            "own",
        ),
        ("sys.exit('own')", 1, "own"),
    ],
)
def test_an_abort_of_compiled_code_ends_the_process_with_a_message(end, code, message, tmp_path):
    """The messages of compiled code are in a temporary file, which is removed if Python ends the process."""
    program = f"""
import ctypes, os, sys, threading
from jaxgan.core import system
system.exit_on_abort("A host is lost.")
os.write(2, b"noise of compiled code")
{end}
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, cwd=programs.ROOT, env=environment, timeout=60)
    assert result.returncode == code, result.stderr
    assert result.stderr.startswith(message) and result.stderr.count("\n") == bool(message)
    logs = list(tmp_path.glob("jaxgan-*.log"))
    if "messages of JAX" in message:
        assert logs[0].read_text() == "noise of compiled code" and str(logs[0]) in result.stderr
    elif code != 7:
        assert not logs


MEMINFO = "MemTotal: 9000 kB\nMemAvailable: 4000 kB\nSwapFree: 1000 kB\nHugePages_Total: 0\n"
FILES = {
    "a machine": ({"/proc/meminfo": MEMINFO}, 5000 * 1024),
    "a container": ({"/proc/meminfo": MEMINFO, "/sys/fs/cgroup/memory.max": "3000000\n",
                     "/sys/fs/cgroup/memory.current": "1000000\n"}, 2_000_000),
    "a full container": ({"/proc/meminfo": MEMINFO, "/sys/fs/cgroup/memory.max": "10\n",
                          "/sys/fs/cgroup/memory.current": "20\n"}, 0),
    "no limit": ({"/proc/meminfo": MEMINFO, "/sys/fs/cgroup/memory.max": "max\n",
                  "/sys/fs/cgroup/memory.current": "20\n"}, 5000 * 1024),
    "another system": ({}, None),
    "unknown lines": ({"/proc/meminfo": "MemTotal: 9000 kB\n"}, None),
}  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), FILES.values(), ids=FILES.keys())
def test_the_available_memory_is_that_of_the_machine_or_of_the_container(files, expected, monkeypatch):
    def read(path):
        if str(path) not in files:
            raise FileNotFoundError(path)
        return files[str(path)]

    monkeypatch.setattr(system.Path, "read_text", read)
    assert system.available_memory_bytes() == expected
