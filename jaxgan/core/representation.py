"""Format networks, players, games and states as text for their ``repr``.

The texts consist of names and shapes. The functions compute nothing on a device, and they accept a tracer, a
``jax.ShapeDtypeStruct`` or any other object in place of an array.
"""

import dataclasses
import functools
import itertools
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxgan.core.tables import format_bytes

MAX_FIELDS = 200  # largest number of characters in the text of a module's fields; the rest is cut off


def show_module(module: Any) -> str:
    """Format a module that is a dataclass, such as a linen module, with the fields that differ from their defaults.

    >>> import flax.linen as nn
    >>> show_module(nn.Dense(3, use_bias=False))
    'Dense(features=3, use_bias=False)'
    """
    return f"{type(module).__name__}({_show_fields(module, without=('parent', 'name'))})"


def show_function_name(function: Any) -> str:
    """Return the name of a function, of the function inside a ``functools.partial``, or of an object's class."""
    if isinstance(function, functools.partial):
        return show_function_name(function.func)
    return getattr(function, "__name__", type(function).__name__)


def show_value(value: Any) -> str:
    """Format the value of a field.

    Numbers and strings are formatted with ``repr``, arrays as their type and shape, mappings as their keys, and other
    objects as the name of the function or class.

    >>> show_value(0.5), show_value(np.zeros((2, 3))), show_value({"rate": 1})
    ('0.5', 'float64[2, 3]', '{rate}')
    """
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(map(str, value)) + "}"
    if isinstance(value, tuple | list) and len(value) <= 8:
        return "(" + ", ".join(map(show_value, value)) + ")"
    if isinstance(value, np.dtype):
        return value.name
    return show_function_name(value)


def show_net(net: Any) -> str:
    """Format a ``Net`` as one line with its module and the shapes of its inputs."""
    shapes = ", ".join(str(list(x.shape)) for x in net.examples)
    return f"{_show_network(net)}, input {shapes}" if shapes else _show_network(net)


def show_function(function: Any) -> str:
    """Format a ``Function`` as one line: module, number of parameters, and training or evaluation mode."""
    mode = "training" if function.train else "evaluation"
    return f"{_show_network(function.net)}, {count_parameters(function.params):,} parameters, in {mode} mode"


def show_player(player: Any) -> str:
    """Format a ``Player`` as one line with its networks, its loss, and its gradient function if it is not the default.

    The default gradient function is ``full_batch``.
    """
    own = player.owns if isinstance(player.owns, str) else ", ".join(player.owns)
    gradient = getattr(player.gradient, "__qualname__", type(player.gradient).__name__).partition(".")[0]
    computed = "" if gradient == "full_batch" else f", gradient by {gradient}"
    return f"owns {own}, minimises {show_function_name(player.loss)}{computed}"


def show_turns(turns: Sequence[Sequence[str]]) -> str:
    """Format the order of turns.

    >>> show_turns((("d",), ("d",), ("g",))), show_turns((("d", "g"),))
    ('2 x d, then g', 'd and g together')
    """

    def show_turn(turn):
        return f"{' and '.join(turn)} together" if len(turn) > 1 else "".join(turn)

    groups = [(len(list(equal)), show_turn(turn)) for turn, equal in itertools.groupby(map(tuple, turns))]
    return ", then ".join(f"{count} x {turn}" if count > 1 else turn for count, turn in groups)


def show_game(game: Any) -> str:
    """Format a ``Game`` as one line for each network, one line for each player, and the order of turns."""
    nets = [f"net {name}: {show_net(net)}{_show_average(game, name)}" for name, net in game.nets.items()]
    players = [f"player {name}: {show_player(player)}" for name, player in game.players.items()]
    return lines_under(type(game).__name__, [*nets, *players, f"turns: {show_turns(game.turns)}"])


