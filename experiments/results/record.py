"""Record each measured result as a JSON file in this folder, and list all results in ``experiments/README.md``.

Record a finished run with its scores and its sample grid::

    python -m experiments.results.record runs/dcgan --name dcgan-digits --seconds 24.4

Write ``experiments/README.md`` again from all JSON files of this folder::

    python -m experiments.results.record --table

``FIELDS`` and ``NESTED`` list the fields of a file. The name of a file consists of the experiment, a hyphen and one or
two words that describe the data and the settings.
"""

import argparse
import dataclasses
import datetime
import io
import itertools
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxgan.cli import commands, errors, experiment_files
from jaxgan.cli.checkpoint_reference import MemberReference
from jaxgan.cli.experiment_program import ExperimentProgram, load_program
from jaxgan.cli.fields import fields_of
from jaxgan.cli.train import Train
from jaxgan.core import system
from jaxgan.data import normalize, toy
from jaxgan.evaluation.metric_names import with_current_names
from jaxgan.metrics import count_modes, frechet_distance, nearest_modes, precision_recall
from jaxgan.monitoring.metrics_file import finite_mean, read_rows

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
README = FOLDER.parent / "README.md"

MAX_PICTURE_BYTES = 60_000  # maximum size of the file of a sample grid
MIN_PICTURE_WIDTH = 192  # width in pixels; narrower sample grids are enlarged by an integer factor
TABLE_PICTURE_WIDTH = 128  # width in pixels of the sample grids in the table
LAST_STEPS = 100  # number of steps at the end of training; the option --metric averages a metric over them
NEIGHBOURS = 3  # number of nearest neighbours for precision and recall of raw values
SIGNIFICANT_DIGITS = 4  # of the recorded scores

NUMBER = (int, float)
OPTIONAL_NUMBER = (int, float, type(None))
OPTIONAL_TEXT = (str, type(None))

# The fields of a result and the types of their values.
FIELDS: dict[str, tuple[type, ...]] = {
    "experiment": (str,),
    "preset": OPTIONAL_TEXT,  # the preset in the command; null for a command without a preset
    "command": (str,),  # the exact command that trained the run
    "data": (dict,),
    "hardware": (dict,),
    "versions": (dict,),
    "seed": (int,),
    "steps": (int,),
    "time": (dict,),
    "scores": (list,),
    "date": (str,),  # the day of the measurement, such as 2026-11-30
    "picture": OPTIONAL_TEXT,  # path of a sample grid of this run, relative to the repository
    "note": OPTIONAL_TEXT,  # one sentence that the table shows below the scores
}
NESTED: dict[str, dict[str, tuple[type, ...]]] = {
    "data": {"name": (str,), "examples": (int, type(None)), "resolution": OPTIONAL_TEXT},
    "hardware": {"name": (str,), "cores": (int, type(None))},
    "versions": {"jax": (str,), "python": OPTIONAL_TEXT},
    "time": {"clock_seconds": OPTIONAL_NUMBER, "processor_seconds": OPTIONAL_NUMBER},
}
# A score. Its value is a number, or a list of the lowest and the highest number among several seeds.
SCORE: dict[str, tuple[type, ...]] = {"name": (str,), "value": (int, float, list), "protocol": (dict,)}
# The protocol of a score: the number of samples, the features that were compared (null for metrics that compare no
# features), and the data that the samples were compared with.
PROTOCOL: dict[str, tuple[type, ...]] = {"count": (int, type(None)), "features": OPTIONAL_TEXT, "data": (str,)}

TYPE_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
    type(None): "null",
}

