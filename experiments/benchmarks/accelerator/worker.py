"""Make the measurements that ``supervisor`` sends to the standard input of this process, and print their results."""

import gc
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tyro

from experiments.benchmarks.accelerator.context import Context, Unavailable

# Tests compile many small programs. With these flags, XLA compiles faster, into slower machine code.
_QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def main(out: str, small: bool = False, data: str | None = None) -> None:
    """Make measurements until the standard input is closed.

    Args:
      out: directory for files, such as sample grids.
      small: measure tiny sizes.
      data: images for the short training.
    """
    # Libraries may print to the standard output, so its descriptor is replaced by the standard error.
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if small:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_QUICK}"
    context = Context(small, Path(out), data)
    for question in _questions():
        for row in answer(question["part"], question["detail"], context, question["seconds"]):
            results.write(json.dumps(row) + "\n")
            results.flush()


def _questions() -> Iterator[dict[str, Any]]:
    """Yield the lines of the standard input. The process exits when it is closed, also during a measurement."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os.killpg(0, signal.SIGKILL)  # this process and the processes that it started

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(lines.get())


def measurements() -> dict[str, Callable[[str, Context, float], Iterator[dict[str, Any]]]]:
    """Return the function of each part. This imports JAX."""
    from experiments.benchmarks.accelerator import calls, data, maps, products, pytorch, steps

    return {
        "device": products.describe_device,
        "products": products.measure,
        "maps": maps.measure,
        "step": steps.measure,
        "pytorch": pytorch.measure,
        "calls": calls.measure,
        "jpeg": data.measure_jpeg,
        "training": data.train,
    }


def answer(part: str, detail: str, context: Context, seconds: float) -> Iterator[dict[str, Any]]:
    """Make a measurement, and yield its rows. The last row has ``status``: "done", or the error in one sentence.

    Args:
      part: the part, a key of ``measurements()``.
      detail: the argument of the measurement.
      context: what all measurements have in common.
      seconds: number of seconds that the measurement should take.
    """
    try:
        yield from measurements()[part](detail, context, seconds)
        status = "done"
    except Exception as error:  # any failure is recorded, and the next measurement follows
        status = describe(error)
    yield {"status": status}
    import jax

    jax.clear_caches()
    gc.collect()


def describe(error: Exception) -> str:
    """Return an error as one sentence of at most 300 characters.

    >>> describe(RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 12 bytes."))
    'Out of memory: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 12 bytes.'

    Args:
      error: the error.
    """
    text = " ".join(str(error).split())[:260] or "no message."
    if isinstance(error, Unavailable):
        return text
    kind = "Out of memory" if "RESOURCE_EXHAUSTED" in text or isinstance(error, MemoryError) else type(error).__name__
    return f"{kind}: {text}"


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
