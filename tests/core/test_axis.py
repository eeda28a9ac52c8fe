"""Tests of communication along the data axis, on several devices and on one."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core import axis

X = jnp.arange(8.0).reshape(4, 2)


def call_all(x):
    return axis.mean(x), axis.gather(x), axis.index(), axis.size(), axis.bound()


def test_functions_communicate_between_devices():
    mean, gathered, index, size, bound = jax.pmap(call_all, axis.NAME, out_axes=0)(X)
    np.testing.assert_array_equal(mean, np.broadcast_to(X.mean(0), (4, 2)))
    np.testing.assert_array_equal(gathered[2], X.ravel())  # every device has all examples in the order of the batch
    np.testing.assert_array_equal(index, range(4))
    assert (size == 4).all()
    assert bound.all()


def test_functions_return_their_argument_if_the_axis_is_not_bound():
    mean, gathered, index, size, bound = jax.jit(call_all)(X)
    np.testing.assert_array_equal(mean, X)
    np.testing.assert_array_equal(gathered, X)
    assert (int(index), int(size), bool(bound)) == (0, 1, False)
