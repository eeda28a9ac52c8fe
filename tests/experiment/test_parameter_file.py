"""Parameter files that can be shared: they give the same samples as the run, and have a correct model card."""

import json

import numpy as np
import pytest
from helpers import programs

from jaxgan.interop import read_metadata, read_safetensors, write_safetensors
from jaxgan.training.checkpoints import Checkpoints


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Return a folder with a DCGAN run of two steps, its exported parameters, the model card, and samples."""
    folder = tmp_path_factory.mktemp("shared")
    for command in (
        ["train", "--steps", 2, "--devices", 1, *programs.tiny("dcgan")],
        ["sample", "--out", folder / "own.npz", "--count", 5, "--seed", 3],
        ["export", "--out", folder / "a.safetensors"],
    ):
        flags = [*command, "--run-dir", folder / "run"]
        code, output = run(programs.Silent(), *flags)
        assert code == 0, output
    return folder


def run(capsys, *arguments):
    return programs.run(capsys, *arguments, experiment="dcgan")


@pytest.mark.integration
def test_the_file_gives_the_samples_of_the_run_without_the_run_and_its_data(shared, tmp_path, capsys):
    file = tmp_path / "b.safetensors"
    metadata = read_metadata(shared / "a.safetensors")
    config = json.loads(metadata["config"])
    assert config["data"] == "digits"
    config["data"] = "/nowhere/at/all"
    write_safetensors(file, read_safetensors(shared / "a.safetensors"), {**metadata, "config": json.dumps(config)})
    flags = ["sample", "--parameters", file, "--out", tmp_path / "a.npz", "--count", 5, "--seed", 3]
    code, output = run(capsys, *flags)
    assert code == 0 and "5 samples of step 2, seed 3" in output, output
    own = np.load(shared / "own.npz")["images"]
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["images"], own)
    assert np.ptp(own, axis=0).max() > 1e-4


@pytest.mark.integration
def test_metadata_with_older_names_of_settings_give_the_same_samples(shared, tmp_path, capsys):
    """The metadata are written with the names of settings that an older version used."""
    file, metadata = tmp_path / "b.safetensors", read_metadata(shared / "a.safetensors")
    older = {"z_dim": "latents", "g_channels": "generator_width", "d_channels": "discriminator_width"}
    config = {older.get(name, name): value for name, value in json.loads(metadata["config"]).items()}
    assert {"latents", "generator_width"} <= set(config)
    write_safetensors(file, read_safetensors(shared / "a.safetensors"), {**metadata, "config": json.dumps(config)})
    flags = ["sample", "--parameters", file, "--out", tmp_path / "a.npz", "--count", 5, "--seed", 3]
    code, output = run(capsys, *flags)
    assert code == 0 and "warning" not in output, output
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["images"], np.load(shared / "own.npz")["images"])


def test_the_file_has_the_averaged_weights_that_sampling_needs(shared):
    """The file has the EMA weights and the statistics of the generator, but not the discriminator."""
    arrays, metadata = (read(shared / "a.safetensors") for read in (read_safetensors, read_metadata))
    leaves = Checkpoints(shared / "run" / "checkpoints", read_only=True).read(2)
    assert {name.partition(".")[0] for name in arrays} == {"g"}
    for name, newest in (
        ("g.params.linear.kernel", "params.g.linear.kernel"),
        ("g.batch_stats.norm_0.mean", "stats.g.batch_stats.norm_0.mean"),
    ):
        np.testing.assert_array_equal(arrays[name], leaves[f"ema.{name}"])
        assert (leaves[newest] != arrays[name]).any()
    assert (metadata["experiment"], metadata["step"]) == ("dcgan", "2")
    assert "synthetic" in metadata["synthetic"] and {"jaxgan", "made_by", "config", "data"} <= set(metadata)
    assert json.loads(metadata["config"])["g_channels"] == 4


@pytest.mark.integration
def test_the_model_card_describes_the_run_and_its_metrics(shared, tmp_path, capsys):
    card = (shared / "a.md").read_text()
    for part in (
        "# Model card: dcgan, step 2",
        "Description: DCGAN: strided convolutions and batch normalisation, with the R1 penalty.",
        "Paper: Radford, Metz, Chintala 2016, arXiv:1511.06434",
        "1,797 examples of digits/1.0.0 train, shape 8 x 8 x 1.",
        "Alpaydin and Kaynak",
        "deepfakes",
        "trainedAlgorithmicMedia",
        "this run was not evaluated",
        "python -m experiments.dcgan sample --parameters a.safetensors --out grid.png",
        '"g_channels": ',
    ):
        assert part in card, part
    count = sum(x.size for name, x in read_safetensors(shared / "a.safetensors").items() if ".params." in name)
    assert f"`g` with {count:,} parameters" in card
    # The card shows the metrics of an evaluation only if the evaluation is of the exported step.
    protocol = {"samples": {"name": "dcgan in run", "step": 2}, "features": "classifier"}
    figures = shared / "run" / "evaluation.json"
    try:
        for step, expected in (
            (2, "| fd_classifier | 12.5 |"),  # an older version named this metric fid
            (1, "There are no metrics of these parameters. The run was evaluated for"),
            (None, "is damaged"),
        ):
            protocol["samples"]["step"] = step
            figures.write_text(json.dumps({"fid": 12.5, "protocol": protocol}) if step else "{")
            code, text = run(capsys, "export", "--run-dir", shared / "run", "--out", tmp_path / "b.safetensors")
            assert code == 0, text
            card = (tmp_path / "b.md").read_text()
            assert expected in card and ("12.5" in card) == (step == 2)
    finally:
        figures.unlink()


def test_a_model_card_never_replaces_another_file(shared, tmp_path, capsys):
    (tmp_path / "README.md").write_text("# Mine")
    code, output = run(capsys, "export", "--run-dir", shared / "run", "--out", tmp_path / "README.safetensors")
    assert code == 2 and "its model card would replace" in output
    assert (tmp_path / "README.md").read_text() == "# Mine" and not (tmp_path / "README.safetensors").exists()


def changed(shared, path, arrays=None, **metadata):
    """Write a copy of the exported file with changed arrays and metadata, and return its path."""
    old = read_safetensors(shared / "a.safetensors")
    write_safetensors(path, old | (arrays or {}), {**read_metadata(shared / "a.safetensors"), **metadata})
    return path


WRONG = {
    "another experiment": (
        lambda s, p: changed(s, p, experiment="gan"),
        "belongs to the experiment 'gan', not to 'dcgan'. Use `jaxgan sample`",
    ),
    "unknown setting": (lambda s, p: changed(s, p, config='{"wings": 2}'), "that dcgan does not have: wings"),
    "config is not JSON": (lambda s, p: changed(s, p, config="{"), "do not describe the experiment of the file"),
    "negative shape": (
        lambda s, p: changed(s, p, examples='{"arrays": {"image": [[-1], "f4"]}}'),
        "do not describe the experiment",
    ),
    "unexpected array": (lambda s, p: changed(s, p, {"d.params.x": np.ones(1)}), "1 not expected: d.params.x"),
    "no metadata": (lambda s, p: write_safetensors(p, {"a": np.ones(1)}) or p, "do not describe the experiment"),
    "no file": (lambda s, p: p, "No such file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_the_problem_of_a_file(name, shared, tmp_path, capsys):
    make, expected = WRONG[name]
    code, output = run(
        capsys, "sample", "--parameters", make(shared, tmp_path / "b.safetensors"), "--out", tmp_path / "a.png"
    )
    assert code in (1, 2) and expected in output and "Traceback" not in output
    assert not (tmp_path / "a.png").exists()


def test_a_checkpoint_cannot_be_chosen_in_a_parameter_file(shared, tmp_path, capsys):
    flags = ["sample", "--parameters", shared / "a.safetensors", "--out", tmp_path / "a.png", "--best"]
    code, output = run(capsys, *flags)
    assert code == 2 and "cannot be combined with --step, --best or --member" in output
