"""Tests of differentially private players: clipping, noise, detection of players that use data, refused games."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from jaxgan import Game, Net, Player, latents, losses, parallel, total
from jaxgan.core.gradients import accumulate, full_batch, per_example_clipped
from jaxgan.games.dynamics import consensus, extragradient, unrolled
from jaxgan.games.population import Population
from jaxgan.games.privacy import (
    PrivateGame,
    _with_noise,
    count_uses,
    is_private,
    players_that_see_data,
    private,
    random_key,
    require_not_private,
)

pytestmark = pytest.mark.integration

KEY = jax.random.key(5)


class Vector(nn.Module):
    """The inner product of the input with a vector, plus the sum of a second parameter, which is initialised with 0."""

    size: int = 3

    @nn.compact
    def __call__(self, x):
        w = self.param("w", nn.initializers.constant(0.5), (self.size,))
        rest = self.param("rest", nn.initializers.zeros, (2, 2))
        return x @ w + rest.sum()


def squares(nets, batch, keys, step):
    return total(square=0.5 * jnp.square(nets.v(batch)))


def vector_game(size=3, loss=squares, optimizer=None) -> Game:
    nets = {"v": Net(Vector(size), jnp.zeros((1, size)))}
    return Game(nets, {"v": Player(("v",), loss, optimizer or optax.sgd(1.0))}, (("v",),))


def gradient_of(game: Game, gradient, batch):
    """Return the gradient of a game's first player as one vector, and the metrics of the step."""
    record = optax.GradientTransformation(lambda p: p, lambda u, state, p=None: (u, u))
    player = dataclasses.replace(next(iter(game.players.values())), gradient=gradient, optimizer=record)
    name = next(iter(game.players))
    game = dataclasses.replace(game, players={name: player}, turns=((name,),), ema={})
    state, metrics = jax.jit(game.step)(game.init(jax.random.key(0)), batch)
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(state.opt_states[name])]), metrics


def test_the_mean_of_clipped_gradients_agrees_with_numpy():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    logits = x @ np.full(3, 0.5)
    # The gradient of each example with respect to `rest`, followed by the gradient with respect to `w`.
    each = np.concatenate([np.repeat(logits[:, None], 4, 1), logits[:, None] * x], 1)
    norms = np.linalg.norm(each, axis=1)
    clip = float(np.median(norms))
    expected = (each * np.minimum(1, clip / norms)[:, None]).mean(0)
    found, metrics = gradient_of(vector_game(), per_example_clipped(clip), x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert float(metrics["v/clipped"]) == 0.5
    assert float(metrics["v/square"]) == pytest.approx(0.5 * np.square(logits).mean(), rel=1e-5)
    for gradient in (accumulate(2, per_example_clipped(clip)), accumulate(3, per_example_clipped(clip))):
        np.testing.assert_allclose(gradient_of(vector_game(), gradient, x)[0], expected, rtol=1e-5, atol=1e-6)
    unclipped = gradient_of(vector_game(), per_example_clipped(1e6), x)[0]
    np.testing.assert_allclose(unclipped, gradient_of(vector_game(), full_batch, x)[0], rtol=1e-5, atol=1e-6)


def test_an_outlier_changes_the_mean_by_at_most_twice_the_clip_divided_by_the_batch_size():
    batch, clip = games.points(8), 0.1
    outlier, game = batch.copy(), games.points_game()
    for value in (np.inf, 1e4):
        outlier[3] = value
        change = (
            gradient_of(game, per_example_clipped(clip), batch)[0]
            - gradient_of(game, per_example_clipped(clip), outlier)[0]
        )
        assert 0 < np.linalg.norm(change) <= 2 * clip / 8 * (1 + 1e-5)
    plain = gradient_of(game, full_batch, batch)[0] - gradient_of(game, full_batch, outlier)[0]
    assert np.linalg.norm(plain) > 100 * clip  # the comparison fails without clipping


def test_the_standard_deviation_of_the_noise_agrees_with_the_multiplier():
    size, noise, clip, batch = 20_000, 3.0, 0.2, 8
    x = np.random.default_rng(0).normal(size=(batch, size)).astype(np.float32)
    game = vector_game(size)
    mean = gradient_of(game, per_example_clipped(clip), x)[0]
    step = jax.jit(private(game, x, noise_multiplier=noise, l2_clip=clip, key=KEY).step)
    state, drawn = private(game, x, noise_multiplier=noise, l2_clip=clip, key=KEY).init(jax.random.key(0)), []
    for _ in range(2):
        before = flat(state)
        state, _ = step(dataclasses.replace(state, params=vector_game(size).init(KEY).params), x)
        drawn.append(flat_start(size) - flat(state) - mean)
        assert not np.array_equal(before, flat(state))
    for found in drawn:
        assert found.std() == pytest.approx(noise * clip / batch, rel=0.03)
        assert abs(found.mean()) < 5 * noise * clip / batch / np.sqrt(size)
    assert abs(np.corrcoef(drawn)[0, 1]) < 0.04  # the noise of two turns is independent


def flat(state):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(state.params)])


