"""Tests of checkpoints: exact restoration, the choice of checkpoints to keep, and damaged files."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from jaxgan.training.checkpoints import Checkpoints, checksums, named_leaves


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
def test_every_leaf_is_restored_bit_for_bit(state, checkpoints):
    checkpoints.save(at(state, 4))
    checkpoints.wait()
    like = state.replace(params=jax.tree.map(jnp.zeros_like, state.params), key=jax.random.key(0))
    restored = checkpoints.restore(like)
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


def test_close_reports_that_the_last_checkpoint_could_not_be_written(state, tmp_path):
    told = []
    opened = Checkpoints(tmp_path / "checkpoints", say=told.append)
    opened.save(at(state, 4), lambda: told.append("scored") or 1.0)
    opened.wait()
    opened._manager.save = lambda *_, **__: 1 / 0
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


def test_wait_raises_if_a_checkpoint_could_not_be_written(state, checkpoints, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints._manager, "wait_until_finished", full)
    with pytest.raises(OSError, match=r"A checkpoint could not be written to .*No space left"):
        checkpoints.wait()
