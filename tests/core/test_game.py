"""Tests of ``Game``: turns, keys, slices, averages, error messages, and gradient accumulation."""

import dataclasses
import math

import chex
import flax.errors
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games
from helpers.solvable import ONE, Scalar, bilinear

from jaxgan import Game, Net, Player, latents, losses, total
from jaxgan.core.gradients import accumulate


@pytest.mark.parametrize("eta", [0.1, 0.5])
def test_simultaneous_descent_diverges_on_the_bilinear_game_at_the_known_rate(eta):
    """Simultaneous gradient descent multiplies the distance to the equilibrium by sqrt(1 + eta^2) in each step."""
    game = bilinear(optax.sgd(eta))
    state, step = game.init(jax.random.key(0)), jax.jit(game.step)
    for k in range(1, 21):
        state, _ = step(state, ONE)
        radius = math.hypot(float(state.params["x"]["value"]), float(state.params["y"]["value"]))
        assert radius == pytest.approx(math.sqrt(2) * (1 + eta**2) ** (k / 2), rel=1e-6)


def test_alternating_descent_stays_bounded_on_the_bilinear_game():
    """Alternating descent is symplectic on this game, so it circles the equilibrium (Gidel et al. 2019, theorem 4)."""
    game = bilinear(optax.sgd(0.5), turns=(("min",), ("max",)))
    state, step = game.init(jax.random.key(0)), jax.jit(game.step)
    for _ in range(100):
        state, _ = step(state, ONE)
    assert math.hypot(float(state.params["x"]["value"]), float(state.params["y"]["value"])) < 2.5


@pytest.mark.integration
def test_a_turn_changes_only_the_networks_that_its_player_owns():
    game = games.dcgan_game()
    only_d = dataclasses.replace(game, players={"d": game.players["d"]}, turns=(("d",),), ema={})
    before = jax.jit(only_d.init)(jax.random.key(0))
    after, _ = jax.jit(only_d.step)(before, games.images(8))
    chex.assert_trees_all_equal(after.params["g"], before.params["g"])
    chex.assert_trees_all_equal(after.stats["g"], before.stats["g"])
    for layer in ("down_0", "down_1", "logit"):
        assert (after.params["d"][layer]["kernel"] != before.params["d"][layer]["kernel"]).any()


def test_players_of_one_turn_use_the_state_before_the_turn():
    """In a simultaneous step, the second player uses the first player's old parameters, otherwise the new ones."""
    eta = 0.1
    both, one_by_one = bilinear(optax.sgd(eta)), bilinear(optax.sgd(eta), turns=(("min",), ("max",)))
    together, _ = both.step(both.init(jax.random.key(0)), ONE)
    alternating, _ = one_by_one.step(one_by_one.init(jax.random.key(0)), ONE)
    assert float(together.params["y"]["value"]) == pytest.approx(1 + eta)
    assert float(alternating.params["y"]["value"]) == pytest.approx(1 + eta * (1 - eta))


def probe(turns):
    """Create a game with losses that log their batch and their keys."""

    def loss(nets, batch, keys, step):
        first = jax.random.uniform(keys[0])
        return total(zero=0.0 * nets.x(), metrics={"batch": batch, "key": first, "keys": jnp.float32(len(keys))})

    return Game(
        nets={"x": Net(Scalar(1.0)), "y": Net(Scalar(1.0))},
        players={"a": Player(("x",), loss, optax.sgd(0.1)), "b": Player(("y",), lambda *a: loss(*a), optax.sgd(0.1))},
        turns=turns,
    )


def test_first_turns_share_keys_and_slice_and_later_turns_have_their_own():
    batch = np.array([0, 1, 0, 1, 0, 1], np.float32)  # slices are strided: slice 0 is all zeros, slice 1 is all ones
    game = probe((("a",), ("b",), ("a",)))
    assert game.batch_multiple == 2
    _, metrics = game.step(game.init(jax.random.key(0)), batch)
    assert float(metrics["b/batch"]) == 0  # the only turn of b uses slice 0
    assert float(metrics["a/batch"]) == 0.5  # mean over slices 0 and 1
    assert float(metrics["a/keys"]) == 3
    one_turn = probe((("a",), ("b",)))
    _, single = one_turn.step(one_turn.init(jax.random.key(0)), batch[::2])
    assert float(single["a/key"]) == float(single["b/key"]) == float(metrics["b/key"])
    assert float(metrics["a/key"]) != float(metrics["b/key"])  # the second turn of a has other keys


