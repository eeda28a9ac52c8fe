"""Orthogonal regularisation of weights: Brock et al. 2017 (arXiv:1609.07093) and 2019 (BigGAN, arXiv:1809.11096)."""

from typing import Any

import jax
import jax.numpy as jnp


def orthogonal(params: Any, diagonal: bool = False) -> jax.Array:
    """Return the orthogonal regularisation of all kernels of a network, a scalar.

    Each kernel is reshaped to a matrix W, [-1, outputs]. The result is the sum of || W^T W * (1 - I) ||_F^2 over all
    kernels: equation 3 of Brock et al. 2019, who use a weight of 1e-4. This penalty makes the filters orthogonal to
    each other and does not constrain their norms. With ``diagonal``, the result is the sum of || W^T W - I ||_F^2:
    equation 2 of the same paper. It also pulls the norms of the filters towards 1. Brock et al. 2017 use absolute
    values in place of squares.

    Args:
      params: parameters of a network, such as ``nets.d.params``, or a subtree of them. All leaves named ``kernel`` are
        regularised. The last axis of a kernel is taken as its outputs. This is correct for flax's layers and for
        jaxgan's ``Conv`` and ``Dense``. It is not correct for jaxgan's ``ConvTranspose``, which has its inputs in the
        last axis, or for jaxgan's ``GroupedConv``, where all groups are treated as one matrix.
      diagonal: whether to regularise the norms of the filters as well.

    Raises:
      ValueError: if no leaf with two or more axes is named ``kernel``.
    """
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    kernels = [x for path, x in leaves if getattr(path[-1], "key", None) == "kernel" and x.ndim > 1]
    if not kernels:
        raise ValueError(
            "`params` has no leaf named 'kernel' with two or more axes. Pass the parameters of a network, such as "
            "`nets.d.params`."
        )
    return sum((_penalty(x, diagonal) for x in kernels), jnp.float32(0))


def _penalty(kernel, diagonal):
    matrix = kernel.astype(jnp.float32).reshape(-1, kernel.shape[-1])
    gram, eye = matrix.T @ matrix, jnp.eye(kernel.shape[-1])
    return jnp.square(gram - eye if diagonal else gram * (1 - eye)).sum()
