"""An experiment's translations between images, as functions of weights."""

import dataclasses
from typing import Any

import flax.linen as nn

from jaxgan.core.keys import keys_of
from jaxgan.core.networks import Function, Nets, takes_train
from jaxgan.core.state import State
from jaxgan.experiment.experiment import Experiment, Translation
from jaxgan.export.stablehlo import TranslationDirection
from jaxgan.interop.parameters import flatten_names, unflatten_names


def directions(experiment: Experiment, state: State) -> dict[str, TranslationDirection]:
    """An experiment's translations by the direction's name, with the state's weights: EMA weights where it has them."""
    if not experiment.translations:
        return {}
    variables = experiment.variables(state)
    weights, modules = (
        flatten_names(variables),
        {name: experiment.game.unwrapped.nets[name].module for name in variables},
    )
    return {name: _direction(translation, weights, modules) for name, translation in experiment.translations.items()}


def _direction(
    translation: Translation, weights: dict[str, Any], modules: dict[str, nn.Module]
) -> TranslationDirection:
    def build_nets(weights):
        variables, nets = unflatten_names(weights), {}
        for name, module in modules.items():
            stats = dict(variables.get(name, {}))
            nets[name] = Function(stats.pop("params", {}), stats, module, train=False)
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
    """A ``Function`` that records the moments by which its layers normalise their inputs."""

    def __init__(self, function: Function, name: str, recorded: dict[str, Any]):
        self._function, self._name, self._recorded = function, name, recorded

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.with_stats(*args, **kwargs)[0]

    def with_stats(self, *args: Any, **kwargs: Any) -> Any:
        f = self._function
        if takes_train(type(f.module)):
            kwargs.setdefault("train", False)
        output, collections = f.module.apply({"params": f.params, **f.stats}, *args, mutable=["moments"], **kwargs)
        if collections.get("moments"):
            self._recorded[self._name] = collections["moments"]
        return output, f.stats
