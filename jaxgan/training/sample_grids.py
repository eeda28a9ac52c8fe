"""Write pictures of samples during a run, and the sheets of an experiment.

The medium of the experiment draws the samples. The picture of samples of text is a text. A sheet is an additional
picture that an experiment draws, such as a grid of reconstructions. A medium can also draw samples beside examples of
the data, see ``Medium.compare``. All pictures use the same latents and the same examples at every step, so that the
pictures of different steps can be compared.
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
from jaxgan.experiment.settings import CommonSettings
from jaxgan.monitoring.terminal import Terminal
from jaxgan.training.runs import TrainingRun

GRID_SAMPLES = 64  # maximum number of samples in a sample grid
COMPARED = 256  # maximum number of samples that are drawn beside examples of the data
GRID_COLUMNS = 8  # number of columns of a sample grid; a model with at most 16 classes has columns of one class
MIN_PIXELS = 256  # height in pixels; smaller grids are enlarged by an integer factor


class SampleWriter:
    """Writes the sample grid of all members of a run, and the sheets and comparisons of the first member.

    Args:
      run: the game or the population that is trained.
      config: the experiment's settings.
      folder: the folder that the pictures are written to.
      name: the experiment's name, which is written into the metadata of the pictures.
      terminal: shows the sample grid of the last step.
    """

    def __init__(self, run: TrainingRun, config: CommonSettings, folder: Path, name: str, terminal: Terminal):
        experiment = run.experiment
        self._run, self._folder, self._made_by, self._terminal = run, folder, system.signature(name), terminal
        self._last_step = config.steps
        self._medium, self._classes = experiment.medium, len(experiment.sampling.classes)
        self._sample = experiment.sampler()
        self._latents = experiment.draw_latents(config.seed, np.arange(GRID_SAMPLES))
        self._draw_sheets = experiment.draw_sheets(config.seed) if experiment.display.sheets else None
        self._real = self._compared_latents = None
        if experiment.display.shows_data and type(self._medium).compare is not media.Medium.compare:
            # The examples are evenly spaced, because neighbouring examples are often similar.
            count = min(COMPARED, len(experiment.reference))
            indices = np.linspace(0, len(experiment.reference) - 1, count).astype(int)
            self._real = experiment.reference.read(indices)
            self._compared_latents = experiment.draw_latents(config.seed + 1, np.arange(count))

    def write(self, state: State, step: int) -> None:
        """Write the sample grid of a step, and the sheets and comparisons that the experiment and its medium draw.

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
            for name, samples in self._draw_sheets(states[0]).items():
                sheet = media.picture(self._medium, samples, SHEET_COLUMNS)
                if sheet is not None:
                    self._save(sheet, f"step_{step:07}_{name}", beside_real=True)
        if self._real is not None:
            decoded = self._medium.decode(np.nan_to_num(self._sample(states[0], self._compared_latents)))
            for name, picture in self._medium.compare(self._real, decoded).items():
                self._save(picture, f"step_{step:07}_{name}", beside_real=True)
        if grid is not None and step == self._last_step:
            self._terminal.close()
            self._terminal.picture(grid)

    def grid(self, states: list[State]) -> np.ndarray | str | None:
        """Return a picture of the samples of all members, uint8 [H, W, C] or a text; None if there is no picture.

        For a population, each row shows the samples of one member. If the medium draws one picture of all samples of a
        member, these pictures are side by side. For a conditional model with at most 16 classes, each column shows one
        class, and the order of the classes repeats if there are fewer than five. Texts of several members are headed
        by the numbers of the members.

        Args:
          states: the state of each member.
        """
        medium = self._medium
        columns = GRID_COLUMNS
        if 1 < self._classes <= GRID_SAMPLES // 4:
            # Several columns for each of a few classes, so that the grid is not many times taller than wide.
            columns = self._classes * max(1, GRID_COLUMNS // self._classes)
        has_row_for_member = len(states) > 1 and medium.tiles
        if has_row_for_member:
            count = columns
        elif self._classes:
            count = GRID_SAMPLES // columns * columns
        else:
            count = GRID_SAMPLES
        latents = jax.tree.map(lambda x: x[:count], self._latents)
        drawn = [medium.view(np.nan_to_num(self._sample(state, latents))) for state in states]
        texts = [text for text in drawn if isinstance(text, str)]
        images = [image for image in drawn if isinstance(image, np.ndarray)]
        if texts:
            if len(texts) == 1:
                return texts[0]
            return "\n\n".join(f"member {i}:\n{text}" for i, text in enumerate(texts))
        if not images:
            return None
        has_columns = medium.tiles and (has_row_for_member or self._classes)
        return media.make_grid(np.concatenate(images), columns=columns if has_columns else None)

    def _save(self, picture: np.ndarray | str, name: str, *, beside_real: bool = False) -> None:
        """Write a picture. Arrays with a number of channels other than 1, 3 or 4 cannot be shown and are skipped."""
        if isinstance(picture, np.ndarray) and picture.shape[-1] not in (1, 3, 4):
            return
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{name}{'.txt' if isinstance(picture, str) else '.png'}"
        try:
            with naming(path):
                if isinstance(picture, str):
                    path.write_text(f"{picture}\n", encoding="utf-8", newline="\n")
                else:
                    scale = max(1, MIN_PIXELS // picture.shape[0])
                    media.save_images(path, picture, self._made_by, scale=scale, beside_real=beside_real)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # the file is incomplete
            raise
