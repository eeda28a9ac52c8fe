"""Inception-v3 of 2015-12-05, the network that defines the FID: Szegedy et al. 2016 (arXiv:1512.00567).

Layers have the names of TensorFlow's graph, such as ``mixed_4_tower_1_conv_2``. ``parameters`` folds the batch
normalisation into the kernels and biases. The network differs from torchvision's Inception-v3 in three ways: average
pooling excludes the padding, the last block uses max pooling, and there are 1,008 classes.
"""

import functools
from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

SIZE = 299  # height and width of the input in pixels
LAYERS = (64, 192, 768, 2048, "logits_unbiased", "logits")
CLASSES = 1008
_EPSILON = 1e-3  # number that batch normalisation adds to the variance
_BORDER = ((0, 0), (1, 1), (1, 1), (0, 0))  # padding for windows of 3 x 3 pixels
_PRECISION = jax.lax.Precision.HIGHEST  # float32 also on accelerators, so that metrics do not depend on the device


class Inception(nn.Module):
    """Network that maps images, [B, 299, 299, 3] with values from 0 to 255, to the output of a layer.

    Attributes:
      layer: one of ``LAYERS``. A number selects the layer with this number of features; the output is [B, layer].
        "logits" are the logits of 1,008 classes, and "logits_unbiased" are the logits without the bias. The Inception
        Score uses "logits_unbiased".
      pooled: whether to average the features over the image. If False, the output consists of feature maps,
        [B, h, w, layer], and images may have other sizes.

    Raises:
      ValueError: if ``pooled`` is False and ``layer`` is not a number.
    """

    layer: int | str = 2048
    pooled: bool = True

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        if not self.pooled and not isinstance(self.layer, int):
            raise ValueError(
                f"`pooled` must be True for the layer {self.layer!r}. It may be False for 64, 192, 768 and 2048."
            )
        x = (jnp.asarray(images, jnp.float32) - 128) / 128
        x = _conv(x, "conv", 32, (3, 3), 2, "VALID")
        x = _conv(x, "conv_1", 32, (3, 3), 1, "VALID")
        x = _conv(x, "conv_2", 64, (3, 3))
        x = _max_pool_by_2(x)
        if self.layer == 64:
            return self._pool(x)
        x = _conv(x, "conv_3", 80)
        x = _conv(x, "conv_4", 192, (3, 3), 1, "VALID")
        x = _max_pool_by_2(x)
        if self.layer == 192:
            return self._pool(x)
        for i, pooled in enumerate((32, 64, 64)):
            x = _block_35(x, "mixed" if i == 0 else f"mixed_{i}", pooled)
        x = _to_17(x, "mixed_3")
        for i, inner in zip(range(4, 8), (128, 160, 160, 192)):
            x = _block_17(x, f"mixed_{i}", inner)
        if self.layer == 768:
            return self._pool(x)
        x = _to_8(x, "mixed_8")
        x = _block_8(x, "mixed_9", pools_largest=False)
        x = _block_8(x, "mixed_10", pools_largest=True)
        if self.layer == 2048:
            return self._pool(x)
        x = x.mean((1, 2))
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], CLASSES))
        bias = self.param("bias", nn.initializers.zeros, (CLASSES,))
        logits = jnp.matmul(x, kernel, precision=_PRECISION)
        return logits if self.layer == "logits_unbiased" else logits + bias[None]

    def _pool(self, x):
        return x.mean((1, 2)) if self.pooled else x


class _Weights(nn.Module):
    """Kernel and bias of the convolution that has the name of this module."""

    features: int
    window: tuple[int, int] = (1, 1)

    @nn.compact
    def __call__(self, channels: int) -> tuple[jax.Array, jax.Array]:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (*self.window, channels, self.features))
        return kernel, self.param("bias", nn.initializers.zeros, (self.features,))


