"""Convert linen modules, nnx modules and pairs of functions to one common interface, ``Network``.

A ``Network`` creates variables from a random key, and computes an output from variables and inputs. ``Net`` and
``Function`` use networks through this interface only. ``as_network`` converts a linen module, a function that creates
an ``nnx`` module, or a pair of functions ``(init, apply)``.
"""

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import flax.errors
import flax.linen as nn
import jax

from jaxgan.core import axis
from jaxgan.core.keys import batch_key

CONSTANTS = "constants"  # name of the collection of arrays that are neither trained nor moving statistics
ALLOWED = (
    "A network must be a linen module, a function `lambda rngs: ...` that creates an nnx module, or a pair of "
    "functions `(init, apply)`."
)


class KeysMissing(Exception):
    """Raised when a network draws random numbers, and its call received no keys.

    ``Function`` catches it, and raises ``MissingKeysError`` with the name of the network.
    """


class Network(Protocol):
    """The common interface of networks that are written with linen, with nnx or as functions.

    The variables of a network are a dictionary from collection names to pytrees of arrays. The collection ``params``
    holds the parameters that players train. The other collections hold moving statistics, such as ``batch_stats`` for
    BatchNorm's averages.
    """

    @property
    def given(self) -> Any:
        """The object that the user passed to ``Net``."""
        ...

    @property
    def name(self) -> str:
        """The name of the network's class, or the names of its two functions, for error messages."""
        ...

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """A mapping from the names to the descriptions of the arguments that the network's call accepts.

        The argument that holds the network's variables is omitted.
        """
        ...

    def init(self, key: jax.Array, *inputs: jax.Array) -> dict[str, Any]:
        """Create the initial variables from a typed random key.

        Args:
          key: a typed random key.
          *inputs: an example of each input of the network. ``Net`` passes zeros of the shape and dtype of its examples.

        Returns:
          A dictionary from collection names to pytrees of arrays.
        """
        ...

    def apply(
        self,
        variables: Mapping[str, Any],
        args: Sequence[Any],
        options: Mapping[str, Any],
        *,
        train: bool,
        keys: jax.Array | None,
        mutable: Sequence[str],
    ) -> tuple[Any, dict[str, Any]]:
        """Return the output of the network, and the collections named in ``mutable`` after the call.

        Args:
          variables: a dictionary from collection names to the variables of the network.
          args: the positional arguments of the call.
          options: the keyword arguments of the call. If this mapping has the entries ``train`` or ``keys``, they
            replace the arguments ``train`` and ``keys`` below.
          train: whether the network runs in training mode. The value is passed to the call if the call accepts
            ``train``.
          keys: random keys [B], one per example, or None. The keys are passed to the call if the call accepts ``keys``.
            In other networks, all random draws, such as dropout masks, use a single key that is derived from ``keys``.
          mutable: the names of the collections to update and return.

        Raises:
          KeysMissing: if the network draws random numbers and ``keys`` is None.
        """
        ...


def as_network(given: Any) -> Network:
    """Convert an argument of ``Net`` to a ``Network``.

    Args:
      given: a linen module, a function ``(rngs) -> nnx module``, or a pair of functions ``(init, apply)``.

    Raises:
      TypeError: if ``given`` is not a network. The message explains how to fix it.
    """
    if isinstance(given, nn.Module):
        return LinenNetwork(given)
    if isinstance(given, tuple | list):
        if len(given) == 2 and all(callable(function) for function in given):
            return FunctionPair(*given)
    elif _makes_nnx(given):
        from jaxgan.core.nnx_module import NNXNetwork  # imported only if it is used, because importing nnx takes time

        return NNXNetwork(given)  # pyright: ignore[reportArgumentType]
    raise TypeError(f"`module` {_describe_problem(given)} {ALLOWED}")


@dataclasses.dataclass(frozen=True)
class LinenNetwork:
    """A network that is a linen module.

    If several devices share a batch, flax's BatchNorm computes its statistics over the examples of all devices.

    Attributes:
      given: the module.
    """

    given: nn.Module

    @property
    def name(self) -> str:
        """The name of the module's class."""
        return type(self.given).__name__

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """A mapping from the names to the descriptions of the arguments of ``__call__``, without ``self``."""
        return _method_parameters(type(self.given))

    def init(self, key: jax.Array, *inputs: jax.Array) -> dict[str, Any]:
        """Create the variables of the module; see ``Network.init`` for the arguments."""
        return dict(self.given.init(key, *inputs, **call_options(self, {}, train=False)))

    def apply(self, variables, args, options, *, train, keys, mutable):
        """Run the module; see ``Network.apply`` for the arguments.

        Raises:
          KeysMissing: if the module draws random numbers and ``keys`` is None.
        """
        options = call_options(self, options, train=train, keys=keys)
        if keys is not None and "keys" not in options:
            # A layer that requests any other random stream receives keys from the stream `params`.
            options["rngs"] = {"params": batch_key(keys), "dropout": jax.random.fold_in(batch_key(keys), 1)}
        shared = nn.intercept_methods(_over_all_devices) if axis.size() > 1 else contextlib.nullcontext()
        try:
            with shared:
                output, stats = self.given.apply(variables, *args, mutable=mutable, **options)
        except flax.errors.InvalidRngError as error:
            raise KeysMissing from error
        return output, dict(stats)


