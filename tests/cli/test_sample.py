"""The command ``sample``: equal samples from checkpoints and exported files, and refusal of diverged runs."""

import argparse

import jax
import numpy as np
import pytest
from helpers import programs
from helpers.compilations import recording_compilations

from experiments import gan
from jaxgan import export
from jaxgan.cli.checkpoint_reference import MemberReference, Restored, WeightsReference
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.cli.export import Export
from jaxgan.cli.sample import Sample, sample_artefact, sample_checkpoint
from jaxgan.cli.style_control import ControlledSamples, StyleControl

PROGRAM = ExperimentProgram("gan", gan.Config, gan.build, "")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return programs.begun(tmp_path_factory.mktemp("runs") / "run", "gan")


@pytest.mark.integration
def test_a_checkpoint_and_its_exported_file_generate_the_same_samples(run_dir, tmp_path, capsys):
    exported, checkpoint = tmp_path / "g.jaxgan", WeightsReference(str(run_dir))
    Export(out=str(exported), checkpoint=MemberReference(str(run_dir))).execute(PROGRAM)
    with recording_compilations() as compiled:
        Sample(out=str(tmp_path / "a.npz"), checkpoint=checkpoint, count=5, seed=4).execute(PROGRAM)
    assert compiled and "init" not in compiled
    args = argparse.Namespace(artefact=exported, out=tmp_path / "b.npz", count=5, seed=4, label=None)
    sample_artefact(args)
    a, b = (np.load(tmp_path / name)["images"] for name in ("a.npz", "b.npz"))
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert isinstance(export.read_generator(exported), export.GeneratorArtefact)
    printed = capsys.readouterr().out
    assert f"{tmp_path / 'a.npz'}: 5 samples of step 0, seed 4\n" in printed
    assert f"{tmp_path / 'b.npz'}: 5 samples of {exported}, seed 4\n" in printed


def test_a_diverged_run_is_refused(run_dir, tmp_path):
    restored = WeightsReference(str(run_dir)).restore(PROGRAM)
    state = restored.state
    broken = state.replace(
        params=jax.tree.map(lambda x: x * np.nan, state.params), ema=jax.tree.map(lambda x: x * np.nan, state.ema)
    )
    for member, subject in (("", "the run"), ("member 2 (seed 2)", r"member 2 \(seed 2\)")):
        with pytest.raises(ValueError, match=f"The samples of {subject} are not finite, because the training has"):
            sample_checkpoint(
                Sample(out=""), Restored(restored.experiment, broken, member), tmp_path / "a.npz", "jaxgan test"
            )
    assert not list(tmp_path.iterdir())


def test_style_flags_require_a_generator_with_styles(run_dir):
    experiment = WeightsReference(str(run_dir)).restore(PROGRAM).experiment
    StyleControl().check_for(experiment, ".png")  # the defaults are allowed
    for change in ({"truncation_psi": 0.5}, {"noise": "none"}, {"direction": "sefa:0"}):
        with pytest.raises(ValueError, match=f"`{next(iter(change))}` requires a generator with styles"):
            StyleControl(**change).check_for(experiment, ".png")


def test_controlled_samples_are_a_single_grid_by_default():
    assert ControlledSamples(np.zeros((4, 8, 8, 1)))[1:] == (1, None)
