"""The kinds of network that a ``Net`` takes, behind one protocol.

``Net`` and ``Function`` use ``Network`` alone: variables from a key, and an output from variables. ``as_network`` makes
one of a linen module, of a pair of functions, or of a function that makes an ``nnx`` module.
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

CONSTANTS = "constants"  # the collection of arrays that are neither trained nor moving statistics
ALLOWED = (
    "A network is a linen module, a function `lambda rngs: ...` that makes an nnx module, or a pair of functions "
    "`(init, apply)`."
)


class KeysMissing(Exception):
    """A network drew random numbers, and its call got no keys. ``Function`` tells the network's name."""


class Network(Protocol):
    """A network, whatever it is written with.

    Variables are arrays by collection: ``params``, which players train, and moving statistics, ``batch_stats`` for
    averages over the batch.
    """

    @property
    def given(self) -> Any:
        """The object that the user gave to ``Net``."""
        ...

    @property
    def name(self) -> str:
        """Its class, or its functions, for error messages."""
        ...

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The arguments of a call, without variables."""
        ...

    def init(self, key: jax.Array, *inputs: jax.Array) -> dict[str, Any]:
        """The variables, a pure function of a typed key."""
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
        """The output, and the collections of ``mutable`` after the call.

        Args:
          variables: by collection.
          args: positional arguments of the call.
          options: keyword arguments of the call. ``train`` and ``keys`` in them count over those below.
          train: whether this is training. A call that has an argument ``train`` gets it.
          keys: [B], one for each example. A call that has an argument ``keys`` gets them. In other networks everything
            random, such as dropout, draws from one key that is made from them.
          mutable: the collections to update.

        Raises:
          KeysMissing: the network drew random numbers, and ``keys`` is None.
        """
        ...


def as_network(given: Any) -> Network:
    """The network that ``given`` describes.

    Raises:
      TypeError: it is none; the message says what it is, what is allowed, and how to mend it.
    """
    if isinstance(given, nn.Module):
        return LinenNetwork(given)
    if isinstance(given, tuple | list):
        if len(given) == 2 and all(callable(function) for function in given):
            return FunctionPair(*given)
    elif _makes_nnx(given):
        from jaxgan.core.nnx_module import NNXNetwork  # imported where it is used: nnx takes time to import

        return NNXNetwork(given)  # pyright: ignore[reportArgumentType]
    raise TypeError(f"`module` is {_refusal(given)} {ALLOWED}")


@dataclasses.dataclass(frozen=True)
class LinenNetwork:
    """A linen module. Under ``pmap`` or ``shard_map`` the moments of BatchNorm are those of the whole batch.

    Attributes:
      given: the module.
    """

    given: nn.Module

    @property
    def name(self) -> str:
        return type(self.given).__name__

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        return _method_parameters(type(self.given))

    def init(self, key: jax.Array, *inputs: jax.Array) -> dict[str, Any]:
        return dict(self.given.init(key, *inputs, **call_options(self, {}, train=False)))

    def apply(self, variables, args, options, *, train, keys, mutable):
        options = call_options(self, options, train=train, keys=keys)
        if keys is not None and "keys" not in options:
            # linen draws from the stream `params` where the one that a layer names is not given.
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
    """Two functions; all variables are parameters.

    Attributes:
      init_params: ``(key, *inputs) -> params``.
      call: ``(params, *inputs) -> output``.
    """

    init_params: Callable[..., Any]
    call: Callable[..., Any]

    @property
    def given(self) -> tuple[Callable, Callable]:
        return self.init_params, self.call

    @property
    def name(self) -> str:
        return f"({', '.join(getattr(f, '__name__', type(f).__name__) for f in self.given)})"

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        return _without_first(_signature(self.call))

    def init(self, key: jax.Array, *inputs: jax.Array) -> dict[str, Any]:
        return {"params": self.init_params(key, *inputs)}

    def apply(self, variables, args, options, *, train, keys, mutable):
        del mutable  # There are no statistics.
        options = call_options(self, options, train=train, keys=keys)
        if keys is not None and "keys" not in options:
            raise TypeError("`keys` were given to a pair of functions whose `apply` has no argument `keys`. Add it.")
        return self.call(variables["params"], *args, **options), {}


def call_options(network: Network, options: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """The keyword arguments of a call: ``options``, and those of ``given`` that the call has and that are not None."""
    own = {name: x for name, x in given.items() if name in network.parameters and x is not None}
    return {**own, **options}


def input_names(network: Network) -> tuple[list[str], int | None]:
    """The positional arguments of which a network needs examples, and how many it takes; None if there is no limit.

    It takes an example of ``keys``, and needs none.
    """
    parameters = [p for p in network.parameters.values() if p.name != "train"]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    unlimited = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    needed = [p.name for p in positional if p.default is p.empty and p.name != "keys"]
    return needed, None if unlimited else len(positional)


def _over_all_devices(call, args, kwargs, context):
    """An interceptor: flax's BatchNorm takes the moments of the whole batch, as that of jaxgan does."""
    layer = context.module
    if isinstance(layer, nn.BatchNorm) and layer.axis_name is None:
        object.__setattr__(layer, "axis_name", axis.NAME)  # a copy that was made for this call, and is frozen
    return call(*args, **kwargs)


