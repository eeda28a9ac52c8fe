"""Time jaxgan and PyTorch in pairs of new processes.

Each pair starts one process of jaxgan and one process of PyTorch, one after the other. Their order alternates from pair
to pair. The two implementations are called sides. A form is a way to run the computation on one side, for example
compiled.
"""

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
    """The result of a comparison between jaxgan and PyTorch.

    Attributes:
      forms: maps each side to a dictionary from the names of its forms to times in milliseconds. If a form does not run
        on this machine, a text with the reason replaces its time.
      best: maps each side to the name of its fastest form, which is used in the pairs.
      pairs: one dictionary for each pair of processes. The dictionary maps each side to the results of the side's
        process. The entry ``ms`` of these results is the time in milliseconds.
      ratio: the median over pairs of PyTorch's time divided by jaxgan's time, and the lower and upper end of its
        bootstrap 95 % interval.
    """

    forms: dict[str, dict[str, Any]]
    best: dict[str, str]
    pairs: list[dict[str, Any]]
    ratio: tuple[float, float, float]


def check_form(form: str, side: str, forms: Mapping[str, Sequence[str]]) -> None:
    """Exit with an error message if the side has no form of this name.

    Args:
      form: the value of ``--form``. An empty text is always valid, and selects the first form of the side.
      side: the value of ``--side``.
      forms: maps each side, "jaxgan" or "torch", to the names of its forms. A form is a way to run the computation,
        such as "compiled".
    """
    known = forms.get(side, ())
    if form and not known:
        sys.exit(f"error: --side {side} has no forms, got --form {form!r}. Remove --form.")
    if form and form not in known:
        sys.exit(f"error: With --side {side}, --form must be one of {', '.join(map(repr, known))}, got {form!r}.")


def race_implementations(
    module: str, flags: Sequence[str], forms: Mapping[str, Sequence[str]], agree_to: float, pairs: int, seconds: float
) -> Race:
    """Time the two sides of a benchmark in separate processes, or exit if they do not compute the same numbers.

    Args:
      module: name of the benchmark's module, a program with the flags ``--side``, ``--form`` and ``--seconds``. The
        last line that the program prints is a JSON object. With ``--side agree``, the object has the entry
        ``difference``, the largest relative difference between the two sides. With ``--side jaxgan`` or ``--side
        torch``, the object has the entry ``ms``, a time in milliseconds.
      flags: all other flags of the program.
      forms: maps each side, "jaxgan" or "torch", to the names of the forms to try. A form is a way to run the
        computation, such as "compiled".
      agree_to: the largest difference that is accepted between the two sides.
      pairs: number of pairs of processes.
      seconds: number of seconds for which each process times its steps.
    """
    difference = run_program(module, *flags, "--side", "agree")["difference"]
    if difference > agree_to:
        sys.exit(
            f"error: The results of the two sides differ by {difference:.1e}, more than {agree_to:g}. "
            "The sides are not timed."
        )
    print(f"The results of the two sides agree to {difference:.1e}.", flush=True)

    def run(side: str, form: str, seconds: float) -> dict[str, Any]:
        return run_program(module, *flags, "--side", side, "--form", form, "--seconds", str(seconds))

    return run_race(run, forms, pairs, seconds)


def run_race(run: Callable[..., dict], forms: Mapping[str, Sequence[str]], pairs: int, seconds: float) -> Race:
    """Try all forms of each side, then time the fastest form of each side in pairs, and print each result immediately.

    Args:
      run: function ``(side, form, seconds) -> results`` that times a form in a new process. The entry ``ms`` of the
        returned dictionary is the time in milliseconds.
      forms: maps each side, "jaxgan" or "torch", to the names of the forms to try. A form is a way to run the
        computation, such as "compiled".
      pairs: number of pairs of processes.
      seconds: number of seconds for which each process of a pair times its steps. Each form is first
        tried for ``seconds`` seconds, but for at most two seconds.
    """
    tried, best = {}, {}
    for side in SIDES:
        tried[side], best[side] = fastest(side, forms[side], lambda form, side=side: run(side, form, min(seconds, 2.0)))
    measured = []
    for i in range(pairs):
        order = SIDES if i % 2 == 0 else SIDES[::-1]
        measured.append({side: run(side, best[side], seconds) for side in order})
        ours, theirs = (measured[-1][side]["ms"] for side in SIDES)
        ratio = f"PyTorch / jaxgan {theirs / ours:.2f}"
        print(f"  pair {i + 1}: jaxgan {ours:.2f} ms, PyTorch {theirs:.2f} ms, {ratio}", flush=True)
    return Race(
        tried, best, measured, median_interval([pair["torch"]["ms"] / pair["jaxgan"]["ms"] for pair in measured])
    )


