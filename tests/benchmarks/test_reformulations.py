"""Every form of the convolutions that is timed computes the same function as jaxgan's, with the same derivatives."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmarks import convolution as benchmark, maps, reformulations
from jaxgan.nn import convolution

FORMS = [*benchmark.FORMS.items(), *reformulations.FORMS.items()]
# "never native" only changes a threshold, which the tests of jaxgan.nn.convolution cover.
FORMS = [(name, form) for name, form in FORMS if name != "never native"]


@pytest.mark.integration
@pytest.mark.parametrize(("name", "form"), FORMS, ids=[name for name, _ in FORMS])
def test_a_form_computes_the_same_function(name, form):
    g = convolution.same((8, 8), (4, 4), 2)
    r = np.random.default_rng(0)
    x, y, w = (jnp.array(r.normal(size=s), jnp.float32) for s in ((16, 8, 8, 3), (16, 4, 4, 2), (4, 4, 3, 2)))

    def values_and_gradients(x, y, w):
        def conv(x, w):
            return jnp.sum(jnp.sin(convolution.conv(g, x, w)))

        def conv_transpose(y, w):
            return jnp.sum(jnp.sin(convolution.conv_transpose(g, y, w)))

        return convolution.conv(g, x, w), jax.grad(conv, (0, 1))(x, w), jax.grad(conv_transpose, (0, 1))(y, w)

    expected = jax.jit(lambda *a: values_and_gradients(*a))(x, y, w)
    with mock.patch.multiple(convolution, **form):
        got = jax.jit(lambda *a: values_and_gradients(*a))(x, y, w)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), got, expected)


# The number of matrix products and of XLA's native convolutions in the program of each form.
PRODUCTS = {"winograd": (16, 0), "native": (0, 1), "im2col": (1, 0), "blur, then im2col": (1, 0)}


@pytest.mark.parametrize("name", maps.FORMS)
def test_a_threshold_selects_its_form(name):
    """The form is recognised by the numbers of matrix products and native convolutions in the lowered program."""
    blur = name.startswith("blur")
    g = convolution.blurred((8, 8), (3, 3)) if blur else convolution.same((8, 8), (3, 3), 1)
    r = np.random.default_rng(0)
    x, w = (jnp.array(r.normal(size=s), jnp.float32) for s in ((2, 8, 8, 16), (3, 3, 16, 16)))
    with mock.patch.multiple(convolution, **maps.FORMS[name]):
        lowered = jax.jit(lambda x, w: convolution._conv_cpu(g, x, w)).lower(x, w)
    text = lowered.as_text()
    assert (text.count("stablehlo.dot_general"), text.count("stablehlo.convolution")) == PRODUCTS[name]
    np.testing.assert_allclose(lowered.compile()(x, w), convolution._conv_native(g, x, w), rtol=1e-4, atol=1e-4)
