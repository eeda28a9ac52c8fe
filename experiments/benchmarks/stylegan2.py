"""StyleGAN2's training, jaxgan's against the authors' own code in PyTorch, on this machine: seconds a thousand images.

    pip install -e '.[torch]'
    git clone https://github.com/NVlabs/stylegan2-ada-pytorch official
    python -m experiments.benchmarks.stylegan2 --official official
    python -m experiments.benchmarks.stylegan2 --official official --size 128

Both have the same networks, weights, batch, losses and averaged weights: R1 on every 16th step, path lengths on every
4th, mixing, no augmentation. The authors' networks, losses and phases run as in their training loop, with the reference
forms of their operations, which is what they have without CUDA; Adam is fused. Losses and gradients of a step, without
mixing, must agree before anything is timed. Their loop is tried as it is, with channels last, on one thread, and with
half of the batch at a time, as where a GPU has no room for all; jaxgan's with one step a call, with ten, as its
training loop makes them, and with ten that take half of the batch at a time. By halves the discriminator's groups and
the mean of path lengths are of half a batch, on both sides; what must agree is of whole ones. The fastest of each
counts. Then pairs of fresh processes follow, as in ``against_pytorch``.

A time is of 16 steps, of which one has R1 and four have path lengths. Milliseconds an image are seconds per thousand.
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
_AGREE_TO = 1e-3  # of losses, each as a share of itself; of gradients, each parameter's as a share of the network's
_NOISE_STRENGTH = 0.1  # of noise, where losses are compared; it begins at 0
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
    """Compare.

    Args:
      official: a folder with the authors' code.
      side: one of the two alone, in this process; ``agree`` compares losses and gradients of a step.
      form: of the side that is timed alone; its first one if none is given.
      size: of images.
      channel_base: a level of n x n has channel_base / n channels; 0 for 32 times the size.
      channel_max: the maximum number of channels, and the features of w and of latents.
      batch: images at once.
      pairs: of fresh processes, jaxgan's and PyTorch's.
      seconds: how long each is timed; 16 steps at least.
    """
    if not (Path(official) / "training" / "networks.py").exists():
        sys.exit(f"error: --official {official}: no training/networks.py there; clone it as --help says")
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
        found = (
            _measure_jaxgan(config, form, seconds)
            if side == "jaxgan"
            else _measure_torch(config, official, form, seconds)
        )
        print(json.dumps({"ms": found}))
    else:
        flags = ["--official", official]
        for name, value in {"size": size, "channel-base": channel_base, "channel-max": channel_max}.items():
            flags += [f"--{name}", str(value)]
        flags += ["--batch", str(batch)]
        race = processes.race_implementations(_NAME, flags, _FORMS, _AGREE_TO, pairs, seconds)
        what = f"StyleGAN2, {size} x {size}, channel base {channel_base}, at most {channel_max} channels, batch {batch}"
        print(processes.format_race(what, race, "an image"))


def images(config: stylegan2.Config) -> np.ndarray:
    """Noise, [B, size, size, 3]."""
    assert config.resolution is not None
    shape = (config.batch_size, config.resolution, config.resolution, 3)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def game_of(config: stylegan2.Config) -> Game:
    """jaxgan's."""
    return stylegan2.build(config, Arrays(images(config))).game.unwrapped


