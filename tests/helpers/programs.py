"""Run experiments from the command line, as a user does: in this process, which is faster, or in a new process."""

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
    """Return the flags that set an experiment to its ``Config.tiny()``, except for the number of steps."""
    config = importlib.import_module(f"experiments.{experiment}").Config
    usual, small = (dataclasses.asdict(x) for x in (config(), config.tiny()))
    return [
        word
        for name, value in small.items()
        if value != usual[name] and name != "steps"
        for word in ("--" + name.replace("_", "-"), *([] if value is True else [str(value)]))
    ]


# Environment variables that undo the tests' settings in a new process: one device, XLA's default optimisations, and no
# cache of compiled programs.
AS_USERS = {"JAX_NUM_CPU_DEVICES": "1", "XLA_FLAGS": "", "JAX_COMPILATION_CACHE_DIR": ""}


class Silent:
    """A replacement for ``capsys`` in fixtures that live longer than a test. It captures nothing."""

    def readouterr(self):
        return types.SimpleNamespace(out="", err="")


def run(capsys, *arguments: object, experiment: str = "dcgan") -> tuple[int, str]:
    """Run an experiment's program in this process, and return its exit code and its complete output.

    Args:
      capsys: pytest's fixture, or ``Silent``.
      *arguments: command line arguments.
      experiment: name of the experiment.
    """
    module = importlib.import_module(f"experiments.{experiment}")
    from jaxgan.cli.program import main

    try:
        words = [str(a) for a in arguments]
        main(experiment, module.Config, module.build, module.__doc__, words, getattr(module, "PRESETS", None))
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def run_console(capsys, *arguments: object) -> tuple[int, str]:
    """Run the program ``jaxgan`` in this process, and return its exit code and its complete output.

    Args:
      capsys: pytest's fixture, or ``Silent``.
      *arguments: command line arguments.
    """
    from jaxgan.cli.main import main

    try:
        main([str(a) for a in arguments])
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def filled_state(game: Any) -> Any:
    """Return a state of a game in which all floating-point numbers are 0.1 and all integers 0. Nothing is compiled."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    key = jax.random.key(0)
    state = jax.eval_shape(game.init, key).replace(key=None)
    filled = jax.tree.map(
        lambda x: np.full(x.shape, 0.1 if jnp.issubdtype(x.dtype, jnp.floating) else 0, x.dtype), state
    )
    return filled.replace(key=key)


def begun(folder: Path, experiment: str, state: Any = None, **settings: Any) -> Path:
    """Create a run directory with a checkpoint before the first step, so that untrained networks can be sampled.

    Args:
      folder: the directory.
      experiment: name of the experiment, which has the settings of ``Config.tiny()``.
      state: the state in the checkpoint, or a function that returns it for the game. By default, the game's initial
        state.
      **settings: settings that differ from ``Config.tiny()``.
    """
    import jax

    from jaxgan.monitoring.data_record import describe_data
    from jaxgan.monitoring.run_directory import RunDirectory
    from jaxgan.training.checkpoints import Checkpoints

    module = importlib.import_module(f"experiments.{experiment}")
    config = module.Config.tiny(**settings)
    built = module.build(config)
    RunDirectory(folder, experiment, config, describe_data(built, config), [], False).close()
    checkpoints = Checkpoints(folder / "checkpoints")
    if state is None:
        state = jax.jit(built.game.init)(jax.random.key(config.seed))
    checkpoints.save(state(built.game) if callable(state) else state)
    checkpoints.wait()
    checkpoints.close()
    return folder


def start(*arguments: object, experiment: str = "dcgan", **environment: str) -> subprocess.Popen:
    """Start an experiment's program in a new process with one device.

    Args:
      *arguments: command line arguments.
      experiment: name of the experiment.
      **environment: additional environment variables.
    """
    return subprocess.Popen(
        [sys.executable, "-u", "-m", f"experiments.{experiment}", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(*arguments: object, experiment: str) -> None:
    """Run an experiment's program in a new process with a user's environment, and assert that it succeeds."""
    process = start(*arguments, experiment=experiment, **AS_USERS)
    printed = process.communicate(timeout=3 * 3600)[0]
    assert process.returncode == 0, printed


def wait_for(condition: Callable[[], bool], process: subprocess.Popen, seconds: float = 600) -> None:
    """Wait until a condition is true.

    Raises:
      AssertionError: if the process ends before, or if it takes longer than ``seconds``.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        if time.monotonic() > end:
            process.kill()
            raise AssertionError(f"The process took longer than {seconds} s. Its output: {process.communicate()[0]}")
        time.sleep(0.02)


def killed(
    command: Sequence[object], whole: Path, broken: Path, kills: int, experiment: str, within: float = 0.5
) -> int:
    """Train twice with the same command: once without interruption, and once with processes that are killed.

    The second run is killed by SIGKILL at random moments and started again with the same command, until it is complete.

    Args:
      command: command line arguments, without the run directory.
      whole: run directory of the uninterrupted run.
      broken: run directory of the run that is killed.
      kills: number of processes to kill.
      experiment: name of the experiment.
      within: a process is killed at a random time within this number of seconds after its first step.

    Returns:
      The number of killed processes that had resumed from a checkpoint.
    """
    uninterrupted = start(*command, "--run-dir", whole, experiment=experiment)
    printed, _ = uninterrupted.communicate(timeout=3600)
    assert uninterrupted.returncode == 0, printed
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
    printed, _ = process.communicate(timeout=3600)
    assert process.returncode == 0, printed
    return resumed


def inspect(capsys, run_dir, experiment: str = "dcgan") -> str:
    """Return the output of ``inspect`` for a run directory, and assert that the command succeeds."""
    code, text = run(capsys, "inspect", "--run-dir", run_dir, experiment=experiment)
    assert code == 0, text
    return text
