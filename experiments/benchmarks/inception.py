"""Compare the speed of Inception's features in jaxgan and in PyTorch, on this machine.

    pip install -e '.[torch]'
    python -m experiments.benchmarks.inception

The two implementations are called sides. Both sides read uint8 images of 299 x 299 pixels. Both have the same random
weights. Batch normalisation is folded into the weights of the convolutions. First, the program checks that the features
of both sides agree. Then it times four forms of PyTorch, which are four ways to run the same network: with the memory
layout "channels last", with "channels first", compiled by ``torch.compile``, and frozen by ``torch.jit`` and optimised
for inference. Finally, it times jaxgan and the fastest form of PyTorch in pairs of new processes, as in
``against_pytorch``.
"""

# pyright: reportMissingImports=false

import functools
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.benchmarks import processes
from experiments.benchmarks.worker import steady_ms
from jaxgan.evaluation.extractors import BATCH_SIZE, InceptionFeatures
from jaxgan.evaluation.inception import SIZE, Inception

_NAME = "experiments.benchmarks.inception"
_FORMS = ("channels last", "channels first", "compiled", "frozen")
_AGREE_TO = 1e-5  # largest accepted difference between the features of the two sides, relative to the largest feature


def main(
    side: Literal["both", "jaxgan", "torch", "agree"] = "both",
    form: str = _FORMS[0],
    batch: int = BATCH_SIZE,
    pairs: int = 5,
    seconds: float = 8.0,
) -> None:
    """Compare the two sides, or measure one of them.

    Args:
      side: "both" times both sides in pairs of new processes. "jaxgan" and "torch" time only that side, in the current
        process. "agree" compares the features of both sides.
      form: form of PyTorch that --side torch times: "channels last", "channels first", "compiled" or "frozen".
      batch: number of images in a batch.
      pairs: number of pairs of processes, one of jaxgan and one of PyTorch.
      seconds: number of seconds for which each process computes features.
    """
    images = np.random.default_rng(0).integers(0, 256, (batch, SIZE, SIZE, 3), np.uint8)
    if side == "agree":
        ours, theirs = _jaxgan_features()(images[:2]), _torch_features(_FORMS[0], images[:2])(images[:2])
        print(json.dumps({"difference": float(np.abs(ours - theirs).max() / np.abs(theirs).max())}))
    elif side != "both":
        features = _jaxgan_features() if side == "jaxgan" else _torch_features(form, images)
        ms = steady_ms(lambda count: [features(images) for _ in range(count)], seconds)
        print(json.dumps({"ms": ms / batch}))
    else:
        forms = {"jaxgan": ["InceptionFeatures"], "torch": _FORMS}
        race = processes.race_implementations(_NAME, ["--batch", str(batch)], forms, _AGREE_TO, pairs, seconds)
        print(processes.format_race(f"Inception's 2,048 features, batch size {batch}", race, "image"))


@functools.cache
def _random_weights() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return a dictionary from the name of each convolution to a random kernel and a random bias.

    A kernel has the shape [height, width, inputs, outputs], and a bias has the shape [outputs].
    """
    params = jax.jit(Inception().init)(jax.random.key(0), jnp.zeros((1, SIZE, SIZE, 3)))["params"]
    rng = np.random.default_rng(0)
    weights = {}
    for unit, leaves in params.items():
        # Without this factor, the activations would become smaller with each layer.
        kernel = np.asarray(leaves["kernel"]) * np.float32(2**0.5)
        weights[unit] = kernel, rng.normal(0, 0.1, kernel.shape[-1]).astype(np.float32)
    return weights


def _jaxgan_features() -> Callable[[np.ndarray], np.ndarray]:
    """Return jaxgan's function from uint8 images [N, 299, 299, 3] to features [N, 2048]. Metrics use this function."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the warning that these are not the official weights
        path = Path(folder) / "weights.npz"
        kernels = {f"{unit}/w": kernel for unit, (kernel, _) in _random_weights().items()}
        np.savez(path, **kernels, **{f"{unit}/b": bias for unit, (_, bias) in _random_weights().items()})  # pyright: ignore
        return InceptionFeatures(path)


