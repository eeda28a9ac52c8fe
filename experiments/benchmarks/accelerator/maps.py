"""Compare the three maps of ``jaxgan.nn.convolution``, and R1, with the results of the CPU, and time them."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.accelerator.context import Context
from experiments.benchmarks.worker import steady_ms
from jaxgan import losses
from jaxgan.nn import convolution
from jaxgan.nn.convolution import Geometry


def shapes(small: bool) -> dict[str, tuple[Geometry, int, int, int]]:
    """Return the convolutions: a dictionary from names to the geometry, the batch size and the two channel numbers."""
    if small:
        return {
            "4 x 4, stride 2": (convolution.same((8, 8), (4, 4), 2), 2, 3, 4),
            "3 x 3, blurred, stride 2": (convolution.blurred((8, 8), (3, 3)), 2, 3, 4),
        }
    return {
        "DCGAN: 4 x 4, stride 2, 32 x 32, 64 to 128": (convolution.same((32, 32), (4, 4), 2), 64, 64, 128),
        "StyleGAN2: 3 x 3, 64 x 64, 256 to 256": (convolution.same((64, 64), (3, 3), 1), 8, 256, 256),
        "StyleGAN2: blur, 3 x 3, stride 2, 128 x 128, 128 to 256": (
            *(convolution.blurred((128, 128), (3, 3)), 8, 128, 256),
        ),
        "CycleGAN: 7 x 7, 256 x 256, 3 to 64": (convolution.same((256, 256), (7, 7), 1), 1, 3, 64),
        "3D-GAN: 4 x 4 x 4, stride 2, 32 x 32 x 32, 64 to 128": (
            *(convolution.same((32,) * 3, (4,) * 3, 2), 8, 64, 128),
        ),
    }


def measure(detail: str, context: Context, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield, for each convolution and map, the difference from the CPU's float32 result, and the time.

    Args:
      detail: the type of the arrays, float32 or bfloat16.
      context: what all measurements have in common.
      seconds: number of seconds for all measurements.
    """
    cases = shapes(context.small)
    precisions = ("default", "highest") if detail == "float32" and not context.small else ("default",)
    for name, (g, batch, c, d) in cases.items():
        for form, (f, arguments) in _functions(g, batch, c, d).items():
            with jax.default_device(jax.devices("cpu")[0]):
                expected = np.asarray(jax.jit(f)(*map(jnp.asarray, arguments)), np.float64)
            for precision in precisions:
                cast = [jnp.asarray(x, detail) for x in arguments]
                with jax.default_matmul_precision(precision):
                    compiled = jax.jit(f).lower(*cast).compile()

                def run(count, compiled=compiled, cast=cast):
                    out = None
                    for _ in range(count):
                        out = compiled(*cast)
                    jax.block_until_ready(out)

                found = np.asarray(compiled(*cast), np.float64)
                budget = 0.01 if context.small else seconds / (16 * len(cases) * len(precisions))
                yield {
                    "convolution": name,
                    "map": form,
                    "precision": precision,
                    "error": float(np.linalg.norm(found - expected) / np.linalg.norm(expected)),
                    "ms": steady_ms(run, budget),
                }


def _functions(g: Geometry, batch: int, c: int, d: int) -> dict[str, tuple[Callable, tuple[np.ndarray, ...]]]:
    """Return the three maps, and the gradient of R1 with respect to the kernel, each with its arguments."""
    rng = np.random.default_rng(0)
    x, y, w = (
        rng.normal(size=shape).astype(np.float32)
        for shape in ((batch, *g.large, c), (batch, *g.small, d), (*g.kernel, c, d))
    )
    w /= np.sqrt(w[..., 0].size)

    def r1(w, x):
        def logits(x):  # tanh, because the derivative of a ReLU jumps where rounding changes a sign
            return jnp.tanh(convolution.conv(g, x, w)).sum(range(1, x.ndim)).astype(jnp.float32)

        return losses.r1(logits, x).sum()

    return {
        "conv": (lambda x, w: convolution.conv(g, x, w), (x, w)),
        "conv_transpose": (lambda y, w: convolution.conv_transpose(g, y, w), (y, w)),
        "kernel_gradient": (lambda x, y: convolution.kernel_gradient(g, x, y), (x, y)),
        "gradient of R1": (jax.grad(r1), (w, x)),
    }
