"""A game's networks as tables of layers, and the memory that its state takes.

Nothing is computed or compiled: shapes come from ``jax.eval_shape`` and ``jax.make_jaxpr``. Layers are those of a linen
module. A network that is written in another way has a row for each subtree of its parameters.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax

from jaxgan.core import flops, tables
from jaxgan.core.networks import Net
from jaxgan.core.representation import size_in_bytes
from jaxgan.core.tables import Table, format_bytes, format_count

HEAD = ("layer", "type", "output", "parameters", "FLOPs")
STATE_PARTS = {"params": "parameters", "opt_states": "optimizer states", "stats": "statistics", "ema": "averages"}


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of a network, without the layers inside it.

    Attributes:
      path: its name, after the names of the modules that it is in: ``block_0/conv_1``; empty for the network itself.
      kind: the class of the module; empty if it is not known.
      output: the shapes of its output, ``[1, 8, 8, 3]``; those of the last call of a layer that is called repeatedly.
      parameters: the number of its own parameters.
      flops: floating-point operations of its own matrix products and convolutions, in all its calls.
    """

    path: str
    kind: str = ""
    output: str = ""
    parameters: int = 0
    flops: int = 0


@dataclasses.dataclass(frozen=True)
class NetworkSummary:
    """A network of a game.

    Attributes:
      kind: the class of its module, or its functions.
      inputs: the shapes of the examples that it was declared with.
      output: the shapes of its output for them.
      layers: its layers, in the order in which they are called; then the network itself, if parameters or operations
        are its own.
    """

    kind: str
    inputs: str
    output: str
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """The number of all parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def flops(self) -> int:
        """Floating-point operations of a forward pass over ``inputs``; ``jaxgan.core.flops`` says what counts."""
        return sum(layer.flops for layer in self.layers)


@dataclasses.dataclass(frozen=True)
class Summary:
    """The networks of a game and the memory of its state. It prints as text, and as tables in a notebook.

    Attributes:
      title: what is summarized.
      networks: the networks by name.
      state_bytes: the bytes of each part of the state, by its name in ``State``.
    """

    title: str
    networks: Mapping[str, NetworkSummary]
    state_bytes: Mapping[str, int]

    def __str__(self) -> str:
        return "\n\n".join([self.title, *map(tables.as_text, self._tables()), self._memory()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        paragraphs = [tables.as_html_paragraph(text) for text in (self.title, self._memory())]
        return "\n".join([paragraphs[0], *map(tables.as_html, self._tables()), paragraphs[1]])

    def _tables(self) -> list[Table]:
        return [_network_table(name, network) for name, network in self.networks.items()]

    def _memory(self) -> str:
        parts = [f"{STATE_PARTS[part]} {format_bytes(size)}" for part, size in self.state_bytes.items() if size]
        return f"state: {format_bytes(sum(self.state_bytes.values()))} ({', '.join(parts)})"


def summarize(game: Any, keys: Any = None, depth: int | None = None, title: str = "") -> Summary:
    """The summary of a game, or of a wrapper around one: what ``game.summary()`` returns.

    Args:
      game: a ``Game``, or a wrapper.
      keys: the argument of ``game.init``, or its shape and type; one key by default.
      depth: the number of levels of layers that are shown; layers inside these are counted as part of them. By default
        every layer has a row.
      title: the first line; by default the classes of the game and of its wrappers.

    Raises:
      ValueError: ``depth`` is below 1, or no whole number.
    """
    if depth is not None and (not isinstance(depth, int) or depth < 1):
        raise ValueError(f"`depth` must be a whole number of at least 1, got {depth!r}.")
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(game.init, key if keys is None else keys)
    plain = game.unwrapped
    # Without the axis of members that a population's state has.
    variables = state if game is plain else jax.eval_shape(plain.init, key)

    def call_of(name: str, net: Net) -> Callable:
        def call(variables, *inputs):
            takes_keys = "keys" in net.network.parameters
            keys = jax.random.split(variables.key, len(inputs[0])) if takes_keys and inputs and inputs[0].ndim else None
            return plain.functions(variables, ema=False)[name](*inputs, keys=keys)

        return call

    networks = {
        name: _summarize_network(net, call_of(name, net), variables, variables.params[name], depth)
        for name, net in plain.nets.items()
    }
    sizes = {part: size_in_bytes(getattr(state, part)) for part in STATE_PARTS}
    return Summary(title or _title(game), networks, sizes)


def _summarize_network(net: Net, call: Callable, variables: Any, params: Any, depth: int | None) -> NetworkSummary:
    """The summary of a network, whose forward pass is ``call(variables, *examples)``."""
    calls = _Calls()
    with nn.intercept_methods(calls.intercept):
        program, output = jax.make_jaxpr(call, return_shape=True)(variables, *net.examples)
    kind = net.network.name
    parameters = _count_by_path(params)
    layers = calls.layers or {subtree: Layer(subtree) for subtree in (path.partition("/")[0] for path in parameters)}
    layers |= {"": Layer("", kind, _format_shapes(output))}
    shown = _share_out(layers, depth, parameters, flops.count_by_scope(program))
    return NetworkSummary(kind, _format_shapes(net.examples), _format_shapes(output), tuple(shown))


class _Calls:
    """Records the layers of a linen module as they are called, each of which computes in a scope of its own.

    Attributes:
      layers: the layers by path, without parameters and operations.
    """

    def __init__(self):
        self.layers: dict[str, Layer] = {}
        self._open: list[tuple[str, str]] = []  # of each call that has not returned: its path, and where paths begin

    def intercept(self, call: Callable, args: Any, kwargs: Any, context: Any) -> Any:
        """An interceptor for ``nn.intercept_methods``."""
        module = context.module
        if context.method_name == "setup" or module.scope is None:
            return call(*args, **kwargs)
        open_path, base = self._open[-1] if self._open else ("", "")
        if not module.path:  # a module that another one applies, as ``Frozen`` does, begins paths of its own
            base = open_path
        path = "/".join([base, *module.path] if base else module.path)
        if path:
            self.layers.setdefault(path, Layer(path, type(module).__name__))
        self._open.append((path, base))
        try:
            with flops.scope(path):
                output = call(*args, **kwargs)
        finally:
            self._open.pop()
        if path:
            self.layers[path] = dataclasses.replace(self.layers[path], output=_format_shapes(output))
        return output


def _share_out(
    layers: Mapping[str, Layer], depth: int | None, parameters: Mapping[str, int], operations: Mapping[str, int]
) -> list[Layer]:
    """The layers that are shown, with what belongs to each: each number goes to the innermost shown layer of its path.

    Args:
      layers: the layers by path, among them the network itself by an empty one.
      depth: as for ``summarize``.
      parameters: numbers of parameters by the path of the array.
      operations: floating-point operations by the path of the layer.
    """
    own = {path: layer for path, layer in layers.items() if depth is None or len(path.split("/")) <= depth}

    def owner(path: str) -> str:
        while path not in own:
            path = path.rpartition("/")[0]
        return path

    for path, number in parameters.items():
        layer = own[owner(path)]
        own[layer.path] = dataclasses.replace(layer, parameters=layer.parameters + number)
    for path, number in operations.items():
        layer = own[owner(path)]
        own[layer.path] = dataclasses.replace(layer, flops=layer.flops + number)
    return [layer for layer in own.values() if layer.path or layer.parameters or layer.flops]


def _count_by_path(params: Any) -> dict[str, int]:
    """The size of each array of a tree by its path."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.size for path, leaf in leaves}


