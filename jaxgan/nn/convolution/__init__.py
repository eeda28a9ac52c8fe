"""Convolution and transposed convolution that are fast on CPUs, including reverse-mode derivatives of any order.

A convolution of stride s maps a large image x to a small image y, which has about 1 / s of its height and width. This
package defines three maps between x, y and the kernel w::

    conv(x, w) -> y              the strided convolution
    conv_transpose(y, w) -> x    the transposed convolution
    kernel_gradient(x, y) -> w   the gradient with respect to the kernel

They belong to one trilinear form: <conv(x, w), y> = <x, conv_transpose(y, w)> = <w, kernel_gradient(x, y)>. Therefore
the derivatives of each map are the other two maps. R1 and gradient penalties, which differentiate twice, need no other
operation. The derivatives that XLA defines for its convolution need other operations, which run 10 to 100 times slower
on its CPU backend. Forward-mode differentiation (``jax.jvp``) is not supported.

On accelerators, each map is XLA's native convolution. On CPUs, each map is computed in the form (by the algorithm) that
was measured to be the fastest for similar convolutions:

- ``im2col``, ``winograd`` and ``native`` are the algorithms.
- ``forms`` also applies them to equal maps of another geometry, and names all forms.
- ``choice`` looks up the form in ``measured``, a table that ``python -m experiments.benchmarks.forms`` writes.

The number n of spatial dimensions is arbitrary. Images are [B, *space, channels], and kernels are [*widths, channels of
x, channels of y].
"""

from jaxgan.nn.convolution.geometry import (
    Geometry as Geometry,
    blurred as blurred,
    causal as causal,
    padded as padded,
    same as same,
)
from jaxgan.nn.convolution.maps import (
    conv as conv,
    conv_transpose as conv_transpose,
    kernel_gradient as kernel_gradient,
)
