"""Control over samples of a style GAN: truncation, noise, style mixing, and directions in w."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core import system
from jaxgan.core.keys import sample_keys
from jaxgan.core.state import State
from jaxgan.editing.interpolation import FRAMES_PER_LATENT, interpolation_loop, lerp
from jaxgan.editing.styles import Styles, layer_mask, mixing_grid, move_along, probe, sefa, std_along
from jaxgan.evaluation.classifier import train_classifier
from jaxgan.experiment.experiment import Experiment
from jaxgan.experiment.projector import styles_of
from jaxgan.media.images import ANIMATIONS, PICTURES

COUNT, MIXING_COUNT, DIRECTION_COUNT = 64, 12, 8  # samples by default: of a grid, of mixing, along a direction


STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


DIRECTION_SAMPLES = 1024  # from which the direction of a class is found, and the std of w along any direction


@dataclasses.dataclass(frozen=True)
class StyleControl:
    """For a generator with styles.

    Attributes:
      truncation_psi: Truncation: styles are moved towards their average, to this fraction of their distance; 0 is the
        average's image.
      truncation_cutoff: Truncate the styles of the first layers only, this many.
      noise: What is added to the layers: the same noise for all images, each image's own, or none.
      space: Interpolate on arcs between latents, z, or on straight lines between styles, w.
      style_mix: A grid of mixed styles: these of the sources, in the first column, the others of the destinations, in
        the first row. Coarse are those of 4 x 4 and 8 x 8, middle of 16 x 16 and 32 x 32; below 64 x 64 each is a
        third.
      direction: Move samples, in rows, along a direction, in columns; in a .gif or .webp to and fro. sefa:K is the
        K-th, from 0, of the directions to which the weights respond most; otherwise a class of the model, or of its
        data, by name or number.
      strengths: How far to move along --direction, in standard deviations of w; -3 to 3 if not given.
      layers: The layers whose styles --direction moves, and whose weights sefa uses; all if not given.
    """

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
        """The flags that differ from the defaults, as on the command line."""
        words = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                text = " ".join(f"{x:g}" for x in value) if isinstance(value, tuple) else str(value)
                words.append(f"--{field.name.replace('_', '-')} {text}")
        return " ".join(words)

    @property
    def default_count(self) -> int:
        """The number of samples if none is given."""
        if self.style_mix:
            return MIXING_COUNT
        return COUNT if self.direction is None else DIRECTION_COUNT

    def check(self) -> None:
        """Raise ``ValueError`` for values out of range, and for combinations without a meaning."""
        if not math.isfinite(self.truncation_psi):
            raise ValueError(f"`truncation_psi` must be finite, got {self.truncation_psi}; 1 changes nothing.")
        if self.truncation_cutoff is not None and self.truncation_psi == 1:
            raise ValueError("`truncation_cutoff` has no effect without truncation; pass `truncation_psi` too.")
        if self.style_mix and self.direction is not None:
            raise ValueError("`style_mix` and `direction` cannot be combined.")
        for name in ("strengths", "layers"):
            if getattr(self, name) is not None and self.direction is None:
                raise ValueError(f"`{name}` has no effect without a direction; pass `direction` too.")
        if self.strengths is not None and not (self.strengths and all(map(math.isfinite, self.strengths))):
            raise ValueError("`strengths` must be one finite number or more, as -2 0 2.")

    def check_for(self, experiment: Experiment, suffix: str) -> None:
        """Raise ``ValueError`` for what does not suit an experiment, or a file with this suffix, as ``.png``."""
        if self == DEFAULT:
            return
        styles, is_animation = experiment.sampling.styles, suffix in ANIMATIONS
        if styles is None:
            changed = [f.name for f in dataclasses.fields(self) if getattr(self, f.name) != f.default]
            raise ValueError(
                f"`{changed[0]}` needs a generator with styles, as stylegan2's; this experiment's has none."
            )
        if self.truncation_cutoff is not None and not 1 <= self.truncation_cutoff <= styles.num_ws:
            raise ValueError(
                f"`truncation_cutoff` must be between 1 and {styles.num_ws}, the number of layers; "
                f"got {self.truncation_cutoff}."
            )
        if self.style_mix and suffix not in PICTURES:
            raise ValueError(f"`style_mix` makes a grid, so `out` must be a .png or .jpg, got {suffix}.")
        if self.direction is not None and suffix == ".npz":
            raise ValueError(
                "`direction` makes a grid or an animation, so `out` must be a picture or an animation; got .npz."
            )
        if self.space == "w" and (not is_animation or self.direction is not None):
            raise ValueError("`space` w is for interpolations: `out` must be a .gif or .webp, without `direction`.")


DEFAULT = StyleControl()


class ControlledSamples(NamedTuple):
    """Samples and their arrangement.

    Attributes:
      samples: [frames * N, ...], frame by frame.
      frames: the number of frames; 1 for a picture.
      columns: of the grid that each frame is; None makes it near square.
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
    """Samples of a style GAN under ``control``.

    Args:
      control: one that suits the experiment, see ``StyleControl.check_for``.
      experiment, state: the generator.
      z, labels: of the samples, [N, ...]; of an interpolation in z, of its frames.
      seed: of noise, and of the samples from which directions are found.
      is_animation: whether frames are wanted.

    Raises:
      ValueError: there is no such direction, or there are too few samples.
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
        samples[0] = 1.0  # the corner, white
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
    """Styles moved along the direction: [N, S, num_ws, w], or frames first, [T, N, num_ws, w]; and S or T."""
    mask = layer_mask(control.layers or "all", styles_of(experiment).num_ws)
    w, direction = find_direction(control.direction or "", experiment, state, mask, seed)
    strengths = np.asarray(control.strengths or STRENGTHS, np.float32)
    if is_animation:
        forth = np.linspace(strengths.min(), strengths.max(), FRAMES_PER_LATENT, dtype=np.float32)
        strengths = np.concatenate([forth, forth[-2:0:-1]])
    moved = move_along(ws, direction, jnp.asarray(strengths) * std_along(w, direction), mask)
    return moved.swapaxes(0, 1) if is_animation else moved, len(strengths)


def find_direction(
    name: str, experiment: Experiment, state: State, mask: np.ndarray, seed: int
) -> tuple[jax.Array, jax.Array]:
    """Styles w of random samples, [N, w], and the unit direction of this name, [w].

    Args:
      name: ``sefa:K``, or a class by its name or number. A class's direction is a linear probe's. If the model is
        conditional, the labels are those that its samples are drawn for; otherwise a classifier that is trained on the
        data labels the samples.
      experiment, state: the generator.
      mask: [num_ws], booleans: the layers whose weights sefa uses.
      seed: of the samples.

    Raises:
      ValueError: there is no such direction.
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
    if name not in names and not (name.isdecimal() and int(name) < len(names)):
        raise _no_direction(name, w.shape[1], names)
    index = names.index(name) if name in names else int(name)
    if not classes:
        labels = _label_samples(name, experiment, state, z)
    try:
        return w, jnp.asarray(probe(np.asarray(w), np.asarray(labels) == index), jnp.float32)
    except ValueError as error:
        raise ValueError(f"`direction` {name}: class {names[index]}: {error}") from None


