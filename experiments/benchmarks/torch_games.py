"""Define, with PyTorch, the games that are timed against jaxgan, written as experienced users of PyTorch write them.

The networks compute the same functions of the same parameters as the networks of ``experiments.benchmarks.games``. One
forward pass of the generator serves both players, as in PyTorch's own DCGAN example. No gradients are computed for the
discriminator's parameters in the generator's turn. Images can have the channels-last layout, and Adam is fused.
"""

import contextlib
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

# PyTorch is an optional dependency. These checks are off, because they fail if it is not installed.
# pyright: reportMissingImports=false, reportCallIssue=false, reportArgumentType=false
from experiments.benchmarks.games import CASES, Case


class Generator(nn.Module):
    """The PyTorch version of ``jaxgan.models.dcgan.Generator``, from latents [B, z] to images [B, C, size, size]."""

    def __init__(self, latents: int, size: int, channels: int, width: int):
        super().__init__()
        levels = size.bit_length() - 3
        self.features = width * 2 ** (levels - 1)
        self.linear = nn.Linear(latents, 16 * self.features, bias=False)
        self.norms, self.ups = nn.ModuleList([nn.BatchNorm2d(self.features)]), nn.ModuleList()
        features = self.features
        for _ in range(1, levels):
            self.ups.append(nn.ConvTranspose2d(features, features // 2, 4, 2, 1, bias=False))
            features //= 2
            self.norms.append(nn.BatchNorm2d(features))
        self.image = nn.ConvTranspose2d(features, channels, 4, 2, 1)

    def forward(self, z):
        x = self.linear(z).view(-1, 4, 4, self.features).permute(0, 3, 1, 2)
        x = functional.relu(self.norms[0](x))
        for up, norm in zip(self.ups, self.norms[1:]):
            x = functional.relu(norm(up(x)))
        return torch.tanh(self.image(x))


class Discriminator(nn.Module):
    """The PyTorch version of ``jaxgan.models.dcgan.Discriminator``, from images [B, C, size, size] to logits [B]."""

    def __init__(self, size: int, channels: int, width: int):
        super().__init__()
        levels = size.bit_length() - 3
        widths = [channels, *(width * 2**i for i in range(levels))]
        self.downs = nn.ModuleList(
            nn.Conv2d(a, b, 4, 2, 1, bias=i == 0) for i, (a, b) in enumerate(itertools.pairwise(widths))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for b in widths[2:])
        self.logit = nn.Linear(16 * widths[-1], 1)

    def forward(self, x):
        for i, down in enumerate(self.downs):
            x = down(x)
            x = functional.leaky_relu(self.norms[i - 1](x) if i else x, 0.2)
        return self.logit(x.permute(0, 2, 3, 1).reshape(len(x), -1)).view(-1)


class Perceptron(nn.Module):
    """The PyTorch version of the networks of ``jaxgan.models.mlp``: hidden linear layers and a last linear layer.

    Args:
      sizes: number of features of the input and of each layer.
      shape: shape of one output.
      slope: negative slope of the leaky ReLU; 0 for ReLU.
      output: function that is applied to the output of the last layer.
    """

    def __init__(self, sizes: tuple[int, ...], shape: tuple[int, ...], slope: float, output: Callable):
        super().__init__()
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes[:-1]))
        self.last = nn.Linear(*sizes[-2:])
        self.shape, self.slope, self.output = shape, slope, output

    def forward(self, x):
        x = x.reshape(len(x), -1)
        for layer in self.hidden:
            x = functional.leaky_relu(layer(x), self.slope) if self.slope else functional.relu(layer(x))
        return self.output(self.last(x)).view(-1, *self.shape)


class UpBlock(nn.Module):
    """The PyTorch version of a block of ``jaxgan.models.resnet.Generator``, which doubles the resolution.

    The block applies nearest-neighbour upsampling and then a convolution. jaxgan fuses these two operations into one
    operation, which computes the same function.
    """

    def __init__(self, width: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))
        self.up, self.conv = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.shortcut = nn.Conv2d(width, width, 1)

    def forward(self, x):
        y = functional.interpolate(functional.relu(self.norms[0](x)), scale_factor=2)
        y = self.conv(functional.relu(self.norms[1](self.up(y))))
        return functional.interpolate(self.shortcut(x), scale_factor=2) + y


