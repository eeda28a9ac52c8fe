"""Write and read functions in the format of ``jax.export``, and check functions of unknown origin.

An exported function is a program of array operations in StableHLO. A program can also call compiled functions of the
process by their names (custom calls), such as callbacks into Python, and forged arguments of such a call could execute
code. Only custom calls that compute on arrays and are part of JAX are accepted.
"""

import re
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.mlir import ir
from jax.extend.mlir.dialects import stablehlo
from jax.interpreters import mlir

from jaxgan.core.text import printable

PLATFORMS = ("cpu", "cuda", "tpu")

# The custom calls that JAX guarantees to keep (jax.export, "Compatibility guarantees for custom calls"), without those
# that contain programs in other languages: tpu_custom_call, mosaic_gpu_v2 and tf.call_tf_function.
_ALLOWED_CALLS = re.compile(
    r"(lapack|cusolver|cusparse)_[a-z0-9]+_ffi|cu_lu_pivots_to_permutation|cu_threefry2x32_ffi"
    r"|Eigh|Qr|ProductOfElementaryHouseholderReflectors|LuDecomposition|ApproxTopK"
    r"|Sharding|SPMDFullToShardShape|SPMDShardToFullShape|annotate_device_placement|AllocateBuffer|shape_assertion"
    r"|stablehlo\.dynamic_(approx_top_k|reduce_window|rng_bit_generator|top_k)"
)
# The operations that exchange data with the host.
_HOST_OPERATIONS = {f"stablehlo.{name}" for name in ("send", "recv", "infeed", "outfeed")}


def export_function(f: Callable) -> Callable[..., jax.export.Exported]:
    """Return a function that exports ``f`` for the shapes and dtypes of its arguments, for all platforms.

    Args:
      f: a function of arrays.
    """
    return jax.export.export(jax.jit(f), platforms=PLATFORMS)


def read_function(content: bytes, name: str) -> jax.export.Exported:
    """Return a serialised function after its program was checked.

    Args:
      content: the function, as the method ``serialize`` of an exported function returns it.
      name: the name of the function, for messages.

    Raises:
      ValueError: if the function is damaged, or is refused by ``check_function``.
    """
    try:
        function = jax.export.deserialize(bytearray(content))
    except Exception:  # flatbuffers raises many kinds of errors on foreign content
        raise ValueError(f"The function {name} is damaged, or a newer version of JAX wrote it.") from None
    check_function(function, name)
    return function


def check_function(function: jax.export.Exported, name: str) -> None:
    """Check that a function consists of array operations only. The function is not executed.

    Args:
      function: the exported function.
      name: the name of the function, for messages.

    Raises:
      ValueError: if the program is damaged, makes a custom call that is not allowed, requires several devices, or has
        side effects.
    """
    refused = sorted(call for call in _find_calls(function, name) if not _ALLOWED_CALLS.fullmatch(call))
    if refused:
        raise ValueError(
            f"The function {name} calls {printable(', '.join(refused), limit=200)}, which is not executed. Exported "
            "models may only contain array operations."
        )
    if function.nr_devices != 1 or function.ordered_effects or function.unordered_effects:
        raise ValueError(f"The function {name} requires several devices or has side effects, which is not supported.")


def output_shapes(function: jax.export.Exported, name: str, *inputs: Any) -> Any:
    """Return the shapes and dtypes of a function's results, ``jax.ShapeDtypeStruct``, without executing it.

    Args:
      function: the exported function.
      name: the name of the function, for messages.
      *inputs: the arguments, or their shapes and dtypes.

    Raises:
      ValueError: if the function does not accept the arguments.
    """
    try:
        return jax.eval_shape(function.call, *inputs)
    except Exception:  # JAX's errors about symbolic sizes have no public class
        raise ValueError(f"The function {name} does not accept the arguments that the rest of the file has.") from None


def _find_calls(function: jax.export.Exported, name: str) -> set[str]:
    """Return the names of the custom calls of a program, and of its operations that exchange data with the host."""
    found = set()

    def visit(operation):
        if operation.name.endswith("custom_call"):
            found.add(ir.StringAttr(operation.attributes["call_target_name"]).value)
        elif operation.name in _HOST_OPERATIONS:
            found.add(operation.name)
        return ir.WalkResult.ADVANCE

    try:
        # The handler keeps MLIR from printing its own messages about damaged programs.
        with mlir.make_ir_context() as context:
            handler: Any = context.attach_diagnostic_handler(lambda _: True)
            with handler:
                module = stablehlo.deserialize_portable_artifact(context, function.mlir_module_serialized)
            module.operation.walk(visit)
    except Exception:  # MLIR raises many kinds of errors on foreign content
        raise ValueError(f"The program of the function {name} is damaged.") from None
    return found
