"""Which form of the three maps of 3 x 3 is fastest, of how many channels and pixels: the forms in turn.

    python -m experiments.benchmarks.maps
    python -m experiments.benchmarks.maps --batch 1 --size 32 --channels 256
    python -m experiments.benchmarks.maps --smooth
    python -m experiments.benchmarks.maps --precision bfloat16

The forms are Winograd's 16 products; XLA's own convolution, its kernel's gradient a product of strips; and patches
and a matrix. The thresholds of ``jaxgan.nn.convolution``, WINOGRAD, FEW, STRIPS and LARGE, are from this. Of the
three maps alone, and of the gradients of layers, which differ: what comes before a convolution is computed again for
each patch that XLA fuses it with. See ``experiments.benchmarks.paired`` for how a round is timed.
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

from experiments.benchmarks.paired import race, timed
from jaxgan.nn import convolution

NONE = (1, 0)  # channels, from and to
FORMS = {
    "16 products": {"WINOGRAD": 0, "LARGE": 0, "FEW": NONE},
    "XLA's own": {"LARGE": 0, "FEW": (0, math.inf), "STRIPS": math.inf},
    "patches": {"WINOGRAD": math.inf, "FEW": NONE},
    "patches, smoothed": {"WINOGRAD": 0, "LARGE": math.inf, "FEW": NONE},
}


def main(
    batch: int = 32,
    size: int = 16,
    channels: tuple[int, ...] = (16, 32, 64, 128),
    smooth: bool = False,
    precision: Literal["float32", "bfloat16"] = "float32",
    rounds: int = 15,
) -> None:
    """Time the three maps, of as many channels in as out, and the gradients of layers.

    Args:
      batch: images.
      size: of the small image, which is the large one's unless ``smooth``.
      channels: how many.
      smooth: of stride 2, of a smoothed image.
      precision: of images and kernels.
      rounds: of each form.
    """
    rng = np.random.default_rng(0)
    for count in channels:
        large = size * (1 + smooth)
        halved, same = convolution.halved((large, large), (3, 3)), convolution.same((large, large), (3, 3), 1)
        g = halved if smooth else same
        x = jnp.array(rng.normal(size=(batch, large, large, count)), precision)
        y = jnp.array(rng.normal(size=(batch, size, size, count)), precision)
        w = jnp.array(rng.normal(size=(3, 3, count, count)), precision)

        def layers(x, w, g=g, same=same):
            """Three, or of ``smooth`` one that halves, one that doubles and one more."""
            x = nn.leaky_relu(jnp.asarray(convolution.down(g, x, w)) + 0.1)
            x = nn.leaky_relu(jnp.asarray((convolution.up if smooth else convolution.down)(g, x, w)) + 0.1)
            return jnp.square(jnp.asarray(convolution.down(same, x, w))).sum()

        timing = {
            "down": (functools.partial(convolution.down, g), x, w),
            "up": (functools.partial(convolution.up, g), y, w),
            "kernel_gradient": (functools.partial(convolution.kernel_gradient, g), x, y),
            "gradients of three layers": (jax.grad(layers, (0, 1)), x, w),
        }
        for name, (f, *arguments) in timing.items():
            print(f"{name}, {batch} images of {size} x {size}, {count} channels{', smoothed' * smooth}")
            own = ["XLA's own"] * (precision == "float32")
            forms = ["16 products", *own, "patches, smoothed" if smooth else "patches"]
            race({form: stepper(f, form, *arguments) for form in forms}, rounds)


def stepper(f: Callable, form: str, *arguments: jax.Array) -> Callable[[], float]:
    """A function that computes f once, in such a form, and returns its seconds."""
    with mock.patch.multiple(convolution, **cast(Any, {"LEAST": 0, **FORMS[form]})):
        compiled = jax.jit(lambda *x: f(*x)).lower(*arguments).compile()  # not jit(f), which may be compiled already
    return timed(lambda state, _: (state, compiled(*arguments)), None)


if __name__ == "__main__":
    tyro.cli(main)
