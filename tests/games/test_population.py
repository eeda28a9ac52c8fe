"""A population is its members: each as it would be alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from jaxgan import parallel
from jaxgan.games.population import Population, member
from jaxgan.training.runs import to_host

STEPS = 10


def keys(size):
    return jnp.stack([jax.random.key(i) for i in range(size)])


def batches(size, draw=games.points):
    return np.stack([draw(8, seed=i) for i in range(size)], axis=1)


def alone(game, i, draw=games.points):
    """The states of member ``i``'s solo run, first and last."""
    before, step = jax.jit(game.init)(jax.random.key(i)), jax.jit(game.step)
    state = before
    for _ in range(STEPS):
        state, metrics = step(state, draw(8, seed=i))
    return before, state, metrics


def test_a_member_is_its_solo_run():
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
    assert games.change(before, other, member(state, 2)) > 0.1  # the check sees another member


def test_members_may_differ_in_settings():
    rates = jnp.array([0.01, 0.03])
    make = lambda rate: games.points_game(optax.sgd(rate))  # noqa: E731
    population = Population(make(0.0), 2, make, {"rate": rates})
    state, step = jax.jit(population.init)(keys(2)), jax.jit(population.step)
    for _ in range(STEPS):
        state, _ = step(state, batches(2))
    for i, rate in enumerate((0.01, 0.03)):
        before, expected, _ = alone(make(rate), i)
        assert games.change(before, expected, member(state, i)) < 1e-5


@pytest.mark.parametrize("together", [None, 4])
def test_members_spread_over_devices(together):
    """Four devices with two members each; and several steps a call, the last call not full."""
    rates = jnp.linspace(0.005, 0.02, 8)
    make = lambda rate: games.points_game(optax.sgd(rate))  # noqa: E731
    population, on = Population(make(0.0), 8, make, {"rate": rates}), parallel.devices(4)
    state = parallel.share_out(jax.jit(population.init)(keys(8)), on)
    step = parallel.members(population, on, together=together)
    if together:
        for count in (4, 4, 2):
            state, metrics = step(state, np.stack([batches(8)] * count))
        assert metrics["d/loss"].shape == (4, 8)
    else:
        for _ in range(STEPS):
            state, metrics = step(state, batches(8))
        assert metrics["d/loss"].shape == (8,)
    assert int(state.step) == STEPS
    before, expected, _ = alone(make(float(rates[5])), 5)
    assert games.change(before, expected, member(jax.tree.map(to_host, state), 5)) < 1e-5


def test_a_lazy_term_is_still_left_out_on_other_steps():
    """Were the step each member's own, the condition would become a choice between two computed values."""
    population = Population(games.dcgan_game(lazy=4), 2)
    state = jax.eval_shape(population.init, keys(2))
    told = str(jax.make_jaxpr(population.step)(state, batches(2, games.images)))
    assert " cond[" in told
    _, metrics = jax.eval_shape(population.step, state, batches(2, games.images))
    assert metrics["d/r1"].due.shape == (2,)


def test_what_does_not_fit_is_told():
    game = games.points_game()
    with pytest.raises(ValueError, match="a population of 0: at least 1"):
        Population(game, 0)
    with pytest.raises(ValueError, match=r"settings: rate has the shape \(3,\); one for each of 2 members"):
        Population(game, 2, lambda rate: game, {"rate": jnp.ones(3)})
    population = Population(game, 2)
    with pytest.raises(ValueError, match=r"batch: examples first, then 2 members; got \(8, 3, 2\)"):
        population.step(population.init(keys(2)), batches(3))
    with pytest.raises(ValueError, match="a population of 2 is not shared evenly by 4 devices"):
        parallel.members(population, parallel.devices(4))
