"""The progress that the command ``evaluate`` prints."""

import re

import numpy as np
import pytest
from helpers import programs


@pytest.mark.integration
def test_the_progress_of_training_the_classifier_is_printed(tmp_path, capsys, monkeypatch):
    """The classifier is trained on 15 of 16 images: 200 epochs of one batch of 15 images."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    labels = np.arange(16) % 2
    images = np.random.default_rng(0).integers(0, 100, (16, 8, 8, 1)) + 100 * labels[:, None, None, None]
    np.savez(tmp_path / "two.npz", images=images.astype(np.uint8), labels=labels)
    run_dir = programs.begun(tmp_path / "run", "gan", data=str(tmp_path / "two.npz"))
    command = ("evaluate", "--run-dir", run_dir, "--metrics", "prdc")
    code, text = programs.run(capsys, *command, experiment="gan")
    assert code == 0 and "training the classifier that computes the features: step 0 of 200\n" in text, text
    code, text = programs.run(capsys, *command, experiment="gan")
    assert code == 0 and not re.search("training the classifier", text), text  # the classifier is cached


@pytest.mark.integration
@pytest.mark.parametrize("has_test_data", [False, True])
def test_an_evaluation_with_the_training_pairs_is_announced(has_test_data, tmp_path, capsys):
    file = str(tmp_path / "images.npz")
    np.savez(file, images=np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8))
    path = programs.begun(tmp_path / "run", "pix2pix", data=file, test_data=file if has_test_data else None)
    flags = ("--run-dir", path, "--metrics", "psnr", "--count", 4)
    code, text = programs.run(capsys, "evaluate", *flags, experiment="pix2pix")
    assert code == 0, text
    announced = "warning: The samples are translated from the training data and compared with them, because the run has"
    assert (announced in text) == (not has_test_data)
