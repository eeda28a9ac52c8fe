"""A run's parameters as a ``.safetensors`` file for others.

The metadata hold the experiment's name, its settings and the shapes of an example, from which the networks are built
again: who gets the file needs jaxgan and the experiment, but neither the run nor its data.
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
from jaxgan.experiment.experiment import Build, Experiment
from jaxgan.experiment.settings_file import read_settings
from jaxgan.export.stablehlo import SYNTHETIC
from jaxgan.version import __version__


def write(path: Path, experiment: Experiment, variables: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write the variables of networks.

    Args:
      path: the ``.safetensors`` file.
      experiment: the experiment whose networks they are.
      variables: by network, as ``Experiment.variables`` gives them.
      about: what made them, at which step, with which settings: text goes into the metadata as it is, the rest as JSON.

    Raises:
      OSError: the file cannot be written.
    """
    entries = {
        "synthetic": SYNTHETIC,
        "jaxgan": __version__,
        **about,
        "examples": _describe_examples(experiment.source),
    }
    metadata = {name: value if isinstance(value, str) else json.dumps(value) for name, value in entries.items()}
    interop.write_parameters(path, variables, metadata)


def load(path: Path, name: str, config_class: type, build: Build, own_data: bool) -> tuple[Experiment, State, str]:
    """An experiment whose networks have a file's parameters, its state, and "", the name of a single game's member.

    Args:
      path: what ``write`` wrote.
      name: the experiment's name.
      config_class: the class of its settings, a subclass of ``Settings``.
      build: makes an experiment of settings.
      own_data: where samples are made of images, read the images that the settings name. Else one blank example
        stands for all data.

    Raises:
      ValueError: it is no such file, or another experiment's, or its arrays are not those of the networks.
      OSError: the file cannot be read.
    """
    metadata = interop.read_metadata(path)
    try:
        made_by, step = metadata["experiment"], int(metadata["step"])
        source = _blank_source(json.loads(metadata["examples"]))
        values = dict(json.loads(metadata["config"]))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"`parameters` {path} has metadata that do not tell which experiment it is of; in Python "
            f"jaxgan.interop.read_weights reads its arrays ({type(error).__name__}: {error})."
        ) from None
    if made_by != name:
        raise ValueError(
            f"`parameters` {path} is of {made_by!r}, not of {name!r}; the command jaxgan sample finds its program."
        )
    config = read_settings(values, config_class, f"`parameters` {path}", name)
    without_test_data = config
    if hasattr(config, "test_data"):  # of translators; it names images that need not be here
        without_test_data = dataclasses.replace(config, test_data=None)
    experiment = build(without_test_data, source)
    if own_data and experiment.inputs is not None:
        experiment = build(config)
    state = jax.jit(experiment.game.init)(jax.random.key(config.seed))
    variables = interop.read_parameters(path, experiment.variables(state))
    state = experiment.game.unwrapped.with_variables(state, variables)
    return experiment, dataclasses.replace(state, step=jnp.int32(step)), ""


def _describe_examples(source: Source) -> dict[str, Any]:
    """The shapes and types of an example, as JSON has them."""
    arrays = {name: (list(x.shape[1:]), x.dtype.name) for name, x in source.read(np.zeros(1, int)).items()}
    return {"arrays": arrays, "classes": list(source.classes), "unpaired": isinstance(source, Unpaired)}


def _blank_source(description: Mapping[str, Any]) -> Source:
    """A source of one example that is so described, all zeros."""
    arrays = {
        name: np.broadcast_to(np.zeros((), dtype), (1, *shape))
        for name, (shape, dtype) in description["arrays"].items()
    }
    if description["unpaired"]:
        return Unpaired(Arrays(arrays["image"]), Arrays(arrays["input"]))
    classes = tuple(description["classes"])
    return Arrays(arrays["image"], arrays.get("label"), "none", classes, arrays.get("input"))