def flat_start(size):
    return np.concatenate([np.zeros(4), np.full(size, 0.5)])


@pytest.mark.slow
@pytest.mark.parametrize(("critic_turns", "steps"), [(1, 0), (2, 0), (1, 1)])
def test_private_training_does_not_depend_on_the_number_of_devices(critic_turns, steps):
    """With ``steps``, the generator is unrolled. The additional updates must use all examples, not those of a device."""
    game = games.points_game(optax.adam(0.01))
    game = dataclasses.replace(game, turns=(("d",),) * critic_turns + (("g",),))
    plain = unrolled(game, "g", "d", steps, optax.sgd(0.5)) if steps else game
    batch = games.points(8 * critic_turns)
    game = private(plain, batch[:8], noise_multiplier=1.0, l2_clip=0.1, key=KEY)
    before = game.init(jax.random.key(0))
    expected, step = before, jax.jit(game.step)
    for _ in range(3):
        expected, metrics = step(expected, batch)
    for spread, count in ((parallel.pmap, 2), (parallel.shard_map, 4)):
        on = parallel.devices(count)
        state, mapped = parallel.replicate(before, on), spread(game, on)
        for _ in range(3):
            state, spread_metrics = mapped(state, batch)
        assert games.change(before, expected, state) < 1e-5
        assert float(spread_metrics["d/clipped"]) == pytest.approx(float(metrics["d/clipped"]))
    other = private(plain, batch[:8], noise_multiplier=1.0, l2_clip=0.1, key=jax.random.key(6))
    state, _ = jax.jit(other.step)(other.init(jax.random.key(0)), batch)
    once, _ = step(before, batch)
    assert games.change(before, once, state) > 0.1  # another noise gives another result


def by_label(nets, batch, keys, step):
    return total(g=nets.g(latents(keys, 2) + jax.nn.one_hot(batch["label"], 2)).sum(1))


def relativistic(nets, batch, keys, step):
    return total(g=losses.relativistic_generator(nets.d(batch["image"]), nets.d(nets.g(latents(keys, 2)))))


def within_jit(nets, batch, keys, step):
    return total(g=jax.jit(lambda x, z: nets.d(nets.g(z)))(batch["image"], latents(keys, 2)))


def logs_the_data(nets, batch, keys, step):
    return total(g=nets.d(nets.g(latents(keys, 2))), metrics={"mean": batch["image"].mean(1)})


def with_discriminator(generator_loss=None, gradient=full_batch) -> Game:
    """Create ``points_game`` for batches that are mappings."""
    game = games.points_game()
    d, g = game.players["d"], game.players["g"]

    def named(loss):
        return lambda nets, batch, keys, step: loss(nets, batch["image"], keys, step)

    players = {
        "d": dataclasses.replace(d, loss=named(d.loss)),
        "g": dataclasses.replace(g, loss=generator_loss or named(g.loss), gradient=gradient),
    }
    return dataclasses.replace(game, players=players)


NAMED = {"image": games.points(8), "label": np.arange(8) % 2}


def test_players_that_see_data_are_found():
    assert players_that_see_data(with_discriminator(), NAMED) == ("d",)
    assert players_that_see_data(with_discriminator(gradient=accumulate(2)), NAMED) == ("d",)
    assert players_that_see_data(with_discriminator(within_jit), NAMED) == ("d",)
    assert players_that_see_data(with_discriminator(by_label), NAMED) == ("d", "g")
    assert players_that_see_data(with_discriminator(relativistic), NAMED) == ("d", "g")
    assert players_that_see_data(with_discriminator(logs_the_data), NAMED) == ("d", "g")
    assert count_uses(with_discriminator(), NAMED) == (1,)
    assert count_uses(with_discriminator(relativistic), NAMED) == (2,)
    five = dataclasses.replace(with_discriminator(), turns=(("d",),) * 5 + (("g",),))
    assert count_uses(five, NAMED) == (1,) * 5
    eager = dataclasses.replace(with_discriminator(), turns=(("d",), ("g",), ("g",)))
    assert count_uses(eager, NAMED) == (1, 0)


