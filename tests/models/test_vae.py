"""Compare the encoder and the decoder with NumPy, and check their parameter counts and data types."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.models import vae

X = np.random.default_rng(0).uniform(-1, 1, (7, 28, 28, 1)).astype(np.float32)
Z = np.random.default_rng(1).normal(size=(7, 20)).astype(np.float32)


def draw_variables(module, x):
    """Return random weights and biases that are not 0."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), x))
    generator = np.random.default_rng(2)
    return jax.tree.map(lambda p: generator.normal(0, 0.05, p.shape).astype(np.float32), shapes)


def dense(variables, layer, x):
    return x @ variables["params"][layer]["kernel"] + variables["params"][layer]["bias"]


def test_parameter_counts():
    """The layers have 784, 500, 20, 500 and 784 units, and the encoder has two output layers of 20 units."""
    counts = [
        sum(x.size for x in jax.tree.leaves(draw_variables(module, x)))
        for module, x in ((vae.Encoder(), X), (vae.Decoder((28, 28, 1)), Z))
    ]
    assert counts == [785 * 500 + 2 * 501 * 20, 21 * 500 + 501 * 784]


def test_encoder_equals_numpy():
    module = vae.Encoder(z_dim=3, hidden=11)
    variables = draw_variables(module, X)
    hidden = np.maximum(dense(variables, "hidden_0", (X.reshape(7, 784) + 1) / 2), 0)
    mean, log_variance = module.apply(variables, X)
    np.testing.assert_allclose(mean, dense(variables, "mean", hidden), atol=1e-5)
    np.testing.assert_allclose(log_variance, dense(variables, "log_variance", hidden), atol=1e-5)


def test_decoder_equals_numpy():
    module = vae.Decoder((4, 5, 2), hidden=11)
    variables = draw_variables(module, Z)
    hidden = np.maximum(dense(variables, "hidden_0", Z), 0)
    expected = dense(variables, "logits", hidden).reshape(7, 4, 5, 2)
    np.testing.assert_allclose(module.apply(variables, Z), expected, atol=1e-5)


@pytest.mark.parametrize(("module", "x", "layers"), [(vae.Encoder(), X, 3), (vae.Decoder((28, 28, 1)), Z, 2)])
def test_bfloat16_networks_have_float32_outputs(module, x, layers):
    half = module.clone(dtype=jnp.bfloat16)
    variables = draw_variables(module, x)
    products = [e for e in jax.make_jaxpr(half.apply)(variables, x).eqns if e.primitive.name == "dot_general"]
    assert [e.outvars[0].aval.dtype for e in products] == [jnp.bfloat16] * layers
    whole, halved = (jax.tree.leaves(jax.jit(m.apply)(variables, x)) for m in (module, half))
    for exact, rounded in zip(whole, halved):
        assert rounded.dtype == jnp.float32
        np.testing.assert_allclose(rounded, exact, atol=0.1)
