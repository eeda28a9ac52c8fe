"""Tests of weight clipping against the assignment in the paper, and of pauses against an optimizer without pauses."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.games import points, points_game

from jaxgan import Player
from jaxgan.games import optimizers
from jaxgan.games.optimizers import clip_weights, cosine

ADAM = optax.adam(0.1, b1=0.5)
PARAMS = {"w": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}


def gradients(seed):
    r = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.array(r.normal(size=x.shape), jnp.float32), PARAMS)


def equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_a_paused_optimizer_changes_neither_parameters_nor_its_state():
    """With the accuracies 0.5, 0.9, 1.0, 0.5 and 0.6, the third and the fourth update are skipped."""
    paused = optimizers.pause(ADAM, when=lambda terms: terms["accuracy"] > 0.8)
    update, reference = jax.jit(paused.update), jax.jit(ADAM.update)
    params, state = PARAMS, paused.init(PARAMS)
    expected, inner = PARAMS, ADAM.init(PARAMS)
    for i, (accuracy, moves) in enumerate(zip((0.5, 0.9, 1.0, 0.5, 0.6), (True, True, False, False, True))):
        updates, state = update(gradients(i), state, params, terms={"accuracy": jnp.array(accuracy)})
        params = optax.apply_updates(params, updates)
        if moves:
            updates, inner = reference(gradients(i), inner, expected)
            expected = optax.apply_updates(expected, updates)
        equal(params, expected)
        equal(state.inner, inner)
        assert bool(state.paused) == (accuracy > 0.8)
    assert int(optax.tree.get(state, "count")) == 3
    assert isinstance(state, optimizers.PauseState)


def test_a_gradient_that_is_not_finite_has_no_effect_during_a_pause():
    paused = optimizers.pause(ADAM, when=lambda terms: terms["accuracy"] > 0.8)
    _, state = paused.update(gradients(0), paused.init(PARAMS), PARAMS, terms={"accuracy": 0.9})
    nans = jax.tree.map(lambda x: x * jnp.nan, PARAMS)
    updates, after = paused.update(nans, state, PARAMS, terms={"accuracy": 0.1})
    equal(updates, jax.tree.map(jnp.zeros_like, PARAMS))
    equal(after.inner, state.inner)
    assert not after.paused


def test_extra_arguments_are_passed_to_the_paused_optimizer():
    seen = {}

    def update(updates, state, params=None, **extra):
        seen.update(extra)
        return updates, state

    inner = optax.GradientTransformationExtraArgs(lambda params: (), update)
    paused = optimizers.pause(inner, when=lambda terms: False)
    paused.update(PARAMS, paused.init(PARAMS), PARAMS, terms={"a": 1}, value=2.0)
    assert seen == {"terms": {"a": 1}, "value": 2.0}


def test_a_pause_requires_terms():
    paused = optimizers.pause(ADAM, when=lambda terms: True)
    with pytest.raises(ValueError, match=r"`terms` is required for `pause`. Call update\(..., terms="):
        paused.update(PARAMS, paused.init(PARAMS), PARAMS)


@pytest.mark.integration
@pytest.mark.parametrize("limit", [-1.0, 1e9])
def test_one_player_of_a_game_pauses_while_the_other_trains(limit):
    """The hinge loss is always above -1, so only the first update is made with this limit."""
    game = points_game()
    optimizer = optimizers.pause(optax.adam(0.01), when=lambda terms: terms["hinge"] > limit)
    players = {**game.players, "d": Player(("d",), game.players["d"].loss, optimizer)}
    game = dataclasses.replace(game, players=players)
    step = jax.jit(game.step)
    states = [jax.jit(game.init)(jax.random.key(0))]
    for i in range(3):
        states.append(step(states[-1], points(8, i))[0])

    def moved(net):
        pairs = itertools.pairwise(states)
        return [not all(map(np.array_equal, *map(jax.tree.leaves, (a.params[net], b.params[net])))) for a, b in pairs]

    assert moved("d") == ([True, False, False] if limit < 0 else [True] * 3)
    assert moved("g") == [True] * 3


def test_updates_move_weights_into_the_interval():
    params = {"a": jnp.array([0.005, -0.009, 0.2]), "b": jnp.array([[-3.0]])}
    gradient = {"a": jnp.array([1.0, 2.0, -1.0]), "b": jnp.array([[0.0]])}
    optimizer = optax.chain(optax.sgd(0.004), clip_weights(0.01))
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    ends = optax.apply_updates(params, updates)
    np.testing.assert_allclose(ends["a"], [0.001, -0.01, 0.01], rtol=1e-6)
    np.testing.assert_allclose(ends["b"], [[-0.01]], rtol=1e-6)


def test_clipping_updates_agrees_with_clipping_weights_after_each_step():
    """Algorithm 1 of the paper clips the weights after each step."""
    optimizer = optax.chain(optax.rmsprop(5e-3), clip_weights(0.01))
    gradients = jax.random.normal(jax.random.key(0), (200, 50))
    params, state, plain = jnp.zeros(50), optimizer.init(jnp.zeros(50)), optax.rmsprop(5e-3)
    expected, plain_state = jnp.zeros(50), plain.init(jnp.zeros(50))

    @jax.jit
    def step(params, state, expected, plain_state, gradient):
        updates, state = optimizer.update(gradient, state, params)
        moved, plain_state = plain.update(gradient, plain_state, expected)
        return optax.apply_updates(params, updates), state, jnp.clip(expected + moved, -0.01, 0.01), plain_state

    for gradient in gradients:
        params, state, expected, plain_state = step(params, state, expected, plain_state, gradient)
        assert np.abs(params).max() <= 0.01 * (1 + 1e-6)
    np.testing.assert_allclose(params, expected, atol=1e-7)
    assert 0 < (np.abs(params) < 0.0099).sum() < 50


def test_limits_that_are_not_positive_and_missing_parameters_are_refused():
    for limit in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="`limit` must be above 0"):
            clip_weights(limit)
    with pytest.raises(ValueError, match=r"update\(updates, state, params\)"):
        clip_weights(1.0).update(jnp.zeros(2), optax.EmptyState())


@pytest.mark.parametrize(("first", "last"), [(1.0, 0.1), (0.9, 0.99), (0.0, 2.0)])
def test_a_cosine_schedule_goes_from_its_first_to_its_last_value(first, last):
    schedule = cosine(first, last, 100)
    found = [float(schedule(step)) for step in (0, 25, 50, 100, 1000)]
    half = (first + last) / 2
    np.testing.assert_allclose(found, [first, half + (first - half) / np.sqrt(2), half, last, last], rtol=1e-6)