def _torch_features(form: str, images: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a PyTorch function that computes the same features as the function of ``_jaxgan_features``.

    Args:
      form: form of PyTorch, an item of ``_FORMS``.
      images: a batch of images, with which the form "frozen" traces the network.
    """
    import torch

    layout = torch.channels_last if form != "channels first" else torch.contiguous_format
    network = _torch_network().train(False).to(memory_format=layout)

    def preprocess(images):
        x = torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32, memory_format=layout)
        return (x - 128) / 128

    with torch.inference_mode():
        if form == "compiled":
            network = torch.compile(network)
        elif form == "frozen":
            network = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, preprocess(images))))

    def features(images):
        with torch.inference_mode():
            return network(preprocess(images)).numpy()

    return features


def _torch_network() -> Any:
    """Create the network of ``jaxgan.evaluation.inception.Inception`` in PyTorch, with the same convolution names."""
    import torch
    from torch.nn import functional

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.kernels, self.biases = torch.nn.ParameterDict(), torch.nn.ParameterDict()
            for unit, (kernel, bias) in _random_weights().items():
                self.kernels[unit] = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
                self.biases[unit] = torch.from_numpy(bias)

        def unit(self, x, name, stride=1, valid=False):
            kernel = self.kernels[name]
            padding = (0, 0) if valid else (kernel.shape[2] // 2, kernel.shape[3] // 2)
            return functional.relu(functional.conv2d(x, kernel, self.biases[name], stride, padding), inplace=True)

        def tower(self, x, name, count, last_stride=1):
            for i in range(count):
                last = i == count - 1 and last_stride > 1
                x = self.unit(x, name if i == 0 else f"{name}_{i}", last_stride if last else 1, last)
            return x

        def averaged(self, x, name):
            return self.unit(functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False), name)

        def block(self, x, name, once, twice):
            parts = [self.unit(x, f"{name}_conv"), self.tower(x, f"{name}_tower_conv", once)]
            parts += [self.tower(x, f"{name}_tower_1_conv", twice), self.averaged(x, f"{name}_tower_2_conv")]
            return torch.cat(parts, 1)

        def last_block(self, x, name, largest):
            once, twice = self.tower(x, f"{name}_tower_conv", 1), self.tower(x, f"{name}_tower_1_conv", 2)
            parts = [self.unit(x, f"{name}_conv")]
            for y, tower in ((once, "tower"), (twice, "tower_1")):
                parts += [self.unit(y, f"{name}_{tower}_mixed_conv"), self.unit(y, f"{name}_{tower}_mixed_conv_1")]
            last = f"{name}_tower_2_conv"
            parts.append(self.unit(functional.max_pool2d(x, 3, 1, 1), last) if largest else self.averaged(x, last))
            return torch.cat(parts, 1)

        def forward(self, x):
            x = self.unit(self.unit(x, "conv", 2, True), "conv_1", 1, True)
            x = functional.max_pool2d(self.unit(x, "conv_2"), 3, 2)
            x = functional.max_pool2d(self.unit(self.unit(x, "conv_3"), "conv_4", 1, True), 3, 2)
            for name in ("mixed", "mixed_1", "mixed_2"):
                x = self.block(x, name, 2, 3)
            parts = [self.unit(x, "mixed_3_conv", 2, True), self.tower(x, "mixed_3_tower_conv", 3, 2)]
            x = torch.cat([*parts, functional.max_pool2d(x, 3, 2)], 1)
            for i in range(4, 8):
                x = self.block(x, f"mixed_{i}", 3, 5)
            parts = [self.tower(x, "mixed_8_tower_conv", 2, 2), self.tower(x, "mixed_8_tower_1_conv", 4, 2)]
            x = torch.cat([*parts, functional.max_pool2d(x, 3, 2)], 1)
            x = self.last_block(self.last_block(x, "mixed_9", False), "mixed_10", True)
            return x.mean((2, 3))

    return Network()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
