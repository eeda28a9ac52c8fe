"""Define ``Experiment``: a game, its data, and functions to draw samples.

Each program of an experiment has a function ``build(config)`` that returns an ``Experiment``.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxgan.core.keys import keys_of, sample_keys
from jaxgan.core.networks import Nets, RecordingNets
from jaxgan.core.state import State
from jaxgan.core.wrappers import GameLike
from jaxgan.data import Source
from jaxgan.data.source import Unpaired, hold_out
from jaxgan.editing.styles import Styles
from jaxgan.experiment.representation import experiment_as_html, show_experiment, show_sampling
from jaxgan.export.stablehlo import MIN_SIDE
from jaxgan.media import Medium, guess

if TYPE_CHECKING:
    from jaxgan.evaluation.extractors import FeatureExtractor
    from jaxgan.evaluation.scores import AnyMetric

SAMPLE_BATCH = 64  # maximum number of samples that one call of the compiled function draws
SHEET = 32  # number of examples that an image sheet is drawn from
SHEET_COLUMNS = 8  # number of images in a row of an image sheet


class Translation(NamedTuple):
    """A way to translate images.

    Attributes:
      run: function ``(nets, images, keys) -> images`` that translates images of shape [B, height, width, C] in [-1, 1].
        Height and width can be any multiples of ``multiple``. ``keys`` has one PRNG key per image, [B], for the random
        numbers of the networks.
      channels: number of channels of the input images.
      multiple: number by which height and width must be divisible.
      scale: factor by which the translation increases height and width.
    """

    run: Callable[[Nets, jax.Array, jax.Array], jax.Array]
    channels: int
    multiple: int = 1
    scale: int = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Sampling:
    """The functions that draw samples.

    Attributes:
      latents: function ``keys -> z`` from PRNG keys, [B], to latents: one array or a tree of arrays, each of shape
        [B, ...]. In an experiment that translates images, it is a function ``(keys, batch) -> z``, and ``batch``
        contains the images to translate.
      generate: function ``(nets, z) -> samples`` that returns samples of shape [B, ...]. If ``classes`` is not empty,
        it is a function ``(nets, z, label) -> samples``, and ``label`` contains class indices, [B], or weights for a
        mixture of classes, [B, classes]. ``nets`` have EMA weights and ``train=False``.
      classes: the names of the classes of a conditional model; empty for an unconditional model.
      styles: for a generator with styles, such as StyleGAN2's: the functions with which its samples can be edited. None
        for other generators.
      condition: function ``(z, where) -> z`` that returns latents, [B, ...], of samples with given values: ``where`` is
        a dictionary of texts, such as ``{"education": "Masters"}``. It raises a ``ValueError`` for other names and
        values. None if samples have no such conditions. The flag ``--where`` of ``jaxgan sample`` calls it.
      max_batch: maximum number of samples that one call of the compiled function draws.
    """

    latents: Callable[..., Any]
    generate: Callable[..., jax.Array]
    classes: tuple[str, ...] = ()
    styles: Styles | None = None
    condition: Callable[[Any, Mapping[str, str]], Any] | None = None
    max_batch: int = SAMPLE_BATCH

    def __repr__(self) -> str:
        return f"Sampling: {show_sampling(self)}"


@dataclasses.dataclass(frozen=True, eq=False)
class Display:
    """The pictures that an experiment draws besides its samples, which its medium draws.

    Attributes:
      sheets: dictionary from names to functions that draw image sheets. An image sheet is an additional picture that an
        experiment draws whenever it draws samples. Each function ``(nets, batch, keys) -> samples`` returns examples as
        the generator does, such as images of shape [N, height, width, C], which the medium draws in rows of eight.
        ``batch`` always contains the same 32 examples, evenly spaced over the source and normalised. The function can
        call ``media.stack_rows`` to place its results below the examples.
      shows_data: whether pictures may show examples of the data, as ``Medium.compare`` draws them. It is False in
        private training.

    Raises:
      ValueError: if the name of a sheet contains other characters than letters, digits and underscores.
    """

    sheets: Mapping[str, Callable[[Nets, Any, jax.Array], jax.Array]] = dataclasses.field(default_factory=dict)
    shows_data: bool = True

    def __post_init__(self):
        for name in self.sheets:
            if not name.isidentifier():  # the name becomes part of a file name
                raise ValueError(
                    "The names of `sheets` must consist of letters, digits and underscores, such as 'reconstruction', "
                    f"got {name!r}."
                )


@dataclasses.dataclass(frozen=True, eq=False)
class ImageToImage:
    """The additional parts of an experiment that translates images.

    Attributes:
      inputs: the examples that contain the images to translate. Sample i is translated from the input of example i.
      translations: dictionary from the names of directions to translations. The default direction is the first.
      paired: whether the image of each example is the target for the translation of its input.
    """

    inputs: Source
    translations: Mapping[str, Translation]
    paired: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """A game, its data, and functions that draw and show its samples: the result of ``build(config)``.

    Attributes:
      game: the game to train. If ``game_at`` is set, the game with the most turns.
      source: the examples to train on.
      sampling: the functions that draw samples.
      display: the functions that show samples.
      image_to_image: the additional parts of an experiment that translates images. None if samples are generated from
        latents.
      game_at: function ``step -> game`` if some steps train another game, for example during a warm-up, or to compute a
        lazy penalty without a branch. None if all steps train ``game``. All games must have the networks of ``game``
        and the same structure of the players' states. The function must return the same object for all steps that
        train the same game, because each object is compiled separately.
      held_out: examples that are excluded from training, or None.
      medium: how the examples are normalised, drawn, saved and judged. None chooses a medium by the shape of the
        examples, see ``media.guess``.
      features: function ``(source, name, **options) -> FeatureExtractor`` that replaces ``medium.features``; None for
        the features of the medium.
      metrics: dictionary of metrics, which are added to the metrics of the medium, or replace those of the same name.
    """

    game: GameLike
    source: Source
    sampling: Sampling
    display: Display = Display()
    image_to_image: ImageToImage | None = None
    game_at: Callable[[int], GameLike] | None = None
    held_out: Source | None = None
    medium: Medium = None  # pyright: ignore[reportAssignmentType]  # __post_init__ replaces None
    features: "Callable[..., FeatureExtractor] | None" = None
    metrics: "Mapping[str, AnyMetric]" = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.medium is None:
            object.__setattr__(self, "medium", guess(self.source.shape, paired=self.image_to_image is not None))

    def __repr__(self) -> str:
        return show_experiment(self)

    def _repr_html_(self) -> str:
        return experiment_as_html(self)

    @property
    def inputs(self) -> Source | None:
        """The examples that contain the images to translate, or None if samples are generated from latents."""
        return self.image_to_image.inputs if self.image_to_image else None

    @property
    def translations(self) -> Mapping[str, Translation]:
        """The translations as a dictionary from directions; empty if the experiment does not translate images."""
        return self.image_to_image.translations if self.image_to_image else {}

    @property
    def all_metrics(self) -> "Mapping[str, AnyMetric]":
        """The metrics of the medium and of the experiment, by their names."""
        return {**self.medium.metrics, **self.metrics}

    def make_features(self, name: str | None = None, **options: Any) -> "FeatureExtractor":
        """Return the feature extractor that compares samples with data. Extractors are trained on ``source``.

        Args:
          name: the name of the features; None selects the default of the experiment or its medium.
          **options: further arguments of ``Medium.features``.

        Raises:
          ValueError: if there are no features of this name.
        """
        return (self.features or self.medium.features)(self.source, name, **options)

    def with_held_out(self, count: int) -> "Experiment":
        """Return the experiment with examples that are excluded from training, see ``data.source.hold_out``.

        An experiment that translates its training examples for samples and evaluations translates the held-out examples
        instead.

        Args:
          count: the number of held-out examples.
        """
        source, held_out = hold_out(self.source, count)
        translation = self.image_to_image
        if translation is not None and translation.inputs is self.source:
            translation = dataclasses.replace(translation, inputs=held_out)
        return dataclasses.replace(self, source=source, held_out=held_out, image_to_image=translation)

    def at(self, step: int) -> GameLike:
        """Return the game that is trained at a step.

        Args:
          step: the number of steps that were trained before this step, as in ``State.step``.
        """
        return self.game_at(step) if self.game_at else self.game

    @property
    def reference(self) -> Source:
        """The examples that samples are compared with in evaluations."""
        source = self.source if self.inputs is None else self.inputs
        return source.images if isinstance(source, Unpaired) else source

    @property
    def compared_split(self) -> str:
        """The examples of ``reference``: train (the training examples), held-out (``held_out``) or test (test data)."""
        if self.inputs is None or self.inputs is self.source:
            return "train"
        return "held-out" if self.inputs is self.held_out else "test"

    @property
    def num_samples(self) -> int:
        """The default number of samples in an evaluation.

        If samples are generated from latents, this is the number of examples. Otherwise, it is the number of images to
        translate.
        """
        return len(self.inputs.inputs if isinstance(self.inputs, Unpaired) else self.reference)

    def draw_latents(self, seed: int, indices: np.ndarray) -> Any:
        """Return the latents of samples, on the host.

        Args:
          seed: seed of the samples.
          indices: the indices of the samples, [B]. Sample i of a seed is the same in any batch.
        """
        indices = np.asarray(indices)
        images = () if self.inputs is None else (self.medium.normalize(self.inputs.read(indices % len(self.inputs))),)
        with jax.ensure_compile_time_eval():  # the caller may be a function that JAX traces
            inputs = indices, *images
            return _in_batches(self._compiled_latents, np.uint32(seed), inputs, self.sampling.max_batch)

    def sampler(self, batch_size: int | None = None) -> Callable[..., np.ndarray]:
        """Return a function that draws samples in batches of one size, for which the generator is compiled once.

        All samplers of an experiment share their compiled functions.

        Args:
          batch_size: number of samples in a batch, at most ``sampling.max_batch``, the default. Fewer samples are drawn
            as a part of a batch. If only a few samples are needed, pass their number, because a smaller batch needs
            less time and memory.

        Returns:
          A function ``(state, z, label=None) -> samples`` that returns the samples on the host. If ``label`` is None, a
          conditional model draws its classes one after the other.
        """

        def sample(state: State, z: Any, label: jax.Array | None = None) -> np.ndarray:
            inputs = [z]
            if self.sampling.classes:
                inputs.append(np.arange(_num_rows(z)) % len(self.sampling.classes) if label is None else label)
            return _in_batches(self._compiled_generator, state, inputs, self._limit(batch_size))

        return sample

    def _limit(self, batch_size: int | None) -> int:
        return min(batch_size or self.sampling.max_batch, self.sampling.max_batch)

    def in_batches(
        self, function: Callable[..., jax.Array], batch_size: int | None = None
    ) -> Callable[..., np.ndarray]:
        """Return a function that divides its inputs into batches, and calls a compiled function for each batch.

        Args:
          function: the function ``(nets, *inputs) -> output`` to compile. It receives networks with EMA weights, and
            inputs that are arrays or trees of arrays, each of shape [B, ...].
          batch_size: number of rows in a batch, at most ``sampling.max_batch``, the default. The function is compiled
            for this size only, and rows are repeated to fill a batch.

        Returns:
          A function ``(state, *inputs) -> output`` that returns the output on the host. Its inputs can have any number
          of rows N, and its output has N rows.
        """
        call = self._compile(function)
        return lambda state, *inputs: _in_batches(call, state, inputs, self._limit(batch_size))

    def _compile(self, function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        """Return the compiled function ``(state, *inputs) -> function(nets, *inputs)``."""
        return jax.jit(lambda state, *inputs: function(self.game.unwrapped.functions(state), *inputs))

    @functools.cached_property
    def _compiled_generator(self) -> Callable[..., jax.Array]:
        return self._compile(self.sampling.generate)

    @functools.cached_property
    def _compiled_latents(self) -> Callable[..., Any]:
        return jax.jit(self._latents)

    def _latents(self, seed: jax.Array | int, indices: ArrayLike, *images: Any) -> Any:
        """Return the latents of samples with indices [B]. ``images`` is empty, or contains their input images."""
        return self.sampling.latents(keys_of(seed, indices), *images)

    def variables(self, state: State) -> dict[str, dict[str, Any]]:
        """Return the variables of the networks that samples and translations use.

        Networks that are only used in training, such as the discriminator, are left out.

        Args:
          state: the state of a single game of this experiment.

        Returns:
          A dictionary from the name of each network to a dictionary with its ``params`` and its collections of
          statistics. The weights are EMA weights if the game computes them.
        """
        nets = RecordingNets(self.game.unwrapped.functions(state))

        def use_nets():
            keys = sample_keys(0, 1)
            for translation in self.translations.values():
                side = math.ceil(MIN_SIDE / translation.multiple) * translation.multiple
                translation.run(nets, jnp.zeros((1, side, side, translation.channels)), keys)
            if not self.translations:
                label = [jnp.zeros(1, jnp.int32)] if self.sampling.classes else []
                images = () if self.inputs is None else (self.medium.normalize(self.inputs.read(np.zeros(1, int))),)
                self.sampling.generate(nets, self._latents(0, np.zeros(1, int), *images), *label)

        jax.eval_shape(use_nets)
        return {name: {"params": nets[name].params, **nets[name].stats} for name in sorted(nets.names)}

    def draw_sheets(self, seed: int) -> Callable[[State], dict[str, np.ndarray]]:
        """Return a function that draws all ``display.sheets`` for a state, always from the same examples.

        Args:
          seed: the seed of the PRNG keys that are passed to the sheets.
        """
        # The examples are evenly spaced, because neighbouring examples often belong to the same class. If the source
        # has fewer examples, some are repeated.
        examples = self.source.read(np.linspace(0, len(self.source) - 1, SHEET).astype(int))
        keys = sample_keys(seed, SHEET)

        @jax.jit
        def draw(state, examples):
            nets, batch = self.game.unwrapped.functions(state), self.medium.normalize(examples)
            return {name: sheet(nets, batch, keys) for name, sheet in self.display.sheets.items()}

        return lambda state: {name: np.asarray(images) for name, images in draw(state, examples).items()}


Build = Callable[..., Experiment]  # (config, source=None)


def _num_rows(tree: Any) -> int:
    """Return the number of rows of the arrays of a tree. All arrays must have the same number of rows."""
    return len(jax.tree.leaves(tree)[0])


def _in_batches(call: Callable[..., Any], first: Any, inputs: Sequence[Any], batch_size: int) -> Any:
    """Return ``call(first, *inputs)`` on the host, computed in batches of one size, so that ``call`` is compiled once.

    The inputs are divided on the host, because JAX would compile a program for each number of rows. The last row is
    repeated to fill the last batch.
    """
    size, count = batch_size, _num_rows(inputs)
    inputs = jax.tree.map(_on_host, tuple(inputs))
    outputs = []
    for start in range(0, count, size):
        rows = np.minimum(np.arange(start, start + size), count - 1)
        batch = jax.tree.map(functools.partial(_take, rows=rows), inputs)
        outputs.append(jax.tree.map(_on_host, call(first, *batch)))
    return jax.tree.map(lambda *xs: (jnp if _are_keys(xs[0]) else np).concatenate(xs)[:count], *outputs)


def _take(x: Any, rows: np.ndarray) -> Any:
    return x[rows]


def _on_host(x: Any) -> Any:
    """Copy an array to the host. Arrays of PRNG keys exist only on devices and are returned as they are."""
    return x if _are_keys(x) else np.asarray(x)


def _are_keys(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
