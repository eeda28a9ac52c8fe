"""A run's parameters for others: the same samples from the file as from the run, and a card that tells the truth."""

import json

import numpy as np
import pytest
from helpers import programs

from jaxgan.interop import read_metadata, read_safetensors, write_safetensors
from jaxgan.training.checkpoints import Checkpoints


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """DCGAN after two steps: a folder with its run, its parameters, their card, and samples of the run's own."""
    folder = tmp_path_factory.mktemp("shared")
    for command in (
        ["train", "--steps", 2, "--devices", 1, *programs.tiny("dcgan")],
        ["sample", "--out", folder / "own.npz", "--count", 5, "--seed", 3],
        ["export", "--out", folder / "a.safetensors"],
    ):
        flags = [*command, "--run-dir", folder / "run"]
        code, told = run(programs.Silent(), *flags)
        assert code == 0, told
    return folder


def run(capsys, *arguments):
    return programs.run(capsys, *arguments, experiment="dcgan")


@pytest.mark.integration
def test_samples_are_the_runs_own_without_the_run_and_its_data(shared, tmp_path, capsys):
    file = tmp_path / "b.safetensors"
    metadata = read_metadata(shared / "a.safetensors")
    config = json.loads(metadata["config"])
    assert config["data"] == "digits"
    config["data"] = "/nowhere/at/all"
    write_safetensors(file, read_safetensors(shared / "a.safetensors"), {**metadata, "config": json.dumps(config)})
    asked = ["sample", "--parameters", file, "--out", tmp_path / "a.npz", "--count", 5, "--seed", 3]
    code, told = run(capsys, *asked)
    assert code == 0 and "5 samples of step 2, seed 3" in told, told
    own = np.load(shared / "own.npz")["images"]
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["images"], own)
    assert np.ptp(own, axis=0).max() > 1e-4


@pytest.mark.integration
def test_a_file_of_an_older_version_gives_the_same_samples(shared, tmp_path, capsys):
    """Its metadata have the settings by the names of then."""
    file, metadata = tmp_path / "b.safetensors", read_metadata(shared / "a.safetensors")
    then = {"z_dim": "latents", "g_channels": "generator_width", "d_channels": "discriminator_width"}
    config = {then.get(name, name): value for name, value in json.loads(metadata["config"]).items()}
    assert {"latents", "generator_width"} <= set(config)
    write_safetensors(file, read_safetensors(shared / "a.safetensors"), {**metadata, "config": json.dumps(config)})
    asked = ["sample", "--parameters", file, "--out", tmp_path / "a.npz", "--count", 5, "--seed", 3]
    code, told = run(capsys, *asked)
    assert code == 0 and "warning" not in told, told
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["images"], np.load(shared / "own.npz")["images"])


def test_what_is_in_the_file(shared):
    """The averages, and what sampling needs besides; not the discriminator."""
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
def test_the_card(shared, tmp_path, capsys):
    card = (shared / "a.md").read_text()
    for part in (
        "# Model card: dcgan, step 2",
        "What it is: DCGAN: strided convolutions and batch normalisation, with the R1 penalty.",
        "Paper: Radford, Metz, Chintala 2016, arXiv:1511.06434",
        "1,797 examples of 8 x 8 x 1",
        "Alpaydin and Kaynak",
        "deepfakes",
        "trainedAlgorithmicMedia",
        "this run was not evaluated",
        "python -m experiments.dcgan sample --parameters a.safetensors --out grid.png",
        '"g_channels": ',
    ):
        assert part in card, part
    count = sum(x.size for name, x in read_safetensors(shared / "a.safetensors").items() if ".params." in name)
    assert f"`g` of {count:,} parameters" in card
    # Figures are told where they are of this step, and of no other.
    protocol = {"samples": {"name": "dcgan in run", "step": 2}, "features": "classifier"}
    figures = shared / "run" / "evaluation.json"
    try:
        for step, told in (
            (2, "| fd_classifier | 12.5 |"),  # an earlier version called it fid
            (1, "None of these parameters: the run's evaluation is of"),
            (None, "is damaged"),
        ):
            protocol["samples"]["step"] = step
            figures.write_text(json.dumps({"fid": 12.5, "protocol": protocol}) if step else "{")
            code, text = run(capsys, "export", "--run-dir", shared / "run", "--out", tmp_path / "b.safetensors")
            assert code == 0, text
            card = (tmp_path / "b.md").read_text()
            assert told in card and ("12.5" in card) == (step == 2)
    finally:
        figures.unlink()


def test_a_card_takes_nothings_place(shared, tmp_path, capsys):
    (tmp_path / "README.md").write_text("# Mine")
    code, told = run(capsys, "export", "--run-dir", shared / "run", "--out", tmp_path / "README.safetensors")
    assert code == 2 and "its model card would replace" in told
    assert (tmp_path / "README.md").read_text() == "# Mine" and not (tmp_path / "README.safetensors").exists()


def changed(shared, path, arrays=None, **metadata):
    old = read_safetensors(shared / "a.safetensors")
    write_safetensors(path, old | (arrays or {}), {**read_metadata(shared / "a.safetensors"), **metadata})
    return path


WRONG = {
    "another experiment's": (
        lambda s, p: changed(s, p, experiment="gan"),
        "is of 'gan', not of 'dcgan'; the command jaxgan sample",
    ),
    "another's settings": (lambda s, p: changed(s, p, config='{"wings": 2}'), "that dcgan does not have: wings"),
    "no JSON": (lambda s, p: changed(s, p, config="{"), "do not tell which experiment it is of"),
    "no form": (
        lambda s, p: changed(s, p, examples='{"arrays": {"image": [[-1], "f4"]}}'),
        "do not tell which experiment",
    ),
    "something more": (lambda s, p: changed(s, p, {"d.params.x": np.ones(1)}), "1 not expected: d.params.x"),
    "no metadata": (lambda s, p: write_safetensors(p, {"a": np.ones(1)}) or p, "do not tell which experiment it is of"),
    "no file": (lambda s, p: p, "No such file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_file_is_told(name, shared, tmp_path, capsys):
    make, expected = WRONG[name]
    code, told = run(
        capsys, "sample", "--parameters", make(shared, tmp_path / "b.safetensors"), "--out", tmp_path / "a.png"
    )
    assert code in (1, 2) and expected in told and "Traceback" not in told
    assert not (tmp_path / "a.png").exists()


def test_a_file_has_one_step(shared, tmp_path, capsys):
    asked = ["sample", "--parameters", shared / "a.safetensors", "--out", tmp_path / "a.png", "--best"]
    code, told = run(capsys, *asked)
    assert code == 2 and "it holds one step; leave out --step, --best and --member" in told