INTRODUCTION = """\
# Experiments

Each program in this folder reproduces one published method. It defines the networks, the losses, the data and the
settings of one training, and its settings are flags of the command line:

```sh
jaxgan list                                          # list the experiments
jaxgan train dcgan                                   # train with the default settings
jaxgan train dcgan --help                            # list all settings with their defaults
jaxgan train dcgan --preset paper --data bedrooms/   # train with the settings of the paper
jaxgan evaluate runs/dcgan                           # measure the samples of the run
```

In a checkout, `python -m experiments.dcgan` is the same program as `jaxgan train dcgan`. The default settings are small
enough for a CPU. Every experiment also has the settings of its paper, `--preset paper`. Training with these
settings requires an accelerator, and the table below has no results for them.

The table below lists every measured result. Each row links to a JSON file in [results/](results/) that contains the
exact command, the seed, the versions of JAX and Python, and the protocol of each score: the number of samples, the
features that were compared, and the data that the samples were compared with. Scores with different protocols cannot be
compared. [docs/results.md](../docs/results.md) describes each experiment, its differences from the paper, and the
settings that were tried. The programs in [benchmarks/](benchmarks/) measure speed; their results are in
[docs/benchmarks.md](../docs/benchmarks.md).

To add a result, train and evaluate a run, then record it and update this page:

```sh
python -m experiments.results.record runs/dcgan --name dcgan-digits
python -m experiments.results.record --table
```

## Results

- **time**: the elapsed time of the command, including compilation, or its processor time. The machines were shared with
  other work, so times differ between repeated runs.
- **score and its protocol**: the scores, followed in parentheses by the number of samples, the features that were
  compared, and the data that the samples were compared with.

The scores have these meanings:

- `fd_classifier`: Frechet distance between features of a small classifier. The classifier is trained on the labels of
  the data; its accuracy on held-out examples is given. Lower is better.
- `fid_768`: Frechet distance between 768 features of the Inception network. Lower is better.
- `frechet_distance`: Frechet distance between raw values, such as pixels. Lower is better.
- `precision`, `recall`, `density` and `coverage`: measured with the given number k of nearest neighbours. Higher is
  better.
- `modes`: number of classes or modes that the samples reach. `accepted` is the share of samples that belong to a mode.
  `modes_kl` is the Kullback-Leibler divergence between the distribution of these samples over the modes and the uniform
  distribution.
- `cas`: accuracy, on real data, of a classifier that was trained on samples.
"""

HEADINGS = ("result", "settings", "data", "hardware", "time", "score and its protocol", "samples")


