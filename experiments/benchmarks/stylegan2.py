"""Compare the speed of StyleGAN2's training in jaxgan and in the authors' PyTorch code, on this machine.

    pip install -e '.[torch]'
    git clone https://github.com/NVlabs/stylegan2-ada-pytorch official
    python -m experiments.benchmarks.stylegan2 --official official
    python -m experiments.benchmarks.stylegan2 --official official --size 128

The two implementations are called sides. Both have the same networks, initial weights, batch, losses and average of the
generator's weights. R1 is computed in every 16th step and path length regularisation in every 4th. Style mixing is on,
and augmentation is off. The authors' networks, losses and training phases run as in their training loop. A phase
updates one network, with its main loss or with its regularisation. The authors' code runs on the CPU, where it replaces
its custom CUDA operations by reference versions in PyTorch. Adam is fused.

First, the program checks that the losses and gradients of one step without style mixing agree. Then each side is timed
in several forms, which are ways to run the training step:

    torch    "as it is"           the authors' training step, unchanged
             "channels last"      with PyTorch's memory layout "channels last" for images
             "one thread"         with one CPU thread
             "in halves"          half of the batch at a time, as on a GPU with too little memory for the complete batch
    jaxgan   "one step a call"    one step per call
             "ten steps a call"   ten steps per call, as in a training run
             "ten in halves"      ten steps per call, with half of the batch at a time

In the two forms with halves, the discriminator's minibatch standard deviation and the mean path length are computed
over half of a batch. The comparison of losses and gradients uses the complete batch. Finally, the fastest form of each
side is timed in pairs of new processes, as in ``against_pytorch``.

The time is measured over 16 steps. One of these steps computes R1, and four compute path lengths. The result is in
milliseconds per image, which is equal to seconds per thousand images.
"""

# pyright: reportMissingImports=false

import copy
import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments import stylegan2
from experiments.benchmarks import processes
from experiments.benchmarks.worker import record_gradients
from jaxgan import latents, parallel
from jaxgan.core import system
from jaxgan.core.game import Game
from jaxgan.core.keys import example_keys
from jaxgan.core.state import State
from jaxgan.data import Arrays
from jaxgan.interop import stylegan2 as interop
from jaxgan.losses.path_length_penalty import _DIRECTION
from jaxgan.models.stylegan2 import _noise_maps
from jaxgan.training.steps import MAX_STEPS_PER_CALL

_NAME = "experiments.benchmarks.stylegan2"
_HALVES = ("ten in halves", "in halves")
_FORMS = {
    "jaxgan": ("one step a call", "ten steps a call", _HALVES[0]),
    "torch": ("as it is", "channels last", "one thread", _HALVES[1]),
}
# Limit for the differences between the two sides. The difference of a loss is relative. The difference of a parameter's
# gradients is the norm of their difference, divided by the norm of the gradient of the complete network.
_AGREE_TO = 1e-3
_NOISE_STRENGTH = 0.1  # strength of the noise inputs while losses are compared; its initial value in training is 0
# Maps jaxgan's losses to the authors' losses.
_TERMS = {"d/adversarial": "Loss/D/loss", "d/r1": "Loss/D/reg", "g/adversarial": "Loss/G/loss", "g/path": "Loss/G/reg"}


