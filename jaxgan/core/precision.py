"""The precision of matrix products and convolutions of float32 numbers, which accelerators round to other types.

By default, JAX computes these products in TF32 on NVIDIA GPUs and in bfloat16 on TPUs. ``jax.default_matmul_precision``
changes the precision of all products that are traced within it. Penalties on gradients are more sensitive to rounding
errors than other losses, so ``jaxgan.losses`` traces them with ``of_penalties``. Products on CPUs always have the
precision of float32.

The derivative of a product has the precision of the product. A function with a rule of its own
(``jax.custom_vjp``) is traced again when it is differentiated, outside of the context in which it was called. It must
therefore store ``current()`` with its static arguments, and trace its products with ``by_platform``.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Literal

import jax
from jax import lax

from jaxgan.core.state import State
from jaxgan.core.wrappers import GameWrapper

# JAX's names, from the lowest to the highest precision. "default" leaves JAX's configuration unchanged.
Precision = Literal["default", "high", "highest"]
# The rank of each precision, also of JAX's other names. A precision that is missing here has the rank 0.
_RANK = {"default": 0, "bfloat16": 0, "high": 1, "tensorfloat32": 1, "highest": 2, "float32": 2}

_penalties: contextvars.ContextVar[Precision] = contextvars.ContextVar("penalties", default="highest")


def current() -> str | None:
    """Return JAX's name of the precision of the products that are being traced; None for the default of the device."""
    return jax.config.jax_default_matmul_precision  # pyright: ignore


@contextlib.contextmanager
def at_least(precision: Precision) -> Iterator[None]:
    """Trace products with this precision, or with the current precision if it is higher.

    Args:
      precision: the precision. "default" changes nothing.
    """
    if _RANK[precision] <= _RANK.get(current() or "default", 0):
        yield
    else:
        with jax.default_matmul_precision(precision):
            yield


def of_penalties() -> contextlib.AbstractContextManager[None]:
    """Trace the products of a penalty on gradients: in float32, unless a game is traced with another setting.

    ``Precise`` changes the precision.
    """
    return at_least(_penalties.get())


def by_platform(precision: str | None, cpu: Callable, default: Callable, *arguments: Any) -> Any:
    """Call ``cpu`` on CPUs, and ``default`` with a precision on other devices.

    On CPUs, the products of all precisions are equal. ``cpu`` is traced with the lowest precision, because XLA would
    otherwise compute a product twice if a loss and a penalty need it.

    Args:
      precision: the precision of the products of ``default``, from ``current``.
      cpu: a function of the arguments.
      default: a function of the arguments, with results of the same shapes and types.
      *arguments: the arguments, arrays.
    """

    def on_cpu(*arguments):
        # "default" and not None, because rules such as the one of ``jax.vmap`` replace None by the current precision.
        with jax.default_matmul_precision("default"):
            return cpu(*arguments)

    def elsewhere(*arguments):
        with jax.default_matmul_precision(precision):
            return default(*arguments)

    return lax.platform_dependent(*arguments, cpu=on_cpu, default=elsewhere)


def product(f: Callable, x: jax.Array, y: jax.Array, *arguments: Any, **options: Any) -> jax.Array:
    """Return ``f(x, y, *arguments, **options)``, an array, with the lowest precision on CPUs; see ``by_platform``.

    Args:
      f: a product of two arrays, such as ``jnp.matmul`` or ``lax.dot_general``.
      x: the first array, of any shape that ``f`` accepts.
      y: the second array, of any shape that ``f`` accepts.
      *arguments: further arguments of ``f``.
      **options: keyword arguments of ``f``.

    Returns:
      The product, of the shape that ``f`` returns.
    """

    def call(x, y):
        return f(x, y, *arguments, **options)

    return call(x, y) if current() is None else by_platform(current(), call, call, x, y)


@dataclasses.dataclass(frozen=True, eq=False)
class Precise(GameWrapper):
    """A wrapper that sets the precision of the products in a training step.

    Attributes:
      products: the precision of all products.
      penalties: the precision of the products of penalties on gradients. It is at least the precision ``products``.
    """

    products: Precision = "default"
    penalties: Precision = "highest"

    def step(self, state: State, batch: Any, /) -> tuple[State, dict[str, Any]]:
        """Take one step with these precisions; see ``Game.step``.

        Args:
          state: the state before the step.
          batch: the examples of the step, a pytree of arrays [B, ...].
        """
        token = _penalties.set(self.penalties)
        try:
            with at_least(self.products):
                return self.game.step(state, batch)
        finally:
            _penalties.reset(token)
