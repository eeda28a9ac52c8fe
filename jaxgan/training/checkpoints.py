"""Save and restore checkpoints of the complete training state with Orbax.

Checkpoints are written asynchronously and atomically, and verified when they are read. A checkpoint is a flat mapping
from names to the state's leaves, stored as host arrays. The mapping does not depend on the devices, so one device can
restore a checkpoint that eight devices or two hosts saved. The checkpoint also contains the SHA-256 of each leaf,
because Orbax restores damaged bytes without an error. Only this module uses Orbax.
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

KEEP_NEWEST = 3  # number of newest checkpoints that are not deleted; the best checkpoint is not deleted either
NO_SCORE = 1e30  # stored in place of a missing score, because JSON has no infinity; larger (worse) than every score


def named_leaves(state: State) -> dict[str, np.ndarray]:
    """Return a dictionary from names, such as ``params.g.linear.kernel``, to the leaves of a state as host arrays.

    PRNG keys are converted to their raw data.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {_name(path): np.asarray(_raw(leaf)) for path, leaf in leaves}


def checksums(leaves: dict[str, np.ndarray]) -> dict[str, str]:
    """Return a dictionary from the name of each leaf to the SHA-256 of its dtype, shape and bytes.

    Args:
      leaves: dictionary from names to the arrays of a state.
    """

    def digest(x):
        header = f"{x.dtype.name}{list(x.shape)}".encode()
        return hashlib.sha256(header + np.ascontiguousarray(x).tobytes()).hexdigest()

    return {name: digest(leaf) for name, leaf in leaves.items()}


