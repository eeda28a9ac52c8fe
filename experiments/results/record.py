"""Record the result of a finished run, with its scores and its sample grid, as a JSON file in this folder::

    python -m experiments.results.record runs/dcgan --name dcgan-digits --seconds 24.4

``experiments.results.table`` then lists it in ``experiments/README.md``.
"""

import argparse
import collections
import dataclasses
import datetime
import io
import itertools
import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from experiments.results.files import FOLDER, ROOT, SIGNIFICANT_DIGITS, write_result
from jaxgan.cli import commands, errors, experiment_files
from jaxgan.cli.checkpoint_reference import MemberReference
from jaxgan.cli.experiment_program import ExperimentProgram, load_program
from jaxgan.cli.fields import fields_of
from jaxgan.cli.train import Train
from jaxgan.core import system
from jaxgan.core.json_files import read_json
from jaxgan.data import normalize, toy
from jaxgan.evaluation.metric_names import with_current_names
from jaxgan.metrics import count_modes, frechet_distance, nearest_modes, precision_recall
from jaxgan.monitoring.metrics_file import finite_mean, iterate_rows, read_rows
from jaxgan.monitoring.run_directory import read_config, read_data_record
from jaxgan.monitoring.run_record import read_record

MAX_PICTURE_BYTES = 60_000  # maximum size of the file of a sample grid
MIN_PICTURE_WIDTH = 192  # width in pixels; narrower sample grids are enlarged by an integer factor
LAST_STEPS = 100  # number of steps at the end of training; the option --metric averages a metric over them
NEIGHBOURS = 3  # number of nearest neighbours for precision and recall of raw values


def parse_command(command: str) -> tuple[str, Any]:
    """Return the experiment and the settings of a command ``jaxgan train EXPERIMENT [flags]``.

    Raises:
      ValueError: if the text is another command, or contains a flag or a value that the experiment does not allow.
    """
    words = shlex.split(command)
    if words[:2] != ["jaxgan", "train"] or len(words) < 3:
        raise ValueError(f"`command` must begin with `jaxgan train` and an experiment, got {command!r}.")
    program = load_program(experiment_files.find(words[2]))
    fields = commands.command_fields("train", fields_of(program.config_class), tuple(program.presets))
    values = commands.parse("train", fields, words[3:], " ".join(words[:3]))
    train = commands.make_command(Train, fields, values)
    return program.name, train.read_settings(program)


def train_command(program: ExperimentProgram, config: Any, preset: str | None = None) -> str:
    """Return the command that trains an experiment with these settings.

    Args:
      program: the experiment.
      config: the settings. The command contains a flag for each setting that differs from the default or the preset.
      preset: name of the preset that the run was started with; None for a run without a preset.

    Raises:
      ValueError: if the preset is unknown.
    """
    words = ["jaxgan", "train", program.name]
    if preset is not None:
        if preset not in program.presets:
            raise ValueError(f"`preset` must be one of {', '.join(program.presets)}, got {preset!r}.")
        words += ["--preset", preset]
    # The data are passed because some presets are functions that choose settings from the data.
    base = Train(preset=preset, settings={"data": config.data}).read_settings(program)
    default = program.config_class()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        before = getattr(default if field.name == "data" else base, field.name)
        if value == before:
            continue
        flag = errors.flag(field.name)
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, tuple):
            words += [flag, *map(str, value)]
        else:
            words += [flag, str(value)]
    return shlex.join(words)