def test_every_player_that_sees_data_is_clipped_and_noised():
    game = private(with_discriminator(relativistic), NAMED, noise_multiplier=1.0, l2_clip=0.1, key=KEY)
    state, metrics = jax.jit(game.step)(game.init(jax.random.key(0)), NAMED)
    assert {"d/clipped", "g/clipped"} <= set(metrics)
    noise = [np.asarray(jax.random.key_data(state.opt_states[name].key)) for name in ("d", "g")]
    assert not np.array_equal(*noise)
    usual = private(with_discriminator(), NAMED, noise_multiplier=1.0, l2_clip=0.1, key=KEY)
    assert usual.noised.players["g"] is not game.noised.players["g"]
    assert usual.noised.players["g"].gradient is full_batch


def test_the_vectors_of_spectral_normalisation_are_updated():

    def loss(nets, batch, keys, step):
        logits, stats = nets.d.with_stats(batch)
        return total(d=logits, stats={"d": stats})

    game = Game({"d": Net(Normalized(), jnp.zeros((1, 2)))}, {"d": Player(("d",), loss, optax.sgd(0.1))}, (("d",),))
    batch = games.points(8)
    before = game.init(jax.random.key(0))
    usual, _ = jax.jit(game.step)(before, batch)
    game = private(game, batch, noise_multiplier=1.0, l2_clip=0.1, key=KEY)
    state, _ = jax.jit(game.step)(game.init(jax.random.key(0)), batch)
    found, expected = (x.stats["d"]["spectral"] for x in (state, usual))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)
    assert not np.allclose(jax.tree.leaves(found)[0], jax.tree.leaves(before.stats["d"])[0])


class Normalized(nn.Module):
    @nn.compact
    def __call__(self, x):
        from jaxgan.nn.layers import Dense

        return Dense(3, spectral_norm=True)(x).sum(1)


def optimizer_that_requires_terms():
    def update(updates, state, params=None, *, terms):
        return updates, state

    return optax.GradientTransformationExtraArgs(lambda params: (), update)


def test_games_that_cannot_be_private_are_refused():
    how = {"noise_multiplier": 1.0, "l2_clip": 0.1, "key": KEY}
    with pytest.raises(
        ValueError, match=r"Network 'd' has BatchNorm, which mixes the examples.* set `norm` of dcgan to none"
    ):
        private(games.dcgan_game(), games.images(8), **how)
    with pytest.raises(ValueError, match="`game` must be a `Game`, got the wrapper ExtraGradient"):
        private(extragradient(dataclasses.replace(games.points_game(), turns=(("d", "g"),))), games.points(8), **how)
    together = private(dataclasses.replace(games.points_game(), turns=(("d", "g"),)), games.points(8), **how)
    with pytest.raises(ValueError, match=r"`game` must be a `Game`, got the wrapper PrivateGame.*`consensus`"):
        consensus(together, 1.0)
    with pytest.raises(ValueError, match=r"`game` must be a `Game`, got the wrapper PrivateGame.*`unrolled`"):
        unrolled(together, "g", "d", 1, optax.sgd(0.1))
    with pytest.raises(ValueError, match="`game` is already private"):
        private(together, games.points(8), **how)
    with pytest.raises(ValueError, match=r"`l2_clip` must be above 0, got 0.0"):
        private(games.points_game(), games.points(8), **{**how, "l2_clip": 0.0})
    with pytest.raises(ValueError, match=r"`noise_multiplier` must be a finite number of at least 0, got -1.0"):
        private(games.points_game(), games.points(8), **{**how, "noise_multiplier": -1.0})
    game = private(games.points_game(), games.points(8), **how)
    state = jax.eval_shape(game.init, KEY)
    with pytest.raises(
        ValueError, match="The noise was computed for turns of 8 examples over all devices, got a turn of 4"
    ):
        jax.eval_shape(game.step, state, games.points(4))
    game = private(games.points_game(optimizer_that_requires_terms()), games.points(8), **how)
    with pytest.raises(ValueError, match="The optimizer of the private player 'd' requires `value` or `terms`"):
        jax.eval_shape(game.step, jax.eval_shape(game.init, KEY), games.points(8))


def test_moving_statistics_of_examples_are_refused():

    def loss(nets, batch, keys, step):
        return total(d=nets.d(batch), stats={"d": {"pool": {"last": batch[0]}}})

    game = Game({"d": Net(Pool(), jnp.zeros((1, 2)))}, {"d": Player(("d",), loss, optax.sgd(0.1))}, (("d",),))
    game = private(game, games.points(8), noise_multiplier=1.0, l2_clip=0.1, key=KEY)
    with pytest.raises(
        ValueError,
        match=r"The loss returns the moving statistics 'pool' of network 'd', which .* They are computed from the examples",
    ):
        jax.eval_shape(game.step, jax.eval_shape(game.init, KEY), games.points(8))


class Pool(nn.Module):
    @nn.compact
    def __call__(self, x):
        last = self.variable("pool", "last", jnp.zeros, (2,))
        return nn.Dense(1)(x + last.value[None]).reshape(-1)


