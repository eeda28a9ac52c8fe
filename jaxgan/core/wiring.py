"""Checks of a game's wiring: every name that a game mentions is one of its own."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from jaxgan.core.networks import Net, format_names

if TYPE_CHECKING:
    from jaxgan.core.game import Player


def check_turns(turns: Iterable, players: "Mapping[str, Player]") -> None:
    """An error unless turns are tuples of players' names, and no two players of one turn own the same network."""
    if isinstance(turns, str) or not isinstance(turns, Iterable):
        raise TypeError(
            f"`turns` must be a tuple of tuples of players' names, such as (('d',), ('g',)), got {turns!r}."
        )
    turns = tuple(turns)
    for turn in turns:
        if isinstance(turn, str):
            mend = tuple((names,) if isinstance(names, str) else names for names in turns)
            raise ValueError(
                f"`turns` must hold tuples of players' names, got the string {turn!r}. Write {mend} instead."
            )
        if not isinstance(turn, Iterable):
            raise TypeError(f"`turns` must hold tuples of players' names, such as ('d',), got {turn!r}.")
        check_names(turn, players, "`turns` names", "player")
        owned = [net for name in turn for net in players[name].owns]
        for net in owned:
            if owned.count(net) > 1:
                owners = [name for name in turn if net in players[name].owns]
                raise ValueError(
                    f"`turns`: {format_names(owners)} all move network {net!r} in the turn {turn}. Give the network to "
                    f"one of them, or give them turns of their own: {tuple((name,) for name in turn)}."
                )


def check_names(names: Iterable[str], known: Iterable[str], where: str, kind: str) -> None:
    """``ValueError`` unless each of ``names`` is known; ``where`` begins the message, ``kind`` says what they are."""
    known = list(known)
    for name in names:
        if name not in known:
            raise ValueError(f"{where} {name!r}, which is no {kind} of the game. It has {format_names(known)}.")


def check_owns(owns: Any) -> None:
    """An error unless ``owns`` of a player is a sequence with the name of at least one network."""
    wanted = "`owns` must be a tuple with the name of at least one network"
    if isinstance(owns, str):
        raise TypeError(f"{wanted}, got the string {owns!r}. Write ({owns!r},) instead.")
    if not isinstance(owns, Iterable) or not all(isinstance(name, str) for name in owns):
        raise TypeError(f"{wanted}, such as ('d',), got {owns!r}.")
    if not owns:
        raise ValueError(f"{wanted}, got {owns!r}.")


def check_optimizer(optimizer: Any) -> None:
    """``TypeError`` unless ``optimizer`` is an optax transformation."""
    if callable(getattr(optimizer, "init", None)) and callable(getattr(optimizer, "update", None)):
        return
    wanted = "`optimizer` must be an optax transformation, such as optax.adam(2e-4)"
    if callable(optimizer):
        name = getattr(optimizer, "__name__", type(optimizer).__name__)
        raise TypeError(f"{wanted}, got the function {name}. Call it: {name}(learning_rate).")
    if isinstance(optimizer, Real):
        raise TypeError(f"{wanted}, got {optimizer!r}. Write optax.adam({optimizer!r}) if that is the learning rate.")
    raise TypeError(f"{wanted}, got {optimizer!r}.")


def check_kinds(name: str, given: Any, kind: type, mend: str) -> None:
    """``TypeError`` unless the argument ``name`` is a mapping whose values are of ``kind``."""
    if not isinstance(given, Mapping):
        raise TypeError(
            f"`{name}` must map names to objects of the class {kind.__name__}, got {type(given).__name__}. {mend}"
        )
    for key, value in given.items():
        if not isinstance(value, kind):
            raise TypeError(
                f"`{name}` must map names to objects of the class {kind.__name__}, got {type(value).__name__} for "
                f"{key!r}. {mend}"
            )


def check_ema(ema: Any, nets: Mapping[str, Net]) -> None:
    """An error unless ``ema`` maps names of networks to decays: numbers in [0, 1], arrays, or functions of the step."""
    if not isinstance(ema, Mapping):
        first = next(iter(nets), "g")
        example = ema if isinstance(ema, Real) else 0.999
        raise TypeError(
            f"`ema` must map names of networks to decays, got {ema!r}. Write ema={{{first!r}: {example!r}}}, with the "
            "networks whose average is kept."
        )
    check_names(ema, nets, "`ema` names", "network")
    for name, decay in ema.items():
        is_array = hasattr(decay, "dtype") and hasattr(decay, "shape")
        if not isinstance(decay, Real):
            if callable(decay) or is_array:  # The value of a function or of a tracer is not known yet.
                continue
            raise TypeError(
                f"`ema` of network {name!r} must be a number from 0 to 1, or a function of the step, got {decay!r}."
            )
        if not 0 <= float(decay) <= 1:
            raise ValueError(
                f"`ema` of network {name!r} must be from 0 to 1, got {decay!r}. It is the weight of the old average "
                "in each step, for instance 0.999."
            )


def check_loss(player: str, loss: Callable) -> None:
    """``TypeError`` unless the loss of ``player`` can be called with ``(nets, batch, keys, step)``."""
    if not callable(loss):
        raise TypeError(f"player {player!r}: `loss` must be a function (nets, batch, keys, step), got {loss!r}.")
    try:
        signature = inspect.signature(loss)
    except (TypeError, ValueError):  # Some callables have none.
        return
    try:
        signature.bind("nets", "batch", "keys", "step")
    except TypeError:
        name = getattr(loss, "__name__", type(loss).__name__)
        raise TypeError(
            f"player {player!r}: `loss` is called with four arguments, (nets, batch, keys, step), "
            f"got {name}{signature}."
        ) from None
