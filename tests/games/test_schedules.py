"""Tests of learning rates, betas and weights that change with the step, also when a run is resumed."""

import dataclasses

import jax
import numpy as np
import optax
import pytest
from helpers import games
from helpers.solvable import Scalar

from jaxgan import Game, Net, Player, losses, total
from jaxgan.games.dynamics import extragradient
from jaxgan.training.checkpoints import Checkpoints, named_leaves


def linear_game(optimizer) -> Game:
    """Create a game with one parameter. Its gradient is the mean of the batch."""

    def loss(nets, batch, keys, step):
        return total(linear=nets.x() * batch)

    return Game({"x": Net(Scalar(0.0))}, {"a": Player(("x",), loss, optimizer)}, (("a",),))


def moved(game: Game, gradients) -> list[float]:
    """Return the parameter of the game after each step."""
    state, step, found = game.init(jax.random.key(0)), jax.jit(game.step), []
    for gradient in gradients:
        state, _ = step(state, np.full((2,), gradient, np.float32))
        found.append(float(state.params["x"]["value"]))
    return found


GRADIENTS = [1.0, -0.5, 2.0, 0.25]


def test_a_learning_rate_follows_its_schedule():
    rates = [0.1, 0.1, 0.01, 0.01]
    game = linear_game(optax.sgd(optax.piecewise_constant_schedule(0.1, {2: 0.1})))
    np.testing.assert_allclose(moved(game, GRADIENTS), -np.cumsum(np.multiply(rates, GRADIENTS)), rtol=1e-6)


def test_adams_betas_follow_a_schedule():
    """``optax.inject_hyperparams`` agrees with Adam's equations in NumPy."""
    b1, b2, rate = [0.9, 0.7, 0.5, 0.3], 0.9, 0.1
    adam = optax.inject_hyperparams(optax.adam)(
        learning_rate=rate, b1=optax.linear_schedule(0.9, 0.3, 3), b2=b2, eps=1e-8
    )
    x, mean, square, expected = 0.0, 0.0, 0.0, []
    for t, gradient in enumerate(GRADIENTS):
        mean = b1[t] * mean + (1 - b1[t]) * gradient
        square = b2 * square + (1 - b2) * gradient**2
        x -= rate * mean / (1 - b1[t] ** (t + 1)) / np.sqrt(square / (1 - b2 ** (t + 1)))
        expected.append(x)
    np.testing.assert_allclose(moved(linear_game(adam), GRADIENTS), expected, rtol=1e-4)


def test_the_weight_of_a_penalty_can_be_a_function_of_the_step():
    weight = optax.linear_schedule(4.0, 0.0, 2)

    def loss(nets, batch, keys, step):
        return total(weighted=weight(step) * nets.x() * batch)

    game = Game({"x": Net(Scalar(0.0))}, {"a": Player(("x",), loss, optax.sgd(1.0))}, (("a",),))
    np.testing.assert_allclose(moved(game, [1.0] * 4), [-4.0, -6.0, -6.0, -6.0])


@pytest.mark.integration
def test_schedules_continue_when_a_run_is_resumed(tmp_path):
    """The learning rate, a beta and the weight of a penalty, with extra-gradient, continue exactly from a checkpoint."""
    usual = games.points_game()
    adam = optax.inject_hyperparams(optax.adam)(
        learning_rate=optax.cosine_decay_schedule(1e-2, 8), b1=optax.linear_schedule(0.9, 0.0, 8)
    )
    annealed = optax.linear_schedule(10.0, 0.0, 4)

    def penalised(nets, batch, keys, step):
        terms = usual.players["d"].loss(nets, batch, keys, step)
        return total(**terms.terms, r1=annealed(step) * losses.r1(nets.d, batch))

    players = {name: dataclasses.replace(player, optimizer=adam) for name, player in usual.players.items()}
    players["d"] = dataclasses.replace(players["d"], loss=penalised)
    game = extragradient(dataclasses.replace(usual, players=players, turns=(("d", "g"),)), remember=False)
    state, step, logged = game.init(jax.random.key(0)), jax.jit(game.step), []
    for _ in range(4):
        state, metrics = step(state, games.points(8))
        logged.append(float(metrics["d/r1"]))
        if int(state.step) == 2:
            half = Checkpoints(tmp_path)
            half.save(state)
            half.wait()
            resumed = half.restore(game.init(jax.random.key(1)))
            half.close()
    for _ in range(2):
        resumed, _ = step(resumed, games.points(8))
    found, expected = named_leaves(resumed), named_leaves(state)
    for name, leaf in expected.items():
        np.testing.assert_array_equal(found[name], leaf, err_msg=name)
    assert float(expected["opt_states.d.hyperparams.b1"]) == pytest.approx(0.9 * (1 - 3 / 8))
    assert logged[0] > logged[3] > 0
