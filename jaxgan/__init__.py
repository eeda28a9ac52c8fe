"""Train generative adversarial networks (GANs) as pure functions in JAX.

A GAN is a ``Game``: a set of networks, players that own some of the networks and minimise a loss over their parameters,
and the order in which the players update their networks. ``Game.step`` is a pure function that makes all of these
updates once. Begin with ``jaxgan.core.game``. The package imports the names and subpackages below when they are first
used:

    core        games, networks, gradients and random keys
    losses      loss functions and regularisers
    augment     augmentations of images
    models      network architectures
    nn          layers that several architectures use
    data        data sets and batches
    drawing     image files and grids of images
    media       kinds of examples: images, points, voxels and others
    metrics     metrics of the quality of samples
    games       training dynamics, populations and differential privacy
    parallel    training on several devices
    editing     styles, interpolation and inversion
    evaluation  features of examples, and the comparison of two sets of examples
    export      files of trained models that run without jaxgan
    interop     weights of other libraries
    experiment  experiments, each of which combines a game, its data and its settings
    training    the training loop and its checkpoints
    monitoring  metrics and diagnosis of a run
    reporting   reports and comparisons of runs
    cli         the command line
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
        drawing as drawing,
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
    from jaxgan.drawing import grid as grid
    from jaxgan.evaluation import fid as fid

# Maps the public names of this package to the modules that define them. A module is imported when one of its names is
# first used, so that the command line can parse flags before JAX is imported.
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
    "grid": "drawing",
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
    """Return the names of the public subpackages and modules of jaxgan."""
    return frozenset(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    if name in _packages():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")  # the message that Python itself raises


def __dir__() -> list[str]:
    return sorted([*__all__, *_packages()])
