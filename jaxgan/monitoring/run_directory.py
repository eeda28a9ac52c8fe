"""A run's directory: whose it is, which settings it was made with, and that one process writes it.

config.json        the experiment's name, its settings, how many examples it has and of what shape, of a population its
                   members, of a private run what it spends, versions, hardware
metrics.jsonl      one object a step
speed.jsonl        images per second, by step
diagnosis.jsonl    what the doctor found, by step: see jaxgan.monitoring.diagnostics
evaluations.jsonl  figures, with their protocol, of --evaluate-every
evaluation.json    the same, of the verb evaluate
samples/           grids of the same latents, as training goes on, and an experiment's sheets
projections/       of the verb project: see jaxgan.training.projections
checkpoints/       see jaxgan.training.checkpoints
report.html        see jaxgan.reporting.report
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from jaxgan.core import system
from jaxgan.core.files import write_atomically
from jaxgan.data import Source
from jaxgan.experiment.config import renamed, settings, shown

PROJECTIONS = "projections"


# What a fresh start removes: what a run writes, and nothing that a user may have put beside it.
WRITTEN = (
    *("config.json", "metrics.jsonl", "speed.jsonl", "diagnosis.jsonl", "evaluations.jsonl", "evaluation.json"),
    *("report.html", "report.html.new"),
    *("checkpoints", "damaged", "profile", PROJECTIONS, "samples", "tensorboard"),
)


class RunDirectory:
    """Taken by one process at a time, until it ends.

    Args:
      path: made if it is not there.
      experiment: the program's name.
      config: its settings, a dataclass with a field ``steps``.
      source: its examples; how many there are, and of what shape, is recorded.
      members: of a population, what each has of its own.
      fresh: remove what a run wrote there before.

    Raises:
      ValueError: it is in use, or holds a run of another experiment or with other settings.
      OSError: it cannot be written.
    """

    def __init__(self, path: Path, experiment: str, config: Any, source: Source, members: list[dict], fresh: bool):
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / ".lock").open("a")
        except (NotADirectoryError, FileExistsError):
            raise ValueError(f"--run-dir {path}: a file is in its place; name another directory") from None
        except OSError as error:
            raise OSError(f"--run-dir {path} cannot be written: {error.strerror}; name another directory") from None
        if not system.try_lock(self._lock):
            raise ValueError(f"--run-dir {path}: another run is writing it; wait for it, or name another")
        # What an older jaxgan did not write stays open: a value given today need not be what the run began with.
        names = resumable(path, experiment, config, source, fresh)
        recorded = {name: value for name, value in dataclasses.asdict(config).items() if names is None or name in names}
        if names is None:
            for name in reversed(WRITTEN):  # config.json last, so that a removal cut short can be repeated
                written = path / name
                is_folder = written.is_dir() and not written.is_symlink()
                shutil.rmtree(written) if is_folder else written.unlink(missing_ok=True)
        record = {
            "experiment": experiment,
            "config": recorded,
            "data": _identity(source),
            **({"members": members} if members else {}),
            "versions": system.versions(),
            "hardware": system.hardware(),
        }
        self._write(record)

    def note(self, **more: Any) -> None:
        """Put more into the record, in place of what it has by these names."""
        self._write({**_record(self.path), **more})

    def _write(self, record: dict[str, Any]) -> None:
        write_atomically(self.path / "config.json", json.dumps(record, indent=2) + "\n")

    def close(self) -> None:
        self._lock.close()


def resumable(path: Path, experiment: str, config: Any, source: Source, fresh: bool) -> list[str] | None:
    """The names of the settings of the run in a directory that ``train`` would go on with; None where it would begin.

    A run that ended before its first step leaves nothing to go on with, and binds nobody.

    Args:
      path, experiment, config, source, fresh: ``RunDirectory``'s.

    Raises:
      ValueError: the directory holds a run of another experiment or with other settings, or something else.
    """
    found = [name for name in WRITTEN if (path / name).exists()]
    if found and not _is_a_run(path):
        raise ValueError(
            f"--run-dir {path}: {', '.join(found)} there, and no run's config.json; name another directory"
        )
    if fresh or not any(_holds(path / name) for name in ("checkpoints", "damaged", "metrics.jsonl")):
        return None
    names = _check_settings(path, experiment, config)
    _check_data(path, source)
    return names


def read_config(path: Path, experiment: str, config_class: type) -> Any:
    """The settings of the run in a directory, as ``config_class``.

    Raises:
      ValueError: there is no run, or it is not this experiment's.
    """
    record = _record(path)
    if record["experiment"] != experiment:
        raise ValueError(
            f"--run-dir {path} is a run of {record['experiment']!r}, not of {experiment!r}: "
            f"python -m experiments.{record['experiment']}"
        )
    return settings(record["config"], config_class, path / "config.json", experiment)


def _holds(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists() and path.stat().st_size > 0


def _is_a_run(path: Path) -> bool:
    try:
        _record(path)
    except ValueError:
        return False
    return True


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads((path / "config.json").read_text(encoding="utf-8"))
        if not isinstance(record["config"], dict) or not isinstance(record["experiment"], str):
            raise TypeError
        return record
    except FileNotFoundError:
        raise ValueError(f"--run-dir {path}: no run there (no config.json); train one, or name its directory") from None
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path / 'config.json'}: damaged, or not jaxgan's; --fresh starts over") from None


def _check_settings(path: Path, experiment: str, config: Any) -> list[str]:
    """The names of those that the run's record has, which are the run's; others may be given."""
    fields = [field.name for field in dataclasses.fields(config)]
    recorded = list(renamed(_record(path)["config"], experiment, fields))
    old = read_config(path, experiment, type(config))
    for name in recorded:
        before, now = getattr(old, name), getattr(config, name)
        flag = "--" + name.replace("_", "-")
        if name == "steps" and now < before:
            raise ValueError(f"{flag} {now}: the run in {path} was asked for {before}; it may grow, not shrink")
        if name != "steps" and now != before:
            raise ValueError(
                f"{flag} {shown(now)}: the run in {path} has {shown(before)}; resume it with that, "
                "start over with --fresh, or name another --run-dir"
            )
    return recorded


def _identity(source: Source) -> dict[str, Any]:
    """What is cheap to know of examples; their name is a setting."""
    return {"examples": len(source), "shape": list(source.shape), "classes": list(source.classes)}


def _check_data(path: Path, source: Source) -> None:
    old, now = _record(path).get("data"), _identity(source)
    if old in (None, now):
        return
    changed = next(name for name in now if old.get(name) != now[name])
    raise ValueError(
        f"--data: the run in {path} was made with {changed} {old.get(changed)}, and now it is {now[changed]}; "
        "bring the data back, start over with --fresh, or name another --run-dir"
    )
