"""Write and read the parameters of a run as a ``.safetensors`` file that can be shared.

The metadata of the file contain the experiment's name, its settings and the shapes of an example. ``load`` creates the
networks from the metadata. The recipient of the file therefore needs jaxgan and the experiment, but neither the run nor
its data.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import interop
from jaxgan.core.json_files import parse_json
from jaxgan.core.state import State
from jaxgan.data.description import blank_source, describe_arrays
from jaxgan.experiment.experiment import Build, Experiment
from jaxgan.experiment.settings_file import read_settings
from jaxgan.export.stablehlo import SYNTHETIC
from jaxgan.version import __version__

# The form of the metadata `examples`; see jaxgan.core.json_files. `arrays` contains a shape and a dtype for each name.
EXAMPLES = {"arrays": {str: list}, "classes": [str], "unpaired": bool}


def write(path: Path, experiment: Experiment, variables: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write the variables of networks to a file.

    Args:
      path: the ``.safetensors`` file.
      experiment: the experiment that the networks belong to.
      variables: dictionary from networks to their variables, as ``Experiment.variables`` returns it.
      about: further metadata, such as the experiment, the step and the settings. Strings are written unchanged, and
        other values as JSON.

    Raises:
      OSError: if the file cannot be written.
    """
    examples = describe_arrays(experiment.source)
    if not experiment.sampling.classes:  # the networks do not need the names of the classes
        examples["classes"] = []
    entries = {
        "synthetic": SYNTHETIC,
        "jaxgan": __version__,
        **about,
        "examples": examples,
    }
    metadata = {name: value if isinstance(value, str) else json.dumps(value) for name, value in entries.items()}
    interop.write_parameters(path, variables, metadata)


def load(path: Path, name: str, config_class: type, build: Build, own_data: bool) -> tuple[Experiment, State, str]:
    """Create an experiment and its state from the parameters in a file.

    Args:
      path: a file that ``write`` created.
      name: the expected name of the experiment.
      config_class: the class of the settings, a subclass of ``CommonSettings``.
      build: function that creates an experiment from settings.
      own_data: whether an experiment that translates images reads the data set given in its settings. If False, one
        blank example replaces the data. In other experiments, one blank example always replaces the data.

    Returns:
      The experiment, its state with the parameters of the file, and an empty string. The string stands for the name
      of a population's member. It is empty because a file contains a single game and no population.

    Raises:
      ValueError: if the file was not created by ``write``, belongs to another experiment, or has arrays that do not
        match the networks.
      OSError: if the file cannot be read.
    """
    metadata = interop.read_metadata(path)
    try:
        made_by, step = metadata["experiment"], int(metadata["step"])
        source = blank_source(parse_json(metadata["examples"], "`examples`", EXAMPLES, fix=""))
        values = parse_json(metadata["config"], "`config`", dict, fix="")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"The metadata of `parameters` {path} do not describe the experiment of the file "
            f"({type(error).__name__}: {error}). Write the file with `jaxgan export`, or read its arrays in Python "
            "with `jaxgan.interop.read_weights`."
        ) from None
    if made_by != name:
        raise ValueError(
            f"`parameters` {path} belongs to the experiment {made_by!r}, not to {name!r}. Use `jaxgan sample`, which "
            "reads the name of the experiment from the file."
        )
    config = read_settings(values, config_class, f"`parameters` {path}", name)
    without_test_data = config
    if hasattr(config, "test_data"):  # names the test images of a translator, which can be missing on this machine
        without_test_data = dataclasses.replace(config, test_data=None)
    experiment = build(without_test_data, source)
    if own_data and experiment.inputs is not None:
        try:
            experiment = build(config)
        except ValueError as error:
            raise ValueError(
                f"{error} The samples of this experiment are translations of its data. To translate other images, use "
                "the command `translate`."
            ) from None
    state = jax.jit(experiment.game.init)(jax.random.key(config.seed))
    variables = interop.read_parameters(path, experiment.variables(state))
    state = jax.device_put(experiment.game.unwrapped.with_variables(state, variables))
    return experiment, dataclasses.replace(state, step=jnp.int32(step)), ""
