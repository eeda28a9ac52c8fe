"""The command ``sample``: samples of a checkpoint, or of an exported generator."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import export, media
from jaxgan.cli.checkpoint_reference import Restored, WeightsReference, check_seed
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.cli.style_control import DEFAULT, ControlledSamples, StyleControl, draw_controlled
from jaxgan.core.keys import class_labels
from jaxgan.editing.interpolation import interpolation_loop, lerp, slerp
from jaxgan.editing.projection_files import read_projection
from jaxgan.experiment.projector import images_of_projections, styles_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """Draw samples from a checkpoint, with the averaged weights.

    Attributes:
      out: A grid (.png, .jpg), an interpolation (.gif, .webp) between latents, of a conditional model from class to
        class unless --label fixes it, or raw samples (.npz: images, float32 in [-1, 1], [N, height, width, C], and
        labels if there are any).
      count: Number of samples, 64 if not given; of an interpolation, of the latents that it passes; with --style-mix,
        sources and destinations together, 12; with --direction, 8.
      seed: Sample i of a seed is the same for any count.
      label: The class of a conditional model; all in turn if not given.
      styles: Files that project has written, whose images are made again (.png, .npz); nothing is drawn.

    Examples:
      COMMAND --count 64 --out grid.png
      COMMAND --count 8 --out between.gif
      COMMAND --count 1000 --out samples.npz
    """

    out: str = "samples.png"
    checkpoint: WeightsReference = dataclasses.field(default_factory=WeightsReference)
    count: int | None = None
    seed: int = 0
    label: int | None = None
    styles: tuple[str, ...] = ()
    control: StyleControl = DEFAULT

    def execute(self, program: ExperimentProgram) -> None:
        out = Path(self.out)
        self.control.check()
        check_seed(self.seed)
        if self.styles:
            if self.count is not None or self.label is not None or self.control != DEFAULT:
                raise ValueError(
                    "`styles`: images are made as they were found, so `count`, `label` and control have no effect."
                )
            media.check_suffix(out, (*media.PICTURES, ".npz"), "of `styles`")
            restored = self.checkpoint.restore(program, needs_data=False)
            sample_projections(restored, list(map(Path, self.styles)), out, program.signature)
            return
        media.check_suffix(out, (*media.PICTURES, *media.ANIMATIONS, ".npz"))
        # A direction may be a class's, which the data tell from the others.
        restored = self.checkpoint.restore(program, needs_data=self.control.direction is not None)
        sample_checkpoint(self, restored, out, program.signature)


def sample_checkpoint(command: Sample, restored: Restored, out: Path, made_by: str) -> None:
    """Draw the samples that a command asks for, and write them."""
    experiment, state, member, _ = restored
    control, suffix, classes = command.control, out.suffix.lower(), experiment.sampling.classes
    control.check_for(experiment, suffix)
    is_animation = suffix in media.ANIMATIONS
    if is_animation and experiment.inputs is not None:
        raise ValueError(
            f"`out` {out}: samples are made of images, so there are no latents to interpolate; use a picture or .npz."
        )
    count = control.default_count if command.count is None else command.count
    labels = class_labels(count, classes, command.label)
    drawn = _draw(command, restored, labels, is_animation)
    if not np.isfinite(drawn.samples).all():
        raise ValueError(f"{member or 'the run'} has diverged, its samples are not finite")
    if suffix == ".npz":
        media.write_samples(out, drawn.samples, made_by, labels if classes else None)
    else:
        view = experiment.display.view
        if is_animation and experiment.display.film:
            view = experiment.display.film
        columns = drawn.columns
        if columns is None and command.label is None and 1 < len(classes) <= len(drawn.samples) // drawn.frames:
            columns = len(classes)  # a column for each class
        media.write_samples(out, view(drawn.samples), made_by, frames=drawn.frames, columns=columns)
    is_interpolation = is_animation and control.direction is None
    line = f"{out}: {count} {'latents' if is_interpolation else 'samples'} of "
    line += f"{member + ', ' if member else ''}step {int(state.step)}, seed {command.seed}"
    if command.label is not None:
        line += f", class {classes[command.label]}"
    if control.summary:
        line += f", {control.summary}"
    print(line)


def _draw(command: Sample, restored: Restored, labels: np.ndarray, is_animation: bool) -> ControlledSamples:
    """Samples with these labels, [N], or the frames of an interpolation between them."""
    experiment, state = restored.experiment, restored.state
    control, classes = command.control, experiment.sampling.classes
    z, labels_of_z = experiment.draw_latents(command.seed, np.arange(len(labels))), jnp.asarray(labels)
    if is_animation and control.direction is None and control.space == "z":
        z = interpolation_loop(z, slerp)
        labels_of_z = interpolation_loop(jax.nn.one_hot(labels_of_z, max(1, len(classes))), lerp)
    if control != DEFAULT:
        return draw_controlled(control, experiment, state, z, labels_of_z, command.seed, is_animation)
    samples = experiment.sampler()(state, z, labels_of_z)
    return ControlledSamples(samples, len(samples) if is_animation else 1)


def sample_projections(restored: Restored, paths: Sequence[Path], out: Path, made_by: str) -> None:
    """Write the images of projections, of files that ``project`` wrote.

    Raises:
      ValueError: a file is not a projection's, or was found with other networks.
    """
    experiment, state = restored.experiment, restored.state
    styles_of(experiment)
    projections = [read_projection(path) for path in paths]
    media.write_samples(out, images_of_projections(experiment, state, projections, list(map(str, paths))), made_by)
    print(f"{out}: {len(projections)} projections, by the networks of step {int(state.step)}")


def sample_artefact(args: argparse.Namespace) -> None:
    """``jaxgan sample FILE``: samples of a generator that ``export`` wrote."""
    media.check_suffix(args.out, (*media.PICTURES, ".npz"))
    check_seed(args.seed)
    artefact = export.read_generator(args.artefact)
    samples = artefact.sample(args.seed, args.count, args.label)
    labels = class_labels(args.count, artefact.classes, args.label) if artefact.classes else None
    if args.out.suffix.lower() in media.PICTURES and samples.ndim not in (2, 4):
        raise ValueError(f"`out` {args.out}: samples of shape {samples.shape[1:]} are no pictures; write an .npz")
    media.write_samples(args.out, samples, str(artefact.metadata.get("made_by", "an exported generator")), labels)
    print(f"{args.out}: {args.count:,} samples of {args.artefact}, seed {args.seed}")
