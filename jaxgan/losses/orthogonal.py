"""Orthogonal regularisation of weights: Brock et al. 2017 (1609.07093) and 2019 (1809.11096)."""

from typing import Any

import jax
import jax.numpy as jnp


def orthogonal(params: Any, diagonal: bool = False) -> jax.Array:
    """The sum over kernels, as matrices W = [-1, outputs], of || W^T W * (1 - I) ||_F^2, a scalar.

    Brock et al. 2019, equation 3, with 1e-4: filters are kept apart, and free in their norms. With ``diagonal``
    the sum of || W^T W - I ||_F^2, their equation 2, which also asks for norms of 1 (Brock et al. 2017 sum absolute
    values).

    Args:
      params: parameters of a network, ``nets.d.params``, or any part of them. The leaves named ``kernel`` count. Their
        last axis is the outputs in flax's layers and jaxgan's ``Conv`` and ``Dense``; in a ``ConvTranspose`` it is the
        inputs, and in a ``GroupedConv`` all groups are one matrix.
      diagonal: whether the norms of filters count as well.

    Raises:
      ValueError: no leaf is named ``kernel``.
    """
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    kernels = [x for path, x in leaves if getattr(path[-1], "key", None) == "kernel" and x.ndim > 1]
    if not kernels:
        raise ValueError("orthogonal: `params` must have a leaf named 'kernel', as the parameters of a network do.")
    return sum((_penalty(x, diagonal) for x in kernels), jnp.float32(0))


def _penalty(kernel, diagonal):
    matrix = kernel.astype(jnp.float32).reshape(-1, kernel.shape[-1])
    gram, eye = matrix.T @ matrix, jnp.eye(kernel.shape[-1])
    return jnp.square(gram - eye if diagonal else gram * (1 - eye)).sum()
