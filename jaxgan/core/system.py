"""What a result depends on beside its settings: versions, devices, processors."""


# Protobuf makes the classes of its modules as it imports them.
# pyright: reportAttributeAccessIssue=false

import ctypes
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import jax

from jaxgan.version import __version__


def versions() -> dict[str, str]:
    """Of what a result depends on."""
    others = ("jax", "jaxlib", "flax", "optax", "numpy")
    python = platform.python_version()
    return {"jaxgan": __version__, "python": python, **{name: metadata.version(name) for name in others}}


def hardware() -> str:
    """The devices, in words: ``2 x cpu``."""
    kinds = [device.device_kind for device in jax.devices()]
    return ", ".join(f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds))


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpuinfo() -> list[str]:
    """What the system says of its processors, line by line; nothing where it does not say."""
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


_KEPT = {  # of malloc.h, and mallopt(3)
    -8: 1,  # M_ARENA_MAX: the arenas of threads map large memory all the same
    -4: 0,  # M_MMAP_MAX: nothing by mmap, which free unmaps
    -1: -1,  # M_TRIM_THRESHOLD: never give back
}


def keep() -> bool:
    """Have this process's allocator keep what is freed from now on; call it before JAX computes.

    The process has then the memory of its peak until it ends.

    Returns:
      Whether that is so: by glibc alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and min(mallopt(what, value) for what, value in _KEPT.items()) == 1
