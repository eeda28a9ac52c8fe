"""Convert the translations of an experiment to functions of weights. Exported files contain these functions."""

import dataclasses
from typing import Any

from jaxgan.core.keys import keys_of
from jaxgan.core.networks import Function, Net, Nets
from jaxgan.core.state import State
from jaxgan.experiment.experiment import Experiment, Translation
from jaxgan.export.stablehlo import TranslationDirection
from jaxgan.interop.parameters import fill_names, flatten_names


def directions(experiment: Experiment, state: State) -> dict[str, TranslationDirection]:
    """Return an experiment's translations with the weights of a state, as a dictionary from names of directions.

    EMA weights are used if the state has them. The dictionary is empty if the experiment does not translate images.

    Args:
      experiment: the experiment that defines the translations.
      state: the state of a single game of this experiment.
    """
    if not experiment.translations:
        return {}
    variables = experiment.variables(state)
    weights, networks = flatten_names(variables), {name: experiment.game.unwrapped.nets[name] for name in variables}

    return {
        name: _direction(translation, variables, weights, networks)
        for name, translation in experiment.translations.items()
    }


def _direction(
    translation: Translation, like: dict[str, Any], weights: dict[str, Any], networks: dict[str, Net]
) -> TranslationDirection:
    """Return a translation as functions of weights.

    Args:
      translation: the translation.
      like: dictionary from networks to their variables, which define the structure of the weights.
      weights: dictionary from flat names to the same variables.
      networks: dictionary from names to the networks of the translation.
    """

    def build_nets(weights):
        variables, nets = fill_names(like, weights), {}
        for name, net in networks.items():
            stats = dict(variables.get(name, {}))
            nets[name] = Function(stats.pop("params", {}), stats, net, train=False, name=name)
        return nets

    def run(weights, images, seed, indices, moments):
        nets = build_nets(weights)
        for name, given in moments.items():
            nets[name] = dataclasses.replace(nets[name], stats={**nets[name].stats, "moments": given})
        return translation.run(Nets(nets), images, keys_of(seed, indices))

    def moments(weights, images, seed, indices):
        recorded: dict[str, Any] = {}
        nets = {name: _MomentsRecorder(function, name, recorded) for name, function in build_nets(weights).items()}
        translation.run(Nets(nets), images, keys_of(seed, indices))  # pyright: ignore
        return recorded

    return TranslationDirection(weights, run, moments, translation.channels, translation.multiple, translation.scale)


class _MomentsRecorder:
    """A ``Function`` that records the moments (mean and variance) that its layers use to normalise their inputs."""

    def __init__(self, function: Function, name: str, recorded: dict[str, Any]):
        self._function, self._name, self._recorded = function, name, recorded

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.with_stats(*args, **kwargs)[0]

    def with_stats(self, *args: Any, **kwargs: Any) -> Any:
        output, collections = self._function.with_collections(["moments"], *args, **kwargs)
        if collections.get("moments"):
            self._recorded[self._name] = collections["moments"]
        return output, self._function.stats
