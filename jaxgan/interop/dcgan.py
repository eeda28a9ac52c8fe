"""Weights of DCGAN in https://github.com/pytorch/examples, dcgan/main.py, in and out: netG and netD.

They are ``models.dcgan`` with ``channels=64``. Its linear layer is their transposed convolution of a single pixel; its
last layer is their convolution of 4 x 4, which has no bias, so ours is zero then. Latents are [B, 100] here and
[B, 100, 1, 1] there; the discriminator's output is a logit here and a probability there.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.interop import state_dict


def to_variables(arrays: Mapping[str, np.ndarray], like: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict as variables of the module whose own, or their shapes, ``like`` is.

    Raises:
      ValueError: the arrays are not those of ``like``: all that are missing, unexpected or of another shape are listed.
    """
    return state_dict.to_variables(arrays, like, _plan(like))


def to_torch(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Variables as the official network's state dict.

    Raises:
      ValueError: the variables are of another module, or a bias that is not there in the official one is not zero.
    """
    return state_dict.to_torch(variables, _plan(variables))


def shapes(like: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the official state dict, but for counts of batches."""
    return state_dict.shapes(like, _plan(like))


def _plan(like: Mapping[str, Any]) -> state_dict.Plan:
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
    # Features are those of the convolution that follows it.
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
    """The plan without the biases of convolutions, which the official networks do not have; norms keep theirs."""
    for path, entry in plan.items():
        if path[-1] == "bias" and not path[-2].startswith("norm_"):
            plan[path] = entry._replace(name=None)
    return plan
