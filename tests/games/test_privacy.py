"""Tests of differentially private players: clipping, noise, detection of players that use data, refused games."""

import dataclasses
import functools

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
    count_uses,
    players_that_see_data,
    private,
)

pytestmark = pytest.mark.integration

KEY = jax.random.key(5)


@functools.cache
def compiled_gradient(game: Game, gradient):
    """Return the name of a game's first player, a first state, and a step that stores the player's gradient."""
    record = optax.GradientTransformation(lambda p: p, lambda u, state, p=None: (u, u))
    player = dataclasses.replace(next(iter(game.players.values())), gradient=gradient, optimizer=record)
    name = next(iter(game.players))
    game = dataclasses.replace(game, players={name: player}, turns=((name,),), ema={})
    return name, game.init(jax.random.key(0)), jax.jit(game.step)


def gradient_of(game: Game, gradient, batch):
    """Return the gradient of a game's first player as one vector, and the metrics of the step."""
    name, state, step = compiled_gradient(game, gradient)
    state, metrics = step(state, batch)
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(state.opt_states[name])]), metrics


def test_the_mean_of_clipped_gradients_agrees_with_numpy():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    logits = x @ np.full(3, 0.5)
    # The gradient of each example with respect to `rest`, followed by the gradient with respect to `w`.
    each = np.concatenate([np.repeat(logits[:, None], 4, 1), logits[:, None] * x], 1)
    norms = np.linalg.norm(each, axis=1)
    clip = float(np.median(norms))
    expected = (each * np.minimum(1, clip / norms)[:, None]).mean(0)
    found, metrics = gradient_of(games.vector_game(), per_example_clipped(clip), x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert float(metrics["v/clipped"]) == 0.5
    assert float(metrics["v/square"]) == pytest.approx(0.5 * np.square(logits).mean(), rel=1e-5)
    for gradient in (accumulate(2, per_example_clipped(clip)), accumulate(3, per_example_clipped(clip))):
        np.testing.assert_allclose(gradient_of(games.vector_game(), gradient, x)[0], expected, rtol=1e-5, atol=1e-6)
    unclipped = gradient_of(games.vector_game(), per_example_clipped(1e6), x)[0]
    np.testing.assert_allclose(unclipped, gradient_of(games.vector_game(), full_batch, x)[0], rtol=1e-5, atol=1e-6)


def test_an_outlier_changes_the_mean_by_at_most_twice_the_clip_divided_by_the_batch_size():
    batch, clip = games.points(8), 0.1
    outlier, game, clipped = batch.copy(), games.points_game(), per_example_clipped(clip)
    for value in (np.inf, 1e4):
        outlier[3] = value
        change = gradient_of(game, clipped, batch)[0] - gradient_of(game, clipped, outlier)[0]
        assert 0 < np.linalg.norm(change) <= 2 * clip / 8 * (1 + 1e-5)
    plain = gradient_of(game, full_batch, batch)[0] - gradient_of(game, full_batch, outlier)[0]
    assert np.linalg.norm(plain) > 100 * clip  # the comparison fails without clipping


def test_the_standard_deviation_of_the_noise_agrees_with_the_multiplier():
    size, noise, clip, batch = 20_000, 3.0, 0.2, 8
    x = np.random.default_rng(0).normal(size=(batch, size)).astype(np.float32)
    game = games.vector_game(size)
    mean = gradient_of(game, per_example_clipped(clip), x)[0]
    step = jax.jit(private(game, x, noise_multiplier=noise, l2_clip=clip, key=KEY).step)
    state, drawn = private(game, x, noise_multiplier=noise, l2_clip=clip, key=KEY).init(jax.random.key(0)), []
    for _ in range(2):
        before = games.flat(state)
        state, _ = step(dataclasses.replace(state, params=games.vector_game(size).init(KEY).params), x)
        drawn.append(flat_start(size) - games.flat(state) - mean)
        assert not np.array_equal(before, games.flat(state))
    for found in drawn:
        assert found.std() == pytest.approx(noise * clip / batch, rel=0.03)
        assert abs(found.mean()) < 5 * noise * clip / batch / np.sqrt(size)
    assert abs(np.corrcoef(drawn)[0, 1]) < 0.04  # the noise of two turns is independent


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