def _conv(x, name, features, window=(1, 1), stride=1, padding="SAME"):
    """Apply a convolution with a bias and a ReLU."""
    if window == (1, 1):
        return nn.relu(*_pointwise(x, {name: features}))
    kernel, bias = _Weights(features, window, name=name)(x.shape[-1])
    numbers = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, kernel, (stride,) * 2, padding, dimension_numbers=numbers, precision=_PRECISION)
    return nn.relu(y + bias.reshape(1, 1, 1, -1))


def _pointwise(x, features):
    """Apply several 1 x 1 convolutions to the same input, without their ReLUs.

    They are computed as one matrix product, which is faster on CPUs than separate convolutions.

    Args:
      x: feature maps, [B, height, width, C].
      features: a dictionary from the name of each convolution to its number of output features.
    """
    weights = [_Weights(count, name=name)(x.shape[-1]) for name, count in features.items()]
    kernels, biases = (jnp.concatenate(parts, -1) for parts in zip(*weights))
    y = jnp.matmul(x, kernels[0, 0], precision=_PRECISION) + biases.reshape(1, 1, 1, -1)
    return jnp.split(y, np.cumsum(list(features.values()))[:-1], -1)


def _max_pool_by_2(x):
    """Apply 3 x 3 max pooling with a stride of 2, without padding."""
    return functools.reduce(jnp.maximum, _windows_of_9(x, 2))


def _max_pool(x):
    """Apply 3 x 3 max pooling with a stride of 1 and padding."""
    return functools.reduce(jnp.maximum, _windows_of_9(jnp.pad(x, _BORDER, constant_values=-jnp.inf)))


def _average_pool(x):
    """Apply 3 x 3 average pooling with a stride of 1. The mean excludes the padding."""
    rows, columns = (3 - np.isin(np.arange(n), (0, n - 1)) for n in x.shape[1:3])
    counts = np.outer(rows, columns).astype(np.float32)[None, ..., None]
    return functools.reduce(jnp.add, _windows_of_9(jnp.pad(x, _BORDER))) / counts


