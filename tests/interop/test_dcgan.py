"""Weights of DCGAN in pytorch/examples, dcgan/main.py: names, shapes, counts and outputs of the official networks."""

import functools

import jax
import numpy as np
import pytest
from helpers import official

from jaxgan.interop import dcgan, read_weights, write_safetensors
from jaxgan.models import dcgan as networks

G, D = networks.Generator(channels=4), networks.Discriminator(4)
Z = np.random.RandomState(1).normal(size=(3, 10)).astype(np.float32)


def file_of(module, x):
    """Return a random state dict of the official network, and the shapes of the module's variables."""
    like = official.shapes(module, x)
    arrays = {name: official.drawn(name, shape) for name, shape in dcgan.shapes(like).items()}
    counts = [name.replace("running_var", "num_batches_tracked") for name in arrays if name.endswith("running_var")]
    return {**arrays, **dict.fromkeys(counts, np.array(0))}, like


@pytest.mark.parametrize(
    ("module", "shape", "parameters", "checksum"),
    [
        (networks.Generator(channels=64), (1, 100), 3576704, 2560036198),
        (networks.Discriminator(64), (1, 64, 64, 3), 2765568, 2631187389),
        (G, (1, 10), 16184, 2020126093),
        (D, (1, 64, 64, 3), 11568, 1739272289),
    ],
)
def test_names_shapes_and_counts_are_the_official_ones(module, shape, parameters, checksum):
    shapes = dcgan.shapes(official.shapes(module, np.zeros(shape, np.float32)))
    assert sum(np.prod(shape) for name, shape in shapes.items() if "running" not in name) == parameters
    assert official.names_checksum(shapes) == checksum


def test_the_generator_has_the_official_outputs():
    """nz is 10, ngf is 4, and weights are drawn by name. Outputs are compared in training and evaluation mode."""
    arrays, like = file_of(G, Z)
    variables = dcgan.to_variables(arrays, like)
    y, _ = jax.jit(functools.partial(G.apply, train=True, mutable=["batch_stats"]))(variables, Z)
    official.agrees(y, [0.24959053, -0.064471506, -0.38015601, -0.01430728, 0.13808207])
    y = official.at_test(G, variables, Z)
    official.agrees(y, [0.0096697686, -0.026896724, -0.0087469146, 0.0080380552, 0.0020298073])


def test_the_discriminator_has_the_official_outputs():
    """ndf is 4. The official network returns probabilities."""
    x = official.image(3, 64, 64, 3)
    arrays, like = file_of(D, x)
    variables = dcgan.to_variables(arrays, like)
    logits, _ = jax.jit(functools.partial(D.apply, train=True, mutable=["batch_stats"]))(variables, x)
    np.testing.assert_allclose(jax.nn.sigmoid(logits), [0.70158976, 0.22970454, 0.39788383], rtol=1e-4)
    logits = official.at_test(D, variables, x)
    np.testing.assert_allclose(jax.nn.sigmoid(logits), [0.55413169, 0.50220954, 0.52506143], rtol=1e-4)


@pytest.mark.parametrize(("module", "x"), [(G, Z), (D, np.zeros((1, 64, 64, 3), np.float32))], ids=["g", "d"])
def test_conversion_to_torch_and_back(module, x, tmp_path):
    arrays, like = file_of(module, x)
    variables = dcgan.to_variables(arrays, like)
    write_safetensors(tmp_path / "net.safetensors", dcgan.to_torch(variables))
    found = read_weights(tmp_path / "net.safetensors")
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value, strict=True)


def test_a_bias_without_a_counterpart_must_be_zero():
    _, like = file_of(D, np.zeros((1, 64, 64, 3), np.float32))
    variables = jax.tree.map(lambda x: np.ones(x.shape, x.dtype), like)
    with pytest.raises(ValueError, match=r"must be zero, .* params\.down_0\.bias, params\.logit\.bias\."):
        dcgan.to_torch(variables)


def test_arrays_of_another_network_are_rejected():
    arrays, _ = file_of(G, Z)
    wider = official.shapes(networks.Generator(channels=8), Z)
    with pytest.raises(
        ValueError, match=r"main\.0\.weight \(10, 32, 4, 4\) instead of \(10, 64, 4, 4\), main\.1\.bias"
    ):
        dcgan.to_variables(arrays, wider)
    with pytest.raises(ValueError, match=r"do not belong to a network of DCGAN\. The names of their modules: none\."):
        dcgan.to_variables(arrays, {})
