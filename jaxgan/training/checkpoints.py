"""Checkpoints of the whole state with Orbax: asynchronous, atomic, and checked on the way back.

The only file that says Orbax. A checkpoint is a flat map of the state's leaves by name, as host arrays, so
it knows nothing of devices: what eight devices or two hosts wrote, one reads. Beside it lies a SHA-256 of
each leaf, because Orbax restores a flipped bit without a word.
"""

import concurrent.futures
import hashlib
import itertools
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers as policies

from jaxgan.core.state import State

KEEP = 3  # newest checkpoints
NONE = 1e30  # a score worse than any


def named_leaves(state: State) -> dict[str, np.ndarray]:
    """Every leaf by name, ``params.g.linear.kernel``, on the host; keys as their data."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {_name(path): np.asarray(_raw(leaf)) for path, leaf in leaves}


def checksums(leaves: dict[str, np.ndarray]) -> dict[str, str]:
    """The SHA-256 of each leaf: of its type, its shape and its bytes."""

    def digest(x):
        header = f"{x.dtype.name}{list(x.shape)}".encode()
        return hashlib.sha256(header + np.ascontiguousarray(x).tobytes()).hexdigest()

    return {name: digest(leaf) for name, leaf in leaves.items()}


class Checkpoints:
    """The checkpoints in a directory: the newest ``KEEP``, and the best by score.

    Args:
      directory: made if it is not there, unless ``read_only``.
      read_only: for looking at a run that another process may be writing.
      by: what scores are of; those of another are not compared with them, for a run may be resumed with another.
      say: is told of a damaged checkpoint, and of a score that could not be had.
    """

    def __init__(
        self, directory: Path, *, read_only: bool = False, by: str = "pixels", say: Callable[[str], None] = print
    ):
        logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax tells of each file
        self._directory, self._by, self._say = Path(directory).absolute(), by, say
        best = policies.BestN(get_metric_fn=lambda metrics: _score(metrics, by), reverse=True, n=1)
        keep = policies.AnyPreservationPolicy([policies.LatestN(KEEP), best])
        options = ocp.CheckpointManagerOptions(
            preservation_policy=None if read_only else keep,
            read_only=read_only,
            create=not read_only,
            best_fn=lambda metrics: _score(metrics, by),  # without it Orbax does not write scores down
            best_mode="min",
        )
        self._manager = ocp.CheckpointManager(self._directory, options=options)
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._last: concurrent.futures.Future | None = None

    def steps(self) -> list[int]:
        """The steps that there are checkpoints of, oldest first."""
        return sorted(self._manager.all_steps())

    def best(self) -> int | None:
        """The step of the checkpoint with the lowest score, of what the newest is scored by; None if there is none."""
        metrics = {step: self._manager.metrics(step) or {} for step in self.steps()}
        if not metrics:
            return None
        by = metrics[max(metrics)].get("by", "pixels")
        return min(metrics, key=lambda step: (_score(metrics[step], by), -step))

    def save(self, state: State, score: Callable[[], float] = lambda: float("inf")) -> None:
        """Copy the state to the host, and score it and write it in the background.

        Args:
          state: whole.
          score: lower is better; the best one's checkpoint is kept. Not finite, or an error: never the best.

        Raises:
          OSError: the checkpoint before this one could not be written.
        """
        leaves = named_leaves(state)
        self._join()
        self._written(self._manager.check_for_errors)
        self._last = self._thread.submit(self._write, leaves, score)
        if jax.process_count() > 1:  # processes meet in there, and must not meet in a step at the same time
            self._join()

    def _write(self, leaves: dict[str, np.ndarray], score: Callable[[], float]) -> None:
        try:
            found = score()
        except Exception as error:  # whatever it meets, what was trained must not be lost
            found = np.inf
            self._say(f"step {int(leaves['step'])}: no score: {error}")
        items = ocp.args.Composite(state=ocp.args.StandardSave(leaves), checksums=ocp.args.JsonSave(checksums(leaves)))
        metrics = {"score": found if np.isfinite(found) else NONE, "by": self._by}
        self._written(lambda: self._manager.save(int(leaves["step"]), args=items, metrics=metrics))

    def _join(self) -> None:
        """Wait for the thread; what it met is raised here, once."""
        last, self._last = self._last, None
        if last:
            last.result()

    def wait(self) -> None:
        """Return when everything is on disk. Raises ``OSError`` if something could not be written."""
        self._join()
        self._written(self._manager.wait_until_finished)

    def close(self) -> None:
        self._thread.shutdown()
        error = self._last.exception() if self._last else None
        if error:
            self._say(f"the last checkpoint was not written: {error}")
        self._manager.close()

    def restore(self, like: State) -> State | None:
        """The newest checkpoint that is whole, as host arrays in the structure of ``like``; None if there is none.

        A damaged one is moved to ``damaged`` beside the directory, and the one before it is taken.

        Raises:
          ValueError: the checkpoint is of another game, or none is whole.
        """
        damaged: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                leaves = self._load(step)
            except Exception as error:  # whatever Orbax, TensorStore or JSON meets in a damaged file
                damaged[step] = _reason(error)
                continue
            state = structured(like, leaves, f"checkpoint {step} in {self._directory}")
            self._set_aside(damaged)
            return state
        if damaged:
            raise ValueError(
                f"{self._directory}: every checkpoint is damaged ({', '.join(map(str, sorted(damaged)))}); "
                "start over with --fresh, or restore the directory from a copy"
            )
        return None

    def read(self, step: int | None = None) -> dict[str, np.ndarray]:
        """The named leaves of a checkpoint, checked; the newest if no step is given.

        Raises:
          ValueError: there is no such checkpoint, or it is damaged.
        """
        steps = self.steps()
        if not steps or (step is not None and step not in steps):
            there = ", ".join(map(str, steps)) or "none"
            raise ValueError(
                f"{self._directory}: no checkpoint{f' of step {step}' * (step is not None)}; there: {there}"
            )
        step = steps[-1] if step is None else step
        try:
            return self._load(step)
        except Exception as error:  # whatever Orbax, TensorStore or JSON meets in a damaged file
            raise ValueError(f"{self._directory}: checkpoint {step} is damaged ({_reason(error)})") from error

    def _load(self, step):
        restored = self._manager.restore(
            step, args=ocp.args.Composite(state=ocp.args.StandardRestore(), checksums=ocp.args.JsonRestore())
        )
        leaves = {name: np.asarray(leaf) for name, leaf in restored["state"].items()}
        expected, found = restored["checksums"], checksums(leaves)
        bad = [name for name in expected | found if expected.get(name) != found.get(name)]
        if bad:
            raise ValueError(f"the checksum of {bad[0]}, {len(bad)} leaves in all, is not what was saved")
        return leaves

    def _set_aside(self, damaged: dict[int, str]) -> None:
        """Move damaged checkpoints out of the way, once an older one has proved whole; nothing is deleted."""
        aside = self._directory.parent / "damaged"
        for step, reason in damaged.items():
            self._say(f"checkpoint {step} is damaged ({reason}); moved to {aside}, taking the one before")
            if jax.process_index() == 0:
                aside.mkdir(exist_ok=True)
                names = itertools.chain([str(step)], (f"{step}.{i}" for i in itertools.count(1)))
                free = next(name for name in names if not (aside / name).exists())
                shutil.move(self._directory / str(step), aside / free)
        if damaged:
            if jax.process_count() > 1:
                multihost_utils.sync_global_devices("damaged checkpoints are out of the way")
            self._manager.reload()

    def _written(self, wait):
        try:
            wait()
        except Exception as error:  # Orbax passes on what its thread met
            raise OSError(f"{self._directory}: a checkpoint could not be written: {error}") from error


def _score(metrics: dict[str, Any], by: str) -> float:
    return metrics.get("score", NONE) if metrics.get("by", "pixels") == by else NONE


def structured(like, leaves, where):
    """Named leaves in the structure of ``like``; ``ValueError`` where they do not fit it."""
    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    wanted = {_name(path): jax.eval_shape(_raw, leaf) for path, leaf in paths}
    wrong = [f"{name} is missing" for name in wanted if name not in leaves]
    wrong += [f"{name} is not the game's" for name in leaves if name not in wanted]
    wrong += [
        f"{name} is {leaves[name].dtype}{list(leaves[name].shape)}, not {x.dtype}{list(x.shape)}"
        for name, x in wanted.items()
        if name in leaves and (leaves[name].shape, leaves[name].dtype) != (x.shape, x.dtype)
    ]
    if wrong:
        some = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise ValueError(f"{where} is of another game: {some}. Use its own settings, or another --run-dir")

    def typed(leaf, value):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.wrap_key_data(value, impl=jax.random.key_impl(leaf)) if is_key else value

    return jax.tree.unflatten(structure, [typed(leaf, leaves[_name(path)]) for path, leaf in paths])


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _raw(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
