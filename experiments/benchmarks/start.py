"""Measure how long each experiment takes from the command to its first step, and how much memory a step needs.

    python -m experiments.benchmarks.start
    python -m experiments.benchmarks.start dcgan stylegan2 --checkouts . ../older

Each experiment is started in new processes with its default settings, as ``python -m experiments.dcgan``: first with an
empty compilation cache (cold), then with the compiled programs of the first start (cached). A process is killed after
its first step. The games that ``experiments.benchmarks.torch_games`` also defines are started with jaxgan and with
PyTorch, if PyTorch is installed. The memory of PyTorch's process includes JAX, because the sizes of a game are read
from a module that imports JAX. Each result is printed, and appended to a file, as soon as it is known.
"""

import importlib.util
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import tyro

import experiments
from experiments.benchmarks import processes

GAMES = ("toy", "mlp", "dcgan32", "dcgan64", "wgan_gp32")  # keys of ``games.CASES`` that are compared with PyTorch
_COMPILED = "compiled in "  # a run prints this line after its first step
_STEPPED = "first step: "  # ``--side`` prints this line, which ends with the times to deduct, after the step of a game
_HEADER = (
    "| program | cold, s | cold, CPU s | cached, s | cached, CPU s | memory of the process, MB | of the step, MB |",
    "|---|---|---|---|---|---|---|",
)


def main(
    names: tyro.conf.Positional[tuple[str, ...]] = (),
    checkouts: tuple[str, ...] = (".",),
    repeats: int = 1,
    out: Path = Path("start.jsonl"),
    side: str = "",
) -> None:
    """Start experiments and games, and print a table in Markdown.

    Args:
      names: names of experiments and of games. By default, all of them.
      checkouts: directories of jaxgan's repository. With several, every measurement is made in each of them, one after
        the other, to compare versions.
      repeats: number of measurements of each program.
      out: file to which each result is appended as one line of JSON.
      side: computes one result in this process, for the program itself: "step" prints the memory of a step of the
        first of the names, an experiment. "jaxgan" and "torch" compute the first step of a game.
    """
    if side:
        _SIDES[side](names[0])
        return
    known = sorted(module.name for module in pkgutil.iter_modules(experiments.__path__) if not module.ispkg)
    _check([*known, *GAMES], names, checkouts, repeats, out)
    print(f"{processes.describe_hardware()}\n\n" + "\n".join(_HEADER), flush=True)
    for name in names or (*known, *GAMES):
        for _ in range(repeats):
            for checkout in checkouts:
                label = name if len(checkouts) == 1 else f"{name}, {checkout}"
                if name in known:
                    _record(out, label, _measure_experiment(name, checkout))
                    continue
                _record(out, f"{label}, jaxgan", _measure_game(name, "jaxgan", checkout))
                if importlib.util.find_spec("torch"):
                    _record(out, f"{label}, PyTorch", _measure_game(name, "torch", checkout))


def _check(known: Sequence[str], names: Sequence[str], checkouts: Sequence[str], repeats: int, out: Path) -> None:
    """Exit with an error message if an argument is not allowed, or the system lacks what the program needs."""
    unknown = [name for name in names if name not in known]
    if unknown:
        _exit(f"There is no experiment or game {unknown[0]!r}. The names are {', '.join(known)}.")
    if repeats < 1:
        _exit(f"--repeats must be at least 1, got {repeats}.")
    for checkout in checkouts:
        if not Path(checkout, "experiments", "dcgan.py").is_file():
            _exit(f"--checkouts: {checkout} is not a checkout of jaxgan, because it has no experiments/dcgan.py.")
    if not hasattr(os, "wait4"):
        _exit("The benchmark measures processes with os.wait4, which exists on Linux and macOS only.")
    try:
        out.open("a").close()
    except OSError as error:
        _exit(f"--out: {out} cannot be written: {error.strerror}.")


