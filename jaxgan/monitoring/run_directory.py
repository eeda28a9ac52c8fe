"""A run's directory: the record of its experiment and settings, and a lock, so that one process writes it at a time.

What a run writes, and when:

config.json        at the start: the experiment's name, its settings, the number and the shape of its examples, the
                   absolute paths of their files, the members of a population, versions, hardware, the program and the
                   options that resuming takes; at the end the privacy that a private run spends
metrics.jsonl      the metrics of each step, at most every 10 steps
speed.jsonl        images per second, by step
diagnosis.jsonl    what the monitor found, every 50 steps: see jaxgan.monitoring.diagnostics
evaluations.jsonl  the figures of evaluations, every evaluate_every steps, with their protocol
evaluation.json    the figures of the command evaluate, with their protocol
samples/           grids of the same latents, and an experiment's sheets, every sample_every steps
projections/       written by the command project: see jaxgan.editing.projection_files
checkpoints/       every checkpoint_every steps, at an evaluation and at the end: see jaxgan.training.checkpoints
damaged/           checkpoints that were damaged, moved here when a run resumes
tensorboard/       the metrics again, for TensorBoard
profile/           a trace of the steps that profile asks for
report.html        at the end, or by the command report: see jaxgan.reporting.report
.lock              held by the process that writes the directory
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from jaxgan.core import system
from jaxgan.core.files import write_atomically
from jaxgan.data import Source
from jaxgan.experiment.settings import Settings
from jaxgan.experiment.settings_file import format_setting, read_settings, rename_settings
from jaxgan.monitoring.data_paths import find_data_paths

PROJECTIONS = "projections"

# What a run writes, which a fresh start removes. A user's own files beside it stay.
RUN_FILES = (
    "config.json",
    "metrics.jsonl",
    "speed.jsonl",
    "diagnosis.jsonl",
    "evaluations.jsonl",
    "evaluation.json",
    "report.html",
    "report.html.new",
    "checkpoints",
    "damaged",
    "profile",
    PROJECTIONS,
    "samples",
    "tensorboard",
)


@dataclasses.dataclass(frozen=True)
class ResumableRun:
    """A run that training would continue.

    Attributes:
      setting_names: today's names of the settings that the run's record has. A run of an older version has fewer than
        there are today; the others need not be those that it began with, so they stay out of its record.
    """

    setting_names: tuple[str, ...]


class RunDirectory:
    """A run's directory, which belongs to one process until ``close``.

    Args:
      path: made if it is not there.
      experiment: the experiment's name.
      config: its settings.
      source: its examples, whose number and shape are recorded.
      members: of a population, the settings of each member; else empty.
      fresh: remove the run that is there, rather than resume it.

    Raises:
      ValueError: the directory is in use, or holds a run of another experiment or with other settings.
      OSError: the directory cannot be written.
    """

    def __init__(
        self,
        path: Path,
        experiment: str,
        config: Settings,
        source: Source,
        members: list[dict[str, Any]],
        fresh: bool,
    ):
        self.path = path
        self._lock()
        run = find_resumable(path, experiment, config, source, fresh)
        recorded = dataclasses.asdict(config)
        if run is None:
            self._remove_run()
        else:
            recorded = {name: value for name, value in recorded.items() if name in run.setting_names}
        data: dict[str, Any] = _describe_data(source)
        # A run that is resumed from another directory keeps the paths that it recorded.
        paths = {**({} if run is None else read_data_paths(path)), **find_data_paths(config)}
        if paths:
            data["paths"] = paths
        record: dict[str, Any] = {"experiment": experiment, "config": recorded, "data": data}
        if members:
            record["members"] = members
        record["versions"] = system.versions()
        record["hardware"] = system.hardware()
        self._write(record)

    def add_to_record(self, **more: Any) -> None:
        """Add entries to ``config.json``, in place of those that it has by these names."""
        self._write({**_read_record(self.path), **more})

    def close(self) -> None:
        """Let other processes take the directory."""
        self._lock_file.close()

    def _lock(self) -> None:
        path = self.path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock_file = (path / ".lock").open("a")
        except (NotADirectoryError, FileExistsError):
            raise ValueError(
                f"`run_dir` {path} cannot be made, because a file is in its place; name another."
            ) from None
        except OSError as error:
            raise OSError(f"`run_dir` {path} cannot be written: {error.strerror}; name another.") from None
        if not system.try_lock(self._lock_file):
            raise ValueError(f"`run_dir` {path} is in use: another run is writing it; wait for it, or name another.")

    def _remove_run(self) -> None:
        for name in reversed(RUN_FILES):  # config.json last, so that a removal that was cut short can be repeated
            file = self.path / name
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)

    def _write(self, record: dict[str, Any]) -> None:
        write_atomically(self.path / "config.json", json.dumps(record, indent=2) + "\n")


def find_resumable(path: Path, experiment: str, config: Settings, source: Source, fresh: bool) -> ResumableRun | None:
    """The run in a directory that training would continue; None if training would begin a new one.

    A run that ended before its first step has nothing to continue, so its settings do not matter.

    Args:
      path, experiment, config, source, fresh: as for ``RunDirectory``.

    Raises:
      ValueError: the directory holds a run of another experiment or with other settings, or something else.
    """
    found = [name for name in RUN_FILES if (path / name).exists()]
    if found and not _is_run(path):
        raise ValueError(
            f"`run_dir` {path} holds {', '.join(found)}, but no config.json of a run; name another directory."
        )
    if fresh or not any(_has_content(path / name) for name in ("checkpoints", "damaged", "metrics.jsonl")):
        return None
    run = ResumableRun(_check_settings(path, experiment, config))
    _check_data(path, source)
    return run


def read_config(path: Path, experiment: str, config_class: type) -> Any:
    """The settings of the run in a directory, as ``config_class``.

    Raises:
      ValueError: there is no run, or it is not this experiment's.
    """
    record = _read_record(path)
    made_by = record["experiment"]
    if made_by != experiment:
        raise ValueError(
            f"`run_dir` {path} is a run of {made_by!r}, not of {experiment!r}; use the program that made it."
        )
    return read_settings(record["config"], config_class, path / "config.json", experiment)


def read_options(path: Path) -> dict[str, Any]:
    """The options that the run in a directory recorded, by name; runs of older versions recorded none.

    Raises:
      ValueError: there is no run.
    """
    options = _read_record(path).get("options", {})
    return options if isinstance(options, dict) else {}


def read_data_record(path: Path) -> dict[str, Any]:
    """What the run in a directory recorded of its examples: their number, shape, classes, and the paths of their files.

    Runs of older versions recorded no paths, and the first ones nothing: {}.

    Raises:
      ValueError: there is no run.
    """
    data = _read_record(path).get("data")
    return data if isinstance(data, dict) else {}


def read_data_paths(path: Path) -> dict[str, str]:
    """The absolute paths that the run in a directory recorded of its data, by the setting that names them.

    Raises:
      ValueError: there is no run.
    """
    paths = read_data_record(path).get("paths")
    found = paths.items() if isinstance(paths, dict) else ()
    return {name: place for name, place in found if isinstance(place, str)}


def _has_content(path: Path) -> bool:
    if path.is_dir():
        return any(path.iterdir())
    return path.exists() and path.stat().st_size > 0


def _is_run(path: Path) -> bool:
    try:
        _read_record(path)
    except ValueError:
        return False
    return True


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads((path / "config.json").read_text(encoding="utf-8"))
        if not isinstance(record["config"], dict) or not isinstance(record["experiment"], str):
            raise TypeError
        return record
    except FileNotFoundError:
        raise ValueError(
            f"`run_dir` {path} holds no run (no config.json); train one, or name the directory of one."
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{path / 'config.json'} is damaged, or not jaxgan's; pass `fresh` to start over.") from None


def _check_settings(path: Path, experiment: str, config: Settings) -> tuple[str, ...]:
    """Compare settings with those of a run's record, and return today's names of those that the record has."""
    fields = [field.name for field in dataclasses.fields(config)]
    recorded = tuple(rename_settings(_read_record(path)["config"], experiment, fields))
    old = read_config(path, experiment, type(config))
    for name in recorded:
        before, now = getattr(old, name), getattr(config, name)
        if name == "steps" and now < before:
            raise ValueError(f"`steps` must not shrink: the run in {path} was asked for {before}, got {now}.")
        if name != "steps" and now != before:
            raise ValueError(
                f"`{name}` is {format_setting(before)} in the run in {path}, got {format_setting(now)}; the "
                "command resume takes the run's settings; or pass `fresh` to start over, or name another `run_dir`."
            )
    return recorded


def _describe_data(source: Source) -> dict[str, Any]:
    """What identifies examples and is cheap to know; their name is among the settings."""
    return {"examples": len(source), "shape": list(source.shape), "classes": list(source.classes)}


def _check_data(path: Path, source: Source) -> None:
    old, now = read_data_record(path), _describe_data(source)
    changed = next((name for name in now if old and old.get(name) != now[name]), None)
    if changed is None:
        return
    raise ValueError(
        f"`data` has changed: the run in {path} was made with {changed} {old.get(changed)}, and now it is "
        f"{now[changed]}; bring the data back, pass `fresh` to start over, or name another `run_dir`."
    )
