"""Compare the speed of a training step in jaxgan and in PyTorch, for the same games on this machine.

    pip install -e '.[torch]'
    python -m experiments.benchmarks.against_pytorch --games mlp dcgan32 --out benchmark

The two implementations are called sides, and a form is a way to run the training step on one side. First, the program
checks that the losses and all gradients of one step agree to 1e-5. Both sides start this step with the same weights.
Then each form is timed, and its time is printed. The forms of PyTorch are eager mode with channels first, eager mode
with channels last, and each mode of ``torch.compile``. The forms of jaxgan are one step per call and, in small games,
also ten steps per call. Finally, the fastest form of each side is timed in pairs of new processes, one for each side.
The two processes of a pair run one after the other. Their order alternates from pair to pair.

The reported ratio is PyTorch's time divided by jaxgan's time: the median over the pairs, with a bootstrap 95 %
interval. The results are written to results.json, results.md and results.png in the output directory.
"""

# pyright: reportMissingImports=false

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import tyro

from experiments.benchmarks import flops, processes
from experiments.benchmarks.games import CASES, Name
from experiments.benchmarks.processes import SIDES, describe_hardware, run_race
from experiments.benchmarks.worker import AGREE_TO, JAXGAN_FORMS, SAMPLE_COUNTS, TORCH_FORMS

_SMALL_STEP = 1e9  # floating-point operations; games with fewer per step are also tried with several steps per call


def main(
    out: str,
    games: tuple[Name, ...] = get_args(Name),
    pairs: int = 5,
    seconds: float = 4.0,
    precision: Literal["float32", "tf32"] = "float32",
) -> None:
    """Compare the two sides in each game, and write the results.

    Args:
      out: directory for the results; it is created if it does not exist.
      games: games to compare. By default, all games.
      pairs: number of pairs of processes, one of jaxgan and one of PyTorch, for each game.
      seconds: number of seconds for which each process times its steps.
      precision: precision of matrix products and convolutions. TF32 requires hardware that supports it.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for game in games:
        results.append(_compare(game, pairs, seconds, precision))
        # The files are written after each game, so that an interrupted benchmark loses no results.
        (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
        (folder / "results.md").write_text(_format_table(results))
        _write_chart(results, folder / "results.png")
    print(_format_table(results))


def _compare(game: str, pairs: int, seconds: float, precision: str) -> dict[str, Any]:
    """Compare the two sides in one game, and return an entry of results.json."""

    def run(side: str, form: str, seconds: float = seconds) -> dict[str, Any]:
        return worker(game, side, "--form", form, "--seconds", str(seconds), "--precision", precision)

    agreement = worker(game, "agree", "--precision", precision)
    difference = agreement["difference"]
    if difference > AGREE_TO:
        sys.exit(
            f"error: {game}: The losses or gradients of the two sides differ by {difference:.1e}, more than "
            f"{AGREE_TO:g}. The game is not timed."
        )
    print(f"{game}: The losses and gradients of the two sides agree to {difference:.1e}.", flush=True)
    race = run_race(run, {"jaxgan": _forms_to_try(game), "torch": list(TORCH_FORMS)}, pairs, seconds)
    middle = {side: {key: processes.median(race.pairs, side, key) for key in race.pairs[0][side]} for side in SIDES}
    case, count = CASES[game], flops.step(CASES[game])
    images = case.batch * case.turns
    reached = count / middle["jaxgan"]["ms"] / 1e6
    return {
        "game": game,
        **dict(zip(("ratio", "low", "high"), race.ratio)),
        "jaxgan_ms": middle["jaxgan"]["ms"],
        "torch_ms": middle["torch"]["ms"],
        "jaxgan_form": race.best["jaxgan"],
        "jaxgan_forms": race.forms["jaxgan"],
        "torch_form": race.best["torch"],
        "torch_forms": race.forms["torch"],
        "agreement": agreement,
        "jaxgan_images_per_second": 1e3 * images / middle["jaxgan"]["ms"],
        "torch_images_per_second": 1e3 * images / middle["torch"]["ms"],
        "step_gflop": count / 1e9,
        "jaxgan_gflops": reached,
        "of_a_product": reached / middle["jaxgan"]["product_gflops"],
        "jaxgan": middle["jaxgan"],
        "torch": middle["torch"],
        "pairs": race.pairs,
        "precision": precision,
        "hardware": describe_hardware(),
        "versions": {name: metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax", "torch", "numpy")},
    }


def worker(*arguments: str) -> dict[str, Any]:
    """Run ``experiments.benchmarks.worker`` in a new process, and return its result.

    Args:
      *arguments: command line arguments of the worker.
    """
    return processes.run_program("experiments.benchmarks.worker", *arguments)


def _forms_to_try(game: str) -> list[str]:
    """Return the forms of jaxgan to try. Several steps per call are tried only if the steps of the game are small."""
    return list(JAXGAN_FORMS) if flops.step(CASES[game]) < _SMALL_STEP else list(JAXGAN_FORMS)[:1]


def _format_table(results: list[dict[str, Any]]) -> str:
    """Return two Markdown tables: one with the speed, and one with further measurements of jaxgan and of PyTorch."""
    first = results[0]
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    lines = [
        f"{first['hardware']}; {versions}; {first['precision']}; {len(first['pairs'])} pairs.",
        "",
        "| game | PyTorch / jaxgan | 95 % interval | jaxgan, ms | form of jaxgan | PyTorch, ms | form of PyTorch | "
        "jaxgan's FLOP/s / FLOP/s of a large matrix product |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        lines.append(
            f"| {r['game']} | **{r['ratio']:.2f}** | {r['low']:.2f} to {r['high']:.2f} | {r['jaxgan_ms']:.2f} | "
            f"{r['jaxgan_form']} | {r['torch_ms']:.2f} | {r['torch_form']} | {r['of_a_product']:.0%} |"
        )
    keys = {
        "compile_s": "compilation, s",
        "first_step_s": "first step, s",
        "with_data_ms": "step with selection of the batch, ms",
        "peak_mb": "peak memory, MB",
    }
    keys |= {f"sample_{n}_ms": f"samples: {n}, ms" for n in SAMPLE_COUNTS}
    lines += ["", "| | " + " | ".join(keys.values()) + " |", "|---" * (len(keys) + 1) + "|"]
    for r in results:
        for side in ("jaxgan", "torch"):
            cells = ["included in the first step" if r[side][key] is None else f"{r[side][key]:.3g}" for key in keys]
            lines.append(f"| {r['game']}, {side} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _write_chart(results: list[dict[str, Any]], path: Path) -> None:
    """Write a bar chart of the ratios with their intervals and a line at 1."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.6 * len(results) + 1.2), layout="constrained")
    ratios = np.array([r["ratio"] for r in results])
    errors = [ratios - [r["low"] for r in results], [r["high"] for r in results] - ratios]
    axes.barh([r["game"] for r in results], ratios, xerr=errors, color="#456", ecolor="#c84", capsize=3)
    axes.axvline(1, color="#888", linestyle="--")
    axes.invert_yaxis()
    axes.set_xlabel("PyTorch's time divided by jaxgan's time (above 1, jaxgan is faster)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
