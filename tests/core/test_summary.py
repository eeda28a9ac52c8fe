"""Tests of ``Game.summary`` against numbers of parameters and operations that are computed in other ways."""

import dataclasses
import importlib
import pkgutil

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from helpers import games

import experiments
from experiments.benchmarks import flops as by_formula
from jaxgan import Game, Net, Player, total
from jaxgan.core.networks import Frozen, FrozenVariables
from jaxgan.core.summary import Layer, NetworkSummary, Summary, summarize
from jaxgan.core.wrappers import GameWrapper
from jaxgan.games.dynamics import extragradient
from jaxgan.games.population import Population
from jaxgan.models import dcgan, mlp, resnet


def game_of(module, *examples):
    """Create a game with one network."""

    def loss(nets, batch, keys, step):
        return total(size=jnp.zeros(len(keys)))

    return Game({"n": Net(module, *examples)}, {"p": Player(("n",), loss, optax.adam(0.1))}, (("p",),))


def network(module, *examples, depth=None) -> NetworkSummary:
    return summarize(game_of(module, *examples), depth=depth).networks["n"]


def test_each_layer_has_its_shape_parameters_and_operations():
    assert network(mlp.Discriminator((8,)), jnp.zeros((3, 2))).layers == (
        Layer("hidden_0", "Dense", "[3, 8]", 2 * 8 + 8, 2 * 3 * 2 * 8),
        Layer("logit", "Dense", "[3, 1]", 8 + 1, 2 * 3 * 8),
    )


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (dcgan.Generator(16, 3, 4), (2, 10)),
        (dcgan.Discriminator(4), (2, 16, 16, 3)),
        (resnet.Generator(8, 3, 4), (2, 10)),
        (resnet.Critic(4), (2, 8, 8, 3)),
    ],
    ids=["dcgan-g", "dcgan-d", "resnet-g", "resnet-d"],
)
def test_operations_agree_with_formulas_for_each_layer(module, shape):
    expected, _ = by_formula.forward(module, jax.ShapeDtypeStruct(shape, jnp.float32))
    assert network(module, jnp.zeros(shape)).flops == expected


def test_numbers_of_parameters_and_bytes_agree_with_the_state():
    game = games.dcgan_game()
    state, summary = game.init(jax.random.key(0)), game.summary()
    for name, params in state.params.items():
        assert summary.networks[name].parameters == sum(x.size for x in jax.tree.leaves(params))
    parts = {part: sum(x.nbytes for x in jax.tree.leaves(getattr(state, part))) for part in summary.state_bytes}
    assert summary.state_bytes == parts and all(parts[name] for name in ("params", "stats", "ema"))


class Block(nn.Module):
    @nn.compact
    def __call__(self, x):
        scale = self.param("scale", nn.initializers.ones, (1, 4))
        shared = nn.Dense(4, name="shared")
        return nn.Dense(3, name="out")(scale * shared(shared(x)))


