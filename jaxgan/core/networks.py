"""Networks as functions: a network bound to parameters and moving statistics.

``Net`` declares a network of a game; a loss gets ``Nets``, whose attributes are ``Function``: called,
not applied. Nothing is recorded behind the caller's back, so a ``Function`` is safe under an inner
``jax.grad``, ``jax.vmap`` or ``jax.checkpoint``.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from jaxgan.core.modules import KeysMissing, Network, as_network, input_names
from jaxgan.core.notes import note
from jaxgan.core.representation import count_parameters, lines_under, show_function, show_net


class MissingKeysError(ValueError):
    """A network drew random numbers in training, and its call got no ``keys``."""


@dataclasses.dataclass(frozen=True, init=False, eq=False)
class Net:
    """A network of a game, and an example of each of its inputs, or its shape and dtype.

    A network is one of three::

        Net(Generator(), z)                                # a linen module
        Net(lambda rngs: Generator(64, rngs=rngs), z)      # a function that makes an nnx module
        Net((init, apply), z)                              # init(key, z) -> params, apply(params, z) -> output

    An nnx module is given as the function that makes it, and not as an instance, whose parameters would not depend on
    the game's key. A pair of functions has parameters and no moving statistics.

    ``train`` and ``keys`` are arguments that a call may have. ``train`` is true in losses and false in
    ``Game.functions``; nnx modules are also put into training or evaluation mode. ``keys`` is [B], one for each
    example, if the loss passes them, ``nets.d(x, keys=keys)``. A linen or nnx module without this argument draws
    everything random, such as the masks of dropout, from one key that is made from them. These masks depend on the
    number of devices; those of ``jaxgan.nn.layers.dropout`` do not.

    Attributes:
      network: what it does, whatever it is written with; see ``jaxgan.core.modules.Network``.
      examples: the shape and dtype of each input with which it is initialised.

    Raises:
      TypeError: ``module`` is no network, or an example is no array.
      ValueError: the call needs an input of which no example is given, or takes fewer.
    """

    network: Network
    examples: tuple[jax.ShapeDtypeStruct, ...]

    def __init__(self, module: Any, *examples: Any):
        object.__setattr__(self, "network", as_network(module))
        object.__setattr__(self, "examples", _shapes(self.network, examples))

    def __repr__(self) -> str:
        return f"Net: {show_net(self)}"

    @property
    def module(self) -> Any:
        """The module, or the functions, as they were given."""
        return self.network.given

    def init(self, key: jax.Array) -> dict[str, Any]:
        """The variables by collection, ``params`` and moving statistics, from a typed key."""
        return jax.jit(self.network.init)(key, *(jnp.zeros(x.shape, x.dtype) for x in self.examples))


def _shapes(network: Network, examples: Sequence[Any]) -> tuple[jax.ShapeDtypeStruct, ...]:
    names, limit = input_names(network)
    call = f"the call of {network.name}"
    if len(examples) < len(names):
        raise ValueError(
            f"{call} needs an example of `{names[len(examples)]}`, and `Net` got {len(examples)}. Write "
            f"Net(..., {', '.join(names)}), each an array or a jax.ShapeDtypeStruct."
        )
    if limit is not None and len(examples) > limit:
        raise ValueError(
            f"{call} has {limit} inputs at most, and `Net` got {len(examples)} examples. Leave out those that it does "
            "not take."
        )
    for number, example in enumerate(examples):
        if not hasattr(example, "shape") or not hasattr(example, "dtype"):
            raise TypeError(
                f"example {number + 1} of {call} must be an array or a jax.ShapeDtypeStruct, got {example!r}. "
                "Write for instance jnp.zeros((1, 100))."
            )
    return tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in examples)


@dataclasses.dataclass(frozen=True, eq=False)
class FrozenVariables:
    """Variables as an attribute of a module: arrays cannot be compared, so an object is equal to itself alone.

    Attributes:
      variables: ``{"params": ...}``, by collection.
    """

    variables: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"FrozenVariables: {count_parameters(self.variables):,} numbers"


class Frozen(nn.Module):
    """A network with given parameters: ``Net(Frozen(module, FrozenVariables(variables)), images)``, owned by no player.

    Its parameters are part of the state, like those of any network, so that they are not constants of the compiled
    step, which XLA would fold.

    Attributes:
      network: a module without moving statistics.
      frozen: its variables, of which ``params`` are used.
    """

    network: nn.Module
    frozen: FrozenVariables

    @nn.compact
    def __call__(self, *args: Any) -> Any:
        params = self.param("given", lambda key: jax.tree.map(jnp.asarray, dict(self.frozen.variables["params"])))
        return self.network.clone(parent=None).apply({"params": params}, *args)


@flax.struct.dataclass
class Function:
    """A network with its variables, called as a function.

    Attributes:
      params: its parameters.
      stats: its moving statistics, by collection.
      net: the network.
      train: whether this is training.
      name: the network's name in the game, for messages.
    """

    params: Any
    stats: dict[str, Any]
    net: Net = flax.struct.field(pytree_node=False)
    train: bool = flax.struct.field(pytree_node=False, default=True)
    name: str = flax.struct.field(pytree_node=False, default="net")

    def __repr__(self) -> str:
        return f"Function {self.name}: {show_function(self)}"

    @property
    def module(self) -> Any:
        """The module, or the functions, as they were given to ``Net``."""
        return self.net.module

    def __call__(self, *args, keys: jax.Array | None = None, **options):
        """The network's output. Moving statistics are read, and their update is discarded.

        Args:
          *args: inputs.
          keys: [B], one for each example, for networks that draw random numbers, such as dropout's masks.
          **options: further arguments of the network's call.
        """
        return self.with_stats(*args, keys=keys, **options)[0]

    def with_stats(self, *args, keys: jax.Array | None = None, **options):
        """The network's output and the updated moving statistics, to be returned as ``total(..., stats=...)``."""
        return self.with_collections(sorted(self.stats) if self.train else [], *args, keys=keys, **options)

    def with_collections(self, mutable: Sequence[str], *args, keys: jax.Array | None = None, **options):
        """The network's output, and the collections of ``mutable`` after the call.

        Raises:
          TypeError: an input is bytes where the example is floating-point.
          ValueError: the network draws random numbers, and ``keys`` is None.
        """
        self._check_inputs(args)
        variables = {"params": self.params, **self.stats}
        with note(self._describe_call(args)):
            try:
                return self.net.network.apply(variables, args, options, train=self.train, keys=keys, mutable=mutable)
            except KeysMissing as error:
                raise MissingKeysError(
                    f"network {self.name!r} draws random numbers, for dropout or noise, and its call got no `keys`. "
                    f"Write nets.{self.name}(..., keys=keys), and keys=fold_in_keys(keys) for a second, other draw."
                ) from error

    def _describe_call(self, args) -> str:
        """The inputs of a call, and those that were declared where their sizes differ, for a call that failed."""
        called = ", ".join(map(format_array, args)) or "no input"
        pairs = zip(args, self.net.examples)
        if all(getattr(x, "shape", ())[1:] == example.shape[1:] for x, example in pairs):
            return f"In network {self.name!r}, called with {called}."
        declared = ", ".join(map(format_array, self.net.examples))
        return (
            f"In network {self.name!r}, called with {called}, which was declared with {declared}. Give examples of the "
            "declared sizes, or declare the `Net` with the sizes of the examples."
        )

    def _check_inputs(self, args) -> None:
        for argument, x, example in zip(self.net.network.parameters, args, self.net.examples):
            if getattr(x, "dtype", None) == jnp.uint8 and jnp.issubdtype(example.dtype, jnp.floating):
                raise TypeError(
                    f"network {self.name!r}: `{argument}` is {format_array(x)}, bytes from 0 to 255, and the network "
                    f"takes {example.dtype}. Normalise the batch: jaxgan.data.normalize(batch) for a batch of "
                    "arrays by name, or x.astype(jnp.float32) / 127.5 - 1."
                )


