"""The command evaluate as a user meets it: what it says while it works."""

import re

import numpy as np
import pytest
from helpers import programs


@pytest.mark.integration
def test_it_says_how_far_the_training_of_the_classifier_is(tmp_path, capsys, monkeypatch):
    """Of 16 images, of which 15 are trained on: 200 epochs of batches of 15."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    labels = np.arange(16) % 2
    images = np.random.default_rng(0).integers(0, 100, (16, 8, 8, 1)) + 100 * labels[:, None, None, None]
    np.savez(tmp_path / "two.npz", images=images.astype(np.uint8), labels=labels)
    run_dir = programs.begun(tmp_path / "run", "gan", data=str(tmp_path / "two.npz"))
    asked = ("evaluate", "--run-dir", run_dir, "--metrics", "prdc")
    code, told = programs.run(capsys, *asked, experiment="gan")
    assert code == 0 and "training the classifier that computes the features: step 0 of 200\n" in told, told
    code, told = programs.run(capsys, *asked, experiment="gan")
    assert code == 0 and not re.search("training the classifier", told), told  # it is kept
