"""Compiled programs are kept on disk, so that a run which is resumed begins at once."""

import hashlib
import os
import platform
from pathlib import Path

import jax

from jaxgan.core import system

LEAST_SECONDS = 0.2  # of compilation, for its result to be kept


def directory() -> Path:
    """Where they are kept if the user names no place: below XDG_CACHE_HOME, or ~/.cache.

    By the processor's features: a home that several machines share may hold programs that some of them cannot run.
    """
    features = [line for line in system.cpuinfo() if line.startswith(("flags", "Features", "model name"))][:2]
    own = hashlib.sha256("\n".join([platform.machine(), platform.processor(), *features]).encode()).hexdigest()[:12]
    return _root() / f"compiled-{own}"


def classifiers() -> Path:
    """Where classifiers are kept that metrics look at images with."""
    return _root() / "classifiers"


def _root() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxgan"


def enable() -> Path | None:
    """Keep compiled programs, unless JAX_COMPILATION_CACHE_DIR says where (or, empty, that none are kept).

    Returns:
      The directory; None where it cannot be written: then a run compiles anew, and nothing else.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return Path(found) if (found := os.environ["JAX_COMPILATION_CACHE_DIR"]) else None
    path = directory()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(path, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    return path
