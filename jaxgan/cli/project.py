"""The files of the command project: images in, and of each the styles that were found, beside a sheet to look at."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from jaxgan import media
from jaxgan.core.files import writing_out
from jaxgan.core.state import State
from jaxgan.data.images import convert_channels, crop_to_square, decode
from jaxgan.editing.image_files import list_images, output_paths
from jaxgan.editing.inversion import SPACES, Space
from jaxgan.editing.projection_files import SavedProjection, read_projection, write_projection
from jaxgan.experiment.experiment import Experiment
from jaxgan.experiment.projector import Projector, images_of_projections, styles_of, with_figures

IMAGES_TOGETHER = 8


def project_files(
    restored: tuple[Experiment, State, str],
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
      restored: the experiment, the state of a checkpoint, and the member's name.
      images: a file, folder or zip; each image is cropped to its centred square and resized to the model's resolution.
      out: a folder, created if need be.
      made_by: the program that is named in the files, see ``media.save_images``.
      spaces: of ``SPACES``, each on its own.
      steps, seed: see ``Projector``.

    Raises:
      ValueError: the experiment has no styles, there are no images, or one cannot be read; it says which.
      OSError: a file cannot be written.
    """
    experiment, state, member = restored
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


def sample_projected(restored: tuple[Experiment, State, str], paths: Sequence[Path], out: Path, made_by: str) -> None:
    """Make the images of projections again: a grid of them, .png, or raw, .npz.

    Raises:
      ValueError: a file is none of ``write``'s, its styles are not of these networks, or ``out`` is of another format.
    """
    experiment, state, _ = restored
    styles_of(experiment)
    kind = out.suffix.lower()
    if kind not in (".png", ".npz"):
        raise ValueError(f"`out` must be a .png or .npz with `styles`, got {out}.")
    projections = [read_projection(path) for path in paths]
    images = images_of_projections(experiment, state, projections, list(map(str, paths)))
    with writing_out(out):
        if kind == ".npz":
            media.save_arrays(out, images)
        else:
            sheet = media.make_grid(images)
            media.save_images(out, sheet, made_by, scale=max(1, 256 // sheet.shape[0]))
    print(f"{out}: {len(projections)} projections, by the networks of step {int(state.step)}")
