"""The texts by which a game's objects show themselves: ``repr`` of networks, players, games and states.

They consist of names and shapes. Nothing is computed on a device, and a tracer, a ``jax.ShapeDtypeStruct`` or anything
else in the place of an array is no error.
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

MAX_FIELDS = 200  # characters of the settings of a module that are shown


def show_module(module: Any) -> str:
    """A module that is a dataclass, as linen's are, with the settings that differ from their defaults.

    >>> import flax.linen as nn
    >>> show_module(nn.Dense(3, use_bias=False))
    'Dense(features=3, use_bias=False)'
    """
    return f"{type(module).__name__}({_show_fields(module, without=('parent', 'name'))})"


def show_function_name(function: Any) -> str:
    """The name of a function, of the function inside a partial, or of an object's class."""
    if isinstance(function, functools.partial):
        return show_function_name(function.func)
    return getattr(function, "__name__", type(function).__name__)


def show_value(value: Any) -> str:
    """A setting: numbers and texts as they are, arrays as type and shape, mappings as their names, others by class.

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
    """A ``Net`` in a line: its module, and the shapes of the inputs."""
    shapes = ", ".join(str(list(x.shape)) for x in net.examples)
    return f"{_show_network(net)} of {shapes}" if shapes else _show_network(net)


def show_function(function: Any) -> str:
    """A ``Function`` in a line: its module, and the number of parameters."""
    mode = "training" if function.train else "evaluation"
    return f"{_show_network(function.net)}, {count_parameters(function.params):,} parameters, in {mode} mode"


def show_player(player: Any) -> str:
    """A ``Player`` in a line."""
    own = player.owns if isinstance(player.owns, str) else ", ".join(player.owns)
    gradient = getattr(player.gradient, "__qualname__", type(player.gradient).__name__).partition(".")[0]
    computed = "" if gradient == "full_batch" else f" by {gradient}"
    return f"owns {own} and minimises {show_function_name(player.loss)}{computed}"


def show_turns(turns: Sequence[Sequence[str]]) -> str:
    """The order of turns.

    >>> show_turns((("d",), ("d",), ("g",))), show_turns((("d", "g"),))
    ('2 x d, then g', 'd with g')
    """
    groups = [(len(list(equal)), " with ".join(turn)) for turn, equal in itertools.groupby(map(tuple, turns))]
    return ", then ".join(f"{count} x {turn}" if count > 1 else turn for count, turn in groups)


def show_game(game: Any) -> str:
    """A ``Game``: a line for each network and each player, and the order of turns."""
    nets = [f"net {name}: {show_net(net)}{_show_average(game, name)}" for name, net in game.nets.items()]
    players = [f"player {name}: {show_player(player)}" for name, player in game.players.items()]
    return lines_under(type(game).__name__, [*nets, *players, f"turns: {show_turns(game.turns)}"])


def show_wrapper(wrapper: Any) -> str:
    """A wrapper with its settings, and the game inside."""
    settings = _show_fields(wrapper, without=("game",))
    return f"{type(wrapper).__name__}({settings}) of {wrapper.game!r}"


def show_state(state: Any) -> str:
    """A ``State``: the step, its size, and a line for each network. A tree of other things is named by their types."""
    leaves = jax.tree.leaves(state)
    if not all(hasattr(x, "shape") and hasattr(x, "dtype") for x in leaves) or not isinstance(state.params, Mapping):
        return f"State of {', '.join(sorted({type(x).__name__ for x in leaves})) or 'nothing'}"
    members = f" of {state.key.shape[0]} members" if state.key.shape else ""
    size = format_bytes(size_in_bytes(leaves))
    each = state.key.size
    networks = []
    for name, params in state.params.items():
        parts = [f"{count_parameters(params) // each:,} parameters{' each' if members else ''}"]
        parts += [f"statistics {', '.join(state.stats[name])}"] if state.stats.get(name) else []
        parts += ["averaged"] if name in state.ema else []
        networks.append(f"{name}: {'; '.join(parts)}")
    return lines_under(f"State{_show_step(state.step)}{members}, {size}", networks)


def count_parameters(params: Any) -> int:
    """The number of parameters in a tree of arrays."""
    return sum(getattr(x, "size", 1) for x in jax.tree.leaves(params))


def size_in_bytes(tree: Any) -> int:
    """The bytes of a tree of arrays, or of their shapes and types.

    >>> size_in_bytes({"kernel": jax.ShapeDtypeStruct((2, 3), "float32")})
    24
    """
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def lines_under(title: str, lines: Iterable[str]) -> str:
    """A title, and lines that are indented below it."""
    return "\n".join([title, *(textwrap.indent(line, "  ") for line in lines)])


def _show_network(net: Any) -> str:
    return show_module(net.module) if dataclasses.is_dataclass(net.module) else net.network.name


def _show_step(step: Any) -> str:
    if not isinstance(step, jax.Array | np.ndarray | np.generic):
        return ""
    try:
        return f" at step {int(step):,}"
    except (RuntimeError, TypeError, ValueError):  # a tracer, donated, on another host, or several steps
        return ""


def _show_average(game: Any, name: str) -> str:
    if name not in game.ema:
        return ""
    decay = game.ema[name]
    return f", averaged with decay {show_value(decay)}"


def _show_fields(instance: Any, without: Sequence[str]) -> str:
    """The fields of a dataclass that differ from their defaults; games in them are left out."""
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
    """Whether a setting is its default; arrays, whose comparison would be computed, are not."""
    if isinstance(value, np.dtype) and isinstance(default, type):  # jnp.float32 is a class, and a setting its dtype
        return value.name == default.__name__
    if hasattr(value, "shape") or hasattr(default, "shape"):
        return False
    return value is default or (type(value) is type(default) and bool(value == default))