def test_keys_are_derived_from_the_states_key_step_turn_and_position():
    game = probe((("a",), ("b",)))
    state = game.init(jax.random.key(7)).replace(step=jnp.int32(5))
    _, metrics = game.step(state, np.zeros(3, np.float32))
    key = state.key
    for data in (5, 0, 0):
        key = jax.random.fold_in(key, data)
    assert float(metrics["a/key"]) == float(jax.random.uniform(key))


@pytest.mark.integration
def test_losses_are_logged_by_player_and_term_with_gradient_norms():
    game = games.dcgan_game()
    _, metrics = jax.jit(game.step)(game.init(jax.random.key(0)), games.images(8))
    assert set(metrics) == {
        *(f"d/{name}" for name in ("hinge", "r1", "loss", "grad_norm")),
        *(f"d/{name}" for name in ("accuracy_real", "accuracy_fake", "logits_real", "logits_fake", "value")),
        *(f"g/{name}" for name in ("hinge", "loss", "grad_norm")),
    }
    assert float(metrics["d/loss"]) == pytest.approx(float(metrics["d/hinge"] + metrics["d/r1"]), rel=1e-6)
    chex.assert_tree_all_finite(metrics)


@pytest.mark.integration
def test_a_lazy_term_is_multiplied_by_n_in_every_nth_step_and_zero_otherwise():
    every, lazy = games.dcgan_game(), games.dcgan_game(lazy=3)
    state, batch = jax.jit(every.init)(jax.random.key(0)), games.images(8)
    _, now = jax.jit(every.step)(state, batch)
    step = jax.jit(lazy.step)
    for number in range(4):
        _, metrics = step(state.replace(step=jnp.int32(number)), batch)
        assert bool(metrics["d/r1"].due) == (number % 3 == 0)
        # Latents differ from step to step, but R1 depends on real examples only.
        assert float(metrics["d/r1"]) == pytest.approx(0.0 if number % 3 else 3 * float(now["d/r1"]), rel=1e-5)


@pytest.mark.filterwarnings("ignore:Player")
def test_a_warning_names_moving_statistics_that_a_loss_does_not_return():
    game = games.dcgan_game()
    dropped = dataclasses.replace(
        game.players["g"],
        loss=lambda nets, real, keys, step: total(h=losses.hinge_generator(nets.d(nets.g(latents(keys, 4))))),
    )
    game = dataclasses.replace(game, players={**game.players, "g": dropped})
    with pytest.warns(
        UserWarning,
        match=r"Player 'g' owns network 'g', but its loss does not return the network's moving statistics \('batch_st",
    ):
        jax.eval_shape(game.step, jax.eval_shape(game.init, jax.random.key(0)), games.images(8))


@pytest.mark.integration
def test_a_step_updates_all_moving_statistics():
    game = games.dcgan_game()
    before = jax.jit(game.init)(jax.random.key(0))
    after, _ = jax.jit(game.step)(before, games.images(8))
    changed = jax.tree.map(lambda a, b: bool((a != b).all()), after.stats, before.stats)
    assert all(jax.tree.leaves(changed))
    assert jax.tree.structure(after) == jax.tree.structure(before)


@pytest.mark.integration
def test_moving_averages_are_updated_and_share_no_buffer_with_the_parameters():
    game = games.dcgan_game()
    state = jax.jit(game.init)(jax.random.key(0))
    pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves((state.params["g"], state.stats["g"]))]
    assert not set(pointers) & {x.unsafe_buffer_pointer() for x in jax.tree.leaves(state.ema)}
    first = jax.tree.map(np.array, state.ema["g"]["params"])
    # The next line raises an error if a buffer is donated twice.
    state, _ = jax.jit(game.step, donate_argnums=0)(state, games.images(8))
    expected = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, first, state.params["g"])
    chex.assert_trees_all_close(state.ema["g"]["params"], expected, rtol=1e-5, atol=1e-8)
    assert set(state.ema["g"]) == {"params", "batch_stats"}


