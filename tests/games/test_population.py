"""Tests that each member of a population trains as it would alone."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from jaxgan import losses, parallel
from jaxgan.core.keys import truncated_latents
from jaxgan.core.wrappers import GameWrapper
from jaxgan.games.dynamics import consensus
from jaxgan.games.population import AXES, Population, member
from jaxgan.games.privacy import private
from jaxgan.training.runs import to_host

pytestmark = pytest.mark.integration

STEPS = 10


def keys(size):
    return jnp.stack([jax.random.key(i) for i in range(size)])


def batches(size, draw=games.points):
    return np.stack([draw(8, seed=i) for i in range(size)], axis=1)


@functools.cache
def compiled(game):
    """Return the functions of a game, which are compiled once for all members."""
    return jax.jit(game.init), jax.jit(game.step)


def alone(game, i, draw=games.points):
    """Train member ``i`` alone, and return its first state, its last state and its last metrics."""
    init, step = compiled(game)
    state = before = init(jax.random.key(i))
    for _ in range(STEPS):
        state, metrics = step(state, draw(8, seed=i))
    return before, state, metrics


def with_rate(rate):
    return games.points_game(optax.sgd(rate))


def test_a_member_trains_as_it_would_alone():
    game = games.dcgan_game()
    population = Population(game, 3)
    state, step = jax.jit(population.init)(keys(3)), jax.jit(population.step)
    for _ in range(STEPS):
        state, metrics = step(state, batches(3, games.images))
    assert state.step.shape == () and int(state.step) == STEPS
    for i in (0, 2):
        before, expected, last = alone(game, i, games.images)
        assert games.change(before, expected, member(state, i)) < 1e-5
        for name, value in last.items():
            np.testing.assert_allclose(metrics[name][i], value, rtol=1e-4, atol=1e-5, err_msg=name)
    before, other, _ = alone(game, 1, games.images)
    assert games.change(before, other, member(state, 2)) > 0.1  # the comparison fails for another member


def test_members_can_have_different_settings():
    rates = jnp.array([0.01, 0.03])
    population = Population(with_rate(0.0), 2, with_rate, {"rate": rates})
    state, step = jax.jit(population.init)(keys(2)), jax.jit(population.step)
    for _ in range(STEPS):
        state, _ = step(state, batches(2))
    for i, rate in enumerate((0.01, 0.03)):
        before, expected, _ = alone(with_rate(rate), i)
        assert games.change(before, expected, member(state, i)) < 1e-5


def test_members_can_have_different_weights_of_the_consensus_penalty():
    plain = dataclasses.replace(games.points_game(), turns=(("d", "g"),))

    def make(gamma):
        return consensus(plain, gamma)

    gammas = (0.5, 4.0)
    population = Population(make(0.0), 2, make, {"gamma": jnp.array(gammas)})
    state, step = jax.jit(population.init)(keys(2)), jax.jit(population.step)
    for _ in range(STEPS):
        state, metrics = step(state, batches(2))
    for i, gamma in enumerate(gammas):
        before, expected, last = alone(make(gamma), i)
        assert games.change(before, expected, member(state, i)) < 1e-5
        np.testing.assert_allclose(metrics["consensus"][i], last["consensus"], rtol=1e-4)
    before, other, _ = alone(make(gammas[0]), 1)
    assert games.change(before, other, member(state, 1)) > 1e-3  # the comparison fails for another weight


def test_a_share_of_a_population_contains_its_members_with_their_settings():
    population = Population(with_rate(0.0), 4, with_rate, {"rate": jnp.array([0.01, 0.02, 0.03, 0.04])})
    share = population.share(1, 2)
    assert share.size == 2
    np.testing.assert_allclose(share.settings["rate"], [0.03, 0.04])
    state, _ = jax.jit(share.step)(share.init(keys(4)[2:]), batches(4)[:, 2:])
    whole, _ = jax.jit(population.step)(population.init(keys(4)), batches(4))
    before = with_rate(0.0).init(keys(4)[3])
    assert games.change(before, member(whole, 3), member(state, 1)) < 1e-6
    # All members have the same step. Everything else has an axis of members.
    for field in dataclasses.fields(whole):
        sizes = {x.shape[:1] for x in jax.tree.leaves(getattr(whole, field.name))}
        assert sizes <= ({()} if getattr(AXES, field.name) is None else {(4,)}), field.name


def test_private_members_are_refused_because_they_would_share_their_noise():
    game = games.points_game()
    noised = private(game, games.points(8), noise_multiplier=1.0, l2_clip=0.1, key=jax.random.key(5))
    for members in (noised, GameWrapper(noised)):
        with pytest.raises(ValueError, match=r"The members of a population cannot be private games.*the same noise"):
            Population(members, 2)
    population = Population(game, 2, lambda rate: noised, {"rate": jnp.ones(2)})
    with pytest.raises(ValueError, match="The members of a population cannot be private games"):
        population.init(keys(2))


@pytest.mark.parametrize("max_steps", [None, 4])
def test_members_can_be_distributed_over_devices(max_steps):
    """Four devices train two members each. With ``max_steps``, the last call has fewer steps than allowed."""
    rates = jnp.linspace(0.005, 0.02, 8)
    population, on = Population(with_rate(0.0), 8, with_rate, {"rate": rates}), parallel.devices(4)
    state = parallel.share_out(jax.jit(population.init)(keys(8)), on)
    step = parallel.members(population, on, max_steps=max_steps)
    if max_steps:
        for count in (4, 4, 2):
            state, metrics = step(state, np.stack([batches(8)] * count))
        assert metrics["d/loss"].shape == (4, 8)
    else:
        for _ in range(STEPS):
            state, metrics = step(state, batches(8))
        assert metrics["d/loss"].shape == (8,)
    assert int(state.step) == STEPS
    before, expected, _ = alone(with_rate(float(rates[5])), 5)
    assert games.change(before, expected, member(jax.tree.map(to_host, state), 5)) < 1e-5


def test_a_lazy_term_is_not_computed_in_other_steps():
    """If each member had its own step, ``vmap`` would compute both branches of the condition."""
    population = Population(games.dcgan_game(lazy=4), 2)
    state = jax.eval_shape(population.init, keys(2))
    assert " cond[" in str(jax.make_jaxpr(population.step)(state, batches(2, games.images)))
    _, metrics = jax.eval_shape(population.step, state, batches(2, games.images))
    assert metrics["d/r1"].due.shape == (2,)


def test_wrong_sizes_are_refused():
    game = games.points_game()
    with pytest.raises(ValueError, match="`size`, the number of members of a population, must be at least 1, got 0"):
        Population(game, 0)
    with pytest.raises(
        ValueError,
        match=r"The entry 'rate' of `settings` must have one value for each of 2 members, got an array of shape \(3,\)",
    ):
        Population(game, 2, lambda rate: game, {"rate": jnp.ones(3)})
    population = Population(game, 2)
    message = r"Every array of `batch` must have the shape \[B, 2, ...\].*got the shapes \(8, 3, 2\)"
    with pytest.raises(ValueError, match=message):
        population.step(population.init(keys(2)), batches(3))
    with pytest.raises(ValueError, match="A population of 2 members cannot be split evenly over 4 devices"):
        parallel.members(population, parallel.devices(4))


SWEPT = {
    "real_target": lambda v: losses.non_saturating_discriminator(jnp.ones(2), jnp.ones(2), v),
    "std": lambda v: losses.dragan(lambda x: x.sum(1), jnp.ones((2, 3)), keys(2), v),
    "threshold": lambda v: truncated_latents(keys(2), 3, v),
}


@pytest.mark.parametrize("name", SWEPT)
def test_numbers_of_losses_and_latents_can_differ_between_members(name):
    """Python cannot compare a traced number with the limits of its range."""
    found = jax.vmap(SWEPT[name])(jnp.array([0.3, 0.6]))
    for i, value in enumerate((0.3, 0.6)):
        np.testing.assert_allclose(found[i], SWEPT[name](value), rtol=1e-5)
