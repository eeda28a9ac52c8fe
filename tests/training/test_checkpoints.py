"""Tests of checkpoints: exact restoration, the choice of checkpoints to keep, and damaged files."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from jaxgan.training import checkpoint_files
from jaxgan.training.checkpoint_files import checksums
from jaxgan.training.checkpoints import Checkpoints, named_leaves


@pytest.fixture(scope="module")
def state():
    game = games.dcgan_game(optimizer=optax.adam(1e-3))
    begun = game.init(jax.random.key(3))
    # A layer may have statistics of type bfloat16 or integer.
    stats = {
        **begun.stats,
        "g": {**begun.stats["g"], "own": {"half": jnp.ones(3, jnp.bfloat16), "count": jnp.int32(7)}},
    }
    return begun.replace(stats=stats)


@pytest.fixture
def checkpoints(tmp_path):
    opened = Checkpoints(tmp_path / "checkpoints")
    yield opened
    opened.close()


def at(state, step):
    return state.replace(step=jnp.int32(step))


@pytest.mark.integration
@pytest.mark.parametrize("has_shapes_alone", [False, True])
def test_every_leaf_is_restored_bit_for_bit(has_shapes_alone, state, checkpoints):
    checkpoints.save(at(state, 4))
    checkpoints.wait()
    like = state.replace(params=jax.tree.map(jnp.zeros_like, state.params), key=jax.random.key(0))
    restored = checkpoints.restore(jax.eval_shape(lambda: like) if has_shapes_alone else like)
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert checksums(named_leaves(restored)) == checksums(named_leaves(at(state, 4)))
    assert restored.stats["g"]["own"]["half"].dtype == jnp.bfloat16
    assert jax.random.normal(restored.key) == jax.random.normal(state.key)
    assert type(restored.opt_states["d"]) is type(state.opt_states["d"])


def test_a_checkpoint_is_saved_without_a_score_if_the_score_raises(state, tmp_path):
    """Such a checkpoint is not the best one, and the error is reported."""
    said = []
    checkpoints = Checkpoints(tmp_path / "checkpoints", say=said.append)

    def score():
        raise ZeroDivisionError("an error in the score")

    checkpoints.save(at(state, 3), lambda: 7.0)
    checkpoints.save(at(state, 4), score)
    checkpoints.wait()
    assert checkpoints.steps() == [3, 4] and checkpoints.best() == 3
    assert said == ["step 4: the checkpoint was saved without a score, because of: an error in the score"]
    checkpoints.close()


def test_scores_of_different_metrics_are_not_compared(state, tmp_path):
    """If a run is resumed with another metric, its best checkpoint is one that was scored by the new metric."""
    for by, scores in {"pixels": {1: 0.1, 2: 0.2}, "fid": {3: 30.0, 4: 20.0, 5: 25.0, 6: 40.0, 7: 50.0}}.items():
        checkpoints = Checkpoints(tmp_path / "checkpoints", by=by)
        for step, score in scores.items():
            checkpoints.save(at(state, step), lambda score=score: score)
        checkpoints.wait()
        assert checkpoints.best() == min(scores, key=lambda step: scores[step])
        checkpoints.close()
    reader = Checkpoints(tmp_path / "checkpoints", read_only=True)
    assert reader.steps() == [4, 5, 6, 7] and reader.best() == 4
    reader.close()


def test_close_reports_that_the_last_checkpoint_could_not_be_written(state, tmp_path, monkeypatch):
    told = []
    opened = Checkpoints(tmp_path / "checkpoints", say=told.append)
    opened.save(at(state, 4), lambda: told.append("scored") or 1.0)
    opened.wait()
    monkeypatch.setattr(checkpoint_files, "write", lambda *_: 1 / 0)
    opened.save(at(state, 5))
    opened.close()
    assert told[0] == "scored"
    assert "the last checkpoint could not be written" in told[1] and "division by zero" in told[1]


def test_a_directory_without_checkpoints(state, checkpoints):
    assert checkpoints.restore(state) is None
    with pytest.raises(ValueError, match="contains no checkpoints"):
        checkpoints.read()


def test_the_newest_three_and_the_best_are_kept(state, checkpoints):
    scores = {1: 0.5, 2: 0.1, 3: float("nan"), 4: 0.3, 5: 0.4, 6: float("inf"), 7: 0.2}
    for step, score in scores.items():
        checkpoints.save(at(state, step), lambda score=score: score)
        checkpoints.wait()
    assert checkpoints.steps() == [2, 5, 6, 7]


def test_save_copies_the_state_before_it_returns(state, checkpoints):
    """The state may be donated as soon as ``save`` returns."""
    mine = at(jax.tree.map(lambda x: x + 0 if x.dtype == jnp.float32 else x, state), 9)
    before = checksums(named_leaves(mine))
    checkpoints.save(mine)
    for leaf in jax.tree.leaves(mine.params):
        leaf.delete()
    checkpoints.wait()
    assert checksums(checkpoints.read(9)) == before


def test_a_checksum_depends_on_dtype_shape_and_bytes():
    x = np.zeros((2, 3), np.float32)
    others = [np.zeros((3, 2), np.float32), np.zeros((2, 3), np.int32), x + 1]
    digests = {checksums({"x": y})["x"] for y in (x, *others)}
    assert len(digests) == 4


def test_restore_names_the_leaves_that_do_not_match(state, checkpoints):
    checkpoints.save(at(state, 1))
    checkpoints.wait()
    less = dataclasses.replace(state, ema={})
    with pytest.raises(
        ValueError, match=r"Checkpoint 1 in .* belongs to another game: ema\.g\..* is not part of this game"
    ):
        checkpoints.restore(less)


def test_wait_raises_if_a_checkpoint_could_not_be_written(state, checkpoints, monkeypatch):
    def full(*_):
        raise RuntimeError(f"{'a long path ' * 30}: No space left on device [type=open]")

    monkeypatch.setattr(checkpoint_files, "write", full)
    checkpoints.save(at(state, 1))
    with pytest.raises(OSError, match=r"Checkpoint 1 could not be written to .*: No space left on device\.$"):
        checkpoints.wait()
    checkpoints.wait()  # the error is raised once


def test_a_checkpoint_that_is_removed_while_it_is_read_is_not_called_damaged(state, checkpoints, monkeypatch):
    checkpoints.save(at(state, 1))
    checkpoints.save(at(state, 2))
    checkpoints.wait()

    def read(directory, step):
        checkpoint_files.remove(directory, step)
        return original(directory, step)

    original = checkpoint_files.read_leaves
    monkeypatch.setattr(checkpoint_files, "read_leaves", read)
    with pytest.raises(
        ValueError, match=r"^Checkpoint 1 in .* was removed while it was read, because the run has saved"
    ):
        checkpoints.read(1)


SCORES = {
    "empty": b"",
    "half": b'{"score": 0.1, "b',
    "no object": b"[0.1]",
    "text": b'{"score": "low", "by": "pixels"}',
    "null": b'{"score": null}',
    "too large": b'{"score": 1e999}',
    "no method": b'{"score": 0.1, "by": 7}',
    "no text": b"\xff\x00",
    "deep": b"[" * 50_000,
}


@pytest.mark.parametrize("name", SCORES)
def test_a_damaged_score_file_counts_as_no_score(name, state, tmp_path):
    said = []
    opened = Checkpoints(tmp_path / "checkpoints", say=said.append)
    for step, score in {1: 0.3, 2: 0.1}.items():
        opened.save(at(state, step), lambda score=score: score)
    opened.wait()
    (tmp_path / "checkpoints" / "2" / "metrics" / "metrics").write_bytes(SCORES[name])
    assert opened.best() == 1 and len(said) == 1
    assert said[0].startswith("checkpoint 2 counts as a checkpoint without a score: ") and "metrics/metrics" in said[0]
    assert int(opened.restore(state).step) == 2
    opened.save(at(state, 3), lambda: 0.2)
    opened.wait()
    assert opened.steps() == [1, 2, 3] and opened.best() == 3
    opened.close()


def test_other_entries_of_the_directory_do_not_stop_saves(state, tmp_path):
    """They are reported when the run is resumed, and stay where they are."""
    folder, said = tmp_path / "checkpoints", []
    Checkpoints(folder).close()
    for name in ("999999", "12 (copy)", "012", ".hidden", "٣"):
        (folder / name).mkdir()
    for name in ("77", "notes.txt", ".DS_Store"):
        (folder / name).write_text("x")
    opened = Checkpoints(folder, say=said.append)
    assert opened.restore(state) is None
    strays = ["012", "12 (copy)", "77", "999999", "notes.txt", "٣"]
    assert said == [f"{folder / name} is not a checkpoint, and is ignored" for name in strays]
    for step in range(1, 6):
        opened.save(at(state, step))
        opened.wait()
    assert opened.steps() == [3, 4, 5] and {*strays, ".hidden", ".DS_Store"} <= {path.name for path in folder.iterdir()}
    opened.close()


def test_a_directory_with_a_higher_number_does_not_stop_saves(state, tmp_path):
    """A copy of a checkpoint under another number is damaged, and a number that appears during a run is not counted."""
    folder, said = tmp_path / "checkpoints", []
    opened = Checkpoints(folder, say=said.append)
    opened.save(at(state, 1))
    opened.wait()
    shutil.copytree(folder / "1", folder / "999999")
    for step in (2, 3, 4, 5):
        opened.save(at(state, step))
    opened.wait()
    assert opened.steps() == [3, 4, 5, 999999]
    assert int(opened.restore(state).step) == 5 and opened.steps() == [3, 4, 5]
    aside = tmp_path / "damaged"
    assert said == [
        f"checkpoint 999999 is damaged (it contains the state of step 1); it was moved to {aside}, and the previous "
        "one is used"
    ]
    assert (aside / "999999" / "state").is_dir()
    opened.close()


def test_a_directory_that_was_removed_is_not_created_again(state, tmp_path):
    opened = Checkpoints(tmp_path / "run" / "checkpoints")
    shutil.rmtree(tmp_path / "run")
    opened.save(at(state, 1))
    with pytest.raises(OSError, match=r"Checkpoint 1 could not be written to .*run does not exist any more"):
        opened.wait()
    assert not (tmp_path / "run").exists()
    opened.close()


@pytest.mark.parametrize("kind", ["file", "directory", "checkpoint"])
def test_an_entry_in_the_place_of_a_new_checkpoint_is_moved_away(kind, state, tmp_path):
    folder, said = tmp_path / "checkpoints", []
    opened = Checkpoints(folder, say=said.append)
    if kind == "file":
        (folder / "7").write_text("x")
    elif kind == "directory":
        (folder / "7").mkdir()
    else:
        opened.save(at(state, 7))
        opened.wait()
    opened.save(at(state, 7))
    opened.wait()
    assert said == [f"{folder / '7'} is in the place of a new checkpoint; it was moved to {tmp_path / 'damaged' / '7'}"]
    assert int(opened.read(7)["step"]) == 7 and (tmp_path / "damaged" / "7").exists()
    opened.close()


def test_unfinished_checkpoints_of_a_killed_process_are_removed(state, tmp_path):
    folder = tmp_path / "checkpoints"
    for name in ("5.orbax-checkpoint-tmp", "3.orbax-checkpoint-tmp-removed"):
        (folder / name / "state").mkdir(parents=True)
    reader = Checkpoints(folder, read_only=True)
    assert reader.steps() == [] and len(list(folder.iterdir())) == 2
    said = []
    opened = Checkpoints(folder, say=said.append)
    assert opened.restore(state) is None and said == [] and not list(folder.iterdir())
    opened.close()


def damage_to_every_file(checkpoint):
    """Yield functions, each of which damages one file of a checkpoint."""

    def write(path, change):
        return lambda: path.write_bytes(change(bytearray(path.read_bytes())))

    def flip(content):
        content[len(content) // 2] ^= 0x41
        return content

    for path in sorted(path for path in checkpoint.rglob("*") if path.is_file()):
        yield write(path, lambda content: content[: len(content) // 2])
        yield write(path, flip)


def test_damage_to_any_file_of_a_checkpoint_is_found_or_harmless(tmp_path):
    """A reader gets the exact leaves of the damaged checkpoint, or those of the previous one."""
    folder, good = tmp_path / "checkpoints", tmp_path / "good"
    opened = Checkpoints(folder)
    game = games.points_experiment().game
    state = game.init(jax.random.key(0))
    for step in (1, 2):
        opened.save(at(state, step))
    opened.close()
    sums = {step: checksums(named_leaves(at(state, step))) for step in (1, 2)}
    shutil.copytree(folder, good)
    steps = []
    for i in range(len(list(damage_to_every_file(folder / "2")))):
        shutil.rmtree(folder)
        shutil.copytree(good, folder)
        list(damage_to_every_file(folder / "2"))[i]()
        reader = Checkpoints(folder, read_only=True, say=lambda text: None)
        assert reader.best() in (1, 2)
        step, leaves, damaged = reader._newest_intact()
        assert leaves is not None and checksums(leaves) == sums[step] and list(damaged) == [2] * (step == 1)
        steps.append(step)
    assert set(steps) == {1, 2}
