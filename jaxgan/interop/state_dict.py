"""Convert PyTorch's state dicts to linen's variables and back, given the PyTorch name of each linen module.

Kernels are transposed from [out, in, h, w] to [h, w, in, out], including the kernels of transposed convolutions.
Scales, biases, means and variances are renamed. A ``Plan`` is a dictionary from the path of each array in the variables
to an ``Entry``, which contains the name of the array in the state dict and the conversions in both directions.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

Path = tuple[str, ...]  # position of an array in the variables: collection, module, parameter

_LEAVES = {
    ("params", "kernel"): "weight",
    ("params", "bias"): "bias",
    ("params", "scale"): "weight",
    ("batch_stats", "mean"): "running_mean",
    ("batch_stats", "var"): "running_var",
}
_RUNNING = ("running_mean", "running_var", "num_batches_tracked")
_MAX_LISTED = 40  # maximum number of names in a message


class Entry(NamedTuple):
    """The conversion of one array.

    Attributes:
      name: the name in the state dict. None if the state dict has no such array; the variable is then zero.
      to_torch: function that converts the variable to the array in the state dict.
      from_torch: the inverse of ``to_torch``.
    """

    name: str | None
    to_torch: Callable[[np.ndarray], np.ndarray]
    from_torch: Callable[[np.ndarray], np.ndarray]


Plan = dict[Path, Entry]


def kernel_to_torch(x: np.ndarray) -> np.ndarray:
    """Convert a kernel, [h, w, in, out], to PyTorch's order, [out, in, h, w]. Other arrays are returned unchanged.

    Args:
      x: a kernel, [h, w, in, out], or an array with another number of axes.
    """
    return x.transpose(3, 2, 0, 1) if x.ndim == 4 else x


def kernel_from_torch(x: np.ndarray) -> np.ndarray:
    """Convert a kernel from PyTorch's order. This is the inverse of ``kernel_to_torch``.

    Args:
      x: a kernel, [out, in, h, w], or an array with another number of axes.
    """
    return x.transpose(2, 3, 1, 0) if x.ndim == 4 else x


def flatten(variables: Any, prefix: Path = ()) -> dict[Path, Any]:
    """Return a dictionary from paths to the arrays, or shapes, in nested dictionaries, lists and tuples.

    A path contains the keys of dictionaries, and the indices of lists and tuples as strings.

    Args:
      variables: an array, or nested dictionaries, lists and tuples of arrays.
      prefix: the path of ``variables``, with which all paths in the result begin.

    Raises:
      ValueError: if the containers contain other values than arrays or shapes.
    """
    if isinstance(variables, Mapping | list | tuple):
        items = variables.items() if isinstance(variables, Mapping) else enumerate(variables)
        return {path: x for name, value in items for path, x in flatten(value, (*prefix, str(name))).items()}
    if not hasattr(variables, "shape"):
        raise ValueError(
            f"{'.'.join(prefix)} is of the type {type(variables).__name__}. Variables must be arrays in nested "
            "dictionaries, lists and tuples."
        )
    return {prefix: variables}


def fill(like: Any, arrays: Mapping[Path, Any], prefix: Path = ()) -> Any:
    """Return nested containers like ``like`` that contain ``arrays``. This is the inverse of ``flatten``.

    Args:
      like: nested dictionaries, lists and tuples, with any value in the place of each array.
      arrays: a dictionary from paths to arrays.
      prefix: the path of ``like`` in ``arrays``.
    """
    if isinstance(like, Mapping):
        return {name: fill(value, arrays, (*prefix, str(name))) for name, value in like.items()}
    if isinstance(like, list | tuple):
        values = [fill(value, arrays, (*prefix, str(i))) for i, value in enumerate(like)]
        return type(like)(*values) if hasattr(like, "_fields") else type(like)(values)
    return arrays[prefix]


def make_plan(like: Mapping[str, Any], modules: Mapping[str, str]) -> Plan:
    """Return the plan for a network with modules that correspond one to one to the modules in the state dict.

    Args:
      like: the variables, or their shapes.
      modules: a dictionary from the names of the modules in the variables to their names in the state dict.

    Raises:
      ValueError: if a module is not among ``modules``, or a variable is not a kernel, bias, scale, mean or variance.
    """
    found = {}
    for path in flatten(like):
        leaf = _LEAVES.get((path[0], path[-1]))
        if leaf is None or len(path) != 3 or path[1] not in modules:
            raise ValueError(
                f"{'.'.join(path)} does not belong to a network that can be converted. The modules of this network are "
                f"{_list_names(modules)}."
            )
        found[path] = Entry(f"{modules[path[1]]}.{leaf}", kernel_to_torch, kernel_from_torch)
    return found


def unknown_modules(modules: Collection[str], networks: str) -> ValueError:
    """Return the error for variables that do not belong to one of ``networks``.

    Args:
      modules: the names of the modules in the variables.
      networks: the networks that can be converted, such as "pix2pix or CycleGAN".
    """
    names = ", ".join(sorted(modules)[:9]) or "none"
    return ValueError(f"The variables do not belong to a network of {networks}. The names of their modules: {names}.")


def shapes(like: Mapping[str, Any], plan: Plan) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays in the state dict, keyed by name.

    Args:
      like: the variables of a network, or their shapes.
      plan: the plan for ``like``.
    """
    parts = flatten(like)
    found = {e.name: e.to_torch(_empty(parts[path].shape)).shape for path, e in plan.items() if e.name is not None}
    return _in_order(found)