# Compositions in which the noise of two results could be equal. The noise is much larger than the gradients here, so the
# updates are almost only noise, and the correlation of two updates is the correlation of their noise.

SIZE, NOISE = 2000, 1000.0


def noisy_game(**changes) -> PrivateGame:
    settings: dict = {"noise_multiplier": NOISE, "l2_clip": 1.0, "key": KEY, **changes}
    return private(vector_game(SIZE), vectors(0), **settings)


def vectors(seed, count=4):
    return np.random.default_rng(seed).normal(size=(count, SIZE)).astype(np.float32)


def train(game, batches=None, key=0):
    """Return the updates of each step, [steps, parameters], and the last state."""
    state, step, updates = jax.jit(game.init)(jax.random.key(key)), jax.jit(game.step), []
    for batch in [vectors(0), vectors(1)] if batches is None else batches:
        before = flat(state)
        state, _ = step(state, batch)
        updates.append(flat(state) - before)
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
            before = flat(state)
            state, _ = step(state, batch)
            updates.append(flat(state) - before)
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
            flat(jax.tree.map(lambda x, i=i: x[i], after)) - flat(jax.tree.map(lambda x, i=i: x[i], states))
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
    np.testing.assert_allclose(flat(state) - flat(before), expected[0], rtol=1e-4, atol=1e-2)


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

    nets = {name: Net(Vector(SIZE), jnp.zeros((1, SIZE))) for name in ("a", "b")}
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
    np.testing.assert_array_equal(flat(after) - flat(state), whole[1])
    assert independent(np.stack([updates[0], flat(after) - flat(state)]))


def test_a_lazy_penalty_does_not_change_the_noise():
    def loss(nets, batch, keys, step):
        return total(
            square=0.5 * jnp.square(nets.v(batch)), lazy=losses.lazy(2, step, lambda: jnp.square(nets.v(batch)).mean())
        )

    game = private(vector_game(SIZE, loss), vectors(0), noise_multiplier=NOISE, l2_clip=1.0, key=KEY)
    updates, _ = train(game, [vectors(0)] * 3)
    assert independent(updates)
    assert updates.std() == pytest.approx(NOISE / 4, rel=0.05)


def test_the_average_of_private_parameters_is_an_average_of_noisy_parameters():
    game = dataclasses.replace(vector_game(SIZE), ema={"v": 0.5})
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


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"l2_clip": np.inf}, ValueError, "`l2_clip` must be finite, got inf"),
        ({"l2_clip": np.nan}, ValueError, "`l2_clip` must be above 0, got nan"),
        ({"noise_multiplier": np.nan}, ValueError, "`noise_multiplier` must be a finite number of at least 0, got nan"),
        ({"key": 3}, TypeError, "`key` must be a single typed random key, .* got int"),
        ({"key": jax.random.split(KEY)}, TypeError, r"`key` must be a single typed random key, .* got key<fry>\[2\]"),
        ({"batch": np.zeros((0, 2), np.float32)}, ValueError, r"`batch` must contain arrays \[B, ...\] .* at least 1"),
        ({"batch": {"a": np.zeros(3), "b": np.zeros((4, 2))}}, ValueError, "with the same number of examples"),
        ({"batch": {}}, ValueError, "with the same number of examples"),
    ],
)
def test_invalid_arguments_are_refused(changes, error, message):
    arguments = {"batch": games.points(8), "noise_multiplier": 1.0, "l2_clip": 0.1, "key": KEY, **changes}
    with pytest.raises(error, match=message):
        private(games.points_game(), arguments.pop("batch"), **arguments)


def test_numbers_of_private_training_cannot_be_swept():
    for name in ("noise_multiplier", "l2_clip"):
        settings = {"noise_multiplier": 1.0, "l2_clip": 0.1}

        def make(value, name=name, settings=settings):
            return private(games.points_game(), games.points(8), **{**settings, name: value}, key=KEY)

        population = Population(games.points_game(), 2, make, {"value": jnp.ones(2)})
        with pytest.raises(TypeError, match=f"`{name}` must be a Python number, got a traced value"):
            population.init(jax.random.split(KEY, 2))


def test_complex_parameters_are_refused_because_half_of_them_would_have_no_noise():
    init = lambda key, x: {"w": jnp.ones(2, jnp.complex64)}  # noqa: E731
    net = Net((init, lambda params, x: jnp.abs(x @ params["w"])), jnp.zeros((1, 2)))
    loss = lambda nets, batch, keys, step: total(v=nets.v(batch))  # noqa: E731
    game = Game({"v": net}, {"v": Player(("v",), loss, optax.sgd(0.1))}, (("v",),))
    with pytest.raises(ValueError, match="Network 'v' has parameters of type complex64"):
        private(game, games.points(8), noise_multiplier=1.0, l2_clip=0.1, key=KEY)