def make_result(
    run: Path,
    *,
    preset: str | None = None,
    command: str | None = None,
    hardware: str | None = None,
    cores: int | None = None,
    clock_seconds: float | None = None,
    processor_seconds: float | None = None,
    raw_count: int | None = None,
    metric: str | None = None,
    note: str | None = None,
) -> dict[str, Any]:
    """Return the result of a finished run, without a picture.

    Args:
      run: directory of the run.
      preset: name of the preset that the run was started with; None for a run without a preset.
      command: the command that trained the run. If None, it is derived from the run's settings.
      hardware: name of the processor or accelerator of the run. If None, it is the processor of this machine.
      cores: number of processor cores that the run used. If None, it is the number of cores of this machine.
      clock_seconds: duration of the command by the clock; None if it was not measured.
      processor_seconds: processor time of the command, user and system; None if it was not measured.
      raw_count: number of samples for ``measure_raw_values``. If None, the raw values are not measured.
      metric: name of a training metric. Its mean over the last ``LAST_STEPS`` steps is recorded as a score.
      note: one sentence about the result.

    Raises:
      ValueError: if the run is not finished or has no scores.
      OSError: if the directory cannot be read.
    """
    record = read_record(run)
    program = load_program(record["experiment"])
    config = read_config(run, program.name, program.config_class)
    rows = collections.deque(iterate_rows(run / "metrics.jsonl"), maxlen=LAST_STEPS)
    last_step = rows[-1]["step"] if rows else 0
    if last_step < config.steps:
        raise ValueError(
            f"The run in {run} ended at step {last_step} of {config.steps}. Finish it: jaxgan resume {run}."
        )
    data = read_data_record(run)
    scores = read_scores(run)
    if metric is not None:
        scores.append(_mean_metric(rows, metric, config.data))
    if raw_count is not None:
        scores += measure_raw_values(program, run, raw_count)
    if not scores:
        raise ValueError(f"The run in {run} has no scores. Measure its samples first: jaxgan evaluate {run}.")
    return {
        "experiment": program.name,
        "preset": preset,
        "command": command or train_command(program, config, preset),
        "data": {"name": config.data, "examples": data["examples"], "resolution": _resolution(data["shape"])},
        "hardware": {"name": hardware or _processor_name(), "cores": cores or system.cores()},
        "versions": {name: record["versions"][name] for name in ("jax", "python")},
        "seed": config.seed,
        "steps": config.steps,
        "time": {"clock_seconds": clock_seconds, "processor_seconds": processor_seconds},
        "scores": scores,
        "date": datetime.date.today().isoformat(),
        "picture": None,
        "note": note,
    }


def read_scores(run: Path) -> list[dict[str, Any]]:
    """Return the scores of a run that ``jaxgan evaluate`` computed.

    If there are no such scores, return the scores of the last evaluation during the training.
    """
    path = run / "evaluation.json"
    if path.exists():
        found = read_json(path, {"protocol": dict})
    else:
        rows = read_rows(run / "evaluations.jsonl")
        if not rows:
            return []
        found = {name: value for name, value in rows[-1].items() if name != "step"}
    found = with_current_names(found)
    protocol = found.pop("protocol")
    features = protocol.get("features")
    if features and "layer" in protocol:
        features += f", {protocol['layer']} features"
    if features and "trained_on" in protocol:
        features += f", accuracy {protocol['accuracy']:.3f}"
    if features and "prdc" in protocol:
        features += f", k = {protocol['prdc']['neighbours']}"
    shared = {"count": protocol["samples"]["count"], "features": features, "data": protocol["data"]["name"]}
    return [{"name": name, "value": _rounded(value), "protocol": shared} for name, value in found.items()]


def measure_raw_values(program: ExperimentProgram, run: Path, count: int) -> list[dict[str, Any]]:
    """Compare samples of a run with its data by their raw values: pixels, voxels or coordinates in [-1, 1].

    For images and voxels, the function computes precision and recall. For points with known modes, it counts the modes
    that the samples reach. It also computes the Frechet distance if the number of values per example is less than the
    number of samples and less than the number of examples.
    """
    experiment, state, _, config = MemberReference(run_dir=str(run)).restore(program)
    source = experiment.reference
    samples = experiment.sampler()(state, experiment.draw_latents(config.seed, np.arange(count)))
    real = np.asarray(normalize(source.read(np.arange(len(source))))["image"])
    samples, real = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (samples, real))
    features = {1: "coordinates", 3: "pixels", 4: "voxels"}[len(source.shape)]
    found: dict[str, float] = {}
    if samples.shape[1] < min(len(samples), len(real)):
        found["frechet_distance"] = frechet_distance(samples, real)
    if len(source.shape) == 1:
        centres = {"ring": toy.ring_centres, "grid": toy.grid_centres}.get(config.data)
        if centres is not None:
            # Three standard deviations, as in Srivastava et al. 2017.
            modes = count_modes(nearest_modes(samples, centres(), 3 * 0.01), len(centres()))
            found |= {"modes": modes.covered, "accepted": modes.accepted}
    else:
        found |= precision_recall(real, samples, k=NEIGHBOURS)._asdict()
        features += f", k = {NEIGHBOURS}"
    protocol = {"count": count, "features": features, "data": source.name}
    return [{"name": name, "value": _rounded(value), "protocol": protocol} for name, value in found.items()]


