"""Write grids of samples during a run, and the image sheets of an experiment.

An image sheet is an additional grid of images that an experiment draws, such as a grid of reconstructions. Grids and
sheets use the same latents and the same examples at every step, so that the images of different steps can be compared.
"""

import contextlib
from pathlib import Path

import jax
import numpy as np

from jaxgan import media
from jaxgan.core import system
from jaxgan.core.files import naming
from jaxgan.core.state import State
from jaxgan.experiment.experiment import SHEET_COLUMNS
from jaxgan.experiment.settings import Settings
from jaxgan.monitoring.terminal import Terminal
from jaxgan.training.runs import TrainingRun

GRID_IMAGES = 64  # maximum number of images in a sample grid
GRID_COLUMNS = 8  # number of columns of a sample grid; a model with at most 16 classes has one column per class instead
MIN_PIXELS = 256  # height in pixels; smaller grids are enlarged by an integer factor


class SampleWriter:
    """Writes the sample grid of all members of a run, and the image sheets of the first member.

    Args:
      run: the game or the population that is trained.
      config: the experiment's settings.
      folder: the folder that the images are written to.
      name: the experiment's name, which is written into the metadata of the images.
      terminal: shows the sample grid of the last step.
    """

    def __init__(self, run: TrainingRun, config: Settings, folder: Path, name: str, terminal: Terminal):
        experiment = run.experiment
        self._run, self._folder, self._made_by, self._terminal = run, folder, system.signature(name), terminal
        self._last_step = config.steps
        self._display, self._classes = experiment.display, len(experiment.sampling.classes)
        self._example_shape = experiment.source.shape
        self._sample = experiment.sampler()
        self._latents = experiment.draw_latents(config.seed, np.arange(GRID_IMAGES))
        self._draw_sheets = experiment.draw_sheets(config.seed) if experiment.display.sheets else None

    def write(self, state: State, step: int) -> None:
        """Write the sample grid of a step, and the image sheets that the experiment draws.

        Only the first process of a run writes files.

        Args:
          state: the training state after the step.
          step: the number of steps taken so far. It is part of the names of the files.
        """
        if jax.process_index() > 0:
            return
        states = self._run.member_states(state)
        grid = self.grid(states)
        if grid is not None:
            self._save(grid, f"step_{step:07}")
        if self._draw_sheets:
            for name, images in self._draw_sheets(states[0]).items():
                sheet = media.make_grid(np.nan_to_num(images), SHEET_COLUMNS)
                self._save(sheet, f"step_{step:07}_{name}", beside_real=True)
        if grid is not None and step == self._last_step:
            self._terminal.close()
            self._terminal.picture(grid)

    def grid(self, states: list[State]) -> np.ndarray | None:
        """Return a uint8 image of shape [H, W, C] with all samples, or None if they are neither images nor points.

        For a population of image models, each row shows the samples of one member. For a conditional model with at most
        16 classes, each column shows one class. Points are plotted, and the plots of several members are side by side.

        Args:
          states: the state of each member.
        """
        columns = self._classes if 1 < self._classes <= GRID_IMAGES // 4 else GRID_COLUMNS
        has_row_for_member = len(states) > 1 and len(self._example_shape) > 1
        if has_row_for_member:
            count = columns
        elif self._classes:
            count = GRID_IMAGES // columns * columns
        else:
            count = GRID_IMAGES
        latents = jax.tree.map(lambda x: x[:count], self._latents)
        samples = [self._display.view(self._sample(state, latents)) for state in states]
        if samples[0].ndim == 4:
            has_columns = has_row_for_member or self._classes
            return media.make_grid(np.nan_to_num(np.concatenate(samples)), columns=columns if has_columns else None)
        if samples[0].shape[1:] == (2,):
            plots = np.stack([media.make_grid(points) for points in samples])
            return plots[0] if len(plots) == 1 else media.make_grid(plots / 127.5 - 1)
        return None

    def _save(self, image: np.ndarray, name: str, *, beside_real: bool = False) -> None:
        """Write an image. Arrays with a number of channels other than 1, 3 or 4 are not images and are skipped."""
        if image.shape[-1] not in (1, 3, 4):
            return
        self._folder.mkdir(exist_ok=True)
        scale = max(1, MIN_PIXELS // image.shape[0])
        path = self._folder / f"{name}.png"
        try:
            with naming(path):
                media.save_images(path, image, self._made_by, scale=scale, beside_real=beside_real)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # the file is incomplete
            raise
