"""jaxgan: generative adversarial networks as pure functions.

A game is networks, players who own some of them and minimise a loss, and an order of turns; ``Game.step`` is pure.
Names and packages are loaded when they are first used:

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
    from jaxgan.core.game import Game as Game, Player as Player
    from jaxgan.core.keys import (
        fold_in_keys as fold_in_keys,
        latents as latents,
        sample_keys as sample_keys,
        split_keys as split_keys,
    )
    from jaxgan.core.networks import Function as Function, Net as Net, Nets as Nets
    from jaxgan.core.state import State as State
    from jaxgan.core.terms import Terms as Terms, total as total
    from jaxgan.data import batches as batches, normalize as normalize
    from jaxgan.evaluation import fid as fid
    from jaxgan.media import grid as grid

# The modules of the names that others import from here. Each is imported when a name of it is first used, so that the
# command line can read its flags before JAX is imported.
_MODULES = {
    "Function": "core.networks",
    "Game": "core.game",
    "Net": "core.networks",
    "Nets": "core.networks",
    "Player": "core.game",
    "State": "core.state",
    "Terms": "core.terms",
    "batches": "data",
    "fid": "evaluation",
    "fold_in_keys": "core.keys",
    "grid": "media",
    "latents": "core.keys",
    "normalize": "data",
    "sample_keys": "core.keys",
    "split_keys": "core.keys",
    "total": "core.terms",
}

__all__ = [
    "Function",
    "Game",
    "Net",
    "Nets",
    "Player",
    "State",
    "Terms",
    "__version__",
    "batches",
    "fid",
    "fold_in_keys",
    "grid",
    "latents",
    "normalize",
    "sample_keys",
    "split_keys",
    "total",
]


@functools.cache
def _packages() -> frozenset[str]:
    """The packages and modules of jaxgan that others may import."""
    return frozenset(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    if name in _packages():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_packages()])
