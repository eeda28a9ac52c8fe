"""The command ``project``: find the styles of a style GAN that reproduce given images (GAN inversion)."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jaxgan import media
from jaxgan.cli.checkpoint_reference import MemberReference, Restored, check_seed
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core.files import writing_out
from jaxgan.core.text import printable, say
from jaxgan.data.decoding import read_pixels
from jaxgan.data.image_headers import read_headers
from jaxgan.editing.image_files import list_images, output_paths
from jaxgan.editing.inversion import SPACES, Space
from jaxgan.editing.projection_files import SavedProjection, write_projection
from jaxgan.experiment.projector import Projector, styles_of, with_figures
from jaxgan.monitoring.run_directory import PROJECTIONS

IMAGES_TOGETHER = 8  # number of images that are projected as one batch


@dataclasses.dataclass(frozen=True, kw_only=True)
class Project:
    """Find the styles with which a style GAN reproduces given images (GAN inversion).

    Attributes:
      images: Images to project: a file, a folder or a zip file. Each image is cropped to its central square and resized
        to the resolution of the model. The images can also be passed as the argument after RUN, without the flag.
      out: Folder for the results. For an image NAME.jpg, NAME.png shows the image beside its projection, and NAME.w.npz
        contains the styles, the noise maps and the scores. With the space w+, this file is named NAME.w+.npz. Pass the
        .npz file to ``jaxgan sample --styles`` to generate the projection again. By default, the folder projections/ in
        the directory of the run. The report of the run shows projections only from this default
        folder.
      checkpoint: Checkpoint of the model.
      space: Spaces to search. w uses the same style in all layers. w+ uses a separate style in each layer, so that the
        result is closer to the image, but less similar to samples of the model. Pass w w+ to search both.
      steps: Number of steps of Adam.
      seed: Seed of the noise that is added to the styles during the optimisation.

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
            self.checkpoint.restore(program, needs="nothing"),
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
    """Project images, and print a table of the scores.

    For each image and each space, write one file with the styles. For each image, also write one image that shows the
    image beside its projections.

    Args:
      restored: the experiment and its weights.
      images: an image file, a folder or a zip file. Each image is cropped to its central square and resized to the
        resolution of the model.
      out: the folder for the results, which is created if it does not exist.
      made_by: the name of the program for the metadata of the files, see ``media.save_images``.
      spaces: the spaces to search, one after the other; elements of ``SPACES``.
      steps: number of steps of Adam, see ``Projector``.
      seed: see ``Projector``.

    Raises:
      ValueError: if the generator of the experiment has no styles, there are no images, or an image cannot be read. The
        message names the image.
      OSError: if a file cannot be written.
    """
    experiment, state, member, _ = restored
    styles_of(experiment)
    if not spaces or len(set(spaces)) < len(spaces):
        raise ValueError(f"`space` must be {', '.join(SPACES)} or both, without repetition, got {' '.join(spaces)!r}.")
    files, names = list_images(images)
    paths = output_paths(files.name, names, out)
    size, _, channels = experiment.source.shape

    read_headers(files, names).warn(channels, size)
    # All images are read first, so that a damaged image is reported before hours of computation.
    targets = np.stack([read_pixels(files, name, channels, size) for name in names])
    projector = Projector(experiment, state, steps=steps, seed=seed)
    table = Table("image", "space", "loss", "PSNR, dB", "SSIM")
    for start in range(0, len(names), IMAGES_TOGETHER):
        part = slice(start, start + IMAGES_TOGETHER)
        columns = [targets[part]]
        for space in spaces:
            started = time.perf_counter()
            projection, projected = projector(targets[part], space, start)
            columns.append(projected)
            protocol = {"made_by": made_by, "member": member, **projector.protocol(space)}
            saved = with_figures(projection, projected, targets[part], protocol, names[part])
            seconds = time.perf_counter() - started
            say(f"projected {len(saved)} images to {space}: {steps} steps in {seconds:.1f} s")
            for name, result in zip(names[part], saved):
                write_projection(paths[name].with_name(f"{paths[name].stem}.{space}.npz"), result)
                table.add_row(Text(printable(name)), space, *_scores(result))
        for name, *row in zip(names[part], *columns):
            grid = media.make_grid(np.stack(row) / 127.5 - 1, len(row))
            with writing_out(paths[name]):
                media.save_images(paths[name], grid, made_by, scale=max(1, 256 // size), beside_real=True)
    Console(highlight=False).print(table)
    say(f"projections: {out}")


def _scores(saved: SavedProjection) -> tuple[str, str, str]:
    """Return the loss, the PSNR and the SSIM of a projection as text. If the image is too small, the SSIM is empty."""
    ssim = "" if np.isnan(saved.ssim) else f"{saved.ssim:.3f}"
    return f"{saved.loss_history[-1]:.4f}", f"{saved.psnr:.2f}", ssim