class Nets(Mapping):
    """The game's networks as functions: ``nets.g(z)``, or ``nets["g"](z)``."""

    def __init__(self, functions: Mapping[str, Function]):
        self._functions = dict(functions)

    def __getitem__(self, name: str) -> Function:
        return self._functions[name]

    def __getattr__(self, name: str) -> Function:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._functions:
            # With `name` given, Python appends no suggestion of one of the methods of a mapping.
            raise AttributeError(
                f"The game has no network {name!r}. It has {format_names(self._functions)}.", name=name
            )
        return self[name]

    def __iter__(self):
        return iter(self._functions)

    def __len__(self):
        return len(self._functions)

    def __repr__(self) -> str:
        return lines_under("Nets", [f"{name}: {show_function(x)}" for name, x in self._functions.items()])


class RecordingNets(Nets):
    """``Nets`` that record in ``names`` which of them were used."""

    def __init__(self, functions: Mapping[str, Function]):
        super().__init__(functions)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Function:
        self.names.add(name)
        return super().__getitem__(name)


def format_names(names) -> str:
    """Names for an error message.

    >>> format_names(["g", "d"])
    "'g', 'd'"
    """
    return ", ".join(repr(name) for name in names) or "none"


def format_array(x: Any) -> str:
    """An array's dtype and shape for an error message, or the type of anything else.

    >>> format_array(jnp.zeros((2, 3)))
    'float32[2, 3]'
    """
    return f"{x.dtype}{list(x.shape)}" if hasattr(x, "dtype") and hasattr(x, "shape") else type(x).__name__
