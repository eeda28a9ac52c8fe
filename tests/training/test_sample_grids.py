"""Tests of sample grids and image sheets: their layout and their metadata."""

import dataclasses

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
from jaxgan.media import Images, Medium
from jaxgan.monitoring.terminal import Terminal
from jaxgan.training.runs import PopulationRun, SingleRun
from jaxgan.training.sample_grids import GRID_SAMPLES, SampleWriter

IMAGES = Arrays(games.images(16))  # 8 x 8


def experiment(generate, source=IMAGES, classes=(), medium=None, **display):
    sampling = Sampling(lambda keys: latents(keys, 2), generate, classes=classes)
    return Experiment(games.points_game(), source, sampling, Display(**display), medium=medium)  # pyright: ignore


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
    assert GRID_SAMPLES == 8 * 8


def test_the_columns_of_a_conditional_model_are_its_classes(tmp_path):
    samples, state, run = writer(experiment(as_images, classes=tuple("abcde")), tmp_path)
    grid = samples.grid(run.member_states(state))
    assert grid.shape == (12 * 9 - 1, 5 * 9 - 1, 1)  # 60 images, the largest number below 64 that fills all rows
    assert (grid[:8, :8] == 128).all()  # class 0
    assert len({int(grid[row * 9, column * 9, 0]) for row in range(12) for column in range(5)}) == 5
    assert (grid[::9, 9] == grid[0, 9]).all()


@pytest.mark.parametrize(("classes", "columns"), [("ab", 8), ("abc", 6), ("abcd", 8)])
def test_a_few_classes_have_several_columns_each(classes, columns, tmp_path):
    samples, state, run = writer(experiment(as_images, classes=tuple(classes)), tmp_path)
    grid = samples.grid(run.member_states(state))
    assert grid.shape == (64 // columns * 9 - 1, columns * 9 - 1, 1)
    values = grid[::9, ::9, 0]
    assert len(set(values[0, : len(classes)].tolist())) == len(classes)
    np.testing.assert_array_equal(values, np.resize(values[0, : len(classes)], values.shape))


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


@dataclasses.dataclass(frozen=True)
class Letters(Medium):
    """Numbers of letters, one line for each sample."""

    tiles = False

    def view(self, samples):
        return "\n".join("".join(map(chr, row)) for row in samples.astype(int) + 97)


def test_samples_of_text_are_written_and_shown_as_text(tmp_path, monkeypatch):
    def generate(nets, z):
        return jnp.where(z > 0, jnp.nan, 1)  # values that are not finite are drawn as 0

    shown = []
    monkeypatch.setattr(Terminal, "picture", lambda self, text: shown.append(text))
    letters = experiment(generate, sheets={"two": lambda nets, batch, keys: jnp.full((2, 3), 2.0)}, medium=Letters())
    samples, state, _ = writer(letters, tmp_path / "samples", members=2, steps=0)
    samples.write(state, 0)
    files = {file.name: file.read_text() for file in (tmp_path / "samples").iterdir()}
    text = files["step_0000000.txt"]
    parts = [part.splitlines() for part in text.split("\n\n")]
    assert [part[0] for part in parts] == ["member 0:", "member 1:"]
    lines = [line for part in parts for line in part[1:]]
    assert set("".join(lines)) == {"a", "b"} and set(map(len, lines)) == {2}
    assert len(lines) == 2 * GRID_SAMPLES and shown == [text.rstrip("\n")]
    assert files["step_0000000_two.txt"] == "ccc\nccc\n" and len(files) == 2


def test_a_medium_draws_the_grid_and_the_sheets(tmp_path):
    cubes = Arrays(np.zeros((16, 4, 4, 4, 1), np.float32))
    sheets = {"data": lambda nets, batch, keys: batch["image"]}
    solids = experiment(lambda nets, z: jnp.zeros((len(z), 4, 4, 4, 1)) + z[0, 0], cubes, sheets=sheets)
    samples, state, _ = writer(solids, tmp_path)
    assert samples.grid([state]).shape == (8 * 65 - 1, 8 * 65 - 1, 1)
    samples.write(state, 0)
    with Image.open(tmp_path / "step_0000000_data.png") as image:
        assert image.size == (8 * 65 - 1, 4 * 65 - 1)


@dataclasses.dataclass(frozen=True)
class Compared(Images):
    def compare(self, real, fake):
        means = [float(batch["image"].astype(float).mean()) for batch in (real, fake)]
        assert real["image"].shape == fake["image"].shape and fake["image"].dtype == np.uint8
        return {"means": np.full((2, 2, 1), means[1], np.uint8)}


@pytest.mark.parametrize("shows_data", [True, False])
def test_a_medium_draws_samples_beside_data_unless_the_run_is_private(shows_data, tmp_path):
    compared = experiment(as_images, medium=Compared(), shows_data=shows_data)
    samples, state, _ = writer(compared, tmp_path / "samples")
    samples.write(state, 0)
    found = sorted(file.name for file in (tmp_path / "samples").iterdir())
    assert found == ["step_0000000.png", *["step_0000000_means.png"] * shows_data]
    if shows_data:
        with Image.open(tmp_path / "samples" / found[1]) as image:
            assert "Examples of its data may be displayed beside its samples" in image.info["Description"]


def test_arrays_with_two_channels_are_not_written(tmp_path):
    two = experiment(lambda nets, z: jnp.zeros((len(z), 8, 8, 2)), Arrays(np.zeros((16, 8, 8, 2), np.float32)))
    samples, state, _ = writer(two, tmp_path / "samples")
    samples.write(state, 0)
    assert not (tmp_path / "samples").exists()
