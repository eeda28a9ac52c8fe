"""Manage the directory of a run: write its config.json, check that the run can be resumed, and lock the directory.

A run writes these files:

config.json        The experiment's name, its settings, the number and shape of its examples, the absolute paths of its
                   data, the members of a population, versions, hardware, the command, and the options to resume with.
                   Written at the start. A differentially private run also records its planned and its spent privacy
                   budget.
metrics.jsonl      The metrics of each step. Written at least every 10 steps.
speed.jsonl        The number of examples per second, measured whenever the progress is printed.
diagnosis.jsonl    The findings of the monitor, every 50 steps; see jaxgan.monitoring.diagnostics.
evaluations.jsonl  The metrics of the checkpoints that are evaluated every `evaluate_every` steps, and the protocol,
                   which describes how the metrics were computed.
evaluation.json    The metrics that `jaxgan evaluate` computed, and the protocol.
samples/           Sample grids and other image grids that the experiment draws, written every `sample_every` steps. All
                   sample grids use the same latents.
projections/       The output of `jaxgan project`; see jaxgan.editing.projection_files.
checkpoints/       Checkpoints every `checkpoint_every` steps, at each evaluation and at the end; see
                   jaxgan.training.checkpoints.
monitor/           The arrays that the monitor needs to continue after a checkpoint; see jaxgan.monitoring.probe_files.
damaged/           Damaged checkpoints and copies of damaged files, which are put here when the run is resumed.
tensorboard/       The metrics in the format of TensorBoard.
profile/           A trace of the steps that the option `profile` selects.
report.html        The report, written at the end of training and by `jaxgan report`; see jaxgan.reporting.report.
.lock              A file that a process locks while it writes to the directory.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from jaxgan.core import system
from jaxgan.core.files import check_is_text, is_same_file, write_atomically
from jaxgan.experiment.settings import CommonSettings
from jaxgan.experiment.settings_file import format_setting, read_settings, rename_settings, without_secrets
from jaxgan.monitoring.data_paths import SETTINGS as DATA_SETTINGS, find_data_paths, is_same_place
from jaxgan.monitoring.data_record import check_data
from jaxgan.monitoring.run_record import advice_without_record, program_of, read_record

PROJECTIONS = "projections"

# The files that a run writes. The option `fresh` removes them. Other files in the directory are not changed.
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
    "monitor",
    "profile",
    PROJECTIONS,
    "samples",
    "tensorboard",
)


@dataclasses.dataclass(frozen=True)
class ResumableRun:
    """A run that can be resumed.

    Attributes:
      setting_names: the names of the settings in the run's config.json. A setting that was renamed after the file was
        written has its new name here. If an older version of jaxgan wrote the file, the file lacks settings that were
        introduced later. These settings are not added to the file, because it is unknown which values they would have
        had when the run started.
    """

    setting_names: tuple[str, ...]


class RunDirectory:
    """The directory of a run, which is locked for this process until ``close``.

    Args:
      path: the directory, which is created if it is missing.
      experiment: the experiment's name.
      config: the experiment's settings.
      data: the record of the data, see ``data_record.describe_data``.
      members: for a population, the settings of each member; otherwise an empty list.
      fresh: whether to remove an existing run in the directory instead of resuming it.

    Raises:
      ValueError: if the directory is in use, or if it contains a run whose experiment, settings or data differ from the
        arguments.
      OSError: if the directory cannot be written.
    """

    def __init__(
        self,
        path: Path,
        experiment: str,
        config: CommonSettings,
        data: Mapping[str, Any],
        members: list[dict[str, Any]],
        fresh: bool,
    ):
        self.path = path
        self._lock_file = self._lock()
        self._identity = _identity(path)
        run = find_resumable(path, experiment, config, data, fresh)
        recorded = without_secrets(dataclasses.asdict(config))
        if run is None:
            self._remove_run()
        else:
            recorded = {name: value for name, value in recorded.items() if name in run.setting_names}
        # A relative path in the settings may not exist if the run is resumed from another working directory. In that
        # case, the absolute path that the run recorded for the setting stays in config.json.
        paths = {**({} if run is None else read_data_paths(path)), **find_data_paths(config)}
        record: dict[str, Any] = {"experiment": experiment, "config": recorded, "data": dict(data)}
        if paths:
            record["data"]["paths"] = paths
        record["settings_sha256"] = _digest_settings(recorded)
        if members:
            record["members"] = members
        record["versions"] = system.versions()
        record["hardware"] = system.hardware()
        self._write(record)

    def add_to_record(self, **more: Any) -> None:
        """Add entries to ``config.json``. They replace existing entries with the same names.

        Args:
          **more: the entries. Their values must be representable as JSON.
        """
        self._write({**_read_record(self.path), **more})

    def check(self) -> None:
        """Check that the directory is still in its place, and that no other process uses it.

        If somebody removed the file of the lock, the directory is locked again.

        Raises:
          OSError: if the directory was moved, removed or replaced, or if another process has locked it.
        """
        if _identity(self.path) != self._identity or not (self.path / "config.json").exists():
            raise OSError(
                f"`run_dir` {self.path} was moved, removed or replaced while the run was writing to it. Move it back, "
                "and run the same command again to resume the run."
            )
        if not is_same_file(self._lock_file, self.path / ".lock"):
            try:
                lock_file = self._lock()
            except ValueError as error:
                raise OSError(f"The file {self.path / '.lock'} was removed or replaced. {error}") from None
            self._lock_file.close()
            self._lock_file = lock_file

    def close(self) -> None:
        """Release the lock, so that another process can use the directory."""
        self._lock_file.close()

    def _lock(self) -> IO:
        path = self.path
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock_file = (path / ".lock").open("a")
        except (NotADirectoryError, FileExistsError):
            raise ValueError(
                f"`run_dir` {path} cannot be created, because a file is in its place. Choose another directory."
            ) from None
        except OSError as error:
            raise OSError(f"`run_dir` {path} cannot be written: {error.strerror}. Choose another directory.") from None
        if not system.try_lock(lock_file):
            lock_file.close()
            raise ValueError(
                f"`run_dir` {path} is in use by another run. Wait until it has finished, or choose another directory."
            )
        return lock_file

    def _remove_run(self) -> None:
        for name in reversed(RUN_FILES):  # config.json is removed last, so that an interrupted removal can be repeated
            file = self.path / name
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)

    def _write(self, record: dict[str, Any]) -> None:
        write_atomically(self.path / "config.json", json.dumps(record, indent=2) + "\n")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the device and the number of a directory, or None if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def find_resumable(
    path: Path, experiment: str, config: CommonSettings, data: Mapping[str, Any], fresh: bool
) -> ResumableRun | None:
    """Return the run that training would resume from a directory, or None if training would start a new run.

    A run that ended before its first step cannot be resumed, so its settings are not checked.

    Args:
      path, experiment, config, data, fresh: as for ``RunDirectory``.

    Raises:
      ValueError: if the directory contains files with the names of a run's files but no valid config.json, or if the
        experiment, the settings or the data of the run in the directory differ from the arguments.
    """
    check_is_text(path)
    found = [name for name in RUN_FILES if (path / name).exists()]
    if found and not _is_run(path):
        raise ValueError(
            f"`run_dir` {path} contains {', '.join(found)}, but no valid config.json of a run."
            + (advice_without_record(path) or " Choose another directory.")
        )
    if fresh or not any(_has_content(path / name) for name in ("checkpoints", "damaged", "metrics.jsonl")):
        return None
    run = ResumableRun(_check_settings(path, experiment, config))
    check_data(path, read_data_record(path), data)
    return run


def read_config(path: Path, experiment: str, config_class: type) -> Any:
    """Return the settings of the run in a directory, as an instance of ``config_class``.

    Args:
      path: the directory of the run.
      experiment: the name of the experiment that the run must belong to.
      config_class: the ``Config`` of this experiment.

    Raises:
      ValueError: if there is no run, or if the run belongs to another experiment.
    """
    record = _read_record(path)
    made_by = record["experiment"]
    if made_by != experiment:
        program = program_of(record)
        fix = f"Run `{program}`, or choose" if program else "Choose"
        raise ValueError(
            f"`run_dir` {path} contains a run of the experiment {made_by!r}, not of {experiment!r}. {fix} another "
            "directory."
        )
    return read_settings(record["config"], config_class, path / "config.json", experiment)


def check_settings_unchanged(path: Path) -> None:
    """Raise ``ValueError`` if the settings in a run's config.json are not those that the run wrote.

    A damaged number can be a valid number, so only a checksum shows the damage. Settings that name data are not
    checked, because the data can be moved. Runs of older versions have no checksum, and are not checked.

    Args:
      path: the directory of the run.
    """
    record = _read_record(path)
    if record.get("settings_sha256", digest := _digest_settings(record["config"])) != digest:
        raise ValueError(
            f"The settings in {path / 'config.json'} have changed since the run wrote them. Restore the file from a "
            "backup. If you changed the settings on purpose, remove the entry settings_sha256 from the file."
        )


def _digest_settings(settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all settings except those that name data."""
    checked = {name: value for name, value in settings.items() if name not in DATA_SETTINGS}
    return hashlib.sha256(json.dumps(checked, sort_keys=True).encode()).hexdigest()


