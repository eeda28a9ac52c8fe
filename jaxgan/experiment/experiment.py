"""An experiment: what ``build(config)`` returns, and how samples are drawn from it."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.keys import keys_of, sample_keys
from jaxgan.core.networks import Nets, RecordingNets
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameLike
from jaxgan.data import Source, normalize
from jaxgan.data.source import Unpaired
from jaxgan.editing.styles import Styles
from jaxgan.experiment.representation import experiment_as_html, show_experiment, show_sampling
from jaxgan.export.stablehlo import MIN_SIDE

SAMPLE_BATCH = 64  # samples that are drawn by one call of the compiled function
SHEET = 32  # examples that a sheet is made of
SHEET_COLUMNS = 8  # images in a row of a sheet


class Translation(NamedTuple):
    """How images are translated.

    Attributes:
      run: ``(nets, images, keys) -> images``, [B, height, width, C] in [-1, 1], of any height and width that
        ``multiple`` divides. The keys, [B], are for random draws.
      channels: number of channels of the images that it takes.
      multiple: what height and width have to be a multiple of.
      scale: factor by which height and width grow.
    """

    run: Callable[[Nets, jax.Array, jax.Array], jax.Array]
    channels: int
    multiple: int = 1
    scale: int = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Sampling:
    """How samples are drawn.

    Attributes:
      latents: ``keys -> z``, from [B] keys to latents, an array [B, ...] or a tree of such arrays. In an experiment
        that translates images, ``(keys, batch) -> z``, where the batch has its inputs.
      generate: ``(nets, z) -> samples``, [B, ...]. ``nets`` have EMA weights and ``train=False``. With ``classes`` it
        is ``(nets, z, label) -> samples``, where labels are numbers of classes, [B], or weights of a mixture,
        [B, classes].
      classes: the names of the classes of a conditional model.
      styles: of a generator that has them, the two halves of ``generate``, and what control over samples needs.
    """

    latents: Callable[..., Any]
    generate: Callable[..., jax.Array]
    classes: tuple[str, ...] = ()
    styles: Styles | None = None

    def __repr__(self) -> str:
        return f"Sampling: {show_sampling(self)}"


@dataclasses.dataclass(frozen=True, eq=False)
class Display:
    """How samples are shown.

    Attributes:
      view: from samples on the host, [N, ...], to what a grid is made of: images, [N, height, width, C], or points,
        [N, 2].
      film: from the samples of an animation, one for each frame, to images; ``view`` if it is not given.
      sheets: further pictures that are drawn beside every grid of samples, by name: ``(nets, batch, keys) -> images``,
        [N, height, width, C], which are laid out in rows of eight. The batch has 32 examples from all over the source,
        the same ones every time; ``media.stack_rows`` puts what is made of them below them.
    """

    view: Callable[[np.ndarray], np.ndarray] = lambda samples: samples
    film: Callable[[np.ndarray], np.ndarray] | None = None
    sheets: Mapping[str, Callable[[Nets, Any, jax.Array], jax.Array]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for name in self.sheets:
            if not name.isidentifier():  # it becomes part of a file's name
                raise ValueError(
                    "`sheets` must have names of letters, digits and underscores, such as 'reconstruction', got "
                    f"{name!r}."
                )


@dataclasses.dataclass(frozen=True, eq=False)
class ImageToImage:
    """What an experiment has that translates images.

    Attributes:
      inputs: the examples that samples are made of and compared with; sample i is made of example i.
      translations: how images are translated, by the direction's name, the default one first.
      paired: whether an example's image is what its input should be translated to.
    """

    inputs: Source
    translations: Mapping[str, Translation]
    paired: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """A game, its data, and how its samples are drawn and shown: the result of ``build(config)``.

    Attributes:
      game: what is trained; if the game changes with the step, the one with the most turns.
      source: the examples.
      sampling: how samples are drawn.
      display: how they are shown.
      image_to_image: given if samples are made of images.
      game_at: ``step -> game``, if the game changes with the step by more than a number: a warm-up, or a lazy penalty
        without a branch. All have ``game``'s networks and the states of its players. Equal games must be one object,
        because each is compiled once.
      held_out: examples that are not trained on.
    """

    game: GameLike
    source: Source
    sampling: Sampling
    display: Display = Display()
    image_to_image: ImageToImage | None = None
    game_at: Callable[[int], GameLike] | None = None
    held_out: Source | None = None

    def __repr__(self) -> str:
        return show_experiment(self)

    def _repr_html_(self) -> str:
        return experiment_as_html(self)

    @property
    def inputs(self) -> Source | None:
        """The examples that samples are made of, or None if they are made of latents."""
        return self.image_to_image.inputs if self.image_to_image else None

    @property
    def translations(self) -> Mapping[str, Translation]:
        """How images are translated, by the direction's name; empty if the experiment translates none."""
        return self.image_to_image.translations if self.image_to_image else {}

    def at(self, step: int) -> GameLike:
        """The game that is played at a step."""
        return self.game_at(step) if self.game_at else self.game

    @property
    def reference(self) -> Source:
        """The examples that samples are compared with."""
        source = self.source if self.inputs is None else self.inputs
        return source.images if isinstance(source, Unpaired) else source

    @property
    def num_samples(self) -> int:
        """The number of samples in an evaluation, by default: one for each input, or as many as there are examples."""
        return len(self.inputs.inputs if isinstance(self.inputs, Unpaired) else self.reference)

    def draw_latents(self, seed: int, indices: np.ndarray) -> Any:
        """The latents of samples, by their numbers; sample i of a seed is the same in any batch."""
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
            if not self.sampling.classes:
                return generate(state, z)
            if label is None:
                label = jnp.arange(_num_rows(z)) % len(self.sampling.classes)
            return generate(state, z, label)

        return sample

    def in_batches(self, function: Callable[..., jax.Array]) -> Callable[..., np.ndarray]:
        """Compile ``(nets, *inputs) -> output`` once, and call it on batches of the inputs.

        Args:
          function: of networks with EMA weights and inputs, arrays or trees of arrays with the first axis [N].

        Returns:
          ``(state, *inputs) -> output`` on the host.
        """
        call = jax.jit(lambda state, *inputs: function(self.game.unwrapped.functions(state), *inputs))

        def run(state: State, *inputs: Any) -> np.ndarray:
            count = _num_rows(inputs)
            size = min(SAMPLE_BATCH, count)
            outputs = []
            for start in range(0, count, size):
                batch = jax.tree.map(functools.partial(_rows, start=start, size=size), inputs)
                outputs.append(np.asarray(call(state, *batch)))
            return np.concatenate(outputs)[:count]

        return run

    def variables(self, state: State) -> dict[str, dict[str, Any]]:
        """The variables that samples and translations are made with, by network: ``params``, and its statistics.

        They are EMA weights where the game keeps any. Networks that only training needs, such as the discriminator, are
        left out.
        """
        nets = RecordingNets(self.game.unwrapped.functions(state))

        def use_nets():
            keys = sample_keys(0, 1)
            for translation in self.translations.values():
                side = math.ceil(MIN_SIDE / translation.multiple) * translation.multiple
                translation.run(nets, jnp.zeros((1, side, side, translation.channels)), keys)
            if not self.translations:
                label = [jnp.zeros(1, jnp.int32)] if self.sampling.classes else []
                self.sampling.generate(nets, self.draw_latents(0, np.zeros(1, int)), *label)

        jax.eval_shape(use_nets)
        return {name: {"params": nets[name].params, **nets[name].stats} for name in sorted(nets.names)}

    def draw_sheets(self, seed: int) -> Callable[[State], dict[str, np.ndarray]]:
        """A function of a state that draws each of ``display.sheets``, of the same examples every time."""
        # Neighbours in a source may be of one class. A source with fewer examples repeats some.
        examples = self.source.read(np.linspace(0, len(self.source) - 1, SHEET).astype(int))
        keys = sample_keys(seed, SHEET)

        @jax.jit
        def draw(state, examples):
            nets, batch = self.game.unwrapped.functions(state), normalize(examples)
            return {name: sheet(nets, batch, keys) for name, sheet in self.display.sheets.items()}

        return lambda state: {name: np.asarray(images) for name, images in draw(state, examples).items()}


Build = Callable[..., Experiment]  # (config, source=None)


def _num_rows(tree: Any) -> int:
    """The length of the first axis, which the arrays of a tree share."""
    return len(jax.tree.leaves(tree)[0])


def _rows(x: jax.Array, start: int, size: int) -> jax.Array:
    """``size`` rows from ``start`` on; after the end, the last one is repeated."""
    rows = x[start : start + size]
    return jnp.concatenate([rows, jnp.repeat(rows[-1:], size - len(rows), 0)])
