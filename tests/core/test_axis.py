import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core import axis

X = jnp.arange(8.0).reshape(4, 2)


def seen(x):
    return axis.mean(x), axis.gather(x), axis.index(), axis.size(), axis.bound()


def test_over_devices():
    mean, gathered, index, size, bound = jax.pmap(seen, axis.NAME, out_axes=0)(X)
    np.testing.assert_array_equal(mean, np.broadcast_to(X.mean(0), (4, 2)))
    np.testing.assert_array_equal(gathered[2], X.ravel())  # in the batch's order, on every device
    np.testing.assert_array_equal(index, range(4))
    assert (size == 4).all()
    assert bound.all()


def test_nowhere_it_is_the_identity():
    mean, gathered, index, size, bound = jax.jit(seen)(X)
    np.testing.assert_array_equal(mean, X)
    np.testing.assert_array_equal(gathered, X)
    assert (int(index), int(size), bool(bound)) == (0, 1, False)
