"""Series: windows of a table with classes and attributes are trained on, sampled, and private; errors name flags."""

import csv
import dataclasses

import jax
import numpy as np
import pytest
from helpers import programs
from helpers.programs import run
from PIL import Image

from experiments import series as experiment
from jaxgan import data, media
from jaxgan.experiment import SeriesSettings

ROLES = ["--series-column", "id", "--label-column", "kind", "--attribute-columns", "size", "colour"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("series") / "walks.csv"
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("id;t;kind;size;colour;x;y\n")
        for i in range(12):
            x = np.cumsum(rng.normal(size=10))
            for t in range(10):
                number = f"{x[t]:.3f}".replace(".", ",")
                file.write(f"{i};{t};{'ab'[i % 2]};{i};{'red' if i % 3 else 'blue'};{number};{rng.integers(100)}\n")
    return path


@pytest.mark.integration
def test_a_table_with_classes_and_attributes_is_trained_on_and_sampled(table, tmp_path, capsys):
    flags = ["--data", table, *ROLES, *programs.tiny("series"), "--steps", 2, "--run-dir", tmp_path / "run"]
    code, text = run(capsys, *flags, experiment="series")
    assert code == 0, text
    with Image.open(tmp_path / "run" / "samples" / "step_0000002.png") as grid:
        assert grid.size[0] >= 2 * 96
    table.rename(table.with_suffix(".moved"))  # samples need no data
    try:
        code, text = run(
            capsys,
            "sample",
            "--run-dir",
            tmp_path / "run",
            "--count",
            4,
            "--out",
            tmp_path / "s.csv",
            experiment="series",
        )
    finally:
        table.with_suffix(".moved").rename(table)
    assert code == 0, text
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    assert list(rows[0]) == ["series", "time", "label", "size", "colour", "x", "y"]
    assert len(rows) == 4 * 8
    assert {row["label"] for row in rows} <= {"a", "b"} and {row["colour"] for row in rows} <= {"red", "blue"}
    for row in rows:
        assert 0 <= int(row["y"]) < 100 and len(row["x"].partition(".")[2]) == 3


@pytest.mark.parametrize("networks", ["conv", "causal", "gru"])
def test_networks_fit_windows_with_classes_and_attributes(networks, table):
    config = experiment.Config.tiny(
        data=str(table),
        networks=networks,
        step_z_dim=1,
        series_column="id",
        label_column="kind",
        attribute_columns=("size", "colour"),
    )
    built = experiment.build(config)
    assert isinstance(built.medium, media.Series) and isinstance(config, SeriesSettings)
    state = jax.eval_shape(built.game.init, jax.random.key(0))
    batch = jax.eval_shape(built.medium.normalize, built.source.read(np.arange(8)))
    assert batch["series"].shape == (8, 8, 5)  # x, y, size and two categories
    after, metrics = jax.eval_shape(built.game.step, state, batch)
    assert jax.tree.map(jax.numpy.shape, after.params) == jax.tree.map(jax.numpy.shape, state.params)
    assert {"d/adversarial", "d/r1", "d/r2", "g/adversarial"} <= set(metrics)


@pytest.mark.integration
def test_both_players_are_private_if_noise_is_set(tmp_path, capsys):
    flags = [*programs.tiny("series"), "--steps", 2, "--run-dir", tmp_path / "run", "--dp-noise-multiplier", 1]
    code, text = run(capsys, *flags, experiment="series")
    assert code == 0, text
    assert "epsilon" in text


def test_mistakes_on_the_command_line_are_answered_with_flags(table, tmp_path, capsys):
    for flags, message in (
        (["--data", table, "--label-column", "kinds"], "--label-column must be columns of"),
        (["--data", table, "--types", "kind"], "--types must be names of columns with their types"),
        (["--data", table, "--series-column", "id"], "the column contains text, here 'a'. A series needs numbers"),
        (["--data", table, *ROLES, "--window", 11], "--window must be at most 10"),
        (["--data", tmp_path / "none.csv"], "none.csv does not exist."),
        (["--stride", 0], "--stride must be at least 1, got 0."),
    ):
        code, text = run(capsys, *flags, "--run-dir", tmp_path / "run", experiment="series")
        assert code == 2 and message in " ".join(text.split()), text
        assert "Traceback" not in text


def test_a_source_without_bounds_is_refused():
    source = data.NamedArrays({"series": np.zeros((9, 8, 2), np.float32)}, "mine")
    with pytest.raises(ValueError, match=r"mine has examples of shape \(8, 2\) without bounds of columns, but this"):
        experiment.build(experiment.Config.tiny(), source)
    loaded = dataclasses.replace(source, details={"columns": ["a", "b"], "low": [0, 0], "high": [1, 1]})
    assert experiment.build(experiment.Config.tiny(), loaded).medium.columns == ("a", "b")
