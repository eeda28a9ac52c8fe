"""A gated recurrent unit (GRU) for series [B, T, F]: the function ``gru`` and the layer ``GRU``.

The layer has the parameters of Flax's. In addition, series may have different lengths. Derivatives of any order are
exact, as gradient penalties require.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core.precision import product
from jaxgan.nn.layers import Initializer


def gru(
    params: Mapping[str, Mapping[str, jax.Array]],
    x: jax.Array,
    initial_state: jax.Array | None = None,
    lengths: jax.Array | None = None,
) -> jax.Array:
    """Return the states of a gated recurrent unit with H units at all time steps, [B, T, H].

    The state h starts at zero or at ``initial_state``. At each time step, with the input x::

        r = sigmoid(x W_ir + b_ir + h W_hr)
        z = sigmoid(x W_iz + b_iz + h W_hz)
        n = tanh(x W_in + b_in + r * (h W_hn + b_hn))
        h = (1 - z) * n + z * h

    Source: Cho et al. 2014 (arXiv:1406.1078), in the form of cuDNN, PyTorch and flax, in which r multiplies the product
    of the state.

    Args:
      params: the parameters, named as in ``flax.linen.GRUCell``: ``kernel``, [F, H], and ``bias``, [H], of each of
        ``ir``, ``iz`` and ``in``; ``kernel``, [H, H], of each of ``hr``, ``hz`` and ``hn``; and ``bias``, [H], of
        ``hn``.
      x: the series, [B, T, F].
      initial_state: the state before the first time step, [B, H]. None means zeros.
      lengths: number of time steps of each series, [B], an array of integers. The state of a series stays constant
        after its last time step, so the last state is always ``states[:, -1]``. None means T for all series.

    Returns:
      The states, [B, T, H], in (-1, 1) if the initial state is.

    Raises:
      ValueError: if a shape does not fit.
    """
    units = params["hn"]["bias"].shape[0]
    _check_shapes(x, units, initial_state, lengths)
    if initial_state is None:
        initial_state = jnp.zeros((x.shape[0], units), x.dtype)
    running = None if lengths is None else (jnp.arange(x.shape[1])[:, None] < lengths[None])[..., None]

    # Each gate has its own products. XLA does not vectorise a loop over parts of a joint product on CPUs, and computes
    # the gradient of a joint product of all time steps more slowly.
    def gate(name, inputs):
        outputs = product(jnp.matmul, inputs, params[name]["kernel"])
        return outputs + params[name]["bias"][None] if "bias" in params[name] else outputs

    def step(h, inputs):
        x, running = inputs
        r = jax.nn.sigmoid(gate("ir", x) + gate("hr", h))
        z = jax.nn.sigmoid(gate("iz", x) + gate("hz", h))
        n = jnp.tanh(gate("in", x) + r * gate("hn", h))
        new = (1 - z) * n + z * h
        new = new if running is None else jnp.where(running, new, h)
        return new, new

    first = initial_state.astype(x.dtype)
    return lax.scan(step, first, (x.swapaxes(0, 1), running))[1].swapaxes(0, 1)


def _check_shapes(x, units, initial_state, lengths):
    if x.ndim != 3:
        raise ValueError(f"Series must be [B, T, F], got the shape {x.shape}.")
    if initial_state is not None and initial_state.shape != (x.shape[0], units):
        raise ValueError(
            f"`initial_state` must be [B, H] = {(x.shape[0], units)}, got the shape {initial_state.shape}."
        )
    if lengths is not None and (lengths.shape != x.shape[:1] or not jnp.issubdtype(lengths.dtype, jnp.integer)):
        raise ValueError(
            f"`lengths` must be integers [B] = [{x.shape[0]}], one for each series, got {lengths.dtype}"
            f"{list(lengths.shape)}."
        )


class GRU(nn.Module):
    """A layer of gated recurrent units, from series [B, T, F] to states [B, T, features]; see ``gru``.

    Its parameters have the names, shapes and initial distributions of ``flax.linen.GRUCell``: a kernel and a bias for
    each of ``ir``, ``iz``, ``in`` and ``hn``, and a kernel for each of ``hr`` and ``hz``. ``flax.linen.RNN`` with this
    cell returns the same states, for the variables ``{"params": {"cell": params}}``.

    Attributes:
      features: number of units, H.
      dtype: data type of the computation; parameters are float32.
      kernel_init: initializer of the kernels of the inputs.
      recurrent_init: initializer of the kernels of the state.
    """

    features: int
    dtype: jnp.dtype = jnp.float32
    kernel_init: Initializer = nn.initializers.lecun_normal()
    recurrent_init: Initializer = nn.initializers.orthogonal()

    @nn.compact
    def __call__(
        self, x: jax.Array, initial_state: jax.Array | None = None, lengths: jax.Array | None = None
    ) -> jax.Array:
        _check_shapes(x, self.features, initial_state, lengths)
        params = {
            name: _Gate(self.features, self.kernel_init, name=name)(x.shape[-1]) for name in ("ir", "iz", "in")
        } | {
            name: _Gate(self.features, self.recurrent_init, name == "hn", name=name)(self.features)
            for name in ("hr", "hz", "hn")
        }
        params = jax.tree.map(lambda w: w.astype(self.dtype), params)
        return gru(params, x.astype(self.dtype), initial_state, lengths)


class _Gate(nn.Module):
    """The parameters of one product of a GRU: ``kernel``, [inputs, features], and ``bias``, [features]."""

    features: int
    kernel_init: Initializer
    use_bias: bool = True

    @nn.compact
    def __call__(self, inputs: int) -> dict[str, jax.Array]:
        found = {"kernel": self.param("kernel", self.kernel_init, (inputs, self.features))}
        if self.use_bias:
            found["bias"] = self.param("bias", nn.initializers.zeros, (self.features,))
        return found
