"""Measure the training steps of whole models: compilation, time, memory, and the share of the chip's peak speed."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import cyclegan, r3gan, stylegan2
from experiments.benchmarks import flops, games
from experiments.benchmarks.accelerator.context import Context
from experiments.benchmarks.accelerator.peaks import peak_tflops, rounding
from experiments.benchmarks.worker import steady_ms
from jaxgan import Game, latents
from jaxgan.core import flops as operations
from jaxgan.core.precision import Precise, Precision
from jaxgan.data import Arrays, Unpaired
from jaxgan.models import dcgan

# Settings of the variants of a step: the type of the computations, and the two precisions.
VARIANTS: dict[str, tuple[str, Precision, Precision]] = {
    "": ("float32", "default", "highest"),  # jaxgan's default
    "bfloat16": ("bfloat16", "default", "highest"),
    "low-penalties": ("float32", "default", "default"),
    "highest": ("float32", "highest", "highest"),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A game whose step is measured.

    Attributes:
      game: the game.
      batch: the batch of a step.
      images: number of real images in a step.
      count: function from the traced step to its number of floating-point operations, without those of lazy terms.
      phases: a dictionary from kinds of steps to the index of a step of this kind. A step with lazy terms, which are
        computed in some steps only, is another kind than a step without them.
      weights: a dictionary from kinds of steps to their frequency in training.
    """

    game: Game
    batch: Any
    images: int
    count: Callable[[Any], int]
    phases: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"all steps": 1})
    weights: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"all steps": 1.0})


def measure(detail: str, context: Context, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield a row for each kind of step, and one for their mean.

    Args:
      detail: a key of ``CASES``, and optionally a key of ``VARIANTS``, separated by a space.
      context: what all measurements have in common.
      seconds: number of seconds for all measurements.
    """
    name, _, variant = detail.partition(" ")
    dtype, products, penalties = VARIANTS[variant]
    case = CASES[name](context.small, dtype)
    device = jax.devices()[0]
    before = _device_peak(device)
    state, batch = jax.jit(case.game.init)(jax.random.key(0)), jax.device_put(case.batch)
    started = time.perf_counter()
    traced = jax.jit(Precise(case.game, products, penalties).step, donate_argnums=0).trace(state, batch)
    step = traced.lower().compile()
    compile_s, analysis, count = time.perf_counter() - started, step.memory_analysis(), case.count(traced.jaxpr)
    yield {
        "kind of step": "compilation",
        "compile_s": compile_s,
        "memory_mb": _step_bytes(analysis) / 1e6 if analysis else None,
        "gflop": count / 1e9,
    }
    peak = peak_tflops(device.device_kind, rounding(device.platform, device.device_kind, dtype, products))
    left = max(seconds - (time.perf_counter() - started), 1.0)
    times = {}
    for kind, index in case.phases.items():

        def run(count, index=index):
            nonlocal state
            for _ in range(count):
                state, _ = step(state.replace(step=jnp.int32(index)), batch)
            jax.block_until_ready(state)

        times[kind] = steady_ms(run, 0.01 if context.small else min(left / len(case.phases), 10.0))
        reached = count / times[kind] / 1e9
        is_plain = kind in ("all steps", "without lazy terms")
        yield {
            "kind of step": kind,
            "step_ms": times[kind],
            "images_per_second": 1e3 * case.images / times[kind],
            "tflops": reached if is_plain else None,
            "of_peak": reached / peak if peak and is_plain else None,
        }
    mean = sum(case.weights[kind] * ms for kind, ms in times.items())
    after = _device_peak(device)
    yield {
        "kind of step": "mean",
        "step_ms": mean,
        "images_per_second": 1e3 * case.images / mean,
        "device_peak_mb": after / 1e6 if after and (before is None or after > before) else None,
    }


def _step_bytes(analysis: Any) -> int:
    """Return the memory of a compiled step: arguments, results and temporary arrays, without shared ones."""
    total = analysis.argument_size_in_bytes + analysis.output_size_in_bytes + analysis.temp_size_in_bytes
    return total - analysis.alias_size_in_bytes


def _device_peak(device: Any) -> int | None:
    """Return the device's peak memory since the start of this process, or None if the device does not report it."""
    return (device.memory_stats() or {}).get("peak_bytes_in_use")


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def _count_shared(game: Game, batch: Any, generate: Callable[..., Any]) -> int:
    """Count the operations of ``generate(nets, batch, keys)``, a call that both players make and XLA computes once."""
    state = jax.eval_shape(game.init, jax.random.key(0))
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), len(jax.tree.leaves(batch)[0])))

    def shared(state, batch, keys):
        return generate(game.functions(state, train=True, ema=False), batch, keys)

    return operations.count(jax.make_jaxpr(shared)(state, batch, keys))


