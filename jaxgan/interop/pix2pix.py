"""Convert weights of https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix to variables and back.

These official networks are supported with any depth and number of channels, and with batch, instance or no
normalisation:

- the generators unet_64, unet_128, unet_256, resnet_6blocks and resnet_9blocks; and
- the discriminators basic, n_layers and pixel.

They correspond to the networks in jaxgan's ``models.pix2pix`` and ``models.cyclegan``. The functions recognise the
network by the names of its variables.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.interop import state_dict


def to_variables(arrays: Mapping[str, np.ndarray], like: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a state dict to variables.

    If the official network has dropout or zero padding, the layers of a block have other numbers in their names. The
    function detects this. ``state_dict.to_variables`` describes which prefixes names can have, and which arrays are
    ignored.

    Args:
      arrays: the state dict, a dictionary from names to arrays.
      like: variables of the module, or their shapes.

    Raises:
      ValueError: if the arrays do not match ``like``. The message lists all arrays that are missing, unexpected or of
        another shape.
    """
    layouts = [(padding, dropout) for padding in ("reflect", "zero") for dropout in (False, True)]
    plans = [_plan(like, *layout) for layout in layouts]
    given = {(suffix, value.shape) for name, value in arrays.items() for suffix in state_dict.suffixes(name)}
    fits = [len(state_dict.shapes(like, plan).items() & given) for plan in plans]
    return state_dict.to_variables(arrays, like, plans[fits.index(max(fits))])


def to_torch(variables: Mapping[str, Any], padding: str = "reflect", dropout: bool = False) -> dict[str, np.ndarray]:
    """Convert variables to the state dict of the official network.

    Args:
      variables: variables of a module of ``models.pix2pix`` or ``models.cyclegan``.
      padding: padding of the residual blocks in the official network: "reflect", "replicate" or "zero". It affects the
        numbers in the names of the layers.
      dropout: whether the residual blocks of the official network have dropout. It affects the numbers in the names of
        the layers too.

    Raises:
      ValueError: if the variables are of another module.
    """
    return state_dict.to_torch(variables, _plan(variables, padding, dropout))


def shapes(like: Mapping[str, Any], padding: str = "reflect", dropout: bool = False) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the official state dict, keyed by name, without the arrays ``num_batches_tracked``.

    Args:
      like: the variables of a network, or their shapes.
      padding: padding of the official network's residual blocks; see ``to_torch``.
      dropout: whether the official network's residual blocks have dropout; see ``to_torch``.
    """
    return state_dict.shapes(like, _plan(like, padding, dropout))


def _plan(like, padding, dropout):
    return state_dict.make_plan(like, _official_names(set(like.get("params", ())), padding, dropout))


def _official_names(modules: set[str], padding: str, dropout: bool) -> dict[str, str]:
    """Return a dictionary from the names of jaxgan's modules to the names of the official modules."""

    def count(name):
        return sum(name.format(i) in modules for i in range(len(modules)))

    if "nearest_0" in modules:
        raise ValueError(
            "The generator has upsample='nearest', but the official generators have transposed convolutions. Create it "
            "with upsample='transposed'."
        )
    if {"first", "image"} <= modules:
        return _resnet(count("block_{}_0"), padding, dropout)
    if {"down_0", "up_0"} <= modules:
        return _unet(count("down_{}"))
    if {"conv_0", "logit"} <= modules:
        return _patches(count("conv_{}"))
    if {"pixel_0", "logit"} <= modules:
        return {"pixel_0": "net.0", "pixel_1": "net.2", "norm_1": "net.3", "logit": "net.5"}
    raise state_dict.unknown_modules(modules, "pix2pix or CycleGAN")


def _unet(downs: int) -> dict[str, str]:
    """Return the names of the modules of a U-Net, see ``_official_names``.

    In the official network, each level is nested in the level before it. A level consists of an activation, a
    convolution, a norm, the next level, and again an activation, a convolution and a norm.
    """
    names = {"down_0": "model.model.0", "up_0": "model.model.3"}
    level = "model.model.1.model"
    for i in range(1, downs):
        up = 5 if i < downs - 1 else 3  # the innermost level has no norm after its first convolution, and no next level
        names |= {f"down_{i}": f"{level}.1", f"down_norm_{i}": f"{level}.2"}
        names |= {f"up_{i}": f"{level}.{up}", f"up_norm_{i}": f"{level}.{up + 1}"}
        level += ".3.model"
    return names


def _resnet(blocks: int, padding: str, dropout: bool) -> dict[str, str]:
    """Return the names of the modules of a ResNet, see ``_official_names``.

    The official network is a single sequence, in which padding, activations and dropout have numbers too.
    """
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
    """Return the names of the modules of a PatchGAN discriminator, see ``_official_names``."""
    names = {"conv_0": "model.0", "logit": f"model.{3 * convolutions - 1}"}
    for i in range(1, convolutions):
        names |= {f"conv_{i}": f"model.{3 * i - 1}", f"norm_{i}": f"model.{3 * i}"}
    return names
