"""Summarise the networks of a game as tables of layers, and the memory size of its state.

The module computes and compiles nothing on a device: shapes come from ``jax.eval_shape`` and ``jax.make_jaxpr``. For a
linen module, the table has one row for each layer. For any other network, the table has one row for each top-level
subtree of the parameters.
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
STATE_PARTS = {
    "params": "parameters",
    "opt_states": "optimizer states",
    "stats": "moving statistics",
    "ema": "moving averages",
}


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of a network. Its counts exclude the layers inside it.

    Attributes:
      path: the names of the modules that contain the layer, and its own name, such as ``block_0/conv_1``. The path of
        the network itself is empty.
      kind: the name of the module's class; empty if it is unknown.
      output: the shapes of the output, such as ``[1, 8, 8, 3]``. If the layer is called repeatedly, these are the
        shapes in its last call.
      parameters: the number of the layer's own parameters.
      flops: the number of floating-point operations in the layer's own matrix products and convolutions, over all calls
        in one forward pass.
    """

    path: str
    kind: str = ""
    output: str = ""
    parameters: int = 0
    flops: int = 0


@dataclasses.dataclass(frozen=True)
class NetworkSummary:
    """The summary of one network of a game.

    Attributes:
      kind: the name of the module's class. For a network that is a pair of functions, the names of both functions.
      inputs: the shapes of the example inputs that the network was declared with.
      output: the shapes of the output for these inputs.
      layers: the layers in the order of their first calls. A last entry stands for the network itself if it has
        parameters or operations outside of its layers.
    """

    kind: str
    inputs: str
    output: str
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """The number of parameters of all layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def flops(self) -> int:
        """The number of floating-point operations of a forward pass over ``inputs``; see ``jaxgan.core.flops``."""
        return sum(layer.flops for layer in self.layers)


@dataclasses.dataclass(frozen=True)
class Summary:
    """The networks of a game and the memory size of its state. Print it as text, or display it in a notebook.

    Attributes:
      title: the first line, which names the game and its players.
      networks: a mapping from the names of the networks to their summaries.
      state_bytes: a mapping from names of fields of ``State`` to their sizes in bytes.
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
        return f"Size of the state: {format_bytes(sum(self.state_bytes.values()))} ({', '.join(parts)})"


def summarize(game: Any, keys: Any = None, depth: int | None = None, title: str = "") -> Summary:
    """Summarise a game or a wrapper around one. ``game.summary()`` calls this function.

    Args:
      game: a ``Game`` or a wrapper.
      keys: the argument of ``game.init``, as an array or as a ``jax.ShapeDtypeStruct``. By default, it is a single key.
      depth: the number of levels of nested layers to show. Deeper layers are counted as part of the layer that contains
        them. By default, every layer has a row.
      title: the first line. By default, it names the classes of the game and its wrappers, and the players.

    Raises:
      ValueError: if ``depth`` is below 1 or not an integer.
    """
    if depth is not None and (not isinstance(depth, int) or depth < 1):
        raise ValueError(f"`depth` must be an integer of at least 1, got {depth!r}.")
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(game.init, key if keys is None else keys)
    plain = game.unwrapped
    # The state of a population of games has an additional axis. The tables show one game, without this axis.
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
    """Summarise a network with the forward pass ``call(variables, *examples)``."""
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
    """A recorder of the layers that a linen module calls.

    Each layer is called inside a ``flops.scope`` that is named by the layer's path, so that ``flops.count_by_scope``
    counts the operations of each layer separately.

    Attributes:
      layers: a dictionary from paths to layers. The recorder leaves the numbers of parameters and operations of these
        layers at 0; ``_share_out`` computes them.
    """

    def __init__(self):
        self.layers: dict[str, Layer] = {}
        # For each call that has not returned: the path of the layer, and the prefix of the paths of layers inside it.
        self._open: list[tuple[str, str]] = []

    def intercept(self, call: Callable, args: Any, kwargs: Any, context: Any) -> Any:
        """Record one call of a method. Pass this function to ``nn.intercept_methods``."""
        module = context.module
        if context.method_name == "setup" or module.scope is None:
            return call(*args, **kwargs)
        open_path, base = self._open[-1] if self._open else ("", "")
        # The path of a module is empty if another module calls its `apply`, as `Frozen` does.
        if not module.path:
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
    """Return the layers to show, with numbers of parameters and operations.

    Each array and each operation is counted for the innermost shown layer that contains it.

    Args:
      layers: a mapping from paths to layers. It includes the network itself, with an empty path.
      depth: the number of levels of nested layers to show; None shows all.
      parameters: a mapping from the paths of arrays to their numbers of elements.
      operations: a mapping from the paths of layers to their numbers of floating-point operations.
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
    """Return a dictionary from the path of each array in a pytree to its number of elements."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.size for path, leaf in leaves}


def _format_shapes(tree: Any) -> str:
    return ", ".join(str(list(x.shape)) for x in jax.tree.leaves(tree) if hasattr(x, "shape"))


def _title(game: Any) -> str:
    """Return the classes of the wrappers and of the game, from the outermost to the innermost, and the players."""
    kinds = [type(game).__name__]
    while game is not game.unwrapped:
        game = getattr(game, "game", game.unwrapped)
        kinds.append(type(game).__name__)
    players = "; ".join(f"player {name} owns {', '.join(player.owns)}" for name, player in game.players.items())
    return f"{' around '.join(kinds)}: {players}"


def _network_table(name: str, network: NetworkSummary) -> Table:
    """Return a table with one row for each layer and one for the total.

    The table of a network without layers and parameters has no rows.
    """

    def row(path, layer):
        return (path, layer.kind, layer.output, f"{layer.parameters:,}", format_count(layer.flops))

    title = f"{network.kind}, input {network.inputs}" if network.inputs else network.kind
    if not network.layers:
        return Table(f"{name}: {title}, no parameters", HEAD, ())
    rows = [row(layer.path or "(outside of layers)", layer) for layer in network.layers]
    total = ("total", "", network.output, f"{network.parameters:,}", format_count(network.flops))
    return Table(f"{name}: {title}", HEAD, (*rows, total), ("parameters", "FLOPs"))
