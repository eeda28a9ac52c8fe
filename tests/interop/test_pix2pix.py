"""The official state dicts of junyanz/pytorch-CycleGAN-and-pix2pix at commit 284a83f: names, shapes and counts.

tests/models/test_pix2pix.py tests that the networks with these weights have the official outputs.
"""

import jax
import numpy as np
import pytest
from helpers import official

from jaxgan.interop import pix2pix, read_weights, write_safetensors
from jaxgan.models import cyclegan, dcgan, pix2pix as networks

# The number of parameters and a checksum of names and shapes, by network and norm, of define_G(3, 3, 64, ...) and
# define_D(6, 64, ...).
GENERATORS = {
    "unet_128": {"batch": (41828995, 757265387), "instance": (41825667, 494684236), "none": (41821187, 841971560)},
    "unet_256": {"batch": (54413955, 1927105424), "instance": (54409603, 3143219078), "none": (54404099, 815691318)},
    "resnet_6blocks": {
        "batch": (7841411, 2145288730),
        "instance": (7837699, 3228204166),
        "none": (7833987, 4080753688),
    },
    "resnet_9blocks": {
        "batch": (11383427, 3370909005),
        "instance": (11378179, 259449172),
        "none": (11372931, 1239573661),
    },
}
WITH_DROPOUT = {"resnet_6blocks": {"batch": 39659975, "instance": 923863536, "none": 2769973038}}
DISCRIMINATORS = {
    "basic": {"batch": (2768705, 2697539167), "instance": (2767809, 3213849719), "none": (2766913, 2047827058)},
    "n_layers 5": {"batch": (11159361, 3231743628), "instance": (11157441, 3040694979), "none": (11155521, 1857510371)},
    "pixel": {"batch": (9024, 3740444415), "instance": (8897, 2066137494), "none": (8768, 1071788897)},
}


def module(name, norm):
    return {
        "unet_128": lambda: networks.Generator(num_downs=7, norm=norm),
        "unet_256": lambda: networks.Generator(norm=norm),
        "resnet_6blocks": lambda: cyclegan.Generator(num_blocks=6, norm=norm),
        "resnet_9blocks": lambda: cyclegan.Generator(norm=norm),
        "basic": lambda: networks.Discriminator(norm=norm),
        "n_layers 5": lambda: networks.Discriminator(5, norm=norm),
        "pixel": lambda: networks.PixelDiscriminator(norm=norm),
    }[name]()


@pytest.mark.integration
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("name", [*GENERATORS, *DISCRIMINATORS])
def test_names_shapes_and_counts_of_the_full_size(name, norm):
    parameters, checksum = {**GENERATORS, **DISCRIMINATORS}[name][norm]
    like = official.shapes(module(name, norm), np.zeros((1, 256, 256, 6 if name in DISCRIMINATORS else 3), np.float32))
    assert sum(np.prod(x.shape) for x in jax.tree.leaves(like["params"])) == parameters
    assert official.names_checksum(pix2pix.shapes(like)) == checksum
    if name in WITH_DROPOUT:
        assert official.names_checksum(pix2pix.shapes(like, dropout=True)) == WITH_DROPOUT[name][norm]


SMALL = [
    (networks.Generator(3, 5, 2), (1, 32, 32, 3)),
    (networks.Generator(3, 5, 2, "instance"), (1, 32, 32, 3)),
    (cyclegan.Generator(3, 2, 2), (1, 8, 8, 3)),
    (cyclegan.Generator(3, 2, 2, "batch"), (1, 8, 8, 3)),
    (networks.Discriminator(3, 2), (1, 32, 32, 6)),
    (networks.PixelDiscriminator(2), (1, 4, 4, 3)),
]


def file_of(module, shape, **layout):
    """Return a random official state dict with counts of batches, and the shapes of the module's variables."""
    like = official.shapes(module, np.zeros(shape, np.float32))
    arrays = {name: official.drawn(name, shape) for name, shape in pix2pix.shapes(like, **layout).items()}
    counts = [name.replace("running_var", "num_batches_tracked") for name in arrays if name.endswith("running_var")]
    return {**arrays, **dict.fromkeys(counts, np.array(0))}, like


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, strict=True, err_msg=name)


@pytest.mark.parametrize(("module", "shape"), SMALL)
def test_conversion_to_torch_and_back(module, shape, tmp_path):
    arrays, like = file_of(module, shape)
    variables = pix2pix.to_variables(arrays, like)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), variables) == jax.tree.map(lambda x: (x.shape, x.dtype), like)
    same(pix2pix.to_torch(variables), arrays)
    write_safetensors(tmp_path / "net.safetensors", pix2pix.to_torch(variables))
    again = pix2pix.to_variables(read_weights(tmp_path / "net.safetensors"), like)
    jax.tree.map(np.testing.assert_array_equal, again, variables)


@pytest.mark.parametrize("layout", [{"padding": p, "dropout": d} for p in ("reflect", "zero") for d in (False, True)])
def test_padding_and_dropout_of_blocks_are_recognised(layout):
    arrays, like = file_of(cyclegan.Generator(3, 2, 2, "batch"), (1, 8, 8, 3), **layout)
    same(pix2pix.to_torch(pix2pix.to_variables(arrays, like), **layout), arrays)


