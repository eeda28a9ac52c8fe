"""Checkpoints: everything comes back to the bit, the newest and the best are kept."""

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
    # bfloat16 and integers in the stats, as a layer may keep them.
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
def test_every_leaf_comes_back_to_the_bit(state, checkpoints):
    checkpoints.save(at(state, 4))
    checkpoints.wait()
    like = state.replace(params=jax.tree.map(jnp.zeros_like, state.params), key=jax.random.key(0))
    restored = checkpoints.restore(like)
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert checksums(named_leaves(restored)) == checksums(named_leaves(at(state, 4)))
    assert restored.stats["g"]["own"]["half"].dtype == jnp.bfloat16
    assert jax.random.normal(restored.key) == jax.random.normal(state.key)
    assert type(restored.opt_states["d"]) is type(state.opt_states["d"])


def test_what_a_score_raises_costs_no_checkpoint(state, tmp_path):
    """What was trained is written, is not the best, and what went wrong is said."""
    said = []
    checkpoints = Checkpoints(tmp_path / "checkpoints", say=said.append)

    def score():
        raise ZeroDivisionError("of the score's own")

    checkpoints.save(at(state, 3), lambda: 7.0)
    checkpoints.save(at(state, 4), score)
    checkpoints.wait()
    assert checkpoints.steps() == [3, 4] and checkpoints.best() == 3
    assert said == ["step 4: no score: of the score's own"]
    checkpoints.close()


def test_scores_of_different_things_are_not_compared(state, tmp_path):
    """A run that is resumed with another metric: its best is one of the new."""
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


def test_a_last_checkpoint_that_fails_is_told(state, tmp_path):
    told = []
    opened = Checkpoints(tmp_path / "checkpoints", say=told.append)
    opened.save(at(state, 4), lambda: told.append("scored") or 1.0)
    opened.wait()
    opened._manager.save = lambda *_, **__: 1 / 0
    opened.save(at(state, 5))
    opened.close()
    assert told[0] == "scored" and "the last checkpoint was not written" in told[1] and "division by zero" in told[1]


def test_nothing_to_restore(state, checkpoints):
    assert checkpoints.restore(state) is None
    with pytest.raises(ValueError, match="no checkpoints there"):
        checkpoints.read()


def test_the_newest_three_and_the_best_are_kept(state, checkpoints):
    scores = {1: 0.5, 2: 0.1, 3: float("nan"), 4: 0.3, 5: 0.4, 6: float("inf"), 7: 0.2}
    for step, score in scores.items():
        checkpoints.save(at(state, step), lambda score=score: score)
        checkpoints.wait()
    assert checkpoints.steps() == [2, 5, 6, 7]


def test_saving_does_not_wait_for_the_disk_or_hold_the_state(state, checkpoints):
    """The state may be donated as soon as save returns."""
    mine = at(jax.tree.map(lambda x: x + 0 if x.dtype == jnp.float32 else x, state), 9)
    before = checksums(named_leaves(mine))
    checkpoints.save(mine)
    for leaf in jax.tree.leaves(mine.params):
        leaf.delete()
    checkpoints.wait()
    assert checksums(checkpoints.read(9)) == before


def test_a_checksum_covers_type_shape_and_bytes():
    x = np.zeros((2, 3), np.float32)
    others = [np.zeros((3, 2), np.float32), np.zeros((2, 3), np.int32), x + 1]
    digests = {checksums({"x": y})["x"] for y in (x, *others)}
    assert len(digests) == 4


def test_a_state_of_another_shape_is_refused_by_name(state, checkpoints):
    checkpoints.save(at(state, 1))
    checkpoints.wait()
    less = dataclasses.replace(state, ema={})
    with pytest.raises(ValueError, match=r"checkpoint 1 in .* is of another game: ema\.g\..* is not the game's"):
        checkpoints.restore(less)


def test_what_cannot_be_written_is_told(state, checkpoints, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints._manager, "wait_until_finished", full)
    with pytest.raises(OSError, match=r"a checkpoint could not be written: .*No space left"):
        checkpoints.wait()
