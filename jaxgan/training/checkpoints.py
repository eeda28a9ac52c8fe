"""Save checkpoints of the complete training state in the background, choose which to keep, and restore the newest.

Checkpoints are verified when they are read. If the newest checkpoint is damaged, an older one is used. See
``jaxgan.training.checkpoint_files`` for the files of a checkpoint.
"""

import concurrent.futures
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jaxgan.core.files import DISK_FULL, check_is_text, move_aside, reason_of
from jaxgan.core.state import State
from jaxgan.core.text import say
from jaxgan.training import checkpoint_files
from jaxgan.training.checkpoint_files import NO_SCORE, Score, checksums as checksums, is_first_process

KEEP_NEWEST = 3  # number of newest checkpoints that are not deleted; the best checkpoint is not deleted either


def named_leaves(state: State) -> dict[str, np.ndarray]:
    """Return a dictionary from names, such as ``params.g.linear.kernel``, to the leaves of a state as host arrays.

    PRNG keys are converted to their raw data.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {_name(path): np.asarray(_raw(leaf)) for path, leaf in leaves}


class Checkpoints:
    """The checkpoints in a directory.

    After each save, the newest ``KEEP_NEWEST`` checkpoints and the checkpoint with the best score are kept. All other
    checkpoints are deleted.

    Args:
      directory: the directory, which is created if it is missing, unless ``read_only`` is set.
      read_only: whether to leave the directory unchanged. Another process may be writing to it at the same time.
      by: an identifier of the method that scores checkpoints. It is stored with each score. Only scores with the same
        identifier are compared, because a run may be resumed with another method.
      say: called with a message if a checkpoint is damaged, a score cannot be computed or read, the directory contains
        other files, or the last checkpoint cannot be written.

    Attributes:
      last_step: the step of the last checkpoint that this object has completely written; None before the first one.
    """

    def __init__(
        self, directory: Path, *, read_only: bool = False, by: str = "pixels", say: Callable[[str], None] = say
    ):
        check_is_text(Path(directory))
        self.last_step: int | None = None
        self._directory, self._by, self._say = Path(directory), by, say
        self._aside = self._directory.parent / "damaged"
        if not read_only:
            self._directory.mkdir(parents=True, exist_ok=True)
            if is_first_process():
                checkpoint_files.remove_unfinished(self._directory)
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._last: concurrent.futures.Future | None = None

    def steps(self) -> list[int]:
        """Return the steps of all checkpoints, oldest first."""
        return checkpoint_files.find_steps(self._directory)

    def best(self) -> int | None:
        """Return the step of the checkpoint with the lowest score, or None if there are no checkpoints.

        Only checkpoints that were scored by the same method as the newest checkpoint are compared.
        """
        scores = {step: self._score(step) for step in self.steps()}
        if not scores:
            return None
        return _best(scores, scores[max(scores)].by)

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
        self.wait()
        self._last = self._thread.submit(self._write, leaves, score)
        # On several hosts, Orbax synchronises the processes of a run while it writes. No process may start a step
        # during this time.
        if jax.process_count() > 1:
            self.wait()

    def _write(self, leaves: dict[str, np.ndarray], score: Callable[[], float]) -> None:
        step = int(leaves["step"])
        try:
            value = score()
        except Exception as error:  # the state must be saved, whichever error the score raises
            value = np.inf
            self._say(f"step {step}: the checkpoint was saved without a score, because of: {error}")
        try:
            self._make_room(step)
            scored = Score(float(value) if np.isfinite(value) else NO_SCORE, self._by)
            checkpoint_files.write(self._directory, step, leaves, scored)
            self.last_step = step
            self._remove_old(step)
        except Exception as error:  # Orbax raises many types of errors
            raise OSError(
                f"Checkpoint {step} could not be written to {self._directory}: {_short_reason(error)}."
            ) from error

    def _make_room(self, step: int) -> None:
        """Move an entry away that has the name of the checkpoint which is written next.

        Orbax would create the directory of a run again that was moved or removed.
        """
        if not self._aside.parent.is_dir():
            raise FileNotFoundError(f"{self._aside.parent} does not exist any more")
        place = self._directory / str(step)
        if is_first_process() and place.exists():
            aside = move_aside(place, self._aside)
            self._say(f"{place} is in the place of a new checkpoint; it was moved to {aside}")

    def _remove_old(self, newest: int) -> None:
        if not is_first_process():
            return
        steps = [step for step in self.steps() if step <= newest]
        keep = steps[-KEEP_NEWEST:]
        scores = {step: self._score(step) for step in steps}
        keep.append(_best(scores, self._by))
        for step in set(steps) - set(keep):
            checkpoint_files.remove(self._directory, step)

    def _score(self, step: int) -> Score:
        """Return the score of a checkpoint. A score that cannot be read is reported, and counts as no score."""
        try:
            return checkpoint_files.read_score(self._directory, step)
        except ValueError as error:
            self._say(f"checkpoint {step} counts as a checkpoint without a score: {error}")
            return Score(by=self._by)

    def wait(self) -> None:
        """Wait until all checkpoints are on disk.

        Raises:
          OSError: if a checkpoint could not be written. The error is raised once.
        """
        last, self._last = self._last, None
        if last:
            last.result()

    def close(self) -> None:
        """Wait for the last checkpoint. Report an error if the checkpoint was not written."""
        self._thread.shutdown()
        last, self._last = self._last, None
        error = last.exception() if last else None
        if error:
            self._say(f"the last checkpoint could not be written: {error}")

    def restore(self, like: State) -> State | None:
        """Return the newest intact checkpoint, or None if there are no checkpoints.

        Damaged checkpoints that are newer than the restored one are moved to the directory ``damaged``, beside the
        checkpoints' directory. Entries that are no checkpoints are reported and not changed.

        Args:
          like: a state of the same game, which defines the structure, the shapes and the dtypes. It may have
            ``jax.ShapeDtypeStruct`` as leaves.

        Returns:
          A state with the structure of ``like`` and host arrays as leaves.

        Raises:
          ValueError: if the checkpoint belongs to another game, or if all checkpoints are damaged.
        """
        for path in checkpoint_files.find_strays(self._directory):
            self._say(f"{path} is not a checkpoint, and is ignored")
        step, leaves, damaged = self._newest_intact()
        if leaves is not None:
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
          ValueError: if there is no such checkpoint, or if it is damaged. The message names another one that is intact.
        """
        steps = self.steps()
        if not steps:
            raise ValueError(f"{self._directory} contains no checkpoints.")
        if step is None:
            step = steps[-1]
        if step not in steps:
            raise ValueError(
                f"`step` must be the step of a checkpoint in {self._directory} "
                f"({', '.join(map(str, steps))}), got {step}."
            )
        leaves, reason = self._try_to_read(step)
        if leaves is not None:
            return leaves
        if step not in self.steps():
            raise ValueError(
                f"Checkpoint {step} in {self._directory} was removed while it was read, because the run has saved "
                "newer ones. Run the same command again, or use another `step`."
            )
        intact, _, _ = self._newest_intact()
        fix = (
            "None of the checkpoints is intact. Restore the directory from a backup"
            if intact is None
            else f"Use another one: the newest intact one is `step` {intact}"
        )
        raise ValueError(f"Checkpoint {step} in {self._directory} is damaged ({reason}). {fix}.")

    def _newest_intact(self) -> tuple[int | None, dict[str, np.ndarray] | None, dict[int, str]]:
        """Return the step and the leaves of the newest intact checkpoint, and the newer, damaged checkpoints.

        The damaged checkpoints are a dictionary from steps to reasons. Without an intact checkpoint, the step and the
        leaves are None.
        """
        damaged: dict[int, str] = {}
        for step in reversed(self.steps()):
            leaves, reason = self._try_to_read(step)
            if leaves is not None:
                return step, leaves, damaged
            damaged[step] = reason
        return None, None, damaged

    def _try_to_read(self, step: int) -> tuple[dict[str, np.ndarray] | None, str]:
        """Return the leaves of a checkpoint and an empty reason, or None and the reason why it is damaged."""
        try:
            return checkpoint_files.read_leaves(self._directory, step), ""
        except MemoryError:
            raise
        except Exception as error:  # Orbax, TensorStore and JSON raise many types of errors for damaged files
            return None, _short_reason(error)

    def _set_aside(self, damaged: Mapping[int, str]) -> None:
        """Move damaged checkpoints to the directory ``damaged``, after an older checkpoint was found to be intact.

        Args:
          damaged: dictionary from the steps of damaged checkpoints to the reasons why they are damaged.
        """
        aside = self._aside
        for step, reason in damaged.items():
            self._say(f"checkpoint {step} is damaged ({reason}); it was moved to {aside}, and the previous one is used")
            if is_first_process():
                move_aside(self._directory / str(step), aside)
        if damaged and jax.process_count() > 1:
            multihost_utils.sync_global_devices("damaged checkpoints are out of the way")


def _best(scores: Mapping[int, Score], by: str) -> int:
    """Return the step with the lowest score among the scores of one method; the newest step if scores are equal."""
    values = {step: score.value if score.by == by else NO_SCORE for step, score in scores.items()}
    return min(values, key=lambda step: (values[step], -step))


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
    raw = jax.eval_shape(lambda state: jax.tree.map(_raw, state), like)
    shapes = {_name(path): shape for path, shape in jax.tree.leaves_with_path(raw)}
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
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return value
        # ``key_impl`` does not accept a ``jax.ShapeDtypeStruct``.
        return jax.random.wrap_key_data(value, impl=jax.random.key_impl(jnp.empty((), leaf.dtype)))

    return jax.tree.unflatten(structure, [restore_keys(leaf, leaves[_name(path)]) for path, leaf in paths])


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _raw(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _short_reason(error: Exception) -> str:
    """Return the reason of an error of Orbax. Its long messages about a full disk are reduced to the system's text."""
    full = (os.strerror(cause) for cause in DISK_FULL)
    return next((text for text in full if text in str(error)), reason_of(error)[:200])
