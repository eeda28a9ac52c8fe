"""PyTorch's state dicts as linen's variables and back, given the names of PyTorch's modules for those of linen.

Kernels are transposed, [out, in, h, w] to [h, w, in, out], those of transposed convolutions alike; scales and biases,
means and variances are renamed. A ``Plan`` has, for every array of the variables, its name in the state dict and the
conversions in both directions.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

Path = tuple[str, ...]  # of an array in the variables: collection, module, parameter

_LEAVES = {
    ("params", "kernel"): "weight",
    ("params", "bias"): "bias",
    ("params", "scale"): "weight",
    ("batch_stats", "mean"): "running_mean",
    ("batch_stats", "var"): "running_var",
}
_RUNNING = ("running_mean", "running_var", "num_batches_tracked")
_MAX_LISTED = 40  # names in a message


class Entry(NamedTuple):
    """One array: its name in the state dict, and the conversions.

    Attributes:
      name: in the state dict; None if it has no such array, and the variable is zero.
      to_torch: the variable as the array of the state dict.
      from_torch: the inverse.
    """

    name: str | None
    to_torch: Callable[[np.ndarray], np.ndarray]
    from_torch: Callable[[np.ndarray], np.ndarray]


Plan = dict[Path, Entry]


def kernel_to_torch(x: np.ndarray) -> np.ndarray:
    """A kernel, [h, w, in, out], in PyTorch's order, [out, in, h, w]; an array without four axes as it is."""
    return x.transpose(3, 2, 0, 1) if x.ndim == 4 else x


def kernel_from_torch(x: np.ndarray) -> np.ndarray:
    """The inverse of ``kernel_to_torch``."""
    return x.transpose(2, 3, 1, 0) if x.ndim == 4 else x


def flatten(variables: Any, prefix: Path = ()) -> dict[Path, Any]:
    """Arrays, or their shapes, by path, from nested dictionaries, lists and tuples; a place in a list is its number.

    Raises:
      ValueError: there is something else than an array in them.
    """
    if isinstance(variables, Mapping | list | tuple):
        items = variables.items() if isinstance(variables, Mapping) else enumerate(variables)
        return {path: x for name, value in items for path, x in flatten(value, (*prefix, str(name))).items()}
    if not hasattr(variables, "shape"):
        raise ValueError(
            f"{'.'.join(prefix)} is of type {type(variables).__name__}. Variables with names must be arrays in nested "
            "dictionaries, lists and tuples."
        )
    return {prefix: variables}


def fill(like: Any, arrays: Mapping[Path, Any], prefix: Path = ()) -> Any:
    """The nested dictionaries, lists and tuples of ``like``, with the arrays that ``flatten`` gives, by path."""
    if isinstance(like, Mapping):
        return {name: fill(value, arrays, (*prefix, str(name))) for name, value in like.items()}
    if isinstance(like, list | tuple):
        values = [fill(value, arrays, (*prefix, str(i))) for i, value in enumerate(like)]
        return type(like)(*values) if hasattr(like, "_fields") else type(like)(values)
    return arrays[prefix]


def make_plan(like: Mapping[str, Any], modules: Mapping[str, str]) -> Plan:
    """The plan for variables of modules that have one to one a module in the state dict.

    Args:
      like: the variables, or their shapes.
      modules: names in the state dict by those of the variables' modules.

    Raises:
      ValueError: a module is not among ``modules``, or a variable is no kernel, bias, scale, mean or variance.
    """
    found = {}
    for path in flatten(like):
        leaf = _LEAVES.get((path[0], path[-1]))
        if leaf is None or len(path) != 3 or path[1] not in modules:
            raise ValueError(
                f"{'.'.join(path)}: no part of the networks that are read; they have {_list_names(modules)}"
            )
        found[path] = Entry(f"{modules[path[1]]}.{leaf}", kernel_to_torch, kernel_from_torch)
    return found


def unknown_modules(modules: Collection[str], networks: str) -> ValueError:
    """The error for variables whose modules are those of no network of ``networks``."""
    told = ", ".join(sorted(modules)[:9]) or "none"
    return ValueError(f"modules {told}: variables of no network of {networks}")


def shapes(like: Mapping[str, Any], plan: Plan) -> dict[str, tuple[int, ...]]:
    """The state dict's names and shapes for variables, or their shapes."""
    parts = flatten(like)
    found = {e.name: e.to_torch(_empty(parts[path].shape)).shape for path, e in plan.items() if e.name is not None}
    return _in_order(found)


