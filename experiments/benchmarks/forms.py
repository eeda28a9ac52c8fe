"""Measure all forms of many convolutions on this CPU, and write the table from which jaxgan chooses the form.

    python -m experiments.benchmarks.forms --out forms.jsonl
    python -m experiments.benchmarks.forms --out forms.jsonl --update
    python -m experiments.benchmarks.forms --out one.jsonl --kernel 3 3 --channels 64 --small-channels 64 --side 16

A form is an implementation of the three maps of ``jaxgan.nn.convolution`` (the convolution, its transpose and the
gradient of its kernel); ``jaxgan.nn.convolution.forms`` lists the forms. The convolutions are those of the published
architectures that jaxgan implements, at the widths of the papers and of jaxgan's experiments, see ``CONVOLUTIONS``.

The times are processor times of one thread, so that other programs disturb them less. Each line of the output is the
measurement of all forms of one map of one convolution. The program continues an output file that was cut off. With
``--update``, it writes the fastest forms into ``jaxgan/nn/convolution/measured.py``. The table does not depend on the
batch size. It holds for large batches, unless ``--single-weight`` gives measurements of single images a weight.
"""

import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.benchmarks.processes import describe_hardware
from jaxgan.nn import convolution
from jaxgan.nn.convolution import choice, forms, measured

MAPS = ("conv", "conv_transpose", "kernel_gradient")
# A form replaces the default form if it is faster by this factor. In a network, the gain is smaller than for a single
# convolution, and im2col compiles faster.
_GAIN = 1.25
# A swapped product is used if it is faster than the other one by this factor, because its barrier prevents fusions.
_SWAP_GAIN = 1.4
_TIE = 1.05  # forms whose times differ by at most this factor count as equally fast, and the simplest is used
# A large batch has the largest power of 2 within these limits, but at least 1.
_FLOPS = 2e9  # floating-point operations of one evaluation
_ELEMENTS = 4e6  # numbers in the large image
_MAX_BATCH = 64
# Smallest side of the small image for XLA's convolution and for im2col along the rows. In a network with smaller
# images, they are slower than these measurements of single convolutions suggest.
_NATIVE_SIDE = 16

# (kernel, stride, whether the image is blurred): [(channels of the large image, of the small image, side of the small
# image in pixels)]
CONVOLUTIONS: dict[tuple[tuple[int, ...], int, bool], list[tuple[int, int, int]]] = {
    ((4, 4), 2, False): [
        # DCGAN, WGAN, SNGAN at 8 x 8 to 64 x 64
        *((1, 32, 4), (1, 48, 4), (32, 32, 2), (32, 32, 4), (32, 64, 2), (48, 96, 2), (3, 64, 16), (64, 128, 8)),
        *((128, 256, 4), (3, 64, 32), (64, 128, 16), (128, 256, 8), (256, 512, 4), (32, 64, 8), (32, 64, 4)),
        # PatchGAN and the U-Net of pix2pix, at 64 x 64 to 256 x 256
        *((1, 32, 16), (1, 32, 32), (3, 32, 30), (16, 32, 16), (32, 64, 16), (32, 128, 16), (64, 256, 8)),
        *((128, 512, 4), (256, 256, 1), (256, 256, 2), (256, 512, 2), (3, 64, 128), (64, 128, 64), (128, 256, 32)),
        *((256, 512, 16), (512, 512, 8), (512, 512, 4), (512, 512, 1), (512, 1024, 4), (256, 1024, 16)),
        *((128, 512, 32), (64, 256, 64), (3, 128, 128), (64, 128, 32), (128, 256, 16)),
    ],
    ((3, 3), 1, False): [
        # ResNets of SNGAN, WGAN-GP and R3GAN
        *((1, 32, 8), (32, 1, 8), (16, 16, 4), (16, 16, 8), (32, 32, 2), (32, 32, 4), (32, 32, 8), (32, 32, 16)),
        *((128, 128, 8), (128, 128, 16), (128, 128, 32), (256, 256, 8), (256, 256, 16), (3, 128, 32), (128, 3, 32)),
        # StyleGAN2, CycleGAN and SRGAN
        *((64, 64, 4), (64, 64, 8), (64, 64, 16), (64, 64, 32), (64, 64, 64), (32, 32, 32), (32, 32, 64), (16, 16, 64)),
        *((16, 16, 128), (8, 8, 128), (128, 128, 4), (128, 128, 64), (256, 256, 4), (256, 256, 32), (256, 256, 64)),
        *((512, 512, 4), (512, 512, 8), (512, 512, 16), (512, 512, 32), (128, 128, 128), (64, 64, 128), (32, 32, 128)),
        *((32, 128, 16), (32, 128, 32), (64, 256, 24), (64, 256, 48), (64, 64, 256)),
    ],
    ((3, 3), 2, True): [
        *((64, 64, 4), (64, 64, 8), (32, 64, 16), (64, 64, 16), (32, 32, 32), (16, 32, 32), (16, 16, 64), (8, 16, 64)),
        *((128, 128, 4), (128, 128, 8), (128, 128, 16), (64, 128, 32), (32, 64, 64), (256, 256, 8), (256, 256, 16)),
        *((512, 512, 4), (512, 512, 8), (512, 512, 16), (256, 512, 32), (128, 256, 64), (64, 128, 128), (64, 128, 16)),
    ],
    ((3, 3), 2, False): [(16, 32, 16), (32, 64, 8), (64, 128, 32), (128, 256, 16), (64, 128, 64), (128, 256, 32)],
    ((4, 4), 1, False): [
        *((32, 64, 15), (32, 64, 31), (64, 1, 14), (64, 1, 30), (64, 128, 14), (128, 1, 13), (256, 512, 15)),
        *((256, 512, 31), (512, 1, 14), (512, 1, 30)),
    ],
    ((5, 5), 2, False): [(1, 32, 14), (32, 64, 7), (3, 64, 16), (64, 128, 8), (128, 256, 4), (256, 512, 4)],
    ((7, 7), 1, False): [(1, 16, 32), (16, 1, 32), (3, 32, 64), (32, 3, 64), (3, 64, 128), (64, 3, 128)],
    ((9, 9), 1, False): [(3, 32, 16), (32, 3, 64), (3, 64, 24), (64, 3, 96)],
    ((4, 4, 4), 2, False): [
        *((1, 16, 8), (16, 32, 4), (1, 32, 16), (32, 64, 8), (1, 64, 32), (64, 128, 16), (128, 256, 8), (256, 512, 4)),
    ],
}