class ResidualGenerator(nn.Module):
    """The PyTorch version of ``jaxgan.models.resnet.Generator``, from latents [B, z] to images [B, 3, 32, 32]."""

    def __init__(self, latents: int, width: int):
        super().__init__()
        self.width = width
        self.linear = nn.Linear(latents, 16 * width)
        self.blocks = nn.ModuleList(UpBlock(width) for _ in range(3))
        self.norm = nn.BatchNorm2d(width)
        self.image = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, z):
        x = self.linear(z).view(-1, 4, 4, self.width).permute(0, 3, 1, 2)
        for block in self.blocks:
            x = block(x)
        return torch.tanh(self.image(functional.relu(self.norm(x))))


class ResidualCritic(nn.Module):
    """The PyTorch version of ``jaxgan.models.resnet.Critic``, from images [B, 3, 32, 32] to values [B]."""

    def __init__(self, width: int):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, width, 3, padding=1) for c in (3, width, width, width, width, width))
        self.downs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.shortcuts = nn.ModuleList(nn.Conv2d(c, width, 1) for c in (3, width))
        self.value = nn.Linear(width, 1)

    def forward(self, x):
        for i in range(2):
            y = functional.relu(self.convs[i](functional.relu(x) if i else x))
            y = functional.avg_pool2d(self.downs[i](y), 2)
            x = y + self.shortcuts[i](functional.avg_pool2d(x, 2))
        for i in (2, 4):
            y = functional.relu(self.convs[i](functional.relu(x)))
            x = x + self.convs[i + 1](y)
        return self.value(functional.relu(x).mean((2, 3))).view(-1)


def networks(name: str) -> dict[str, nn.Module]:
    """Create the generator ``g`` and the discriminator ``d`` of the case with this name."""
    case = CASES[name]
    if name.startswith("dcgan"):
        size = case.shape[0]
        return {"g": Generator(case.latents, size, 3, 64), "d": Discriminator(size, 3, 64)}
    if name.startswith("wgan"):
        return {"g": ResidualGenerator(case.latents, 64), "d": ResidualCritic(64)}
    plane, identity = name == "toy", lambda x: x
    sizes = {"g": (2, 64, 64, 2), "d": (2, 64, 64, 1)} if plane else {"g": (100, 256, 784), "d": (784, 128, 1)}
    shape = (2,) if plane else (1, 28, 28)
    return {
        "g": Perceptron(sizes["g"], shape, 0.0, identity if plane else torch.tanh),
        "d": Perceptron(sizes["d"], (), 0.2, identity),
    }


def load(nets: Mapping[str, nn.Module], params: Mapping[str, Any]) -> None:
    """Copy jaxgan's parameters into PyTorch networks.

    Args:
      nets: the networks ``g`` and ``d``.
      params: jaxgan's parameters of ``g`` and ``d``.

    Raises:
      ValueError: if a parameter has a different shape than in the PyTorch network.
    """
    for name, net in nets.items():
        state = net.state_dict()
        for key, value in named(name, net, params[name]).items():
            if state[key].shape != value.shape:
                raise ValueError(
                    f"{name}.{key} has the shape {tuple(state[key].shape)} in PyTorch and {value.shape} in jaxgan."
                )
            state[key].copy_(torch.tensor(value))


# Maps the names of PyTorch's layers to the names of jaxgan's layers. {} stands for an index, and {+} stands for the
# index plus one.
_NAMES = {
    Generator: {"linear": "linear", "norms.{}": "norm_{}", "ups.{}": "up_{+}", "image": "image"},
    Discriminator: {"downs.{}": "down_{}", "norms.{}": "norm_{+}", "logit": "logit"},
    ResidualGenerator: {
        "linear": "linear", "norm": "norm", "image": "image", "blocks.{}.up": "up_{}", "blocks.{}.conv": "conv_{}",
        "blocks.{}.norms.0": "norm_{}_0", "blocks.{}.norms.1": "norm_{}_1", "blocks.{}.shortcut": "shortcut_{}",
    },
    ResidualCritic: {
        "convs.0": "conv_0", "convs.1": "conv_1", "convs.2": "conv_2_0", "convs.3": "conv_2_1", "convs.4": "conv_3_0",
        "convs.5": "conv_3_1", "downs.{}": "down_{}", "shortcuts.{}": "shortcut_{}", "value": "value",
    },
}  # fmt: skip


