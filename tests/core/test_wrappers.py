"""Tests that a game inside a custom wrapper is trained, distributed over devices and sampled like any other game."""

import dataclasses

import jax
import numpy as np
import optax
import pytest
from helpers import games

from experiments import gan
from jaxgan import Game, parallel
from jaxgan.core.wrappers import GameLike, GameWrapper, find_wrapper, require_game
from jaxgan.data import normalize
from jaxgan.games.dynamics import Consensus, ExtraGradient, consensus, extragradient
from jaxgan.games.population import Population, member
from jaxgan.games.privacy import PrivateGame, private
from jaxgan.monitoring.probe import Probe

pytestmark = pytest.mark.integration


@dataclasses.dataclass(frozen=True, eq=False)
class Repeat(GameWrapper):
    """A game that takes each step ``times`` times on the same batch."""

    times: int = 2

    def step(self, state, batch):
        for _ in range(self.times):
            state, metrics = self.game.step(state, batch)
        return state, metrics


def repeated(game: GameLike, state, batch, times):
    for _ in range(times):
        state, metrics = jax.jit(game.step)(state, batch)
    return state, metrics


def test_a_custom_wrapper_runs_on_several_devices():
    """The game is small, because each device takes six turns in one compiled step."""
    game = games.vector_game(size=2, optimizer=optax.sgd(0.1))
    game, batch = dataclasses.replace(game, turns=(("v",), ("v",))), games.points(16)
    wrapper = Repeat(GameWrapper(game), 3)
    before = wrapper.init(jax.random.key(0))
    assert wrapper.unwrapped is game and wrapper.batch_multiple == 2
    expected, metrics = repeated(game, before, batch, 3)
    for form, count in ((parallel.pmap, 2), (parallel.shard_map, 4)):
        on = parallel.devices(count)
        state, spread = form(wrapper, on)(parallel.replicate(before, on), batch)
        assert int(state.step) == 3 and games.change(before, expected, state) < 1e-5
        assert float(spread["v/loss"]) == pytest.approx(float(metrics["v/loss"]), rel=1e-4)
    with pytest.raises(
        ValueError,
        match=r"A batch of 12 examples cannot be split evenly over 4 devices if each device .* into 2 slices\. Use 8 or",
    ):
        form(wrapper, on)(parallel.replicate(before, on), batch[:12])


def test_a_population_can_consist_of_custom_wrappers():
    game, batch = games.points_game(), games.points(8)
    population = Population(Repeat(game, 2), 2)
    keys = jax.random.split(jax.random.key(0), 2)
    states, _ = jax.jit(population.step)(population.init(keys), np.stack([batch] * 2, 1))
    before = game.init(keys[1])
    assert games.change(before, repeated(game, before, batch, 2)[0], member(states, 1)) < 1e-5
    assert population.unwrapped is game


def test_an_experiment_with_a_wrapper_can_be_sampled_and_probed():
    plain = gan.build(gan.Config.tiny())
    wrapped = dataclasses.replace(plain, game=Repeat(plain.game))
    state = jax.jit(wrapped.game.init)(jax.random.key(0))
    state, _ = jax.jit(wrapped.game.step)(state, normalize(plain.source.read(np.arange(8))))
    z = plain.draw_latents(0, np.arange(3))
    np.testing.assert_array_equal(wrapped.sampler()(state, z), plain.sampler()(state, z))
    assert sorted(wrapped.variables(state)) == ["g"]
    found = {name: float(x) for name, x in Probe(wrapped, 0)(state).items()}
    assert found == {name: float(x) for name, x in Probe(plain, 0)(state).items()} and found["diversity"] > 0


def test_a_game_cannot_be_subclassed():
    with pytest.raises(
        TypeError, match=r"The class Mine cannot inherit from `Game`.*GameWrapper instead, and override its `step`"
    ):

        class Mine(Game):  # pyright: ignore
            pass


def test_a_function_that_replaces_players_requires_a_game():
    game = games.points_game()
    assert require_game(game, "unrolled") is game
    message = r"`game` must be a `Game`, got the wrapper Repeat.*`unrolled` cannot be combined with this wrapper"
    with pytest.raises(ValueError, match=message):
        require_game(Repeat(game), "unrolled")


def test_a_wrapper_is_found_inside_others():
    game = games.points_game()
    inner = Repeat(game)
    assert find_wrapper(GameWrapper(inner), Repeat) is inner
    assert find_wrapper(GameWrapper(game), Repeat) is None and find_wrapper(game, Repeat) is None


def test_wrappers_of_jaxgan_are_found_inside_other_wrappers():
    """``find_wrapper`` finds them by their class. Populations use it to refuse private members."""
    game = dataclasses.replace(games.points_game(), turns=(("d", "g"),))
    noised = private(game, games.points(8), noise_multiplier=1.0, l2_clip=0.1, key=jax.random.key(0))
    wrappers = {ExtraGradient: extragradient(game), Consensus: consensus(game, 1.0), PrivateGame: noised}
    for kind, wrapper in wrappers.items():
        wrapped = GameWrapper(wrapper)
        assert find_wrapper(wrapped, kind) is wrapper
        assert [other for other in wrappers if find_wrapper(wrapped, other)] == [kind]
        assert wrapped.unwrapped.nets is game.nets
