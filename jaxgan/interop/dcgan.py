"""Convert weights of netG and netD in https://github.com/pytorch/examples, dcgan/main.py, to variables and back.

These networks correspond to ``models.dcgan`` with ``channels=64``, with these differences:

- The official generator begins with a transposed convolution of a single pixel, and jaxgan's generator begins with a
  linear layer.
- The official discriminator ends with a convolution of 4 x 4 pixels, and jaxgan's discriminator ends with a linear
  layer.
- The official convolutions have no bias, so the biases of jaxgan's modules are zero.
- Latents are [B, 100] in jaxgan and [B, 100, 1, 1] in PyTorch.
- The discriminator returns a logit in jaxgan and a probability in PyTorch.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.interop import state_dict


def to_variables(arrays: Mapping[str, np.ndarray], like: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a state dict to variables.

    Args:
      arrays: the state dict, a dictionary from names to arrays.
      like: variables of the module, or their shapes.

    Raises:
      ValueError: if the arrays do not match ``like``. The message lists all arrays that are missing, unexpected or of
        another shape.
    """
    return state_dict.to_variables(arrays, like, _plan(like))


def to_torch(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Convert variables to the state dict of the official network.

    Args:
      variables: the variables of a module of ``models.dcgan``, a dictionary with collection names as keys.

    Raises:
      ValueError: if the variables are of another module, or if a bias is not zero although the official network does
        not have this bias.
    """
    return state_dict.to_torch(variables, _plan(variables))


def shapes(like: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the official state dict, keyed by name, without the arrays ``num_batches_tracked``.

    Args:
      like: the variables of a network, or their shapes.
    """
    return state_dict.shapes(like, _plan(like))


def _plan(like: Mapping[str, Any]) -> state_dict.Plan:
    """Return the plan of the conversion, see ``state_dict.Plan``.

    The names of the modules show whether ``like`` is a generator.
    """
    params = like.get("params", {})
    if {"linear", "image"} <= params.keys():
        return _generator(like, params)
    if {"down_0", "logit"} <= params.keys():
        return _discriminator(like, params)
    raise state_dict.unknown_modules(params, "DCGAN")


def _generator(like, params):
    ups = sum(name.startswith("up_") for name in params)
    modules = {"linear": "main.0", "norm_0": "main.1", "image": f"main.{3 * ups + 3}"}
    for i in range(1, ups + 1):
        modules |= {f"up_{i}": f"main.{3 * i}", f"norm_{i}": f"main.{3 * i + 1}"}
    plan = _without_biases(state_dict.make_plan(like, modules))
    latents, units = params["linear"]["kernel"].shape
    # The number of features of the linear layer is the number of input channels of the next convolution.
    features = params["up_1" if ups else "image"]["kernel"].shape[-1]
    side = math.isqrt(units // features)
    plan["params", "linear", "kernel"] = state_dict.Entry(
        "main.0.weight",
        lambda x: x.reshape(latents, side, side, features).transpose(0, 3, 1, 2),
        lambda x: x.transpose(0, 2, 3, 1).reshape(latents, units),
    )
    return plan


def _discriminator(like, params):
    downs = sum(name.startswith("down_") for name in params)
    modules = {"down_0": "main.0", "logit": f"main.{3 * downs - 1}"}
    for i in range(1, downs):
        modules |= {f"down_{i}": f"main.{3 * i - 1}", f"norm_{i}": f"main.{3 * i}"}
    plan = _without_biases(state_dict.make_plan(like, modules))
    features = params[f"down_{downs - 1}"]["kernel"].shape[-1]
    side = math.isqrt(params["logit"]["kernel"].shape[0] // features)
    plan["params", "logit", "kernel"] = state_dict.Entry(
        f"main.{3 * downs - 1}.weight",
        lambda x: state_dict.kernel_to_torch(x.reshape(side, side, features, 1)),
        lambda x: state_dict.kernel_from_torch(x).reshape(-1, 1),
    )
    return plan


def _without_biases(plan):
    """Return the plan without the biases of convolutions, which the official networks do not have."""
    for path, entry in plan.items():
        if path[-1] == "bias" and not path[-2].startswith("norm_"):
            plan[path] = entry._replace(name=None)
    return plan
