"""Compare Inception with torch-fidelity's network for random weights, and with a published FID for the real weights."""

import zlib

import jax
import numpy as np
import pytest

from jaxgan import __main__ as console
from jaxgan.evaluation import extractors
from jaxgan.evaluation.extractors import InceptionFeatures
from jaxgan.evaluation.inception import Inception, _graph_name, parameters
from jaxgan.metrics import frechet_distance, memorisation_informed_distance, nearest_distances

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("few_at_a_time")]

BLOCK_35 = "branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 branch_pool"
BLOCK_17 = " ".join(
    ["branch1x1", *(f"branch7x7_{i}" for i in (1, 2, 3)), *(f"branch7x7dbl_{i}" for i in range(1, 6)), "branch_pool"]
)
BLOCK_8 = "branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a branch3x3dbl_3b branch_pool"
UNITS = {
    "5b": BLOCK_35,
    "5c": BLOCK_35,
    "5d": BLOCK_35,
    "6a": "branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3",
    "6b": BLOCK_17,
    "6c": BLOCK_17,
    "6d": BLOCK_17,
    "6e": BLOCK_17,
    "7a": "branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4",
    "7b": BLOCK_8,
    "7c": BLOCK_8,
}


def random_arrays():
    """Return random arrays with the names of torch-fidelity's network. The seed of each depends on its name."""
    names = [f"Conv2d_{name}" for name in ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")]
    names += [f"Mixed_{block}.{unit}" for block, units in UNITS.items() for unit in units.split()]
    ours = jax.eval_shape(Inception("logits").init, jax.random.key(0), np.zeros((1, 299, 299, 3)))["params"]
    arrays = {}
    for unit in names:
        height, width, inputs, outputs = ours[_graph_name(unit)]["kernel"].shape
        for part, shape in {
            "conv.weight": (outputs, inputs, height, width),
            **{f"bn.{part}": (outputs,) for part in ("weight", "bias", "running_mean", "running_var")},
        }.items():
            arrays[f"{unit}.{part}"] = draw_array(f"{unit}.{part}", shape)
    return {
        **arrays,
        **{name: draw_array(name, shape) for name, shape in (("fc.weight", (1008, 2048)), ("fc.bias", (1008,)))},
    }


def draw_array(name, shape):
    draws = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("conv.weight"):
        return draws.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
    if name.endswith(("running_var", "bn.weight")):
        return draws.uniform(0.5, 1.5, shape).astype(np.float32)
    return draws.normal(0, 0.02 if name == "fc.weight" else 0.1, shape).astype(np.float32)


IMAGES = np.random.RandomState(0).randint(0, 256, (2, 40, 33, 3)).astype(np.uint8)

# Results of FeatureExtractorInceptionV3 of torch-fidelity 0.4.0 with these weights, by layer: the first four features
# of the second image, and the mean of all its features.
EXPECTED = {
    64: ([0.01252671, 0.09270115, 0.44506675, 0.13025112], 0.41857385635375977),
    192: ([1.9662478, 0.40248942, 1.0160395, 0.8317859], 0.8290570378303528),
    768: ([3.9286087, 0.08354176, 0.06577265, 0.14948241], 1.7004224061965942),
    2048: ([0.05091862, 3.5078092, 2.7162852, 0.08232847], 3.377798080444336),
    "logits_unbiased": ([-5.435176, 9.211704, -0.6959505, -3.6985857], 0.11812656372785568),
    "logits": ([-5.4907413, 9.12866, -0.75474983, -3.676016], 0.12058544158935547),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "weights.npz"
    np.savez(path, **random_arrays())
    return path


QUICK = (64, 192, "logits")  # layers that are not marked as slow; "logits" uses the complete network


@pytest.mark.parametrize("layer", [64, 192])
def test_means_of_feature_maps_are_the_pooled_features(layer, weights):
    arrays, _ = extractors.read_weights(weights)
    values = parameters(arrays, layer)
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    maps, pooled = (Inception(layer, pooled=p).apply(values, images) for p in (False, True))
    assert maps.shape == (2, *{64: (14, 14), 192: (5, 5)}[layer], layer)
    with pytest.raises(ValueError, match="`pooled` must be True for the layer 'logits'"):
        jax.eval_shape(Inception("logits", pooled=False).apply, {}, images)
    np.testing.assert_allclose(maps.mean((1, 2)), pooled, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*is not the file of pytorch-fid")
@pytest.mark.parametrize("layer", [x if x in QUICK else pytest.param(x, marks=pytest.mark.slow) for x in EXPECTED])
def test_features_of_random_weights_equal_torch_fidelitys(layer, weights, monkeypatch):
    found = InceptionFeatures(weights, layer)(IMAGES)
    first, mean = EXPECTED[layer]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[1, :4], first, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1].mean(), mean, rtol=1e-5)
    if layer == 64:
        for devices in (jax.devices()[:1], jax.devices()[:2]):
            monkeypatch.setattr(extractors, "BATCH_SIZE", 2)  # three batches; the last one has one image
            again = InceptionFeatures(weights, layer, devices=devices)(IMAGES[[0, 1, 1, 0, 1]])
            np.testing.assert_allclose(again, found[[0, 1, 1, 0, 1]], rtol=1e-5, atol=1e-6)


@pytest.fixture
def real(test_data):
    return test_data / "inception" / "inception2015_conv_to_mixed7_f16.npz"


def torch_randint(draws, low, high, *shape):
    """Return ``torch.randint(low, high, shape)`` for a shape [N, C, height, width], transposed to channels last."""
    raw = draws.randint(0, 2**32, int(np.prod(shape)), dtype=np.uint32)
    return (raw % (high - low) + low).astype(np.uint8).reshape(shape).transpose(0, 2, 3, 1)


@pytest.mark.filterwarnings("ignore:.*is not the file of pytorch-fid")
@pytest.mark.slow
def test_fid_and_mifid_equal_published_numbers(real, tmp_path, capsys):
    """The docstrings of torchmetrics contain a FID of 12.6388 and a MiFID of 3003.3691 for random images with seed 42.

    They are in its files image/fid.py and image/mifid.py.
    """
    draws = np.random.RandomState(42)
    draws.randint(0, 2**32, 23_816_528, dtype=np.uint32)  # skip the numbers that its network draws for its weights
    images = [torch_randint(draws, *span, 100, 3, 299, 299) for span in ((0, 200), (100, 255))]
    x, y = map(InceptionFeatures(real, 64), images)
    assert frechet_distance(x, y) == pytest.approx(12.6388, abs=1e-3)
    # torchmetrics searches the nearest fake for each real image. The authors' code and jaxgan search the nearest real
    # image for each fake, so the arguments are exchanged here.
    assert memorisation_informed_distance(x, y) == pytest.approx(3003.3691, rel=1e-4)
    paths = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for path, array in zip(paths, images):
        np.savez(path, images=array)
    console.main(["fid", *map(str, paths), "--weights", str(real), "--features", "inception-64"])
    assert float(capsys.readouterr().out.split()[1]) == pytest.approx(12.6388, abs=1e-3)


@pytest.mark.filterwarnings("ignore:.*is not the file of pytorch-fid")
def test_real_weights(real):
    """The file contains the weights up to the layer with 768 features. A higher layer raises an error."""
    network = InceptionFeatures(real, 64)
    noise = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3), dtype=np.uint8)
    grey = noise[..., :1]
    np.testing.assert_array_equal(network(grey), network(np.repeat(grey, 3, -1)))
    floats = noise.astype(np.float32) / 127.5 - 1
    np.testing.assert_array_equal(network(floats), network(noise))
    clean = InceptionFeatures(real, 64, resize="clean")
    assert np.abs(clean(noise) - network(noise)).max() > 0.01
    assert network.protocol["resize"] == "tf1" and clean.protocol["resize"] == "clean"
    assert nearest_distances(network(noise), network(noise[:3]))[:3].max() < 1e-3
    with pytest.raises(ValueError, match=r"which layer 2048 of Inception requires, are missing from the file"):
        InceptionFeatures(real, 2048)


