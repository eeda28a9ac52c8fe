"""Tests of nnx modules as networks: their variables by collection, purity, dropout and constants."""

import itertools
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxgan import Game, Net, Player, total
from jaxgan.core.modules import CONSTANTS
from jaxgan.core.networks import Function

X = jnp.ones((4, 3))


class Everything(nnx.Module):
    """A module with every kind of attribute that an nnx module can have."""

    def __init__(self, *, rngs):
        self.blocks = nnx.Sequential(nnx.Linear(3, 3, rngs=rngs), nnx.relu, nnx.Linear(3, 3, rngs=rngs))
        self.spectral = nnx.SpectralNorm(nnx.Linear(3, 3, rngs=rngs), rngs=rngs)
        self.scale = jnp.arange(1.0, 4.0)
        self.shift = np.float32([4.0, 5.0, 6.0])
        self.calls = nnx.Cache(jnp.float32(0))
        self.rngs = rngs

    def __call__(self, x):
        self.calls[...] += 1
        x = x * self.scale[None] + jnp.asarray(self.shift)[None]
        self.sow(nnx.Intermediate, "seen", x)
        return self.spectral(self.blocks(x))


def function(make, train=True):
    net = Net(make, X)
    stats = net.init(jax.random.key(0))
    return Function(stats.pop("params", {}), stats, net, train)


def shapes(tree):
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): x.shape for path, x in jax.tree.leaves_with_path(tree)
    }


def test_the_class_of_a_variable_determines_its_collection():
    f = function(Everything)
    assert shapes(f.params) == {
        **{f"blocks/layers/{i}/{name}": shape for i in (0, 2) for name, shape in (("kernel", (3, 3)), ("bias", (3,)))},
        "spectral/layer_instance/kernel": (3, 3),
        "spectral/layer_instance/bias": (3,),
    }
    assert shapes(f.stats) == {
        "Cache/calls": (),
        "batch_stats/spectral/batch_stats/kernel_u": (1, 3),
        "batch_stats/spectral/batch_stats/kernel_sigma": (),
        "constants/scale": (3,),
        "constants/shift": (3,),
    }
    np.testing.assert_array_equal(f.stats[CONSTANTS]["scale"], [1, 2, 3])
    np.testing.assert_array_equal(f.stats[CONSTANTS]["shift"], [4, 5, 6])


def test_the_output_is_equal_to_the_output_of_the_module():
    f, module = function(Everything), Everything(rngs=nnx.Rngs(jax.random.key(0)))
    np.testing.assert_allclose(f(X), module(X), rtol=1e-6)


def test_a_call_has_no_side_effects_and_with_stats_returns_the_changes():
    f = function(Everything)
    np.testing.assert_array_equal(f(X), f(X))
    _, stats = f.with_stats(X)
    assert jax.tree.structure(stats) == jax.tree.structure(f.stats)
    assert (f.stats["Cache"]["calls"], stats["Cache"]["calls"]) == (0, 1)
    u = stats["batch_stats"]["spectral"]["batch_stats"]["kernel_u"]
    assert (u != f.stats["batch_stats"]["spectral"]["batch_stats"]["kernel_u"]).any()
    assert f.replace(stats=stats).with_stats(X)[1]["Cache"]["calls"] == 2
    assert function(Everything, train=False).with_stats(X)[1] == {}


def test_an_nnx_network_is_pure_under_nested_transformations():
    f = function(Everything)

    def penalty(params, x):
        return jnp.square(jax.grad(lambda x: f.replace(params=params)(x).sum())(x)).sum()

    gradient = jax.jit(jax.grad(penalty))(f.params, X)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(gradient))
    assert (gradient["spectral"]["layer_instance"]["kernel"] != 0).any()
    np.testing.assert_allclose(jax.vmap(lambda x: f(x[None])[0])(X), f(X), rtol=1e-5)
    np.testing.assert_allclose(jax.checkpoint(lambda x: f(x))(X), f(X), rtol=1e-6)


class Noisy(nnx.Module):
    """A module with two stacked dropout layers, each with its own random stream, and two other dropout layers."""

    def __init__(self, *, rngs):
        @nnx.split_rngs(splits=2)
        @nnx.vmap
        def stacked(rngs):
            return nnx.Dropout(0.5, rngs=rngs)

        self.stacked = stacked(rngs)
        self.first = nnx.Dropout(0.5, rngs=rngs)
        self.second = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        both = nnx.vmap(lambda layer, x: layer(x), in_axes=(0, None))(self.stacked, x)
        return jnp.stack([*both, self.first(x), self.second(x)])


def test_each_dropout_layer_draws_different_masks():
    f = function(Noisy)
    keys = jax.random.split(jax.random.key(1), 100)
    masks = np.asarray(f(jnp.ones((100, 3)), keys=keys))
    assert set(np.unique(masks)) == {0, 2}
    for a, b in itertools.combinations(range(4), 2):
        assert 0.3 < (masks[a] == masks[b]).mean() < 0.7
    assert shapes((f.params, f.stats)) == {}  # random keys are not part of the state


class Scaled(nnx.Module):
    """A module with a linear layer and an array that is neither a parameter nor a moving statistic."""

    def __init__(self, *, rngs):
        self.out = nnx.Linear(3, 1, rngs=rngs)
        self.scale = jnp.full((1, 3), 2.0)

    def __call__(self, x):
        return self.out(x * self.scale)[:, 0]


def test_a_loss_does_not_have_to_return_constants():
    def loss(nets, batch, keys, step):
        return total(square=jnp.square(nets.x(batch)))

    game = Game({"x": Net(Scaled, X)}, {"x": Player(("x",), loss, optax.sgd(0.1))}, (("x",),))
    before = game.init(jax.random.key(0))
    after, _ = jax.jit(game.step)(before, X)  # a warning about moving statistics that never change would be an error
    np.testing.assert_array_equal(after.stats["x"][CONSTANTS]["scale"], [[2, 2, 2]])
    assert (after.params["x"]["out"]["kernel"] != before.params["x"]["out"]["kernel"]).any()


def test_nnx_is_imported_only_if_a_network_needs_it():
    code = "import sys, jax.numpy as jnp, flax.linen as nn; from jaxgan import Net; Net(nn.Dense(2), jnp.zeros((1, 2))); print('flax.nnx' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert result.stdout == "False\n", result.stderr
