"""Convert an ``nnx`` module, which is stateful, to a ``Network``, which is a pure function of its variables.

Each call of the network creates a new module from the variables, calls this module, and then reads the variables from
it. This is a separate file because importing ``flax.nnx`` takes time, and games without nnx modules do not need it.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
from flax import nnx

from jaxgan.core import axis
from jaxgan.core.keys import batch_key
from jaxgan.core.modules import CONSTANTS, KeysMissing, call_options

Path = tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class NNXNetwork:
    """A network that is passed to ``Net`` as a function that creates an nnx module.

    Variables of the type ``nnx.Param`` form the collection ``params``, and variables of the type ``nnx.BatchStat`` form
    the collection ``batch_stats``. Any other type of variable forms a collection with the name of its class. Arrays
    that are not nnx variables form the collection ``constants``. The state of random streams is not stored: each call
    derives it from its ``keys``. Each call switches the module to training or evaluation mode, like the methods
    ``train`` and ``eval`` of nnx modules. If several devices share a batch, BatchNorm computes its statistics over the
    examples of all devices.

    Attributes:
      given: the function ``(rngs) -> module``.

    Raises:
      TypeError: if ``given`` cannot be called with ``rngs`` only, or does not return an nnx module.
    """

    given: Callable[..., nnx.Module]

    def __post_init__(self):
        _check_takes_rngs_alone(self.given)
        _ = self._structure

    @property
    def name(self) -> str:
        """The name of the module's class."""
        return self._structure[2].__name__

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """A mapping from the names to the descriptions of the arguments of ``__call__``, without ``self``."""
        _, _, kind = self._structure
        return dict(list(inspect.signature(kind.__call__).parameters.items())[1:])

    def init(self, key: jax.Array, *inputs: jax.Array) -> dict[str, Any]:
        """Create the variables of the module; see ``Network.init`` for the arguments."""
        del inputs  # The shapes of the inputs are arguments of the nnx module's constructor.
        return _collections(_leaves(nnx.state(_make(self.given, key))))

    def apply(self, variables, args, options, *, train, keys, mutable):
        """Run the module; see ``Network.apply`` for the arguments.

        Raises:
          KeysMissing: if the module draws random numbers and ``keys`` is None.
        """
        graph, shapes, _ = self._structure
        module = nnx.merge(graph, _state(shapes, variables, keys))
        _set_mode(module, options.get("train", train))
        if "train" not in self.parameters:
            options = {name: x for name, x in options.items() if name != "train"}
        counts = _counts(module)
        output = module(*args, **call_options(self, options, train=train, keys=keys))  # pyright: ignore
        if keys is None and any(new is not old for new, old in zip(_counts(module), counts)):
            raise KeysMissing
        after = _collections(_leaves(nnx.state(module)))
        return output, {name: after[name] for name in mutable if name in after}

    @functools.cached_property
    def _structure(self) -> tuple[nnx.GraphDef, nnx.State, type]:
        """A tuple (graph definition, array shapes, class) of the module. The graph definition contains no arrays."""
        kind: list[type] = []

        def make():
            module = _make(self.given, jax.random.key(0))
            kind.append(type(module))
            return module

        graph, shapes = nnx.split(nnx.eval_shape(make))
        return graph, shapes, kind[0]


def _check_takes_rngs_alone(make_module: Callable) -> None:
    partial = make_module if isinstance(make_module, functools.partial) else functools.partial(make_module)
    # inspect reads the signature of an nnx class from its metaclass, which accepts any arguments.
    is_class = inspect.isclass(partial.func)
    function, own = (partial.func.__init__, ("self",)) if is_class else (partial.func, ())
    try:
        inspect.signature(function).bind(*own, *partial.args, **{**partial.keywords, "rngs": None})
    except TypeError as error:
        name = getattr(partial.func, "__name__", type(partial.func).__name__)
        raise TypeError(
            f"`module` is {name}, which cannot be called with `rngs` as its only argument: {error}. "
            f"Write Net(lambda rngs: {name}(..., rngs=rngs), ...)."
        ) from None


