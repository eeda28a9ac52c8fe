"""The command ``sample``: generate samples with a checkpoint, or with an exported generator."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import export, media
from jaxgan.cli.checkpoint_reference import Restored, WeightsReference, check_seed
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.cli.style_control import DEFAULT, ControlledSamples, StyleControl, draw_controlled
from jaxgan.core.keys import class_labels
from jaxgan.core.text import say
from jaxgan.editing.interpolation import interpolation_loop, lerp, slerp
from jaxgan.editing.projection_files import read_projection
from jaxgan.experiment import Experiment
from jaxgan.experiment.projector import images_of_projections, styles_of
from jaxgan.media import RawArrays, from_record


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """Generate samples with a checkpoint, using the moving average of the weights.

    ``jaxgan sample`` also accepts a file in place of RUN, if ``jaxgan export`` wrote the file.

    Attributes:
      out: File to write. A .png or .jpg file shows a grid of samples. A .gif or .webp file shows an interpolation
        between the latents of samples; a conditional model also changes the class, unless --label is passed. An .npz
        file contains the samples and, for a conditional model, an array named labels. For images, the array of the
        samples is named images (float32 in [-1, 1], of shape [N, height, width, C]). Other kinds of data have further
        formats, such as .csv or .txt. By default, the file samples with the first format of the data, such as
        samples.png.
      checkpoint: Checkpoint that generates the samples.
      count: Number of samples. For an interpolation, the number of latents that it passes through. By default, 64, or 8
        with --direction, or 12 with --style-mix (6 sources and 6 destinations).
      seed: Seed of the samples. The i-th sample of a seed is the same for any number of samples.
      label: For a conditional model: class to generate, by its name or by its index, which starts at 0. If a name
        consists of digits, the name takes precedence. By default, sample i has the class i modulo the number of
        classes.
      where: For a generator with conditions, such as that of ctgan: a value that all samples have, such as
        education=Masters.
      styles: Files of styles (.npz), written by ``jaxgan project``. The images of these styles are generated in place
        of random samples, and written to a .png, .jpg or .npz file.
      control: Options that control the styles of a style GAN.

    Examples:
      COMMAND --count 64 --out grid.png
      COMMAND --count 8 --out between.gif
      COMMAND --count 1000 --out samples.npz
    """

    out: str | None = None
    checkpoint: WeightsReference = dataclasses.field(default_factory=WeightsReference)
    count: int | None = None
    seed: int = 0
    label: str | None = None
    where: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    control: StyleControl = DEFAULT

    def execute(self, program: ExperimentProgram) -> None:
        out = None if self.out is None else Path(self.out)
        self.control.check()
        check_seed(self.seed)
        if self.styles:
            if self.count is not None or self.label is not None or self.where or self.control != DEFAULT:
                raise ValueError(
                    "`styles` cannot be combined with `count`, `label`, `where` or flags for styles, such as "
                    "`truncation_psi`, because the images are generated from the styles in the files."
                )
            out = out or Path("samples.png")
            media.check_suffix(out, (*media.PICTURES, ".npz"), "with `styles`")
            restored = self.checkpoint.restore(program, needs="nothing")
            sample_projections(restored, list(map(Path, self.styles)), out, program.signature)
            return
        # The data are needed if a direction is found with a classifier, because the classifier is trained on the data.
        needs = "inputs" if self.control.direction is None else "data"
        restored = self.checkpoint.restore(program, needs=needs)
        suffixes = restored.experiment.medium.suffixes
        out = out or Path(f"samples{suffixes[0]}")
        media.check_suffix(out, suffixes)
        sample_checkpoint(self, restored, out, program.signature)


def sample_checkpoint(command: Sample, restored: Restored, out: Path, made_by: str) -> None:
    """Generate the samples that a command describes, and write them.

    Args:
      command: the command with the values of its flags.
      restored: the experiment and its weights.
      out: the file to write.
      made_by: the name of the program for the metadata of the file.

    Raises:
      ValueError: if the flags do not apply to the experiment or to the type of file, or the samples are not finite.
      OSError: if the file cannot be written.
    """
    experiment, state, member, _ = restored
    control, suffix, classes = command.control, out.suffix.lower(), experiment.sampling.classes
    control.check_for(experiment, suffix)
    is_animation = suffix in media.ANIMATIONS
    if is_animation and experiment.inputs is not None:
        raise ValueError(
            "`out` must be a .png, .jpg or .npz file for this experiment, because its samples are generated from "
            f"images and have no latents to interpolate, got {out}."
        )
    count = control.default_count if command.count is None else command.count
    labels = class_labels(count, classes, command.label)
    drawn = _draw(command, restored, labels, is_animation)
    if not np.isfinite(drawn.samples).all():
        raise ValueError(
            f"The samples of {member or 'the run'} are not finite, because the training has diverged. Pass `step` to "
            "use an earlier checkpoint."
        )
    columns = drawn.columns
    if columns is None and command.label is None and 1 < len(classes) <= len(drawn.samples) // drawn.frames:
        columns = len(classes)  # one column for each class
    has_labels = bool(classes) and len(labels) == len(drawn.samples)  # the frames of an animation have none
    experiment.medium.save(
        out, drawn.samples, made_by, labels if has_labels else None, frames=drawn.frames, columns=columns
    )
    is_interpolation = is_animation and control.direction is None
    line = f"{out}: interpolation between {count} latents, " if is_interpolation else f"{out}: {count} samples of "
    line += f"{member + ', ' if member else ''}step {int(state.step)}, seed {command.seed}"
    if command.where:
        line += f", {', '.join(command.where)}"
    if command.label is not None:
        line += f", class {classes[labels[0]]} (index {labels[0]})"
    if control.summary:
        line += f", {control.summary}"
    say(line)


def _draw(command: Sample, restored: Restored, labels: np.ndarray, is_animation: bool) -> ControlledSamples:
    """Generate samples with the given labels, [N], or the frames of an interpolation between them."""
    experiment, state = restored.experiment, restored.state
    control, classes = command.control, experiment.sampling.classes
    z, labels_of_z = experiment.draw_latents(command.seed, np.arange(len(labels))), jnp.asarray(labels)
    if command.where:
        z = _apply_conditions(experiment, z, command.where)
    if is_animation and control.direction is None and control.space == "z":
        z = interpolation_loop(z, slerp)
        labels_of_z = interpolation_loop(jax.nn.one_hot(labels_of_z, max(1, len(classes))), lerp)
    if control != DEFAULT:
        return draw_controlled(control, experiment, state, z, labels_of_z, command.seed, is_animation)
    samples = experiment.sampler(len(labels_of_z))(state, z, labels_of_z)
    return ControlledSamples(samples, len(samples) if is_animation else 1)


def _apply_conditions(experiment: Experiment, z: Any, where: Sequence[str]) -> Any:
    """Return latents of samples with the values that ``where`` lists, such as ``education=Masters``."""
    if experiment.sampling.condition is None:
        raise ValueError(
            "`where` cannot be used, because the samples of this experiment have no conditions of this kind."
        )
    for text in where:
        if not all(text.partition("=")):
            raise ValueError(f"`where` must be a name and a value, such as education=Masters, got {text}.")
    return experiment.sampling.condition(z, {name: value for name, _, value in (x.partition("=") for x in where)})


def sample_projections(restored: Restored, paths: Sequence[Path], out: Path, made_by: str) -> None:
    """Generate the images of projections, and write them to a file.

    Args:
      restored: the experiment and its weights.
      paths: the files of styles that the command ``project`` wrote.
      out: the file to write.
      made_by: the name of the program for the metadata of the file.

    Raises:
      ValueError: if a file is not a projection, or belongs to other networks.
    """
    experiment, state = restored.experiment, restored.state
    styles_of(experiment)
    projections = [read_projection(path) for path in paths]
    media.write_samples(out, images_of_projections(experiment, state, projections, list(map(str, paths))), made_by)
    say(f"{out}: {len(projections)} projections, generated with the networks of step {int(state.step)}")


def sample_artefact(args: argparse.Namespace) -> None:
    """Execute ``jaxgan sample FILE``: generate samples with a generator that ``jaxgan export`` wrote to a file.

    Args:
      args: the parsed arguments: ``artefact``, ``out``, ``count``, ``seed`` and ``label``.

    Raises:
      ValueError: if the file is not an exported generator, or an argument does not apply to it.
      OSError: if a file cannot be read or written.
    """
    check_seed(args.seed)
    artefact = export.read_generator(args.artefact)
    medium = from_record(artefact.metadata.get("medium"), artefact.metadata["shape"])
    suffixes = [suffix for suffix in medium.suffixes if suffix not in media.ANIMATIONS]
    out = Path(f"samples{suffixes[0]}") if args.out is None else args.out
    media.check_suffix(out, suffixes)
    samples = artefact.sample(args.seed, args.count, args.label)
    labels = class_labels(args.count, artefact.classes, args.label) if artefact.classes else None
    medium.save(out, samples, str(artefact.metadata.get("made_by", "an exported generator")), labels)
    if isinstance(medium, RawArrays):
        say(
            "The samples are of a kind that this version of jaxgan does not know, so they are written as the generator "
            "returns them. To write other formats, pass the run to the program that trained it, as `sample --run-dir`."
        )
    line = f"{out}: {args.count:,} samples of {args.artefact}, seed {args.seed}"
    if args.label is not None and labels is not None:
        line += f", class {artefact.classes[labels[0]]} (index {labels[0]})"
    say(line)
