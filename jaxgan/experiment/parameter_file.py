"""Parameters of a run in a file of their own, for others: ``.safetensors``, with what builds their networks again.

The metadata hold the experiment's name, its settings, and of what form an example is. So who gets the file needs
jaxgan and the experiment, and neither the run nor its data.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import interop
from jaxgan.core.state import State
from jaxgan.data.source import Arrays, Source, Unpaired
from jaxgan.experiment.config import settings
from jaxgan.experiment.experiment import Build, Experiment
from jaxgan.export.stablehlo import SYNTHETIC
from jaxgan.version import __version__


def write(path: Path, experiment: Experiment, variables: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write variables, as ``Experiment.variables`` gives them.

    Args:
      path: ``.safetensors``.
      experiment: whose they are.
      variables: by network.
      about: who made them, of which step, with which settings: text goes into the metadata as it is, all else as JSON.

    Raises:
      OSError: it cannot be written.
    """
    told = {"synthetic": SYNTHETIC, "jaxgan": __version__, **about, "examples": _form(experiment.source)}
    metadata = {name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}
    interop.write_parameters(path, variables, metadata)


def load(path: Path, name: str, config_class: type, build: Build, own_data: bool) -> tuple[Experiment, State, str]:
    """An experiment whose networks have a file's parameters, its state, and "", as of a run that is no population.

    Args:
      path: what ``write`` wrote.
      name: the experiment's.
      config_class: of its settings.
      build: makes it.
      own_data: whether, if samples are made of images, these are to be the images that the settings name. Else one
        blank example stands for all data.

    Raises:
      ValueError: it is no such file, or another experiment's, or its arrays are not those of the networks.
      OSError: it cannot be read.
    """
    told = interop.read_metadata(path)
    try:
        made_by, step, form = told["experiment"], int(told["step"]), json.loads(told["examples"])
        values = dict(json.loads(told["config"]))
        blank = _blank(form)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"--parameters {path}: its metadata do not tell which experiment it is of; in Python "
            f"jaxgan.interop.read_weights reads its arrays ({type(error).__name__}: {error})"
        ) from None
    if made_by != name:
        raise ValueError(f"--parameters {path} is of {made_by!r}, not of {name!r}: python -m experiments.{made_by}")
    config = settings(values, config_class, f"--parameters {path}", name)
    without = dataclasses.replace(config, **({"test_data": None} if hasattr(config, "test_data") else {}))
    experiment = build(without, blank)
    if own_data and experiment.inputs is not None:
        experiment = build(config)
    state = jax.jit(experiment.game.init)(jax.random.key(config.seed))
    variables = interop.read_parameters(path, experiment.variables(state))
    state = experiment.game.unwrapped.with_variables(state, variables)
    return experiment, dataclasses.replace(state, step=jnp.int32(step)), ""


def _form(source: Source) -> dict[str, Any]:
    """Of what form an example is, as JSON has it."""
    arrays = {name: (list(x.shape[1:]), x.dtype.name) for name, x in source.read(np.zeros(1, int)).items()}
    return {"arrays": arrays, "classes": list(source.classes), "unpaired": isinstance(source, Unpaired)}


def _blank(form: Mapping[str, Any]) -> Source:
    """A source of one example of that form, all zeros."""
    arrays = {
        name: np.broadcast_to(np.zeros((), dtype), (1, *shape)) for name, (shape, dtype) in form["arrays"].items()
    }
    if form["unpaired"]:
        return Unpaired(Arrays(arrays["image"]), Arrays(arrays["input"]))
    return Arrays(arrays["image"], arrays.get("label"), "none", tuple(form["classes"]), arrays.get("input"))
