"""What a step frees is kept for the next one.

XLA's CPU backend asks for a step's memory at every step. glibc gives what is large back to the kernel as soon as it is
free, and each of its pages has to be made and zeroed anew: 22,000 faults in a step of pix2pix, which then takes a third
longer or more (``experiments.benchmarks.memory``).
"""

import ctypes
import sys

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
