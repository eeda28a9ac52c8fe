"""Weights of https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix, in and out.

Its generators unet_64, unet_128, unet_256, resnet_6blocks and resnet_9blocks, of any size and width, its discriminators
basic, n_layers and pixel, each with batch, instance or no normalisation: jaxgan's ``models.pix2pix`` and
``models.cyclegan``. Which it is, is seen from the variables.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.interop import state_dict


def to_variables(arrays: Mapping[str, np.ndarray], like: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict as variables of the module whose own, or their shapes, ``like`` is.

    Files of networks with dropout or zero padding, whose blocks are numbered otherwise, are recognised. For prefixes
    and what is left out see ``state_dict.to_variables``.

    Raises:
      ValueError: the arrays are not those of ``like``: all that are missing, unexpected or of another shape are listed.
    """
    layouts = [(padding, dropout) for padding in ("reflect", "zero") for dropout in (False, True)]
    plans = [_plan(like, *layout) for layout in layouts]
    given = {(suffix, value.shape) for name, value in arrays.items() for suffix in state_dict.suffixes(name)}
    fits = [len(state_dict.shapes(like, plan).items() & given) for plan in plans]
    return state_dict.to_variables(arrays, like, plans[fits.index(max(fits))])


def to_torch(variables: Mapping[str, Any], padding: str = "reflect", dropout: bool = False) -> dict[str, np.ndarray]:
    """Variables as the official network's state dict.

    Args:
      variables: of a module of ``models.pix2pix`` or ``models.cyclegan``.
      padding: of the residual blocks, "reflect", "replicate" or "zero": with the last they are numbered otherwise.
      dropout: whether the residual blocks of the official network have it; so again.

    Raises:
      ValueError: the variables are of another module.
    """
    return state_dict.to_torch(variables, _plan(variables, padding, dropout))


def shapes(like: Mapping[str, Any], padding: str = "reflect", dropout: bool = False) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the official state dict, but for counts of batches; arguments are those of ``to_torch``."""
    return state_dict.shapes(like, _plan(like, padding, dropout))


def _plan(like, padding, dropout):
    return state_dict.make_plan(like, _modules(set(like.get("params", ())), padding, dropout))


def _modules(ours: set[str], padding: str, dropout: bool) -> dict[str, str]:
    """Our modules' names to theirs."""

    def count(name):
        return sum(name.format(i) in ours for i in range(len(ours)))

    if "nearest_0" in ours:
        raise ValueError("upsample='nearest': official generators have transposed convolutions; build it with those")
    if {"first", "image"} <= ours:
        return _resnet(count("block_{}_0"), padding, dropout)
    if {"down_0", "up_0"} <= ours:
        return _unet(count("down_{}"))
    if {"conv_0", "logit"} <= ours:
        return _patches(count("conv_{}"))
    if {"pixel_0", "logit"} <= ours:
        return {"pixel_0": "net.0", "pixel_1": "net.2", "norm_1": "net.3", "logit": "net.5"}
    raise state_dict.unknown_modules(ours, "pix2pix or CycleGAN")


def _unet(downs: int) -> dict[str, str]:
    """Each level is within the one before: activation, convolution, norm, the next level, and the same three again."""
    names = {"down_0": "model.model.0", "up_0": "model.model.3"}
    level = "model.model.1.model"
    for i in range(1, downs):
        up = 5 if i < downs - 1 else 3  # the innermost has no norm on its way down, and none within it
        names |= {f"down_{i}": f"{level}.1", f"down_norm_{i}": f"{level}.2"}
        names |= {f"up_{i}": f"{level}.{up}", f"up_norm_{i}": f"{level}.{up + 1}"}
        level += ".3.model"
    return names


def _resnet(blocks: int, padding: str, dropout: bool) -> dict[str, str]:
    """One sequence, in which padding, activation and dropout have numbers too."""
    names = {"first": "model.1", "first_norm": "model.2"}
    for i in range(2):
        names |= {f"down_{i}": f"model.{4 + 3 * i}", f"down_norm_{i}": f"model.{5 + 3 * i}"}
    pad = padding != "zero"
    first = int(pad)
    second = first + 3 + dropout + pad
    for i in range(blocks):
        block = f"model.{10 + i}.conv_block"
        names |= {f"block_{i}_0": f"{block}.{first}", f"block_{i}_norm_0": f"{block}.{first + 1}"}
        names |= {f"block_{i}_1": f"{block}.{second}", f"block_{i}_norm_1": f"{block}.{second + 1}"}
    after = 10 + blocks
    for i in range(2):
        names |= {f"up_{i}": f"model.{after + 3 * i}", f"up_norm_{i}": f"model.{after + 1 + 3 * i}"}
    return {**names, "image": f"model.{after + 7}"}


def _patches(convolutions: int) -> dict[str, str]:
    names = {"conv_0": "model.0", "logit": f"model.{3 * convolutions - 1}"}
    for i in range(1, convolutions):
        names |= {f"conv_{i}": f"model.{3 * i - 1}", f"norm_{i}": f"model.{3 * i}"}
    return names
