"""Tests of the comparison of two sets of images, from Python and from the command line, and of its protocol."""

import json
import re
import tracemalloc

import numpy as np
import pytest
from helpers import files
from PIL import Image

from jaxgan import __main__ as console
from jaxgan.cli import tools
from jaxgan.data import Subset, load
from jaxgan.evaluation import (
    EXTRACTORS,
    METRICS,
    ArrayFeatures,
    FeatureExtractor,
    Metric,
    PathMetric,
    SampleStats,
    collect_stats,
    compare,
    scores,
)
from jaxgan.evaluation.extractors import array_features
from jaxgan.metrics import density_coverage, frechet_distance, kernel_distance, precision_recall

pytestmark = pytest.mark.usefixtures("few_at_a_time")

RNG = np.random.default_rng(6)


class Corners:
    """Feature extractor without weights. Its features are the four corner pixels."""

    protocol = {"features": "corners"}  # noqa: RUF012

    def __call__(self, images):
        return images[:, [0, 0, -1, -1], [0, -1, 0, -1], 0].astype(np.float32)


def npz(path, images):
    np.savez(path, images=images)
    return str(path)


@pytest.fixture
def sets(tmp_path):
    one, two = RNG.integers(0, 200, (110, 6, 6, 3), np.uint8), RNG.integers(100, 255, (130, 6, 6, 3), np.uint8)
    return load(npz(tmp_path / "one.npz", one)), load(npz(tmp_path / "two.npz", two)), one, two


def test_compare_equals_the_single_metrics(sets, monkeypatch):
    monkeypatch.setattr("jaxgan.evaluation.scores.KID_SUBSET", 50)
    samples, data, one, two = sets
    x, y = Corners()(one), Corners()(two)
    found = compare(samples, data, ("fid", "kid", "prdc"), Corners())
    assert found["fd_corners"] == pytest.approx(frechet_distance(x, y), rel=1e-9)
    assert (found["kd_corners"], found["kd_corners_std"]) == tuple(kernel_distance(x, y, size=50))
    assert (found["precision"], found["recall"]) == tuple(precision_recall(y, x, k=5))
    assert (found["density"], found["coverage"]) == tuple(density_coverage(y, x, k=5))
    # Read the images in several batches. Only the moments of each batch are stored.
    monkeypatch.setattr("jaxgan.evaluation.scores.READ_BATCH", 64)
    assert compare(samples, data, ("fid",), Corners())["fd_corners"] == pytest.approx(found["fd_corners"], rel=1e-9)
    protocol = found["protocol"]
    assert protocol["samples"] == {"name": samples.name, "count": 110, "shape": [6, 6, 3]}
    assert protocol["features"] == "corners" and protocol["prdc"] == {"neighbours": 5}
    assert json.loads(json.dumps(protocol)) == protocol


class Endless:
    """A source that generates its images when they are read, like a folder that is too large for the memory."""

    name, classes, shape = "endless", (), (32, 32, 3)

    def __init__(self, count):
        self._count = count

    def __len__(self):
        return self._count

    def read(self, indices):
        return {"image": np.random.default_rng(indices[0]).integers(0, 256, (len(indices), *self.shape), np.uint8)}


def test_memory_of_fid_does_not_grow_with_the_number_of_images():
    """With five times as many images (6.3 MB more), the peak memory grows by less than 0.2 MB."""
    peaks = []
    for count in (512, 2560):
        tracemalloc.start()
        compare(Endless(count), Endless(count), ("fid",), Corners())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2e5


