"""The command ``project``: the styles whose images are nearest to given ones, in files, with pictures beside them."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from jaxgan import media
from jaxgan.cli.checkpoint_reference import MemberReference, Restored, check_seed
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core.files import writing_out
from jaxgan.data.images import convert_channels, crop_to_square, decode
from jaxgan.editing.image_files import list_images, output_paths
from jaxgan.editing.inversion import SPACES, Space
from jaxgan.editing.projection_files import SavedProjection, write_projection
from jaxgan.experiment.projector import Projector, styles_of, with_figures
from jaxgan.monitoring.run_directory import PROJECTIONS

IMAGES_TOGETHER = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Project:
    """Find the styles whose images are nearest to given images, with the checkpoint of a style GAN.

    Attributes:
      images: A file, or a folder or zip; of each the centred square, resized to the model's resolution.
      out: A folder, in which of NAME.jpg are NAME.w.npz, its styles, noise maps and figures, which sample --styles
        takes, and NAME.png, the image and its projection. Not given: the run's own, projections, which the report
        shows.
      space: w, one style for all layers; w+, one for each layer, which is nearer and less of the model's; or both.
      steps: Steps of Adam.
      seed: Seed of the noise that is added to styles on the way.

    Examples:
      COMMAND --images photos/ --space w w+
    """

    images: str
    out: str | None = None
    checkpoint: MemberReference = dataclasses.field(default_factory=MemberReference)
    space: tuple[Space, ...] = ("w",)
    steps: int = 1000
    seed: int = 0

    def execute(self, program: ExperimentProgram) -> None:
        check_seed(self.seed)
        project_files(
            self.checkpoint.restore(program),
            Path(self.images),
            Path(self.out) if self.out else self.checkpoint.path(program) / PROJECTIONS,
            program.signature,
            spaces=self.space,
            steps=self.steps,
            seed=self.seed,
        )


def project_files(
    restored: Restored,
    images: Path,
    out: Path,
    made_by: str,
    *,
    spaces: Sequence[Space],
    steps: int,
    seed: int,
) -> None:
    """Project an image, or all in a folder or zip; write a file for each space and a sheet, and print a table.

    Args:
      restored: the experiment and its weights.
      images: a file, folder or zip; each image is cropped to its centred square and resized to the model's resolution.
      out: a folder, created if need be.
      made_by: the program that is named in the files, see ``media.save_images``.
      spaces: of ``SPACES``, each on its own.
      steps, seed: see ``Projector``.

    Raises:
      ValueError: the experiment has no styles, there are no images, or one cannot be read; it says which.
      OSError: a file cannot be written.
    """
    experiment, state, member, _ = restored
    styles_of(experiment)
    if not spaces or len(set(spaces)) < len(spaces):
        raise ValueError(f"`space` must be {' or '.join(SPACES)}, or both, each once; got {' '.join(spaces)}.")
    files, names = list_images(images)
    paths = output_paths(names, out)
    size, _, channels = experiment.source.shape

    def to_array(image):
        return crop_to_square(convert_channels(image, channels), size)

    # All images are read first, so that a damaged one is reported before hours of computation.
    targets = np.stack([decode(files, name, to_array) for name in names])
    projector = Projector(experiment, state, steps=steps, seed=seed)
    table = Table("image", "space", "loss", "PSNR, dB", "SSIM")
    for start in range(0, len(names), IMAGES_TOGETHER):
        part = slice(start, start + IMAGES_TOGETHER)
        pictures = [targets[part]]
        for space in spaces:
            started = time.perf_counter()
            projection, projected = projector(targets[part], space, start)
            pictures.append(projected)
            protocol = {"made_by": made_by, "member": member, **projector.protocol(space)}
            saved = with_figures(projection, projected, targets[part], protocol, names[part])
            seconds = time.perf_counter() - started
            print(f"{len(saved)} images in {space}: {steps} steps in {seconds:.1f} s")
            for name, one in zip(names[part], saved):
                write_projection(paths[name].with_name(f"{paths[name].stem}.{space}.npz"), one)
                table.add_row(name, space, *_figures(one))
        for name, *row in zip(names[part], *pictures):
            sheet = media.make_grid(np.stack(row) / 127.5 - 1, len(row))
            with writing_out(paths[name]):
                media.save_images(paths[name], sheet, made_by, scale=max(1, 256 // size), beside_real=True)
    Console(highlight=False).print(table)
    print(f"projections: {out}")


def _figures(saved: SavedProjection) -> tuple[str, str, str]:
    """The loss, PSNR and SSIM of a projection, for the table."""
    ssim = "" if np.isnan(saved.ssim) else f"{saved.ssim:.3f}"
    return f"{saved.loss_history[-1]:.4f}", f"{saved.psnr:.2f}", ssim
