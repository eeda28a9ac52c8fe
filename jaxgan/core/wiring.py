"""Check the arguments of ``Game`` and ``Player``, for example that players and turns name existing networks."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from jaxgan.core.networks import Net, format_names

if TYPE_CHECKING:
    from jaxgan.core.game import Player


def check_turns(turns: Iterable, players: "Mapping[str, Player]") -> None:
    """Raise an error unless turns are tuples of players' names, and no two players of one turn own the same network.

    Args:
      turns: the turns of a game, tuples of players' names.
      players: a mapping from names to the players of the game.

    Raises:
      TypeError: if ``turns`` or one of its items is not iterable, or ``turns`` is a string.
      ValueError: if an item is a string, contains an unknown name, or contains two players that own the same network.
    """
    if isinstance(turns, str) or not isinstance(turns, Iterable):
        raise TypeError(
            f"`turns` must be a tuple of tuples of players' names, such as (('d',), ('g',)), got {turns!r}."
        )
    turns = tuple(turns)
    for turn in turns:
        if isinstance(turn, str):
            correct = tuple((names,) if isinstance(names, str) else names for names in turns)
            raise ValueError(
                f"Each item of `turns` must be a tuple of players' names, got the string {turn!r}. Write {correct} "
                "instead."
            )
        if not isinstance(turn, Iterable):
            raise TypeError(f"Each item of `turns` must be a tuple of players' names, such as ('d',), got {turn!r}.")
        check_names(turn, players, "`turns` contains", "player")
        owned = [net for name in turn for net in players[name].owns]
        for net in owned:
            if owned.count(net) > 1:
                owners = [name for name in turn if net in players[name].owns]
                raise ValueError(
                    f"`turns` contains the turn {turn}, in which several players ({format_names(owners)}) own network "
                    f"{net!r}. Let only one of them own the network, or put the players into separate turns: "
                    f"{tuple((name,) for name in turn)}."
                )


def check_names(names: Iterable[str], known: Iterable[str], where: str, kind: str) -> None:
    """Raise a ``ValueError`` unless each name is known.

    Args:
      names: the names to check.
      known: the names that exist.
      where: the beginning of the error message, before the unknown name.
      kind: the kind of object that has these names, such as "network", for the error message.
    """
    known = list(known)
    for name in names:
        if name not in known:
            raise ValueError(f"{where} {name!r}, but no {kind} has this name. The {kind}s are {format_names(known)}.")


def check_owns(owns: Any) -> None:
    """Raise an error unless the argument ``owns`` of a player is a sequence with at least one name."""
    wanted = "`owns` must be a tuple with the name of at least one network"
    if isinstance(owns, str):
        raise TypeError(f"{wanted}, got the string {owns!r}. Write ({owns!r},) instead.")
    if not isinstance(owns, Iterable) or not all(isinstance(name, str) for name in owns):
        raise TypeError(f"{wanted}, such as ('d',), got {owns!r}.")
    if not owns:
        raise ValueError(f"{wanted}, got {owns!r}.")


def check_optimizer(optimizer: Any) -> None:
    """Raise a ``TypeError`` unless ``optimizer`` is an optax gradient transformation."""
    if callable(getattr(optimizer, "init", None)) and callable(getattr(optimizer, "update", None)):
        return
    wanted = "`optimizer` must be an optax gradient transformation, such as optax.adam(2e-4)"
    if callable(optimizer):
        name = getattr(optimizer, "__name__", type(optimizer).__name__)
        raise TypeError(f"{wanted}, got the function {name}. Call the function: {name}(learning_rate).")
    if isinstance(optimizer, Real):
        raise TypeError(f"{wanted}, got {optimizer!r}. If this is the learning rate, write optax.adam({optimizer!r}).")
    raise TypeError(f"{wanted}, got {optimizer!r}.")


def check_kinds(name: str, given: Any, kind: type, example: str) -> None:
    """Raise a ``TypeError`` unless the argument ``name`` is a mapping with values of type ``kind``.

    Args:
      name: the name of the argument, for the error message.
      given: the value of the argument.
      kind: the type that all values of the mapping must have.
      example: the end of the error message, a sentence with an example of a valid argument.
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            f"`{name}` must map names to objects of the class {kind.__name__}, got {type(given).__name__}. {example}"
        )
    for key, value in given.items():
        if not isinstance(value, kind):
            raise TypeError(
                f"`{name}` must map names to objects of the class {kind.__name__}, got {type(value).__name__} for "
                f"{key!r}. {example}"
            )


def check_ema(ema: Any, nets: Mapping[str, Net]) -> None:
    """Raise an error unless ``ema`` maps names of networks to decays.

    A decay is a number in [0, 1], an array, or a function of the step.

    Args:
      ema: the argument ``ema`` of a game.
      nets: a mapping from names to the networks of the game.

    Raises:
      TypeError: if ``ema`` is not a mapping, or a decay is neither a number nor an array nor a function.
      ValueError: if a name is unknown, or a decay is outside of [0, 1].
    """
    if not isinstance(ema, Mapping):
        first = next(iter(nets), "g")
        example = ema if isinstance(ema, Real) else 0.999
        raise TypeError(
            f"`ema` must map names of networks to decays, got {ema!r}. For example, write "
            f"ema={{{first!r}: {example!r}}} to average the network {first!r}."
        )
    check_names(ema, nets, "`ema` contains", "network")
    for name, decay in ema.items():
        is_array = hasattr(decay, "dtype") and hasattr(decay, "shape")
        if not isinstance(decay, Real):
            if callable(decay) or is_array:  # The value of a function or of a tracer is not known yet.
                continue
            raise TypeError(
                f"`ema` of network {name!r} must be a number between 0 and 1, or a function of the step, got {decay!r}."
            )
        if not 0 <= float(decay) <= 1:
            raise ValueError(
                f"`ema` of network {name!r} must be between 0 and 1, got {decay!r}. It is the weight of the old "
                "average in each step, for example 0.999."
            )


def check_loss(player: str, loss: Callable) -> None:
    """Raise a ``TypeError`` unless the loss of ``player`` can be called with ``(nets, batch, keys, step)``.

    Args:
      player: the name of the player, for the message.
      loss: the argument ``loss`` of the player.
    """
    if not callable(loss):
        raise TypeError(f"The `loss` of player {player!r} must be a function (nets, batch, keys, step), got {loss!r}.")
    try:
        signature = inspect.signature(loss)
    except (TypeError, ValueError):  # Some callables have no signature.
        return
    try:
        signature.bind("nets", "batch", "keys", "step")
    except TypeError:
        name = getattr(loss, "__name__", type(loss).__name__)
        raise TypeError(
            f"The `loss` of player {player!r} must accept four arguments, (nets, batch, keys, step), "
            f"got {name}{signature}."
        ) from None
