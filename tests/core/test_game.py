"""The game's rules."""

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
def test_the_bilinear_games_radius_grows_as_theory_says(eta):
    """Simultaneous gradient descent multiplies the radius by sqrt(1 + eta^2) each step."""
    game = bilinear(optax.sgd(eta))
    state, step = game.init(jax.random.key(0)), jax.jit(game.step)
    for k in range(1, 21):
        state, _ = step(state, ONE)
        radius = math.hypot(float(state.params["x"]["value"]), float(state.params["y"]["value"]))
        assert radius == pytest.approx(math.sqrt(2) * (1 + eta**2) ** (k / 2), rel=1e-6)


def test_alternating_turns_keep_the_bilinear_games_radius_bounded():
    """Alternating descent is symplectic here: it circles, and does not grow (Gidel et al. 2019, theorem 4)."""
    game = bilinear(optax.sgd(0.5), turns=(("min",), ("max",)))
    state, step = game.init(jax.random.key(0)), jax.jit(game.step)
    for _ in range(100):
        state, _ = step(state, ONE)
    assert math.hypot(float(state.params["x"]["value"]), float(state.params["y"]["value"])) < 2.5


@pytest.mark.integration
def test_a_turn_moves_what_its_player_owns_and_nothing_else():
    game = games.dcgan_game()
    only_d = dataclasses.replace(game, players={"d": game.players["d"]}, turns=(("d",),), ema={})
    before = only_d.init(jax.random.key(0))
    after, _ = jax.jit(only_d.step)(before, games.images(8))
    chex.assert_trees_all_equal(after.params["g"], before.params["g"])
    chex.assert_trees_all_equal(after.stats["g"], before.stats["g"])
    for layer in ("down_0", "down_1", "logit"):
        assert (after.params["d"][layer]["kernel"] != before.params["d"][layer]["kernel"]).any()


def test_players_of_one_turn_see_the_state_before_it():
    """Simultaneous and alternating steps differ by exactly the second player's view."""
    eta = 0.1
    both, one_by_one = bilinear(optax.sgd(eta)), bilinear(optax.sgd(eta), turns=(("min",), ("max",)))
    together, _ = both.step(both.init(jax.random.key(0)), ONE)
    in_turn, _ = one_by_one.step(one_by_one.init(jax.random.key(0)), ONE)
    assert float(together.params["y"]["value"]) == pytest.approx(1 + eta)
    assert float(in_turn.params["y"]["value"]) == pytest.approx(1 + eta * (1 - eta))


def probe(turns):
    """A game whose losses log what they see."""

    def loss(nets, batch, keys, step):
        first = jax.random.uniform(keys[0])
        return total(zero=0.0 * nets.x(), metrics={"batch": batch, "key": first, "keys": jnp.float32(len(keys))})

    return Game(
        nets={"x": Net(Scalar(1.0)), "y": Net(Scalar(1.0))},
        players={"a": Player(("x",), loss, optax.sgd(0.1)), "b": Player(("y",), lambda *a: loss(*a), optax.sgd(0.1))},
        turns=turns,
    )


def test_first_turns_share_keys_and_slice_and_later_turns_have_their_own():
    batch = np.array([0, 1, 0, 1, 0, 1], np.float32)  # strided: slice 0 is zeros, slice 1 is ones
    game = probe((("a",), ("b",), ("a",)))
    assert game.batch_multiple == 2
    _, metrics = game.step(game.init(jax.random.key(0)), batch)
    assert float(metrics["b/batch"]) == 0  # b's only turn sees slice 0
    assert float(metrics["a/batch"]) == 0.5  # the mean over slices 0 and 1
    assert float(metrics["a/keys"]) == 3
    one_turn = probe((("a",), ("b",)))
    _, single = one_turn.step(one_turn.init(jax.random.key(0)), batch[::2])
    assert float(single["a/key"]) == float(single["b/key"]) == float(metrics["b/key"])
    assert float(metrics["a/key"]) != float(metrics["b/key"])  # its second turn draws anew