def to_variables(arrays: Mapping[str, np.ndarray], like: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """Convert the arrays of a state dict to variables, with the dtypes of ``like``.

    All names can have a common prefix, for example ``module.`` from DataParallel, or the key of a nested dictionary.
    Arrays with another prefix are ignored. Two more kinds of arrays are ignored: the counts ``num_batches_tracked``,
    and moving statistics of layers without a scale. Instance normalisation had such statistics before PyTorch 0.4.

    Args:
      arrays: the state dict, a dictionary from names to arrays.
      like: the variables, or their shapes.
      plan: the plan for ``like``.

    Raises:
      ValueError: if several prefixes match; or if arrays are missing, are unexpected, have another shape or contain
        integers. In the second case, the message lists all arrays that do not match.
    """
    expected = shapes(like, plan)
    prefix = _prefix(arrays, expected)
    given = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    unexpected = [name for name in given if name not in expected and not _is_unused(name, given, expected)]
    missing = [name for name in expected if name not in given]
    wrong = [
        f"{name} {tuple(given[name].shape)} instead of {shape}"
        for name, shape in expected.items()
        if name in given and tuple(given[name].shape) != shape
    ]
    whole = [name for name in expected if name in given and np.asarray(given[name]).dtype.kind not in "fV"]
    lists = {"missing": missing, "not expected": unexpected, "of another shape": wrong, "of integers": whole}
    if any(lists.values()):
        problems = "; ".join(f"{len(names)} {kind}: {_list_names(names)}" for kind, names in lists.items() if names)
        raise ValueError(
            "The arrays do not match the network. Its sizes, normalisation or number of layers may be different. "
            f"Arrays that do not match: {problems}."
        )
    found = {}
    for path, leaf in flatten(like).items():
        entry = plan[path]
        value = np.zeros(leaf.shape) if entry.name is None else entry.from_torch(np.asarray(given[entry.name]))
        found[path] = np.array(value.reshape(leaf.shape), leaf.dtype, order="C")
    return fill(like, found)


def to_torch(variables: Mapping[str, Any], plan: Plan) -> dict[str, np.ndarray]:
    """Convert variables to the arrays of a state dict.

    The counts ``num_batches_tracked`` of moving statistics are 0, because jaxgan does not count batches.

    Args:
      variables: the variables of a network.
      plan: the plan for ``variables``.

    Raises:
      ValueError: if an array without a counterpart in the state dict is not zero.
    """
    found: dict[str, np.ndarray] = {}
    without_counterpart = []
    for path, leaf in flatten(variables).items():
        entry, value = plan[path], np.asarray(leaf)
        if entry.name is None:
            if value.any():
                without_counterpart.append(".".join(path))
            continue
        found[entry.name] = np.array(entry.to_torch(value), order="C")
        if entry.name.endswith(".running_var"):
            found[entry.name.removesuffix("running_var") + "num_batches_tracked"] = np.array(0)
    if without_counterpart:
        raise ValueError(
            "These variables must be zero, because the official network does not have them: "
            f"{_list_names(without_counterpart)}."
        )
    return _in_order(found)


def _in_order(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays sorted by name, with numbers in names compared by value."""

    def parts(name):
        return [(part.isdigit(), int(part) if part.isdigit() else part) for part in name.split(".")]

    return {name: arrays[name] for name in sorted(arrays, key=parts)}


def _empty(shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros of this shape without allocating memory."""
    return np.broadcast_to(np.float32(0), shape)


def suffixes(name: str) -> list[str]:
    """Return the name, and the parts of it that begin after each dot.

    >>> suffixes("module.conv.weight")
    ['module.conv.weight', 'conv.weight', 'weight']
    """
    return [name, *(name[at + 1 :] for at, character in enumerate(name) if character == ".")]


def _prefix(arrays: Collection[str], expected: Collection[str]) -> str:
    """Return the prefix that the names of the network have in ``arrays``; "" if they have no prefix.

    If several prefixes occur, this is the prefix with which the largest number of expected names exists.

    Raises:
      ValueError: if several prefixes have the same number of names.
    """
    counts: dict[str, int] = {}
    for name in arrays:
        for suffix in suffixes(name):
            if suffix in expected:
                prefix = name.removesuffix(suffix)
                counts[prefix] = counts.get(prefix, 0) + 1
    most = max(counts.values(), default=0)
    best = sorted(prefix for prefix, count in counts.items() if count == most)
    if len(best) > 1:
        prefixes = _list_names([repr(prefix) for prefix in best])
        raise ValueError(
            f"The network's arrays exist {len(best)} times, with the prefixes {prefixes}. Pass only the arrays with "
            "one of these prefixes."
        )
    return best[0] if best else ""


def _is_unused(name: str, given: Collection[str], expected: Collection[str]) -> bool:
    """Return whether the network ignores an array; see ``to_variables``."""
    module, _, leaf = name.rpartition(".")
    counted = leaf == "num_batches_tracked" and f"{module}.running_var" in expected
    return counted or (leaf in _RUNNING and f"{module}.weight" not in given)


def _list_names(names: Collection[str]) -> str:
    """Format names from a file for a message. List at most ``_MAX_LISTED`` names, and escape control characters."""
    shown = [name[:120] if name.isprintable() else repr(name[:120]) for name in list(names)[:_MAX_LISTED]]
    return ", ".join(shown) + (f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else "")