class Blocks(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Block(name="inner")(x) + self.param("shift", nn.initializers.zeros, (1, 3))


def test_a_blocks_own_parameters_are_counted_separately_from_its_layers():
    layers = network(Blocks(), jnp.zeros((1, 4))).layers
    assert [(layer.path, layer.kind, layer.parameters) for layer in layers] == [
        ("inner", "Block", 4),
        ("inner/shared", "Dense", 20),
        ("inner/out", "Dense", 15),
        ("", "Blocks", 3),
    ]
    assert layers[1].flops == 2 * (2 * 4 * 4)  # the layer is called twice


def test_layers_below_the_depth_are_counted_with_the_layer_that_contains_them():
    layers = network(Blocks(), jnp.zeros((1, 4)), depth=1).layers
    assert layers[:1] == (Layer("inner", "Block", "[1, 3]", 39, 2 * (2 * 4 * 4) + 2 * 4 * 3),)
    for depth in (0, "g"):
        with pytest.raises(ValueError, match=f"`depth` must be an integer of at least 1, got {depth!r}"):
            games.points_game().summary(depth)


def test_a_frozen_network_shows_the_layers_that_it_applies():
    inner = mlp.Discriminator((8,))
    variables = inner.init(jax.random.key(0), jnp.zeros((1, 2)))
    frozen = network(Frozen(inner, FrozenVariables(variables)), jnp.zeros((1, 2)))
    assert frozen.parameters == 33 and frozen.flops == 48
    assert [layer.path for layer in frozen.layers] == ["hidden_0", "logit", ""]


def two_matrices(key, x):
    return {"first": {"kernel": jnp.zeros((2, 8)), "bias": jnp.zeros((1, 8))}, "second": jnp.zeros((8, 1))}


def product(params, x):
    hidden = x @ params["first"]["kernel"] + params["first"]["bias"]
    return hidden @ params["second"]


class Linear(nnx.Module):
    def __init__(self, rngs):
        self.hidden, self.logit = nnx.Linear(2, 8, rngs=rngs), nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
        return self.logit(self.hidden(x))


@pytest.mark.parametrize(
    ("module", "kind", "rows"),
    [
        ((two_matrices, product), "(two_matrices, product)", [("first", 24), ("second", 8), ("", 0)]),
        (lambda rngs: Linear(rngs), "Linear", [("hidden", 24), ("logit", 9), ("", 0)]),
        ((lambda key, x: jnp.zeros((2, 1)), lambda matrix, x: x @ matrix), "(<lambda>, <lambda>)", [("", 2)]),
    ],
    ids=["functions", "nnx", "one array"],
)
def test_a_network_that_is_no_linen_module_has_a_row_for_each_subtree_of_its_parameters(module, kind, rows):
    found = network(module, jnp.zeros((3, 2)))
    assert (found.kind, found.inputs, found.output) == (kind, "[3, 2]", "[3, 1]")
    assert [(layer.path, layer.parameters) for layer in found.layers] == rows
    assert found.layers[-1].flops == found.flops == (2 * 3 * 2 if len(rows) == 1 else 2 * 3 * (2 * 8 + 8))


class Counter(nn.Module):
    @nn.compact
    def __call__(self):
        return self.variable("counts", "n", jnp.zeros, ()).value


def test_a_network_without_parameters_is_one_line():
    assert "n: Counter, no parameters\n" in str(summarize(game_of(Counter())))


def test_a_summary_prints_as_text_and_as_html():
    summary = games.dcgan_game().summary()
    lines = str(summary).splitlines()
    assert lines[0] == "Game: player d owns d; player g owns g" and repr(summary) == str(summary)
    assert lines[2] == "g: Generator, input [1, 4]" and lines[-1].startswith("Size of the state: ")
    assert all(len(line) <= 100 for line in lines)
    page = summary._repr_html_()
    assert page.count("<table>") == 2 and "Generator, input [1, 4]" in page


def test_the_title_names_wrappers_and_explains_the_numbers_of_a_population():
    game = games.points_game()
    together = dataclasses.replace(game, turns=(("d", "g"),))
    assert str(GameWrapper(extragradient(together)).summary()).startswith(
        "GameWrapper around ExtraGradient around Game: player"
    )
    alone, eight = game.summary(), Population(game, 8).summary()
    assert isinstance(eight, Summary) and eight.networks == alone.networks
    assert eight.state_bytes["params"] == 8 * alone.state_bytes["params"]
    assert eight.title == (
        "Population of 8 members. The tables show the networks of one member; the size of the state is for all members."
    )


EXPERIMENTS = [module.name for module in pkgutil.iter_modules(experiments.__path__) if not module.ispkg]


@pytest.mark.integration
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_can_be_summarised(name):
    module = importlib.import_module(f"experiments.{name}")
    game = module.build(module.Config.tiny()).game
    summary, state = game.summary(), jax.eval_shape(game.init, jax.random.key(0))
    for net, params in state.params.items():
        found = summary.networks[net]
        assert found.parameters == sum(x.size for x in jax.tree.leaves(params))
        assert found.flops > 0 or not params


def test_nothing_is_compiled(caplog):
    game = games.dcgan_game()
    with jax.log_compiles():
        game.summary()
        assert "Compiling" not in caplog.text
        game.init(jax.random.key(0))  # shows that compilations are logged
        assert "Compiling" in caplog.text
