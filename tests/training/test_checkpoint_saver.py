"""Tests of saving checkpoints: their scores, and members that have diverged."""

import math

import jax
import jax.numpy as jnp
import pytest
from helpers import games

from experiments import gan
from jaxgan.training.checkpoint_saver import CheckpointSaver
from jaxgan.training.divergence import Diverged, DivergedMembers
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import PopulationRun, SingleRun
from jaxgan.training.write_schedule import WriteSchedule


@pytest.fixture(scope="module")
def experiment():
    return games.points_experiment()


class Recorder:
    """A replacement for ``Checkpoints`` that records the saved states and their scores."""

    def __init__(self):
        self.saved = []

    def save(self, state, score):
        self.saved.append((int(state.step), state, score()))


def saver(experiment, members=1, evaluator=None, **options):
    config = gan.Config(steps=100)
    run = SingleRun(experiment, config)
    if members > 1:
        run = PopulationRun(experiment, config, lambda *_: experiment, [{"seed": i} for i in range(members)])
    recorder, said = Recorder(), []
    schedule = WriteSchedule(100, 0, RunOptions(**options), 10, experiment.at)
    diverged = DivergedMembers(run, said.append)
    saver = CheckpointSaver(run, config, recorder, schedule, diverged, evaluator)  # pyright: ignore[reportArgumentType]
    return saver, recorder, run.init(run.keys), said


def at(state, step):
    return state.replace(step=jnp.int32(step))


def test_every_checkpoint_is_scored_on_pixels_without_an_evaluator(experiment):
    one, recorder, state, _ = saver(experiment)
    assert one.last_step is None
    for step in (3, 4):
        one.save(at(state, step))
    assert [step for step, _, _ in recorder.saved] == [3, 4] and one.last_step == 4
    assert recorder.saved[0][2] == recorder.saved[1][2] and math.isfinite(recorder.saved[0][2])


def test_the_saved_state_is_a_copy_on_the_host(experiment):
    """The buffers on the devices are donated to the next step."""
    one, recorder, state, _ = saver(experiment)
    one.save(at(state, 3))
    for leaf in jax.tree.leaves(state.params):
        leaf.delete()
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(recorder.saved[0][1].params))


def test_an_evaluator_scores_only_checkpoints_that_the_schedule_evaluates(experiment):
    asked = []

    def evaluator(step, states, members):
        asked.append((step, list(states), members))
        return 7.0

    one, recorder, state, _ = saver(experiment, evaluator=evaluator, evaluate_every=10)
    one.save(at(state, 10))
    one.save(at(state, 15))
    assert [score for _, _, score in recorder.saved] == [7.0, math.inf] and asked == [(10, [0], 1)]


def test_a_diverged_member_is_excluded_from_the_score(experiment):
    asked = []

    def evaluator(step, states, members):
        asked.append((list(states), members))
        return 1.0

    one, recorder, state, said = saver(experiment, 3, evaluator, evaluate_every=1)
    one.save(at(state.replace(params=jax.tree.map(lambda x: x.at[1].set(jnp.nan), state.params)), 5))
    assert asked == [([0, 2], 3)] and recorder.saved[0][2] == 1.0
    assert len(said) == 1 and said[0].startswith("step 5: member 1 (seed 1) diverged: ")


def test_a_state_is_not_saved_if_all_members_diverged(experiment):
    one, recorder, state, _ = saver(experiment)
    with pytest.raises(Diverged, match="is no longer finite"):
        one.save(at(state.replace(params=jax.tree.map(lambda x: x * jnp.nan, state.params)), 5))
    assert recorder.saved == [] and one.last_step is None
