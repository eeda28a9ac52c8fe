"""VGG19's features against PyTorch's layers with the same random weights, in torchvision's order and names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.models import vgg


@pytest.fixture(scope="module")
def of_torch():
    """The layers of torchvision's ``vgg19().features`` as far as its last rectifier."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers, before = [], 3
    for i, (features, count) in enumerate(vgg.BLOCKS):
        layers += [torch.nn.MaxPool2d(2, 2)] if i else []
        for _ in range(count):
            convolution = torch.nn.Conv2d(before, features, 3, padding=1)
            torch.nn.init.kaiming_normal_(convolution.weight)  # so that 16 layers do not fade
            torch.nn.init.normal_(convolution.bias, std=0.1)
            layers += [convolution, torch.nn.ReLU()]
            before = features
    return torch.nn.ModuleDict({"features": torch.nn.Sequential(*layers)})


def arrays(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


def test_features_are_pytorchs(of_torch):
    import torch

    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 48, 3)).astype(np.float32)
    normal = ((images + 1) / 2 - np.array(vgg.MEAN, np.float32)) / np.array(vgg.STD, np.float32)
    with torch.no_grad():
        wanted = of_torch["features"](torch.tensor(normal).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    found = vgg.Features().apply(vgg.parameters(arrays(of_torch)), images)
    assert found.shape == (2, 2, 3, 512) and (wanted > 0).mean() > 0.2
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * wanted.max())


def test_weights_that_are_not_its(of_torch):
    given = arrays(of_torch)
    given["features.2.weight"] = given["features.2.weight"][:, :5]
    del given["features.34.bias"], given["features.28.weight"]
    with pytest.raises(ValueError) as error:
        vgg.parameters(given)
    told = str(error.value)
    assert "features.2 is (64, 5, 3, 3), not (64, 64, 3, 3)" in told and "features.28 is missing" in told
    assert "features.34" in told and vgg.WHERE in told


@pytest.mark.parametrize("shape", [(2, 15, 32, 3), (2, 32, 32, 1), (32, 32, 3)])
def test_images_that_it_does_not_take(shape):
    with pytest.raises(ValueError, match=r"VGG takes \[B, h, w, 3\] of 16 x 16 or more"):
        jax.eval_shape(lambda x: vgg.Features().init(jax.random.key(0), x), jnp.zeros(shape))
