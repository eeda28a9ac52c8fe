"""Control the samples of a style GAN by flags: truncation, noise, style mixing, and directions in the space of styles.

The generator of a style GAN consists of a mapping network, which turns latents z into styles w, and a synthesis
network, which turns one style per layer, ``ws`` of shape [N, num_ws, w], into images.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core import system
from jaxgan.core.classes import find_class
from jaxgan.core.keys import sample_keys
from jaxgan.core.state import State
from jaxgan.drawing import ANIMATIONS, PICTURES
from jaxgan.editing.interpolation import FRAMES_PER_LATENT, interpolation_loop, lerp
from jaxgan.editing.styles import Styles, layer_mask, mixing_grid, move_along, probe, sefa, std_along
from jaxgan.evaluation.classifier import train_classifier
from jaxgan.experiment.experiment import Experiment
from jaxgan.experiment.projector import styles_of

# Default numbers of samples: in a grid, with style mixing, and along a direction.
COUNT, MIXING_COUNT, DIRECTION_COUNT = 64, 12, 8
STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # default strengths, in standard deviations of w
# Number of random samples from which the direction of a class and the standard deviation of w are estimated.
DIRECTION_SAMPLES = 1024


@dataclasses.dataclass(frozen=True)
class StyleControl:
    """Flags for a generator with styles, such as StyleGAN2's.

    Attributes:
      truncation_psi: Truncation of styles. Each style is replaced by the average style plus this fraction of its
        difference from the average style. 1 changes nothing, and 0 generates the image of the average style.
      truncation_cutoff: Number of layers to truncate, counted from the first layer. By default, all layers are
        truncated.
      noise: Noise that is added to the layers: const (the same noise for all images), random (different noise for each
        image) or none (no noise).
      space: Space of an interpolation. z interpolates spherically between latents. w interpolates linearly between
        styles.
      style_mix: Generate a grid of images with mixed styles. The first column shows source samples, and the first row
        shows destination samples. Each other image takes its styles in the selected layers (coarse, middle or fine)
        from the source of its row, and its styles in all other layers from the destination of its column. In generators
        of 64 x 64 pixels or more, the coarse layers have 4 x 4 and 8 x 8 pixels, the middle layers have 16 x 16 and 32
        x 32 pixels, and the fine layers have more. In smaller generators, each of the three is one third of the layers.
      direction: Move each sample along a direction in the space of styles. A grid has one row per sample and one column
        per strength. A .gif or .webp file shows the samples moving forth and back. sefa:0, sefa:1 and so on select the
        directions that change the layers most. The method SeFa computes these directions from the weights. The name or
        the index of a class selects the direction that separates samples of this class from other samples. For a
        conditional model, this is a class of the model; for other models, a class of the data.
      strengths: Distances to move along --direction, in standard deviations of the styles. By default,
        -3 -2 -1 0 1 2 3.
      layers: Layers in which --direction changes the styles. SeFa then computes its directions from the weights of
        these layers only. By default, all layers.
    """

    # Only for generators with styles
    truncation_psi: float = 1.0
    truncation_cutoff: int | None = None
    noise: Literal["const", "random", "none"] = "const"
    space: Literal["z", "w"] = "z"
    style_mix: Literal["coarse", "middle", "fine"] | None = None
    direction: str | None = None
    strengths: tuple[float, ...] | None = None
    layers: Literal["all", "coarse", "middle", "fine"] | None = None

    @property
    def summary(self) -> str:
        """The flags with values that differ from the defaults, as they are written on the command line."""
        words = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                text = " ".join(f"{x:g}" for x in value) if isinstance(value, tuple) else str(value)
                words.append(f"--{field.name.replace('_', '-')} {text}")
        return " ".join(words)

    @property
    def default_count(self) -> int:
        """The number of samples if ``--count`` is not passed."""
        if self.style_mix:
            return MIXING_COUNT
        return COUNT if self.direction is None else DIRECTION_COUNT

    def check(self) -> None:
        """Raise ``ValueError`` for values out of range, and for flags that cannot be combined."""
        if not math.isfinite(self.truncation_psi):
            raise ValueError(f"`truncation_psi` must be finite, got {self.truncation_psi}.")
        if self.truncation_cutoff is not None and self.truncation_psi == 1:
            raise ValueError("`truncation_cutoff` has no effect without truncation. Pass `truncation_psi` too.")
        if self.style_mix and self.direction is not None:
            raise ValueError("`style_mix` and `direction` cannot be combined.")
        for name in ("strengths", "layers"):
            if getattr(self, name) is not None and self.direction is None:
                raise ValueError(f"`{name}` has no effect without a direction. Pass `direction` too.")
        if self.strengths is not None and not (self.strengths and all(map(math.isfinite, self.strengths))):
            raise ValueError("`strengths` must be one or more finite numbers, such as -2 0 2.")

    def check_for(self, experiment: Experiment, suffix: str) -> None:
        """Raise ``ValueError`` for flags that do not apply to an experiment or to the type of the file.

        Args:
          experiment: the experiment that generates the samples.
          suffix: the suffix of the file, such as ``.png``.
        """
        if self == DEFAULT:
            return
        styles, is_animation = experiment.sampling.styles, suffix in ANIMATIONS
        if styles is None:
            changed = [f.name for f in dataclasses.fields(self) if getattr(self, f.name) != f.default]
            raise ValueError(
                f"`{changed[0]}` requires a generator with styles, such as StyleGAN2's. The generator of this "
                "experiment has no styles."
            )
        if self.truncation_cutoff is not None and not 1 <= self.truncation_cutoff <= styles.num_ws:
            raise ValueError(
                f"`truncation_cutoff` must be between 1 and {styles.num_ws}, the number of layers, "
                f"got {self.truncation_cutoff}."
            )
        if self.style_mix and suffix not in PICTURES:
            raise ValueError(f"`style_mix` generates a grid, so `out` must be a .png or .jpg file, got {suffix}.")
        if self.direction is not None and suffix == ".npz":
            raise ValueError(
                "`direction` generates a grid or an animation, so `out` must be a .png, .jpg, .gif or .webp file, got "
                ".npz."
            )
        if self.space == "w" and (not is_animation or self.direction is not None):
            raise ValueError(
                "`space` w applies only to interpolations. Pass a .gif or .webp file as `out`, and leave out "
                "`direction`."
            )


DEFAULT = StyleControl()


class ControlledSamples(NamedTuple):
    """Samples and their arrangement in a grid or an animation.

    Attributes:
      samples: the N samples of the first frame, then the N samples of the second frame, and so on: [frames * N, ...].
      frames: number of frames of the animation; 1 for a single grid.
      columns: number of columns of the grid in each frame; None for a grid that is almost square.
    """

    samples: np.ndarray
    frames: int = 1
    columns: int | None = None


def draw_controlled(
    control: StyleControl,
    experiment: Experiment,
    state: State,
    z: Any,
    labels: jax.Array,
    seed: int,
    is_animation: bool,
) -> ControlledSamples:
    """Generate samples of a style GAN with the styles and the noise that ``control`` describes.

    Args:
      control: the flags, which must apply to the experiment, see ``StyleControl.check_for``.
      experiment: the experiment, with a generator that has styles.
      state: the training state with the weights.
      z: latents, [N, ...]: one per sample, or, for an interpolation in z, one per frame.
      labels: one label for each of the latents: class indices, [N], or weights of the classes, [N, classes].
      seed: seed of the noise, and of the random samples from which a direction is estimated.
      is_animation: whether to generate the frames of an animation.

    Raises:
      ValueError: if there is no such direction, or there are too few samples for style mixing.
    """
    styles = styles_of(experiment)
    ws = _mapper(experiment, control.truncation_psi, control.truncation_cutoff)(state, z, labels)
    synthesize = _synthesizer(control, experiment, styles, seed)
    if control.style_mix:
        if len(ws) < 2:
            raise ValueError(f"`count` must be at least 2 with `style_mix`, got {len(ws)}.")
        num_sources = len(ws) // 2
        grid = mixing_grid(ws[:num_sources], ws[num_sources:], layer_mask(control.style_mix, styles.num_ws))
        samples = synthesize(state, grid.reshape(-1, *grid.shape[2:]))
        samples[0] = 1.0  # the corner between the first row and the first column is white
        return ControlledSamples(samples, columns=grid.shape[1])
    if control.direction is not None:
        moved, columns = _move(control, experiment, state, ws, seed, is_animation)
        samples = synthesize(state, moved.reshape(-1, *ws.shape[1:]))
        return ControlledSamples(samples, frames=len(moved)) if is_animation else ControlledSamples(samples, 1, columns)
    if is_animation and control.space == "w":
        ws = interpolation_loop(ws, lerp)
    samples = synthesize(state, ws)
    return ControlledSamples(samples, len(samples) if is_animation else 1)


def _move(
    control: StyleControl, experiment: Experiment, state: State, ws: jax.Array, seed: int, is_animation: bool
) -> tuple[jax.Array, int]:
    """Move styles along the direction of ``control``.

    Returns:
      For a grid, the moved styles, [N, S, num_ws, w], and the number of strengths S. For an animation, the moved
      styles, [T, N, num_ws, w], and the number of frames T.
    """
    mask = layer_mask(control.layers or "all", styles_of(experiment).num_ws)
    w, direction = find_direction(control.direction or "", experiment, state, mask, seed)
    strengths = np.asarray(control.strengths or STRENGTHS, np.float32)
    if is_animation:
        forward = np.linspace(strengths.min(), strengths.max(), FRAMES_PER_LATENT, dtype=np.float32)
        strengths = np.concatenate([forward, forward[-2:0:-1]])
    moved = move_along(ws, direction, jnp.asarray(strengths) * std_along(w, direction), mask)
    return moved.swapaxes(0, 1) if is_animation else moved, len(strengths)


def find_direction(
    name: str, experiment: Experiment, state: State, mask: np.ndarray, seed: int
) -> tuple[jax.Array, jax.Array]:
    """Find a direction in the space of styles.

    Args:
      name: the direction: ``sefa:K``, or the name or the index of a class. The direction of a class is found with a
        linear probe on random samples. A conditional model generates these samples with known labels; for other
        models, a classifier that is trained on the data labels them.
      experiment: the experiment, with a generator that has styles.
      state: the training state with the weights.
      mask: booleans, [num_ws]: whether SeFa uses the weights of each layer.
      seed: seed of the random samples.

    Returns:
      The styles w of the random samples, [N, w], and the direction as a unit vector, [w].

    Raises:
      ValueError: if there is no such direction.
    """
    styles, classes = styles_of(experiment), experiment.sampling.classes
    z = experiment.draw_latents(seed, np.arange(DIRECTION_SAMPLES))
    labels = jnp.arange(DIRECTION_SAMPLES) % max(1, len(classes))
    w = _mapper(experiment)(state, z, labels)[:, 0]
    if name.startswith("sefa:"):
        number = name.removeprefix("sefa:")
        if not number.isdecimal() or int(number) >= w.shape[1]:
            raise _no_direction(name, w.shape[1], classes or experiment.reference.classes)
        weights = styles.weights(experiment.game.unwrapped.functions(state))
        chosen = [matrix for matrix, is_chosen in zip(weights, mask) if is_chosen]
        return w, sefa(chosen)[0][int(number)]
    names = classes or experiment.reference.classes
    if not names:
        raise _no_direction(name, w.shape[1], names)
    index = find_class(names, name, "direction", also=_sefa_directions(w.shape[1]))
    if not classes:
        labels = _label_samples(name, experiment, state, z)
    try:
        return w, jnp.asarray(probe(np.asarray(w), np.asarray(labels) == index), jnp.float32)
    except ValueError as error:
        raise ValueError(f"`direction` {name}: class {names[index]}: {error}") from None


def _no_direction(name: str, dimensions: int, classes: Sequence[str]) -> ValueError:
    more = "or a class" if classes else "because neither the model nor its data have classes"
    return ValueError(f"`direction` must be {_sefa_directions(dimensions)}, {more}, got {name!r}.")


def _sefa_directions(dimensions: int) -> str:
    return f"sefa:0 to sefa:{dimensions - 1}"


def _label_samples(name: str, experiment: Experiment, state: State, z: Any) -> np.ndarray:
    """Classify samples, [N], with a classifier that is trained on the data of the experiment."""
    source = experiment.reference
    if len(source) == 1:  # a parameter file has no data, so one blank example replaces the data
        raise ValueError(
            f"`direction` {name} requires the data of the run, to train a classifier, but a parameter file contains no "
            "data. Use the run in place of the parameter file."
        )
    samples = experiment.sampler()(state, z)
    return train_classifier(source, cache=system.classifier_directory()).logits(samples).argmax(1)


def _mapper(experiment: Experiment, truncation_psi: float = 1.0, truncation_cutoff: int | None = None) -> Callable:
    """Return a function ``(state, z, labels) -> ws`` that maps latents to styles, with truncation."""
    styles, is_conditional = styles_of(experiment), bool(experiment.sampling.classes)
    truncation = {"truncation_psi": truncation_psi, "truncation_cutoff": truncation_cutoff}
    run = experiment.in_batches(lambda nets, *inputs: styles.map(nets, *inputs, **truncation))

    def map_latents(state, z, labels):
        return jnp.asarray(run(state, z, labels) if is_conditional else run(state, z))

    return map_latents


def _synthesizer(control: StyleControl, experiment: Experiment, styles: Styles, seed: int) -> Callable:
    """Return a function ``(state, ws) -> images`` that generates images, with the noise that ``control`` selects."""
    noise = styles.noise() if control.noise == "const" else None

    def synthesize(state, ws):
        if control.noise == "random":
            return experiment.in_batches(styles.images, len(ws))(state, ws, sample_keys(seed, len(ws)))
        return experiment.in_batches(lambda nets, ws: styles.images(nets, ws, noise), len(ws))(state, ws)

    return synthesize
