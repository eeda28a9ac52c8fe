"""What the flags of ``sample`` ask of a generator with styles: truncation, noise, mixing, directions."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.cli import cache
from jaxgan.core.keys import sample_keys
from jaxgan.core.state import State
from jaxgan.editing.interpolation import FRAMES_PER_LATENT, interpolation_loop, lerp
from jaxgan.editing.styles import Styles, layer_mask, mixing_grid, move_along, probe, sefa, std_along
from jaxgan.evaluation.classifier import train_classifier
from jaxgan.experiment.experiment import Experiment

COUNT, COUNT_MIXED, COUNT_MOVED = 64, 12, 8  # samples, if not told: of a grid, of mixing, along a direction
STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
PROBED = 1024  # samples of which a class's direction is found, and w's deviation along any


@dataclasses.dataclass(frozen=True)
class Control:
    """Of a generator with styles."""

    psi: float = 1.0
    """Truncation: styles are drawn to their average, to so much of their distance; 0 is the average's image."""
    cutoff: int | None = None
    """Of --psi: only the first so many layers' are."""
    noise: Literal["constant", "random", "none"] = "constant"
    """What is added to the layers: the same for all images, of each image its own, or none."""
    space: Literal["z", "w"] = "z"
    """Of an interpolation: on arcs between latents, or on straight lines between styles."""
    mix: Literal["coarse", "middle", "fine"] | None = None
    """A grid of mixed styles: these of the sources, in the first column, the others of the destinations, in the first
    row. Coarse are those of 4 x 4 and 8 x 8, middle of 16 x 16 and 32 x 32; below 64 x 64 each is a third."""
    direction: str | None = None
    """Samples, in rows, moved along a direction, in columns; in a .gif or .webp to and fro. sefa:K, the K-th, from 0,
    of those that the weights answer to most; or a class of the model, or of its data, by name or number."""
    strength: tuple[float, ...] | None = None
    """Of --direction: how far to move, in standard deviations of w along it; -3 to 3 if not given."""
    layers: Literal["all", "coarse", "middle", "fine"] | None = None
    """Of --direction: whose styles are moved, and whose weights sefa looks at; all if not given."""

    def __post_init__(self):
        if not math.isfinite(self.psi):
            raise ValueError(f"--psi {self.psi}: want a number; 1 changes nothing, 0 is the average")
        if self.cutoff is not None and self.psi == 1:
            raise ValueError("--cutoff: of what --psi draws to the average; give --psi too")
        if self.mix and self.direction is not None:
            raise ValueError("--mix, --direction: one of the two")
        for name in ("strength", "layers"):
            if getattr(self, name) is not None and self.direction is None:
                raise ValueError(f"--{name}: of --direction; give it too")
        if self.strength is not None and not (self.strength and all(map(math.isfinite, self.strength))):
            raise ValueError("--strength: want one number or more: --strength -2 0 2")

    @property
    def told(self) -> str:
        """The flags that are not as usual, as the command line has them."""
        fields = [field for field in dataclasses.fields(self) if getattr(self, field.name) != field.default]
        return " ".join(f"--{field.name} {_words(getattr(self, field.name))}" for field in fields)

    @property
    def count(self) -> int:
        """How many samples if no number is given."""
        return COUNT_MIXED if self.mix else COUNT if self.direction is None else COUNT_MOVED

    def check(self, experiment: Experiment, kind: str) -> None:
        """``ValueError`` for what cannot be asked of this experiment, or for a file of this kind, ``.png``."""
        if self == PLAIN:
            return
        styles, moving = experiment.sampling.styles, kind in (".gif", ".webp")
        if styles is None:
            raise ValueError(f"{self.told}: of a generator with styles, as stylegan2's; this experiment's has none")
        if self.cutoff is not None and not 1 <= self.cutoff <= styles.num_ws:
            raise ValueError(f"--cutoff {self.cutoff}: from 1 to {styles.num_ws}, the layers")
        if self.mix and kind != ".png":
            raise ValueError(f"--mix {self.mix}: a grid, not {kind}; use --out NAME.png")
        if self.direction is not None and kind == ".npz":
            raise ValueError(f"--direction {self.direction}: a grid or an animation; use .png, .gif or .webp")
        if self.space == "w" and (not moving or self.direction is not None):
            raise ValueError("--space w: of an interpolation, .gif or .webp, and without --direction")


PLAIN = Control()


class ControlledSamples(NamedTuple):
    """Samples, [N, ...], and how they are shown.

    Attributes:
      samples: of each frame after the other.
      frames: how many frames there are; 1 of what does not move.
      columns: of the grid that a frame is; near square if not given.
    """

    samples: np.ndarray
    frames: int = 1
    columns: int | None = None