def test_keys_are_folded_from_state_step_turn_and_place():
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
def test_a_lazy_term_counts_n_times_on_the_steps_that_n_divides():
    every, lazy = games.dcgan_game(), games.dcgan_game(lazy=3)
    state, batch = every.init(jax.random.key(0)), games.images(8)
    _, now = jax.jit(every.step)(state, batch)
    step = jax.jit(lazy.step)
    for number in range(4):
        _, metrics = step(state.replace(step=jnp.int32(number)), batch)
        assert bool(metrics["d/r1"].due) == (number % 3 == 0)
        # The draws differ from step to step, R1 does not: it is of the reals alone.
        assert float(metrics["d/r1"]) == pytest.approx(0.0 if number % 3 else 3 * float(now["d/r1"]), rel=1e-5)


@pytest.mark.filterwarnings("ignore:player")
def test_statistics_that_a_player_drops_are_named():
    game = games.dcgan_game()
    dropped = dataclasses.replace(
        game.players["g"],
        loss=lambda nets, real, keys, step: total(h=losses.hinge_generator(nets.d(nets.g(latents(keys, 4))))),
    )
    game = dataclasses.replace(game, players={**game.players, "g": dropped})
    with pytest.warns(
        UserWarning, match=r"player 'g' owns network 'g' and drops its moving statistics \('batch_stats'\)"
    ):
        jax.eval_shape(game.step, game.init(jax.random.key(0)), games.images(8))


@pytest.mark.integration
def test_stats_are_merged_over_the_old_ones():
    game = games.dcgan_game()
    before = game.init(jax.random.key(0))
    after, _ = jax.jit(game.step)(before, games.images(8))
    changed = jax.tree.map(lambda a, b: bool((a != b).all()), after.stats, before.stats)
    assert all(jax.tree.leaves(changed))
    assert jax.tree.structure(after) == jax.tree.structure(before)


@pytest.mark.integration
def test_the_average_follows_and_never_aliases():
    game = games.dcgan_game()
    state = game.init(jax.random.key(0))
    pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves((state.params["g"], state.stats["g"]))]
    assert not set(pointers) & {x.unsafe_buffer_pointer() for x in jax.tree.leaves(state.ema)}
    first = jax.tree.map(np.array, state.ema["g"]["params"])
    state, _ = jax.jit(game.step, donate_argnums=0)(state, games.images(8))  # raises if a buffer is donated twice
    expected = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, first, state.params["g"])
    chex.assert_trees_all_close(state.ema["g"]["params"], expected, rtol=1e-5, atol=1e-8)
    assert set(state.ema["g"]) == {"params", "batch_stats"}


def test_the_averages_decay_may_depend_on_the_step():
    game = dataclasses.replace(bilinear(optax.sgd(0.5)), ema={"x": lambda step: jnp.where(step < 1, 0.0, 1.0)})
    state = game.init(jax.random.key(0))
    state, _ = game.step(state, ONE)
    first = float(state.params["x"]["value"])
    state, _ = game.step(state, ONE)
    assert float(state.ema["x"]["params"]["value"]) == first != float(state.params["x"]["value"])


def test_an_optimizer_that_asks_gets_the_terms():
    def update(updates, state, params=None, *, value, terms, **_):
        return jax.tree.map(lambda g: jnp.where(terms["xy"] > 0.5, 0 * g, g), updates), state

    pausing = optax.chain(optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), update), optax.sgd(0.1))
    game = bilinear(pausing)
    after, _ = game.step(game.init(jax.random.key(0)), ONE)
    assert float(after.params["x"]["value"]) == 1.0  # its term is 1 > 0.5: paused
    assert float(after.params["y"]["value"]) == pytest.approx(1.1)


