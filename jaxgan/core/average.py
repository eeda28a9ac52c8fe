"""Average a term of a loss over the examples of a batch."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.networks import format_array


def average(argument: str, value: Any) -> jax.Array:
    """Return the mean of a term over its examples, a float32 scalar.

    Args:
      argument: the name of the term, which begins the error message.
      value: a scalar, or an array [B] with one value per example.

    Raises:
      TypeError: if ``value`` is not an array or a number.
      ValueError: if ``value`` is neither a scalar nor an array [B].
    """
    if not isinstance(value, (jax.Array, np.ndarray, np.generic, float, int)):
        raise TypeError(f"{argument} must be a scalar or an array [B], got an object of type {type(value).__name__}.")
    shape = jnp.shape(value)
    if len(shape) > 1:
        fix = "Compute the mean or the sum over the other axes. This choice determines the weight of each example."
        if len(shape) == 2 and shape[0] == shape[1]:
            fix = (
                "An operation on arrays of the shapes [B, 1] and [B] broadcasts to [B, B]. If this is the cause, "
                "squeeze the output of the discriminator: x.reshape(len(x))."
            )
        raise ValueError(
            f"{argument} must be a scalar or an array [B] with one value per example, got {format_array(value)}. {fix}"
        )
    return jnp.mean(jnp.asarray(value, jnp.float32))
