"""An experiment's translations as functions of weights."""

import dataclasses
from typing import Any

import flax.linen as nn

from jaxgan.core.game import State
from jaxgan.core.keys import keys_of
from jaxgan.core.networks import Function, Nets, takes_train
from jaxgan.experiment.experiment import Experiment, Translation
from jaxgan.export.stablehlo import Direction
from jaxgan.interop.parameters import named, unnamed


def directions(experiment: Experiment, state: State) -> dict[str, Direction]:
    """An experiment's translations as functions of weights, which are the state's, averaged where they are."""
    if not experiment.translations:
        return {}
    variables = experiment.variables(state)
    weights, modules = named(variables), {name: experiment.game.nets[name].module for name in variables}
    return {name: _direction(translation, weights, modules) for name, translation in experiment.translations.items()}


def _direction(translation: Translation, weights: dict[str, Any], modules: dict[str, nn.Module]) -> Direction:
    def nets_of(weights):
        variables = unnamed(weights)
        own = {name: dict(variables.get(name, {})) for name in modules}
        return {name: Function(own[name].pop("params", {}), own[name], modules[name], train=False) for name in own}

    def run(weights, images, seed, places, moments):
        nets = nets_of(weights)
        for name, own in moments.items():
            nets[name] = dataclasses.replace(nets[name], stats={**nets[name].stats, "moments": own})
        return translation.run(Nets(nets), images, keys_of(seed, places))

    def note(weights, images, seed, places):
        noted: dict[str, Any] = {}
        nets = {name: _Noting(function, name, noted) for name, function in nets_of(weights).items()}
        translation.run(Nets(nets), images, keys_of(seed, places))  # pyright: ignore
        return noted

    return Direction(weights, run, note, translation.channels, translation.multiple, translation.scale)


class _Noting:
    """A ``Function`` that notes the moments by which its layers normalise what it is called with."""

    def __init__(self, function: Function, name: str, noted: dict[str, Any]):
        self._function, self._name, self._noted = function, name, noted

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.with_stats(*args, **kwargs)[0]

    def with_stats(self, *args: Any, **kwargs: Any) -> Any:
        f = self._function
        if takes_train(type(f.module)):
            kwargs.setdefault("train", False)
        output, found = f.module.apply({"params": f.params, **f.stats}, *args, mutable=["moments"], **kwargs)
        if found.get("moments"):
            self._noted[self._name] = found["moments"]
        return output, f.stats
