"""Networks' parameters in a file, under names that a reader can place: ``g.params.linear.kernel``.

A name consists of those of the network, the collection (``params``, or another such as ``batch_stats``), the module and
the array. Experiments export them so, with their settings in the metadata. For networks of one's own::

    write_parameters("mine.safetensors", {"g": variables}, {"license": "CC0"})
    variables = read_parameters("mine.safetensors", {"g": like})["g"]      # like: variables or their shapes
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgan.interop import state_dict
from jaxgan.interop.safetensors import read_safetensors, write_safetensors


def flatten_names(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays of networks, {"g": {"params": {...}, "batch_stats": {...}}}, by name.

    >>> import numpy as np
    >>> list(flatten_names({"g": {"params": {"layers": [{"bias": np.zeros(3)}]}}}))
    ['g.params.layers.0.bias']
    """
    return {".".join(path): value for path, value in state_dict.flatten(variables).items()}


def fill_names(like: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``flatten_names``: arrays by name in the nested dictionaries and lists of ``like``."""
    return state_dict.fill(like, {tuple(name.split(".")): value for name, value in arrays.items()})


def write_parameters(path: str | Path, variables: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write networks' variables, by network, as ``.safetensors``; ``metadata`` is text by name.

    Raises:
      ValueError: an array is of a dtype that the format has not.
      OSError: it cannot be written.
    """
    write_safetensors(path, flatten_names(variables), metadata)


def read_parameters(path: str | Path, like: Mapping[str, Any]) -> dict[str, Any]:
    """What ``write_parameters`` wrote, as variables of the networks whose own, or their shapes, ``like`` is.

    Raises:
      ValueError: the file is none, or damaged, or its arrays are not those of ``like``: all that are missing, not
        expected or of another shape are listed.
      OSError: it cannot be read.
    """

    def identity(x):
        return x

    plan = {path: state_dict.Entry(".".join(path), identity, identity) for path in state_dict.flatten(like)}
    arrays = read_safetensors(path)
    try:
        return state_dict.to_variables(arrays, like, plan)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
