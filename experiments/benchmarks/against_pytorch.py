"""jaxgan against PyTorch: the same game on both, side by side, on this machine.

    pip install -e '.[torch]'
    python -m experiments.benchmarks.against_pytorch --games mlp dcgan32 --out benchmark

Before anything is timed, one step of both must agree: losses and every gradient to 1e-5, from the same weights. Then
PyTorch is tried in every form (eager, channels first or last, compiled in each mode), and jaxgan with one and, for
small games, ten steps a call; all are printed, and of each side the fastest counts. Pairs follow in fresh processes,
one after the other, each time in the other order. A ratio is PyTorch's time over jaxgan's, the median over pairs, with
a bootstrap 95 % interval. Writes DIR/results.json, DIR/results.md and DIR/results.png.
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

_SMALL_STEP = 1e9  # FLOPs of a step


def main(
    out: str,
    games: tuple[Name, ...] = get_args(Name),
    pairs: int = 5,
    seconds: float = 4.0,
    precision: Literal["float32", "tf32"] = "float32",
) -> None:
    """Compare, and write what was found.

    Args:
      out: a directory.
      games: which.
      pairs: of fresh processes, jaxgan's and PyTorch's.
      seconds: how long each times its steps.
      precision: of products, on both sides: float32, or TF32 where the machine has it.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for game in games:
        results.append(_compare(game, pairs, seconds, precision))
        # After each, so that a run that is stopped has lost nothing.
        (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
        (folder / "results.md").write_text(_format_table(results))
        _write_chart(results, folder / "results.png")
    print(_format_table(results))


def _compare(game: str, pairs: int, seconds: float, precision: str) -> dict[str, Any]:
    """One game's result."""

    def run(side: str, form: str, seconds: float = seconds) -> dict[str, Any]:
        return worker(game, side, "--form", form, "--seconds", str(seconds), "--precision", precision)

    agreed = worker(game, "agree", "--precision", precision)
    print(f"{game}: losses and gradients agree to {agreed['apart']:.1e}", flush=True)
    if agreed["apart"] > AGREE_TO:
        sys.exit(f"error: {game}: the two sides are {agreed['apart']:.1e} apart, more than {AGREE_TO:g}; not timed")
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
        "agreement": agreed,
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
    """What a fresh process found."""
    return processes.run_program("experiments.benchmarks.worker", *arguments)


def _forms_to_try(game: str) -> list[str]:
    """jaxgan's forms that are tried: several steps a call where a step is so small that a call's own time counts."""
    return list(JAXGAN_FORMS) if flops.step(CASES[game]) < _SMALL_STEP else list(JAXGAN_FORMS)[:1]


def _format_table(results: list[dict[str, Any]]) -> str:
    """In Markdown."""
    first = results[0]
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    lines = [
        f"{first['hardware']}; {versions}; {first['precision']}; {len(first['pairs'])} pairs.",
        "",
        "| game | PyTorch / jaxgan | 95 % | jaxgan ms | its form | PyTorch ms | its form | of a product's speed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        lines.append(
            f"| {r['game']} | **{r['ratio']:.2f}** | {r['low']:.2f} to {r['high']:.2f} | {r['jaxgan_ms']:.2f} | "
            f"{r['jaxgan_form']} | {r['torch_ms']:.2f} | {r['torch_form']} | {r['of_a_product']:.0%} |"
        )
    keys = {"compile_s": "compile s", "first_step_s": "first step s", "with_data_ms": "with data ms", "peak_mb": "MB"}
    keys |= {f"sample_{n}_ms": f"{n} samples ms" for n in SAMPLE_COUNTS}
    lines += ["", "| | " + " | ".join(keys.values()) + " |", "|---" * (len(keys) + 1) + "|"]
    for r in results:
        for side in ("jaxgan", "torch"):
            cells = ["in the first step" if r[side][key] is None else f"{r[side][key]:.3g}" for key in keys]
            lines.append(f"| {r['game']}, {side} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _write_chart(results: list[dict[str, Any]], path: Path) -> None:
    """Ratios as bars, with their intervals and a line at 1."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.6 * len(results) + 1.2), layout="constrained")
    ratios = np.array([r["ratio"] for r in results])
    errors = [ratios - [r["low"] for r in results], [r["high"] for r in results] - ratios]
    axes.barh([r["game"] for r in results], ratios, xerr=errors, color="#456", ecolor="#c84", capsize=3)
    axes.axvline(1, color="#888", linestyle="--")
    axes.invert_yaxis()
    axes.set_xlabel("PyTorch's time over jaxgan's (to the right of 1 jaxgan is faster)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
