"""Tests of splitting a batch into slices, and of the checks of turns, names and losses."""

import functools

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import Player
from jaxgan.core.batch import describe_array, reads_a_name, split_batch
from jaxgan.core.wiring import check_loss, check_names, check_turns


def test_slices_are_strided_so_that_each_device_can_split_its_own_share():
    batch = {"x": np.arange(12), "y": np.arange(24).reshape(12, 2)}
    slices = split_batch(batch, 3)
    assert [part["x"].tolist() for part in slices] == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]
    of_devices = [split_batch({name: x[i : i + 6] for name, x in batch.items()}, 3) for i in (0, 6)]
    for n in range(3):
        np.testing.assert_array_equal(slices[n]["y"], np.concatenate([parts[n]["y"] for parts in of_devices]))


def test_a_batch_of_scalars_is_refused():
    with pytest.raises(ValueError, match="The first axis of every array in `batch` must be the axis of examples"):
        split_batch({"x": np.arange(4), "y": np.float32(1)}, 2)


def test_errors_of_string_indices_are_distinguished_from_others():
    images = np.zeros((4, 2), np.float32)
    assert describe_array(images).startswith("`batch` is the array float32[4, 2], not a mapping.")
    for array in (images, jnp.asarray(images)):
        with pytest.raises((IndexError, TypeError)) as error:
            array["image"]
        assert reads_a_name(error.value)
    assert not reads_a_name(TypeError("dot got incompatible shapes"))


def test_turns_and_names_are_checked():
    def player(*owns):
        return Player(owns, lambda *arguments: None, optax.sgd(0.1))

    players = {"a": player("x", "y"), "b": player("y"), "c": player("z")}
    check_turns((("a",), ("b", "c")), players)
    with pytest.raises(
        ValueError, match=r"the turn \('a', 'b'\), in which several players \('a', 'b'\) own network 'y'"
    ):
        check_turns((("c",), ("a", "b")), players)
    check_names(["x"], {"x": 1}, "`ema` contains", "network")
    with pytest.raises(ValueError, match=r"`ema` contains 'y', but no network has this name. The networks are 'x'."):
        check_names(["x", "y"], {"x": 1}, "`ema` contains", "network")


def test_a_loss_must_accept_four_arguments():
    def three(nets, batch, keys):
        return None

    check_loss("d", lambda nets, batch, keys, step, weight=1.0: None)
    check_loss("d", lambda *arguments: None)
    check_loss("d", functools.partial(lambda weight, nets, batch, keys, step: None, 1.0))
    message = (
        r"The `loss` of player 'd' must accept four arguments, \(nets, .*, step\), got three\(nets, batch, keys\)."
    )
    with pytest.raises(TypeError, match=message):
        check_loss("d", three)
    with pytest.raises(TypeError, match=r"got <lambda>\(nets, batch, keys, step, weight\)"):
        check_loss("d", lambda nets, batch, keys, step, weight: None)
    check_loss("d", dict)  # a callable without a signature might accept any arguments