def named(side: str, net: nn.Module, tree: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Convert jaxgan's parameters, or their gradients, to PyTorch's names and layouts.

    Args:
      side: name of the network, ``g`` or ``d``.
      net: the PyTorch network.
      tree: jaxgan's parameters or gradients of this network.
    """
    names = _NAMES.get(type(net)) or {"hidden.{}": "hidden_{}", "last": "output_layer" if side == "g" else "logit"}
    found = {}
    for theirs, ours in names.items():
        for i in range(10 if "{}" in theirs else 1):
            layer = tree.get(ours.replace("{+}", str(i + 1)).replace("{}", str(i)))
            for leaf, value in (layer or {}).items():
                value = np.asarray(value)
                if leaf == "kernel":
                    value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
                key = theirs.replace("{}", str(i))
                found[f"{key}.{'bias' if leaf == 'bias' else 'weight'}"] = np.ascontiguousarray(value)
    return found


class Step:
    """A callable that computes one training step: the turns of the discriminator, then the turn of the generator.

    Args:
      case: the game.
      nets: the networks of the game, as ``networks`` returns them.
      optimizer: function that creates the optimizer of given parameters. By default, it creates fused Adam.
      compile: mode of ``torch.compile``; None runs the networks eagerly.
      channels_last: whether images have the channels-last memory layout.
    """

    def __init__(
        self,
        case: Case,
        nets: dict[str, nn.Module],
        optimizer: Callable | None = None,
        compile: str | None = None,
        channels_last: bool = True,
    ):
        self.case = case
        layout = torch.channels_last if channels_last and len(case.shape) == 3 else torch.contiguous_format
        self.layout, self.nets = layout, {side: net.train().to(memory_format=layout) for side, net in nets.items()}
        make = optimizer or (lambda p: torch.optim.Adam(p, 2e-4, (self.case.beta1, 0.999), fused=True))
        self.optimizers = {side: make(net.parameters()) for side, net in self.nets.items()}
        wrap = (lambda net: torch.compile(net, mode=compile)) if compile else (lambda net: net)
        self.g, self.d = wrap(self.nets["g"]), wrap(self.nets["d"])

    def __call__(self, reals, latents, places) -> dict[str, torch.Tensor]:
        """Compute a step, and return the loss of the last turn of each player.

        Args:
          reals: a batch of real examples for each turn of the discriminator, [B, C, height, width] or [B, 2].
          latents: a batch of latents for each turn of the discriminator, [B, z]. The generator's turn uses the first
            batch.
          places: an array [B] of numbers in [0, 1] for each turn of the discriminator. The gradient penalty is computed
            at (1 - place) * real example + place * fake.
        """
        case, losses = self.case, {}
        fakes = []
        for i in range(case.turns):
            with contextlib.nullcontext() if i == 0 and case.generator else torch.no_grad():
                fakes.append(self.g(latents[i]))
        for real, fake, place in zip(reals, fakes, places):
            losses["d"] = self._discriminator(real, fake.detach(), place)
        if not case.generator:
            return losses
        self.optimizers["g"].zero_grad(set_to_none=True)
        self.nets["d"].requires_grad_(False)
        logits = self.d(fakes[0])
        loss = functional.softplus(-logits).mean() if case.loss == "non_saturating" else -logits.mean()
        loss.backward()
        self.optimizers["g"].step()
        self.nets["d"].requires_grad_(True)
        return {**losses, "g": loss.detach()}

    def _discriminator(self, real, fake, place):
        case = self.case
        self.optimizers["d"].zero_grad(set_to_none=True)
        real = real.requires_grad_(case.penalty == "r1")
        real_logits, fake_logits = self.d(real), self.d(fake)
        if case.loss == "non_saturating":
            loss = functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()
        else:
            loss = fake_logits.mean() - real_logits.mean()
        if case.penalty == "r1":
            (gradient,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
            loss = loss + 5.0 * gradient.square().flatten(1).sum(1).mean()
        if case.penalty == "gradient":
            between = torch.lerp(real, fake, place.view(-1, 1, 1, 1)).requires_grad_()
            (gradient,) = torch.autograd.grad(self.d(between).sum(), between, create_graph=True)
            loss = loss + 10.0 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        loss.backward()
        self.optimizers["d"].step()
        return loss.detach()
