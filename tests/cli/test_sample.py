"""Samples of a checkpoint: as an exported file draws them, and refused where a run has diverged."""

import argparse

import jax
import numpy as np
import pytest
from helpers import programs

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
def test_a_command_and_an_exported_file_draw_the_same(run_dir, tmp_path, capsys):
    exported, checkpoint = tmp_path / "g.jaxgan", WeightsReference(str(run_dir))
    Export(out=str(exported), checkpoint=MemberReference(str(run_dir))).execute(PROGRAM)
    Sample(out=str(tmp_path / "a.npz"), checkpoint=checkpoint, count=5, seed=4).execute(PROGRAM)
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
    for member, named in (("", "the run"), ("member 2 (seed 2)", "member 2")):
        with pytest.raises(ValueError, match=f"{named}.* has diverged, its samples are not finite"):
            sample_checkpoint(
                Sample(out=""), Restored(restored.experiment, broken, member), tmp_path / "a.npz", "jaxgan test"
            )
    assert not list(tmp_path.iterdir())


def test_control_is_for_generators_with_styles(run_dir):
    experiment = WeightsReference(str(run_dir)).restore(PROGRAM).experiment
    StyleControl().check_for(experiment, ".png")  # nothing is asked for
    for change in ({"truncation_psi": 0.5}, {"noise": "none"}, {"direction": "sefa:0"}):
        with pytest.raises(ValueError, match=f"`{next(iter(change))}` needs a generator with styles"):
            StyleControl(**change).check_for(experiment, ".png")


def test_samples_are_a_picture_unless_frames_are_given():
    assert ControlledSamples(np.zeros((4, 8, 8, 1)))[1:] == (1, None)
