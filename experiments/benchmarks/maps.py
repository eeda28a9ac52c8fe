"""Compare algorithms for 3 x 3 convolutions and their gradients, for different numbers of channels and pixels.

    python -m experiments.benchmarks.maps
    python -m experiments.benchmarks.maps --batch 1 --size 32 --channels 256
    python -m experiments.benchmarks.maps --blur
    python -m experiments.benchmarks.maps --dtype bfloat16

The algorithms are called forms:

    winograd            Winograd's F(2 x 2, 3 x 3)
    native              XLA's native convolution; the gradient of the kernel is computed by row im2col
    im2col              a matrix product with the image patches under the kernel
    blur, then im2col   only with --blur: the blurred image is computed first. The other forms then compose the
                        blur filter with the kernel instead.

The program times the three maps of ``jaxgan.nn.convolution`` (the convolution, its transpose and the gradient of its
kernel) separately. It also times the gradients of three layers together. In a network of several layers, XLA may fuse
the operations before a convolution with im2col, and then computes these operations once for each patch. The thresholds
in ``jaxgan.nn.convolution``, such as _WINOGRAD_MIN_SIZE and _NATIVE_CHANNELS, were chosen with this program.
``experiments.benchmarks.paired`` explains how the forms are timed.
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

_NEVER = (1, 0)  # an empty range of numbers of channels, which disables XLA's native convolution
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
    """Time the three maps and the gradients of three layers, with equal numbers of input and output channels.

    Args:
      batch: number of images.
      size: height and width of the convolution's output in pixels. With --blur, the input is twice as large.
      channels: numbers of channels to try, one after the other.
      blur: whether to time convolutions of a blurred image with a stride of 2, as in StyleGAN2, instead of convolutions
        with a stride of 1.
      dtype: data type of images and kernels.
      rounds: number of evaluations to time with each form.
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
            """Compute three layers. With ``blur``, the first layer halves the resolution, and the second doubles it."""
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
    """Return a function that computes ``f`` once with the algorithm ``form``, and returns the time in seconds."""
    with mock.patch.multiple(convolution, **cast(Any, {"_WINOGRAD_MIN_CHANNELS": 0, **FORMS[form]})):
        # jit(f) would return the cached program of another form, because f is the same function for all forms.
        compiled = jax.jit(lambda *x: f(*x)).lower(*arguments).compile()
    return call_timer(lambda state, _: (state, compiled(*arguments)), None)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
