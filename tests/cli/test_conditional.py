"""Conditional models on the command line, experiments that refuse unsuitable data, and the WGAN critic's schedule."""

import numpy as np
import pytest
from helpers import programs
from PIL import Image

from experiments import wgan


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    return programs.begun(tmp_path_factory.mktemp("runs") / "run", "cgan")


def sample(capsys, untrained, out, *flags):
    return programs.run(capsys, "sample", "--run-dir", untrained, "--out", out, *flags, experiment="cgan")


@pytest.mark.integration
def test_samples_go_through_all_classes_unless_a_label_is_passed(untrained, tmp_path, capsys):
    for flags, expected in (((), np.arange(12) % 10), (("--label", 7), np.full(12, 7))):
        code, text = sample(capsys, untrained, tmp_path / "a.npz", "--count", 12, *flags)
        assert code == 0, text
        drawn = np.load(tmp_path / "a.npz")
        np.testing.assert_array_equal(drawn["labels"], expected)
    assert "class 7 (index 7)" in text
    sevens = drawn["images"]
    sample(capsys, untrained, tmp_path / "b.npz", "--count", 12, "--label", 3)
    assert np.abs(np.load(tmp_path / "b.npz")["images"] - sevens).max() > 1e-3


@pytest.mark.integration
def test_a_grid_has_one_column_per_class_and_an_animation_passes_through_the_classes(untrained, tmp_path, capsys):
    assert sample(capsys, untrained, tmp_path / "a.png", "--count", 20)[0] == 0
    width, height = Image.open(tmp_path / "a.png").size
    assert width / height == pytest.approx((10 * 9 - 1) / (2 * 9 - 1))
    assert sample(capsys, untrained, tmp_path / "a.gif", "--count", 3)[0] == 0
    assert Image.open(tmp_path / "a.gif").n_frames > 24


def test_a_label_out_of_range_is_refused(untrained, tmp_path, capsys):
    code, text = sample(capsys, untrained, tmp_path / "a.png", "--label", 10)
    assert code == 2 and "--label must be between 0 and 9, or the name of a class (0, 1, 2" in text


def test_data_without_labels_are_refused(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", images=np.zeros((8, 8, 8, 1), np.uint8))
    flags = ["--data", tmp_path / "x.npz", "--run-dir", tmp_path / "run"]
    code, text = programs.run(capsys, *flags, experiment="cgan")
    assert code == 2 and "no labels, but a conditional model needs them" in text
    assert not (tmp_path / "run").exists()


def test_networks_without_classes_are_refused(tmp_path, capsys):
    flags = ["--networks", "dcgan", "--conditional", "--run-dir", tmp_path / "run"]
    code, text = programs.run(capsys, *flags, experiment="r3gan")
    assert (
        code == 2
        and "With --networks dcgan, the model cannot be conditional. Leave out --conditional, or set --networks to r3gan."
        in " ".join(text.split())
    )
    assert not (tmp_path / "run").exists()


def test_points_and_images_are_refused_by_the_wrong_experiments(tmp_path, capsys):
    code, text = programs.run(capsys, "--data", "ring", "--run-dir", tmp_path / "run", experiment="wgan_gp")
    assert code == 2 and "this experiment takes images" in text
    code, text = programs.run(capsys, "--data", "digits", "--run-dir", tmp_path / "run", experiment="points")
    assert code == 2 and "this experiment requires points: ring, grid" in text


def test_the_wgan_critic_trains_longer_before_some_turns_of_the_generator():
    """The critic has 100 turns before each of the generator's first 25 turns and every 500th, and 5 before others."""
    config = wgan.Config()
    moves = [step for step in range(13_000) if not wgan.is_alone(config, step)]
    turns = np.diff([-1, *moves]) * config.n_critic
    long = np.flatnonzero(turns > 5)
    np.testing.assert_array_equal(long, [*range(25), *range(500, len(turns), 500)])
    assert set(turns[long]) == {100} and set(turns) == {5, 100}
