"""Time games with PyTorch and with jaxgan in new processes; see ``experiments.benchmarks.worker``."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jax

from experiments.benchmarks.accelerator.context import Context, Unavailable
from experiments.benchmarks.worker import JAXGAN_FORMS, TORCH_FORMS

SLOW = "compiled, max-autotune"  # its compilation takes minutes
_DEVICE = "import torch; print('gpu' if torch.cuda.is_available() else 'cpu')"


def measure(detail: str, context: Context, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the milliseconds per step of each form of both sides.

    Args:
      detail: name of a game in ``experiments.benchmarks.games``.
      context: what all measurements have in common.
      seconds: number of seconds for all measurements.

    Raises:
      Unavailable: if PyTorch is not installed, or does not support the device that JAX uses.
    """
    device = jax.devices()[0].platform
    if importlib.util.find_spec("torch") is None:
        raise Unavailable("PyTorch is not installed.")
    found = _run([sys.executable, "-c", _DEVICE], 60.0).strip()
    if found != device:
        raise Unavailable(f"JAX uses a {device}, but PyTorch supports only the {found}.")
    # Penalties use float32 in jaxgan, so a game with a penalty is compared in float32.
    precision = "float32" if device == "cpu" or "_r1" in detail else "tf32"
    forms = [("jaxgan", next(iter(JAXGAN_FORMS))), *(("torch", form) for form in TORCH_FORMS if form != SLOW)]
    for side, form in forms[:2] if context.small else forms:
        command = [sys.executable, "-m", "experiments.benchmarks.worker", "toy" if context.small else detail, side]
        command += ["--form", form, "--seconds", "0.05" if context.small else "1", "--precision", precision]
        row = {"game": detail, "side": side, "form": form, "precision": precision}
        try:
            result = json.loads(_run(command, seconds).splitlines()[-1])
            kept = ("compile_s", "first_step_s", "ms", "with_data_ms", "peak_mb")
            yield {**row, **{name: result[name] for name in kept}}
        except subprocess.TimeoutExpired:
            yield {**row, "note": f"stopped after {seconds:.0f} s"}
        except (RuntimeError, json.JSONDecodeError) as error:
            yield {**row, "note": " ".join(str(error).split())[-160:]}


def _run(command: list[str], seconds: float) -> str:
    """Run a program for at most a number of seconds, and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"exit code {done.returncode}")
    return done.stdout