def fastest(side: str, known: Sequence[str], run: Callable[[str], dict]) -> tuple[dict[str, Any], str]:
    """Time each form of a side, and print the times.

    Args:
      side: name of the side, for the printed lines.
      known: names of the forms.
      run: function from the name of a form to a dictionary with the entry ``ms``, the time of the form in milliseconds.
        If the form does not run on this machine, the function raises a ``RuntimeError``.

    Returns:
      Two results: a dictionary from the name of each form to its time in milliseconds, or to a text with the reason why
      the form does not run; and the name of the fastest form.
    """
    forms: dict[str, Any] = {}
    for form in known:
        try:
            forms[form] = run(form)["ms"]
        except RuntimeError as error:
            reasons = [line for line in str(error).splitlines() if "Error" in line] or [str(error).strip()]
            forms[form] = f"does not run: {reasons[-1].strip()[:160]}"
        result = forms[form] if isinstance(forms[form], str) else f"{forms[form]:.2f} ms"
        print(f"  {side}, {form}: {result}", flush=True)
    times = {form: ms for form, ms in forms.items() if isinstance(ms, float)}
    if not times:
        sys.exit(f"error: No form of {side} runs on this machine. The lines above show the reasons.")
    return forms, min(times, key=lambda form: times[form])


def run_program(module: str, *arguments: str) -> dict[str, Any]:
    """Run a Python module in a new process, and return the JSON object in the last line that it prints.

    Args:
      module: name of the module.
      *arguments: command line arguments of the module.

    Raises:
      RuntimeError: if the program failed. The message is the program's own output.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr or done.stdout or f"{module} failed with exit code {done.returncode}.")
    return json.loads(done.stdout.splitlines()[-1])


def median_interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the median, and the lower and upper end of its bootstrap 95 % interval."""
    if len(ratios) < 2 or np.ptp(ratios) == 0:  # the bootstrap needs at least two different values
        return float(np.median(ratios)), min(ratios), max(ratios)
    drawn = stats.bootstrap((np.array(ratios),), np.median, method="percentile", rng=np.random.default_rng(0))
    low, high = drawn.confidence_interval
    return float(np.median(ratios)), float(low), float(high)


def median(pairs: Sequence[Mapping[str, Any]], side: str, key: str) -> Any:
    """Return the median over the pairs of the entry ``key`` of a side, or None if this entry is None in any pair.

    Args:
      pairs: the pairs of a ``Race``.
      side: ``"jaxgan"`` or ``"torch"``.
      key: name of an entry of the side's results, such as ``"ms"``.
    """
    values = [pair[side][key] for pair in pairs]
    return None if None in values else float(np.median(values))


def describe_hardware() -> str:
    """Return a text that names the processor, its number of cores, and the devices that JAX uses."""
    models = [line for line in system.cpuinfo() if line.startswith("model name")]
    name = models[0].partition(":")[2].strip() if models else platform.processor()
    return f"{os.cpu_count()} cores of {name}; {system.hardware()}"


def format_race(title: str, race: Race, unit: str = "step") -> str:
    """Return a table in Markdown that describes the result of a comparison.

    Args:
      title: name of the computation that was timed.
      race: the result.
      unit: the unit of work to which the milliseconds refer, such as one training step.
    """
    ours, theirs = (median(race.pairs, side, "ms") for side in SIDES)
    ratio, low, high = race.ratio
    lines = [
        f"{describe_hardware()}; {describe_versions()}; {len(race.pairs)} pairs.",
        "",
        f"| | PyTorch / jaxgan | 95 % interval | jaxgan, ms per {unit} | PyTorch, ms per {unit} | form of PyTorch |",
        "|---|---|---|---|---|---|",
        f"| {title} | **{ratio:.2f}** | {low:.2f} to {high:.2f} | {ours:.4g} | {theirs:.4g} | {race.best['torch']} |",
    ]
    return "\n".join(lines) + "\n"


def describe_versions() -> str:
    """Return a text with the versions of the libraries that both sides use."""
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "jaxlib", "flax", "torch", "numpy"))
