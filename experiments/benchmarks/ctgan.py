"""Measure CTGAN on a table: the time of the training, and classifiers that are trained on its samples.

    python -m experiments.benchmarks.ctgan adult.csv --target income --epochs 30 --seed 0 --split split/

The rows are divided at random into 70 % training rows and 30 % test rows, always in the same way. The program trains
CTGAN with the settings of the paper and prints the processor time and the metrics of as many samples as there are
training rows. It writes the two parts as ``train.csv`` and ``test.csv``, so that another program can be trained on the
same rows. ``--fake FILE`` measures the samples of the other program instead of training. ``--samples 1000000`` measures
the time in which samples are generated, decoded and written.
"""

import dataclasses
import functools
import lzma
import shutil
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments import ctgan
from jaxgan import metrics
from jaxgan.data import Batches, NamedArrays, table_encoding, tables
from jaxgan.data.table_files import TableFile, read_table
from jaxgan.media import Table

TEST_FRACTION = 0.3


def main(
    path: tyro.conf.Positional[Path],
    target: str,
    epochs: int = 30,
    seed: int = 0,
    fake: Path | None = None,
    split: Path | None = None,
    samples: int | None = None,
) -> None:
    """Train CTGAN on a table, and print the results.

    Args:
      path: the CSV file with a header, or such a file compressed with xz.
      target: name of the column of categories that classifiers predict.
      epochs: number of epochs of 500 rows in each batch.
      seed: seed of the training and of the samples.
      fake: CSV file with generated rows of another program. It is measured, and nothing is trained.
      split: folder for the training and the test rows.
      samples: number of samples to write, to measure the time; None writes none.
    """
    table = _read(path)
    source = tables.encode_table(table, TEST_FRACTION)
    medium = Table(**source.details, target=target)
    if split is not None:
        split.mkdir(parents=True, exist_ok=True)
        for name, part in (("train", source), ("test", source.test)):
            _write(split / f"{name}.csv", medium, _values(part))
    if fake is not None:
        types = {c.name: c.type.kind for c in medium.columns if c.type.kind in ("category", "integer", "number")}
        found = read_table(fake, types=types)
        values = np.stack([_match(medium, i, found.column(c.name)) for i, c in enumerate(medium.columns)], axis=1)
        _report(medium, source, values, target)
        return
    start = time.process_time()
    source = tables.encode_table(table, TEST_FRACTION)  # the time of fitting the mixtures counts
    batch_size, steps = 500, epochs * (len(source) // 500)
    config = dataclasses.replace(ctgan.Config(), **{**ctgan.PRESETS["paper"], "steps": steps, "seed": seed})
    experiment = ctgan.build(config, source)
    state = _train(experiment, len(source) // batch_size, epochs, batch_size, seed)
    print(f"{epochs} epochs, seed {seed}: {time.process_time() - start:.1f} s of processor time")
    rows = experiment.sampler()(state, experiment.draw_latents(seed, np.arange(len(source))))
    _report(medium, source, medium.decode(rows)["values"], target)
    if samples:
        start = time.process_time()
        rows = experiment.sampler()(state, experiment.draw_latents(seed + 1, np.arange(samples)))
        with tempfile.TemporaryDirectory() as folder:
            medium.save(Path(folder) / "fake.csv", rows, "benchmark")
        print(f"{samples:,} samples written in {time.process_time() - start:.1f} s of processor time")


def _read(path: Path) -> TableFile:
    if path.suffix != ".xz":
        return read_table(path)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        with lzma.open(path) as file, plain.open("wb") as out:
            shutil.copyfileobj(file, out)
        return read_table(plain)


def _train(experiment, per_epoch, epochs, batch_size, seed):
    order = Batches(experiment.source, batch_size, seed)
    rows = jnp.asarray(experiment.source.arrays["row"])

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch(state, rows, indices):
        return jax.lax.scan(lambda state, i: (experiment.game.step(state, {"row": rows[i]})[0], None), state, indices)[
            0
        ]

    state = experiment.game.init(jax.random.key(seed))
    for n in range(epochs):
        indices = np.stack([order.indices(step) for step in range(n * per_epoch, (n + 1) * per_epoch)])
        state = epoch(state, rows, indices)
    return jax.block_until_ready(state)


def _match(medium: Table, index: int, column) -> np.ndarray:
    """Return the values of a column of another file with the categories of the medium."""
    encoding = medium.columns[index]
    if encoding.is_number:
        return column.values
    places = {name: i for i, name in enumerate(encoding.type.categories)}
    codes = np.array([places.get(name, np.nan) for name in column.type.categories] + [np.nan])
    return codes[np.where(np.isnan(column.values), -1, column.values).astype(int)]


def _values(source) -> np.ndarray:
    return source.read(np.arange(len(source)))["values"]


def _write(path: Path, medium: Table, values: np.ndarray) -> None:
    medium.save(path, table_encoding.encode(medium.columns, values), "benchmark")


def _report(medium: Table, source: NamedArrays, values: np.ndarray, target: str) -> None:
    real, test, fake = map(medium.table, (_values(source), _values(source.test), values))
    for name, table in (("samples", fake), ("training rows", real)):
        found = metrics.train_on_synthetic_test_on_real(table, test, target)
        print(f"classifiers trained on the {name}: F1 {found.f1:.4f}, ROC-AUC {found.roc_auc:.4f}")
    print(f"column shapes {metrics.column_shapes(real, fake).score:.4f}")
    print(f"pair trends {metrics.column_pair_trends(real, fake).score:.4f}")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
