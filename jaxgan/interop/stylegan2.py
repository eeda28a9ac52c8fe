"""Convert the weights of https://github.com/NVlabs/stylegan2-ada-pytorch (G, G_ema and D) to variables and back.

All sizes are supported, with and without labels. The StyleGAN2 networks of https://github.com/NVlabs/stylegan3 have the
same names and are supported too. The networks correspond to jaxgan's ``models.stylegan2`` if the smallest level of the
images has 4 x 4 pixels. The state dict of G contains two networks::

    arrays = read_weights("G_ema.npz")                       # G_ema.state_dict()
    mapping = stylegan2.to_variables(arrays, mapping_like)
    synthesis = stylegan2.to_variables(arrays, synthesis_like)
    images = Synthesis(...).apply(synthesis, ws, stylegan2.noise(arrays))
    stylegan2.to_torch({"mapping": mapping, "synthesis": synthesis})

Each call of ``to_variables`` selects the arrays of one network by the first part of their names, and ignores all other
arrays. Level i of a network (its layers of one resolution) has the official name b<side>, where <side> is 4 * 2**i
pixels. The constant noise is not a variable of jaxgan's modules. It is an argument of ``Synthesis``.

NVIDIA publishes networks as pickles, and loading a pickle executes the code in it. docs/how_to/weights.md describes how
to convert such a file.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.interop import state_dict

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64
_PARTS = {"mapping", "synthesis"}  # the networks of a generator


def to_variables(arrays: Mapping[str, np.ndarray], like: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a state dict to variables.

    Args:
      arrays: the state dict, a dictionary from names to arrays. ``state_dict.to_variables`` describes which prefixes
        names can have.
      like: the variables of ``Mapping``, ``Synthesis`` or ``Discriminator``, or their shapes; or both parts of a
        generator, {"mapping": ..., "synthesis": ...}.

    Raises:
      ValueError: if the network resamples with another filter than ``FILTER``; or if the arrays do not match ``like``.
        In the second case, the message lists all arrays that are missing, unexpected or of another shape.
    """
    for name, value in arrays.items():
        is_filter = name.endswith("resample_filter")
        if is_filter and (value.shape != FILTER.shape or not np.allclose(value, FILTER, atol=1e-4)):
            raise ValueError(
                f"{name} must be the filter [1, 3, 3, 1], because jaxgan's networks support no other filter."
            )
    given = {name: value for name, value in arrays.items() if not name.endswith(("resample_filter", "noise_const"))}
    return state_dict.to_variables(given, like, _plan(like))


