"""The conversion between state dicts and variables, with small examples."""

import numpy as np
import pytest

from jaxgan.interop import state_dict

VARIABLES = {
    "params": {
        "conv": {"kernel": np.arange(24.0).reshape(1, 2, 3, 4), "bias": np.arange(4.0)},
        "norm": {"scale": np.ones(4), "bias": np.zeros(4)},
    },
    "batch_stats": {"norm": {"mean": np.full(4, 2.0), "var": np.full(4, 3.0)}},
}
NAMES = {
    ("params", "conv", "kernel"): "net.0.weight",
    ("params", "conv", "bias"): "net.0.bias",
    ("params", "norm", "scale"): "net.1.weight",
    ("params", "norm", "bias"): "net.1.bias",
    ("batch_stats", "norm", "mean"): "net.1.running_mean",
    ("batch_stats", "norm", "var"): "net.1.running_var",
}


def test_fill_is_the_inverse_of_flatten():
    flat = state_dict.flatten(VARIABLES)
    assert flat.keys() == NAMES.keys()
    assert flat["params", "norm", "scale"] is VARIABLES["params"]["norm"]["scale"]
    same_leaves = state_dict.fill(VARIABLES, flat)
    assert same_leaves == VARIABLES and same_leaves is not VARIABLES


def test_kernels_are_output_channels_first_in_pytorch():
    kernel = VARIABLES["params"]["conv"]["kernel"]
    in_torch = state_dict.kernel_to_torch(kernel)
    assert in_torch.shape == (4, 3, 1, 2)
    for h, w, i, o in np.ndindex(*kernel.shape):
        assert in_torch[o, i, h, w] == kernel[h, w, i, o]
    np.testing.assert_array_equal(state_dict.kernel_from_torch(in_torch), kernel)
    vector = np.arange(3)
    assert state_dict.kernel_to_torch(vector) is state_dict.kernel_from_torch(vector) is vector


def test_a_plan_names_every_array():
    plan: state_dict.Plan = state_dict.make_plan(VARIABLES, {"conv": "net.0", "norm": "net.1"})
    assert {path: entry.name for path, entry in plan.items()} == NAMES
    assert state_dict.shapes(VARIABLES, plan) == {
        "net.0.bias": (4,), "net.0.weight": (4, 3, 1, 2), "net.1.bias": (4,), "net.1.running_mean": (4,),
        "net.1.running_var": (4,), "net.1.weight": (4,),
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"params\.norm\.scale does not belong to a network .* The modules .* conv\."):
        state_dict.make_plan(VARIABLES, {"conv": "net.0"})


def test_a_variable_without_a_counterpart_is_zero():
    def negate(x):
        return -x

    plan = {("params", "a", "kernel"): state_dict.Entry("a", negate, negate)}
    plan |= {("params", "a", "bias"): state_dict.Entry(None, negate, negate)}
    like = {"params": {"a": {"kernel": np.ones(2), "bias": np.zeros(2)}}}
    variables = state_dict.to_variables({"a": np.array([1.0, 2.0])}, like, plan)
    np.testing.assert_array_equal(variables["params"]["a"]["kernel"], [-1, -2])
    np.testing.assert_array_equal(variables["params"]["a"]["bias"], [0, 0])
    np.testing.assert_array_equal(state_dict.to_torch(variables, plan)["a"], [1, 2])
    with pytest.raises(ValueError, match=r"variables must be zero, .* does not have them: params\.a\.bias\."):
        state_dict.to_torch({"params": {"a": {"kernel": np.ones(2), "bias": np.ones(2)}}}, plan)


def test_unknown_modules_lists_nine():
    error = state_dict.unknown_modules([f"m{i}" for i in range(12)][::-1], "DCGAN")
    assert str(error) == (
        "The variables do not belong to a network of DCGAN. The names of their modules: m0, m1, m10, m11, m2, m3, m4, "
        "m5, m6."
    )
    assert "modules: none." in str(state_dict.unknown_modules([], "DCGAN"))