@functools.cache
def _method_parameters(module: type) -> Mapping[str, inspect.Parameter]:
    return _without_first(inspect.signature(module.__call__))


def _signature(function: Callable) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError:  # Some functions written in C have none, and may take anything.
        return inspect.signature(lambda *args, **kwargs: None)


def _without_first(signature: inspect.Signature) -> dict[str, inspect.Parameter]:
    if not signature.parameters:
        raise TypeError("`module`: the function `apply` of a pair has no arguments; it takes (params, *inputs).")
    first, *others = signature.parameters.values()
    kept = (first, *others) if first.kind is first.VAR_POSITIONAL else others
    return {parameter.name: parameter for parameter in kept}


def _makes_nnx(given: Any) -> bool:
    """Whether it is a function, or a class, that makes an nnx module from ``rngs``."""
    function = given.func if isinstance(given, functools.partial) else given
    if inspect.isclass(function):
        return _comes_from(function, "flax.nnx")
    owner = type(getattr(given, "__self__", given))  # of a method, the class of its object
    of_flax = _comes_from(owner, "flax.nnx") or _comes_from(owner, "flax.linen")
    return callable(given) and not of_flax and "rngs" in _signature(given).parameters


def _comes_from(kind: type, package: str) -> bool:
    """Whether a class, or one that it inherits from, is of a package, which need not be imported to know it."""
    return any(f"{base.__module__}.".startswith(f"{package}.") for base in kind.__mro__)


def _refusal(given: Any) -> str:
    """What ``given`` is, as the end of a sentence, and the mend as another."""
    kind = given if inspect.isclass(given) else type(given)
    name = kind.__name__
    if inspect.isclass(given):
        return f"the class {name}, and not an instance of it. Write Net({name}(...), ...)."
    if _comes_from(kind, "flax.nnx"):
        return (
            f"an instance of the nnx module {name}, whose parameters are drawn already, so they would not depend on "
            f"the game's key. Write Net(lambda rngs: {name}(..., rngs=rngs), ...)."
        )
    if _comes_from(kind, "torch"):
        return f"the PyTorch module {name}, which JAX cannot trace. Write it in JAX; jaxgan.interop reads weights."
    if inspect.ismethod(given):
        return f"the method `{given.__name__}` of {type(given.__self__).__name__}. Give the module itself."
    if isinstance(given, tuple | list):
        return f"a {name} of {', '.join(type(part).__name__ for part in given) or 'nothing'}."
    if inspect.isfunction(given):
        return f"the function {given.__name__}, which has no parameters of its own. Write Net((init, apply), ...)."
    return f"of type {name}."
