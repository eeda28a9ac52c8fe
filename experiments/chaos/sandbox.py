"""Read files in a child process with limits of time and memory, and classify what happens."""

import multiprocessing
import re
import resource
import signal
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

from experiments.chaos.readers import Kind, kinds

SECONDS = 30.0  # time after which a reader counts as a hang
GROWTH = 500 * 2**20  # growth of the memory in bytes that counts as a failure
_ADDRESS_SPACE = 4 * 2**30  # address space in bytes that the child may use in addition to its own
_MAX_MESSAGE = 1500  # largest number of characters of a message for the user


class Outcome(NamedTuple):
    """What happened when a file was read.

    Attributes:
      name: "read", "refused in one sentence", "traceback", "hang", "crash", "memory" or "executed".
      detail: the message or the traceback.
    """

    name: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether the outcome breaks the promise: each file is read or refused in one sentence."""
        return self.name not in ("read", "refused in one sentence")


class Sandbox:
    """A child process that reads one file after the other. It is started again after a hang or a crash.

    Args:
      canary: a file that malicious content would create; None for files that are only damaged.
    """

    def __init__(self, canary: Path | None = None):
        self._canary, self._process, self._pipe = canary, None, None

    def read(self, kind: str, path: Path) -> Outcome:
        """Read a file.

        Args:
          kind: a key of ``readers.kinds()``.
          path: the file.
        """
        if self._process is None or not self._process.is_alive():
            self._start()
        assert self._pipe is not None
        assert self._process is not None
        self._pipe.send((kind, str(path)))
        if not self._pipe.poll(SECONDS):
            self.close()
            return Outcome("hang", f"no result after {SECONDS:.0f} s")
        try:
            outcome = Outcome(*self._pipe.recv())
        except EOFError:
            self._process.join()
            code = self._process.exitcode or 0
            self.close()
            return Outcome("crash", signal.Signals(-code).name if code < 0 else f"exit code {code}")
        if self._canary is not None and self._canary.exists():
            self._canary.unlink()
            return Outcome("executed", outcome.detail)
        return outcome

    def close(self) -> None:
        """End the child process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()
        self._pipe.recv()  # the child is ready


def _serve(pipe) -> None:
    """Read the files that the parent sends, and answer with the outcomes."""
    known = kinds()  # also initialises JAX, before the limit is set
    warnings.simplefilter("ignore")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    pipe.send("ready")
    while True:
        try:
            kind, path = pipe.recv()
        except EOFError:
            return
        pipe.send(_read(known[kind], Path(path)))


def _read(kind: Kind, path: Path) -> tuple[str, str]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak of the memory starts again at its present size
    before = _bytes_of("VmRSS")
    name, detail = _classify(kind, path)
    growth = _bytes_of("VmHWM") - before
    if growth > GROWTH:
        return "memory", f"{growth / 2**20:,.0f} MiB; {name}: {detail}"
    return name, detail


def _classify(kind: Kind, path: Path) -> tuple[str, str]:
    try:
        kind.read(path)
    except (ValueError, OSError) as error:
        message = str(error)
        if _is_sentence(message):
            return "refused in one sentence", message
        return "traceback", f"not a sentence: {message!r}\n{traceback.format_exc()}"
    except BaseException:  # a user would see any other error as a traceback
        return "traceback", traceback.format_exc()
    return "read", ""


def _is_sentence(message: str) -> bool:
    """Return whether a message is one line of complete sentences.

    Control characters in names are allowed, because the command line prints them as escape sequences.
    """
    return bool(re.fullmatch(r"[^\n]+\.", message)) and len(message) < _MAX_MESSAGE


def _bytes_of(entry: str) -> int:
    """Return the memory of this process now (VmRSS), or at most since the peak was reset (VmHWM)."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return next(int(words[1]) * 1024 for words in lines if words[0] == f"{entry}:")