def test_errors(tmp_path):
    with pytest.raises(OSError, match=r"none\.pth cannot be read: No such file.*https://github\.com/mseitzer"):
        InceptionFeatures(tmp_path / "none.pth")
    with pytest.raises(ValueError, match=r"`layer` must be one of 64, 192, .*, logits_unbiased, logits, got 65"):
        parameters({}, 65)
    with pytest.raises(ValueError, match=r"`resize` must be 'tf1'.* got 'best'"):
        InceptionFeatures(tmp_path / "none.pth", resize="best")
    path = tmp_path / "other.npz"
    np.savez(path, **{"conv/w": np.zeros((5, 5, 3, 32), np.float32)})
    message = r"conv, .* have the shape \(5, 5, 3, 32\), but the network requires \(3, 3, 3, 32\)|conv, .* are missing"
    warning = "is not the file of pytorch-fid or torch-fidelity"
    with pytest.raises(ValueError, match=message), pytest.warns(UserWarning, match=warning):
        InceptionFeatures(path, 64)


def test_weights_of_other_networks_raise(tmp_path):
    """The errors cover torchvision's network, missing arrays, unknown names and damaged files."""
    unit = {f"Conv2d_1a_3x3.bn.{part}": np.ones(32) for part in ("weight", "bias", "running_mean", "running_var")}
    unit["Conv2d_1a_3x3.conv.weight"] = np.ones((32, 3, 3, 3))
    with pytest.raises(ValueError, match="The weights are those of torchvision's Inception-v3"):
        parameters({**unit, "AuxLogits.conv0.conv.weight": np.ones((2, 2, 1, 1))}, 64)
    with pytest.raises(ValueError, match=r"Conv2d_1a_3x3 must have a kernel .* and the four arrays"):
        parameters({name: value for name, value in unit.items() if not name.endswith("bn.bias")}, 64)
    for name in ("Conv2d_9z", "Mixed_5b.foo", "Mixed_9a.branch1x1"):
        renamed = {key.replace("Conv2d_1a_3x3", name): value for key, value in unit.items()}
        with pytest.raises(ValueError, match=f"{name} is not a layer of the FID's Inception"):
            parameters({**unit, **renamed}, 64)
    path = tmp_path / "weights.npz"
    for content in (b"", b"PK\x03\x04 not a zip", b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"weights\.npz is not in the \.npz format, or it is damaged"):
            InceptionFeatures(path, 64)