def noise(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return the constant noise in a generator's state dict, to be passed to ``Synthesis``.

    Args:
      arrays: the official state dict, a dictionary from names to arrays.

    Returns:
      The noise maps in the order of the layers, each [h, w], float32.

    Raises:
      ValueError: if there is no constant noise, or the arrays belong to several networks.
    """
    found = {_layer(name): np.asarray(value, np.float32) for name, value in arrays.items() if _is_noise(name)}
    if not found or len(found) < sum(map(_is_noise, arrays)):
        raise ValueError(
            "The arrays must be the weights of one generator, with one constant noise map per layer, but they have "
            f"{sum(map(_is_noise, arrays))} noise maps for {len(found)} layers."
        )
    return tuple(found[layer] for layer in sorted(found))


def to_torch(variables: Mapping[str, Any], noise: tuple[Any, ...] = ()) -> dict[str, np.ndarray]:
    """Convert variables to the complete state dict of the official network, with its filters.

    Args:
      variables: the variables of ``Mapping``, ``Synthesis`` or ``Discriminator``; or both parts of a generator,
        {"mapping": ..., "synthesis": ...}.
      noise: the constant noise, as ``Synthesis`` receives it. If it is empty, the noise is drawn at random.

    Raises:
      ValueError: if the variables are of another module, or the noise has other shapes.
    """
    found = state_dict.to_torch(variables, _plan(variables))
    names = {name: shape for name, shape in shapes(variables).items() if _is_noise(name)}
    names = {name: names[name] for name in sorted(names, key=_layer)}
    draws = np.random.default_rng(0)
    maps = [np.asarray(x, np.float32) for x in noise] or [draws.normal(size=shape) for shape in names.values()]
    if [x.shape for x in maps] != list(names.values()):
        raise ValueError(f"`noise` must have maps of the shapes {list(names.values())}, got {[x.shape for x in maps]}.")
    found |= {name: x.astype(np.float32) for name, x in zip(names, maps)}
    for name in list(found):
        block = re.match(r"((?:synthesis\.)?b\d+)\.", name)
        if block and name.endswith(".weight") and not re.search(r"\.(torgb|affine|fc|out)\b", name):
            found[name.removesuffix("weight") + "resample_filter"] = FILTER.copy()
            # A level has its own filter in addition to the filters of its convolutions. In the last level of the
            # official discriminator, b4, only the convolution has a filter.
            if not name.startswith("b4.conv."):
                found[f"{block[1]}.resample_filter"] = FILTER.copy()
    return found


def shapes(like: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the official state dict, keyed by name, without the arrays of filters.

    Args:
      like: the variables of a network, or their shapes.
    """
    found = state_dict.shapes(like, _plan(like))
    for name in list(found):
        if name.endswith("noise_strength"):
            found[name.replace("strength", "const")] = (_layer(name)[0],) * 2
    return found


def _is_noise(name):
    return name.endswith("noise_const")


def _layer(name):
    """Return the side of a layer in pixels and its index in the level, from the name of an array in the generator."""
    found = re.search(r"b(\d+)\.conv([01])\.", name)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _plan(like: Mapping[str, Any], prefix: str = "") -> state_dict.Plan:
    """Return the plan of the conversion for the variables of one of the modules, or of a generator."""
    if like and like.keys() <= _PARTS:
        parts = {part: _plan(like[part], f"{part}.") for part in like}
        return {(part, *path): entry for part, plan in parts.items() for path, entry in plan.items()}
    params = like.get("params", {})
    levels = sum(bool(re.fullmatch(r"conv_\d+_0", name)) for name in params)
    if not (params.keys() & {"linear_0", "constant"} or {"image", "conv", "logit"} <= params.keys()):
        raise state_dict.unknown_modules(params, "StyleGAN2")
    if "linear_0" not in params:
        _check_base_shape(params)
    return {path: _entry(path, leaf.shape, prefix, levels, like) for path, leaf in state_dict.flatten(like).items()}


def _check_base_shape(params):
    """Check that the smallest level has 4 x 4 pixels, as in the official networks.

    Raises:
      ValueError: if the smallest level has another size.
    """
    if "constant" in params:
        height, width = params["constant"].shape[:2]
        size = f"{height} x {width} pixels"
        fits = (height, width) == (4, 4)
    else:
        inputs, features = params["linear"]["kernel"].shape
        size = f"{inputs // features} pixels"
        fits = inputs == 16 * features
    if not fits:
        raise ValueError(f"The smallest level must have 4 x 4 pixels, as in the official networks, got {size}.")


def _entry(path: state_dict.Path, shape: tuple[int, ...], prefix: str, levels: int, like: Any) -> state_dict.Entry:
    """Return the official name of an array, and its conversions."""
    if path == ("moving", "w"):
        return state_dict.Entry(f"{prefix}w_avg", _identity, _identity)
    if path == ("params", "constant"):
        return state_dict.Entry(f"{prefix}b4.const", lambda x: x.transpose(2, 0, 1), lambda x: x.transpose(1, 2, 0))
    *modules, leaf = path[1:]
    name = ".".join([*(_module(module, levels) for module in modules), _LEAVES.get(leaf, leaf)])
    if modules == ["linear"] and leaf == "kernel":
        # The input of this layer is a flattened image. In the official networks, its channels come first.
        inputs, outputs = shape
        features = like["params"]["conv"]["kernel"].shape[-1]
        return state_dict.Entry(
            f"{prefix}{name}",
            lambda x: x.reshape(-1, features, outputs).transpose(2, 1, 0).reshape(outputs, inputs),
            lambda x: x.reshape(outputs, features, -1).transpose(2, 1, 0).reshape(inputs, outputs),
        )
    if len(shape) == 2:
        return state_dict.Entry(f"{prefix}{name}", np.transpose, np.transpose)
    return state_dict.Entry(f"{prefix}{name}", state_dict.kernel_to_torch, state_dict.kernel_from_torch)


_LEAVES: dict[str, str] = {"kernel": "weight", "strength": "noise_strength"}
_NAMES: dict[str, str] = {
    "embedding": "embed",
    "style": "affine",
    "label": "mapping",
    "conv": "b4.conv",
    "linear": "b4.fc",
    "logit": "b4.out",
}


def _module(name: str, levels: int) -> str:
    """Return the official name of a module in a network with ``levels`` levels."""
    if name == "image":
        return f"b{4 << levels}.fromrgb"
    kind, _, numbers = name.partition("_")
    if kind == "linear" and numbers:
        return f"fc{numbers}"
    if kind in ("conv", "image", "skip") and numbers:
        level, _, place = numbers.partition("_")
        part = {"conv": f"conv{place}", "image": "torgb", "skip": "skip"}[kind]
        return f"b{4 << int(level)}.{part}"
    if name not in _NAMES:
        raise ValueError(f"The module {name} does not belong to a network of StyleGAN2.")
    return _NAMES[name]


def _identity(x):
    return x