def _exit(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _record(out: Path, label: str, result: Mapping[str, Any]) -> None:
    """Print a row of the table, and append the result to the file."""
    cold, cached = result["cold"], result.get("cached")

    def show(value: float | None, digits: int = 1) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    cells = [
        *(show(cold["seconds"]), show(cold["cpu_seconds"])),
        *(show(cached["seconds"] if cached else None), show(cached["cpu_seconds"] if cached else None)),
        *(show(cold["peak_mb"], 0), show(result.get("step_mb"), 0)),
    ]
    print(f"| {' | '.join([label, *cells])} |", flush=True)
    with out.open("a") as file:
        file.write(json.dumps({"program": label, **result}) + "\n")


def _measure_experiment(name: str, checkout: str) -> dict[str, Any]:
    """Measure the cold start, the cached start and the memory of a step of an experiment."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", f"experiments.{name}", "--steps", "1", "--fresh", "--run-dir", f"{folder}/run"]
        starts = {kind: _time_first_step(command, _COMPILED, checkout, folder) for kind in ("cold", "cached")}
        command = [sys.executable, *_side("step", name)]
        done = subprocess.run(command, capture_output=True, text=True, env=_environment(checkout, folder))
    if done.returncode:
        raise RuntimeError(done.stderr)
    return {**starts, **json.loads(done.stdout.splitlines()[-1])}


def _measure_game(name: str, side: str, checkout: str) -> dict[str, Any]:
    """Measure the cold start and, with jaxgan, the cached start of a game."""
    kinds = ("cold", "cached") if side == "jaxgan" else ("cold",)
    with tempfile.TemporaryDirectory() as folder:
        return {kind: _time_first_step(_side(side, name), _STEPPED, checkout, folder) for kind in kinds}


def _side(side: str, name: str) -> list[str]:
    """Return the arguments of Python that compute a result with this file and the modules of any checkout."""
    return ["-P", __file__, name, "--side", side]


def _environment(checkout: str, folder: str) -> dict[str, str]:
    own = {"PYTHONPATH": str(Path(checkout).resolve()), "PYTHONUNBUFFERED": "1", "XDG_CACHE_HOME": folder}
    return {**os.environ, **own}


def _time_first_step(arguments: Sequence[str], end: str, checkout: str, folder: str) -> dict[str, float]:
    """Start a Python program, and kill it after it has printed a line.

    Args:
      arguments: arguments of Python.
      end: the beginning of the line. If the line of a game continues with JSON, these times are deducted.
      checkout: the directory of the modules.
      folder: the folder in which the program stores compiled programs.

    Returns:
      A dict with the seconds until the line by the clock (``seconds``) and of processor time (``cpu_seconds``), and the
      peak memory of the process in MB (``peak_mb``).

    Raises:
      RuntimeError: if the program ends without the line. The message is its output.
    """
    command, lines, seconds = [sys.executable, *arguments], [], None
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment(checkout, folder)
    )
    assert process.stdout
    for line in process.stdout:
        lines.append(line)
        if line.startswith(end):
            seconds = time.perf_counter() - started
            process.kill()
            break
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if seconds is None:
        raise RuntimeError(f"{' '.join(command)} ended before its first step:\n{''.join(lines)}")
    deducted = json.loads(lines[-1].removeprefix(end)) if end == _STEPPED else {}
    unit = 1 if sys.platform == "darwin" else 1024  # macOS reports bytes, other systems report KiB
    return {
        "seconds": seconds - deducted.get("seconds", 0.0),
        "cpu_seconds": usage.ru_utime + usage.ru_stime - deducted.get("cpu_seconds", 0.0),
        "peak_mb": usage.ru_maxrss * unit / 1e6,
    }


def _print_step_memory(name: str) -> None:
    """Print the memory of the compiled step of an experiment in MB, as JSON.

    The state and the batch are counted once, because the step reuses the memory of the state.
    """
    import jax
    import numpy as np

    from jaxgan.data import normalize

    module = importlib.import_module(f"experiments.{name}")
    config = module.Config()
    experiment = module.build(config)
    game, rows = experiment.game, np.arange(config.batch_size * experiment.game.batch_multiple)
    batch = normalize(experiment.source.read(rows % len(experiment.source)))
    state = jax.eval_shape(game.init, jax.random.key(0))
    memory = jax.jit(game.step, donate_argnums=0).lower(state, batch).compile().memory_analysis()
    parts = {part: getattr(memory, f"{part}_size_in_bytes") / 1e6 for part in ("argument", "output", "alias", "temp")}
    total = parts["argument"] + parts["output"] - parts["alias"] + parts["temp"]
    print(json.dumps({"step_mb": total, "parts_mb": parts}))


def _take_step(name: str) -> None:
    """Compute the first step of a game with jaxgan, and print a line."""
    import jax
    import numpy as np

    from experiments.benchmarks.games import CASES, build
    from jaxgan.cli import cache

    cache.enable_compilation_cache()
    case = CASES[name]
    game = build(case)
    real = np.random.default_rng(0).normal(size=(case.batch * case.turns, *case.shape)).astype(np.float32)
    state = jax.jit(game.init)(jax.random.key(0))
    jax.block_until_ready(jax.jit(game.step, donate_argnums=0)(state, real))
    print(f"{_STEPPED}{{}}")


def _take_torch_step(name: str) -> None:
    """Compute the first step of a game with PyTorch in eager mode, and print a line.

    The sizes of the game are read from a module that imports JAX. The line contains the time of this import.
    """
    import torch  # pyright: ignore[reportMissingImports]

    started, cpu_started = time.perf_counter(), time.process_time()
    from experiments.benchmarks.games import CASES

    deducted = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu_started}
    from experiments.benchmarks.torch_games import Step, networks

    case = CASES[name]
    shape = case.shape if len(case.shape) < 3 else (case.shape[2], *case.shape[:2])
    step, turns = Step(case, networks(name)), range(case.turns)
    reals = [torch.randn(case.batch, *shape) for _ in turns]
    if len(shape) == 3:
        reals = [real.to(memory_format=step.layout) for real in reals]
    step(reals, [torch.randn(case.batch, case.latents) for _ in turns], [torch.rand(case.batch) for _ in turns])
    print(f"{_STEPPED}{json.dumps(deducted)}")


_SIDES = {"step": _print_step_memory, "jaxgan": _take_step, "torch": _take_torch_step}


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
