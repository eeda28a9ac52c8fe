"""Networks as functions: variables in, outputs and statistics out, and nothing recorded behind the caller's back."""

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
    """Adds a moving statistic, which counts calls, and says whether it trains."""

    @nn.compact
    def __call__(self, x, train: bool):
        count = self.variable("counts", "calls", lambda: jnp.float32(0))
        if self.is_mutable_collection("counts") and not self.is_initializing():
            count.value += 1
        return x + 10 * count.value + (100 if train else 0)


class Conditional(nn.Module):
    """Two inputs, of which the second may be left out."""

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
    assert function.replace(stats=stats)(1.0) == 121  # two calls chain
    assert function.stats["counts"]["calls"] == 0


def test_train_is_passed_and_stops_updates():
    output, stats = counter(train=False).with_stats(1.0)
    assert (output, stats) == (1, {})
    assert counter(train=False)(1.0, train=True) == 101  # the caller's word counts


def test_a_net_keeps_shapes_of_examples():
    net = Net(Conditional(), np.zeros((2, 3), np.float16), jax.ShapeDtypeStruct((4,), jnp.int32))
    assert [(x.shape, x.dtype) for x in net.examples] == [((2, 3), np.float16), ((4,), np.int32)]


@pytest.mark.parametrize(
    ("examples", "error", "message"),
    [
        ((), ValueError, r"the call of Conditional needs an example of `image`, and `Net` got 0. Write Net\(..., image\), each an array"),
        ((jnp.zeros(2),) * 3, ValueError, "the call of Conditional has 2 inputs at most, and `Net` got 3 examples"),
        ((100,), TypeError, r"example 1 of the call of Conditional must be an array or a jax.ShapeDtypeStruct, got 100. Write"),
        ((jnp.zeros(2), [1, 2]), TypeError, r"example 2 of the call of Conditional must be .*, got \[1, 2\]"),
    ],
)  # fmt: skip
def test_examples_that_do_not_fit_the_call_are_refused(examples, error, message):
    with pytest.raises(error, match=message):
        Net(Conditional(), *examples)


def test_bytes_that_were_not_normalised_are_refused():
    images = jnp.zeros((4, 3), jnp.uint8)
    net = Net(Conditional(), jnp.zeros((1, 3)), jnp.zeros((1,), jnp.uint8))
    variables = net.init(jax.random.key(0))
    function = Function(variables["params"], {}, net, name="d")
    message = (
        r"network 'd': `image` is uint8\[4, 3\], bytes from 0 to 255, and the network takes float32. Normalise the"
    )
    with pytest.raises(TypeError, match=message):
        function(images)
    label = jnp.zeros(4, jnp.uint8)  # the example of this input is bytes too
    np.testing.assert_array_equal(function(images / 127.5 - 1, label), function(-jnp.ones((4, 3))))


def test_what_a_network_raises_says_which_network_it_was():
    net = Net(Conditional(), jnp.zeros((1, 3)))
    function = Function(net.init(jax.random.key(0))["params"], {}, net, name="d")
    with pytest.raises(flax.errors.ScopeParamShapeError) as error:
        function(jnp.zeros((4, 5)), jnp.zeros(4, jnp.int32))
    assert (
        "In network 'd', called with float32[4, 5], int32[4], which was declared with float32[1, 3]. Give examples of "
        "the declared sizes, or declare the `Net` with the sizes of the examples."
    ) in error.value.__notes__
    with pytest.raises(TypeError) as error:
        function(jnp.zeros((4, 3)), jnp.zeros(4, jnp.int32), unknown=1)
    assert "In network 'd', called with float32[4, 3], int32[4]." in error.value.__notes__


def test_networks_are_attributes_and_items():
    nets = Nets({"g": counter()})
    assert nets.g is nets["g"] and list(nets) == ["g"] and len(nets) == 1
    with pytest.raises(AttributeError, match=r"The game has no network 'gen'. It has 'g'."):
        nets.gen  # noqa: B018
    assert format_names([]) == "none"


def test_python_adds_no_method_to_the_message_about_a_missing_network():
    with pytest.raises(AttributeError) as error:
        Nets({"g": counter()}).gen  # noqa: B018
    assert error.value.obj is None  # Python compares the name with the attributes of this object.
    shown = "".join(traceback.format_exception(error.value))
    assert shown.endswith("AttributeError: The game has no network 'gen'. It has 'g'.\n")


def test_recording_nets_know_which_were_used():
    nets = RecordingNets({"g": counter(), "d": counter()})
    assert nets.names == set()
    nets.g(1.0)
    assert nets.names == {"g"} and nets["d"] is not None and nets.names == {"d", "g"}


def test_a_frozen_network_has_its_parameters_in_the_state_and_keeps_them():
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
    # Checkpoints and exported files have the parameters under this name.
    jax.tree.map(np.testing.assert_array_equal, before.params["judge"], {"given": variables["params"]})
    x = jnp.ones((4, 2))
    np.testing.assert_allclose(game.functions(before).judge(x), dense.apply(variables, x), rtol=1e-6)
    after, metrics = jax.jit(game.step)(before, x)
    jax.tree.map(np.testing.assert_array_equal, after.params["judge"], before.params["judge"])
    assert float(metrics["x/grad_norm"]) > 0
    # They are arguments of the compiled step, and no constants of it.
    other = jax.tree.map(jnp.zeros_like, before.params["judge"])
    _, metrics = jax.jit(game.step)(before.replace(params={**before.params, "judge": other}), x)
    assert float(metrics["x/distance"]) == 0
