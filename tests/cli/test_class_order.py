"""Tests that a run keeps the order of its classes, in which versions of jaxgan differ."""

import json
import shutil

import numpy as np
import pytest
from helpers import programs
from helpers.files import encoded

from jaxgan.cli.checkpoint_reference import MemberReference
from jaxgan.cli.experiment_program import load_program
from jaxgan.data import Arrays, Subset, load, match_classes
from jaxgan.data.source import Relabelled
from jaxgan.monitoring.run_directory import read_classes

NATURAL = tuple(map(str, range(12)))
EARLIER = tuple(sorted(NATURAL))  # 0, 1, 10, 11, 2, ...


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """Return a folder with the classes 0 to 11. Each pixel of an image has the value of its class."""
    path = tmp_path_factory.mktemp("numbered")
    for name in NATURAL:
        (path / name).mkdir()
        for i in range(2):
            (path / name / f"{i}.png").write_bytes(encoded(np.full((16, 16), int(name), np.uint8), "png"))
    return path


def label_of_each_value(source):
    batch = source.read(np.arange(len(source)))
    return {int(image[0, 0, 0]): source.classes[label] for image, label in zip(batch["image"], batch["label"])}


def test_match_classes_keeps_names():
    arrays = Arrays(np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1), np.array([0, 2, 1]), "x", ("0", "2", "10"))
    for source in (arrays, Subset(arrays, np.arange(3))):
        matched = match_classes(source, ("0", "10", "2", "unused"))
        assert matched.read(np.arange(3))["label"].tolist() == [0, 1, 2]
        assert (matched.classes, len(matched), matched.shape, matched.name) == (
            ("0", "10", "2", "unused"),
            3,
            (1, 1, 1),
            "x",
        )
        assert type(matched.read(np.arange(2))["image"]) is np.ndarray
        for unrelated in ((), ("0", "10"), source.classes):
            assert match_classes(source, unrelated) is source
    files = match_classes(Subset(arrays, np.arange(3)), ("0", "10", "2"))
    assert isinstance(files, Relabelled)  # not read into memory
    unlabelled = Arrays(np.zeros((3, 1, 1, 1), np.uint8))
    assert match_classes(unlabelled, ("a",)) is unlabelled


def test_folders_are_ordered_by_number(numbered):
    source = load(str(numbered))
    assert source.classes == NATURAL
    assert label_of_each_value(source) == {i: str(i) for i in range(12)}


@pytest.fixture(scope="module")
def earlier_run(numbered, tmp_path_factory):
    """Return a run that recorded its classes in the order of earlier versions."""
    path = programs.begun(tmp_path_factory.mktemp("runs") / "cgan", "cgan", data=str(numbered), resolution=16)
    record = json.loads((path / "config.json").read_text())
    assert record["data"]["classes"] == list(NATURAL)
    record["data"]["classes"] = list(EARLIER)
    record["data"].pop("hash")  # earlier versions recorded no hash, which depends on the labels
    (path / "config.json").write_text(json.dumps(record))
    return path


def test_a_run_is_restored_with_its_own_order(earlier_run):
    assert read_classes(earlier_run) == EARLIER and read_classes(earlier_run.parent) == ()
    experiment = MemberReference(str(earlier_run)).restore(load_program("cgan")).experiment
    assert experiment.source.classes == experiment.sampling.classes == EARLIER
    assert label_of_each_value(experiment.source) == {i: str(i) for i in range(12)}


@pytest.mark.integration
def test_a_run_is_resumed_and_sampled_with_its_own_order(earlier_run, tmp_path, capsys):
    path = shutil.copytree(earlier_run, tmp_path / "run")
    code, text = programs.run(capsys, "resume", "--run-dir", path, "--steps", 4, "--quiet", experiment="cgan")
    assert code == 0, text
    assert json.loads((path / "config.json").read_text())["data"]["classes"] == list(EARLIER)
    code, text = programs.run(
        capsys, "sample", "--run-dir", path, "--out", tmp_path / "a.npz", "--label", "10", experiment="cgan"
    )
    assert code == 0 and "class 10 (index 2)" in text, text
    assert set(np.load(tmp_path / "a.npz")["labels"].tolist()) == {2}


def test_other_classes_are_refused(earlier_run, numbered, tmp_path, capsys):
    path = shutil.copytree(earlier_run, tmp_path / "run")
    (path / "metrics.jsonl").write_text('{"step": 1}\n')
    record = json.loads((path / "config.json").read_text())
    record["data"]["classes"][3] = "eleven"
    (path / "config.json").write_text(json.dumps(record))
    code, text = programs.run(capsys, "resume", "--run-dir", path, experiment="cgan")
    assert code == 2 and "data has changed since the run" in text, text


@pytest.mark.parametrize("classes", [["00000", "00001"], []])
def test_classes_that_the_networks_do_not_use_may_differ(classes, numbered, tmp_path, capsys):
    """Earlier versions took the numbered folders of StyleGAN's data sets for classes."""
    path = programs.begun(tmp_path / "gan", "gan", data=str(numbered), resolution=8)
    (path / "metrics.jsonl").write_text('{"step": 1}\n')
    record = json.loads((path / "config.json").read_text())
    record["data"]["classes"] = classes
    for name in ("hash", "conditional", "arrays"):
        record["data"].pop(name, None)
    (path / "config.json").write_text(json.dumps(record))
    code, text = programs.run(capsys, "resume", "--run-dir", path, "--quiet", experiment="gan")
    assert code == 0, text
    assert json.loads((path / "config.json").read_text())["data"]["classes"] == list(NATURAL)
