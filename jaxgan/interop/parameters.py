"""Write and read the parameters of networks as .safetensors files, with names such as ``g.params.linear.kernel``.

A name consists of the names of the network, the collection (such as ``params`` or ``batch_stats``), the module and the
array, joined by dots. Experiments are exported in this format, with their settings in the metadata. The format can also
be used for custom networks::

    write_parameters("mine.safetensors", {"g": variables}, {"license": "CC0"})
    variables = read_parameters("mine.safetensors", {"g": like})["g"]      # like: variables or their shapes
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgan.interop import state_dict
from jaxgan.interop.safetensors import read_safetensors, write_safetensors


def flatten_names(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dictionary from full names to the arrays of networks, {"g": {"params": {...}, "batch_stats": {...}}}.

    >>> import numpy as np
    >>> list(flatten_names({"g": {"params": {"layers": [{"bias": np.zeros(3)}]}}}))
    ['g.params.layers.0.bias']

    Args:
      variables: nested dictionaries, lists and tuples of arrays.
    """
    return {".".join(path): value for path, value in state_dict.flatten(variables).items()}


def fill_names(like: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested containers like ``like`` that contain ``arrays``. This is the inverse of ``flatten_names``.

    Args:
      like: nested dictionaries, lists and tuples, with any value in the place of each array.
      arrays: a dictionary from full names, such as ``g.params.dense.kernel``, to arrays.
    """
    return state_dict.fill(like, {tuple(name.split(".")): value for name, value in arrays.items()})


def write_parameters(path: str | Path, variables: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write the variables of networks to a .safetensors file.

    Args:
      path: the file.
      variables: a dictionary from the names of networks to their variables.
      metadata: a dictionary from names to strings that is stored in the file; None stores no metadata.

    Raises:
      ValueError: if the format does not support the dtype of an array.
      OSError: if the file cannot be written.
    """
    write_safetensors(path, flatten_names(variables), metadata)


def read_parameters(path: str | Path, like: Mapping[str, Any]) -> dict[str, Any]:
    """Read a file that ``write_parameters`` wrote.

    Args:
      path: the file.
      like: a dictionary from the names of networks to their variables, or to the shapes of their variables.

    Returns:
      A dictionary from the names of networks to the variables that were read.

    Raises:
      ValueError: if the file has another format or is damaged, or its arrays do not match ``like``. The message lists
        all arrays that are missing, unexpected or of another shape.
      OSError: if the file cannot be read.
    """

    def identity(x):
        return x

    plan = {path: state_dict.Entry(".".join(path), identity, identity) for path in state_dict.flatten(like)}
    arrays = read_safetensors(path)
    try:
        return state_dict.to_variables(arrays, like, plan)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