def read_results(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return a dictionary from names to the results in a folder, in the order of the table.

    Raises:
      ValueError: if a file is not a valid result.
    """
    results = {}
    for path in folder.glob("*.json"):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not valid JSON: {error}.") from None
        check_result(result, str(path))
        results[path.stem] = result

    def order(name: str) -> tuple[str, bool, str]:
        result = results[name]
        has_flags = result["command"] != f"jaxgan train {result['experiment']}"
        return result["experiment"], has_flags, name

    return {name: results[name] for name in sorted(results, key=order)}


def check_result(result: Any, name: str) -> None:
    """Check the fields of a result and the types of their values.

    Args:
      result: the content of a JSON file.
      name: name of the file, which error messages contain.

    Raises:
      ValueError: if a field is missing, unknown or has a value of the wrong type.
    """
    _check_fields(result, FIELDS, name)
    for field, types in NESTED.items():
        _check_fields(result[field], types, f"{name}: `{field}`")
    if result["experiment"] not in experiment_files.names():
        raise ValueError(
            f"{name}: `experiment` must be one of {', '.join(experiment_files.names())}, got {result['experiment']!r}."
        )
    try:
        datetime.date.fromisoformat(result["date"])
    except ValueError:
        raise ValueError(f"{name}: `date` must be a date such as 2026-11-30, got {result['date']!r}.") from None
    if not result["scores"]:
        raise ValueError(f"{name}: `scores` must contain at least one score.")
    for i, score in enumerate(result["scores"]):
        where = f"{name}: `scores[{i}]`"
        _check_fields(score, SCORE, where)
        _check_fields(score["protocol"], PROTOCOL, f"{where}: `protocol`")
        value = score["value"]
        if isinstance(value, list) and not (len(value) == 2 and all(isinstance(x, NUMBER) for x in value)):
            raise ValueError(f"{where}: `value` must be a number, or the lowest and the highest number, got {value}.")


def _check_fields(value: Any, types: Mapping[str, tuple[type, ...]], name: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, got {value!r}.")
    missing = [field for field in types if field not in value]
    if missing:
        raise ValueError(f"{name} lacks {', '.join(missing)}.")
    unknown = [field for field in value if field not in types]
    if unknown:
        raise ValueError(f"{name} has the unknown fields {', '.join(unknown)}; allowed are {', '.join(types)}.")
    for field, allowed in types.items():
        if not isinstance(value[field], allowed) or isinstance(value[field], bool):
            expected = " or ".join(TYPE_NAMES[each] for each in allowed)
            raise ValueError(f"{name}: `{field}` must be {expected}, got {value[field]!r}.")


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
    record = json.loads((run / "config.json").read_text(encoding="utf-8"))
    program = load_program(record["experiment"])
    settings = {name: tuple(x) if isinstance(x, list) else x for name, x in record["config"].items()}
    config = program.config_class(**settings)
    rows = read_rows(run / "metrics.jsonl")
    last_step = rows[-1]["step"] if rows else 0
    if last_step < config.steps:
        raise ValueError(
            f"The run in {run} ended at step {last_step} of {config.steps}. Finish it: jaxgan resume {run}."
        )
    examples, shape = record["data"]["examples"], record["data"]["shape"]
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
        "data": {"name": config.data, "examples": examples, "resolution": _resolution(shape)},
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
        found = json.loads(path.read_text(encoding="utf-8"))
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


def _mean_metric(rows: Sequence[Mapping[str, Any]], metric: str, data: str) -> dict[str, Any]:
    values = [finite_mean(row[metric]) for row in rows[-LAST_STEPS:] if metric in row]
    values = [value for value in values if value is not None]
    if not values:
        known = sorted({name for row in rows[-LAST_STEPS:] for name in row} - {"step"})
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


def write_result(result: Mapping[str, Any], path: Path) -> None:
    """Write a result as JSON.

    Raises:
      ValueError: if the result is not valid.
    """
    check_result(result, str(path))
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def render_readme(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of ``experiments/README.md``: an introduction, and a table with one row for each result."""
    rows = [_table_line(HEADINGS), _table_line(["---"] * len(HEADINGS))]
    rows += [_table_line(_cells(name, result)) for name, result in results.items()]
    return INTRODUCTION + "\n" + "\n".join(rows) + "\n"


def _table_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(name: str, result: Mapping[str, Any]) -> list[str]:
    experiment, data, picture = result["experiment"], result["data"], result["picture"]
    settings = "flags of the command"
    if result["preset"] is not None:
        settings = f"`--preset {result['preset']}`"
    elif result["command"] == f"jaxgan train {experiment}":
        settings = "the defaults"
    described = data["name"]
    if data["examples"] is not None:
        described += f", {data['examples']:,} examples"
    if data["resolution"] is not None:
        described += f", {data['resolution']}"
    scores = []
    for protocol, group in itertools.groupby(result["scores"], lambda score: score["protocol"]):
        values = ", ".join(f"{score['name']} {_format_value(score['value'])}" for score in group)
        parts = [f"{protocol['count']:,} samples"] if protocol["count"] is not None else []
        parts += [protocol["features"]] if protocol["features"] is not None else []
        scores.append(f"**{values}** ({'; '.join([*parts, protocol['data']])})")
    shown = ""
    if picture is not None:
        path = Path(picture)
        relative = path.relative_to("experiments") if path.parts[0] == "experiments" else Path("..") / path
        shown = f'<img src="{relative.as_posix()}" width="{TABLE_PICTURE_WIDTH}" alt="Samples of {name}">'
    score_text = "<br>".join(scores)
    if result["note"] is not None:
        score_text += f"<br>{result['note']}"
    hardware = result["hardware"]["name"]
    if result["hardware"]["cores"] is not None:
        count = result["hardware"]["cores"]
        hardware += f", {count} core{'s' if count > 1 else ''}"
    return [
        f"[{name}](results/{name}.json) of [{experiment}.py]({experiment}.py)",
        settings,
        described,
        hardware,
        format_time(result["time"]),
        score_text,
        shown,
    ]


def _format_value(value: Any) -> str:
    if isinstance(value, list):
        return f"{_format_value(value[0])} to {_format_value(value[1])}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{SIGNIFICANT_DIGITS}g}"


def format_time(time: Mapping[str, float | None]) -> str:
    """Return the time of a result as text.

    >>> format_time({"clock_seconds": 24.4, "processor_seconds": 130})
    '24 s; 2 min of processor time'
    >>> format_time({"clock_seconds": None, "processor_seconds": None})
    'not measured'
    """
    parts = []
    for field, words in (("clock_seconds", ""), ("processor_seconds", " of processor time")):
        seconds = time[field]
        if seconds is not None:
            parts.append((f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min") + words)
    return "; ".join(parts) or "not measured"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program with the arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.results.record",
        description="Record a finished run as a JSON file with a sample grid, or update experiments/README.md.",
    )
    parser.add_argument("run", nargs="?", type=Path, help="directory of a finished run, such as runs/dcgan")
    parser.add_argument("--table", action="store_true", help="write experiments/README.md from all JSON files")
    parser.add_argument("--name", help="name of the JSON file without its suffix, such as dcgan-digits")
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
    if options.run is None and not options.table:
        parser.error("Pass the directory of a run, or --table.")
    if options.run is not None and not options.name:
        parser.error("Pass --name, the name of the JSON file without its suffix, such as dcgan-digits.")
    try:
        if options.run is not None:
            print(_record(options))
        if options.table:
            README.write_text(render_readme(read_results()), encoding="utf-8")
            print(README)
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
    check_result(result, options.name)
    parse_command(result["command"])
    picture = options.picture or options.run / "samples" / f"step_{result['steps']:07}.png"
    result["picture"] = write_picture(picture, FOLDER / options.name).relative_to(ROOT).as_posix()
    path = FOLDER / f"{options.name}.json"
    write_result(result, path)
    return path


if __name__ == "__main__":
    main()