def _windows_of_9(x, stride=1):
    """Return the nine pixels of each window of 3 x 3 pixels, as nine images [B, height, width, C].

    Pooling with these images is 3 to 8 times faster on CPUs than XLA's pooling.
    """
    height, width = ((n - 3) // stride * stride + 1 for n in x.shape[1:3])
    return [x[:, i : i + height : stride, j : j + width : stride] for i in range(3) for j in range(3)]


def _tower(x, name, *units):
    """Apply a ReLU to the output of a 1 x 1 convolution ``name``, then the convolutions ``name_1``, ``name_2``, ..."""
    x = nn.relu(x)
    for i, unit in enumerate(units, 1):
        x = _conv(x, f"{name}_{i}", *unit)
    return x


def _branches(name, *features):
    """Return a dictionary from the names of a block's first convolutions to their numbers of features."""
    return dict(zip((f"{name}_{part}" for part in ("conv", "tower_conv", "tower_1_conv", "tower_2_conv")), features))


def _block_35(x, name, pooled):
    whole, once, twice, pool = _pointwise(x, _branches(name, 64, 48, 64, pooled))
    return jnp.concatenate(
        [
            nn.relu(whole),
            _tower(once, f"{name}_tower_conv", (64, (5, 5))),
            _tower(twice, f"{name}_tower_1_conv", (96, (3, 3)), (96, (3, 3))),
            nn.relu(_average_pool(pool)),
        ],
        -1,
    )


def _to_17(x, name):
    tower = f"{name}_tower_conv"
    return jnp.concatenate(
        [
            _conv(x, f"{name}_conv", 384, (3, 3), 2, "VALID"),
            _tower(*_pointwise(x, {tower: 64}), tower, (96, (3, 3)), (96, (3, 3), 2, "VALID")),
            _max_pool_by_2(x),
        ],
        -1,
    )


def _block_17(x, name, inner):
    flat, tall = (1, 7), (7, 1)
    whole, once, twice, pool = _pointwise(x, _branches(name, 192, inner, inner, 192))
    fourfold = ((inner, tall), (inner, flat), (inner, tall), (192, flat))
    return jnp.concatenate(
        [
            nn.relu(whole),
            _tower(once, f"{name}_tower_conv", (inner, flat), (192, tall)),
            _tower(twice, f"{name}_tower_1_conv", *fourfold),
            nn.relu(_average_pool(pool)),
        ],
        -1,
    )


def _to_8(x, name):
    once, twice = _pointwise(x, {f"{name}_tower_conv": 192, f"{name}_tower_1_conv": 192})
    last = ((3, 3), 2, "VALID")
    return jnp.concatenate(
        [
            _tower(once, f"{name}_tower_conv", (320, *last)),
            _tower(twice, f"{name}_tower_1_conv", (192, (1, 7)), (192, (7, 1)), (192, *last)),
            _max_pool_by_2(x),
        ],
        -1,
    )


def _block_8(x, name, pools_largest):
    if pools_largest:
        whole, once, twice = _pointwise(x, _branches(name, 320, 384, 448))
        pooled = _conv(_max_pool(x), f"{name}_tower_2_conv", 192)
    else:
        whole, once, twice, pooled = _pointwise(x, _branches(name, 320, 384, 448, 192))
        pooled = nn.relu(_average_pool(pooled))

    def split(x, name):
        return [_conv(x, f"{name}_conv", 384, (1, 3)), _conv(x, f"{name}_conv_1", 384, (3, 1))]

    return jnp.concatenate(
        [
            nn.relu(whole),
            *split(nn.relu(once), f"{name}_tower_mixed"),
            *split(_tower(twice, f"{name}_tower_1_conv", (384, (3, 3))), f"{name}_tower_1_mixed"),
            pooled,
        ],
        -1,
    )


_STEM = {"1a_3x3": "conv", "2a_3x3": "conv_1", "2b_3x3": "conv_2", "3b_1x1": "conv_3", "4a_3x3": "conv_4"}
_MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
_ONCE, _TWICE = "tower_conv", "tower_1_conv"
_BRANCHES = {
    "5": {"branch1x1": "conv", "branch5x5": _ONCE, "branch3x3dbl": _TWICE, "branch_pool": "tower_2_conv"},
    "6a": {"branch3x3": "conv", "branch3x3dbl": _ONCE},
    "6": {"branch1x1": "conv", "branch7x7": _ONCE, "branch7x7dbl": _TWICE, "branch_pool": "tower_2_conv"},
    "7a": {"branch3x3": _ONCE, "branch7x7x3": _TWICE},
    "7": {"branch1x1": "conv", "branch3x3": _ONCE, "branch3x3dbl": _TWICE, "branch_pool": "tower_2_conv"},
}
_PARTS = {"": "", "1": "", "2": "_1", "3": "_2", "4": "_3", "5": "_4"}


def parameters(arrays: Mapping[str, np.ndarray], layer: int | str) -> dict:
    """Convert arrays with TensorFlow's or PyTorch's names to the variables of ``Inception(layer)``.

    Args:
      arrays: a dictionary from names to arrays. Arrays of layers after ``layer`` may be missing. The dictionary has one
        of two formats:

        - names of TensorFlow's graph, with the batch normalisation folded into the arrays, such as ``mixed_4_conv/w``,
          [height, width, in, out], and ``mixed_4_conv/b``; or
        - names of pytorch-fid and torch-fidelity, such as ``Mixed_6b.branch1x1.conv.weight``.
      layer: one of ``LAYERS``.

    Returns:
      The variables, ``{"params": ...}``.

    Raises:
      ValueError: if the layer is unknown, or an array is missing or has another shape.
    """
    if layer not in LAYERS:
        raise ValueError(f"`layer` must be one of {', '.join(map(str, LAYERS))}, got {layer!r}.")
    if any(name.startswith("AuxLogits.") for name in arrays):
        raise ValueError(
            "The weights are those of torchvision's Inception-v3, but the FID requires TensorFlow's Inception of 2015. "
            "Use the file of pytorch-fid or torch-fidelity."
        )
    found = _from_torch(arrays) if any(name.startswith("Conv2d_1a_3x3.") for name in arrays) else _from_graph(arrays)
    shapes = jax.eval_shape(Inception(layer).init, jax.random.key(0), jnp.zeros((1, SIZE, SIZE, 3)))["params"]
    params = {}
    for name, wanted in jax.tree_util.tree_leaves_with_path(shapes):
        path = tuple(key.key for key in name)
        value = found.get("/".join(path))
        if value is None or value.shape != wanted.shape:
            if value is None:
                problem = "are missing from the file. A layer with fewer features may be available"
            else:
                problem = f"have the shape {value.shape}, but the network requires {wanted.shape}"
            raise ValueError(f"The weights of {path[0]}, which layer {layer} of Inception requires, {problem}.")
        node = params
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = value.astype(np.float32)
    return {"params": params}


def _from_graph(arrays):
    """Rename TensorFlow's arrays to the names in this module, such as ``mixed_conv/kernel``."""
    parts = {"w": "kernel", "b": "bias"}
    found = {}
    for name, value in arrays.items():
        unit, _, part = name.rpartition("/")
        if part in parts:
            found[parts[part] if unit == "softmax" else f"{unit}/{parts[part]}"] = value
    return found


def _from_torch(arrays):
    """Rename PyTorch's arrays to the names in this module, and fold the batch normalisation into them."""
    found = {}
    for name in arrays:
        if not name.endswith(".conv.weight"):
            continue
        unit = name.removesuffix(".conv.weight")
        kernel = np.asarray(arrays[name], np.float64)
        parts = ("weight", "bias", "running_mean", "running_var")
        norm = {part: np.asarray(arrays.get(f"{unit}.bn.{part}", np.zeros(0)), np.float64) for part in parts}
        if kernel.ndim != 4 or any(value.shape != kernel.shape[:1] for value in norm.values()):
            raise ValueError(
                f"{unit} must have a kernel [out, in, height, width] and the four arrays of its batch normalisation, "
                f"[out]. Use the file of pytorch-fid or torch-fidelity."
            )
        scale = norm["weight"] / np.sqrt(norm["running_var"] + _EPSILON)
        found[f"{_graph_name(unit)}/kernel"] = kernel.transpose(2, 3, 1, 0) * scale
        found[f"{_graph_name(unit)}/bias"] = norm["bias"] - norm["running_mean"] * scale
    if {"fc.weight", "fc.bias"} <= set(arrays):
        found["kernel"], found["bias"] = arrays["fc.weight"].T, arrays["fc.bias"]
    return found


def _graph_name(unit: str) -> str:
    """Return the name in TensorFlow's graph: ``Mixed_6b.branch7x7dbl_2`` is ``mixed_4_tower_1_conv_1``."""
    try:
        return _graph_name_of_block(*unit.partition(".")[::2])
    except (KeyError, ValueError):
        raise ValueError(
            f"{unit} is not a layer of the FID's Inception. Use the file of pytorch-fid or torch-fidelity."
        ) from None


def _graph_name_of_block(block: str, unit: str) -> str:
    if not unit:
        return _STEM[block.removeprefix("Conv2d_")]
    block = block.removeprefix("Mixed_")
    number = _MIXED.index(block)
    branches = _BRANCHES.get(block) or _BRANCHES[block[0]]
    branch, part = (unit, "") if unit in branches else unit.rsplit("_", 1)
    tower = branches[branch]
    if part[-1:] in ("a", "b"):  # two parallel convolutions, 1 x 3 and 3 x 1
        tower, part = tower.replace("conv", "mixed_conv"), {"a": "1", "b": "2"}[part[-1]]
    return f"mixed{f'_{number}' if number else ''}_{tower}{_PARTS[part]}"
