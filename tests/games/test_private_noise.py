"""Tests of the noise of private players: no two results have equal noise, except repetitions of one training."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from jaxgan import Game, Net, Player, losses, parallel, total
from jaxgan.games.dynamics import consensus, extragradient, unrolled
from jaxgan.games.population import Population
from jaxgan.games.privacy import (
    PrivateGame,
    _with_noise,
    is_private,
    private,
    random_key,
    require_not_private,
)

pytestmark = pytest.mark.integration

KEY = jax.random.key(5)


# Compositions in which the noise of two results could be equal. The noise is much larger than the gradients here, so the
# updates are almost only noise, and the correlation of two updates is the correlation of their noise.

SIZE, NOISE = 2000, 1000.0


def noisy_game(**changes) -> PrivateGame:
    settings: dict = {"noise_multiplier": NOISE, "l2_clip": 1.0, "key": KEY, **changes}
    return private(games.vector_game(SIZE), vectors(0), **settings)


def vectors(seed, count=4):
    return np.random.default_rng(seed).normal(size=(count, SIZE)).astype(np.float32)


def train(game, batches=None, key=0):
    """Return the updates of each step, [steps, parameters], and the last state."""
    state, step, updates = jax.jit(game.init)(jax.random.key(key)), jax.jit(game.step), []
    for batch in [vectors(0), vectors(1)] if batches is None else batches:
        before = games.flat(state)
        state, _ = step(state, batch)
        updates.append(games.flat(state) - before)
    return np.stack(updates), state


def independent(updates) -> bool:
    """Return whether all of the updates, [n, parameters], are uncorrelated."""
    return bool((np.abs(np.corrcoef(updates)) < 0.12)[~np.eye(len(updates), dtype=bool)].all())


OTHER_TRAININGS = {
    "another key of the networks": lambda: train(noisy_game(), key=1),
    "other data": lambda: train(noisy_game(), [vectors(2), vectors(1)]),
    "one other example": lambda: train(noisy_game(), [np.concatenate([vectors(0)[:3], vectors(9)[:1]]), vectors(1)]),
    "the same examples in another order": lambda: train(noisy_game(), [vectors(0)[::-1], vectors(1)]),
    "more noise": lambda: train(noisy_game(noise_multiplier=2 * NOISE)),
    "another clip": lambda: train(noisy_game(l2_clip=2.0)),
    "a replaced clip": lambda: train(dataclasses.replace(noisy_game(), l2_clip=2.0)),
    "another noise key": lambda: train(noisy_game(key=jax.random.key(6))),
    "a key of the operating system": lambda: train(noisy_game(key=None)),
}


@pytest.mark.parametrize("case", OTHER_TRAININGS)
def test_another_training_with_the_same_key_has_other_noise(case):
    """Without this, the difference of the updates of two trainings would not contain the noise."""
    updates, _ = train(noisy_game())
    assert independent(np.concatenate([updates, OTHER_TRAININGS[case]()[0]]))


def test_noise_after_another_batch_stays_different():
    """If only the first batch differs, the later gradients differ too, so they must not share their noise."""
    batches = [vectors(n) for n in range(3)]
    one, _ = train(noisy_game(), batches)
    other, _ = train(noisy_game(), [vectors(9), *batches[1:]])
    assert independent(np.concatenate([one, other]))


def test_the_same_training_has_the_same_noise():
    one, again = (train(noisy_game())[0] for _ in range(2))
    np.testing.assert_array_equal(one, again)
    in_parts, _ = train(noisy_game(micro_batches=2))
    np.testing.assert_allclose(in_parts, one, rtol=1e-4, atol=1e-2)  # noise once, and not once per micro-batch
    assert one.std() == pytest.approx(NOISE / 4, rel=0.05)


def test_a_resumed_training_repeats_its_noise_for_the_same_data_only():
    game, batches = noisy_game(), [vectors(n) for n in range(3)]
    _, saved = train(game, batches[:1])
    whole, _ = train(game, batches)
    step = jax.jit(noisy_game(key=jax.random.key(99)).step)  # the key of the noise comes from the state
    for data, is_same in ((batches[1:], True), ([vectors(8), batches[2]], False)):
        state, updates = jax.tree.map(lambda x: x, saved), []
        for batch in data:
            before = games.flat(state)
            state, _ = step(state, batch)
            updates.append(games.flat(state) - before)
        if is_same:
            np.testing.assert_array_equal(updates, whole[1:])
        else:
            assert independent(np.concatenate([whole[1:], updates]))


def test_games_under_vmap_have_independent_noise():
    game = noisy_game()
    for keys, seeds in (([0, 1], [0, 0]), ([0, 0], [0, 1])):
        states = jax.vmap(game.init)(jnp.stack([jax.random.key(key) for key in keys]))
        after, _ = jax.jit(jax.vmap(game.step))(states, np.stack([vectors(seed) for seed in seeds]))
        updates = [
            games.flat(jax.tree.map(lambda x, i=i: x[i], after)) - games.flat(jax.tree.map(lambda x, i=i: x[i], states))
            for i in range(2)
        ]
        assert independent(np.stack(updates)), (keys, seeds)


@pytest.mark.parametrize("spread", [parallel.pmap, parallel.shard_map])
def test_devices_add_the_same_noise_once(spread):
    game, on = noisy_game(), parallel.devices(2)
    expected, _ = train(game, [vectors(0)])
    before = game.init(jax.random.key(0))
    state, _ = spread(game, on)(parallel.replicate(before, on), vectors(0))
    copies = [[np.ravel(x.addressable_shards[i].data) for x in jax.tree.leaves(state.params)] for i in range(2)]
    np.testing.assert_array_equal(*(np.concatenate(copy) for copy in copies))
    np.testing.assert_allclose(games.flat(state) - games.flat(before), expected[0], rtol=1e-4, atol=1e-2)


def recorder(turns) -> optax.GradientTransformation:
    """Create an optimizer that changes nothing, and stores the gradients of the newest turns in its state."""

    def update(updates, state, params=None):
        (w,) = [x["w"] for x in updates.values()]
        return jax.tree.map(jnp.zeros_like, updates), jnp.roll(state, 1, 0).at[0].set(w)

    return optax.GradientTransformation(lambda params: jnp.zeros((turns, SIZE)), update)


@pytest.mark.parametrize("turns", [(("a",), ("b",)) * 3, (("a", "b"),) * 3])
def test_every_turn_and_every_player_has_its_own_noise(turns):
    def player(net):
        def loss(nets, batch, keys, step):
            return total(square=0.5 * jnp.square(nets[net](batch)))

        return Player((net,), loss, recorder(3))

    nets = {name: Net(games.Vector(SIZE), jnp.zeros((1, SIZE))) for name in ("a", "b")}
    game = Game(nets, {name: player(name) for name in nets}, turns)
    game = private(game, vectors(0), noise_multiplier=NOISE, l2_clip=1.0, key=KEY)
    state, _ = jax.jit(game.step)(game.init(KEY), np.repeat(vectors(0), 3, 0))
    assert independent(np.concatenate([state.opt_states[name].inner for name in nets]))


def test_a_game_that_changes_during_training_continues_the_noise():
    """``game_at`` returns another private game for later steps, which trains on the state of the first."""
    first, later = noisy_game(), noisy_game()
    whole, _ = train(first)
    updates, state = train(first, [vectors(0)])
    after, _ = jax.jit(later.step)(state, vectors(1))
    np.testing.assert_array_equal(games.flat(after) - games.flat(state), whole[1])
    assert independent(np.stack([updates[0], games.flat(after) - games.flat(state)]))


def test_a_lazy_penalty_does_not_change_the_noise():
    def loss(nets, batch, keys, step):
        return total(
            square=0.5 * jnp.square(nets.v(batch)), lazy=losses.lazy(2, step, lambda: jnp.square(nets.v(batch)).mean())
        )

    game = private(games.vector_game(SIZE, loss), vectors(0), noise_multiplier=NOISE, l2_clip=1.0, key=KEY)
    updates, _ = train(game, [vectors(0)] * 3)
    assert independent(updates)
    assert updates.std() == pytest.approx(NOISE / 4, rel=0.05)


def test_the_average_of_private_parameters_is_an_average_of_noisy_parameters():
    game = dataclasses.replace(games.vector_game(SIZE), ema={"v": 0.5})
    game = private(game, vectors(0), noise_multiplier=NOISE, l2_clip=1.0, key=KEY)
    before = game.init(jax.random.key(0))
    state, _ = jax.jit(game.step)(before, vectors(0))
    found = state.ema["v"]["params"]["w"] - before.params["v"]["w"]
    np.testing.assert_allclose(found, 0.5 * (state.params["v"]["w"] - before.params["v"]["w"]), rtol=1e-4, atol=1e-3)


def test_the_noise_of_low_precision_parameters_is_rounded_after_the_addition():
    """If the noise was rounded first, it would have only as many values as a number near the gradient."""
    with_noise = jax.jit(_with_noise, static_argnums=2)
    x = jnp.full(SIZE, 1.0, jnp.bfloat16)
    exact = np.asarray(with_noise(KEY, x.astype(jnp.float32), 0.01))
    np.testing.assert_array_equal(with_noise(KEY, x, 0.01), jnp.asarray(exact).astype(jnp.bfloat16))


def test_functions_that_would_share_or_omit_noise_refuse_private_games_in_every_form():
    together = dataclasses.replace(games.points_game(), turns=(("d", "g"),))
    game = private(together, games.points(8), noise_multiplier=1.0, l2_clip=0.1, key=KEY)
    for form in (game, game.noised, dataclasses.replace(game.noised, ema={"g": 0.9})):
        assert is_private(form)
        for name, function in {
            "extragradient": extragradient,
            "consensus": lambda game: consensus(game, 1.0),
            "unrolled": lambda game: unrolled(game, "g", "d", 1, optax.sgd(0.1)),
        }.items():
            with pytest.raises(ValueError, match=rf"`{name}` cannot be combined|cannot be combined with this wrapper"):
                function(form)
        with pytest.raises(ValueError, match="`game` is already private"):
            private(form, games.points(8), noise_multiplier=1.0, l2_clip=0.1, key=KEY)
        with pytest.raises(ValueError, match="The members of a population cannot be private games"):
            Population(form, 2)
    assert not is_private(together) and not is_private(consensus(together, 1.0))


def test_custom_functions_can_refuse_private_games():
    game = private(games.points_game(), games.points(8), noise_multiplier=1.0, l2_clip=0.1, key=KEY)
    require_not_private(games.points_game(), "mine")
    with pytest.raises(ValueError, match="`game` is private, and `mine` would compute further gradients of the batch"):
        require_not_private(game, "mine")


def test_random_keys_differ_unless_they_have_the_same_entropy():
    keys = [random_key(), random_key(), random_key(bytes(8)), random_key(bytes(7) + b"a"), random_key(bytes(9))]
    words = [tuple(np.asarray(jax.random.key_data(key))) for key in keys]
    assert len(set(words)) == 4 and words[2] == words[4]


def test_a_replaced_game_is_private_too():
    other = private(games.points_game(), games.points(8), noise_multiplier=1.0, l2_clip=0.1, key=KEY)
    game = dataclasses.replace(other, game=games.points_game(optax.sgd(0.5)), noise_multiplier=2.0)
    assert is_private(game.noised) and game.private_players == ("d",)
    with pytest.raises(ValueError, match="`noise_multiplier` must be a finite number of at least 0, got -1"):
        dataclasses.replace(other, noise_multiplier=-1)


def test_the_noise_key_is_not_shown():
    game = private(games.points_game(), games.points(8), noise_multiplier=1.0, l2_clip=0.1, key=KEY)
    state = game.init(jax.random.key(0))
    words = [str(word) for key in (game.key, state.opt_states["d"].key) for word in jax.random.key_data(key).tolist()]
    for text in (repr(game), repr(game.noised), repr(state), str(game.summary())):
        assert not any(word in text for word in words if len(word) > 2)