def read_options(path: Path) -> dict[str, Any]:
    """Return the options in a run's config.json, as a dictionary from names to values.

    The dictionary is empty for runs that were started with older versions of jaxgan.

    Args:
      path: the directory of the run.

    Raises:
      ValueError: if there is no run.
    """
    return _read_record(path).get("options", {})


def read_data_record(path: Path) -> dict[str, Any]:
    """Return the description of the examples in a run's config.json.

    Returns:
      A dictionary with the entries ``examples`` (the number of examples), ``shape``, ``classes`` and ``paths`` (see
      ``read_data_paths``). Older versions of jaxgan recorded no paths. The dictionary is empty if nothing was recorded.

    Raises:
      ValueError: if there is no run.
    """
    return _read_record(path).get("data", {})


def read_classes(path: Path) -> tuple[str, ...]:
    """Return the names of the classes that a run recorded, in the order of their labels.

    The result is empty if the directory contains no run, or if the examples of the run have no labels.

    Args:
      path: the directory.
    """
    return tuple(read_data_record(path).get("classes", ())) if _is_run(path) else ()


def read_data_paths(path: Path) -> dict[str, str]:
    """Return the absolute data paths in a run's config.json, as a dictionary from the name of a setting to its path.

    Args:
      path: the directory of the run.

    Raises:
      ValueError: if there is no run.
    """
    return read_data_record(path).get("paths", {})


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
        return read_record(path)
    except FileNotFoundError:
        raise ValueError(
            f"`run_dir` {path} contains no run, because it has no config.json."
            + (advice_without_record(path) or " Train a run there, or choose the directory of a run.")
        ) from None


