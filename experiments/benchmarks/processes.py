"""jaxgan and PyTorch in pairs of fresh processes, one after the other, each time in the other order."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from jaxgan.core import system

SIDES = ("jaxgan", "torch")


class Race(NamedTuple):
    """What was measured.

    Attributes:
      forms: of each side every form's milliseconds, or why it does not run here.
      best: of each side the fastest form, which the pairs are of.
      pairs: what each process found, by side; ``ms`` among it.
      ratio: PyTorch's time over jaxgan's: the median over pairs, and its bootstrap 95 % interval.
    """

    forms: dict[str, dict[str, Any]]
    best: dict[str, str]
    pairs: list[dict[str, Any]]
    ratio: tuple[float, float, float]


def check_form(form: str, side: str, forms: Mapping[str, Sequence[str]]) -> None:
    """Exit with the forms of the side if it has no such form; an empty form stands for its first one."""
    known = forms.get(side, ())
    if form and form not in known:
        sys.exit(f"error: --form {form!r}: of --side {side} there are {', '.join(known) or 'none'}")


def race_implementations(
    module: str, flags: Sequence[str], forms: Mapping[str, Sequence[str]], agree_to: float, pairs: int, seconds: float
) -> Race:
    """Race the two sides of a benchmark, each run in processes of its own, if they agree; exit if they do not.

    Args:
      module: the benchmark, a program with flags ``--side``, ``--form`` and ``--seconds``. Its last line is JSON: of
        ``--side agree`` with ``apart``, how far the two sides are apart; of one side with ``ms``.
      flags: its other flags.
      forms: by side, those to try.
      agree_to: how far the sides may be apart.
      pairs: of processes.
      seconds: how long each times its steps.
    """
    apart = run_program(module, *flags, "--side", "agree")["apart"]
    if apart > agree_to:
        sys.exit(f"error: the two sides are {apart:.1e} apart, more than {agree_to:g}; not timed")
    print(f"the two sides agree to {apart:.1e}", flush=True)

    def run(side: str, form: str, seconds: float) -> dict[str, Any]:
        return run_program(module, *flags, "--side", side, "--form", form, "--seconds", str(seconds))

    return run_race(run, forms, pairs, seconds)


def run_race(run: Callable[..., dict], forms: Mapping[str, Sequence[str]], pairs: int, seconds: float) -> Race:
    """Try each side's forms, then time the fastest of each in pairs; results are printed as they come.

    Args:
      run: ``(side, form, seconds) -> {"ms": ..., ...}``, in a process of its own.
      forms: by side.
      pairs: of processes.
      seconds: how long each times its steps; forms are tried for two at most.
    """
    tried, best = {}, {}
    for side in SIDES:
        tried[side], best[side] = fastest(side, forms[side], lambda form, side=side: run(side, form, min(seconds, 2.0)))
    measured = []
    for i in range(pairs):
        order = SIDES if i % 2 == 0 else SIDES[::-1]
        measured.append({side: run(side, best[side], seconds) for side in order})
        ours, theirs = (measured[-1][side]["ms"] for side in SIDES)
        print(f"  pair {i + 1}: jaxgan {ours:.2f} ms, PyTorch {theirs:.2f} ms, {theirs / ours:.2f}", flush=True)
    return Race(
        tried, best, measured, median_interval([pair["torch"]["ms"] / pair["jaxgan"]["ms"] for pair in measured])
    )


def fastest(side: str, known: Sequence[str], run: Callable[[str], dict]) -> tuple[dict[str, Any], str]:
    """Every form's milliseconds, or why it does not run here; and the fastest's name."""
    forms: dict[str, Any] = {}
    for form in known:
        try:
            forms[form] = run(form)["ms"]
        except RuntimeError as error:
            said = [line for line in str(error).splitlines() if "Error" in line] or [str(error).strip()]
            forms[form] = f"does not run: {said[-1].strip()[:160]}"
        told = forms[form] if isinstance(forms[form], str) else f"{forms[form]:.2f} ms"
        print(f"  {side}, {form}: {told}", flush=True)
    times = {form: ms for form, ms in forms.items() if isinstance(ms, float)}
    if not times:
        sys.exit(f"error: {side} runs in no form here")
    return forms, min(times, key=lambda form: times[form])


def run_program(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON in the last line that a program prints, run in a fresh process.

    Raises:
      RuntimeError: it failed; the message is what it printed.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr or done.stdout or f"exit {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def median_interval(ratios: list[float]) -> tuple[float, float, float]:
    """The median, and its bootstrap 95 % interval."""
    if len(ratios) < 2 or np.ptp(ratios) == 0:  # nothing to draw again
        return float(np.median(ratios)), min(ratios), max(ratios)
    drawn = stats.bootstrap((np.array(ratios),), np.median, method="percentile", rng=np.random.default_rng(0))
    low, high = drawn.confidence_interval
    return float(np.median(ratios)), float(low), float(high)


def median(pairs: Sequence[Mapping[str, Any]], side: str, key: str) -> Any:
    """The median over pairs of one side's value; None if a pair has none."""
    values = [pair[side][key] for pair in pairs]
    return None if None in values else float(np.median(values))


def describe_hardware() -> str:
    """The processor and the accelerators, in words."""
    models = [line for line in system.cpuinfo() if line.startswith("model name")]
    name = models[0].partition(":")[2].strip() if models else platform.processor()
    return f"{os.cpu_count()} cores of {name}; {system.hardware()}"


def format_race(what: str, race: Race, of: str = "a step") -> str:
    """A race in Markdown."""
    ours, theirs = (median(race.pairs, side, "ms") for side in SIDES)
    ratio, low, high = race.ratio
    lines = [
        f"{describe_hardware()}; {describe_versions()}; {len(race.pairs)} pairs.",
        "",
        f"| | PyTorch / jaxgan | 95 % | jaxgan ms {of} | PyTorch ms {of} | its form |",
        "|---|---|---|---|---|---|",
        f"| {what} | **{ratio:.2f}** | {low:.2f} to {high:.2f} | {ours:.4g} | {theirs:.4g} | {race.best['torch']} |",
    ]
    return "\n".join(lines) + "\n"


def describe_versions() -> str:
    """The versions of the libraries of both sides."""
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "jaxlib", "flax", "torch", "numpy"))
