"""Describe an experiment: lines of text for ``repr``, and a table with examples of the data for notebooks."""

from typing import Any

from jaxgan.core.representation import lines_under, show_net, show_player, show_turns
from jaxgan.core.tables import Table, as_html, as_html_paragraph
from jaxgan.data.representation import show_classes


def show_sampling(sampling: Any) -> str:
    """Return a short description of a ``Sampling``."""
    kind = f"conditional, {show_classes(sampling.classes)}" if sampling.classes else "unconditional"
    return f"{kind}, with styles" if sampling.styles else kind


def show_experiment(experiment: Any) -> str:
    """Return a description of an ``Experiment``: its game, its data and its samples."""
    return lines_under("Experiment", [f"{name}: {text}" for name, text in _parts(experiment)])


def experiment_as_html(experiment: Any) -> str:
    """Return HTML with a table of the networks and players, a line for each other part, and a grid of examples.

    Args:
      experiment: the experiment to show.
    """
    game = experiment.game.unwrapped
    rows = [
        *(("network", name, show_net(net)) for name, net in game.nets.items()),
        *(("player", name, show_player(player)) for name, player in game.players.items()),
        ("turns", "", show_turns(game.turns)),
    ]
    table = Table(f"Experiment: {type(experiment.game).__name__}", ("part", "name", "description"), tuple(rows))
    lines = [as_html_paragraph(f"{name}: {text}") for name, text in _parts(experiment)[2:]]
    source = experiment.source
    shown = source._repr_html_() if hasattr(source, "_repr_html_") else as_html_paragraph(repr(source))
    return "\n".join([as_html(table), *lines, shown])


def _parts(experiment: Any) -> list[tuple[str, str]]:
    """Return the names and descriptions of the parts of an experiment. The first two are the game and the source."""
    samples = show_sampling(experiment.sampling)
    if experiment.translations:
        samples = f"translations of images, {', '.join(experiment.translations)}"
    parts = [("game", repr(experiment.game)), ("source", repr(experiment.source)), ("samples", samples)]
    if experiment.display.sheets:
        parts.append(("image sheets", ", ".join(experiment.display.sheets)))
    if experiment.held_out is not None:
        parts.append(("held out", f"{len(experiment.held_out):,} examples"))
    if experiment.game_at is not None:
        parts.append(("schedule", "the game changes with the step"))
    return parts