def test_names_can_have_a_prefix():
    """The prefix can be from DataParallel, from a dictionary of several networks, or from both."""
    arrays, like = file_of(*SMALL[2])
    expected = pix2pix.to_variables(arrays, like)
    other = {"netD.model.0.weight": np.ones((2, 3, 4, 4), np.float32), "epoch": np.array(3)}
    for prefix in ("module.", "state_dict.", "netG.module."):
        found = pix2pix.to_variables({**other, **{prefix + name: value for name, value in arrays.items()}}, like)
        jax.tree.map(np.testing.assert_array_equal, found, expected)
    both = {f"{net}.{name}": value for net in ("netG_A", "netG_B") for name, value in arrays.items()}
    with pytest.raises(ValueError, match=r"exist 2 times, with the prefixes 'netG_A\.', 'netG_B\.'\. Pass only"):
        pix2pix.to_variables(both, like)


def test_reading_a_file_that_pytorch_wrote(tmp_path):
    torch = pytest.importorskip("torch")
    arrays, like = file_of(*SMALL[3])
    torch.save({"module." + k: torch.tensor(v) for k, v in arrays.items()}, tmp_path / "latest_net_G.pth")
    found = pix2pix.to_variables(read_weights(tmp_path / "latest_net_G.pth"), like)
    jax.tree.map(np.testing.assert_array_equal, found, pix2pix.to_variables(arrays, like))


def test_moving_statistics_of_instance_normalisation_are_ignored():
    """The official files had them before PyTorch 0.4."""
    arrays, like = file_of(*SMALL[2])
    old = {**arrays}
    for name in ("model.2", "model.10.conv_block.2"):
        old |= {f"{name}.running_mean": np.ones(2), f"{name}.running_var": np.ones(2)}
        old |= {f"{name}.num_batches_tracked": np.array(7)}
    jax.tree.map(np.testing.assert_array_equal, pix2pix.to_variables(old, like), pix2pix.to_variables(arrays, like))


def test_half_precision_is_converted_to_float32():
    arrays, like = file_of(*SMALL[5])
    halves = {name: value.astype(np.float16) for name, value in arrays.items()}
    found = pix2pix.to_variables(halves, like)
    assert {x.dtype for x in jax.tree.leaves(found)} == {np.dtype("float32")}
    np.testing.assert_array_equal(found["params"]["pixel_0"]["bias"], halves["net.0.bias"].astype(np.float32))


def test_one_error_lists_all_arrays_that_do_not_match():
    arrays, like = file_of(*SMALL[4])
    del arrays["model.0.bias"], arrays["model.3.running_var"]
    arrays["model.2.weight"] = arrays["model.2.weight"][:3]
    arrays["model.11.bias"] = np.ones((7, 1), np.float32)
    arrays["model.5.weight"] = arrays["model.5.weight"].astype(np.int8)
    arrays["model.12.weight\x1b[2J"] = np.ones(1)
    with pytest.raises(ValueError, match="do not match the network") as error:
        pix2pix.to_variables(arrays, like)
    for part in (
        "2 missing: model.0.bias, model.3.running_var;",
        r"1 not expected: 'model.12.weight\x1b[2J';",
        "2 of another shape: model.2.weight (3, 2, 4, 4) instead of (4, 2, 4, 4), model.11.bias (7, 1) instead of (1,);",
        "1 of integers: model.5.weight",
    ):
        assert part in str(error.value)


def test_a_file_of_another_network_is_rejected():
    arrays, _ = file_of(*SMALL[3])
    _, like = file_of(*SMALL[2])
    with pytest.raises(ValueError, match=r"missing: model\.1\.bias, .* not expected: .*model\.2\.weight"):
        pix2pix.to_variables(arrays, like)
    with pytest.raises(ValueError, match=r"missing: model\.model\.0\.weight"):
        pix2pix.to_variables({}, file_of(*SMALL[0])[1])
    many = {f"model.{i}.more": np.ones(1) for i in range(100)}
    with pytest.raises(ValueError, match=r"100 not expected: .* and 60 more"):
        pix2pix.to_variables({**file_of(*SMALL[2])[0], **many}, like)


def test_variables_of_another_module_are_rejected():
    like = official.shapes(dcgan.Generator(8), np.zeros((1, 4), np.float32))
    with pytest.raises(
        ValueError, match=r"network of pix2pix or CycleGAN\. The names of their modules: image, linear, norm_0"
    ):
        pix2pix.to_variables({}, like)
    with pytest.raises(ValueError, match="has upsample='nearest', but the official generators have transposed"):
        pix2pix.shapes(official.shapes(cyclegan.Generator(3, 1, 2, upsample="nearest"), np.zeros((1, 8, 8, 3))))
    with pytest.raises(ValueError, match="modules: none"):
        pix2pix.to_torch({})
    with pytest.raises(ValueError, match=r"params\.conv_0\.gain does not belong to a network"):
        pix2pix.shapes({"params": {"conv_0": {"gain": np.ones(1)}, "logit": {"kernel": np.ones((1, 1, 1, 1))}}})