def main(
    official: str,
    side: Literal["both", "jaxgan", "torch", "agree"] = "both",
    form: str = "",
    size: int = 64,
    channel_base: int = 0,
    channel_max: int = 128,
    batch: int = 8,
    pairs: int = 3,
    seconds: float = 20.0,
) -> None:
    """Compare the speed of jaxgan and of the authors' PyTorch code, or time only one of these two implementations.

    Args:
      official: directory with the authors' code.
      side: "both" times both implementations in new processes. "jaxgan" and "torch" time only that implementation, in
        the current process. "agree" compares the losses and gradients of one step.
      form: way to run the training step that is timed with --side jaxgan or --side torch. The description of the
        program lists the valid names. By default, jaxgan runs one step per call ("one step a call"), and the authors'
        training step is unchanged ("as it is").
      size: height and width of the images in pixels.
      channel_base: a layer of n x n pixels has --channel-base / n channels, but at most --channel-max. The value 0
        stands for 32 times --size.
      channel_max: maximum number of channels, and the dimension of the latents z and w.
      batch: number of images in a batch.
      pairs: number of pairs of processes, one of jaxgan and one of PyTorch.
      seconds: number of seconds for which each process times its steps. At least 16 steps are timed.
    """
    if not (Path(official) / "training" / "networks.py").exists():
        sys.exit(
            f"error: --official {official} has no file training/networks.py. Clone the authors' code as shown by "
            "--help."
        )
    processes.check_form(form, side, _FORMS)
    channel_base = channel_base or 32 * size
    config = stylegan2.Config(
        batch_size=batch, resolution=size, channel_base=channel_base,
        channel_max=channel_max, z_dim=channel_max, w_dim=channel_max, augment="none",
        r1_gamma=stylegan2.auto(stylegan2.Config(batch_size=batch, resolution=size), {})["r1_gamma"],
        style_mixing_prob=0.0 if side == "agree" else 0.9,
    )  # fmt: skip
    if side == "agree":
        print(json.dumps(_agreement(config, official)))
    elif side != "both":
        ms = (
            _measure_jaxgan(config, form, seconds)
            if side == "jaxgan"
            else _measure_torch(config, official, form, seconds)
        )
        print(json.dumps({"ms": ms}))
    else:
        flags = ["--official", official]
        for name, value in {"size": size, "channel-base": channel_base, "channel-max": channel_max}.items():
            flags += [f"--{name}", str(value)]
        flags += ["--batch", str(batch)]
        race = processes.race_implementations(_NAME, flags, _FORMS, _AGREE_TO, pairs, seconds)
        channels = f"channel base {channel_base}, at most {channel_max} channels"
        title = f"StyleGAN2, {size} x {size}, {channels}, batch size {batch}"
        print(processes.format_race(title, race, "image"))


def images(config: stylegan2.Config) -> np.ndarray:
    """Return a batch of noise, [B, size, size, 3] in [-1, 1]."""
    assert config.resolution is not None
    shape = (config.batch_size, config.resolution, config.resolution, 3)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def game_of(config: stylegan2.Config) -> Game:
    """Create jaxgan's game."""
    return stylegan2.build(config, Arrays(images(config))).game.unwrapped


def ms_per_image(take: Callable[[int, int], Any], config: stylegan2.Config, seconds: float) -> float:
    """Time training steps, and return the milliseconds per image.

    The result is the median over rounds. A round consists of several steps, and every lazy term (a term of a loss that
    is computed only in every n-th step) occurs in it as often as in training. The first two steps, one with all lazy
    terms and one with none, are a warm-up and are not timed.

    Args:
      take: function ``(number, count) -> None`` that computes ``count`` steps and waits for their results. ``number``
        is the index of the first of these steps.
      config: settings of the game.
      seconds: number of seconds to measure. At least one round is timed.
    """
    length = math.lcm(config.r1_interval, config.pl_interval)
    number, rounds, end = 2, [], math.inf
    take(0, number)
    while not rounds or time.perf_counter() < end:
        started = time.perf_counter()
        take(number, length)
        number, end = number + length, min(end, started + seconds)
        rounds.append((time.perf_counter() - started) / (length * config.batch_size))
    return 1e3 * float(np.median(rounds))


def _measure_jaxgan(config: stylegan2.Config, form: str, seconds: float) -> float:
    """Return the milliseconds per image of jaxgan."""
    system.keep_freed_memory()
    if form in _HALVES:
        config = dataclasses.replace(config, grad_accum_steps=2)
    game, most = game_of(config), 1 if form == _FORMS["jaxgan"][0] else MAX_STEPS_PER_CALL
    batches = np.stack([images(config)] * most)
    on = parallel.devices(1)
    state, metrics = parallel.replicate(jax.jit(game.init)(jax.random.key(0)), on), None
    step = parallel.pmap(game, on, max_steps=most)

    def take(_, count):
        nonlocal state, metrics
        while count > 0:
            together = min(count, most)
            state, metrics = step(state, {"image": batches[:together]})
            count -= together
        jax.block_until_ready((state, metrics))

    return ms_per_image(take, config, seconds)


class _Phase(NamedTuple):
    """A phase of the authors' training loop: the update of a network with its main loss, or with its lazy term.

    Attributes:
      name: the authors' name of the phase, for example ``Gmain`` or ``Dreg``.
      module: the network that the phase trains.
      optimizer: the network's optimizer, which both phases of the network share.
      interval: number of steps from one occurrence of the phase to the next.
    """

    name: str
    module: Any
    optimizer: Any
    interval: int


class _Official(NamedTuple):
    """The authors' generator, discriminator, loss and phases."""

    g: Any
    d: Any
    loss: Any
    phases: list[_Phase]


