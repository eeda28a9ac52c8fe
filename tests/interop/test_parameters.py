"""Networks' parameters in a file: there and back under readable names, and what does not fit."""

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


def test_there_and_back(tmp_path):
    path = tmp_path / "a.safetensors"
    write_parameters(path, VARIABLES, {"license": "CC0"})
    assert read_metadata(path) == {"license": "CC0"}
    arrays = read_safetensors(path)
    assert set(arrays) == set(flatten_names(VARIABLES)) == NAMES
    np.testing.assert_array_equal(arrays["g.params.linear.kernel"], VARIABLES["g"]["params"]["linear"]["kernel"])
    same(fill_names(VARIABLES, arrays), VARIABLES)
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), VARIABLES)
    same(read_parameters(path, like), VARIABLES)


def test_lists_of_layers_come_back_as_lists(tmp_path):
    layer = {"kernel": np.ones((2, 2), np.float32)}
    variables = {"g": {"params": [layer, (layer, {"bias": np.zeros(2, np.float32)})]}}
    write_parameters(tmp_path / "a.safetensors", variables)
    names = {"g.params.0.kernel", "g.params.1.0.kernel", "g.params.1.1.bias"}
    assert set(read_safetensors(tmp_path / "a.safetensors")) == names
    same(read_parameters(tmp_path / "a.safetensors", variables), variables)


def test_what_has_no_name_is_refused():
    with pytest.raises(
        ValueError, match=r"g.params.layer is of type set. Variables with names must be arrays in nested"
    ):
        flatten_names({"g": {"params": {"layer": {1, 2}}}})


def test_what_does_not_fit_is_told_together(tmp_path):
    path = tmp_path / "a.safetensors"
    write_parameters(path, VARIABLES)
    shapes = jax.tree.map(np.copy, VARIABLES)
    shapes["g"]["params"]["linear"] = {"kernel": np.zeros((2, 4)), "scale": np.zeros(3)}
    with pytest.raises(ValueError, match="not this network's") as told:
        read_parameters(path, shapes)
    for part in (
        f"{path}: ",
        "1 missing: g.params.linear.scale",
        "1 not expected: g.params.linear.bias",
        "1 of another shape: g.params.linear.kernel (2, 3) for (2, 4)",
    ):
        assert part in str(told.value)


@pytest.mark.parametrize("metadata", [3, [], {"a": 1}, {"a": {}}])
def test_metadata_that_are_no_text(metadata, tmp_path):
    path = tmp_path / "a.safetensors"
    text = json.dumps({"__metadata__": metadata}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    for read in (read_metadata, read_safetensors):
        with pytest.raises(ValueError, match="its metadata are other than text by name"):
            read(path)
    path.write_bytes(b"no")
    with pytest.raises(ValueError, match=r"no \.safetensors"):
        read_metadata(path)