@pytest.mark.integration
def test_functions_of_a_state_use_the_averages():
    game = games.dcgan_game()
    state, _ = jax.jit(game.step)(game.init(jax.random.key(0)), games.images(8))
    z = jax.random.normal(jax.random.key(1), (3, 4))
    averaged, current = game.functions(state).g(z), game.functions(state, ema=False).g(z)
    assert averaged.shape == (3, 8, 8, 1)
    assert not np.allclose(averaged, current, rtol=1e-6, atol=0)
    # With train=False an image does not depend on its batch.
    np.testing.assert_allclose(game.functions(state).g(z[:1])[0], averaged[0], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: {"players": {**g.players, "d": dataclasses.replace(g.players["d"], owns=("e",))}},
         r"player 'd' owns 'e', which is no network of the game. It has 'g', 'd'."),
        (lambda g: {"players": {**g.players, "d": dataclasses.replace(g.players["d"], owns=("g", "d"))},
                    "turns": (("d", "g"),)}, r"'d', 'g' all move network 'g' in the turn .*turns of their own"),
        (lambda g: {"turns": (("d",), ("h",))}, "`turns` names 'h', which is no player of the game. It has 'd', 'g'."),
        (lambda g: {"turns": ("d", "g")}, r"`turns` must hold tuples of players' names, got the string 'd'. Write \(\('d',\), \('g',\)\) instead"),
        (lambda g: {"turns": "dg"}, r"`turns` must be a tuple of tuples of players' names, such as \(\('d',\), \('g',\)\), got 'dg'"),
        (lambda g: {"turns": (("d",), 1)}, r"`turns` must hold tuples of players' names, such as \('d',\), got 1"),
        (lambda g: {"nets": {**g.nets, "g": g.nets["g"].module}},
         r"`nets` must map names to objects of the class Net, got Generator for 'g'. Write for instance \{'g': Net\(Generator"),
        (lambda g: {"nets": tuple(g.nets)}, "`nets` must map names to objects of the class Net, got tuple. Write"),
        (lambda g: {"players": list(g.players.values())}, "`players` must map names to objects of the class Player, got list. Write"),
        (lambda g: {"players": {**g.players, "d": lambda *_: 0}}, "`players` must map names to .* Player, got function for 'd'"),
        (lambda g: {"ema": 0.99}, r"`ema` must map names of networks to decays, got 0\.99. Write ema=\{'g': 0\.99\}"),
        (lambda g: {"ema": {"g": 99}}, "`ema` of network 'g' must be from 0 to 1, got 99. It is the weight of the old average"),
        (lambda g: {"ema": {"g": np.float32(-1)}}, "`ema` of network 'g' must be from 0 to 1"),
        (lambda g: {"ema": {"g": float("nan")}}, "`ema` of network 'g' must be from 0 to 1, got nan"),
        (lambda g: {"ema": {"g": "0.9"}}, r"`ema` of network 'g' must be a number from 0 to 1, or a function of the step, got '0\.9'"),
        (lambda g: {"players": {**g.players, "g": dataclasses.replace(g.players["g"], loss=0.5)}},
         r"player 'g': `loss` must be a function \(nets, batch, keys, step\), got 0\.5"),
        (lambda g: {"turns": (("d",),)}, "player 'g' never has a turn"),
        (lambda g: {"ema": {"q": 0.9}}, "`ema` names 'q', which is no network"),
    ],
)  # fmt: skip
def test_wrong_wiring_is_refused_at_construction(change, message):
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
        (("d",), 2e-4, TypeError, r"`optimizer` must be an optax transformation, .*, got 0\.0002. Write optax.adam\(0\.0002\) if"),
        (("d",), optax.adam, TypeError, r"`optimizer` must be .*, got the function adam. Call it: adam\(learning_rate\)"),
        (("d",), None, TypeError, r"`optimizer` must be an optax transformation, such as optax.adam\(2e-4\), got None"),
    ],
)  # fmt: skip
def test_a_player_of_wrong_parts_is_refused_at_construction(owns, optimizer, error, message):
    with pytest.raises(error, match=message):
        Player(owns, lambda nets, batch, keys, step: total(a=1.0), optimizer)


