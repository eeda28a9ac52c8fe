"""What an experiment's ``build(config)`` returns, and samples drawn from it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.keys import keys_of, sample_keys
from jaxgan.core.networks import Nets, RecordingNets
from jaxgan.core.protocol import GameLike
from jaxgan.core.state import State
from jaxgan.data import Source, normalize
from jaxgan.data.source import Unpaired
from jaxgan.editing.styles import Styles
from jaxgan.export.stablehlo import MIN_SIDE

SAMPLE_BATCH = 64


SHEET, SHEET_COLUMNS = 32, 8  # examples that a sheet is made of, and images in a row of it


class Translation(NamedTuple):
    """How an image is made of another.

    Attributes:
      run: ``(nets, images, keys) -> images``, [B, height, width, channels] in [-1, 1], of any height and width that
        ``multiple`` divides; keys, [B], are for what it draws.
      channels: of the images that it takes.
      multiple: of what height and width have to be.
      scale: how many times as high and wide what it makes is.
    """

    run: Callable[[Nets, jax.Array, jax.Array], jax.Array]
    channels: int
    multiple: int = 1
    scale: int = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Sampling:
    """How samples are drawn.

    Attributes:
      latents: ``keys -> z``, [B] keys to [B, ...] latents, an array or a tree of arrays. Where an experiment makes
        images of images, ``(keys, batch) -> z``, of a batch of its inputs.
      generate: ``(nets, z) -> samples``, [B, ...]; ``nets`` have averaged parameters and ``train=False``. Where there
        are ``classes``, ``(nets, z, label)``: classes' numbers, [B], or weights of a mixture, [B, classes].
      classes: names of what a conditional model is asked for.
      styles: of a generator that has them, the two halves of ``generate``, and what control over samples needs.
    """

    latents: Callable[..., Any]
    generate: Callable[..., jax.Array]
    classes: tuple[str, ...] = ()
    styles: Styles | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Display:
    """How samples are shown.

    Attributes:
      view: samples on the host, [N, ...], to what a grid is made of: images, [N, height, width, C], or points, [N, 2].
      film: samples of an animation, a frame each, to images; ``view`` if not given.
      sheets: more pictures that are drawn with each sample grid, by name: ``(nets, batch, keys) -> images``,
        [N, height, width, C], which lie row by row, eight in each. The batch is 32 examples from all over the source,
        the same ones every time; ``media.stack_rows`` puts what is made of them under them.
    """

    view: Callable[[np.ndarray], np.ndarray] = lambda samples: samples
    film: Callable[[np.ndarray], np.ndarray] | None = None
    sheets: Mapping[str, Callable[[Nets, Any, jax.Array], jax.Array]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for name in self.sheets:
            if not name.isidentifier():  # it becomes part of a file's name
                raise ValueError(f"sheets: {name!r} is no name; want letters, digits and _, say 'reconstruction'")


@dataclasses.dataclass(frozen=True, eq=False)
class ImageToImage:
    """What an experiment has that makes images of images.

    Attributes:
      inputs: the examples that samples are made of, sample i of example i, and compared with.
      translations: how images are translated, by the direction's name, the usual one first.
      paired: whether an example's image is what should be made of its input.
    """

    inputs: Source
    translations: Mapping[str, Translation]
    paired: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """A game, its data, and how to look at it.

    Attributes:
      game: what is trained. Networks, players and their state; of several, the one with the most turns.
      source: the examples.
      sampling: how samples are drawn.
      display: how they are shown.
      image_to_image: of an experiment whose samples are made of images.
      game_at: ``step -> game``, for a game that changes with the step by more than a number: a warm-up, a
        lazy penalty without a branch. Each must have ``game``'s networks and players' states; equal ones
        must be one object, because each is compiled once.
      held_out: examples that are not trained on.
    """

    game: GameLike
    source: Source
    sampling: Sampling
    display: Display = Display()
    image_to_image: ImageToImage | None = None
    game_at: Callable[[int], GameLike] | None = None
    held_out: Source | None = None

    @property
    def inputs(self) -> Source | None:
        """The examples that samples are made of; None where they are made of latents."""
        return self.image_to_image.inputs if self.image_to_image else None

    @property
    def translations(self) -> Mapping[str, Translation]:
        """How images are translated, by the direction's name; empty where they are not."""
        return self.image_to_image.translations if self.image_to_image else {}

    def at(self, step: int) -> GameLike:
        """The game of a step."""
        return self.game_at(step) if self.game_at else self.game

    @property
    def measured(self) -> Source:
        """What samples are compared with."""
        source = self.source if self.inputs is None else self.inputs
        return source.images if isinstance(source, Unpaired) else source

    @property
    def samples(self) -> int:
        """How many are measured if no number is given: one for each input, or as many as there are data."""
        return len(self.inputs.inputs if isinstance(self.inputs, Unpaired) else self.measured)

    def draw(self, seed: int, indices: np.ndarray) -> Any:
        """The latents of these samples of a seed: sample i is the same in any batch."""
        keys = keys_of(seed, indices)
        if self.inputs is None:
            return self.sampling.latents(keys)
        return self.sampling.latents(keys, normalize(self.inputs.read(np.asarray(indices) % len(self.inputs))))

    def sampler(self) -> Callable[..., np.ndarray]:
        """A function ``(state, z, label=None) -> samples`` on the host, which draws in batches and compiles once.

        Without labels a conditional model draws its classes in turn.
        """
        generate = self.in_batches(self.sampling.generate)

        def sample(state: State, z: Any, label: jax.Array | None = None) -> np.ndarray:
            if self.sampling.classes and label is None:
                label = jnp.arange(_count(z)) % len(self.sampling.classes)
            return generate(state, z) if label is None or not self.sampling.classes else generate(state, z, label)

        return sample

    def in_batches(self, function: Callable[..., jax.Array]) -> Callable[..., np.ndarray]:
        """Of ``(nets, *inputs)`` a function ``(state, *inputs)`` on the host: in batches, and compiled once.

        Inputs are arrays, or trees of arrays, [N, ...], and so is what it gives.
        """
        from_batch = jax.jit(lambda state, *inputs: function(self.game.unwrapped.functions(state), *inputs))

        def run(state: State, *inputs: Any) -> np.ndarray:
            count = _count(inputs)
            size = min(SAMPLE_BATCH, count)
            parts = (jax.tree.map(lambda x: _filled(x, size), part) for part in _parts(inputs, size))
            return np.concatenate([np.asarray(from_batch(state, *part)) for part in parts])[:count]

        return run

    def variables(self, state: State) -> dict[str, dict[str, Any]]:
        """What samples and translations are made with, of each network ``params`` and moving statistics by collection.

        Averaged where averages are kept. Networks that only training needs, as the discriminator, are not there.
        """
        nets = RecordingNets(self.game.unwrapped.functions(state))

        def make():
            keys = sample_keys(0, 1)
            for translation in self.translations.values():
                side = -(-MIN_SIDE // translation.multiple) * translation.multiple
                translation.run(nets, jnp.zeros((1, side, side, translation.channels)), keys)
            if not self.translations:
                label = [jnp.zeros(1, jnp.int32)] if self.sampling.classes else []
                self.sampling.generate(nets, self.draw(0, np.zeros(1, int)), *label)

        jax.eval_shape(make)
        return {name: {"params": nets[name].params, **nets[name].stats} for name in sorted(nets.names)}

    def draw_sheets(self, seed: int) -> Callable[[State], dict[str, np.ndarray]]:
        """A function of a state that draws each of ``sheets``, of the same examples every time."""
        # From all over the source, whose neighbours may be of one class; of a smaller source some more than once.
        examples = self.source.read(np.linspace(0, len(self.source) - 1, SHEET).astype(int))
        keys = sample_keys(seed, SHEET)

        @jax.jit
        def draw(state, examples):
            nets, batch = self.game.unwrapped.functions(state), normalize(examples)
            return {name: sheet(nets, batch, keys) for name, sheet in self.display.sheets.items()}

        return lambda state: {name: np.asarray(images) for name, images in draw(state, examples).items()}


Build = Callable[..., Experiment]  # (config, source=None)


def _count(z: Any) -> int:
    return len(jax.tree.leaves(z)[0])


def _parts(z: Any, size: int) -> list[Any]:
    """Few at a time."""
    return [jax.tree.map(lambda x: x[i : i + size], z) for i in range(0, _count(z), size)]  # noqa: B023


def _filled(x: jax.Array, size: int) -> jax.Array:
    """``size`` rows: the last repeated."""
    return jnp.concatenate([x, jnp.repeat(x[-1:], size - len(x), 0)])


def parameter_counts(state: Any) -> dict[str, int]:
    """Parameters by network."""
    return {name: sum(x.size for x in jax.tree.leaves(tree)) for name, tree in state.params.items()}
