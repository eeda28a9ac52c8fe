"""A gated recurrent unit (GRU) for series [B, T, F]: the function ``gru`` and the layer ``GRU``.

The layer has the parameters of Flax's and takes the same time. In addition, series may have different lengths.
Derivatives of any order are exact, as gradient penalties require.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.core.precision import product
from jaxgan.nn.layers import Initializer

# Number of time steps in one iteration of the compiled loop. More were not faster on CPUs, but take longer to compile.
UNROLL = 1


class GRUWeights(NamedTuple):
    """The weights of a GRU with H units. The columns belong to the gates r (reset), z (update) and n (candidate).

    Attributes:
      inputs: weights of the inputs, [F, 3 H].
      bias: biases that are added to the products of the inputs, [3 H].
      hidden: weights of the state, [H, 3 H].
      candidate_bias: bias that is added to the product of the state in the gate n, [H].
    """

    inputs: jax.Array
    bias: jax.Array
    hidden: jax.Array
    candidate_bias: jax.Array


def gru(
    weights: GRUWeights,
    x: jax.Array,
    initial_state: jax.Array | None = None,
    lengths: jax.Array | None = None,
    unroll: int = UNROLL,
) -> jax.Array:
    """Return the states of a gated recurrent unit at all time steps, [B, T, H].

    The state h starts at zero or at ``initial_state``. At each time step, with the input x::

        r = sigmoid(W_r x + b_r + U_r h)
        z = sigmoid(W_z x + b_z + U_z h)
        n = tanh(W_n x + b_n + r * (U_n h + c))
        h = (1 - z) * n + z * h

    Source: Cho et al. 2014 (arXiv:1406.1078), in the form of cuDNN, PyTorch and flax, in which r multiplies the product
    of the state.

    Args:
      weights: the weights W (``inputs``), b (``bias``), U (``hidden``) and c (``candidate_bias``).
      x: the series, [B, T, F].
      initial_state: the state before the first time step, [B, H]. None means zeros.
      lengths: number of time steps of each series, [B], an array of integers. The state of a series stays constant
        after its last time step, so the last state is always ``states[:, -1]``. None means T for all series.
      unroll: number of time steps in one iteration of the compiled loop. It does not change the result.

    Returns:
      The states, [B, T, H], in (-1, 1) if the initial state is.

    Raises:
      ValueError: if a shape does not fit.
    """
    units = weights.hidden.shape[0]
    _check_shapes(x, units, initial_state, lengths)
    if initial_state is None:
        initial_state = jnp.zeros((x.shape[0], units), x.dtype)
    running = None if lengths is None else (jnp.arange(x.shape[1])[:, None] < lengths[None])[..., None]
    # Each gate has its own products. XLA does not vectorise a loop over parts of a joint product on CPUs, and computes
    # the gradient of a joint product of all time steps more slowly.
    w_r, w_z, w_n = jnp.split(weights.inputs, 3, -1)
    u_r, u_z, u_n = jnp.split(weights.hidden, 3, -1)
    b_r, b_z, b_n = jnp.split(weights.bias.reshape(1, -1), 3, -1)
    c = weights.candidate_bias.reshape(1, -1)

    def step(h, inputs):
        x, running = inputs
        r = jax.nn.sigmoid(product(jnp.matmul, x, w_r) + b_r + product(jnp.matmul, h, u_r))
        z = jax.nn.sigmoid(product(jnp.matmul, x, w_z) + b_z + product(jnp.matmul, h, u_z))
        n = jnp.tanh(product(jnp.matmul, x, w_n) + b_n + r * (product(jnp.matmul, h, u_n) + c))
        new = (1 - z) * n + z * h
        new = new if running is None else jnp.where(running, new, h)
        return new, new

    first = initial_state.astype(x.dtype)
    return lax.scan(step, first, (x.swapaxes(0, 1), running), unroll=unroll)[1].swapaxes(0, 1)


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
      unroll: number of time steps in one iteration of the compiled loop. It does not change the result.
    """

    features: int
    dtype: jnp.dtype = jnp.float32
    kernel_init: Initializer = nn.initializers.lecun_normal()
    recurrent_init: Initializer = nn.initializers.orthogonal()
    unroll: int = UNROLL

    @nn.compact
    def __call__(
        self, x: jax.Array, initial_state: jax.Array | None = None, lengths: jax.Array | None = None
    ) -> jax.Array:
        _check_shapes(x, self.features, initial_state, lengths)
        inputs = [_Gate(self.features, self.kernel_init, name=f"i{gate}")(x.shape[-1]) for gate in "rzn"]
        hidden = [
            _Gate(self.features, self.recurrent_init, gate == "n", name=f"h{gate}")(self.features) for gate in "rzn"
        ]
        weights = GRUWeights(
            inputs=jnp.concatenate([gate["kernel"] for gate in inputs], -1),
            bias=jnp.concatenate([gate["bias"] for gate in inputs]),
            hidden=jnp.concatenate([gate["kernel"] for gate in hidden], -1),
            candidate_bias=hidden[-1]["bias"],
        )
        weights = jax.tree.map(lambda w: w.astype(self.dtype), weights)
        return gru(weights, x.astype(self.dtype), initial_state, lengths, self.unroll)


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
