"""Networks as functions: a linen module bound to parameters and moving statistics.

``Net`` declares a network of a game; a loss gets ``Nets``, whose attributes are ``Function``: called,
not applied. Nothing is recorded behind the caller's back, so a ``Function`` is safe under an inner
``jax.grad``, ``jax.vmap`` or ``jax.checkpoint``.
"""

import dataclasses
import functools
import inspect
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True, init=False, eq=False)
class Net:
    """A network: a linen module, and an example of each of its arguments, or its shape and dtype.

    Attributes:
      module: the linen module.
      examples: the shape and dtype of each argument with which it is initialised.
    """

    module: nn.Module
    examples: tuple[jax.ShapeDtypeStruct, ...]

    def __init__(self, module: nn.Module, *examples: Any):
        object.__setattr__(self, "module", module)
        shapes = tuple(jax.ShapeDtypeStruct(jnp.shape(x), x.dtype) for x in examples)
        object.__setattr__(self, "examples", shapes)


@dataclasses.dataclass(frozen=True, eq=False)
class FrozenVariables:
    """Variables as an attribute of a module: arrays cannot be compared, so an object is equal to itself alone.

    Attributes:
      variables: ``{"params": ...}``, by collection.
    """

    variables: Mapping[str, Any]


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
      module: the linen module.
      train: passed to the module if its call takes ``train``.
    """

    params: Any
    stats: dict[str, Any]
    module: nn.Module = flax.struct.field(pytree_node=False)
    train: bool = flax.struct.field(pytree_node=False, default=True)

    def __call__(self, *args, **kwargs):
        """The module's output. Moving statistics are read, and their update is discarded."""
        return self.with_stats(*args, **kwargs)[0]

    def with_stats(self, *args, **kwargs):
        """The module's output and the updated moving statistics, to be returned as ``total(..., stats=...)``."""
        if takes_train(type(self.module)):
            kwargs.setdefault("train", self.train)
        mutable = sorted(self.stats) if self.train else []
        output, stats = self.module.apply({"params": self.params, **self.stats}, *args, mutable=mutable, **kwargs)
        return output, stats


@functools.cache
def takes_train(module: type[nn.Module]) -> bool:
    """Whether the module's call has an argument ``train``."""
    return "train" in inspect.signature(module.__call__).parameters


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
            raise AttributeError(f"The game has no network {name!r}. It has {format_names(self._functions)}.")
        return self[name]

    def __iter__(self):
        return iter(self._functions)

    def __len__(self):
        return len(self._functions)


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
