"""The sets that ``jaxgan fid``, ``kid``, ``mifid`` and ``prdc`` accept, and the messages for those that they refuse."""

import json

import numpy as np
import pytest
from helpers.programs import run_console
from PIL import Image

import jaxgan

RECORD = json.dumps({"experiment": "gan", "config": {}})


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Return the current directory, with the folder ``a`` of eight images and other sets."""
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    for name, count in {"a": 8, "bad": 8, "one": 1, "gan/samples": 2, "empty": 0, "runs/gan/samples": 1}.items():
        (tmp_path / name).mkdir(parents=True)
        for i in range(count):
            image = Image.fromarray(draws.integers(0, 256, (16, 16, 3), np.uint8))
            image.save(tmp_path / name / f"{i}.png")
    for run in ("gan", "runs/gan"):
        (tmp_path / run / "config.json").write_text(RECORD)
    damaged = tmp_path / "bad" / "4.png"
    damaged.write_bytes(damaged.read_bytes()[:300])
    np.savez(tmp_path / "other.npz", pixels=np.zeros(3))
    (tmp_path / "gan.jaxgan").write_bytes(b"PK")
    return tmp_path


SAMPLES = "`jaxgan sample gan --count 10000 --out samples.npz` and pass samples.npz."
REFUSED = {
    "gan": f"gan belongs to the run gan, and its images are sample grids with many samples each, not samples. To use "
    f"the samples, run {SAMPLES}",
    "gan/samples": f"gan/samples belongs to the run gan, and its images are sample grids with many samples each, not "
    f"samples. To use the samples, run {SAMPLES}",
    "gan.jaxgan": "{argument} 'gan.jaxgan' is an exported generator, not a data set. To use its samples, run `jaxgan "
    "sample gan.jaxgan --count 10000 --out samples.npz` and pass samples.npz.",
    "runs": "runs contains no images, besides folders that are hidden, runs, or of the system: gan. Images must",
    "empty": "empty contains no images. Images must be directly in it",
    "bad": "bad: 4.png cannot be decoded",
    "other.npz": "other.npz has no array 'images'. It contains: pixels.",
    "a/0.png": "{argument} must be a folder, or a .zip, .npz or .npy file, got a .png file, 'a/0.png'.",
}


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("command", ["fid", "kid"])
def test_sets_that_are_no_samples_are_refused_in_one_sentence(command, refused, sets, capsys):
    for operands in ([refused, "a"], ["a", refused]):
        argument = "AB"[operands.index(refused)]
        code, text = run_console(capsys, command, *operands, "--features", "random")
        last = text.splitlines()[-1]
        assert code == 2 and last.startswith("error: " + REFUSED[refused].format(argument=argument)), text
        assert "Traceback" not in text


@pytest.mark.parametrize(
    ("command", "least", "counts"), [("fid", 2, "1 and 8"), ("kid", 2, "1 and 8"), ("prdc", 6, "1 and 8")]
)
def test_a_set_of_one_image_is_refused(command, least, counts, sets, capsys):
    code, text = run_console(capsys, command, "one", "a", "--features", "random")
    expected = f"error: The metrics {command} require at least {least} samples and {least} examples of the data, got "
    assert code == 2 and text.endswith(f"{expected}{counts}.\n"), text


def test_the_same_set_twice_is_announced(sets, capsys):
    same = "  The two sets have equal features, so they are probably the same images.\n"
    for command, value in (("fid", "fd_random 0\n"), ("prdc", "precision 1\n")):
        code, text = run_console(capsys, command, "a", "a", "--features", "random", "--out", "out.json")
        assert code == 0 and value in text and same in text, text
        assert json.loads((sets / "out.json").read_text())["protocol"]["equal_features"] is True
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(sets / "a" / "8.png")
    code, text = run_console(capsys, "fid", "a", "one", "--features", "random", "--count", 2)
    assert same not in text


@pytest.mark.filterwarnings("ignore:The covariance", "ignore:a has no labels")
def test_the_library_refuses_and_announces_the_same_sets(sets):
    with pytest.raises(ValueError, match="gan belongs to the run gan, and its images are sample grids"):
        jaxgan.fid("gan", "a")
    with pytest.raises(ValueError, match=r"`data` 'gan\.jaxgan' is an exported generator"):
        jaxgan.fid("a", "gan.jaxgan")
    found = jaxgan.fid("a", "a")
    assert float(found) == 0 and "The two sets have equal features" in repr(found)


def test_a_run_is_not_data_to_train_on(sets):
    with pytest.raises(ValueError, match="gan belongs to the run gan"):
        jaxgan.data.load("gan")