def test_the_decay_of_a_moving_average_can_depend_on_the_step():
    game = dataclasses.replace(bilinear(optax.sgd(0.5)), ema={"x": lambda step: jnp.where(step < 1, 0.0, 1.0)})
    state = game.init(jax.random.key(0))
    state, _ = game.step(state, ONE)
    first = float(state.params["x"]["value"])
    state, _ = game.step(state, ONE)
    assert float(state.ema["x"]["params"]["value"]) == first != float(state.params["x"]["value"])


def test_an_optimizer_with_extra_arguments_receives_the_terms():
    def update(updates, state, params=None, *, value, terms, **_):
        return jax.tree.map(lambda g: jnp.where(terms["xy"] > 0.5, 0 * g, g), updates), state

    pausing = optax.chain(optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), update), optax.sgd(0.1))
    game = bilinear(pausing)
    after, _ = game.step(game.init(jax.random.key(0)), ONE)
    assert float(after.params["x"]["value"]) == 1.0  # the term of this player is 1 > 0.5, so its optimizer pauses
    assert float(after.params["y"]["value"]) == pytest.approx(1.1)


@pytest.mark.integration
def test_functions_use_the_moving_averages_by_default():
    game = games.dcgan_game()
    state, _ = jax.jit(game.step)(game.init(jax.random.key(0)), games.images(8))
    z = jax.random.normal(jax.random.key(1), (3, 4))
    averaged, current = game.functions(state).g(z), game.functions(state, ema=False).g(z)
    assert averaged.shape == (3, 8, 8, 1)
    assert not np.allclose(averaged, current, rtol=1e-6, atol=0)
    # With train=False, a generated image does not depend on the other images of the batch.
    np.testing.assert_allclose(game.functions(state).g(z[:1])[0], averaged[0], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: {"players": {**g.players, "d": dataclasses.replace(g.players["d"], owns=("e",))}},
         r"Player 'd' owns 'e', but no network has this name. The networks are 'g', 'd'."),
        (lambda g: {"players": {**g.players, "d": dataclasses.replace(g.players["d"], owns=("g", "d"))},
                    "turns": (("d", "g"),)}, r"several players \('d', 'g'\) own network 'g'.*into separate turns"),
        (lambda g: {"turns": (("d",), ("h",))}, "`turns` contains 'h', but no player has this name. The players are 'd', 'g'."),
        (lambda g: {"turns": ("d", "g")}, r"Each item of `turns` must be a tuple .*, got the string 'd'. Write \(\('d',\), \('g',\)\) instead"),
        (lambda g: {"turns": "dg"}, r"`turns` must be a tuple of tuples of players' names, such as \(\('d',\), \('g',\)\), got 'dg'"),
        (lambda g: {"turns": (("d",), 1)}, r"Each item of `turns` must be a tuple of players' names, such as \('d',\), got 1"),
        (lambda g: {"nets": {**g.nets, "g": g.nets["g"].module}},
         r"`nets` must map names to objects of the class Net, got Generator for 'g'. For example, write \{'g': Net\(Generator"),
        (lambda g: {"nets": tuple(g.nets)}, "`nets` must map names to objects of the class Net, got tuple. For example"),
        (lambda g: {"players": list(g.players.values())}, "`players` must map names to objects of the class Player, got list. For"),
        (lambda g: {"players": {**g.players, "d": lambda *_: 0}}, "`players` must map names to .* Player, got function for 'd'"),
        (lambda g: {"ema": 0.99}, r"`ema` must map names of networks to decays, got 0\.99. For example, write ema=\{'g': 0\.99\}"),
        (lambda g: {"ema": {"g": 99}}, "`ema` of network 'g' must be between 0 and 1, got 99. It is the weight of the old average"),
        (lambda g: {"ema": {"g": np.float32(-1)}}, "`ema` of network 'g' must be between 0 and 1"),
        (lambda g: {"ema": {"g": float("nan")}}, "`ema` of network 'g' must be between 0 and 1, got nan"),
        (lambda g: {"ema": {"g": "0.9"}}, r"`ema` of network 'g' must be a number between 0 and 1, or a function of the step, got '0\.9'"),
        (lambda g: {"players": {**g.players, "g": dataclasses.replace(g.players["g"], loss=0.5)}},
         r"The `loss` of player 'g' must be a function \(nets, batch, keys, step\), got 0\.5"),
        (lambda g: {"turns": (("d",),)}, "Player 'g' has no turn. Add it to `turns`"),
        (lambda g: {"ema": {"q": 0.9}}, "`ema` contains 'q', but no network has this name"),
    ],
)  # fmt: skip
def test_invalid_arguments_of_a_game_are_refused(change, message):
    game = games.dcgan_game()
    with pytest.raises((TypeError, ValueError), match=message):
        dataclasses.replace(game, **change(game))


