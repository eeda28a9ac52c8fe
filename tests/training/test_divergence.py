"""Tests of finding members that have diverged, and of ending the run when all members have."""

import math

import jax
import jax.numpy as jnp
import pytest
from helpers import games

from experiments import gan
from jaxgan.data import Arrays
from jaxgan.experiment import Experiment, Sampling
from jaxgan.games.population import Population
from jaxgan.training.divergence import (
    Diverged,
    DivergedMembers,
    find_diverged_metrics,
    find_diverged_states,
    mask_members,
)
from jaxgan.training.runs import PopulationRun, SingleRun

NAN = float("nan")


@pytest.fixture(scope="module")
def experiment():
    return Experiment(games.points_game(), Arrays(games.points(16)), Sampling(lambda keys: keys, lambda nets, z: z))


def population(experiment, size):
    return PopulationRun(experiment, gan.Config(), lambda *_: experiment, [{"seed": seed} for seed in range(size)])


def test_a_term_is_named_rather_than_the_loss_and_gradient_norm():
    row = {"step": 7, "d/grad_norm": NAN, "d/loss": NAN, "d/hinge": NAN, "g/loss": 1.0}
    assert find_diverged_metrics(row) == {0: "the metric 'hinge' of player 'd' is nan"}
    assert find_diverged_metrics({"step": 7, "d/loss": math.inf}) == {0: "the metric 'loss' of player 'd' is inf"}
    assert find_diverged_metrics({"step": 7, "d/loss": 1.0}) == {}


def test_each_member_has_its_own_reason_and_null_is_not_finite():
    row = {"step": 7, "d/hinge": [1.0, NAN, None], "d/r1": [2.0, 2.0, NAN]}
    assert find_diverged_metrics(row) == {
        1: "the metric 'hinge' of player 'd' is nan",
        2: "the metric 'hinge' of player 'd' is None",
    }


def test_the_reason_names_the_array_that_is_not_finite(experiment):
    state = experiment.game.init(jax.random.key(0))
    assert find_diverged_states(state, 1) == {}
    g = jax.tree.map(lambda x: x.at[..., 0].set(jnp.inf), state.params["g"])
    (reason,) = find_diverged_states(state.replace(params={**state.params, "g": g}), 1).values()
    assert reason.startswith("the array g.") and reason.endswith("is no longer finite")


@pytest.mark.integration
def test_only_members_with_a_non_finite_state_are_found(experiment):
    state = Population(experiment.game, 3).init(jax.random.split(jax.random.key(0), 3))
    broken = jax.tree.map(lambda x: x.at[1].set(jnp.nan), state.params)
    assert set(find_diverged_states(state.replace(params=broken), 3)) == {1}


def test_the_metrics_of_diverged_members_are_masked():
    row = {"step": 7, "d/accuracy_real": [0.5, 0.0]}
    assert mask_members(row, set()) is row
    masked = mask_members(row, {1})
    assert masked["step"] == 7 and masked["d/accuracy_real"][0] == 0.5 and math.isnan(masked["d/accuracy_real"][1])


def test_the_divergence_of_a_single_game_ends_the_run(experiment):
    said = []
    members = DivergedMembers(SingleRun(experiment, gan.Config()), said.append)
    members.add(3, {})
    with pytest.raises(Diverged, match=r"^Training diverged at step 4: a reason\.$"):
        members.add(4, {0: "a reason"})
    assert members.indices == {0} and said == []


def test_the_divergence_of_the_last_member_ends_the_run(experiment):
    said = []
    members = DivergedMembers(population(experiment, 2), said.append)
    members.add(3, {1: "a reason"})
    members.add(4, {1: "the same one again"})
    assert said == ["step 3: member 1 (seed 1) diverged: a reason; the other members continue"]
    with pytest.raises(Diverged, match=r"^The last remaining member diverged at step 5: another\.$"):
        members.add(5, {0: "another"})