@dataclasses.dataclass(frozen=True)
class FunctionPair:
    """A network that is a pair of functions. Its only variables are parameters.

    Attributes:
      init_params: the function that creates the parameters, ``(key, *inputs) -> params``.
      call: the function that computes the output, ``(params, *inputs) -> output``.
    """

    init_params: Callable[..., Any]
    call: Callable[..., Any]

    @property
    def given(self) -> tuple[Callable, Callable]:
        """The two functions, as they were passed to ``Net``."""
        return self.init_params, self.call

    @property
    def name(self) -> str:
        """The names of the two functions."""
        return f"({', '.join(getattr(f, '__name__', type(f).__name__) for f in self.given)})"

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """A mapping from the names to the descriptions of the arguments of ``call``, without ``params``."""
        return _without_first(_signature(self.call))

    def init(self, key: jax.Array, *inputs: jax.Array) -> dict[str, Any]:
        """Create the parameters of the network; see ``Network.init`` for the arguments."""
        return {"params": self.init_params(key, *inputs)}

    def apply(self, variables, args, options, *, train, keys, mutable):
        """Run the function ``call``; see ``Network.apply`` for the arguments.

        Raises:
          TypeError: if ``keys`` are passed, and ``call`` does not accept an argument ``keys``.
        """
        del mutable  # A pair of functions has no moving statistics.
        options = call_options(self, options, train=train, keys=keys)
        if keys is not None and "keys" not in options:
            raise TypeError(
                "`keys` were passed to a network that is a pair of functions `(init, apply)`, but `apply` does not "
                "accept an argument `keys`. Add this argument to `apply`, or do not pass `keys`."
            )
        return self.call(variables["params"], *args, **options), {}


def call_options(network: Network, options: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Return the keyword arguments of a network's call.

    The result contains ``options``, and each argument in ``given`` that the call accepts and that is not None.

    Args:
      network: the network to call.
      options: the keyword arguments that the caller of the network passed.
      **given: further keyword arguments. If ``options`` has an argument of the same name, its value is used.
    """
    own = {name: x for name, x in given.items() if name in network.parameters and x is not None}
    return {**own, **options}


def input_names(network: Network) -> tuple[list[str], int | None]:
    """Return the names of the inputs that ``Net`` requires examples of, and the largest number of examples allowed.

    The number is None if there is no limit. An example of ``keys`` is allowed, but not required.

    Args:
      network: the network to inspect.
    """
    parameters = [p for p in network.parameters.values() if p.name != "train"]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    unlimited = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    needed = [p.name for p in positional if p.default is p.empty and p.name != "keys"]
    return needed, None if unlimited else len(positional)


def _over_all_devices(call, args, kwargs, context):
    """Intercept linen methods so that flax's BatchNorm computes its statistics over the examples of all devices.

    The BatchNorm of ``jaxgan.nn`` does the same without an interceptor.
    """
    layer = context.module
    if isinstance(layer, nn.BatchNorm) and layer.axis_name is None:
        # The layer is a frozen dataclass. Flax created this copy for the present call only, so the change has no other
        # effect.
        object.__setattr__(layer, "axis_name", axis.NAME)
    return call(*args, **kwargs)


@functools.cache
def _method_parameters(module: type) -> Mapping[str, inspect.Parameter]:
    return _without_first(inspect.signature(module.__call__))


def _signature(function: Callable) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError:  # Some functions written in C have no signature. Assume that they accept any arguments.
        return inspect.signature(lambda *args, **kwargs: None)


def _without_first(signature: inspect.Signature) -> dict[str, inspect.Parameter]:
    if not signature.parameters:
        raise TypeError(
            "`module` is a pair of functions `(init, apply)`, but `apply` accepts no arguments. It must accept "
            "(params, *inputs)."
        )
    first, *others = signature.parameters.values()
    kept = (first, *others) if first.kind is first.VAR_POSITIONAL else others
    return {parameter.name: parameter for parameter in kept}


def _makes_nnx(given: Any) -> bool:
    """Return whether ``given`` is a function or a class that creates an nnx module from an argument ``rngs``."""
    function = given.func if isinstance(given, functools.partial) else given
    if inspect.isclass(function):
        return _comes_from(function, "flax.nnx")
    owner = type(getattr(given, "__self__", given))  # for a bound method, the class of its object
    of_flax = _comes_from(owner, "flax.nnx") or _comes_from(owner, "flax.linen")
    return callable(given) and not of_flax and "rngs" in _signature(given).parameters


def _comes_from(kind: type, package: str) -> bool:
    """Return whether a class or one of its base classes is defined in a package, without importing the package."""
    return any(f"{base.__module__}.".startswith(f"{package}.") for base in kind.__mro__)


def _describe_problem(given: Any) -> str:
    """Return why ``given`` is refused and how to fix this, as the rest of a sentence that begins with "`module`"."""
    kind = given if inspect.isclass(given) else type(given)
    name = kind.__name__
    if inspect.isclass(given):
        return f"is the class {name}, not an instance of it. Write Net({name}(...), ...)."
    if _comes_from(kind, "flax.nnx"):
        return (
            f"is an instance of the nnx module {name}. It already has parameters, which would not depend on the game's "
            f"key. Write Net(lambda rngs: {name}(..., rngs=rngs), ...)."
        )
    if _comes_from(kind, "torch"):
        return (
            f"is the PyTorch module {name}, which JAX cannot trace. Write the network in JAX. To load its PyTorch "
            "weights, use jaxgan.interop."
        )
    if inspect.ismethod(given):
        return f"is the method `{given.__name__}` of {type(given.__self__).__name__}. Pass the module itself."
    if isinstance(given, tuple | list):
        types = ", ".join(type(part).__name__ for part in given)
        return f"is a {name} with items of the types {types}." if types else f"is an empty {name}."
    if inspect.isfunction(given):
        return (
            f"is the function {given.__name__}, which has no parameters to train. Write Net((init, apply), ...) for a "
            "network that consists of two functions."
        )
    return f"is an object of type {name}."