@pytest.mark.parametrize(
    ("owns", "optimizer", "error", "message"),
    [
        ("d", optax.sgd(0.1), TypeError, r"`owns` must be a tuple .*, got the string 'd'. Write \('d',\) instead"),
        (None, optax.sgd(0.1), TypeError, r"`owns` must be a tuple .*, such as \('d',\), got None"),
        ((1,), optax.sgd(0.1), TypeError, r"`owns` must be a tuple .*, such as \('d',\), got \(1,\)"),
        ((), optax.sgd(0.1), ValueError, r"`owns` must be a tuple with the name of at least one network, got \(\)"),
        (("d",), 2e-4, TypeError, r"`optimizer` must be .*, got 0\.0002. If this is the learning rate, write optax.adam\(0\.0002\)"),
        (("d",), optax.adam, TypeError, r"`optimizer` must be .*, got the function adam. Call the function: adam\(learning_rate\)"),
        (("d",), None, TypeError, r"`optimizer` must be an optax gradient transformation, such as optax.adam\(2e-4\), got None"),
    ],
)  # fmt: skip
def test_invalid_arguments_of_a_player_are_refused(owns, optimizer, error, message):
    with pytest.raises(error, match=message):
        Player(owns, lambda nets, batch, keys, step: total(a=1.0), optimizer)


def test_the_decay_of_a_moving_average_can_be_traced():
    game = dataclasses.replace(bilinear(optax.sgd(0.5)), ema={"x": 0.25})
    state = game.init(jax.random.key(0))

    def averaged(decay):
        return dataclasses.replace(game, ema={"x": decay}).step(state, ONE)[0].ema

    chex.assert_trees_all_close(jax.jit(averaged)(0.25), averaged(0.25))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda nets, b, k, s: losses.hinge_generator(nets.d(nets.g(latents(k, 4)))), TypeError,
         r"The loss of player 'g' must return the result of jaxgan.total, got float32\[8\].*jaxgan.total\(g_loss=...\)"),
        (lambda nets, b, k, s: (total(a=1.0), {}), TypeError, r"The loss of player 'g' must return the result of jaxgan.total, got tuple"),
        (lambda nets, b, k, s: total(loss=1.0), ValueError, r"The name 'loss' in jaxgan.total is already used"),
        (lambda nets, b, k, s: total(a=1.0, metrics={"a": 1.0}), ValueError, r"The name 'a' in jaxgan.total is already used"),
        (lambda nets, b, k, s: total(a="x"), TypeError, r"The term 'a' of jaxgan.total must be a scalar or an array \[B\], got an object of type str"),
        (lambda nets, b, k, s: total(a=nets.q(b)), AttributeError, "no network 'q'. Its networks are 'g', 'd'."),
        (lambda nets, b, k, s: total(a=0.0, stats={"q": {}}), ValueError, "The loss of player 'g' returns stats of 'q'"),
        (lambda nets, b, k, s: total(a=0.0, stats={"g": {"pool": {}}}), ValueError,
         "The stats of network 'g' that the loss of player 'g' returns contain 'pool', but no collection has this name"),
        (lambda nets, b, k, s: total(a=losses.hinge_generator(nets.d(b)[:, None])), ValueError, "one value per example"),
    ],
)  # fmt: skip
def test_invalid_losses_are_refused_at_the_first_trace(loss, error, message):
    game = games.dcgan_game()
    game = dataclasses.replace(game, players={"g": Player(("g",), loss, optax.sgd(0.1))}, turns=(("g",),))
    with pytest.raises(error, match=message):
        jax.eval_shape(game.step, jax.eval_shape(game.init, jax.random.key(0)), games.images(8))


