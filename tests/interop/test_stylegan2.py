"""The official state dicts of NVlabs/stylegan2-ada-pytorch at commit d72cc7d: names, shapes and counts.

tests/models/test_stylegan2.py tests that the networks with these weights have the official outputs.
"""

import functools

import jax
import numpy as np
import pytest
from helpers import official

from jaxgan.interop import read_weights, stylegan2 as interop, write_safetensors
from jaxgan.models import dcgan, stylegan2

# The number of parameters and a checksum of names and shapes (with buffers), of G and D, by (size, classes, base).
SIZES = {
    (32, 10, 32768): ((21791251, 2309396647), (23876096, 2333318727)),
    (256, 0, 16384): ((24767458, 3799935780), (24001089, 3437216568)),
    (1024, 0, 32768): ((30370060, 2823718697), (29012513, 993438731)),
}


def zeros(like):
    return jax.tree.map(lambda x: np.broadcast_to(np.float32(0), x.shape), like)


@pytest.mark.integration
@pytest.mark.parametrize(("size", "classes", "base"), SIZES)
def test_names_shapes_and_counts_of_the_full_size(size, classes, base):
    synthesis = stylegan2.Synthesis((size, size), channel_base=base)
    mapping = stylegan2.Mapping(synthesis.num_ws, classes=classes)
    key, x, label = jax.random.key(0), np.zeros((1, 512), np.float32), (np.zeros(1, np.int32),) if classes else ()
    ws, images = np.zeros((1, synthesis.num_ws, 512), np.float32), np.zeros((1, size, size, 3), np.float32)
    g = {
        "mapping": jax.eval_shape(functools.partial(mapping.init, train=False), key, x, *label),
        "synthesis": jax.eval_shape(synthesis.init, key, ws),
    }
    d = jax.eval_shape(stylegan2.Discriminator(classes, base).init, key, images, *label)
    params = [g["mapping"]["params"], g["synthesis"]["params"]], d["params"]
    for like, own, (count, checksum) in zip((g, d), params, SIZES[size, classes, base]):
        assert sum(np.prod(x.shape) for x in jax.tree.leaves(own)) == count
        arrays = interop.to_torch(zeros(like))
        assert official.names_checksum({name: x.shape for name, x in arrays.items()}) == checksum
        assert {name: arrays[name].shape for name in interop.shapes(like)} == interop.shapes(like)


def discriminator(classes=0, **how):
    """Return a random state dict of the official discriminator, and the shapes of the module's variables."""
    module = stylegan2.Discriminator(classes, 1024, 32, **how)
    label = (np.zeros(4, np.int32),) if classes else ()
    like = jax.eval_shape(module.init, jax.random.key(0), np.zeros((4, 8, 8, 3), np.float32), *label)
    return {name: official.styled(name, shape) for name, shape in interop.shapes(like).items()}, like


def same(one, other):
    assert one.keys() == other.keys()
    jax.tree.map(np.testing.assert_array_equal, one, other)


def without_filters(arrays):
    """Return the arrays without the filters, after a check of the filters."""
    filters = {name: x for name, x in arrays.items() if name.endswith("resample_filter")}
    assert filters
    for x in filters.values():
        np.testing.assert_allclose(x, interop.FILTER)
    return {name: x for name, x in arrays.items() if name not in filters}


@pytest.mark.parametrize("classes", [0, 3])
def test_conversion_to_torch_and_back(classes, tmp_path):
    _, _, variables, arrays = official.generator(16, classes)
    noise = interop.noise(arrays)
    assert [x.shape for x in noise] == [(4, 4), (8, 8), (8, 8), (16, 16), (16, 16)]
    np.testing.assert_array_equal(noise[1], arrays["synthesis.b8.conv0.noise_const"])
    written = interop.to_torch(variables, noise)
    same(without_filters(written), arrays)
    write_safetensors(tmp_path / "G_ema.safetensors", written)
    again = read_weights(tmp_path / "G_ema.safetensors")
    # One state dict contains both networks. Each of them can also be converted alone, and with any prefix.
    same(interop.to_variables(again, variables), variables)
    for part in ("mapping", "synthesis"):
        same(interop.to_variables(again, variables[part]), variables[part])
        within = {f"G_ema.{name}": x for name, x in again.items()} | {"D.b4.out.bias": np.ones(1)}
        same(interop.to_variables(within, variables[part]), variables[part])
    arrays, like = discriminator(classes)
    variables = interop.to_variables(arrays, like)
    same(without_filters(interop.to_torch(variables)), arrays)
    same(interop.to_variables(interop.to_torch(variables), like), variables)


