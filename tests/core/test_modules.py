"""Tests that linen modules, nnx modules and pairs of functions behave alike as networks, and of refused arguments."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from helpers import games, kinds

from jaxgan import Net, fold_in_keys, parallel
from jaxgan.core.modules import FunctionPair, KeysMissing, LinenNetwork, as_network, call_options, input_names
from jaxgan.core.nnx_module import NNXNetwork
from jaxgan.games.population import Population, member
from jaxgan.training.checkpoints import Checkpoints, checksums, named_leaves

POINT = jnp.zeros((1, 2))
every_kind = pytest.mark.parametrize("kind", list(kinds.KINDS))


def keys(count=8, seed=1):
    return jax.random.split(jax.random.key(seed), count)


# Tests for each of the three kinds of network


@every_kind
def test_the_state_consists_of_arrays_and_depends_only_on_the_key(kind):
    game = kinds.game_of(kind)
    states = [jax.jit(game.init)(jax.random.key(seed)) for seed in (0, 0, 1)]
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(states[0]))
    assert set(states[0].stats["g"]) == (set() if kind == "functions" else {"batch_stats"})
    chex.assert_trees_all_equal(states[0].params, states[1].params)
    for leaf, other in zip(jax.tree.leaves(states[0].params), jax.tree.leaves(states[2].params)):
        assert leaf.ndim < 2 or (leaf != other).any()  # biases are initialised with a constant


@every_kind
def test_a_step_changes_parameters_statistics_and_averages_and_compiles_once(kind):
    game = kinds.game_of(kind)
    before, traced = jax.jit(game.init)(jax.random.key(0)), 0

    @jax.jit
    def step(state, batch):
        nonlocal traced
        traced += 1
        return game.step(state, batch)

    after, _ = step(before, games.points(8))
    after, metrics = step(after, games.points(8, seed=1))
    assert traced == 1
    chex.assert_tree_all_finite(metrics)
    chex.assert_trees_all_equal_structs(before, after)
    for part in ("params", "stats", "ema"):
        for x, y in zip(jax.tree.leaves(getattr(before, part)), jax.tree.leaves(getattr(after, part))):
            # The gradient of the last bias is 0, because its effects on the real and the fake logits cancel.
            assert x.shape == (1,) or (x != y).any()


@every_kind
def test_dropout_uses_the_keys_in_training_mode_and_is_off_in_evaluation_mode(kind):
    game, x = kinds.game_of(kind), games.points(8)
    state = jax.jit(game.init)(jax.random.key(0))
    d = game.functions(state, train=True).d
    dropped = d(x, keys=keys())
    np.testing.assert_array_equal(d(x, keys=keys()), dropped)
    assert (d(x, keys=fold_in_keys(keys())) != dropped).any()
    sampling = game.functions(state).d
    np.testing.assert_array_equal(sampling(x), sampling(x, keys=keys()))
    np.testing.assert_array_equal(sampling(x), d(x, train=False))
    draws = jax.vmap(lambda key: d(x, keys=jax.random.split(key, 8)))(keys(2000))
    # No activation follows the dropout, so the mean over many masks is the output without dropout.
    np.testing.assert_allclose(draws.mean(0), sampling(x), atol=0.1)
    assert draws.std(0).mean() > 0.05


@every_kind
def test_dropout_masks_differ_from_step_to_step(kind):
    game, batch = kinds.game_of(kind, optimizer=optax.sgd(0.0)), games.points(8)
    state, step = jax.jit(game.init)(jax.random.key(0)), jax.jit(game.step)
    values, stats = [], state.stats
    for _ in range(3):
        state, metrics = step(state.replace(stats=stats), batch)
        values.append(float(metrics["d/hinge"]))
    assert len(set(values)) == 3


@every_kind
def test_a_sample_does_not_depend_on_the_other_samples_of_its_batch(kind):
    game = kinds.game_of(kind)
    state, _ = jax.jit(game.step)(jax.jit(game.init)(jax.random.key(0)), games.points(8))
    g, z = game.functions(state).g, games.points(8, seed=2)
    np.testing.assert_allclose(g(z)[:3], g(z[:3]), rtol=1e-5, atol=1e-6)
    assert g.with_stats(z)[1] == {}
    assert g.train is False


@pytest.mark.parametrize("kind", ["linen", "nnx"])
def test_batch_norm_uses_the_batch_in_training_mode_and_moving_averages_in_evaluation_mode(kind):
    game, z = kinds.game_of(kind), games.points(64)
    g = game.functions(jax.jit(game.init)(jax.random.key(0)), train=True).g
    # The moving mean is initialised with 0 and the moving variance with 1. The momentum is 0.9.
    (hidden,) = (p for p in g.params.values() if p.get("kernel", jnp.zeros(0)).shape == (2, kinds.WIDTH))
    activations = z @ hidden["kernel"] + hidden["bias"][None]
    (moved,) = g.with_stats(z)[1]["batch_stats"].values()
    np.testing.assert_allclose(moved["mean"], 0.1 * activations.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moved["var"], 0.9 + 0.1 * activations.var(0), rtol=1e-4)
    assert (g(z) != g(z, train=False)).any()


@every_kind
def test_a_checkpoint_restores_the_complete_state(kind, tmp_path):
    game = kinds.game_of(kind, optimizer=optax.adam(1e-3))
    state, _ = jax.jit(game.step)(jax.jit(game.init)(jax.random.key(0)), games.points(8))
    opened = Checkpoints(tmp_path / "checkpoints")
    opened.save(state)
    opened.wait()
    restored = opened.restore(jax.jit(game.init)(jax.random.key(5)))
    opened.close()
    assert checksums(named_leaves(restored)) == checksums(named_leaves(state))
    following = [jax.jit(game.step)(s, games.points(8))[0] for s in (state, restored)]
    assert checksums(named_leaves(following[0])) == checksums(named_leaves(following[1]))


@every_kind
def test_a_member_of_a_population_trains_as_it_would_alone(kind):
    game = kinds.game_of(kind)
    population = Population(game, 2)
    states = jax.jit(population.init)(jnp.stack([jax.random.key(i) for i in range(2)]))
    batches = np.stack([games.points(8, seed=i) for i in range(2)], axis=1)
    states, _ = jax.jit(population.step)(states, batches)
    for i in range(2):
        before = jax.jit(game.init)(jax.random.key(i))
        after, _ = jax.jit(game.step)(before, games.points(8, seed=i))
        assert games.change(before, after, member(states, i)) < 1e-5


@pytest.mark.parametrize("spread", [parallel.pmap, parallel.shard_map])
@every_kind
def test_several_devices_compute_the_same_step_as_one(kind, spread):
    """The dropout rate is 0, because the masks of flax's dropout depend on the number of devices."""
    game, on = kinds.game_of(kind, rate=0.0), parallel.devices(4)
    before, batch = jax.jit(game.init)(jax.random.key(0)), games.points(16)
    expected, state = before, parallel.replicate(before, on)
    step, shared = jax.jit(game.step), spread(game, on)
    for _ in range(3):
        expected, _ = step(expected, batch)
        state, _ = shared(state, batch)
    assert games.change(before, expected, state) < 1e-5
    for ours, theirs in zip(jax.tree.leaves(state.stats), jax.tree.leaves(expected.stats)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("spread", [parallel.pmap, parallel.shard_map])
@every_kind
def test_dropout_is_active_on_several_devices(kind, spread):
    game, on = kinds.game_of(kind, rate=0.5), parallel.devices(4)
    before, batch = jax.jit(game.init)(jax.random.key(0)), games.points(16)
    state, metrics = spread(game, on)(parallel.replicate(before, on), batch)
    alone, _ = jax.jit(game.step)(before, batch)
    dropped_nothing, _ = jax.jit(kinds.game_of(kind, rate=0.0).step)(before, batch)
    chex.assert_tree_all_finite(metrics)
    assert games.change(before, dropped_nothing, state) > 1e-2
    if kind == "functions":  # These draw masks from each example's own key, so the number of devices has no effect.
        assert games.change(before, alone, state) < 1e-5


@pytest.mark.parametrize("kind", ["linen", "nnx"])
def test_an_error_names_the_network_that_draws_random_numbers_without_keys(kind):
    game = kinds.game_of(kind)
    d = game.functions(jax.jit(game.init)(jax.random.key(0)), train=True).d
    with pytest.raises(ValueError, match=r"Network 'd' draws random numbers.*Write nets.d\(..., keys=keys\)"):
        d(games.points(8))
    with pytest.raises(KeysMissing):
        d.net.network.apply({"params": d.params}, [games.points(8)], {}, train=True, keys=None, mutable=[])


def test_parameters_have_the_names_that_each_kind_of_network_gives_them():
    params = {kind: kinds.game_of(kind).init(jax.random.key(0)).params["d"] for kind in kinds.KINDS}
    assert set(params["linen"]) == {"Dense_0", "Dense_1"}
    assert set(params["nnx"]["layers"]) == {"0", "1"} and set(params["nnx"]["layers"]["0"]) == {"kernel", "bias"}
    assert isinstance(params["functions"], list)


# Tests of the conversion of an argument to a network


class Named(nnx.Module):
    def __init__(self, features, *, rngs):
        self.out = nnx.Linear(2, features, rngs=rngs)

    def __call__(self, x, label=None, train=True):
        return self.out(x) + (0 if train else 100)

    def make(self, rngs):
        return Named(3, rngs=rngs)


def test_as_network_recognises_each_kind_of_network():
    assert isinstance(as_network(nn.Dense(2)), LinenNetwork)
    assert isinstance(as_network((kinds.init_generator, kinds.generate)), FunctionPair)
    factories = (kinds.NNXGenerator, lambda rngs: Named(3, rngs=rngs), functools.partial(Named, 3))
    for factory in factories:
        network = as_network(factory)
        assert isinstance(network, NNXNetwork) and network.given is factory
    assert as_network(factories[-1]).name == "Named"
    assert as_network([kinds.init_generator, kinds.generate]).name == "(init_generator, generate)"
    assert as_network(nn.Dense(2)) == as_network(nn.Dense(2))  # so a jitted function of equal networks compiles once


def test_train_and_keys_are_passed_to_a_call_that_accepts_them():
    network = as_network(functools.partial(Named, 3))
    assert input_names(network) == (["x"], 2)
    assert call_options(network, {"label": 1}, train=False, keys=keys()) == {"train": False, "label": 1}
    net = Net(functools.partial(Named, 3), POINT)
    params = net.init(jax.random.key(0))
    outputs = [
        net.network.apply(params, [POINT], options, train=train, keys=None, mutable=[])[0]
        for train, options in ((True, {}), (False, {}), (False, {"train": True}))
    ]
    np.testing.assert_allclose(outputs[1] - outputs[0], 100)
    np.testing.assert_array_equal(outputs[2], outputs[0])


def test_optional_inputs_require_no_example():
    assert input_names(as_network((lambda key: {}, lambda params: 0))) == ([], 0)
    assert input_names(as_network((lambda key: {}, lambda params, x, *more, train, keys: 0))) == (["x"], None)
    assert input_names(as_network((lambda key: {}, jnp.zeros_like)))[0] == []


class Torch:
    __module__ = "torch.nn.modules"


REFUSED = {
    "a linen class": (nn.Dense, r"`module` is the class Dense, not an instance of it. Write Net\(Dense\(...\), ...\)."),
    "an nnx instance": (Named(3, rngs=nnx.Rngs(0)), r"`module` is an instance of the nnx module Named. It already has parameters.*Write Net\(lambda rngs: Named\(..., rngs=rngs\)"),
    "an nnx class with more arguments": (Named, "`module` is Named, which cannot be called with `rngs` as its only argument: missing a required argument: 'features'"),
    "a bound method": (nn.Dense(2).apply, "`module` is the method `apply` of Dense. Pass the module itself."),
    "a method of an nnx module": (Named(3, rngs=nnx.Rngs(0)).make, "`module` is the method `make` of Named"),
    "a function": (kinds.generate, r"`module` is the function generate, which has no parameters to train. Write Net\(\(init, apply\), ...\)"),
    "numbers": ((1, 2), "`module` is a tuple with items of the types int, int"),
    "three functions": ((kinds.generate,) * 3, "`module` is a tuple with items of the types function, function, function"),
    "no functions": ((), "`module` is an empty tuple"),
    "a PyTorch module": (Torch(), "`module` is the PyTorch module Torch, which JAX cannot trace"),
    "a name": ("dcgan", "`module` is an object of type str. A network must be a linen module, a function `lambda rngs: ...` that creates an nnx"),
    "a function of rngs that returns a linen module": (lambda rngs: nn.Dense(2), "function of `rngs`, which must return an nnx module, got Dense"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REFUSED))
def test_an_argument_that_is_no_network_is_refused_with_a_fix(case):
    given, message = REFUSED[case]
    with pytest.raises(TypeError, match=message):
        Net(given, POINT)


def test_keys_for_functions_that_do_not_accept_keys_are_refused():
    game = kinds.game_of("functions")
    g = game.functions(jax.jit(game.init)(jax.random.key(0))).g
    with pytest.raises(TypeError, match=r"`apply` does not accept an argument `keys`. Add this argument") as error:
        g(games.points(8), keys=keys())
    assert error.value.__notes__ == ["The error occurred in network 'g', which was called with float32[8, 2]."]
