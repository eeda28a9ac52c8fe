"""Start the programs of the experiments with small settings, in new processes or in this process."""

import contextlib
import dataclasses
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax

from jaxgan.cli.program import main

LONGEST_SECONDS = 3600.0  # seconds after which a program that should end by itself is counted as a hang


class Output(NamedTuple):
    """The exit code and the output of a program. The exit code of a program that was stopped as a hang is None."""

    code: int | None
    text: str

    @property
    def is_one_sentence(self) -> bool:
        """Whether the program ended with an error message of one line, and without a traceback."""
        errors = [line for line in self.text.splitlines() if line.startswith("error: ")]
        return self.code in (1, 2) and len(errors) == 1 and not self.has_traceback

    @property
    def has_traceback(self) -> bool:
        """Whether Python or C++ printed the stack of an error."""
        return any(mark in self.text for mark in ("Traceback (most recent call last)", "*** Check failure stack trace"))


@dataclasses.dataclass(frozen=True)
class Program:
    """An experiment with small settings and a cache of its compiled programs.

    Attributes:
      experiment: the name of the experiment.
      folder: a directory for the file of the settings and for the compiled programs.
      steps: the last step of the training. All other settings are those of ``Config.tiny()``.
      options: flags of ``train`` that are passed in addition to the settings.
      environment: environment variables of the new processes.
    """

    experiment: str
    folder: Path
    steps: int
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def cache(self) -> Path:
        """The directory of the compiled programs."""
        return self.folder / "compiled"

    def forget_compiled(self) -> None:
        """Delete the compiled programs, so that the next process compiles them again."""
        shutil.rmtree(self.cache, ignore_errors=True)

    def train_flags(self, run_dir: Path) -> list[str]:
        """Write the file of the settings, and return the arguments that train a run until ``steps``."""
        settings = self.folder / f"{self.experiment}-{self.steps}.json"
        if not settings.exists():
            config = importlib.import_module(f"experiments.{self.experiment}").Config.tiny(steps=self.steps)
            settings.parent.mkdir(parents=True, exist_ok=True)
            settings.write_text(json.dumps(dataclasses.asdict(config)))
        return ["train", "--config", str(settings), "--run-dir", str(run_dir), *self.options]

    def start(self, arguments: list[str], log: Path, **popen: object) -> subprocess.Popen:
        """Start the program in a new process, which writes its output to the file ``log``."""
        with log.open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-u", "-m", f"experiments.{self.experiment}", *arguments],
                env=os.environ | _cache_variables(self.cache) | dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                **popen,  # pyright: ignore[reportArgumentType, reportCallIssue]
            )

    def run(self, arguments: list[str], log: Path) -> Output:
        """Run the program in a new process until it ends."""
        return finish(self.start(arguments, log), log)

    def run_here(self, *arguments: object) -> Output:
        """Run the program in this process, which is faster, because JAX is not imported and initialised again."""
        module = importlib.import_module(f"experiments.{self.experiment}")
        printed, code = io.StringIO(), 0
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                words = [str(word) for word in arguments]
                main(self.experiment, module.Config, module.build, module.__doc__, words, module.PRESETS)
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
            except BaseException:  # a user would see the traceback of any error
                traceback.print_exc()
                code = 1
        if code > 128:  # the user stopped this process, and the program has handled the signal
            sys.exit(code)
        return Output(code, printed.getvalue())


def finish(process: subprocess.Popen, log: Path, seconds: float = LONGEST_SECONDS) -> Output:
    """Wait until a process ends, and return its output. Kill it if it takes longer than ``seconds``."""
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        code = None
    finally:  # also if the user stops the trial
        process.kill()
        process.wait()
    return Output(code, log.read_text(errors="replace"))


def use_cache_here(folder: Path) -> None:
    """Let this process store its compiled programs in a directory, and not in the directory of the user."""
    os.environ.update(_cache_variables(folder))
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _cache_variables(folder: Path) -> dict[str, str]:
    # All programs are stored, also small ones: a restarted run then spends its time in jaxgan and not in the compiler.
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
