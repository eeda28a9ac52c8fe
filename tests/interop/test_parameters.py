"""Files of networks' parameters: writing and reading with readable names, and errors for arrays that do not match."""

import json

import jax
import numpy as np
import pytest

from jaxgan.interop import read_metadata, read_parameters, read_safetensors, write_parameters
from jaxgan.interop.parameters import fill_names, flatten_names

VARIABLES = {
    "g": {
        "params": {"linear": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(3, np.float32)}},
        "batch_stats": {"norm": {"mean": np.ones(3, np.float32)}},
    },
    "mapping": {"moving": {"w": np.full(2, 0.5, np.float32)}, "params": {"constant": np.ones((1, 2), np.float32)}},
}
NAMES = {
    *("g.params.linear.kernel", "g.params.linear.bias", "g.batch_stats.norm.mean"),
    *("mapping.moving.w", "mapping.params.constant"),
}


def same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b, strict=True), one, other)


def test_written_parameters_can_be_read(tmp_path):
    path = tmp_path / "a.safetensors"
    write_parameters(path, VARIABLES, {"license": "CC0"})
    assert read_metadata(path) == {"license": "CC0"}
    arrays = read_safetensors(path)
    assert set(arrays) == set(flatten_names(VARIABLES)) == NAMES
    np.testing.assert_array_equal(arrays["g.params.linear.kernel"], VARIABLES["g"]["params"]["linear"]["kernel"])
    same(fill_names(VARIABLES, arrays), VARIABLES)
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), VARIABLES)
    same(read_parameters(path, like), VARIABLES)


def test_lists_of_layers_are_read_as_lists(tmp_path):
    layer = {"kernel": np.ones((2, 2), np.float32)}
    variables = {"g": {"params": [layer, (layer, {"bias": np.zeros(2, np.float32)})]}}
    write_parameters(tmp_path / "a.safetensors", variables)
    names = {"g.params.0.kernel", "g.params.1.0.kernel", "g.params.1.1.bias"}
    assert set(read_safetensors(tmp_path / "a.safetensors")) == names
    same(read_parameters(tmp_path / "a.safetensors", variables), variables)


def test_values_that_are_not_arrays_are_rejected():
    with pytest.raises(ValueError, match=r"g\.params\.layer is of the type set\. Variables must be arrays in nested"):
        flatten_names({"g": {"params": {"layer": {1, 2}}}})


def test_one_error_lists_all_arrays_that_do_not_match(tmp_path):
    path = tmp_path / "a.safetensors"
    write_parameters(path, VARIABLES)
    shapes = jax.tree.map(np.copy, VARIABLES)
    shapes["g"]["params"]["linear"] = {"kernel": np.zeros((2, 4)), "scale": np.zeros(3)}
    with pytest.raises(ValueError, match="do not match the network") as error:
        read_parameters(path, shapes)
    for part in (
        f"{path}: ",
        "1 missing: g.params.linear.scale",
        "1 not expected: g.params.linear.bias",
        "1 of another shape: g.params.linear.kernel (2, 3) instead of (2, 4)",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("metadata", [3, [], {"a": 1}, {"a": {}}])
def test_metadata_must_be_strings(metadata, tmp_path):
    path = tmp_path / "a.safetensors"
    text = json.dumps({"__metadata__": metadata}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    for read in (read_metadata, read_safetensors):
        with pytest.raises(ValueError, match=r"its entry '__metadata__\S*' must be (text|an object)"):
            read(path)
    path.write_bytes(b"no")
    with pytest.raises(ValueError, match=r"not a \.safetensors file"):
        read_metadata(path)