def test_count_selects_evenly_spaced_examples(sets):
    samples, data, one, two = sets
    found = compare(samples, data, ("fid",), Corners(), count=70)
    assert found["fd_corners"] == pytest.approx(
        frechet_distance(Corners()(one[np.arange(70) * 110 // 70]), Corners()(two[np.arange(70) * 130 // 70]))
    )
    assert found["protocol"]["data"]["count"] == 70
    with pytest.raises(ValueError, match="`count` must be at least 2, got 1"):
        compare(samples, data, ("fid",), Corners(), count=1)
    with pytest.raises(ValueError, match=r"`metrics` must be one or more of fid, kid, mifid, prdc.* got fud"):
        compare(samples, data, ("fid", "fud"), Corners())
    with pytest.warns(UserWarning, match="kid uses subsets of 70 images|each subset is the complete set"):
        compare(samples, data, ("kid",), Corners(), count=70)
    with pytest.raises(
        ValueError, match="fid, prdc require at least 6 samples and 6 examples of the data, got 5 and 5"
    ):
        compare(samples, data, ("fid", "prdc"), Corners(), count=5)


def test_negative_kid_is_explained(sets, monkeypatch):
    monkeypatch.setattr("jaxgan.evaluation.scores.KID_SUBSET", 50)
    _, data, *_ = sets
    with pytest.warns(UserWarning, match=r"kid is below 0, .* these images show no difference between the sets\."):
        assert compare(data, data, ("kid",), Corners())["kd_corners"] < 0


def test_custom_metric(sets, monkeypatch):
    def spread(samples: SampleStats, data: SampleStats):
        return {"spread": float(samples.features.std() / data.features.std())}

    def protocol(samples, data):
        return {"counts": [samples, data]}

    monkeypatch.setitem(METRICS, "spread", Metric(spread, min_count=120, protocol=protocol))
    samples, data, *_ = sets
    found = compare(data, data, ("spread",), Corners())
    assert found["spread"] == 1 and found["protocol"]["spread"] == {"counts": [130, 130]}
    assert scores.min_count(("spread", "prdc")) == 120 and scores.min_count(("prdc",)) == 6
    assert scores.min_count(("l1",)) == 0
    with pytest.raises(ValueError, match="require at least 120 samples and 120 examples of the data, got 110 and 130"):
        compare(samples, data, ("spread",), Corners())


def test_collect_stats_reads_the_data_once_for_several_comparisons(sets):
    samples, data, *_ = sets
    features: FeatureExtractor = Corners()
    stats = collect_stats(data, ("fid", "prdc"), features)
    assert isinstance(stats, SampleStats)
    assert stats.features.shape == (130, 4) and stats.moments.count == 130 and stats.images is stats.logits is None
    whole = compare(samples, data, ("fid", "prdc"), Corners())
    read = []
    again = compare(samples, stats, ("fid", "prdc"), Corners(), progress=lambda name, *_: read.append(name))
    assert again == whole and set(read) == {samples.name}


def test_features_are_required_and_must_have_a_name(sets):
    class Nameless(Corners):
        protocol = {}  # noqa: RUF012

    samples, data, *_ = sets
    with pytest.raises(ValueError, match="`features` must be a feature extractor for the metrics fid, got None"):
        compare(samples, data, ("fid",), None)
    with pytest.raises(ValueError, match="must contain the name of its network"):
        compare(samples, data, ("fid",), Nameless())


def test_command_line_offers_every_extractor():
    assert tools.EXTRACTORS == EXTRACTORS


def test_progress_is_reported_after_each_batch(sets, monkeypatch):
    monkeypatch.setattr("jaxgan.evaluation.scores.READ_BATCH", 64)
    samples, data, *_ = sets
    calls = []
    compare(samples, data, ("fid",), Corners(), count=120, progress=lambda *call: calls.append(call))
    name = data.name
    assert calls == [(samples.name, 64, 110), (samples.name, 110, 110), (name, 64, 120), (name, 120, 120)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with images, an .npz file with samples, and random weights for the layer with 64 features."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "photos").mkdir()
    for i in range(7):
        Image.fromarray(RNG.integers(0, 200, (9, 9, 3), np.uint8)).save(folder / "photos" / f"{i}.png")
    npz(folder / "samples.npz", RNG.uniform(-1, 1, (8, 9, 9, 3)).astype(np.float32))
    files.inception(folder / "weights.npz")
    return folder


def run(capsys, folder, *arguments):
    try:
        words = [str(folder / word) if word.endswith(("photos", ".npz")) else word for word in map(str, arguments)]
        console.main(words)
        code = 0
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


FEATURES = ("--weights", "weights.npz", "--features", "inception-64")


@pytest.mark.integration
def test_fid_on_the_command_line(folder, capsys):
    out = folder / "deep" / "fid.json"
    code, stdout, stderr = run(capsys, folder, "fid", "samples.npz", "photos", *FEATURES, "--out", out)
    assert code == 0
    assert "warning: " in stderr and "is not the file of pytorch-fid or torch-fidelity" in stderr
    written = json.loads(out.read_text())
    lines = stdout.splitlines()
    assert lines[0] == f"fid_64 {written['fid_64']:.6g}"
    assert lines[1].startswith("  8 of ") and " against 7 of " in lines[1]
    assert lines[2].startswith("  inception-v3-2015-12-05, layer 64, weights ") and lines[2].endswith(", resize tf1")
    assert written["protocol"]["weights"].startswith(lines[2].split("weights ")[1][:8])
    _, same, _ = run(capsys, folder, "fid", "photos", "photos", *FEATURES)
    assert abs(float(same.split()[1])) < 1e-3 * written["fid_64"]
    _, clean, _ = run(capsys, folder, "fid", "samples.npz", "photos", *FEATURES, "--resize", "clean")
    assert float(clean.split()[1]) != pytest.approx(written["fid_64"], rel=1e-3)


@pytest.mark.integration
def test_kid_and_prdc_on_the_command_line(folder, capsys):
    code, stdout, stderr = run(capsys, folder, "kid", "samples.npz", "photos", *FEATURES)
    assert code == 0 and [line.split()[0] for line in stdout.splitlines()[:2]] == ["kid_64", "kid_64_std"]
    assert "kid uses subsets of 7 images" in stderr
    code, stdout, _ = run(capsys, folder, "prdc", "samples.npz", "photos", *FEATURES)
    assert code == 0
    assert [line.split()[0] for line in stdout.splitlines()[:4]] == ["precision", "recall", "density", "coverage"]
    _, _, stderr = run(capsys, folder, "fid", "samples.npz", "photos", *FEATURES, "--count", 6)
    assert (
        "The covariance of the first set is singular, because the set has only 6 examples for 64 dimensions" in stderr
    )


@pytest.mark.integration
def test_progress_is_printed_to_stderr(folder, capsys, monkeypatch):
    arguments = ("fid", "samples.npz", "photos", *FEATURES)
    monkeypatch.setattr("jaxgan.monitoring.terminal.READING_LINES_EVERY", 0)
    _, stdout, stderr = run(capsys, folder, *arguments)
    lines = [line for line in stderr.splitlines() if line.endswith("processed")]
    assert [line.split(": ")[1] for line in lines] == ["8 of 8 processed", "7 of 7 processed"]
    assert "processed" not in stdout
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then treats the output as a terminal
    _, same, stderr = run(capsys, folder, *arguments)
    assert same == stdout and "8/8" in stderr and "7/7" in stderr and " processed" not in stderr


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fid", "none.npz", "photos", *FEATURES), "none.npz' does not exist"),
        (("fid", "samples.npz", "photos", "--weights", "none.pth"), "--weights none.pth cannot be read: No such file"),
        (
            ("fid", "samples.npz", "photos", "--weights", "weights.npz"),
            "which layer 2048 of Inception requires, are missing from the file",
        ),
        (("fid", "samples.npz", "photos", *FEATURES, "--count", 1), "--count must be at least 2, got 1"),
        (("fid", "samples.npz", "photos"), "--features inception-2048 requires the file with Inception's weights"),
        (("fid", "samples.npz", "photos", "--features", "classifier"), "no labels, which are required to train"),
        (("fid", "weights.npz", "photos", *FEATURES), "has no array 'images'"),
        (("doctors",), r"`jaxgan` has no command 'doctors'\. Did you mean `jaxgan doctor`\?"),
    ],
)
def test_errors_on_the_command_line(arguments, message, folder, capsys):
    code, stdout, stderr = run(capsys, folder, *arguments)
    assert code == (1 if "No such file" in stderr else 2) and not stdout and "Traceback" not in stderr
    assert re.search(message, " ".join(stderr.split())), stderr


class Rows:
    """Rows of a table with other names than images, one of which is an integer."""

    name, classes, shape = "rows", (), (3,)

    def __init__(self, seed):
        self.values = np.random.default_rng(seed).normal(size=(150, 3))

    def __len__(self):
        return 150

    def read(self, indices):
        return {"row": self.values[indices], "age": np.asarray(indices) + 2**40}


def test_examples_with_other_names_are_compared_with_metrics_of_their_own(monkeypatch):
    """The metric receives all arrays of a batch with their types, in the order of the source."""
    monkeypatch.setattr("jaxgan.evaluation.scores.READ_BATCH", 64)

    def older(samples: SampleStats, data: SampleStats):
        assert samples.arrays["age"].dtype == np.int64 and samples.features is None
        np.testing.assert_array_equal(samples.arrays["row"], Rows(0).values)
        return {"older": float((samples.arrays["age"] > data.arrays["age"].mean()).mean())}

    known = {"older": Metric(older, needs=("arrays",)), "fid": METRICS["fid"]}
    found = compare(Rows(0), Rows(1), ("older",), None, key="row", known=known)
    assert found["older"] == 0.5 and "features" not in found["protocol"]
    distance = compare(Rows(0), Rows(1), ("fid",), ArrayFeatures("rows"), key="row", known=known)
    expected = frechet_distance(Rows(0).values.astype(np.float32), Rows(1).values.astype(np.float32))
    assert distance["fd_rows"] == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="`metrics` must be one or more of older, fid, got kid"):
        compare(Rows(0), Rows(1), ("kid",), None, key="row", known=known)
    with pytest.raises(ValueError, match=r"require at least 2 samples .* got 150 and 1"):
        compare(Rows(0), Subset(Rows(1), np.arange(1)), ("older",), None, key="row", known=known)
    assert isinstance(scores.IMAGE_METRICS["ppl"], PathMetric)
    assert scores.min_count(("older",), known) == 2 and scores.min_count(("l1", "ppl"), scores.IMAGE_METRICS) == 0


def test_arrays_have_no_other_features_and_no_logits():
    features = array_features("points", None, None)
    assert features.protocol == {"features": "points"} == array_features("points", "points", None).protocol
    np.testing.assert_array_equal(features.unrounded(np.ones((2, 2, 2))), np.ones((2, 4)))
    with pytest.raises(ValueError, match="The features points have no logits, which metrics of classes need"):
        features.logits(np.ones((2, 2)))
    with pytest.raises(ValueError, match="`features` must be points for these examples, or not set, got random"):
        array_features("points", "random", None)
    with pytest.raises(ValueError, match="`weights` are for Inception's features of images, but the features are poin"):
        array_features("points", None, "weights.pth")