def _check_settings(path: Path, experiment: str, config: CommonSettings) -> tuple[str, ...]:
    """Check that settings are equal to those in a run's config.json, except for a larger number of steps.

    Returns:
      The names of the settings in config.json. Renamed settings have their new names.
    """
    fields = [field.name for field in dataclasses.fields(config)]
    recorded = tuple(rename_settings(_read_record(path)["config"], experiment, fields))
    old = read_config(path, experiment, type(config))
    for name in recorded:
        before, now = getattr(old, name), getattr(config, name)
        if name == "steps" and now < before:
            raise ValueError(f"`steps` must be at least {before}, the number of steps of the run in {path}, got {now}.")
        if name != "steps" and now != before and not (name in DATA_SETTINGS and _can_move(path, name, before, now)):
            raise ValueError(
                f"`{name}` is {format_setting(before)} in the run in {path}, got {format_setting(now)}. "
                "Use the command `resume` to continue the run with its own settings, use `fresh` to replace the run, "
                "or choose another `run_dir`."
            )
    return recorded


def _can_move(path: Path, name: str, before: Any, now: Any) -> bool:
    """Return whether a setting that names data can differ from the run, because the data themselves are compared.

    An older run recorded no hash of its examples, so its data must be at the same place.
    """
    if not (isinstance(before, str) and isinstance(now, str)):
        return False
    return "hash" in read_data_record(path) or is_same_place(before, now, read_data_paths(path).get(name))