class Checkpoints:
    """The checkpoints in a directory.

    After each save, the newest ``KEEP_NEWEST`` checkpoints and the checkpoint with the best score are kept. All other
    checkpoints are deleted.

    Args:
      directory: the directory, which is created if it is missing, unless ``read_only`` is set.
      read_only: whether to leave the directory unchanged. Another process may be writing to it at the same time.
      by: an identifier of the method that scores checkpoints. It is stored with each score. Only scores with the same
        identifier are compared, because a run may be resumed with another method.
      say: called with a message if a checkpoint is damaged, a score cannot be computed or the last checkpoint cannot be
        written.
    """

    def __init__(
        self, directory: Path, *, read_only: bool = False, by: str = "pixels", say: Callable[[str], None] = print
    ):
        logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax logs a line for each file
        self._directory, self._by, self._say = Path(directory).absolute(), by, say
        best = policies.BestN(get_metric_fn=lambda metrics: _score(metrics, by), reverse=True, n=1)
        keep = policies.AnyPreservationPolicy([policies.LatestN(KEEP_NEWEST), best])
        options = ocp.CheckpointManagerOptions(
            preservation_policy=None if read_only else keep,
            read_only=read_only,
            create=not read_only,
            best_fn=lambda metrics: _score(metrics, by),  # without this, Orbax does not store scores
            best_mode="min",
        )
        self._manager = ocp.CheckpointManager(self._directory, options=options)
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._last: concurrent.futures.Future | None = None

    def steps(self) -> list[int]:
        """Return the steps of all checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def best(self) -> int | None:
        """Return the step of the checkpoint with the lowest score, or None if there are no checkpoints.

        Only checkpoints that were scored by the same method as the newest checkpoint are compared.
        """
        metrics = {step: self._manager.metrics(step) or {} for step in self.steps()}
        if not metrics:
            return None
        by = metrics[max(metrics)].get("by", "pixels")
        return min(metrics, key=lambda step: (_score(metrics[step], by), -step))

    def save(self, state: State, score: Callable[[], float] = lambda: float("inf")) -> None:
        """Copy the state to the host, then score and write it in the background.

        Args:
          state: the complete training state.
          score: computes the score; lower is better. If it raises an exception or returns a value that is not finite,
            the checkpoint has no score and cannot become the best one.

        Raises:
          OSError: if the previous checkpoint could not be written.
        """
        leaves = named_leaves(state)
        self._join()
        self._raise_os_error(self._manager.check_for_errors)
        self._last = self._thread.submit(self._write, leaves, score)
        # On several hosts, Orbax synchronises the processes of a run while it writes. No process may start a step
        # during this time.
        if jax.process_count() > 1:
            self._join()

    def _write(self, leaves: dict[str, np.ndarray], score: Callable[[], float]) -> None:
        try:
            value = score()
        except Exception as error:  # the state must be saved, whichever error the score raises
            value = np.inf
            self._say(f"step {int(leaves['step'])}: the checkpoint was saved without a score, because of: {error}")
        items = ocp.args.Composite(state=ocp.args.StandardSave(leaves), checksums=ocp.args.JsonSave(checksums(leaves)))
        metrics = {"score": value if np.isfinite(value) else NO_SCORE, "by": self._by}
        self._raise_os_error(lambda: self._manager.save(int(leaves["step"]), args=items, metrics=metrics))

    def _join(self) -> None:
        """Wait for the background thread. If an error ended the thread, raise the error once."""
        last, self._last = self._last, None
        if last:
            last.result()

    def wait(self) -> None:
        """Wait until all checkpoints are on disk.

        Raises:
          OSError: if a checkpoint could not be written.
        """
        self._join()
        self._raise_os_error(self._manager.wait_until_finished)

    def close(self) -> None:
        """Wait for the last checkpoint and close the directory. Report an error if the checkpoint was not written."""
        self._thread.shutdown()
        error = self._last.exception() if self._last else None
        if error:
            self._say(f"the last checkpoint could not be written: {error}")
        self._manager.close()

    def restore(self, like: State) -> State | None:
        """Return the newest intact checkpoint, or None if there are no checkpoints.

        Damaged checkpoints that are newer than the restored one are moved to the directory ``damaged``, beside the
        checkpoints' directory.

        Args:
          like: a state of the same game, which defines the structure, the shapes and the dtypes.

        Returns:
          A state with the structure of ``like`` and host arrays as leaves.

        Raises:
          ValueError: if the checkpoint belongs to another game, or if all checkpoints are damaged.
        """
        damaged: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                leaves = self._load(step)
            except Exception as error:  # Orbax, TensorStore and JSON raise many types of errors for damaged files
                damaged[step] = _reason(error)
                continue
            state = state_from_leaves(like, leaves, f"Checkpoint {step} in {self._directory}")
            self._set_aside(damaged)
            return state
        if damaged:
            raise ValueError(
                f"All checkpoints in {self._directory} are damaged (steps {', '.join(map(str, sorted(damaged)))}). "
                "Use `fresh` to start again from step 0, or restore the directory from a backup."
            )
        return None

    def read(self, step: int | None = None) -> dict[str, np.ndarray]:
        """Return the named leaves of a checkpoint after verifying their checksums.

        Args:
          step: the step of the checkpoint; None for the newest checkpoint.

        Raises:
          ValueError: if there is no such checkpoint, or if it is damaged.
        """
        steps = self.steps()
        if not steps or (step is not None and step not in steps):
            if not steps:
                raise ValueError(f"{self._directory} contains no checkpoints.")
            raise ValueError(
                f"`step` must be the step of a checkpoint in {self._directory} "
                f"({', '.join(map(str, steps))}), got {step}."
            )
        step = steps[-1] if step is None else step
        try:
            return self._load(step)
        except Exception as error:  # Orbax, TensorStore and JSON raise many types of errors
            raise ValueError(
                f"Checkpoint {step} in {self._directory} is damaged ({_reason(error)}). Use another one."
            ) from error

    def _load(self, step):
        restored = self._manager.restore(
            step, args=ocp.args.Composite(state=ocp.args.StandardRestore(), checksums=ocp.args.JsonRestore())
        )
        leaves = {name: np.asarray(leaf) for name, leaf in restored["state"].items()}
        expected, actual = restored["checksums"], checksums(leaves)
        wrong = [name for name in expected | actual if expected.get(name) != actual.get(name)]
        if wrong:
            raise ValueError(f"{len(wrong)} leaves, among them {wrong[0]}, do not match their checksums")
        return leaves

    def _set_aside(self, damaged: dict[int, str]) -> None:
        """Move damaged checkpoints to the directory ``damaged``, after an older checkpoint was found to be intact.

        Args:
          damaged: dictionary from the steps of damaged checkpoints to the reasons why they are damaged.
        """
        aside = self._directory.parent / "damaged"
        for step, reason in damaged.items():
            self._say(f"checkpoint {step} is damaged ({reason}); it was moved to {aside}, and the previous one is used")
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
        """Call a method of Orbax and convert its errors, which have many types, to ``OSError``."""
        try:
            call()
        except Exception as error:
            raise OSError(f"A checkpoint could not be written to {self._directory}: {error}") from error


def _score(metrics: dict[str, Any], by: str) -> float:
    return metrics.get("score", NO_SCORE) if metrics.get("by", "pixels") == by else NO_SCORE


def state_from_leaves(like: State, leaves: Mapping[str, np.ndarray], where: str) -> State:
    """Return a state with the structure of another state and the given leaves.

    Args:
      like: a state, which may have ``jax.ShapeDtypeStruct`` as leaves.
      leaves: dictionary from names to leaves, as ``named_leaves`` returns it.
      where: where the leaves come from, such as the path of a file. The error message begins with this text.

    Raises:
      ValueError: if leaves are missing or unknown, or if their shapes or dtypes differ.
    """
    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    shapes = {_name(path): jax.eval_shape(_raw, leaf) for path, leaf in paths}
    wrong = [f"{name} is missing" for name in shapes if name not in leaves]
    wrong += [f"{name} is not part of this game" for name in leaves if name not in shapes]
    for name, shape in shapes.items():
        leaf = leaves.get(name)
        if leaf is not None and (leaf.shape, leaf.dtype) != (shape.shape, shape.dtype):
            wrong.append(f"{name} is {leaf.dtype}{list(leaf.shape)}, not {shape.dtype}{list(shape.shape)}")
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(
            f"{where} belongs to another game: {'; '.join(wrong[:3])}{more}. Use the settings that it was trained "
            "with, or choose another `run_dir`."
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