def _dcgan64(small: bool, dtype: str) -> Case:
    case = games.CASES["dcgan64"]
    kwargs: dict[str, Any] = {"dtype": jnp.dtype(dtype)}
    size, channels = (16, 4) if small else (64, 64)
    networks = dcgan.Generator(size, 3, channels, **kwargs), dcgan.Discriminator(channels, **kwargs)
    if small:
        case = dataclasses.replace(case, shape=(16, 16, 3), batch=4)
    case = dataclasses.replace(case, networks=lambda: networks)
    return Case(games.build(case), _noise(case.batch, *case.shape), case.batch, lambda traced: flops.step(case))


def _stylegan2(small: bool, dtype: str) -> Case:
    # Eight images per chip are the authors' batch of 64 on eight chips.
    changes: dict[str, Any] = {"batch_size": 8, "augment": "none", "compute_dtype": dtype}
    config = stylegan2.Config(**{**stylegan2.PRESETS["paper256"], **changes})
    if small:
        config = stylegan2.Config.tiny(augment="none", batch_size=4, mapping_layers=1)
    assert config.resolution is not None
    batch = {"image": _noise(config.batch_size, config.resolution, config.resolution, 3)}

    def build(config):
        return stylegan2.build(config, Arrays(batch["image"])).game.unwrapped

    def count(traced):
        plain = build(dataclasses.replace(config, r1_gamma=0.0, pl_weight=0.0))
        state = jax.eval_shape(plain.init, jax.random.key(0))
        fakes = _count_shared(plain, batch, lambda nets, *rest: stylegan2.fakes(config, nets, *rest)[0])
        return operations.count(jax.make_jaxpr(plain.step)(state, batch)) - fakes

    r1, path = config.r1_interval, config.pl_interval
    return Case(
        build(config), batch, config.batch_size, count,
        {"without lazy terms": 1, "with path lengths": path, "with R1 and path lengths": math.lcm(r1, path)},
        {"without lazy terms": 1 - 1 / path, "with path lengths": 1 / path - 1 / r1, "with R1 and path lengths": 1 / r1}
    )  # fmt: skip


def _r3gan(small: bool, dtype: str) -> Case:
    # 64 images per chip are the authors' batch of 512 on eight chips.
    changes: dict[str, Any] = {"batch_size": 64, "conditional": False, "compute_dtype": dtype}
    config = r3gan.Config(**{**r3gan.PRESETS["paper"], **changes})
    if small:
        config = r3gan.Config.tiny(batch_size=4, resolution=8)
    batch = {"image": _noise(config.batch_size, config.resolution or 32, config.resolution or 32, 3)}
    game = r3gan.build(config, Arrays(batch["image"])).game.unwrapped
    fakes = _count_shared(game, batch, lambda nets, batch, keys: nets.g(latents(keys, config.z_dim)))
    return Case(game, batch, config.batch_size, lambda traced: operations.count(traced) - fakes)


def _cyclegan(small: bool, dtype: str) -> Case:
    config = cyclegan.Config(**{**cyclegan.PRESETS["paper"], "compute_dtype": dtype})
    if small:
        config = cyclegan.Config.tiny(batch_size=1)
    assert config.resolution is not None
    shape = (config.batch_size, config.resolution, config.resolution, 3)
    batch = {"input": _noise(*shape), "image": _noise(*shape)}
    game = cyclegan.build(config, Unpaired(Arrays(batch["image"]), Arrays(batch["input"]))).game.unwrapped

    def generate(nets, batch, keys):
        return cyclegan.translate(config, nets, *cyclegan.domains(config, keys, batch))

    fakes = _count_shared(game, batch, generate)
    return Case(game, batch, config.batch_size, lambda traced: operations.count(traced) - fakes)


CASES: dict[str, Callable[[bool, str], Case]] = {
    "dcgan64": _dcgan64,
    "stylegan2": _stylegan2,
    "r3gan": _r3gan,
    "cyclegan": _cyclegan,
}