def ms_per_image(take: Callable[[int, int], Any], config: stylegan2.Config, seconds: float) -> float:
    """Milliseconds an image: the median over rounds in which every lazy term has its share of steps.

    The first two steps, which are those with all of the lazy terms and with none, are not timed.

    Args:
      take: ``(number, count)``: so many steps from this one on, the first being 0, and returns when they are done.
      config: of the game.
      seconds: how long; one round at least.
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
    """Milliseconds an image."""
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
    """Of the authors' loop: a player's loss or its lazy term, which share an optimizer."""

    name: str
    module: Any
    optimizer: Any
    interval: int


class _Official(NamedTuple):
    """Theirs."""

    g: Any
    d: Any
    loss: Any
    phases: list[_Phase]


def _measure_torch(config: stylegan2.Config, official: str, form: str, seconds: float) -> float:
    """The same of the authors' loop."""
    import torch

    if form == "one thread":
        torch.set_num_threads(1)
    theirs, real = _official(config, official), _torch_images(config)
    if form == "channels last":
        real = real.to(memory_format=torch.channels_last)
        for net in (theirs.g, theirs.d):
            net.to(memory_format=torch.channels_last)
            for module in net.modules():
                if hasattr(module, "channels_last"):  # by which a block decides what it makes of its input
                    module.channels_last = not hasattr(module, "const")  # which has no batch to be last after
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
        kept = 0.5 ** (config.batch_size / max(seen, 1e-8))
        for slow, fast in zip(average.parameters(), theirs.g.parameters()):
            slow.copy_(fast.lerp(slow, kept))
        for slow, fast in zip(average.buffers(), theirs.g.buffers()):
            slow.copy_(fast)

    def take(number, count):
        for i in range(number, number + count):
            step(i)

    return ms_per_image(take, config, seconds)


def _official(config: stylegan2.Config, official: str) -> _Official:
    """The authors' networks, loss and phases; Adam's rate and betas are theirs, for as many moves more."""
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
    """Add the gradients of a phase to those that are there."""
    phase.module.requires_grad_(True)
    label = real.new_zeros(len(real), 0)
    theirs.loss.accumulate_gradients(
        phase=phase.name, real_img=real, real_c=label, gen_z=z, gen_c=label, sync=True, gain=phase.interval
    )
    phase.module.requires_grad_(False)


def _torch_images(config: stylegan2.Config) -> Any:
    """The same images, [B, 3, size, size]."""
    return _channels_first(images(config))


def _channels_first(x: Any) -> Any:
    """[B, h, w, C] as PyTorch's [B, C, h, w]."""
    import torch

    return torch.from_numpy(np.asarray(x).transpose(0, 3, 1, 2).copy())


def _agreement(config: stylegan2.Config, official: str) -> dict[str, Any]:
    """How far losses and gradients of the first step, which has every lazy term, are apart.

    Both have the same weights, latents, noise and directions of path lengths. Nothing moves, so turns do not matter.
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
        for phase in sorted(theirs.phases, key=lambda phase: phase.name):  # D's come first, as in ``_draws``
            dealt = np.concatenate([z[::2], z[1::2]]) if phase.name == "Greg" else z  # path lengths are of one half
            _accumulate(theirs, phase, _torch_images(config), torch.from_numpy(dealt.copy()))
    collector.update()

    often = {
        "d/r1": config.r1_interval,
        "g/path": config.pl_interval,
    }  # on its step a lazy term is as many times as large
    apart = {
        ours: abs(float(metrics[ours]) / often.get(ours, 1) / collector[name] - 1) for ours, name in _TERMS.items()
    }
    grads = moved.opt_states["g"] | moved.opt_states["d"]
    found = {"g": _generator(state, grads), "d": interop.to_torch({"params": grads["d"]})}
    for name, net in {"g": theirs.g, "d": theirs.d}.items():
        expected = {key: p.grad.numpy() for key, p in net.named_parameters()}
        whole = math.sqrt(sum(float(np.square(x).sum()) for x in expected.values()))
        apart[f"{name}_gradient"] = max(float(np.linalg.norm(found[name][k] - x)) / whole for k, x in expected.items())
    return {"apart": max(apart.values()), **apart}


def _noisy(state: Any) -> Any:
    """With noise that counts."""

    def change(path, x):
        return jnp.full_like(x, _NOISE_STRENGTH) if path[-1].key == "strength" else x

    return state.replace(params=jax.tree_util.tree_map_with_path(change, state.params))


def _generator(state: State, params: dict[str, Any]) -> dict[str, np.ndarray]:
    """Both networks of the generator, or gradients of them, by the official names."""
    parts = {name: {"params": params[name], **state.stats[name]} for name in ("mapping", "synthesis")}
    return interop.to_torch(parts)


def _draws(game: Game, state: State, config: stylegan2.Config) -> tuple[np.ndarray, Iterator[Any], jax.Array]:
    """What jaxgan's keys give in a step: latents, maps of noise, and directions of path lengths.

    The maps are of both players' fakes, then of the path lengths'; each in the order of layers.
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