def _measure_torch(config: stylegan2.Config, official: str, form: str, seconds: float) -> float:
    """Return the milliseconds per image of the authors' code."""
    import torch

    if form == "one thread":
        torch.set_num_threads(1)
    theirs, real = _official(config, official), _torch_images(config)
    if form == "channels last":
        real = real.to(memory_format=torch.channels_last)
        for net in (theirs.g, theirs.d):
            net.to(memory_format=torch.channels_last)
            for module in net.modules():
                # A block with this attribute converts its input to channels last. The first block of the generator
                # cannot do so, because its constant input has no batch dimension.
                if hasattr(module, "channels_last"):
                    module.channels_last = not hasattr(module, "const")
    average = copy.deepcopy(theirs.g).train(False)
    parts = real.split(config.batch_size // 2 if form in _HALVES else config.batch_size)

    def step(i):
        for phase in theirs.phases:
            if i % phase.interval == 0:
                phase.optimizer.zero_grad(set_to_none=True)
                for part in parts:
                    _accumulate(theirs, phase, part, torch.randn(len(part), config.z_dim))
                for param in phase.module.parameters():
                    if param.grad is not None:
                        torch.nan_to_num(param.grad, nan=0, posinf=1e5, neginf=-1e5, out=param.grad)
                phase.optimizer.step()
        seen = min(config.ema_kimg * 1000, i * config.batch_size * config.ema_rampup)
        decay = 0.5 ** (config.batch_size / max(seen, 1e-8))
        for slow, fast in zip(average.parameters(), theirs.g.parameters()):
            slow.copy_(fast.lerp(slow, decay))
        for slow, fast in zip(average.buffers(), theirs.g.buffers()):
            slow.copy_(fast)

    def take(number, count):
        for i in range(number, number + count):
            step(i)

    return ms_per_image(take, config, seconds)


def _official(config: stylegan2.Config, official: str) -> _Official:
    """Create the authors' networks, loss and phases.

    As in the authors' loop, Adam's learning rate and betas are corrected for the additional updates by the lazy terms.
    """
    import torch

    sys.path.insert(0, official)
    from training import networks
    from training.loss import StyleGAN2Loss

    torch.manual_seed(0)
    widths = {"channel_base": config.channel_base, "channel_max": config.channel_max}
    g = networks.Generator(
        config.z_dim, 0, config.w_dim, config.resolution, 3,
        mapping_kwargs={"num_layers": config.mapping_layers}, synthesis_kwargs=widths,
    )  # fmt: skip
    d = networks.Discriminator(
        0, config.resolution, 3, **widths, epilogue_kwargs={"mbstd_group_size": config.mbstd_group_size}
    )
    phases = []
    for name, module, every in (("G", g, config.pl_interval), ("D", d, config.r1_interval)):
        module.train().requires_grad_(False)
        share = every / (every + 1)
        betas = (config.beta1**share, config.beta2**share)
        adam = torch.optim.Adam(module.parameters(), config.learning_rate * share, betas, 1e-8, fused=True)
        phases += [_Phase(f"{name}main", module, adam, 1), _Phase(f"{name}reg", module, adam, every)]
    loss = StyleGAN2Loss(
        "cpu",
        g.mapping,
        g.synthesis,
        d,
        style_mixing_prob=config.style_mixing_prob,
        r1_gamma=config.r1_gamma,
        pl_weight=config.pl_weight,
    )
    return _Official(g, d, loss, phases)


def _accumulate(theirs: _Official, phase: _Phase, real: Any, z: Any) -> None:
    """Add the gradients of a phase to the gradients of the network's parameters.

    Args:
      theirs: the authors' networks and losses.
      phase: the phase.
      real: real images, [B, 3, size, size].
      z: latents, [B, z_dim].
    """
    phase.module.requires_grad_(True)
    label = real.new_zeros(len(real), 0)
    theirs.loss.accumulate_gradients(
        phase=phase.name, real_img=real, real_c=label, gen_z=z, gen_c=label, sync=True, gain=phase.interval
    )
    phase.module.requires_grad_(False)


def _torch_images(config: stylegan2.Config) -> Any:
    """Return the same batch as ``images`` in PyTorch, [B, 3, size, size]."""
    return _channels_first(images(config))


def _channels_first(x: Any) -> Any:
    """Convert an array [B, height, width, C] to a PyTorch tensor [B, C, height, width]."""
    import torch

    return torch.from_numpy(np.asarray(x).transpose(0, 3, 1, 2).copy())


def _agreement(config: stylegan2.Config, official: str) -> dict[str, Any]:
    """Compare the losses and gradients of the first step, which has all lazy terms.

    Both sides have the same weights, latents, noise inputs and random directions of the path lengths. The weights do
    not change during the step, so the order of the turns does not matter.

    Returns:
      A dictionary with the relative difference of each loss, the difference of each network's gradients as defined at
      ``_AGREE_TO``, and the largest of these differences as ``difference``.
    """
    import torch

    game, theirs = game_of(config), _official(config, official)
    players = {name: dataclasses.replace(p, optimizer=record_gradients(0.0)) for name, p in game.players.items()}
    game = dataclasses.replace(game, players=players)
    state = _noisy(jax.jit(game.init)(jax.random.key(0)))
    moved, metrics = jax.jit(game.step)(state, {"image": images(config)})

    def load(net, arrays):
        net.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()})

    load(theirs.g, _generator(state, state.params))
    load(theirs.d, interop.to_torch({"params": state.params["d"]}))
    from torch_utils import training_stats

    collector = training_stats.Collector("Loss/.*")
    z, noise, directions = _draws(game, state, config)
    drawn: dict[str, Any] = {
        "randn": lambda *_, **__: _channels_first(next(noise)),
        "randn_like": lambda *_, **__: _channels_first(directions),
    }
    with mock.patch.multiple(torch, **drawn):
        for phase in sorted(theirs.phases, key=lambda phase: phase.name):  # D's phases come first, as in ``_draws``
            # Path lengths use half of a batch: the first half on the authors' side, and every second example in jaxgan.
            # The latents are reordered so that these are the same examples.
            ordered = np.concatenate([z[::2], z[1::2]]) if phase.name == "Greg" else z
            _accumulate(theirs, phase, _torch_images(config), torch.from_numpy(ordered.copy()))
    collector.update()

    # jaxgan multiplies a lazy term by its interval, and logs the product.
    intervals = {"d/r1": config.r1_interval, "g/path": config.pl_interval}
    differences = {
        ours: abs(float(metrics[ours]) / intervals.get(ours, 1) / collector[name] - 1) for ours, name in _TERMS.items()
    }
    grads = moved.opt_states["g"] | moved.opt_states["d"]
    found = {"g": _generator(state, grads), "d": interop.to_torch({"params": grads["d"]})}
    for name, net in {"g": theirs.g, "d": theirs.d}.items():
        expected = {key: p.grad.numpy() for key, p in net.named_parameters()}
        norm = math.sqrt(sum(float(np.square(x).sum()) for x in expected.values()))
        differences[f"{name}_gradient"] = max(
            float(np.linalg.norm(found[name][k] - x)) / norm for k, x in expected.items()
        )
    return {"difference": max(differences.values()), **differences}


