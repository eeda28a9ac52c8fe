"""Tests of sample grids and image sheets: their layout and their metadata."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import games
from PIL import Image

from experiments import gan
from jaxgan.core import system
from jaxgan.core.keys import latents
from jaxgan.data import Arrays
from jaxgan.experiment import Display, Experiment, Sampling
from jaxgan.monitoring.terminal import Terminal
from jaxgan.training.runs import PopulationRun, SingleRun
from jaxgan.training.sample_grids import GRID_IMAGES, SampleWriter

IMAGES = Arrays(games.images(16))  # 8 x 8


def experiment(generate, source=IMAGES, classes=(), **display):
    sampling = Sampling(lambda keys: latents(keys, 2), generate, classes=classes)
    return Experiment(games.points_game(), source, sampling, Display(**display))


def as_images(nets, z, label=None):
    """Return 8 x 8 images of uniform grey, which encodes the class, or the sign of the first latent without classes."""
    grey = jnp.sign(z[:, 0]) if label is None else label / 10
    return jnp.broadcast_to(grey[:, None, None, None], (len(z), 8, 8, 1))


def writer(experiment, folder, members=1, steps=5):
    config = gan.Config(steps=steps)
    run = SingleRun(experiment, config)
    if members > 1:
        run = PopulationRun(experiment, config, lambda *_: experiment, [{"seed": seed} for seed in range(members)])
    terminal = Terminal(steps, 0, quiet=True)
    return SampleWriter(run, config, folder, "toy", terminal), run.init(run.keys), run


def grid_shape(experiment, tmp_path, members=1):
    samples, state, run = writer(experiment, tmp_path, members)
    grid = samples.grid(run.member_states(state))
    return None if grid is None else grid.shape


def test_a_grid_is_square_without_classes(tmp_path):
    assert grid_shape(experiment(as_images), tmp_path) == (8 * 9 - 1, 8 * 9 - 1, 1)
    assert GRID_IMAGES == 8 * 8


def test_the_columns_of_a_conditional_model_are_its_classes(tmp_path):
    samples, state, run = writer(experiment(as_images, classes=tuple("abcde")), tmp_path)
    grid = samples.grid(run.member_states(state))
    assert grid.shape == (12 * 9 - 1, 5 * 9 - 1, 1)  # 60 images, the largest number below 64 that fills all rows
    assert (grid[:8, :8] == 128).all()  # class 0
    assert len({int(grid[row * 9, column * 9, 0]) for row in range(12) for column in range(5)}) == 5
    assert (grid[::9, 9] == grid[0, 9]).all()


def test_the_grid_of_a_model_with_many_classes_has_eight_columns(tmp_path):
    assert grid_shape(experiment(as_images, classes=tuple(map(str, range(20)))), tmp_path) == (71, 71, 1)


def test_the_grid_of_a_population_has_a_row_for_each_member(tmp_path):
    assert grid_shape(experiment(as_images), tmp_path, members=3) == (3 * 9 - 1, 8 * 9 - 1, 1)


def test_the_points_of_members_are_plotted_side_by_side(tmp_path):
    points = experiment(lambda nets, z: z, Arrays(games.points(16)))
    assert grid_shape(points, tmp_path) == (256, 256, 1)
    assert grid_shape(points, tmp_path, members=2)[1] == 2 * 257 - 1


def test_samples_that_are_neither_images_nor_points_have_no_grid(tmp_path):
    series = experiment(lambda nets, z: jnp.concatenate([z, z], 1), Arrays(np.zeros((16, 4), np.float32)))
    samples, state, _ = writer(series, tmp_path)
    samples.write(state, 0)
    assert grid_shape(series, tmp_path) is None and not list(tmp_path.iterdir())


def test_files_have_metadata_and_are_enlarged(tmp_path):
    folder = tmp_path / "samples"
    sheets = {"inputs": lambda nets, batch, keys: batch["image"]}
    samples, state, _ = writer(experiment(as_images, sheets=sheets), folder)
    samples.write(state, 3)
    assert sorted(file.name for file in folder.iterdir()) == ["step_0000003.png", "step_0000003_inputs.png"]
    with Image.open(folder / "step_0000003.png") as image:
        assert image.size == (71 * 3, 71 * 3)
        assert image.info["Software"] == system.signature("toy")
        assert "not taken by a camera" in image.info["Description"]
    with Image.open(folder / "step_0000003_inputs.png") as image:
        assert "Examples of its data may be displayed beside its samples" in image.info["Description"]


def test_samples_that_are_not_finite_are_written(tmp_path):
    broken = experiment(lambda nets, z: as_images(nets, z) * jnp.nan)
    samples, state, _ = writer(broken, tmp_path / "samples")
    samples.write(state, 0)
    assert (tmp_path / "samples" / "step_0000000.png").exists()


@pytest.mark.parametrize(("step", "shown"), [(4, 0), (5, 1)])
def test_the_last_grid_is_shown_at_the_terminal(step, shown, tmp_path, monkeypatch):
    pictures = []
    monkeypatch.setattr(Terminal, "picture", lambda self, image: pictures.append(image.shape))
    samples, state, _ = writer(experiment(as_images), tmp_path / "samples", steps=5)
    samples.write(state, step)
    assert pictures == [(71, 71, 1)] * shown


def test_arrays_with_two_channels_are_not_written(tmp_path):
    two = experiment(lambda nets, z: jnp.zeros((len(z), 8, 8, 2)), Arrays(np.zeros((16, 8, 8, 2), np.float32)))
    samples, state, _ = writer(two, tmp_path / "samples")
    samples.write(state, 0)
    assert not (tmp_path / "samples").exists()
