"""jaxgan: generative adversarial networks as pure functions.

A game is networks, players who own some of them and minimise a loss, and an order of turns; ``Game.step`` is pure.
The packages below are loaded when they are first used:

  losses, augment, models, nn    what a loss is composed of
  data, media, metrics           examples, pictures of them, figures
  games, parallel                games composed of games, populations, privacy; several devices
  editing, evaluation            styles, interpolation and inversion; two sets of examples compared
  export, interop                files for others; weights of others
  experiment, training           settings, the loop and its checkpoints
  monitoring, reporting, cli     a run's files and diagnosis, its report, the command line
"""

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from jaxgan.core.game import Game, Player
from jaxgan.core.keys import fold_in_keys, latents
from jaxgan.core.networks import Function, Net, Nets
from jaxgan.core.state import State
from jaxgan.core.terms import Terms, total
from jaxgan.version import __version__

if TYPE_CHECKING:
    from jaxgan import (
        augment as augment,
        cli as cli,
        core as core,
        data as data,
        editing as editing,
        evaluation as evaluation,
        experiment as experiment,
        export as export,
        games as games,
        interop as interop,
        losses as losses,
        media as media,
        metrics as metrics,
        models as models,
        monitoring as monitoring,
        nn as nn,
        parallel as parallel,
        reporting as reporting,
        training as training,
    )

__all__ = [
    "Function",
    "Game",
    "Net",
    "Nets",
    "Player",
    "State",
    "Terms",
    "__version__",
    "fold_in_keys",
    "latents",
    "total",
]


@functools.cache
def _packages() -> frozenset[str]:
    """The packages and modules of jaxgan that others may import."""
    return frozenset(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def __getattr__(name: str) -> Any:
    if name in _packages():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_packages()])