def _noisy(state: Any) -> Any:
    """Set the strength of all noise inputs to ``_NOISE_STRENGTH``, so that they change the images."""

    def change(path, x):
        return jnp.full_like(x, _NOISE_STRENGTH) if path[-1].key == "strength" else x

    return state.replace(params=jax.tree_util.tree_map_with_path(change, state.params))


def _generator(state: State, params: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the parameters of both networks of the generator, or their gradients, with the authors' names."""
    parts = {name: {"params": params[name], **state.stats[name]} for name in ("mapping", "synthesis")}
    return interop.to_torch(parts)


def _draws(game: Game, state: State, config: stylegan2.Config) -> tuple[np.ndarray, Iterator[Any], jax.Array]:
    """Compute the random numbers that jaxgan draws in a step.

    Returns:
      Three results: the latents [B, z_dim], an iterator over noise maps, and the random directions of the path lengths.
      The iterator first returns the noise maps of the discriminator's turn, then of the generator's turn, and then of
      the path lengths. Each of these three groups has the order of the layers.
    """
    real = images(config)
    keys = example_keys(jax.random.fold_in(jax.random.fold_in(state.key, state.step), 0), real)
    shapes = game.nets["synthesis"].module._noise_shapes()
    noise = (x for some in (keys, keys, keys[::2]) for x in _noise_maps(some, shapes, len(some)))

    def draw(key):
        return jax.random.normal(jax.random.fold_in(key, _DIRECTION), real.shape[1:])

    return np.asarray(latents(keys, config.z_dim)), noise, jax.vmap(draw)(keys[::2])


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