def draw(
    control: Control, experiment: Experiment, state: State, z: Any, labels: jax.Array, seed: int, moving: bool
) -> ControlledSamples:
    """What the flags ask for.

    Args:
      control: the flags, which suit the experiment: ``check``.
      experiment, state: what draws.
      z, labels: of the samples, [N, ...]; of an interpolation in z, of its frames.
      seed: of noise, and of samples that directions are found with.
      moving: whether an animation is asked for.

    Raises:
      ValueError: there is no such direction, or there are too few samples.
    """
    styles = experiment.sampling.styles
    assert styles is not None
    ws = _mapper(experiment, styles, control.psi, control.cutoff)(state, z, labels)
    if control.mix:
        if len(ws) < 2:
            raise ValueError(f"--count {len(ws)}: of --mix at least 2, a source and a destination")
        rows = len(ws) // 2
        grid = mixing_grid(ws[:rows], ws[rows:], layer_mask(control.mix, styles.num_ws))
        samples = _images(control, experiment, styles, seed)(state, grid.reshape(-1, *grid.shape[2:]))
        samples[0] = 1.0  # the corner, white
        return ControlledSamples(samples, columns=grid.shape[1])
    if control.direction is not None:
        return _along(control, experiment, styles, state, ws, seed, moving)
    if moving and control.space == "w":
        ws = interpolation_loop(ws, lerp)
    samples = _images(control, experiment, styles, seed)(state, ws)
    return ControlledSamples(samples, len(samples) if moving else 1)


def _along(control, experiment, styles, state, ws, seed, moving) -> ControlledSamples:
    """Samples moved along a direction: a grid of strengths, or frames from the least to the greatest and back."""
    which = layer_mask(control.layers or "all", styles.num_ws)
    w, direction = _direction(control, experiment, styles, state, which, seed)
    strengths = np.asarray(control.strength or STRENGTHS, np.float32)
    if moving:
        there = np.linspace(strengths.min(), strengths.max(), FRAMES_PER_LATENT, dtype=np.float32)
        strengths = np.concatenate([there, there[-2:0:-1]])
    grid = move_along(ws, direction, jnp.asarray(strengths) * std_along(w, direction), which)  # [N, S, layers, w]
    grid = grid.swapaxes(0, 1) if moving else grid
    samples = _images(control, experiment, styles, seed)(state, grid.reshape(-1, *ws.shape[1:]))
    return ControlledSamples(samples, len(strengths)) if moving else ControlledSamples(samples, columns=len(strengths))


def _direction(control, experiment, styles, state, which, seed) -> tuple[jax.Array, jax.Array]:
    """w of some samples, [N, w], and the unit direction that is asked for, [w].

    That of a class is a probe's. Of a conditional model the labels are those that samples are asked for, which are true
    by its own account. Of another they are what a classifier, trained on the data's labels, takes the samples for.
    """
    z = experiment.draw(seed, np.arange(PROBED))
    asked = jnp.arange(PROBED) % max(1, len(experiment.sampling.classes))
    ws = _mapper(experiment, styles)(state, z, asked)
    w, name = ws[:, 0], control.direction
    if name.startswith("sefa:"):
        number = name.removeprefix("sefa:")
        if not number.isdecimal() or int(number) >= w.shape[1]:
            raise ValueError(f"--direction {name}: want sefa:0 to sefa:{w.shape[1] - 1}")
        weights = styles.weights(experiment.game.unwrapped.functions(state))
        return w, sefa([x for x, chosen in zip(weights, which) if chosen])[0][int(number)]
    source = experiment.measured
    classes = experiment.sampling.classes or source.classes
    if name not in classes and not (name.isdecimal() and int(name) < len(classes)):
        known = f"or a class: {', '.join(classes)}" if classes else "neither the model nor its data have classes"
        raise ValueError(f"--direction {name}: want sefa:0 to sefa:{w.shape[1] - 1}; {known}")
    number = classes.index(name) if name in classes else int(name)
    if not experiment.sampling.classes:
        if len(source) == 1:  # the blank one that stands for data, of a file of parameters
            raise ValueError(
                f"--direction {name}: the data tell a class from the others; give --run-dir, not --parameters"
            )
        samples = experiment.sampler()(state, z)
        asked = train_classifier(source, cache=cache.classifiers()).logits(samples).argmax(1)
    try:
        return w, jnp.asarray(probe(np.asarray(w), np.asarray(asked) == number), jnp.float32)
    except ValueError as error:
        raise ValueError(f"--direction {name}: class {classes[number]}: {error}") from None


def _mapper(experiment: Experiment, styles: Styles, psi: float = 1.0, cutoff: int | None = None) -> Callable:
    """``(state, z, labels) -> ws``."""
    run = experiment.in_batches(
        lambda nets, *inputs: styles.map(nets, *inputs, truncation_psi=psi, truncation_cutoff=cutoff)
    )
    return lambda state, z, labels: jnp.asarray(run(state, z, *(labels,) * bool(experiment.sampling.classes)))


def _images(control: Control, experiment: Experiment, styles: Styles, seed: int) -> Callable:
    """``(state, ws) -> images``, with the noise that is asked for."""
    if control.noise == "random":
        run = experiment.in_batches(styles.images)
        return lambda state, ws: run(state, ws, sample_keys(seed, len(ws)))
    noise = styles.noise() if control.noise == "constant" else None
    return experiment.in_batches(lambda nets, ws: styles.images(nets, ws, noise))


def _words(value: Any) -> str:
    return " ".join(f"{x:g}" for x in value) if isinstance(value, tuple) else str(value)
