"""Tests of the small classifier: its training, its cache, and the metrics of its features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.data import Arrays, NamedArrays
from jaxgan.evaluation import classifier, extractors, scores
from jaxgan.evaluation.classifier import Classifier, ClassifierNetwork, TrainingSize, train_classifier

RNG = np.random.default_rng(0)


def stripes(count=400, noise=40) -> Arrays:
    """Return images of two classes, with a bright left half or a bright right half."""
    labels = RNG.integers(2, size=count).astype(np.int32)
    images = RNG.integers(0, noise, (count, 8, 8, 1))
    for image, label in zip(images, labels):
        image[:, 4 * label : 4 * label + 4] += 200
    return Arrays(images.astype(np.uint8), labels, "stripes", ("left", "right"))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(classifier, "STEPS", (40, 40))


@pytest.fixture(scope="module")
def data():
    return stripes()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("classifiers") / "deep"


@pytest.fixture
def trained(data, cache):
    """A classifier that is trained in the first test and read from the cache in the others."""
    return train_classifier(data, cache=cache)


@pytest.mark.integration
def test_classifier_learns_the_classes_and_records_its_accuracy(data, trained):
    assert trained.protocol["accuracy"] == 1.0 and trained.protocol["trained_on"] == "stripes"
    assert trained.accuracy(stripes()) == 1.0
    features = trained(data.images)
    assert features.shape == (400, 64) and features.dtype == np.float32
    assert np.sqrt(np.square(features).mean()) == pytest.approx(1, abs=0.1)  # the KID's kernel expects this scale
    floats = data.images / 127.5 - 1
    np.testing.assert_allclose(trained(floats), features, atol=1e-5)
    np.testing.assert_allclose(trained.unrounded(floats), features, atol=1e-4)
    between = floats.astype(np.float32)[:4] * 0.999
    assert np.abs(trained.unrounded(between) - trained(between)).max() > 1e-6  # not rounded
    assert trained.logits(data.images[:3]).shape == (3, 2)


@pytest.mark.integration
def test_cache_distinguishes_numbers_of_steps(data, trained, cache):
    earlier = set(cache.iterdir())
    longer = train_classifier(data, cache=cache, steps=41)
    assert len(set(cache.iterdir()) - earlier) == 1 and longer.protocol["weights"] != trained.protocol["weights"]
    default_steps = train_classifier(data, cache=cache, steps=40)
    assert default_steps.protocol["weights"] == trained.protocol["weights"]


@pytest.mark.integration
def test_small_data_sets_use_fewer_steps_and_smaller_batches(monkeypatch):
    """With 640 images or more, the number of steps and the batch size are the usual ones of recorded metrics."""
    monkeypatch.setattr(classifier, "STEPS", (1000, 3000))
    sizes = [classifier._training_size(count) for count in (4, 20, 639, 640, 1618, 60_000)]
    assert sizes == [
        TrainingSize(100, 8, False),
        TrainingSize(200, 20, False),
        TrainingSize(998, 128, False),
        TrainingSize(1000, 128, True),
        TrainingSize(1000, 128, True),
        TrainingSize(3000, 128, True),
    ]
    calls = []
    small = stripes(22)
    trained = train_classifier(small, progress=lambda *call: calls.append(call))
    assert calls[0] == (classifier.TRAINING, 0, 200, "steps") and calls[-1] == (classifier.TRAINING, 200, 200, "steps")
    assert len(calls) == 201 and trained.accuracy(stripes()) > 0.95
    noise = RNG.integers(0, 256, (200, 8, 8, 1), np.uint8)
    assert (trained._apply(noise)[1].argmax(1) == 2).mean() > 0.9


@pytest.mark.integration
def test_noise_is_classified_as_outlier(data, trained):
    """Without the class of outliers, the network classified noise as stripes, and its precision was high."""
    noise = Arrays(RNG.integers(0, 256, data.images.shape, np.uint8), data.labels, "noise", data.classes)
    found = scores.compare(noise, data, ("prdc",), trained)
    assert found["precision"] < 0.1 and found["density"] < 0.1
    logits = trained._apply(noise.images)[1]
    assert (logits.argmax(1) == 2).mean() > 0.9 and trained.logits(noise.images).shape == (400, 2)


def test_classifier_is_cached_and_reused(data, trained, cache, monkeypatch):
    calls = []
    monkeypatch.setattr(classifier, "fit", lambda *_: calls.append(1) or trained.params)
    again = train_classifier(data, cache=cache)
    assert not calls and again.protocol == trained.protocol
    np.testing.assert_array_equal(again(data.images[:9]), trained(data.images[:9]))
    train_classifier(stripes(), cache=cache)  # other data
    assert len(calls) == 1
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:2000])
    # A damaged file is replaced.
    assert train_classifier(data, cache=cache).protocol == trained.protocol and len(calls) == 2
    assert train_classifier(data, cache=cache).protocol == trained.protocol and len(calls) == 2
    # If the cache is not writable, the classifier is trained without it.
    (cache.parent / "file").write_text("not a directory")
    assert train_classifier(data, cache=cache.parent / "file" / "cache").protocol == trained.protocol


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Arrays(stripes().images, name="bare"), "bare has no labels, which are required to train the classifier"),
        (
            Arrays(np.zeros((9, 2), np.float32), np.zeros(9, np.int32), "points", ("one",)),
            r"requires images .*, but the examples of points have the shape \(2,\)",
        ),
    ],
)
def test_unsuitable_sources_raise(source, message):
    with pytest.raises(ValueError, match=message):
        train_classifier(source)


def test_images_of_another_size_raise(trained):
    with pytest.raises(ValueError, match=r"was trained on images of shape \(8, 8, 1\), got \(9, 9, 1\)"):
        trained(np.zeros((2, 9, 9, 1), np.uint8))


def test_metrics_of_the_classifier_detect_a_missing_class(data, trained):
    """The samples are of one class, so no mode is found for the other class, and ``cas`` cannot learn it."""
    ones = data.labels == 1
    halved = Arrays(data.images[ones], data.labels[ones], "halved", data.classes)
    names = ("fid", "mifid", "prdc", "authenticity", "is", "modes", "cas")
    found = scores.compare(halved, data, names, trained)
    assert found["modes"] == 1 and found["modes_kl"] == pytest.approx(np.log(2))
    assert found["cas"] == pytest.approx(ones.mean())
    assert found["is_classifier"] == pytest.approx(1, abs=0.05)
    same = scores.compare(data, data, names[:-1], trained)
    assert same["modes"] == 2 and same["modes_kl"] < 0.01
    assert same["is_classifier"] == pytest.approx(2, abs=0.1)
    assert found["recall"] < 0.7 < same["recall"]
    assert found["fd_classifier"] > 1 > same["fd_classifier"]
    assert same["authenticity"] == 0  # every sample is a copy
    assert found["protocol"]["features"] == "classifier" and found["protocol"]["is"]["splits"] == 10


def test_ms_ssim_of_samples_and_of_data(monkeypatch):
    monkeypatch.setattr(scores, "MS_SSIM_PAIRS", 8)
    flat = Arrays(np.full((6, 192, 192, 1), 90, np.uint8), name="flat")
    noise = Arrays(RNG.integers(0, 256, (6, 192, 192, 1), np.uint8), name="noise")

    class NoFeatures:
        protocol = {}  # noqa: RUF012

    found = scores.compare(flat, noise, ("ms_ssim",), NoFeatures())
    assert found["ms_ssim"] == pytest.approx(1) and found["ms_ssim_of_data"] < 0.5


def test_cas_requires_labels(data, trained):
    bare = Arrays(data.images, name="bare")
    with pytest.raises(ValueError, match=r"The metric cas requires labels, but the samples \(bare\) have none"):
        scores.compare(bare, data, ("cas",), trained)


def test_make_extractor(data, cache, trained):
    def make(*arguments):
        return extractors.make_extractor(*arguments, data, cache)

    assert isinstance(make(None, None, "tf1"), Classifier)
    with pytest.raises(ValueError, match=r"`features` must be one of classifier, random, inception-64.* got pixels"):
        make("pixels", None, "tf1")
    with pytest.raises(ValueError, match=r"`features` inception-64 requires .* as `weights`"):
        make("inception-64", None, "tf1")
    with pytest.raises(ValueError, match="`weights` are for Inception's features, but `features` is classifier"):
        make("classifier", "weights.pth", "tf1")


def test_network_has_a_logit_for_outliers_and_supports_small_images():
    for shape in ((8, 8, 1), (28, 28, 3), (7, 9, 1)):
        network, images = ClassifierNetwork(5), jnp.zeros((2, *shape))
        features, logits = jax.eval_shape(network.init_with_output, jax.random.key(0), images)[0]
        assert (features.shape, logits.shape) == ((2, 64), (2, 6))


def test_files_of_the_cache_return_what_was_written_for_the_same_data(tmp_path):
    path = tmp_path / "folder" / "x.npz"
    assert classifier.read_cached(path) is None
    classifier.write_cached(path, {"params": {"a": {"b": np.arange(3)}, "c": np.ones(2)}, "accuracy": 0.5})
    found = classifier.read_cached(path)
    assert found is not None and found["accuracy"] == 0.5
    assert found["params"]["a"]["b"].tolist() == [0, 1, 2] and found["params"]["c"].tolist() == [1, 1]
    rows = np.zeros((3000, 2))
    changed = rows.copy()
    changed[1] = 1  # not one of the evenly spaced examples
    digests = [classifier.digest_source(NamedArrays({"series": x}, "x")) for x in (rows, rows.copy(), changed)]
    assert digests[0] == digests[1] != digests[2]
