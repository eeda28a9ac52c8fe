"""Checkpoints of the whole state with Orbax: asynchronous, atomic, and verified when they are read.

Only this file uses Orbax. A checkpoint is a flat map of the state's leaves by name, as host arrays. It does not depend
on devices: one device reads what eight devices or two hosts wrote. The SHA-256 of each leaf is stored with it, because
Orbax restores a flipped bit without an error.
"""

import concurrent.futures
import hashlib
import itertools
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers as policies

from jaxgan.core.state import State

KEEP_NEWEST = 3
NO_SCORE = 1e30  # worse than every score; JSON has no infinity


def named_leaves(state: State) -> dict[str, np.ndarray]:
    """Every leaf of a state on the host, by names such as ``params.g.linear.kernel``; random keys as their data."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {_name(path): np.asarray(_raw(leaf)) for path, leaf in leaves}


def checksums(leaves: dict[str, np.ndarray]) -> dict[str, str]:
    """The SHA-256 of each leaf's type, shape and bytes."""

    def digest(x):
        header = f"{x.dtype.name}{list(x.shape)}".encode()
        return hashlib.sha256(header + np.ascontiguousarray(x).tobytes()).hexdigest()

    return {name: digest(leaf) for name, leaf in leaves.items()}


class Checkpoints:
    """The checkpoints in a directory: the newest ``KEEP_NEWEST``, and the one with the best score.

    Args:
      directory: made if it is not there, unless ``read_only``.
      read_only: for looking at a run that another process may be writing.
      by: identifies how checkpoints are scored. A run may be resumed with other scores, and only scores of the same
        ``by`` are compared.
      say: called with a message about a damaged checkpoint, or a score that could not be computed.
    """

    def __init__(
        self, directory: Path, *, read_only: bool = False, by: str = "pixels", say: Callable[[str], None] = print
    ):
        logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax logs each file
        self._directory, self._by, self._say = Path(directory).absolute(), by, say
        best = policies.BestN(get_metric_fn=lambda metrics: _score(metrics, by), reverse=True, n=1)
        keep = policies.AnyPreservationPolicy([policies.LatestN(KEEP_NEWEST), best])
        options = ocp.CheckpointManagerOptions(
            preservation_policy=None if read_only else keep,
            read_only=read_only,
            create=not read_only,
            best_fn=lambda metrics: _score(metrics, by),  # without it Orbax does not write scores
            best_mode="min",
        )
        self._manager = ocp.CheckpointManager(self._directory, options=options)
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._last: concurrent.futures.Future | None = None

    def steps(self) -> list[int]:
        """The steps of all checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def best(self) -> int | None:
        """The step of the checkpoint with the lowest score, scored as the newest one is; None without checkpoints."""
        metrics = {step: self._manager.metrics(step) or {} for step in self.steps()}
        if not metrics:
            return None
        by = metrics[max(metrics)].get("by", "pixels")
        return min(metrics, key=lambda step: (_score(metrics[step], by), -step))

    def save(self, state: State, score: Callable[[], float] = lambda: float("inf")) -> None:
        """Copy the state to the host; score it and write it in the background.

        Args:
          state: the whole state.
          score: computes the score, the lower the better. One that is not finite, or raises, is never the best.

        Raises:
          OSError: the checkpoint before this one could not be written.
        """
        leaves = named_leaves(state)
        self._join()
        self._raise_os_error(self._manager.check_for_errors)
        self._last = self._thread.submit(self._write, leaves, score)
        if jax.process_count() > 1:  # Orbax synchronises processes, which must not take a step at the same time
            self._join()

    def _write(self, leaves: dict[str, np.ndarray], score: Callable[[], float]) -> None:
        try:
            value = score()
        except Exception as error:  # whatever went wrong, the state must not be lost
            value = np.inf
            self._say(f"step {int(leaves['step'])}: no score: {error}")
        items = ocp.args.Composite(state=ocp.args.StandardSave(leaves), checksums=ocp.args.JsonSave(checksums(leaves)))
        metrics = {"score": value if np.isfinite(value) else NO_SCORE, "by": self._by}
        self._raise_os_error(lambda: self._manager.save(int(leaves["step"]), args=items, metrics=metrics))

    def _join(self) -> None:
        """Wait for the background thread, and raise its error, once."""
        last, self._last = self._last, None
        if last:
            last.result()

    def wait(self) -> None:
        """Wait until everything is on disk. Raises ``OSError`` if something could not be written."""
        self._join()
        self._raise_os_error(self._manager.wait_until_finished)

    def close(self) -> None:
        """Wait for the last checkpoint, and say if it could not be written."""
        self._thread.shutdown()
        error = self._last.exception() if self._last else None
        if error:
            self._say(f"the last checkpoint was not written: {error}")
        self._manager.close()

    def restore(self, like: State) -> State | None:
        """The newest intact checkpoint, as host arrays in the structure of ``like``; None without checkpoints.

        Damaged ones are moved to ``damaged`` beside the directory, and the one before them is restored.

        Raises:
          ValueError: the checkpoint is of another game, or all are damaged.
        """
        damaged: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                leaves = self._load(step)
            except Exception as error:  # Orbax, TensorStore and JSON raise many kinds for a damaged file
                damaged[step] = _reason(error)
                continue
            state = state_from_leaves(like, leaves, f"checkpoint {step} in {self._directory}")
            self._set_aside(damaged)
            return state
        if damaged:
            raise ValueError(
                f"{self._directory}: every checkpoint is damaged ({', '.join(map(str, sorted(damaged)))}); "
                "pass `fresh` to start over, or restore the directory from a copy."
            )
        return None

    def read(self, step: int | None = None) -> dict[str, np.ndarray]:
        """The named leaves of a checkpoint, checked; the newest if no step is given.

        Raises:
          ValueError: there is no such checkpoint, or it is damaged.
        """
        steps = self.steps()
        if not steps or (step is not None and step not in steps):
            if not steps:
                raise ValueError(f"{self._directory}: no checkpoints there")
            raise ValueError(f"`step` must be one of {', '.join(map(str, steps))}, the checkpoints there; got {step}.")
        step = steps[-1] if step is None else step
        try:
            return self._load(step)
        except Exception as error:  # Orbax, TensorStore and JSON raise many kinds for a damaged file
            raise ValueError(f"{self._directory}: checkpoint {step} is damaged ({_reason(error)})") from error

    def _load(self, step):
        restored = self._manager.restore(
            step, args=ocp.args.Composite(state=ocp.args.StandardRestore(), checksums=ocp.args.JsonRestore())
        )
        leaves = {name: np.asarray(leaf) for name, leaf in restored["state"].items()}
        expected, actual = restored["checksums"], checksums(leaves)
        wrong = [name for name in expected | actual if expected.get(name) != actual.get(name)]
        if wrong:
            raise ValueError(f"the checksum of {wrong[0]}, {len(wrong)} leaves in all, is not what was saved")
        return leaves

    def _set_aside(self, damaged: dict[int, str]) -> None:
        """Move damaged checkpoints out of the way, once an older one is known to be intact; nothing is deleted."""
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

    def _raise_os_error(self, call: Callable[[], Any]) -> None:
        """Call a method of Orbax, whose errors of many kinds become an ``OSError``."""
        try:
            call()
        except Exception as error:
            raise OSError(f"{self._directory}: a checkpoint could not be written: {error}") from error


def _score(metrics: dict[str, Any], by: str) -> float:
    return metrics.get("score", NO_SCORE) if metrics.get("by", "pixels") == by else NO_SCORE


def state_from_leaves(like: State, leaves: Mapping[str, np.ndarray], where: str) -> State:
    """Named leaves in the structure of a state.

    Args:
      like: a state, or its shapes.
      leaves: as ``named_leaves`` gives them.
      where: where they come from, for the error's message.

    Raises:
      ValueError: leaves are missing, or more than the state has, or of other shapes.
    """
    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    shapes = {_name(path): jax.eval_shape(_raw, leaf) for path, leaf in paths}
    wrong = [f"{name} is missing" for name in shapes if name not in leaves]
    wrong += [f"{name} is not the game's" for name in leaves if name not in shapes]
    for name, shape in shapes.items():
        leaf = leaves.get(name)
        if leaf is not None and (leaf.shape, leaf.dtype) != (shape.shape, shape.dtype):
            wrong.append(f"{name} is {leaf.dtype}{list(leaf.shape)}, not {shape.dtype}{list(shape.shape)}")
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(
            f"{where} is of another game: {'; '.join(wrong[:3])}{more}. Use its own settings, or another `run_dir`."
        )

    def restore_keys(leaf, value):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.wrap_key_data(value, impl=jax.random.key_impl(leaf)) if is_key else value

    return jax.tree.unflatten(structure, [restore_keys(leaf, leaves[_name(path)]) for path, leaf in paths])


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _raw(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