def _no_direction(name: str, dimensions: int, classes: Sequence[str]) -> ValueError:
    known = f"or a class: {', '.join(classes)}" if classes else "neither the model nor its data have classes"
    return ValueError(f"`direction` must be sefa:0 to sefa:{dimensions - 1}; {known}; got {name!r}.")


def _label_samples(name: str, experiment: Experiment, state: State, z: Any) -> np.ndarray:
    """The classes of samples, by a classifier that is trained on the data."""
    source = experiment.reference
    if len(source) == 1:  # the blank example that stands for the data of a file of parameters
        raise ValueError(
            f"`direction` {name}: the data tell a class from the others; pass `run_dir`, not `parameters`."
        )
    samples = experiment.sampler()(state, z)
    return train_classifier(source, cache=system.classifier_directory()).logits(samples).argmax(1)


def _mapper(experiment: Experiment, truncation_psi: float = 1.0, truncation_cutoff: int | None = None) -> Callable:
    """``(state, z, labels) -> ws``."""
    styles, is_conditional = styles_of(experiment), bool(experiment.sampling.classes)
    truncation = {"truncation_psi": truncation_psi, "truncation_cutoff": truncation_cutoff}
    run = experiment.in_batches(lambda nets, *inputs: styles.map(nets, *inputs, **truncation))

    def map_latents(state, z, labels):
        return jnp.asarray(run(state, z, labels) if is_conditional else run(state, z))

    return map_latents


def _synthesizer(control: StyleControl, experiment: Experiment, styles: Styles, seed: int) -> Callable:
    """``(state, ws) -> images``, with the noise that ``control`` has."""
    if control.noise == "random":
        run = experiment.in_batches(styles.images)
        return lambda state, ws: run(state, ws, sample_keys(seed, len(ws)))
    noise = styles.noise() if control.noise == "const" else None
    return experiment.in_batches(lambda nets, ws: styles.images(nets, ws, noise))
