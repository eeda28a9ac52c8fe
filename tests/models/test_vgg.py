"""Compare VGG19's features with PyTorch's layers, with random weights in torchvision's order and with its names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core.weights import VGG19
from jaxgan.models import vgg


@pytest.fixture(scope="module")
def torch_network():
    """Return the layers of torchvision's ``vgg19().features`` up to the last ReLU."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers, before = [], 3
    for i, (features, count) in enumerate(vgg.BLOCKS):
        layers += [torch.nn.MaxPool2d(2, 2)] if i else []
        for _ in range(count):
            convolution = torch.nn.Conv2d(before, features, 3, padding=1)
            # With this initialisation, the activations do not vanish in 16 layers.
            torch.nn.init.kaiming_normal_(convolution.weight)
            torch.nn.init.normal_(convolution.bias, std=0.1)
            layers += [convolution, torch.nn.ReLU()]
            before = features
    return torch.nn.ModuleDict({"features": torch.nn.Sequential(*layers)})


def arrays(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


def test_features_equal_pytorchs(torch_network):
    import torch

    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 48, 3)).astype(np.float32)
    normal = ((images + 1) / 2 - np.array(vgg.MEAN, np.float32)) / np.array(vgg.STD, np.float32)
    with torch.no_grad():
        wanted = torch_network["features"](torch.tensor(normal).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    found = vgg.Features().apply(vgg.parameters(arrays(torch_network)), images)
    assert found.shape == (2, 2, 3, 512) and (wanted > 0).mean() > 0.2
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * wanted.max())


def test_wrong_weights_raise_and_are_listed(torch_network):
    wrong = arrays(torch_network)
    wrong["features.2.weight"] = wrong["features.2.weight"][:, :5]
    del wrong["features.34.bias"], wrong["features.28.weight"]
    with pytest.raises(ValueError) as error:
        vgg.parameters(wrong)
    message = str(error.value)
    assert "features.2 has a weight of shape (64, 5, 3, 3) and a bias of shape (64,), not (64, 64, 3, 3)" in message
    assert "features.28 is missing" in message
    assert "features.34" in message and VGG19.source in message


@pytest.mark.parametrize("shape", [(2, 15, 32, 3), (2, 32, 32, 1), (32, 32, 3)])
def test_wrong_image_shapes_raise(shape):
    with pytest.raises(ValueError, match=r"VGG requires images \[B, h, w, 3\] of at least 16 x 16 pixels"):
        jax.eval_shape(lambda x: vgg.Features().init(jax.random.key(0), x), jnp.zeros(shape))