def test_kernels_are_transposed():
    """Official kernels are [out, in, h, w]. The linear layer of D receives an image with the channels first."""
    arrays, like = discriminator(architecture="orig")
    variables = interop.to_variables(arrays, like)["params"]
    np.testing.assert_array_equal(variables["conv_1_0"]["kernel"], arrays["b8.conv0.weight"].transpose(2, 3, 1, 0))
    kernel = variables["linear"]["kernel"].reshape(4, 4, 32, 32)
    np.testing.assert_array_equal(kernel, arrays["b4.fc.weight"].reshape(32, 32, 4, 4).transpose(2, 3, 1, 0))
    _, _, variables, arrays = official.generator(8)
    constant = variables["synthesis"]["params"]["constant"]
    np.testing.assert_array_equal(constant, arrays["synthesis.b4.const"].transpose(1, 2, 0))
    kernel = variables["synthesis"]["params"]["conv_1_0"]["kernel"]
    np.testing.assert_array_equal(kernel, arrays["synthesis.b8.conv0.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(variables["mapping"]["moving"]["w"], arrays["mapping.w_avg"])


def test_missing_noise_is_drawn():
    _, _, variables, _ = official.generator(8)
    maps = interop.noise(interop.to_torch(variables))
    assert [x.shape for x in maps] == [(4, 4), (8, 8), (8, 8)]
    assert np.std(maps[1]) == pytest.approx(1, rel=0.3)
    same(dict(enumerate(interop.noise(interop.to_torch(variables)))), dict(enumerate(maps)))
    with pytest.raises(ValueError, match=r"maps of the shapes \[\(4, 4\), \(8, 8\), \(8, 8\)\], got \[\(8, 8\)\]\."):
        interop.to_torch(variables, maps[1:2])


def test_one_error_lists_all_arrays_that_do_not_match():
    arrays, like = discriminator(3)
    del arrays["b8.conv1.bias"], arrays["mapping.embed.weight"]
    arrays["b8.skip.weight"] = arrays["b8.skip.weight"][:3]
    arrays["b16.conv0.weight"] = np.ones((1, 1, 3, 3), np.float32)
    with pytest.raises(ValueError, match="do not match the network") as error:
        interop.to_variables(arrays, like)
    for part in (
        "2 missing: b8.conv1.bias, mapping.embed.weight;",
        "1 not expected: b16.conv0.weight;",
        "1 of another shape: b8.skip.weight (3, 32, 1, 1) instead of (32, 32, 1, 1)",
    ):
        assert part in str(error.value)


def test_invalid_arguments_are_rejected():
    _, _, variables, arrays = official.generator(8)
    other = {**arrays, "synthesis.b8.resample_filter": np.ones((4, 4)) / 16}
    with pytest.raises(ValueError, match=r"synthesis\.b8\.resample_filter must be the filter \[1, 3, 3, 1\]"):
        interop.to_variables(other, variables)
    with pytest.raises(ValueError, match="have 0 noise maps for 0 layers"):
        interop.noise(discriminator()[0])
    both = {f"{net}.{name}": x for net in ("G", "G_ema") for name, x in arrays.items()}
    with pytest.raises(ValueError, match="have 6 noise maps for 3 layers"):
        interop.noise(both)
    with pytest.raises(ValueError, match=r"exist 2 times, with the prefixes 'G\.mapping\.', 'G_ema\.mapping\.'\. Pass"):
        interop.to_variables(both, variables["mapping"])
    wide = stylegan2.Synthesis((8, 12), 3, 64, 8, base_shape=(4, 6))
    like = jax.eval_shape(wide.init, jax.random.key(0), np.zeros((1, 4, 6), np.float32))
    with pytest.raises(ValueError, match=r"The smallest level must have 4 x 4 pixels, .* got 4 x 6 pixels"):
        interop.shapes(like)
    d = stylegan2.Discriminator(0, 64, 8, base_shape=(4, 6))
    like = jax.eval_shape(d.init, jax.random.key(0), np.zeros((1, 8, 12, 3), np.float32))
    with pytest.raises(ValueError, match=r"The smallest level must have 4 x 4 pixels, .* got 24 pixels"):
        interop.shapes(like)
    like = official.shapes(dcgan.Generator(8), np.zeros((1, 4), np.float32))
    with pytest.raises(ValueError, match=r"network of StyleGAN2\. The names of their modules: image, linear, norm_0"):
        interop.shapes(like)
    with pytest.raises(ValueError, match=r"network of StyleGAN2\. The names of their modules: none"):
        interop.to_torch({})
