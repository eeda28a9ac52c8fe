"""The operating system, the processors and the installed versions: everything that differs between machines.

Linux is the system that the tests run on. macOS and Windows lack some of the modules and functions below, so every use
of ``fcntl``, ``msvcrt``, ``resource``, ``os.getloadavg``, ``os.sched_getaffinity`` and ``ctypes`` stands in this file,
with a fallback. ``tests/core/test_system.py`` runs a training without them.
"""

import contextlib
import ctypes
import os
import platform
import sys
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

_LOCK_POLL_SECONDS = 0.1
_LOCKED_BYTE = 1 << 30  # Windows locks a range of bytes; one far behind a file's end does not hinder its readers

_MALLOPT_SETTINGS = {  # names and values from glibc's malloc.h, see mallopt(3)
    -8: 1,  # M_ARENA_MAX: one arena, because the arenas of threads map large memory all the same
    -4: 0,  # M_MMAP_MAX: no allocation by mmap, which free unmaps
    -1: -1,  # M_TRIM_THRESHOLD: freed memory never returns to the kernel
}


def cache_directory() -> Path:
    """Where jaxgan keeps files that it can make again, below XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxgan"


def classifier_directory() -> Path:
    """Where the classifiers are kept whose features metrics compare."""
    return cache_directory() / "classifiers"


def versions() -> dict[str, str]:
    """The versions of jaxgan, Python and the packages that a result depends on, by name."""
    packages = ("jax", "jaxlib", "flax", "optax", "numpy")
    installed = {name: metadata.version(name) for name in packages}
    return {"jaxgan": __version__, "python": platform.python_version(), **installed}


def signature(experiment: str) -> str:
    """What files name as their maker: ``jaxgan 0.1.0 dcgan``."""
    return f"jaxgan {versions()['jaxgan']} {experiment}"


def hardware() -> str:
    """The kinds of JAX's devices with their numbers, for people: ``2 x cpu``."""
    kinds = [device.device_kind for device in jax.devices()]
    return ", ".join(f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds))


def cores() -> int:
    """The number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpuinfo() -> list[str]:
    """The lines of Linux's /proc/cpuinfo, which describe the processors; empty on other systems."""
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def load_average() -> float | None:
    """The mean number of processes that wanted a core during the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def peak_memory_bytes() -> int | None:
    """The largest resident memory that this process has had; None where the system does not say."""
    if resource is None:
        return None
    units = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * units


def try_lock(file: IO) -> bool:
    """Lock an open file against other processes, until it is closed.

    Args:
      file: open for writing.

    Returns:
      Whether the lock was taken; False if another process holds it. A system without file locks always grants it.
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
    """Lock an open file as ``try_lock`` does, and wait as long as another process holds it."""
    while not try_lock(file):
        time.sleep(_LOCK_POLL_SECONDS)


def keep_freed_memory() -> bool:
    """Have this process's allocator keep the memory that a training step frees for the next step.

    XLA's CPU backend allocates a step's memory at every step. glibc returns large freed blocks to the kernel at once,
    so each of their pages has to be mapped and zeroed again: 22,000 page faults in a step of pix2pix, which then takes
    a third longer or more (``experiments.benchmarks.memory``). Call it before JAX computes. The process keeps the
    memory of its peak until it ends.

    Returns:
      Whether the allocator was set: True with glibc alone.
    """
    if sys.platform != "linux":
        return False
    mallopt = None
    with contextlib.suppress(OSError):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(option, value) == 1 for option, value in _MALLOPT_SETTINGS.items())
