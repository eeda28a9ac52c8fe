"""The five networks of TimeGAN: Yoon, Jarrett and van der Schaar, NeurIPS 2019, https://github.com/jsyoon0823/TimeGAN.

An embedder maps series to codes, one for each time step, and a recovery network maps codes back to series. A generator
and a supervisor generate codes: the generator maps latents to codes, and the supervisor predicts the code of the next
time step from the codes so far. A discriminator classifies the codes of each time step. All five have the same form, a
stack of GRUs and a linear layer for each time step. ``experiments/timegan.py`` trains them.

    recovery(embedder(x)) -> x                       reconstruction of series
    recovery(supervisor(generator(z))) -> x          generated series
    discriminator(supervisor(generator(z))) -> logits

The official code uses three layers of 24 units for sines and stocks, and one layer less in the supervisor. Series are
in [0, 1] and codes are in (0, 1). Its GRUs apply the reset gate before the product of the state, those here after it;
see ``jaxgan.nn.recurrent.gru``.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.nn.layers import Dense
from jaxgan.nn.recurrent import GRU


class RecurrentNetwork(nn.Module):
    """A stack of GRUs and a linear layer for each time step, from [B, T, F] to [B, T, outputs], float32.

    Attributes:
      outputs: number of outputs of a time step.
      units: number of units of each GRU (official: 24).
      num_layers: number of GRUs (official: 3).
      sigmoid: whether a sigmoid maps the outputs to (0, 1).
      dtype: data type of the computation; parameters are float32.
    """

    outputs: int
    units: int = 24
    num_layers: int = 3
    sigmoid: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i in range(self.num_layers):
            x = GRU(self.units, dtype=self.dtype, name=f"gru_{i}")(x)
        x = Dense(self.outputs, dtype=self.dtype, name="output")(x).astype(jnp.float32)
        return nn.sigmoid(x) if self.sigmoid else x


class Networks(NamedTuple):
    """The five networks, which are ``RecurrentNetwork`` modules.

    Attributes:
      embedder: from series [B, T, F] to codes [B, T, units].
      recovery: from codes to series in (0, 1).
      generator: from latents [B, T, z] to codes.
      supervisor: from codes to codes of the next time step.
      discriminator: from codes to logits, [B, T, 1].
    """

    embedder: RecurrentNetwork
    recovery: RecurrentNetwork
    generator: RecurrentNetwork
    supervisor: RecurrentNetwork
    discriminator: RecurrentNetwork


def networks(channels: int, units: int = 24, num_layers: int = 3, dtype: jnp.dtype = jnp.float32) -> Networks:
    """Create the five networks for series of a number of channels.

    Args:
      channels: number of channels of the series, F.
      units: number of units of each GRU, which is also the number of features of a code.
      num_layers: number of GRUs of each network. The supervisor has one less, but at least one.
      dtype: data type of the computation; parameters are float32.
    """

    def network(outputs, num_layers=num_layers, sigmoid=True):
        return RecurrentNetwork(outputs, units, num_layers, sigmoid, dtype)

    return Networks(
        embedder=network(units),
        recovery=network(channels),
        generator=network(units),
        supervisor=network(units, num_layers=max(num_layers - 1, 1)),
        discriminator=network(1, sigmoid=False),
    )
