"""Tests of the training dynamics against the convergence rates that eigenvalues predict, on two small games.

In each step, plain simultaneous descent multiplies the distance from the equilibrium by sqrt(1 + h^2) on the bilinear
game and by sqrt(1 + h^2 / 4) on Dirac-GAN (see test_game.py and test_dirac.py), so it diverges on both.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games
from helpers.solvable import ALTERNATING, ONE, REAL, SIMULTANEOUS, Scalar, bilinear, dirac, predicted, radii, rate_of

from jaxgan import Game, Net, Player, parallel, total
from jaxgan.games.dynamics import consensus, extragradient, unrolled
from jaxgan.games.population import Population, member

# A step changes (x, y) by -h ROTATION (x, y) on the bilinear game, and (theta, psi) by -h / 2 ROTATION (theta, psi) on
# Dirac-GAN.
ROTATION = np.array([[0, 1], [-1, 0]])
IDENTITY = np.eye(2)


def first_step(game, batch=ONE):
    return jax.jit(game.step)(game.init(jax.random.key(0)), batch)


@pytest.mark.integration
@pytest.mark.parametrize("h", [0.1, 0.5])
def test_extragradient_converges_at_the_predicted_rate(h):
    """A step multiplies by I - h A (I - h A), with eigenvalues of size |1 - h^2 + i h|, below 1 for h below 1.

    See Korpelevich 1976.
    """
    for game, batch, size in ((bilinear(optax.sgd(h)), ONE, h), (dirac(SIMULTANEOUS, h), REAL, h / 2)):
        expected = predicted(IDENTITY - size * ROTATION @ (IDENTITY - size * ROTATION))
        assert expected == pytest.approx(np.sqrt((1 - size**2) ** 2 + size**2)) and expected < 1
        assert rate_of(radii(game, batch, 100)) > 1
        assert rate_of(radii(extragradient(game), batch, 100)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.integration
@pytest.mark.parametrize("remember", [True, False])
def test_extra_adam_converges_where_adam_does_not(remember):
    """Algorithm 4 of Gidel et al. 2019 on Dirac-GAN starts at a distance of 1e-3, and its steps are about as large."""
    game = dirac(SIMULTANEOUS, optimizer=optax.adam(1e-3, b1=0.0, b2=0.9, eps=1e-3))
    assert radii(game)[-1] > 3e-3
    assert radii(extragradient(game, remember=remember))[-1] < 3e-4


@pytest.mark.integration
def test_extra_adam_updates_its_moments_twice_per_step():
    """The first step of algorithm 4 on the bilinear game agrees with a manual computation.

    It starts at (1, 1). The gradient is y for the player "min" and -x for the player "max".
    """
    rate, b1, b2 = 0.1, 0.5, 0.9
    game = extragradient(bilinear(optax.adam(rate, b1, b2, eps=0.0)))
    state, _ = first_step(game)
    y_ahead = 1 + rate  # the first update of Adam has the size of the learning rate
    first, second = (1 - b1) * 1, (1 - b2) * 1  # moments of the gradient y = 1 of "min" after the look-ahead
    mean = (b1 * first + (1 - b1) * y_ahead) / (1 - b1**2)
    square = (b2 * second + (1 - b2) * y_ahead**2) / (1 - b2**2)
    assert float(state.params["x"]["value"]) == pytest.approx(1 - rate * mean / np.sqrt(square), rel=1e-6)
    assert int(optax.tree.get(state.opt_states["min"], "count")) == 2
    forgetful = extragradient(bilinear(optax.adam(rate, b1, b2, eps=0.0)), remember=False)
    state, _ = first_step(forgetful)
    assert int(optax.tree.get(state.opt_states["min"], "count")) == 1


def test_bounds_of_an_optimizer_hold_after_an_extragradient_step():
    """The optimizer receives the original parameters, so it can project the result onto a set."""
    box = optax.GradientTransformation(
        lambda params: (), lambda u, state, p: (jax.tree.map(lambda u, p: jnp.clip(p + u, 0.85, 1.05) - p, u, p), state)
    )
    game = extragradient(bilinear(optax.chain(optax.sgd(0.1), box)))
    state, _ = first_step(game)
    assert float(state.params["x"]["value"]) == pytest.approx(1 - 0.1 * 1.05)
    assert float(state.params["y"]["value"]) == pytest.approx(1.05)


@pytest.mark.integration
@pytest.mark.parametrize(("h", "gamma"), [(0.1, 1.0), (0.1, 4.0), (0.3, 2.0)])
def test_consensus_converges_at_the_predicted_rate(h, gamma):
    """A step multiplies by I - h (A + gamma A^T A). A^T A is I on the bilinear game and I / 4 on Dirac-GAN.

    See Mescheder et al. 2017.
    """
    for game, batch, size in ((bilinear(optax.sgd(h)), ONE, 1.0), (dirac(SIMULTANEOUS, h), REAL, 0.5)):
        matrix = size * ROTATION
        expected = predicted(IDENTITY - h * (matrix + gamma * matrix.T @ matrix))
        assert expected < 1
        found = radii(consensus(game, gamma), batch, 40)
        assert rate_of(found) == pytest.approx(expected, rel=1e-4)
    _, metrics = first_step(consensus(game, gamma), batch)
    assert float(metrics["consensus"]) == pytest.approx((1e-3 / 2) ** 2, rel=1e-3)  # || (1e-3, 1e-3) / 2 ||^2 / 2


@pytest.mark.integration
@pytest.mark.parametrize(("steps", "eta"), [(1, 0.5), (5, 0.2), (10, 0.4)])
def test_unrolling_converges_at_the_predicted_rate(steps, eta):
    """The generator's loss uses the unrolled psi - k eta theta / 2, and its gradient includes the dependence on theta.

    The coefficient of theta in the update of theta is therefore -h k eta / 2, twice the coefficient without this
    dependence, which ``unaware`` below uses.
    """
    h = 0.1
    game = dirac(SIMULTANEOUS, h)
    expected = predicted(np.array([[1 - h * steps * eta / 2, h / 2], [-h / 2, 1]]))
    assert expected < 1
    found = radii(unrolled(game, "g", "d", steps, optax.sgd(eta)))
    assert rate_of(found) == pytest.approx(expected, rel=5e-4)
    unaware = predicted(np.array([[1 - h * steps * eta / 4, h / 2], [-h / 2, 1]]))
    assert unaware != pytest.approx(expected, rel=5e-3)


def test_optimistic_descent_converges_at_the_predicted_rate():
    """A step is w - 2 h v(w) + h v(previous w), so the eigenvalues satisfy lambda^2 = lambda (1 - 2 h i) + h i.

    See Daskalakis et al. 2018.
    """
    h = 0.3
    for game, batch, size in (
        (bilinear(optax.optimistic_gradient_descent(h)), ONE, h),
        (dirac(SIMULTANEOUS, optimizer=optax.optimistic_gradient_descent(h)), REAL, h / 2),
    ):
        matrix = np.block([[IDENTITY - 2 * size * ROTATION, size * ROTATION], [IDENTITY, 0 * IDENTITY]])
        expected = predicted(matrix)
        assert expected < 1
        assert rate_of(radii(game, batch)[20:]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.integration
def test_optimistic_adam_converges_where_adam_does_not():
    adam = {"learning_rate": 1e-3, "b1": 0.0, "b2": 0.9, "eps": 1e-3}
    assert radii(dirac(SIMULTANEOUS, optimizer=optax.adam(**adam)))[-1] > 3e-3
    found = radii(dirac(SIMULTANEOUS, optimizer=optax.optimistic_adam_v2(**adam)), steps=2000)
    assert found[-1] < 3e-4


def test_two_learning_rates_converge_at_the_predicted_rate():
    """The two-time-scale update rule of Heusel et al. 2017 uses alternating turns here, with R1."""
    slow, fast, gamma = 0.05, 0.2, 1.0
    game = dirac(ALTERNATING, gamma=gamma)
    players = {
        name: dataclasses.replace(game.players[name], optimizer=optax.sgd(rate))
        for name, rate in (("d", fast), ("g", slow))
    }
    discriminator = np.array([[1, 0], [-fast / 2, 1 - fast * gamma]])
    expected = predicted(np.array([[1, slow / 2], [0, 1]]) @ discriminator)
    found = radii(dataclasses.replace(game, players=players))
    assert rate_of(found) == pytest.approx(expected, rel=1e-3)


def test_several_turns_of_the_critic_converge_at_the_predicted_rate():
    """Five turns of the discriminator, then one turn of the generator, multiply by a product of six matrices."""
    h, gamma = 0.1, 0.5
    turn = np.array([[1, 0], [-h / 2, 1 - h * gamma]])
    expected = predicted(np.array([[1, h / 2], [0, 1]]) @ np.linalg.matrix_power(turn, 5))
    game = dirac((("d",),) * 5 + (("g",),), h, gamma)
    found = radii(game, jnp.zeros((5, 1)), 200)
    assert rate_of(found) == pytest.approx(expected, rel=2e-3)


COMPOSED = {
    "extragradient": lambda game: extragradient(game),
    "consensus": lambda game: consensus(game, 0.1),
    "unrolled": lambda game: unrolled(game, "g", "d", 2, optax.sgd(0.05)),
}


def together(game: Game) -> Game:
    return dataclasses.replace(game, turns=(("d", "g"),))


def after(step, state, batch, steps=2):
    for _ in range(steps):
        state, metrics = step(state, batch)
    return state, metrics


@pytest.mark.slow
@pytest.mark.parametrize("how", COMPOSED)
def test_pmap_agrees_with_one_device(how):
    game = COMPOSED[how](together(games.points_game(optax.adam(0.01))))
    before, batch, on = game.init(jax.random.key(0)), games.points(8), parallel.devices(2)
    expected, metrics = after(jax.jit(game.step), before, batch)
    state, spread_metrics = after(parallel.pmap(game, on), parallel.replicate(before, on), batch)
    assert games.change(before, expected, state) < 1e-5
    assert float(spread_metrics["g/loss"]) == pytest.approx(float(metrics["g/loss"]), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("how", COMPOSED)
def test_shard_map_and_populations_agree_with_one_device(how):
    plain = together(games.points_game(optax.adam(0.01)))
    game = COMPOSED[how](plain)
    before, batch, on = game.init(jax.random.key(0)), games.points(8), parallel.devices(4)
    expected, _ = after(jax.jit(game.step), before, batch)
    assert (
        games.change(before, expected, after(jax.jit(plain.step), before, batch)[0]) > 1e-3
    )  # differs from plain steps
    state, _ = after(parallel.shard_map(game, on), parallel.replicate(before, on), batch)
    assert games.change(before, expected, state) < 1e-5
    population = Population(game, 2)
    states = population.init(jnp.stack([jax.random.key(1), jax.random.key(0)]))
    states, _ = after(jax.jit(population.step), states, np.stack([batch] * 2, 1))
    assert games.change(before, expected, member(states, 1)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("how", COMPOSED)
def test_pmap_agrees_with_one_device_with_batch_norm_and_r1(how):
    """The dynamics differentiate through BatchNorm over several devices, and through R1."""
    game = COMPOSED[how](together(games.dcgan_game()))
    before, step, batch = game.init(jax.random.key(0)), jax.jit(game.step), games.images(16)
    on = parallel.devices(4)
    state, mapped, expected = parallel.replicate(before, on), parallel.pmap(game, on), before
    for _ in range(2):
        expected, _ = step(expected, batch)
        state, _ = mapped(state, batch)
    assert games.change(before, expected, state) < 1e-5


@pytest.mark.integration
def test_extragradient_and_consensus_work_with_three_players():
    """Each player minimises the product of its own parameter and the next player's parameter, in a ring."""
    ring = {"a": "b", "b": "c", "c": "a"}

    def loss(own, other):
        return lambda nets, batch, keys, step: total(product=nets[own]() * nets[other]())

    game = Game(
        nets={name: Net(Scalar(value)) for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))},
        players={name: Player((name,), loss(name, other), optax.sgd(0.1)) for name, other in ring.items()},
        turns=(("a", "b", "c"),),
    )
    matrix = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    start = np.array([1.0, 2.0, 3.0])
    found, _ = first_step(extragradient(game))
    expected = start - 0.1 * matrix @ (start - 0.1 * matrix @ start)
    np.testing.assert_allclose([found.params[n]["value"] for n in ring], expected, rtol=1e-6)
    found, _ = first_step(consensus(game, 0.5))
    expected = start - 0.1 * (matrix + 0.5 * matrix.T @ matrix) @ start
    np.testing.assert_allclose([found.params[n]["value"] for n in ring], expected, rtol=1e-6)


def test_games_that_cannot_be_combined_are_refused():
    alternating, simultaneous = games.points_game(), together(games.points_game())
    with pytest.raises(
        ValueError,
        match=r"All players must update in the same turn for `extragradient`. Set `turns` to \(\('d', 'g'\),\)",
    ):
        extragradient(alternating)
    with pytest.raises(ValueError, match="All players must update in the same turn for `consensus`"):
        consensus(alternating, 1.0)
    with pytest.raises(ValueError, match="`game` must be a `Game`, got the wrapper Consensus"):
        extragradient(consensus(simultaneous, 1.0))
    with pytest.raises(ValueError, match=r"`gamma` must be at least 0, got -1.0"):
        consensus(simultaneous, -1.0)
    with pytest.raises(ValueError, match=r"The game has no player 'h'. Its players are 'd', 'g'."):
        unrolled(alternating, "g", "h", 1, optax.sgd(0.1))
    with pytest.raises(ValueError, match="`steps` must be at least 1, got 0"):
        unrolled(alternating, "g", "d", 0, optax.sgd(0.1))
    with pytest.raises(ValueError, match=r"The players 'g' and 'g' both own 'g'\. Choose two players"):
        unrolled(alternating, "g", "g", 1, optax.sgd(0.1))
