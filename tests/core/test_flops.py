"""Tests of the numbers of floating-point operations against manual counts."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxgan.core import flops
from jaxgan.core.flops import count, count_by_scope

MATRIX, IMAGE = jnp.ones((3, 3)), jnp.ones((2, 8, 8, 5))
NHWC = ("NHWC", "HWIO", "NHWC")


def convolve(x, features, stride=1, groups=1, padding="SAME", dilation=1):
    kernel = jnp.ones((4, 4, x.shape[-1] // groups, features))
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        padding,
        lhs_dilation=(dilation, dilation),
        dimension_numbers=NHWC,
        feature_group_count=groups,
    )


def repeat(x):
    return lax.scan(lambda carry, _: (carry @ MATRIX, None), x, length=7)[0]


def choose(x):
    return lax.cond(x[0, 0] > 0, lambda x: x, lambda x: x @ MATRIX, x)


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (lambda x: x @ MATRIX, MATRIX, 2 * 3 * 3 * 3),
        (lambda x: jnp.einsum("bij,bjk->bik", x, x), jnp.ones((2, 3, 3)), 2 * 2 * 3 * 3 * 3),
        (lambda x: convolve(x, 6), IMAGE, 2 * (2 * 8 * 8 * 6) * (4 * 4 * 5)),
        (lambda x: convolve(x, 6, stride=2), IMAGE, 2 * (2 * 4 * 4 * 6) * (4 * 4 * 5)),
        (lambda x: convolve(x, 5, groups=5), IMAGE, 2 * (2 * 8 * 8 * 5) * (4 * 4)),
        (lambda x: jnp.tanh(x) + x.sum(), IMAGE, 0),
        (jax.jit(lambda x: jax.checkpoint(lambda x: x @ MATRIX)(x)), MATRIX, 54),
        (repeat, MATRIX, 7 * 54),
        (choose, MATRIX, 0),  # the last branch of a conditional is the branch for True
    ],
)
def test_operations_agree_with_manual_counts(function, x, expected):
    assert count(jax.make_jaxpr(function)(x)) == expected


def test_zeros_between_the_rows_of_a_transposed_convolution_are_not_counted():
    """Each of the 2 x 8 x 8 x 5 inputs is multiplied by 4 x 4 x 6 weights."""
    operations = count(jax.make_jaxpr(lambda x: convolve(x, 6, padding=((2, 2), (2, 2)), dilation=2))(IMAGE))
    assert operations == 2 * (2 * 8 * 8 * 5) * (4 * 4 * 6)


def test_operations_are_counted_by_the_innermost_scope():
    @jax.jit
    def inner(x):
        with flops.scope("b/c"):
            return x @ MATRIX

    def function(x):
        x = x @ MATRIX
        with flops.scope("b"):
            x = inner(x @ MATRIX @ MATRIX)
        return jax.vmap(lambda row: row @ MATRIX)(x)

    assert count_by_scope(jax.make_jaxpr(function)(MATRIX)) == {"": 108, "b": 108, "b/c": 54}
