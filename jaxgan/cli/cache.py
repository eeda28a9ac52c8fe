"""The directory on the user's disk where the compiled programs of all runs are kept."""

import hashlib
import os
import platform
from pathlib import Path

import jax

from jaxgan.core import system

MIN_COMPILE_SECONDS = 0.2  # programs that compile faster are not kept


def compilation_directory() -> Path:
    """Where compiled programs are kept, below XDG_CACHE_HOME or ~/.cache.

    The name depends on the processor's features: machines that share a home may not run each other's programs.
    """
    features = [line for line in system.cpuinfo() if line.startswith(("flags", "Features", "model name"))][:2]
    parts = [platform.machine(), platform.processor(), *features]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return system.cache_directory() / f"compiled-{digest}"


def enable_compilation_cache() -> Path | None:
    """Keep compiled programs, so that a run that is resumed starts at once.

    JAX_COMPILATION_CACHE_DIR, if it is set, names another directory; empty, it turns the cache off.

    Returns:
      The directory; None if the cache is off, or the directory cannot be written.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        chosen = os.environ["JAX_COMPILATION_CACHE_DIR"]  # JAX has read it
        return Path(chosen) if chosen else None
    path = compilation_directory()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(path, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
    return path