def test_a_decay_may_be_traced():
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
         r"player 'g': the loss must return a total, got float32\[8\].*jaxgan.total\(g_loss=...\)"),
        (lambda nets, b, k, s: (total(a=1.0), {}), TypeError, r"player 'g': the loss must return a total, got tuple. Name what is"),
        (lambda nets, b, k, s: total(loss=1.0), ValueError, r"total\(loss=...\): the name 'loss' is taken"),
        (lambda nets, b, k, s: total(a=1.0, metrics={"a": 1.0}), ValueError, r"total\(a=...\): the name 'a' is taken"),
        (lambda nets, b, k, s: total(a="x"), TypeError, r"total\(a=...\) must be a scalar or an array \[B\], got a str"),
        (lambda nets, b, k, s: total(a=nets.q(b)), AttributeError, "no network 'q'. It has 'g', 'd'."),
        (lambda nets, b, k, s: total(a=0.0, stats={"q": {}}), ValueError, "player 'g' returns stats of 'q'"),
        (lambda nets, b, k, s: total(a=0.0, stats={"g": {"pool": {}}}), ValueError, "stats of 'g': 'pool', which is no collection"),
        (lambda nets, b, k, s: total(a=losses.hinge_generator(nets.d(b)[:, None])), ValueError, "one value per example"),
    ],
)  # fmt: skip
def test_wrong_losses_are_refused_at_the_first_trace(loss, error, message):
    game = games.dcgan_game()
    game = dataclasses.replace(game, players={**game.players, "g": Player(("g",), loss, optax.sgd(0.1))})
    with pytest.raises(error, match=message):
        jax.eval_shape(game.step, game.init(jax.random.key(0)), games.images(8))


def test_a_loss_of_three_arguments_is_refused_at_construction():
    game = games.points_game()
    player = Player(("g",), lambda nets, batch, keys: total(a=1.0), optax.sgd(0.1))  # pyright: ignore[reportArgumentType]
    message = r"player 'g': `loss` is called with four arguments, \(nets, batch, keys, step\), got <lambda>"
    with pytest.raises(TypeError, match=message):
        dataclasses.replace(game, players={**game.players, "g": player})


def test_bytes_in_a_batch_are_named_with_network_and_player():
    game = games.points_game()
    batch = np.zeros((8, 2), np.uint8)
    with pytest.raises(TypeError, match=r"network 'd': `x` is uint8\[8, 2\], bytes from 0 to 255") as error:
        jax.eval_shape(game.step, game.init(jax.random.key(0)), batch)
    assert "In the loss of player 'd'." in error.value.__notes__


def test_an_error_within_a_loss_says_which_player_and_network_it_was():
    game = games.points_game()
    with pytest.raises(flax.errors.ScopeParamShapeError) as error:
        jax.eval_shape(game.step, game.init(jax.random.key(0)), np.zeros((8, 3), np.float32))
    notes = [note for note in error.value.__notes__ if note.startswith("In ")]
    assert len(notes) == 2 and notes[1] == "In the loss of player 'd'."
    assert notes[0].startswith("In network 'd', called with float32[8, 3], which was declared with float32[1, 2]. Give")


def test_an_error_in_initialisation_says_which_network_it_was():
    game = games.dcgan_game()
    nets = {**game.nets, "d": Net(game.nets["d"].module, jnp.zeros((8, 8)))}
    with pytest.raises(Exception, match="In the initialisation of network 'd', with float32\\[8, 8\\]"):
        dataclasses.replace(game, nets=nets).init(jax.random.key(0))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (
            games.images(7),
            r"7 examples per device, which cannot be split into the 5 slices of a step. Give 5, or another multiple of 5",
        ),
        ({"a": games.images(5), "b": games.images(10)}, "every array must have the examples first"),
        (games.images(0), "0 examples per device"),
    ],
)
def test_batches_that_do_not_divide_are_refused(batch, message):
    game = games.dcgan_game(critic_turns=5)
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(game.step, game.init(jax.random.key(0)), batch)


@pytest.mark.integration
def test_two_players_of_a_turn_may_not_both_return_a_networks_stats():
    game = games.dcgan_game()
    stats = game.init(jax.random.key(0)).stats["g"]
    players = {
        **game.players,
        "d": Player(("d",), lambda n, b, k, s: total(a=0.0, stats={"g": stats, "d": n.d.stats}), optax.sgd(1)),
    }
    game = dataclasses.replace(game, players=players, turns=(("d", "g"),))
    with pytest.raises(ValueError, match="Two players of one turn return stats of network 'g'"):
        jax.eval_shape(game.step, game.init(jax.random.key(0)), games.images(8))


