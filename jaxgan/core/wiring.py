"""Checks of a game's wiring: every name that a game mentions is one of its own."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from jaxgan.core.networks import format_names

if TYPE_CHECKING:
    from jaxgan.core.game import Player


def check_turns(turns: Iterable, players: "Mapping[str, Player]") -> None:
    """``ValueError`` unless turns name players, and no two players of one turn own the same network."""
    for turn in turns:
        if isinstance(turn, str):
            raise ValueError(
                f"`turns` must hold tuples of players' names, got the string {turn!r}. Write ({turn!r},) instead."
            )
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


def check_loss(player: str, loss: Callable) -> None:
    """``TypeError`` unless the loss of ``player`` can be called with ``(nets, batch, keys, step)``."""
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
