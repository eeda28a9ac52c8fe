"""Declare the networks of a game, and call them as functions that are bound to their parameters.

``Net`` declares a network of a game. A loss receives a ``Nets`` object. Each of its attributes, such as ``nets.g``, is
a ``Function``: a network together with its parameters and moving statistics, which is called as ``nets.g(z)``. A call
has no side effects, so a ``Function`` can be used inside ``jax.grad``, ``jax.vmap`` and ``jax.checkpoint``. Moving
statistics are arrays that a network updates in its forward pass, such as BatchNorm's running averages. A call discards
the updated values, and ``Function.with_stats`` returns them.
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
from jaxgan.core.remat import recompute
from jaxgan.core.representation import count_parameters, lines_under, show_function, show_net


class MissingKeysError(ValueError):
    """Raised when a network draws random numbers, and its call received no ``keys``."""


@dataclasses.dataclass(frozen=True, init=False, eq=False)
class Net:
    """A network of a game: a module, and an example of each of the module's inputs.

    The network can be written in three ways. Here, ``z`` is an example of its input, such as ``jnp.zeros((1, 100))``::

        Net(Generator(), z)                                # a linen module
        Net(lambda rngs: Generator(64, rngs=rngs), z)      # a function that creates an nnx module
        Net((init, apply), z)                              # init(key, z) -> params, apply(params, z) -> output

    For an nnx module, pass a function that creates the module. An instance of the module is refused, because the
    parameters of an instance already exist and would not depend on the game's key. A pair of functions has parameters,
    but no moving statistics.

    A network may accept the keyword arguments ``train`` and ``keys`` in its call:

    - ``train`` is true inside losses and false in the functions that ``Game.functions`` returns by default. An nnx
      module is also switched to training or evaluation mode.
    - ``keys`` is an array of random keys, [B], with one key per example. A loss passes it as ``nets.d(x, keys=keys)``.
      If the call of a linen or nnx module does not accept ``keys``, all its random draws, such as dropout masks, use a
      single key that is derived from ``keys``. These draws then depend on the number of devices. To avoid this, use
      ``jaxgan.nn.layers.dropout``, which draws the mask of each example from its own key.

    Args:
      module: a linen module, a function ``(rngs) -> nnx module``, or a pair of functions ``(init, apply)``.
      *examples: an example of each input of the network, an array or a ``jax.ShapeDtypeStruct``. Only its shape and
        dtype are used.

    Attributes:
      network: the network, converted to an interface that is the same for all three ways; see
        ``jaxgan.core.modules.Network``.
      examples: the shape and dtype of each example input. The network is initialised with zeros of these shapes.

    Raises:
      TypeError: if ``module`` is not a network, or an example is not an array.
      ValueError: if there are fewer examples than required inputs, or more examples than inputs.
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
        """The module, or the functions, that were passed to ``Net``."""
        return self.network.given

    def init(self, key: jax.Array) -> dict[str, Any]:
        """Create the initial variables from a typed random key.

        Args:
          key: a typed random key.

        Returns:
          A dictionary from collection names to pytrees of arrays: ``params`` and the collections of moving statistics.
        """
        return jax.jit(self.network.init)(key, *(jnp.zeros(x.shape, x.dtype) for x in self.examples))


def _shapes(network: Network, examples: Sequence[Any]) -> tuple[jax.ShapeDtypeStruct, ...]:
    names, limit = input_names(network)
    if len(examples) < len(names):
        raise ValueError(
            f"`Net` requires an example of the input `{names[len(examples)]}` of {network.name}, got "
            f"{len(examples)} examples. Write Net(..., {', '.join(names)}), where each example is an array or a "
            "jax.ShapeDtypeStruct."
        )
    if limit is not None and len(examples) > limit:
        raise ValueError(
            f"The call of {network.name} accepts at most {limit} inputs, but `Net` got {len(examples)} examples. "
            "Remove the additional examples."
        )
    for number, example in enumerate(examples):
        if not hasattr(example, "shape") or not hasattr(example, "dtype"):
            raise TypeError(
                f"Example input {number + 1} of {network.name} must be an array or a jax.ShapeDtypeStruct, "
                f"got {example!r}. For example, write jnp.zeros((1, 100))."
            )
    return tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in examples)


@dataclasses.dataclass(frozen=True, eq=False)
class FrozenVariables:
    """Variables in a hashable object, so that they can be an attribute of a linen module.

    Arrays are not hashable, so an object of this class is hashed and compared by its identity.

    Attributes:
      variables: a dictionary from collection names to variables, such as ``{"params": ...}``.
    """

    variables: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"FrozenVariables: {count_parameters(self.variables):,} parameters"


class Frozen(nn.Module):
    """A network with fixed parameters, such as a pretrained classifier that a loss uses.

    Declare it as ``Net(Frozen(module, FrozenVariables(variables)), images)``, and let no player own it. Its parameters
    are part of the state, like the parameters of any other network. Otherwise they would be constants of the compiled
    step, and XLA would spend time on folding them.

    Attributes:
      network: a linen module without moving statistics.
      frozen: the variables of the module. Only the collection ``params`` is used.
    """

    network: nn.Module
    frozen: FrozenVariables

    @nn.compact
    def __call__(self, *args: Any) -> Any:
        params = self.param("given", lambda key: jax.tree.map(jnp.asarray, dict(self.frozen.variables["params"])))
        return self.network.clone(parent=None).apply({"params": params}, *args)