@pytest.mark.integration
def test_accumulation_over_micro_batches_is_the_whole_batch():
    whole, parts = games.dcgan_game(norm="none"), games.dcgan_game(norm="none", gradient=accumulate(4))
    # The generator's BatchNorm looks across the batch: only the discriminator's turn can be equal.
    games_of_d = [dataclasses.replace(g, players={"d": g.players["d"]}, turns=(("d",),)) for g in (whole, parts)]
    frozen = [
        dataclasses.replace(g, players={"d": dataclasses.replace(g.players["d"], loss=no_batch_norm)})
        for g in games_of_d
    ]
    before, batch = whole.init(jax.random.key(0)), games.images(16)
    before = before.replace(opt_states={"d": before.opt_states["d"]})
    (expected, logged), (state, accumulated) = (jax.jit(g.step)(before, batch) for g in frozen)
    assert games.change(before, expected, state) < 1e-5
    for name, value in logged.items():
        np.testing.assert_allclose(accumulated[name], value, rtol=1e-4, err_msg=name)


def no_batch_norm(nets, real, keys, step):
    noise = latents(keys, 64).reshape(-1, 8, 8, 1)
    return total(hinge=losses.hinge_discriminator(nets.d(real), nets.d(noise)), r1=losses.r1(nets.d, real))


@pytest.mark.integration
def test_accumulated_statistics_are_averaged():
    game = games.dcgan_game(gradient=accumulate(2))
    state, batch = game.init(jax.random.key(0)), games.images(8)
    after, _ = jax.jit(game.step)(state, batch)
    halves = [game.functions(state, train=True, ema=False).d.with_stats(half)[1] for half in (batch[:4], batch[4:])]
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *halves)
    chex.assert_trees_all_close(after.stats["d"], mean, rtol=1e-4, atol=1e-6)


def test_micro_batches_that_do_not_divide_are_refused():
    game = games.dcgan_game(gradient=accumulate(3))
    with pytest.raises(ValueError, match=r"accumulate\(3\): a turn has 8 examples per device.*Use a batch of 6"):
        jax.eval_shape(game.step, game.init(jax.random.key(0)), games.images(8))
    with pytest.raises(ValueError, match="accumulate: `n`, the number of micro-batches, must be at least 1, got 0"):
        accumulate(0)


def test_a_network_without_an_owner_is_not_changed():
    game = bilinear(optax.sgd(0.1))
    game = dataclasses.replace(game, players={"min": game.players["min"]}, turns=(("min",),))
    before = game.init(jax.random.key(0))
    after, _ = game.step(before, ONE)
    assert float(after.params["y"]["value"]) == 1.0


@pytest.mark.integration
def test_other_weights_can_be_put_into_a_state():
    game = games.dcgan_game()
    state, _ = jax.jit(game.step)(game.init(jax.random.key(0)), games.images(8))
    other = game.init(jax.random.key(1))
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


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (8, 3)], ids=["of another size", "of other channels"])
def test_a_batch_of_other_sizes_than_declared_is_told_with_both(size, channels):
    game = games.dcgan_game()
    with pytest.raises(Exception) as error:
        jax.eval_shape(game.step, game.init(jax.random.key(0)), np.zeros((4, size, size, channels), np.float32))
    notes = " ".join(error.value.__notes__)
    assert (
        f"In network 'd', called with float32[4, {size}, {size}, {channels}], which was declared with float32[1, 8, 8, 1]"
        in notes
    )


@pytest.mark.parametrize("trace", [jax.jit, lambda step: step], ids=["traced", "not traced"])
def test_an_array_where_a_loss_reads_a_name_is_told(trace):
    game = games.points_experiment().game
    with pytest.raises((TypeError, IndexError)) as error:
        trace(game.step)(game.init(jax.random.key(0)), games.points(8))
    told = "`batch` is the array float32[8, 2], and not a mapping. If the loss reads batch['image'], give step(state, {"
    assert any(text.startswith(told) for text in error.value.__notes__)