def to_variables(arrays: Mapping[str, np.ndarray], like: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """Arrays of a state dict as variables, in the dtypes of ``like``.

    Names may all begin with a prefix, as DataParallel's ``module.`` or a nested dictionary's; what has another prefix
    is left out. So are counts of batches, and moving statistics where no scale is, which instance normalisation had
    before PyTorch 0.4.

    Raises:
      ValueError: names are missing, or not expected, or shapes differ: all are listed. Or several prefixes would do.
    """
    expected = shapes(like, plan)
    prefix = _prefix(arrays, expected)
    given = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    unexpected = [name for name in given if name not in expected and not _is_unused(name, given, expected)]
    missing = [name for name in expected if name not in given]
    wrong = [
        f"{name} {tuple(given[name].shape)} for {shape}"
        for name, shape in expected.items()
        if name in given and tuple(given[name].shape) != shape
    ]
    whole = [name for name in expected if name in given and np.asarray(given[name]).dtype.kind not in "fV"]
    lists = {"missing": missing, "not expected": unexpected, "of another shape": wrong, "of whole numbers": whole}
    if any(lists.values()):
        told = "; ".join(f"{len(names)} {what}: {_list_names(names)}" for what, names in lists.items() if names)
        raise ValueError(f"these weights are not this network's, whose sizes, norm or layers may differ: {told}")
    found = {}
    for path, leaf in flatten(like).items():
        entry = plan[path]
        value = np.zeros(leaf.shape) if entry.name is None else entry.from_torch(np.asarray(given[entry.name]))
        found[path] = np.array(value.reshape(leaf.shape), leaf.dtype, order="C")
    return fill(like, found)


def to_torch(variables: Mapping[str, Any], plan: Plan) -> dict[str, np.ndarray]:
    """Variables as a state dict's arrays. With moving statistics is a count of batches, which is 0: it is not known.

    Raises:
      ValueError: an array that the state dict has no place for is not zero.
    """
    found: dict[str, np.ndarray] = {}
    nowhere = []
    for path, leaf in flatten(variables).items():
        entry, value = plan[path], np.asarray(leaf)
        if entry.name is None:
            nowhere += [".".join(path)] if value.any() else []
            continue
        found[entry.name] = np.array(entry.to_torch(value), order="C")
        if entry.name.endswith(".running_var"):
            found[entry.name.removesuffix("running_var") + "num_batches_tracked"] = np.array(0)
    if nowhere:
        raise ValueError(f"the official network has no {_list_names(nowhere)}, which here are not zero")
    return _in_order(found)


def _in_order(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """By name, numbers in it by their value."""

    def parts(name):
        return [(part.isdigit(), int(part) if part.isdigit() else part) for part in name.split(".")]

    return {name: arrays[name] for name in sorted(arrays, key=parts)}


def _empty(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros of a shape, which take no memory."""
    return np.broadcast_to(np.float32(0), shape)


def suffixes(name: str) -> list[str]:
    """The name, then its parts from each dot on.

    >>> suffixes("module.conv.weight")
    ['module.conv.weight', 'conv.weight', 'weight']
    """
    return [name, *(name[at + 1 :] for at, character in enumerate(name) if character == ".")]


def _prefix(arrays: Collection[str], expected: Collection[str]) -> str:
    """What comes before the expected names: that with which most of them are there."""
    counts: dict[str, int] = {}
    for name in arrays:
        for suffix in suffixes(name):
            if suffix in expected:
                prefix = name.removesuffix(suffix)
                counts[prefix] = counts.get(prefix, 0) + 1
    most = max(counts.values(), default=0)
    best = sorted(prefix for prefix, count in counts.items() if count == most)
    if len(best) > 1:
        raise ValueError(
            f"weights are there {len(best)} times; give those alone that begin with one of {_list_names(best)}"
        )
    return best[0] if best else ""


def _is_unused(name: str, given: Collection[str], expected: Collection[str]) -> bool:
    """Whether a network has no use for an array: see ``to_variables``."""
    module, _, leaf = name.rpartition(".")
    counted = leaf == "num_batches_tracked" and f"{module}.running_var" in expected
    return counted or (leaf in _RUNNING and f"{module}.weight" not in given)


def _list_names(names: Collection[str]) -> str:
    """Names of a file for a message: not all of a million, and without what a terminal would obey."""
    shown = [name[:120] if name.isprintable() else repr(name[:120]) for name in list(names)[:_MAX_LISTED]]
    return ", ".join(shown) + (f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else "")