class Case(NamedTuple):
    """A map of a convolution, and a batch size. The other fields are described in ``main``."""

    map: str
    kernel: tuple[int, ...]
    stride: int
    blur: bool
    channels: int
    small_channels: int
    side: int
    dtype: str
    batch: int

    def geometry(self) -> convolution.Geometry:
        """Return the geometry of a square image, with the padding that the architectures use."""
        large = (self.side * self.stride,) * len(self.kernel)
        if self.blur:
            return convolution.blurred(large, self.kernel)
        return convolution.same(large, self.kernel, self.stride)


def main(
    out: str,
    kernel: tuple[int, ...] = (),
    stride: int = 1,
    blur: bool = False,
    channels: int = 0,
    small_channels: int = 0,
    side: int = 0,
    dtype: Literal["float32", "bfloat16"] = "float32",
    rounds: int = 5,
    single_weight: float = 0.0,
    update: bool = False,
) -> None:
    """Measure all forms of convolutions, and print the fastest form of each.

    Args:
      out: file for the measurements, in the format JSON Lines. An existing file is continued.
      kernel: size of the kernel in each dimension. By default, all kernels of ``CONVOLUTIONS`` are measured.
      stride: stride of the convolution.
      blur: whether the large image is blurred first, as in StyleGAN2.
      channels: number of channels of the large image. By default, the convolutions of ``CONVOLUTIONS`` with this kernel
        are measured.
      small_channels: number of channels of the small image.
      side: side of the small image in pixels.
      dtype: data type of the images and of the kernel.
      rounds: number of evaluations to time with each form.
      single_weight: weight of the times with a batch size of 1 in their geometric mean with the times of large batches,
        by which the fastest form is chosen. With 0, only large batches are measured.
      update: whether to write the table of jaxgan.
    """
    _pin()
    if kernel and channels:
        selected = {(kernel, stride, blur): [(channels, small_channels, side)]}
    else:
        selected = {key: sizes for key, sizes in CONVOLUTIONS.items() if not kernel or key == (kernel, stride, blur)}
    cases = list(_cases(dtype, selected, single_weight > 0))
    path = Path(out)
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {_key(line) for line in lines}
    with path.open("a") as file:
        for case in cases:
            if _key(case._asdict()) not in done:
                times = _measure(case, rounds)
                lines.append({**case._asdict(), "milliseconds": times, "processor": describe_hardware()})
                file.write(json.dumps(lines[-1]) + "\n")
                file.flush()
                print(_describe(case, times), flush=True)
    if update:
        _write_table(lines, single_weight)