@flax.struct.dataclass
class Function:
    """A network that is bound to its variables, so that it can be called as a function of its inputs.

    Attributes:
      params: the parameters of the network.
      stats: a dictionary from collection names to the moving statistics of the network.
      net: the ``Net`` that declares the network.
      train: whether the network runs in training mode.
      name: the name of the network in the game, for error messages.
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
        """The module, or the functions, that were passed to ``Net``."""
        return self.net.module

    def __call__(self, *args, keys: jax.Array | None = None, **options):
        """Return the output of the network.

        The update of moving statistics is discarded; call ``with_stats`` to receive it.

        Args:
          *args: the inputs of the network.
          keys: random keys [B], one per example, for networks that draw random numbers, such as dropout masks.
          **options: other keyword arguments of the network's call.
        """
        return self.with_stats(*args, keys=keys, **options)[0]

    def with_stats(self, *args, keys: jax.Array | None = None, **options):
        """Return the output of the network, and its moving statistics after the call.

        A loss passes the statistics on to the game: ``total(..., stats={"g": stats})``.

        Args:
          *args: the inputs of the network.
          keys: random keys, [B], one per example; None if the network draws no random numbers.
          **options: further keyword arguments of the network's call.
        """
        return self.with_collections(sorted(self.stats) if self.train else [], *args, keys=keys, **options)

    def with_collections(self, mutable: Sequence[str], *args, keys: jax.Array | None = None, **options):
        """Return the output of the network, and the updated collections that ``mutable`` names.

        Args:
          mutable: the names of the collections to update and return.
          *args: the inputs of the network.
          keys: random keys, [B], one per example; None if the network draws no random numbers.
          **options: further keyword arguments of the network's call.

        Raises:
          TypeError: if an input is of type uint8, but the example of this input that was passed to ``Net`` is
            floating-point.
          ValueError: if the network draws random numbers and ``keys`` is None.
        """
        self._check_inputs(args)
        variables = {"params": self.params, **self.stats}
        with note(self._describe_call(args)):
            try:
                apply, network = self.net.network.apply, {"train": self.train, "keys": keys, "mutable": mutable}
                return recompute(lambda: apply(variables, args, options, **network))
            except KeysMissing as error:
                raise MissingKeysError(
                    f"Network {self.name!r} draws random numbers, for dropout or noise, but its call received no "
                    f"`keys`. Write nets.{self.name}(..., keys=keys). If the same loss calls the network a second time "
                    "and needs different random numbers, write keys=fold_in_keys(keys)."
                ) from error

    def _describe_call(self, args) -> str:
        """Return a note for the error of a call that failed. It names the inputs of the call.

        If the shapes of these inputs differ from the declared shapes in an axis other than the batch axis, the note
        also names the declared inputs.
        """
        called = ", ".join(map(format_array, args)) or "no input"
        pairs = zip(args, self.net.examples)
        if all(getattr(x, "shape", ())[1:] == example.shape[1:] for x, example in pairs):
            return f"The error occurred in network {self.name!r}, which was called with {called}."
        declared = ", ".join(map(format_array, self.net.examples))
        return (
            f"The error occurred in network {self.name!r}, which was called with {called}, but declared with "
            f"{declared}. Pass inputs of the declared shapes, or declare the `Net` with the shapes of the inputs."
        )

    def _check_inputs(self, args) -> None:
        for argument, x, example in zip(self.net.network.parameters, args, self.net.examples):
            if getattr(x, "dtype", None) == jnp.uint8 and jnp.issubdtype(example.dtype, jnp.floating):
                raise TypeError(
                    f"Network {self.name!r}: the input `{argument}` is {format_array(x)}, integers from 0 to 255, but "
                    f"the network was declared with {example.dtype}. Normalise the batch with "
                    "jaxgan.data.normalize(batch) if it is a dict of arrays, or else with "
                    "x.astype(jnp.float32) / 127.5 - 1."
                )


class Nets(Mapping):
    """A mapping from the names of a game's networks to functions: ``nets.g(z)`` or ``nets["g"](z)``."""

    def __init__(self, functions: Mapping[str, Function]):
        self._functions = dict(functions)

    def __getitem__(self, name: str) -> Function:
        return self._functions[name]

    def __getattr__(self, name: str) -> Function:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._functions:
            # With `name=name`, Python does not suggest a similar method of Mapping at the end of the message.
            raise AttributeError(
                f"The game has no network {name!r}. Its networks are {format_names(self._functions)}.", name=name
            )
        return self[name]

    def __iter__(self):
        return iter(self._functions)

    def __len__(self):
        return len(self._functions)

    def __repr__(self) -> str:
        return lines_under("Nets", [f"{name}: {show_function(x)}" for name, x in self._functions.items()])


class RecordingNets(Nets):
    """``Nets`` with an attribute ``names``, the set of the names of all networks that were used.

    Args:
      functions: a mapping from the names of the networks to functions.
    """

    def __init__(self, functions: Mapping[str, Function]):
        super().__init__(functions)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Function:
        self.names.add(name)
        return super().__getitem__(name)


def format_names(names) -> str:
    """Return names as a comma-separated list for an error message, or "none" if there are no names.

    >>> format_names(["g", "d"])
    "'g', 'd'"
    """
    return ", ".join(repr(name) for name in names) or "none"


def format_array(x: Any) -> str:
    """Return the dtype and shape of an array for an error message, or the name of the type of any other object.

    >>> format_array(jnp.zeros((2, 3)))
    'float32[2, 3]'

    Args:
      x: an array of any shape, or any other object.
    """
    return f"{x.dtype}{list(x.shape)}" if hasattr(x, "dtype") and hasattr(x, "shape") else type(x).__name__
