"""Experiments run as a user runs them: in this process for speed, or in one of their own."""

import dataclasses
import importlib
import os
import random
import subprocess
import sys
import time
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
TINY = ["--batch-size", "8", "--z-dim", "4", "--g-channels", "4", "--d-channels", "4", "--base-resolution", "4"]


def tiny(experiment: str) -> list[str]:
    """The flags of an experiment's ``Config.tiny()``, but for the number of steps."""
    config = importlib.import_module(f"experiments.{experiment}").Config
    usual, small = (dataclasses.asdict(x) for x in (config(), config.tiny()))
    return [
        word
        for name, value in small.items()
        if value != usual[name] and name != "steps"
        for word in ("--" + name.replace("_", "-"), *([] if value is True else [str(value)]))
    ]


# Of a process: compiled as users have it, on one device, and not as tests have it for speed.
AS_USERS = {"JAX_NUM_CPU_DEVICES": "1", "XLA_FLAGS": "", "JAX_COMPILATION_CACHE_DIR": ""}


class Silent:
    """In the place of ``capsys``, for fixtures that outlive a test."""

    def readouterr(self):
        return types.SimpleNamespace(out="", err="")


def run(capsys, *arguments: object, experiment: str = "dcgan") -> tuple[int, str]:
    """The exit code and all that was printed."""
    module = importlib.import_module(f"experiments.{experiment}")
    from jaxgan.cli.program import main

    try:
        told = [str(a) for a in arguments]
        main(experiment, module.Config, module.build, module.__doc__, told, getattr(module, "PRESETS", None))
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def begun(folder: Path, experiment: str, state: Any = None, **settings: Any) -> Path:
    """A run's directory with a checkpoint before the first step: what there is to sample, untrained.

    Args:
      folder: the directory.
      experiment: whose; its tiny form.
      state: another than the game begins with.
      settings: of it, where they are others.
    """
    import jax

    from jaxgan.monitoring.run_directory import RunDirectory
    from jaxgan.training.checkpoints import Checkpoints

    module = importlib.import_module(f"experiments.{experiment}")
    config = module.Config.tiny(**settings)
    built = module.build(config)
    RunDirectory(folder, experiment, config, built.source, [], False).close()
    checkpoints = Checkpoints(folder / "checkpoints")
    checkpoints.save(jax.jit(built.game.init)(jax.random.key(config.seed)) if state is None else state)
    checkpoints.wait()
    checkpoints.close()
    return folder


def start(*arguments: object, experiment: str = "dcgan", **environment: str) -> subprocess.Popen:
    """A process of its own, on one device."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", f"experiments.{experiment}", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(*arguments: object, experiment: str) -> None:
    """Run a process as users have it; it has to end well."""
    process = start(*arguments, experiment=experiment, **AS_USERS)
    printed = process.communicate(timeout=3 * 3600)[0]
    assert process.returncode == 0, printed


def wait_for(condition: Callable[[], bool], process: subprocess.Popen, seconds: float = 600) -> None:
    """Until it holds; the process must not end before, nor take longer."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        if time.monotonic() > end:
            process.kill()
            raise AssertionError(f"too slow: {process.communicate()[0]}")
        time.sleep(0.02)


def killed(
    command: Sequence[object], whole: Path, broken: Path, kills: int, experiment: str, within: float = 0.5
) -> int:
    """Run a command uninterrupted, and again, killed by SIGKILL at random moments and begun anew until it is done.

    Args:
      command: arguments, but for the run's directory.
      whole, broken: the runs' directories.
      kills: how often.
      experiment: whose program.
      within: seconds after its first step, in which a process is killed.

    Returns:
      How many of those that were killed had resumed.
    """
    uninterrupted = start(*command, "--run-dir", whole, experiment=experiment)
    told, _ = uninterrupted.communicate(timeout=3600)
    assert uninterrupted.returncode == 0, told
    checkpoints, log = broken / "checkpoints", broken / "metrics.jsonl"
    rng, resumed = random.Random(0), 0
    for _ in range(kills):
        process = start(*command, "--run-dir", broken, experiment=experiment)
        wait_for(lambda: checkpoints.is_dir() and any(p.name.isdigit() for p in checkpoints.iterdir()), process)
        size = log.stat().st_size
        wait_for(lambda: log.stat().st_size > size or process.poll() == 0, process)  # noqa: B023
        time.sleep(rng.uniform(0, within))
        process.kill()
        resumed += "resumed from step" in process.communicate()[0]
    process = start(*command, "--run-dir", broken, experiment=experiment)
    told, _ = process.communicate(timeout=3600)
    assert process.returncode == 0, told
    return resumed


def inspect(capsys, run_dir) -> str:
    code, text = run(capsys, "inspect", "--run-dir", run_dir)
    assert code == 0, text
    return text
