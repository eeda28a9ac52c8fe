"""Measure generators of series by the protocol of TimeGAN, and print its published scores beside theirs.

    python -m experiments.benchmarks.series_metrics sines
    python -m experiments.benchmarks.series_metrics stock_data.csv --newest-first

The protocol of Yoon et al. 2019 uses windows of 24 rows of all data, scaled to [0, 1] by the bounds of each column, for
training and for the scores. The sines are 10,000 series with 5 columns. The published scores of stocks are those of
Google's daily prices from 2004 to 2019, which the official repository contains as data/stock_data.csv. Its program
reverses the order of the rows. For each seed, this program trains the experiment ``series``, draws as many series as
there are windows, and computes the scores. It prints their means and standard deviations over the seeds.
"""

import csv
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments import series as experiment_file
from jaxgan import metrics
from jaxgan.data.series import sines
from jaxgan.data.source import NamedArrays
from jaxgan.experiment import Experiment

WINDOW = 24  # rows of a window
PUBLISHED = {"sines": (0.011, 0.093), "stocks": (0.102, 0.038)}
_CHUNK = 100  # steps of one call of the compiled function


def main(
    data: tyro.conf.Positional[str],
    settings: str = "{}",
    newest_first: bool = False,
    seeds: int = 5,
    first_seed: int = 0,
    repeats: int = 1,
    real: bool = False,
    out: Path | None = None,
) -> None:
    """Train with several seeds, and print the scores.

    Args:
      data: sines, or the path of a CSV file with a header and columns of numbers, oldest row first.
      settings: settings of the experiment that differ from the defaults, as JSON, such as '{"networks": "gru"}'.
      newest_first: whether to reverse the order of the rows, as the official program does.
      seeds: number of trainings.
      first_seed: the first seed.
      repeats: number of networks that each score is the mean of. The paper has 10.
      real: whether to compare the windows with themselves (stocks) or other sines instead of training.
      out: folder for the samples of each seed, which are saved as .npy files.
    """
    found = {"discriminative": [], "predictive": [], "autocorrelation": [], "seconds": []}
    for seed in range(first_seed, first_seed + seeds):
        windows = sines(10_000, seed=seed) if data == "sines" else read_windows(Path(data), newest_first)
        start = time.process_time()
        if real:
            fake = sines(10_000, seed=1000 + seed) if data == "sines" else windows
        else:
            config = experiment_file.Config(seed=seed, **json.loads(settings))
            fake = train_and_draw(experiment_file.build(config, as_source(windows)), seed, config.steps, len(windows))
        found["seconds"].append(time.process_time() - start)
        found["discriminative"].append(metrics.discriminative_score(windows, fake, repeats=repeats, seed=seed).mean)
        found["predictive"].append(metrics.predictive_score(windows, fake, repeats=repeats, seed=seed).mean)
        found["autocorrelation"].append(metrics.autocorrelation_distance(windows, fake))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            np.save(out / f"{Path(data).stem}_{seed}.npy", fake)
        print(f"seed {seed}: " + ", ".join(f"{name} {values[-1]:.4f}" for name, values in found.items()), flush=True)
    print(f"{data}, {seeds} seeds: mean, standard deviation")
    for name, values in found.items():
        print(f"{name}: {np.mean(values):.4f}, {np.std(values):.4f}")
    published = PUBLISHED["sines" if data == "sines" else "stocks"]
    print(f"TimeGAN, as published (sines; stocks of Google): discriminative {published[0]}, predictive {published[1]}")


def read_windows(path: Path, newest_first: bool) -> np.ndarray:
    """Return the windows of a CSV file, float32 [N, WINDOW, columns], in [0, 1].

    The official program cuts ``range(len(rows) - WINDOW)`` windows, so the last possible window is not used.

    Args:
      path: the file.
      newest_first: whether to reverse the order of the rows.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = np.array([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])
    rows = rows[::-1] if newest_first else rows
    low, high = rows.min(0), rows.max(0)
    rows = (rows - low) / (high - low + 1e-7)
    return np.stack([rows[i : i + WINDOW] for i in range(len(rows) - WINDOW)]).astype(np.float32)


def as_source(windows: np.ndarray) -> NamedArrays:
    """Return windows in [0, 1] as the source of an experiment, with the bounds 0 and 1."""
    names = [f"x{i + 1}" for i in range(windows.shape[2])]
    details = {"columns": names, "low": [0.0] * len(names), "high": [1.0] * len(names)}
    return NamedArrays({"series": windows}, "windows", details=details)


def train_and_draw(experiment: Experiment, seed: int, steps: int, count: int) -> np.ndarray:
    """Train the game of an experiment, and return samples in the units of the data, [count, T, C].

    Args:
      experiment: the experiment.
      seed: seed of the initial weights, the batches and the samples.
      steps: number of training steps.
      count: number of samples.
    """
    game, medium, source = experiment.game, experiment.medium, experiment.source
    examples = medium.normalize(source.read(np.arange(len(source))))
    x = {name: jnp.asarray(array) for name, array in examples.items()}

    @jax.jit
    def train(state, indices):
        def step(state, indices):
            return game.step(state, {name: array[indices] for name, array in x.items()})[0], None

        return jax.lax.scan(step, state, indices)[0]

    state, rng = jax.jit(game.init)(jax.random.key(seed)), np.random.default_rng(seed)
    batch_size = game.batch_multiple * experiment_file.Config.batch_size
    for first in range(0, steps, _CHUNK):
        indices = rng.integers(0, len(source), (min(_CHUNK, steps - first), batch_size))
        state = train(state, jnp.asarray(indices))
    samples = experiment.sampler()(state, experiment.draw_latents(seed, np.arange(count)))
    return np.asarray(medium.decode(samples)["series"], np.float32)


if __name__ == "__main__":
    tyro.cli(main)