def _make(make_module: Callable[..., nnx.Module], key: jax.Array) -> nnx.Module:
    module = make_module(rngs=nnx.Rngs(key))
    if not isinstance(module, nnx.Module):
        raise TypeError(
            f"`module` is a function of `rngs`, which must return an nnx module, got {type(module).__name__}. "
            "Write Net(lambda rngs: MyNetwork(..., rngs=rngs), ...)."
        )
    for _, node in nnx.iter_graph(module):
        if isinstance(node, nnx.Pytree):
            for name, value in list(vars(node).items()):
                if isinstance(value, jax.Array):
                    # Outside of a trace, nnx marks arrays as data automatically. Inside a trace, nnx would treat the
                    # tracer as a constant.
                    setattr(node, name, nnx.data(value))
    return module


def _leaves(state: nnx.State) -> list[tuple[Path, Any]]:
    return list(nnx.to_flat_state(state))


def _collection(leaf: Any) -> str | None:
    """Return the name of the collection that a variable or another array belongs to, or None for a random stream."""
    if isinstance(leaf, nnx.RngState):
        return None
    if isinstance(leaf, nnx.Param):
        return "params"
    if isinstance(leaf, nnx.BatchStat):
        return "batch_stats"
    return type(leaf).__name__ if isinstance(leaf, nnx.Variable) else CONSTANTS


def _names(path: Path) -> list[str]:
    """Convert a path inside a module to names in a tree of parameters.

    Parts of a path can be strings, integers for the layers of a list, and tuples.
    """
    return ["_".join(map(str, part)) if isinstance(part, tuple) else str(part) for part in path]


def _collections(leaves: Iterable[tuple[Path, Any]]) -> dict[str, Any]:
    """Return a dictionary from collection names to nested dictionaries of the module's arrays."""
    collections: dict[str, Any] = {}
    for path, leaf in leaves:
        collection = _collection(leaf)
        if collection is not None:
            *parents, last = _names(path)
            branch = functools.reduce(lambda tree, name: tree.setdefault(name, {}), [collection, *parents], collections)
            branch[last] = leaf.get_value() if isinstance(leaf, nnx.Variable) else leaf
    return collections


def _state(shapes: nnx.State, variables: Mapping[str, Any], keys: jax.Array | None) -> nnx.State:
    """Create a module's state: arrays from ``variables``, and random streams that are derived from ``keys``."""
    # If `keys` is None, `apply` raises an error as soon as the module has drawn a number, so any key will do.
    key = jax.random.key(0) if keys is None else batch_key(keys)
    leaves = []
    for number, (path, leaf) in enumerate(_leaves(shapes)):
        collection = _collection(leaf)
        if collection is not None:
            value = functools.reduce(lambda tree, name: tree[name], _names(path), variables[collection])
        elif isinstance(leaf, nnx.RngKey):
            value = _keys_of_stream(jax.random.fold_in(key, number), leaf.get_value().shape)
        else:
            value = jax.numpy.zeros(leaf.get_value().shape, leaf.get_value().dtype)
        leaves.append((path, leaf.replace(value) if isinstance(leaf, nnx.Variable) else value))
    return nnx.from_flat_state(leaves)


def _keys_of_stream(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.split(key, shape) if shape else key


def _set_mode(module: nnx.Module, train: bool) -> None:
    """Switch every layer to training or evaluation mode.

    If several devices share the batch, BatchNorm computes its statistics over the examples of all devices.
    """
    # The methods `train` and `eval` of nnx modules set the same attributes.
    module.set_attributes(deterministic=not train, use_running_average=not train, raise_if_not_found=False)
    if axis.size() > 1:
        for _, layer in nnx.iter_modules(module):
            if isinstance(layer, nnx.BatchNorm) and layer.axis_name is None:
                layer.axis_name = axis.NAME


def _counts(module: nnx.Module) -> list[Any]:
    """Return the counters of draws from each random stream. A draw replaces the counter by another object."""
    return [leaf.get_raw_value() for _, leaf in _leaves(nnx.state(module, nnx.RngCount))]
