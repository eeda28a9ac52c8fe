"""Sample grids and an experiment's sheets, drawn of the same latents and examples as training goes on."""

from pathlib import Path

import jax
import numpy as np

from jaxgan import media
from jaxgan.core import system
from jaxgan.core.state import State
from jaxgan.experiment.experiment import SHEET_COLUMNS
from jaxgan.experiment.settings import Settings
from jaxgan.monitoring.terminal import Terminal
from jaxgan.training.runs import TrainingRun

GRID_IMAGES = 64  # in a sample grid
GRID_COLUMNS = 8  # of a model without classes, or with many
MIN_PIXELS = 256  # a grid of fewer rows of pixels is enlarged


class SampleWriter:
    """Writes a run's samples: a grid of all members, and the sheets of the first member.

    Args:
      run: what is trained.
      config: its settings; the last grid, of ``config.steps``, is also shown at the terminal.
      folder: for the pictures.
      name: the experiment's name, which is written into the pictures' metadata.
      terminal: shows the last grid.
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
        """Write the pictures of a step; only the first process of a run does."""
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
        """Samples as one image, uint8 [H, W, C]; None for samples that are no pictures.

        A population has a row for each member. The columns of a conditional model are its classes, if they are few.

        Args:
          states: each member's.
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
        """Write a picture; what has other than 1, 3 or 4 channels is none and is left out."""
        if image.shape[-1] not in (1, 3, 4):
            return
        self._folder.mkdir(exist_ok=True)
        scale = max(1, MIN_PIXELS // image.shape[0])
        media.save_images(self._folder / f"{name}.png", image, self._made_by, scale=scale, beside_real=beside_real)