def _pin() -> None:
    """Use one processor core, before XLA creates its threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _cases(
    dtype: str,
    convolutions: dict[tuple[tuple[int, ...], int, bool], list[tuple[int, int, int]]],
    has_single: bool = False,
) -> Iterator[Case]:
    """Yield all maps of convolutions with a large batch, and with a batch size of 1 if ``has_single``."""
    for key, all_sizes in convolutions.items():
        for sizes in all_sizes:
            single = [Case(name, *key, *sizes, dtype, batch=1) for name in MAPS]
            yield from (case._replace(batch=_large_batch(case)) for case in single)
            if has_single and _large_batch(single[0]) > 1:
                yield from single


def _large_batch(case: Case) -> int:
    g = case.geometry()
    flops = 2 * math.prod(g.kernel) * math.prod(g.small) * case.channels * case.small_channels
    most = min(_MAX_BATCH, _FLOPS / flops, _ELEMENTS / (math.prod(g.large) * case.channels))
    return 2 ** int(math.log2(max(1, most)))


def _key(line: dict[str, Any]) -> str:
    return json.dumps([line[name] for name in Case._fields])


def _measure(case: Case, rounds: int) -> dict[str, float]:
    """Return the processor time of each form in milliseconds."""
    g = case.geometry()
    rng = np.random.default_rng(0)

    def draw(*shape):
        return jnp.array(rng.normal(size=shape), case.dtype)

    x, y = draw(case.batch, *g.large, case.channels), draw(case.batch, *g.small, case.small_channels)
    w = draw(*g.kernel, case.channels, case.small_channels)
    arguments = {"conv": (x, w), "conv_transpose": (y, w), "kernel_gradient": (x, y)}[case.map]
    timers = {name: _timer(name, case.map, g, arguments) for name in candidates(case.map, g, x.dtype)}
    times: dict[str, list[float]] = {name: [timer()] for name, timer in timers.items()}
    fastest = min(times.values())[0]
    for _ in range(rounds - 1):
        for name, timer in timers.items():
            if times[name][0] < 2 * fastest:  # slower forms need no exact measurement
                times[name].append(timer())
    return {name: round(1e3 * statistics.median(values), 4) for name, values in times.items()}


def candidates(name: str, g: convolution.Geometry, dtype: Any) -> list[str]:
    """Return the names of the different forms of a map, without those that compute it in the same way as another one.

    Args:
      name: name of the map: conv, conv_transpose or kernel_gradient.
      g: the geometry.
      dtype: data type of the images and of the kernel.
    """
    found = [form for form in forms.names(g, dtype) if "exchanged native" not in form]
    if name != "kernel_gradient":
        found = [form for form in found if "swapped" not in form]
    if name != "conv_transpose":
        found = [form for form in found if "exchanged winograd" not in form]
    return found


def _timer(form: str, name: str, g: convolution.Geometry, arguments: tuple[jax.Array, ...]) -> Callable[[], float]:
    f = getattr(forms.create(form), name)
    compiled = jax.jit(lambda *arrays: f(g, *arrays)).lower(*arguments).compile()

    def run() -> float:
        start, count = time.process_time(), 0
        while time.process_time() - start < 5e-3 or not count:  # the clock is too coarse for a single short evaluation
            jax.block_until_ready(compiled(*arguments))
            count += 1
        return (time.process_time() - start) / count

    run()
    return run


def _fastest(case: Case, times: dict[str, float]) -> str:
    """Return the name of the fastest form, or of the default form if no form is faster by the factor ``_GAIN``."""
    usual = choice.default_form(case.geometry(), case.channels, case.small_channels)
    if case.side < _NATIVE_SIDE:
        times = {name: value for name, value in times.items() if "native" not in name}
    if not usual.startswith("exchanged"):  # with equal numbers of channels, a step of R3GAN would be slower
        times = {name: value for name, value in times.items() if "exchanged im2col" not in name}
    usual_order = {name: times[name.removesuffix(" swapped")] for name in times}
    times = {
        name: value for name, value in times.items() if "swapped" not in name or value * _SWAP_GAIN < usual_order[name]
    }
    least = min(times.values())
    fastest = next(name for name in times if times[name] <= _TIE * least)
    return fastest if times[fastest] * _GAIN < times[usual] else usual


def _describe(case: Case, times: dict[str, float]) -> str:
    usual = choice.default_form(case.geometry(), case.channels, case.small_channels)
    fastest = min(times, key=lambda name: times[name])
    sizes = f"{case.channels} and {case.small_channels} channels, side {case.side}, batch size {case.batch}"
    kind = choice.kind(case.map, case.geometry(), jnp.dtype(case.dtype))
    return f"{kind}, {sizes}: {fastest} {times[fastest]:.2f} ms, {times[usual] / times[fastest]:.2f} x {usual}"


def _write_table(lines: list[dict[str, Any]], single_weight: float) -> None:
    """Write the fastest forms into ``jaxgan/nn/convolution/measured.py``."""
    measurements = {}
    for line in lines:
        fields = {name: line[name] for name in Case._fields}
        measurements[Case(**{**fields, "kernel": tuple(line["kernel"])})] = line["milliseconds"]
    table: dict[str, list[tuple]] = {}
    for case, times in measurements.items():
        if case.batch != _large_batch(case):
            continue
        if single_weight:
            single = measurements[case._replace(batch=1)]
            times = {name: t ** (1 - single_weight) * single[name] ** single_weight for name, t in times.items()}
        kind = choice.kind(case.map, case.geometry(), jnp.dtype(case.dtype))
        row = (case.channels, case.small_channels, float(case.side), _fastest(case, times))
        table.setdefault(kind, []).append(row)
    path = Path(measured.__file__)
    head, _ = path.read_text().split("FASTEST:")
    rows = "".join(
        f"    {json.dumps(kind)}: [\n" + "".join(f"        {_format_row(row)},\n" for row in sorted(rows)) + "    ],\n"
        for kind, rows in sorted(table.items())
    )
    path.write_text(f"{head}FASTEST: dict[str, list[tuple[int, int, float, str]]] = {{\n{rows}}}\n")


def _format_row(row: tuple) -> str:
    *numbers, form = row
    return f'({", ".join(map(str, numbers))}, "{form}")'


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
