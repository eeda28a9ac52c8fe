"""Which form of a 3 x 3 convolution and its gradients is fastest, by channels and pixels: the forms in turn.

    python -m experiments.benchmarks.maps
    python -m experiments.benchmarks.maps --batch 1 --size 32 --channels 256
    python -m experiments.benchmarks.maps --blur
    python -m experiments.benchmarks.maps --dtype bfloat16

The forms are Winograd's F(2 x 2, 3 x 3); XLA's native convolution, with row im2col for the kernel's gradient; and
im2col. The thresholds of ``jaxgan.nn.convolution``, such as _WINOGRAD_MIN_SIZE and _NATIVE_CHANNELS, were chosen by it.
It times the three maps alone, and the gradients of layers, which differ: XLA may fuse what comes before a convolution
with im2col, and then computes it once for each patch. See ``experiments.benchmarks.paired`` for how a round is timed.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal, cast
from unittest import mock

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.benchmarks.paired import call_timer, race
from jaxgan.nn import convolution

_NEVER = (1, 0)  # an empty range of channels
FORMS = {
    "winograd": {"_WINOGRAD_MIN_SIZE": 0, "_LARGE_IMAGE": 0, "_NATIVE_CHANNELS": _NEVER},
    "native": {"_LARGE_IMAGE": 0, "_NATIVE_CHANNELS": (0, math.inf), "_ROW_IM2COL_MAX_CHANNELS": math.inf},
    "im2col": {"_WINOGRAD_MIN_SIZE": math.inf, "_NATIVE_CHANNELS": _NEVER},
    "blur, then im2col": {"_WINOGRAD_MIN_SIZE": 0, "_LARGE_IMAGE": math.inf, "_NATIVE_CHANNELS": _NEVER},
}


def main(
    batch: int = 32,
    size: int = 16,
    channels: tuple[int, ...] = (16, 32, 64, 128),
    blur: bool = False,
    dtype: Literal["float32", "bfloat16"] = "float32",
    rounds: int = 15,
) -> None:
    """Time the three maps, of as many channels in as out, and the gradients of layers.

    Args:
      batch: images.
      size: of the small image, which is the large one's unless ``blur``.
      channels: numbers of channels to try.
      blur: time convolutions of stride 2 of a blurred image.
      dtype: of images and kernels.
      rounds: of each form.
    """
    rng = np.random.default_rng(0)
    for count in channels:
        large = 2 * size if blur else size
        same = convolution.same((large, large), (3, 3), 1)
        g = convolution.blurred((large, large), (3, 3)) if blur else same
        x = jnp.array(rng.normal(size=(batch, large, large, count)), dtype)
        y = jnp.array(rng.normal(size=(batch, size, size, count)), dtype)
        w = jnp.array(rng.normal(size=(3, 3, count, count)), dtype)

        def layers(x, w, g=g, same=same):
            """Three layers; with ``blur`` the first halves the image and the second doubles it."""
            x = nn.leaky_relu(jnp.asarray(convolution.conv(g, x, w)) + 0.1)
            x = nn.leaky_relu(jnp.asarray((convolution.conv_transpose if blur else convolution.conv)(g, x, w)) + 0.1)
            return jnp.square(jnp.asarray(convolution.conv(same, x, w))).sum()

        timing = {
            "conv": (functools.partial(convolution.conv, g), x, w),
            "conv_transpose": (functools.partial(convolution.conv_transpose, g), y, w),
            "kernel_gradient": (functools.partial(convolution.kernel_gradient, g), x, y),
            "gradients of three layers": (jax.grad(layers, (0, 1)), x, w),
        }
        for name, (f, *arguments) in timing.items():
            print(f"{name}, {batch} images of {size} x {size}, {count} channels{', blurred' if blur else ''}")
            forms = ["winograd", "blur, then im2col" if blur else "im2col"]
            if dtype == "float32":
                forms.insert(1, "native")
            race({form: _timer(f, form, *arguments) for form in forms}, rounds)


def _timer(f: Callable, form: str, *arguments: jax.Array) -> Callable[[], float]:
    """A function that computes f once, in such a form, and returns its seconds."""
    with mock.patch.multiple(convolution, **cast(Any, {"_WINOGRAD_MIN_CHANNELS": 0, **FORMS[form]})):
        compiled = jax.jit(lambda *x: f(*x)).lower(*arguments).compile()  # not jit(f), which may be compiled already
    return call_timer(lambda state, _: (state, compiled(*arguments)), None)


if __name__ == "__main__":
    tyro.cli(main)
