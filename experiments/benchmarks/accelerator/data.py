"""Measure training from JPEG files, and train for a short time with sample grids."""

import dataclasses
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from experiments import dcgan
from experiments.benchmarks.accelerator.context import Context
from experiments.benchmarks.worker import steady_ms
from jaxgan.core import system
from jaxgan.core.extras import MissingPackageError
from jaxgan.data import Batches, stream
from jaxgan.data.images import ImageFiles
from jaxgan.data.pipeline import batches_ahead
from jaxgan.data.readers import set_readers
from jaxgan.monitoring.metrics_file import iterate_rows
from jaxgan.training import loop
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import TrainingRun, make_run
from jaxgan.training.steps import Steps


def write_jpegs(folder: Path, count: int, side: int) -> None:
    """Write smooth random images as JPEG files.

    Args:
      folder: the folder, which must exist.
      count: number of files.
      side: height and width of the images in pixels.
    """
    rng = np.random.default_rng(0)
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{i:05}.jpg", quality=90)


def measure_jpeg(detail: str, context: Context, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the images per second that are read from JPEG files, and the time of a step that is fed from them."""
    count, side, resolution, size = (16, 64, 16, 4) if context.small else (512, 512, 64, 64)
    with tempfile.TemporaryDirectory() as name:
        write_jpegs(Path(name), count, side)
        source = ImageFiles(name, resolution)
        what = f"{side} x {side} JPEG to {resolution} x {resolution}, batch size {size}"
        for readers in sorted({1, 4, system.cores()}):
            set_readers(readers)
            started, read = time.perf_counter(), 0
            for batch in stream(Batches(source, size, 0), 0, 10**6, batches_ahead(size)):
                read += len(batch["image"])
                if context.small or time.perf_counter() - started > seconds / 8:
                    break
            rate = read / (time.perf_counter() - started)
            yield {"measured": f"reading, {readers} threads, {what}", "images_per_second": rate}
        set_readers(None)
        config = dcgan.Config(resolution=resolution, batch_size=size, steps=10**6, norm="batch")
        if context.small:
            config = dataclasses.replace(config, g_channels=4, d_channels=4)
        yield from _time_steps(config, source, 0.05 if context.small else seconds / 6)


def _time_steps(config: Any, source: Any, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the time of a step with batches that are read from files, and with the same batch in each step."""
    run = make_run(config, dcgan.build(config, source), dcgan.build)
    steps = Steps(run, config, run.devices(1), "pmap")
    state, batches = run.place(run.init(run.keys), steps.devices, steps.method), steps.batches(0)
    same = jax.tree.map(lambda x: np.stack([x]), next(batches))
    for name in ("the same batch", "batches from the files"):
        is_read = name != "the same batch"

        def train(calls, is_read=is_read):
            nonlocal state
            for _ in range(calls):
                batch = jax.tree.map(lambda x: np.stack([x]), next(batches)) if is_read else same
                state, _ = steps.at(0)(state, batch)
            jax.block_until_ready(state)

        ms = steady_ms(train, seconds)
        yield {
            "measured": f"step of experiments.dcgan with {name}",
            "step_ms": ms,
            "images_per_second": 1e3 * config.batch_size / ms,
        }


def train(detail: str, context: Context, seconds: float) -> Iterator[dict[str, Any]]:
    """Train DCGAN for about two thirds of the time, with sample grids, and yield the last losses and the last grid."""
    started = time.perf_counter()
    config: Any = dcgan.Config(data=context.data or "photos", resolution=64, steps=10**6)
    if context.small:
        own = {"data": context.data} if context.data else {}
        config = dcgan.Config.tiny(steps=10**6, **own)
    try:
        experiment = dcgan.build(config)
    except MissingPackageError:
        config = dataclasses.replace(config, data="digits", resolution=None)
        experiment = dcgan.build(config)
    run = make_run(config, experiment, dcgan.build)
    steps = Steps(run, config, run.devices(1), "pmap")
    per_step = _seconds_per_step(run, steps)
    left = seconds - (time.perf_counter() - started)
    config = dataclasses.replace(config, steps=3 if context.small else max(100, int(0.6 * left / per_step)))
    folder = Path(tempfile.mkdtemp(prefix="training-", dir=context.out))
    options = RunOptions(
        run_dir=str(folder), sample_every=max(1, config.steps // 4), checkpoint_every=10**6, quiet=True
    )
    loop.train(run, config, options, folder, "dcgan", steps=steps)
    rows = list(iterate_rows(folder / "metrics.jsonl"))
    yield {
        "data": config.data,
        "steps": int(rows[-1]["step"]),
        "total, s": time.perf_counter() - started,
        "d/loss": rows[-1]["d/loss"],
        "g/loss": rows[-1]["g/loss"],
        "samples": str(max((folder / "samples").iterdir())),
    }


def _seconds_per_step(run: TrainingRun, steps: Steps) -> float:
    """Compile the step of a run, and return the mean time of ten steps. The initial state is not changed."""
    state, batches, started = run.place(run.init(run.keys), steps.devices, steps.method), steps.batches(0), 0.0
    for _ in range(2):  # the first call compiles the step
        started = time.perf_counter()
        for _ in range(10):
            state, _ = steps.at(0)(state, jax.tree.map(lambda x: np.stack([x]), next(batches)))
        jax.block_until_ready(state)
    return (time.perf_counter() - started) / 10