def _mean_metric(rows: Collection[Mapping[str, Any]], metric: str, data: str) -> dict[str, Any]:
    values = [finite_mean(row[metric]) for row in rows if metric in row]
    values = [value for value in values if value is not None]
    if not values:
        known = sorted({name for row in rows for name in row} - {"step"})
        raise ValueError(f"`metric` must be one of {', '.join(known)}, got {metric!r}.")
    protocol = {"count": None, "features": None, "data": f"the last {LAST_STEPS} training batches of {data}"}
    return {"name": metric, "value": _rounded(np.mean(values)), "protocol": protocol}


def _rounded(value: Any) -> int | float:
    return value if isinstance(value, int) else float(f"{float(value):.{SIGNIFICANT_DIGITS}g}")


def _resolution(shape: Sequence[int]) -> str | None:
    """Return the height and width of images, or the side lengths of voxels, as text; None for points."""
    return " x ".join(map(str, shape[:-1])) or None


def _processor_name() -> str:
    names = [line.partition(":")[2].strip() for line in system.cpuinfo() if line.startswith("model name")]
    return names[0] if names else system.hardware()


def write_picture(source: Path, stem: Path) -> Path:
    """Write a sample grid as a file of at most ``MAX_PICTURE_BYTES`` bytes, and return its path.

    Args:
      source: an image file.
      stem: path of the picture without a suffix. The suffix is .png, or .jpg if the PNG file would be too large.
    """
    with Image.open(source) as opened:
        image = opened.convert("RGB" if opened.mode not in ("L", "RGB") else opened.mode)
    factor = -(-MIN_PICTURE_WIDTH // image.width)
    image = image.resize((factor * image.width, factor * image.height), Image.Resampling.NEAREST)
    attempts = itertools.chain([(".png", {"optimize": True})], ((".jpg", {"quality": q}) for q in range(90, 9, -10)))
    for suffix, options in attempts:
        file = io.BytesIO()
        image.save(file, {".png": "PNG", ".jpg": "JPEG"}[suffix], **options)
        if len(file.getvalue()) <= MAX_PICTURE_BYTES:
            break
    else:
        raise ValueError(f"{source} is larger than {MAX_PICTURE_BYTES:,} bytes even as a JPEG file; crop it.")
    path = stem.with_name(stem.name + suffix)
    path.write_bytes(file.getvalue())
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program with the arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.results.record",
        description="Record a finished run as a JSON file with a sample grid.",
    )
    parser.add_argument("run", type=Path, help="directory of a finished run, such as runs/dcgan")
    parser.add_argument("--name", required=True, help="name of the JSON file without its suffix, such as dcgan-digits")
    parser.add_argument("--preset", help="preset that the run was started with")
    parser.add_argument("--command", help="command that trained the run; by default, derived from the run's settings")
    parser.add_argument("--hardware", help="name of the processor or accelerator; by default, this machine's processor")
    parser.add_argument("--cores", type=int, help="number of processor cores; by default, all cores of this machine")
    parser.add_argument("--seconds", type=float, help="duration of the training command by the clock, in seconds")
    parser.add_argument("--processor-seconds", type=float, help="processor time of the training command, in seconds")
    parser.add_argument(
        "--raw-count", type=int, help="number of samples to compare with the data by pixels, voxels or coordinates"
    )
    parser.add_argument(
        "--metric", help=f"training metric to record as a score; the last {LAST_STEPS} steps are averaged"
    )
    parser.add_argument("--picture", type=Path, help="image to record; by default, the newest sample grid of the run")
    parser.add_argument("--note", help="one sentence about the result")
    options = parser.parse_args(arguments)
    try:
        print(_record(options))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def _record(options: argparse.Namespace) -> Path:
    result = make_result(
        options.run,
        preset=options.preset,
        command=options.command,
        hardware=options.hardware,
        cores=options.cores,
        clock_seconds=options.seconds,
        processor_seconds=options.processor_seconds,
        raw_count=options.raw_count,
        metric=options.metric,
        note=options.note,
    )
    parse_command(result["command"])
    picture = options.picture or options.run / "samples" / f"step_{result['steps']:07}.png"
    result["picture"] = write_picture(picture, FOLDER / options.name).relative_to(ROOT).as_posix()
    path = FOLDER / f"{options.name}.json"
    write_result(result, path)
    return path


if __name__ == "__main__":
    main()
