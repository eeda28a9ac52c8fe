"""Tests of arguments that the checks of ``Game`` accept. ``test_game.py`` tests arguments that they refuse."""

import jax.numpy as jnp
import optax
import pytest

from jaxgan.core.wiring import check_ema, check_kinds, check_optimizer, check_owns

NETS = {"g": None}


def test_numbers_arrays_and_functions_are_accepted_as_decays():
    for decay in (0, 1, 0.999, jnp.float32(0.5), lambda step: 0.5, optax.constant_schedule(0.5)):
        check_ema({"g": decay}, NETS)  # pyright: ignore[reportArgumentType]
    check_ema({}, {})


def test_optimizers_with_and_without_extra_arguments_are_accepted():
    for optimizer in (optax.sgd(0.1), optax.with_extra_args_support(optax.chain(optax.adam(0.1)))):
        check_optimizer(optimizer)


def test_owned_names_can_be_a_tuple_or_a_list():
    check_owns(("g", "d"))
    check_owns(["g"])


def test_the_types_of_a_mappings_values_are_checked():
    check_kinds("nets", {"g": 1}, int, "Write a number.")
    with pytest.raises(
        TypeError, match=r"`nets` must map names to objects of the class int, got str for 'd'\. Write a n"
    ):
        check_kinds("nets", {"g": 1, "d": "1"}, int, "Write a number.")
