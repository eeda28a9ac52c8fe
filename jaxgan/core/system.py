"""Query and control everything that differs between machines: operating system, processors, installed versions.

The tests run on Linux. macOS and Windows lack some of the modules and functions below. Every use of ``fcntl``,
``msvcrt``, ``resource``, ``os.getloadavg``, ``os.sched_getaffinity`` and ``ctypes`` is therefore in this file, and has
a fallback. ``tests/core/test_system.py`` runs a training without them.
"""

import atexit
import contextlib
import ctypes
import os
import platform
import signal
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import IO

import jax

from jaxgan.version import __version__

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    import msvcrt
except ImportError:  # every other system
    msvcrt = None
try:
    import resource
except ImportError:  # Windows
    resource = None

_LOCK_POLL_SECONDS = 0.1  # seconds between two attempts to lock a file
# Position of the byte that is locked on Windows. Windows also prevents other processes from reading a locked byte, so
# the position is far behind the end of the file.
_LOCKED_BYTE = 1 << 30

_STDERR = 2  # the file descriptor of standard error
_SECONDS_TO_END = 10.0  # time in which a process that has reported an error ends by itself
_handlers: list = []  # handlers of signals in C, which Python must not delete
_logs: list[Path] = []  # the temporary files of ``exit_on_abort``
_reported: list[bool] = []  # not empty if the process ends because of an error that it reports

_MALLOPT_SETTINGS = {  # maps options of glibc's mallopt(3) to their values; the numbers are from malloc.h
    -8: 1,  # M_ARENA_MAX: use one arena, because the arenas of other threads would still allocate with mmap
    -4: 0,  # M_MMAP_MAX: do not allocate with mmap, because `free` unmaps such memory
    -1: -1,  # M_TRIM_THRESHOLD: never return freed memory to the kernel
}


def cache_directory() -> Path:
    """Return the folder for files that jaxgan can create again: ``$XDG_CACHE_HOME/jaxgan`` or ``~/.cache/jaxgan``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxgan"


def classifier_directory() -> Path:
    """Return the folder in which jaxgan caches the classifiers that compute the features of metrics."""
    return cache_directory() / "classifiers"


def versions() -> dict[str, str]:
    """Return a dictionary from names to versions, for jaxgan, Python and the packages that results depend on."""
    packages = ("jax", "jaxlib", "flax", "optax", "numpy")
    installed = {name: metadata.version(name) for name in packages}
    return {"jaxgan": __version__, "python": platform.python_version(), **installed}


def signature(experiment: str) -> str:
    """Return the text that names the creator in the metadata of files, such as ``jaxgan 0.1.0 dcgan``.

    Args:
      experiment: the name of the experiment.
    """
    return f"jaxgan {versions()['jaxgan']} {experiment}"


def hardware() -> str:
    """Return the number and the kind of JAX's devices as text, such as ``2 x cpu``."""
    kinds = [device.device_kind for device in jax.devices()]
    return ", ".join(f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds))


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpuinfo() -> list[str]:
    """Return the lines of Linux's /proc/cpuinfo, which describes the processors, or an empty list on other systems."""
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def load_average() -> float | None:
    """Return the system's load average over the last minute, or None if the system does not report it."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def peak_memory_bytes() -> int | None:
    """Return the peak resident memory of this process in bytes, or None if the system does not report it."""
    if resource is None:
        return None
    units = 1 if sys.platform == "darwin" else 1024  # macOS reports bytes, other systems report KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * units


def available_memory_bytes() -> int | None:
    """Return the number of bytes that can still be allocated, or None if the system does not report it.

    The number is the available memory and free swap space of Linux's /proc/meminfo, or the rest of the limit of this
    process's container (cgroup version 2) if that is smaller.
    """
    try:
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        kibibytes = {words[0]: int(words[1]) for words in lines}
        available = 1024 * (kibibytes["MemAvailable:"] + kibibytes["SwapFree:"])
    except (OSError, LookupError, ValueError):
        return None
    with contextlib.suppress(OSError, ValueError):  # ValueError: the limit is the word "max"
        limit, used = (int(Path("/sys/fs/cgroup", name).read_text()) for name in ("memory.max", "memory.current"))
        available = min(available, max(limit - used, 0))
    return available


def try_lock(file: IO) -> bool:
    """Try to lock an open file against other processes until it is closed.

    Args:
      file: a file that is open for writing.

    Returns:
      True if the file is locked now, False if another process holds the lock. On a system without file locks, the
      result is always True.
    """
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
    except OSError:
        return False
    return True


def lock(file: IO) -> None:
    """Lock an open file as ``try_lock`` does, and wait while another process holds the lock."""
    while not try_lock(file):
        time.sleep(_LOCK_POLL_SECONDS)


def exit_on_abort(message: str) -> None:
    """Print a message on standard error and exit with code 1 if compiled code aborts the process (SIGABRT).

    Python's own handlers run only after the compiled code returns, which an abort never does. Messages that compiled
    code prints afterwards on standard error are appended to a temporary file, which the message names. The file is
    removed when the process ends normally. On Windows, this function does nothing.

    Args:
      message: one or more sentences.
    """
    if sys.platform == "win32":
        return
    terminal = os.dup(_STDERR)
    sys.stderr = os.fdopen(terminal, "w", buffering=1, errors="backslashreplace", closefd=False)
    log, path = tempfile.mkstemp(prefix="jaxgan-", suffix=".log")
    os.dup2(log, _STDERR)
    os.close(log)

    def restore():
        sys.stderr.flush()
        os.dup2(terminal, _STDERR)
        Path(path).unlink(missing_ok=True)

    def end(number):
        if _reported:
            time.sleep(_SECONDS_TO_END)
        os.write(terminal, f"error: {message} The messages of JAX are in {path}.\n".encode())
        os._exit(1)

    atexit.register(restore)
    _logs.append(Path(path))
    _handlers.append(ctypes.CFUNCTYPE(None, ctypes.c_int)(end))
    # The types must be declared, because the default result type would cut off the address of the previous handler.
    set_handler = ctypes.CDLL(None).signal
    set_handler.argtypes, set_handler.restype = (ctypes.c_int, type(_handlers[-1])), ctypes.c_void_p
    set_handler(signal.SIGABRT, _handlers[-1])


def expect_exit() -> None:
    """Give this process the time to report an error by itself, if compiled code aborts from now on."""
    _reported.append(True)


def exit_immediately(code: int) -> None:
    """End this process without waiting for other processes, after the output was flushed.

    Args:
      code: the exit code.
    """
    for path in _logs:
        path.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def keep_freed_memory() -> bool:
    """Configure this process to keep the memory that a training step frees, and to reuse it in the next step.

    XLA's CPU backend allocates the memory of a step in every step. By default, glibc returns large freed blocks to the
    kernel immediately, so the kernel must map and zero their pages again. In a step of pix2pix this causes 22,000 page
    faults, and the step takes at least a third longer (``experiments.benchmarks.memory``). Call this function before
    JAX computes anything. Afterwards, the process does not return its peak memory to the system until it ends.

    Returns:
      Whether the allocator was configured, which requires glibc.
    """
    if sys.platform != "linux":
        return False
    mallopt = None
    with contextlib.suppress(OSError):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(option, value) == 1 for option, value in _MALLOPT_SETTINGS.items())