def test_a_loss_with_three_arguments_is_refused():
    game = games.points_game()
    player = Player(("g",), lambda nets, batch, keys: total(a=1.0), optax.sgd(0.1))  # pyright: ignore[reportArgumentType]
    message = r"The `loss` of player 'g' must accept four arguments, \(nets, batch, keys, step\), got <lambda>"
    with pytest.raises(TypeError, match=message):
        dataclasses.replace(game, players={**game.players, "g": player})


def test_an_error_about_a_uint8_batch_names_the_network_and_the_player():
    game = games.points_game()
    batch = np.zeros((8, 2), np.uint8)
    with pytest.raises(TypeError, match=r"Network 'd': the input `x` is uint8\[8, 2\], integers from 0") as error:
        jax.eval_shape(game.step, jax.eval_shape(game.init, jax.random.key(0)), batch)
    assert "The error occurred in the loss of player 'd'." in error.value.__notes__


def test_an_error_in_a_loss_names_the_network_and_the_player():
    game = games.points_game()
    with pytest.raises(flax.errors.ScopeParamShapeError) as error:
        jax.eval_shape(game.step, jax.eval_shape(game.init, jax.random.key(0)), np.zeros((8, 3), np.float32))
    notes = [note for note in error.value.__notes__ if note.startswith("The error occurred in ")]
    assert len(notes) == 2 and notes[1] == "The error occurred in the loss of player 'd'."
    assert notes[0].startswith(
        "The error occurred in network 'd', which was called with float32[8, 3], but declared with float32[1, 2]. Pass"
    )


def test_an_error_in_initialisation_names_the_network():
    game = games.dcgan_game()
    nets = {**game.nets, "d": Net(game.nets["d"].module, jnp.zeros((8, 8)))}
    with pytest.raises(Exception, match=r"occurred in the initialisation of network 'd' with float32\[8, 8\]\."):
        dataclasses.replace(game, nets=nets).init(jax.random.key(0))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (
            games.images(7),
            r"7 examples per device, but a step splits them into 5 slices of equal size. Use 5 examples, or another",
        ),
        ({"a": games.images(5), "b": games.images(10)}, "first axis of every array in `batch` must be .* examples"),
        (games.images(0), "0 examples per device"),
    ],
)
def test_batches_that_cannot_be_split_evenly_are_refused(batch, message):
    game = games.dcgan_game(critic_turns=5)
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(game.step, jax.eval_shape(game.init, jax.random.key(0)), batch)


@pytest.mark.integration
def test_two_players_of_a_turn_cannot_both_return_stats_of_the_same_network():
    game = games.dcgan_game()
    stats = jax.jit(game.init)(jax.random.key(0)).stats["g"]
    players = {
        **game.players,
        "d": Player(("d",), lambda n, b, k, s: total(a=0.0, stats={"g": stats, "d": n.d.stats}), optax.sgd(1)),
    }
    game = dataclasses.replace(game, players=players, turns=(("d", "g"),))
    with pytest.raises(ValueError, match="The losses of two players of one turn return stats of network 'g'"):
        jax.eval_shape(game.step, jax.eval_shape(game.init, jax.random.key(0)), games.images(8))


@pytest.mark.integration
def test_accumulation_over_micro_batches_is_equal_to_the_full_batch():
    whole, parts = games.dcgan_game(norm="none"), games.dcgan_game(norm="none", gradient=accumulate(4))
    # The generator's BatchNorm depends on the batch, so only the turns of the discriminator can be equal.
    games_of_d = [dataclasses.replace(g, players={"d": g.players["d"]}, turns=(("d",),)) for g in (whole, parts)]
    frozen = [
        dataclasses.replace(g, players={"d": dataclasses.replace(g.players["d"], loss=no_batch_norm)})
        for g in games_of_d
    ]
    before, batch = jax.jit(whole.init)(jax.random.key(0)), games.images(16)
    before = before.replace(opt_states={"d": before.opt_states["d"]})
    (expected, logged), (state, accumulated) = (jax.jit(g.step)(before, batch) for g in frozen)
    assert games.change(before, expected, state) < 1e-5
    for name, value in logged.items():
        np.testing.assert_allclose(accumulated[name], value, rtol=1e-4, err_msg=name)