def show_wrapper(wrapper: Any) -> str:
    """Format a wrapper with its fields, and the game that it wraps."""
    settings = _show_fields(wrapper, without=("game",))
    return f"{type(wrapper).__name__}({settings}) around {wrapper.game!r}"


def show_state(state: Any) -> str:
    """Format a ``State`` with its step, its size in memory, and one line for each network.

    JAX also creates states with other objects in place of the arrays, for example shardings or indices of axes. Such a
    state is formatted as the names of the objects' types.
    """
    leaves = jax.tree.leaves(state)
    if not all(hasattr(x, "shape") and hasattr(x, "dtype") for x in leaves) or not isinstance(state.params, Mapping):
        types = ", ".join(sorted({type(x).__name__ for x in leaves}))
        return f"State with leaves of type {types}" if types else "State without leaves"
    members = f" of a population of {state.key.shape[0]} members" if state.key.shape else ""
    size = format_bytes(size_in_bytes(leaves))
    each = state.key.size
    networks = []
    for name, params in state.params.items():
        parts = [f"{count_parameters(params) // each:,} parameters{' per member' if members else ''}"]
        if state.stats.get(name):
            parts.append(f"statistics: {', '.join(state.stats[name])}")
        if name in state.ema:
            parts.append("with moving average")
        networks.append(f"{name}: {'; '.join(parts)}")
    return lines_under(f"State{_show_step(state.step)}{members}, {size}", networks)


def count_parameters(params: Any) -> int:
    """Return the number of parameters in a pytree of arrays.

    Args:
      params: a pytree of arrays. A leaf without a size counts as one parameter.
    """
    return sum(getattr(x, "size", 1) for x in jax.tree.leaves(params))


def size_in_bytes(tree: Any) -> int:
    """Return the size in bytes of a pytree of arrays or of ``jax.ShapeDtypeStruct``.

    >>> size_in_bytes({"kernel": jax.ShapeDtypeStruct((2, 3), "float32")})
    24

    Args:
      tree: a pytree of arrays or of ``jax.ShapeDtypeStruct``.
    """
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def lines_under(title: str, lines: Iterable[str]) -> str:
    """Return a title with indented lines below it.

    Args:
      title: the first line, which is not indented.
      lines: the texts below it. A text may have several lines.
    """
    return "\n".join([title, *(textwrap.indent(line, "  ") for line in lines)])


def _show_network(net: Any) -> str:
    return show_module(net.module) if dataclasses.is_dataclass(net.module) else net.network.name


def _show_step(step: Any) -> str:
    if not isinstance(step, jax.Array | np.ndarray | np.generic):
        return ""
    try:
        return f" at step {int(step):,}"
    except (
        RuntimeError,
        TypeError,
        ValueError,
    ):  # a tracer, a donated array, an array on another host, or not a scalar
        return ""


def _show_average(game: Any, name: str) -> str:
    if name not in game.ema:
        return ""
    decay = game.ema[name]
    return f", moving average with decay {show_value(decay)}"


def _show_fields(instance: Any, without: Sequence[str]) -> str:
    """Format the fields of a dataclass that differ from their defaults. Fields that hold a game are omitted."""
    shown = []
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name, None)
        default = field.default_factory() if isinstance(field.default_factory, Callable) else field.default
        if field.name in without or hasattr(value, "unwrapped") or not field.repr or _is_same(value, default):
            continue
        shown.append(f"{field.name}={show_value(value)}")
    text = ", ".join(shown)
    return text if len(text) <= MAX_FIELDS else text[:MAX_FIELDS] + "..."


def _is_same(value: Any, default: Any) -> bool:
    """Return whether a field has its default value.

    An array counts as different from any default, because comparing arrays would compute on a device.
    """
    if isinstance(value, np.dtype) and isinstance(default, type):  # The default jnp.float32 is a class, not a dtype.
        return value.name == default.__name__
    if hasattr(value, "shape") or hasattr(default, "shape"):
        return False
    return value is default or (type(value) is type(default) and bool(value == default))
