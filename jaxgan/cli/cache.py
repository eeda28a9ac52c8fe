"""Store the compiled XLA programs of all runs in a directory of the user, so that later runs start faster."""

import hashlib
import os
import platform
from pathlib import Path

import jax

from jaxgan.core import system

# Seconds of compilation below which a program is not stored. A stored program is loaded in about 0.01 s.
MIN_COMPILE_SECONDS = 0.05


def compilation_directory() -> Path:
    """Return the directory of compiled programs, which is below XDG_CACHE_HOME or ~/.cache.

    The directory's name contains a hash of the processor's features. Machines that share a home directory can have
    different processors, which may be unable to execute each other's programs.
    """
    features = [line for line in system.cpuinfo() if line.startswith(("flags", "Features", "model name"))][:2]
    parts = [platform.machine(), platform.processor(), *features]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return system.cache_directory() / f"compiled-{digest}"


def enable_compilation_cache() -> Path | None:
    """Let JAX store compiled programs, so that a resumed run does not compile them again.

    The environment variable JAX_COMPILATION_CACHE_DIR sets another directory. An empty value disables the cache. The
    environment variable JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS replaces ``MIN_COMPILE_SECONDS``.

    Returns:
      The directory, or None if the cache is disabled or the directory is not writable.
    """
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        directory = os.environ["JAX_COMPILATION_CACHE_DIR"]  # JAX reads this variable itself
        return Path(directory) if directory else None
    path = compilation_directory()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(path, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(path))
    return path