def no_batch_norm(nets, real, keys, step):
    noise = latents(keys, 64).reshape(-1, 8, 8, 1)
    return total(hinge=losses.hinge_discriminator(nets.d(real), nets.d(noise)), r1=losses.r1(nets.d, real))


@pytest.mark.integration
def test_batch_norm_statistics_are_averaged_over_micro_batches():
    game = games.dcgan_game(gradient=accumulate(2))
    state, batch = jax.jit(game.init)(jax.random.key(0)), games.images(8)
    after, _ = jax.jit(game.step)(state, batch)
    halves = [game.functions(state, train=True, ema=False).d.with_stats(half)[1] for half in (batch[:4], batch[4:])]
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *halves)
    chex.assert_trees_all_close(after.stats["d"], mean, rtol=1e-4, atol=1e-6)


def test_invalid_numbers_of_micro_batches_are_refused():
    game = games.dcgan_game(gradient=accumulate(3))
    with pytest.raises(
        ValueError, match=r"A turn has 8 examples per device.* into 3 micro-batches\. Use 6 examples per"
    ):
        jax.eval_shape(game.step, jax.eval_shape(game.init, jax.random.key(0)), games.images(8))
    with pytest.raises(ValueError, match=r"^`n`, the number of micro-batches, must be at least 1, got 0"):
        accumulate(0)


def test_a_network_without_an_owner_is_not_changed():
    game = bilinear(optax.sgd(0.1))
    game = dataclasses.replace(game, players={"min": game.players["min"]}, turns=(("min",),))
    before = game.init(jax.random.key(0))
    after, _ = game.step(before, ONE)
    assert float(after.params["y"]["value"]) == 1.0


@pytest.mark.integration
def test_with_variables_replaces_weights_statistics_and_averages():
    game = games.dcgan_game()
    state, _ = jax.jit(game.step)(game.init(jax.random.key(0)), games.images(8))
    other = jax.jit(game.init)(jax.random.key(1))
    variables = {"g": {"params": other.params["g"], **other.stats["g"]}}
    found = game.with_variables(state, variables)
    chex.assert_trees_all_equal(found.params["g"], other.params["g"])
    chex.assert_trees_all_equal(found.ema["g"], {"params": other.params["g"], **other.stats["g"]})
    chex.assert_trees_all_equal(found.stats["g"], other.stats["g"])
    for part in ("params", "stats"):
        chex.assert_trees_all_equal(getattr(found, part)["d"], getattr(state, part)["d"])
    chex.assert_trees_all_equal(found.opt_states, state.opt_states)
    z = jax.random.normal(jax.random.key(2), (3, 4))
    np.testing.assert_array_equal(game.functions(found).g(z), game.functions(other).g(z))
    assert jax.tree.structure(found) == jax.tree.structure(state)


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (8, 3)], ids=["wrong size", "wrong channels"])
def test_an_error_about_wrong_input_shapes_names_both_shapes(size, channels):
    game = games.dcgan_game()
    with pytest.raises(Exception) as error:
        jax.eval_shape(
            game.step, jax.eval_shape(game.init, jax.random.key(0)), np.zeros((4, size, size, channels), np.float32)
        )
    notes = " ".join(error.value.__notes__)
    assert (
        f"The error occurred in network 'd', which was called with float32[4, {size}, {size}, {channels}], but "
        "declared with float32[1, 8, 8, 1]."
    ) in notes


@pytest.mark.parametrize("trace", [jax.jit, lambda step: step], ids=["traced", "not traced"])
def test_a_loss_that_reads_a_name_from_an_array_gets_an_explanation(trace):
    game = games.points_experiment().game
    with pytest.raises((TypeError, IndexError)) as error:
        trace(game.step)(game.init(jax.random.key(0)), games.points(8))
    expected = "`batch` is the array float32[8, 2], not a mapping. If the loss reads batch['image'], call step(state, {"
    assert any(text.startswith(expected) for text in error.value.__notes__)
