"""Weights of https://github.com/NVlabs/stylegan2-ada-pytorch, in and out: G, or G_ema, and D.

Of any size, with labels and without; and StyleGAN2's of https://github.com/NVlabs/stylegan3, whose names are the same.
They are jaxgan's ``models.stylegan2`` with images of 4 x 4 doubled. One state dict of G is two networks::

    arrays = read_weights("G_ema.npz")                       # G_ema.state_dict()
    mapping = stylegan2.to_variables(arrays, mapping_like)
    synthesis = stylegan2.to_variables(arrays, synthesis_like)
    images = Synthesis(...).apply(synthesis, ws, stylegan2.noise(arrays))
    stylegan2.to_torch({"mapping": mapping, "synthesis": synthesis})

What each is given of the other's is left out, by the name before the dot. Of one level, i, the official name is
b<side>, the side being 4 doubled i times. Constant noise is no variable of ours: it is an argument.

NVIDIA gives networks as pickles, which execute what is in them: docs/weights.md has how their owner makes the file.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.interop import state_dict

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64
_PARTS = {"mapping", "synthesis"}  # of a generator


def to_variables(arrays: Mapping[str, np.ndarray], like: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict as variables of the module whose own, or their shapes, ``like`` is.

    Args:
      arrays: the state dict's. For prefixes see ``state_dict.to_variables``.
      like: variables of ``Mapping``, ``Synthesis`` or ``Discriminator``, or {"mapping": ..., "synthesis": ...}, both.

    Raises:
      ValueError: the arrays are not those of ``like``: all that are missing, unexpected or of another shape are listed.
        Or the network's resampling has another filter.
    """
    for name, value in arrays.items():
        is_filter = name.endswith("resample_filter")
        if is_filter and (value.shape != FILTER.shape or not np.allclose(value, FILTER, atol=1e-4)):
            raise ValueError(f"{name}: a filter other than [1, 3, 3, 1], which is what jaxgan's networks have")
    given = {name: value for name, value in arrays.items() if not name.endswith(("resample_filter", "noise_const"))}
    return state_dict.to_variables(given, like, _plan(like))


def noise(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """The constant noise of a generator's state dict, as ``Synthesis`` is called with it.

    Raises:
      ValueError: there is none, or of several networks.
    """
    found = {_layer(name): np.asarray(value, np.float32) for name, value in arrays.items() if _is_noise(name)}
    if not found or len(found) < sum(map(_is_noise, arrays)):
        raise ValueError(
            f"constant noise of {len(found)} layers, once each: these are not the weights of one generator"
        )
    return tuple(found[layer] for layer in sorted(found))


def to_torch(variables: Mapping[str, Any], noise: tuple[Any, ...] = ()) -> dict[str, np.ndarray]:
    """Variables as the official network's state dict, whole, with its filters.

    Args:
      variables: of one of the three modules, or {"mapping": ..., "synthesis": ...}, which is G's.
      noise: the constant noise, as ``Synthesis`` is called with it; without, it is drawn.

    Raises:
      ValueError: the variables are of another module, or the noise of other shapes.
    """
    found = state_dict.to_torch(variables, _plan(variables))
    names = {name: shape for name, shape in shapes(variables).items() if _is_noise(name)}
    names = {name: names[name] for name in sorted(names, key=_layer)}
    draws = np.random.default_rng(0)
    maps = [np.asarray(x, np.float32) for x in noise] or [draws.normal(size=shape) for shape in names.values()]
    if [x.shape for x in maps] != list(names.values()):
        raise ValueError(f"maps of noise of shapes {[x.shape for x in maps]}: want {list(names.values())}")
    found |= {name: x.astype(np.float32) for name, x in zip(names, maps)}
    for name in list(found):
        block = re.match(r"((?:synthesis\.)?b\d+)\.", name)
        if block and name.endswith(".weight") and not re.search(r"\.(torgb|affine|fc|out)\b", name):
            found[name.removesuffix("weight") + "resample_filter"] = FILTER.copy()
            # The last level of D is no block of its own there.
            if not name.startswith("b4.conv."):
                found[f"{block[1]}.resample_filter"] = FILTER.copy()
    return found


def shapes(like: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the official state dict, but for filters."""
    found = state_dict.shapes(like, _plan(like))
    for name in list(found):
        if name.endswith("noise_strength"):
            found[name.replace("strength", "const")] = (_layer(name)[0],) * 2
    return found


def _is_noise(name):
    return name.endswith("noise_const")


def _layer(name):
    """Of a name in a layer of the generator, its side and its place in the level."""
    found = re.search(r"b(\d+)\.conv([01])\.", name)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _plan(like: Mapping[str, Any], prefix: str = "") -> state_dict.Plan:
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
    """``ValueError`` unless the smallest level is 4 x 4, as in the official networks."""
    if "constant" in params:
        places = params["constant"].shape[:2]
        fits = tuple(places) == (4, 4)
    else:
        inputs, features = params["linear"]["kernel"].shape
        places = f"{inputs // features} places"
        fits = inputs == 16 * features
    if not fits:
        raise ValueError(f"the smallest level is of {places}: the official networks' are of (4, 4)")


def _entry(path: state_dict.Path, shape: tuple[int, ...], prefix: str, levels: int, like: Any) -> state_dict.Entry:
    """The official name, and form, of an array."""
    if path == ("moving", "w"):
        return state_dict.Entry(f"{prefix}w_avg", _identity, _identity)
    if path == ("params", "constant"):
        return state_dict.Entry(f"{prefix}b4.const", lambda x: x.transpose(2, 0, 1), lambda x: x.transpose(1, 2, 0))
    *modules, leaf = path[1:]
    name = ".".join([*(_module(module, levels) for module in modules), _LEAVES.get(leaf, leaf)])
    if modules == ["linear"] and leaf == "kernel":
        # Its inputs are an image's, with the channels first there.
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
        raise ValueError(f"{name}: no module of StyleGAN2's networks")
    return _NAMES[name]


def _identity(x):
    return x
