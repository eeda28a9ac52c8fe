"""Tests of networks as functions: their outputs, their moving statistics and their error messages."""

import traceback

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import Function, Game, Net, Nets, Player, total
from jaxgan.core.networks import Frozen, FrozenVariables, RecordingNets, format_names


class Counter(nn.Module):
    """A module that adds 10 times the number of calls before, a moving statistic, and 100 in training mode."""

    @nn.compact
    def __call__(self, x, train: bool):
        count = self.variable("counts", "calls", lambda: jnp.float32(0))
        if self.is_mutable_collection("counts") and not self.is_initializing():
            count.value += 1
        return x + 10 * count.value + (100 if train else 0)


class Conditional(nn.Module):
    """A module with two inputs. The second one is optional."""

    @nn.compact
    def __call__(self, image, label=None, *, train=True, keys=None):
        return nn.Dense(1)(image)


def counter(**fields) -> Function:
    return Function({}, {"counts": {"calls": jnp.float32(0)}}, Net(Counter(), jnp.zeros(())), **fields)


def test_a_call_discards_the_update_and_with_stats_returns_it():
    function = counter()
    assert function(1.0) == function(1.0) == 111
    output, stats = function.with_stats(1.0)
    assert (output, stats["counts"]["calls"]) == (111, 1)
    assert function.replace(stats=stats)(1.0) == 121  # the second call counts the first one
    assert function.stats["counts"]["calls"] == 0


def test_evaluation_mode_is_passed_to_the_module_and_stops_updates():
    output, stats = counter(train=False).with_stats(1.0)
    assert (output, stats) == (1, {})
    assert counter(train=False)(1.0, train=True) == 101  # the argument of the call takes precedence


def test_a_net_stores_the_shapes_of_its_examples():
    net = Net(Conditional(), np.zeros((2, 3), np.float16), jax.ShapeDtypeStruct((4,), jnp.int32))
    assert [(x.shape, x.dtype) for x in net.examples] == [((2, 3), np.float16), ((4,), np.int32)]


@pytest.mark.parametrize(
    ("examples", "error", "message"),
    [
        ((), ValueError, r"`Net` requires an example of the input `image` of Conditional, got 0 examples. Write Net\(..., image\), where each"),
        ((jnp.zeros(2),) * 3, ValueError, "The call of Conditional accepts at most 2 inputs, but `Net` got 3 examples"),
        ((100,), TypeError, r"Example input 1 of Conditional must be an array or a jax.ShapeDtypeStruct, got 100. For"),
        ((jnp.zeros(2), [1, 2]), TypeError, r"Example input 2 of Conditional must be .*, got \[1, 2\]"),
    ],
)  # fmt: skip
def test_examples_that_do_not_match_the_call_are_refused(examples, error, message):
    with pytest.raises(error, match=message):
        Net(Conditional(), *examples)


def test_inputs_that_were_not_normalised_are_refused():
    images = jnp.zeros((4, 3), jnp.uint8)
    net = Net(Conditional(), jnp.zeros((1, 3)), jnp.zeros((1,), jnp.uint8))
    variables = net.init(jax.random.key(0))
    function = Function(variables["params"], {}, net, name="d")
    message = (
        r"Network 'd': the input `image` is uint8\[4, 3\], integers from 0 to 255, but the network was declared with "
        "float32. Normalise the batch"
    )
    with pytest.raises(TypeError, match=message):
        function(images)
    label = jnp.zeros(4, jnp.uint8)  # the example of this input is uint8 too
    np.testing.assert_array_equal(function(images / 127.5 - 1, label), function(-jnp.ones((4, 3))))


def test_an_error_in_a_network_names_the_network_and_the_shapes():
    net = Net(Conditional(), jnp.zeros((1, 3)))
    function = Function(net.init(jax.random.key(0))["params"], {}, net, name="d")
    with pytest.raises(flax.errors.ScopeParamShapeError) as error:
        function(jnp.zeros((4, 5)), jnp.zeros(4, jnp.int32))
    assert (
        "The error occurred in network 'd', which was called with float32[4, 5], int32[4], but declared with "
        "float32[1, 3]. Pass inputs of the declared shapes, or declare the `Net` with the shapes of the inputs."
    ) in error.value.__notes__
    with pytest.raises(TypeError) as error:
        function(jnp.zeros((4, 3)), jnp.zeros(4, jnp.int32), unknown=1)
    assert "The error occurred in network 'd', which was called with float32[4, 3], int32[4]." in error.value.__notes__


def test_networks_are_attributes_and_items():
    nets = Nets({"g": counter()})
    assert nets.g is nets["g"] and list(nets) == ["g"] and len(nets) == 1
    with pytest.raises(AttributeError, match=r"The game has no network 'gen'. Its networks are 'g'."):
        nets.gen  # noqa: B018
    assert format_names([]) == "none"


def test_python_suggests_no_method_in_the_message_about_a_missing_network():
    with pytest.raises(AttributeError) as error:
        Nets({"g": counter()}).gen  # noqa: B018
    assert error.value.obj is None  # Python suggests attributes of this object.
    shown = "".join(traceback.format_exception(error.value))
    assert shown.endswith("AttributeError: The game has no network 'gen'. Its networks are 'g'.\n")


def test_recording_nets_record_the_networks_that_are_used():
    nets = RecordingNets({"g": counter(), "d": counter()})
    assert nets.names == set()
    nets.g(1.0)
    assert nets.names == {"g"} and nets["d"] is not None and nets.names == {"d", "g"}


def test_a_frozen_network_has_its_parameters_in_the_state_and_does_not_train():
    dense = nn.Dense(1)
    variables = dense.init(jax.random.key(3), jnp.zeros((1, 2)))

    def loss(nets, batch, keys, step):
        return total(distance=jnp.square(nets.judge(nets.x(batch))).sum(1))

    game = Game(
        nets={
            "x": Net(nn.Dense(2), jnp.zeros((1, 2))),
            "judge": Net(Frozen(dense, FrozenVariables(variables)), jnp.zeros((1, 2))),
        },
        players={"x": Player(("x",), loss, optax.sgd(0.1))},
        turns=(("x",),),
    )
    before = game.init(jax.random.key(0))
    # Checkpoints and exported files contain the parameters under this name.
    jax.tree.map(np.testing.assert_array_equal, before.params["judge"], {"given": variables["params"]})
    x = jnp.ones((4, 2))
    np.testing.assert_allclose(game.functions(before).judge(x), dense.apply(variables, x), rtol=1e-6)
    after, metrics = jax.jit(game.step)(before, x)
    jax.tree.map(np.testing.assert_array_equal, after.params["judge"], before.params["judge"])
    assert float(metrics["x/grad_norm"]) > 0
    # The parameters are arguments of the compiled step, not constants in it.
    other = jax.tree.map(jnp.zeros_like, before.params["judge"])
    _, metrics = jax.jit(game.step)(before.replace(params={**before.params, "judge": other}), x)
    assert float(metrics["x/distance"]) == 0