def _format_shapes(tree: Any) -> str:
    return ", ".join(str(list(x.shape)) for x in jax.tree.leaves(tree) if hasattr(x, "shape"))


def _title(game: Any) -> str:
    """The classes of a game and of its wrappers, from the outside in, with the players."""
    kinds = [type(game).__name__]
    while game is not game.unwrapped:
        game = getattr(game, "game", game.unwrapped)
        kinds.append(type(game).__name__)
    players = ", ".join(f"{name} owns {', '.join(player.owns)}" for name, player in game.players.items())
    return f"{' of '.join(kinds)}; players: {players}"


def _network_table(name: str, network: NetworkSummary) -> Table:
    """A row for each layer, and one for their sum; no rows for a network that has neither layers nor parameters."""

    def row(path, layer):
        return (path, layer.kind, layer.output, f"{layer.parameters:,}", format_count(layer.flops))

    title = f"{network.kind}, input {network.inputs}" if network.inputs else network.kind
    if not network.layers:
        return Table(f"{name}: {title}, no parameters", HEAD, ())
    rows = [row(layer.path or "(itself)", layer) for layer in network.layers]
    total = ("total", "", network.output, f"{network.parameters:,}", format_count(network.flops))
    return Table(f"{name}: {title}", HEAD, (*rows, total), ("parameters", "FLOPs"))
