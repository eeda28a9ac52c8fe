"""The small classifier: what it learns, that it is kept, and what metrics make of its features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.data import Arrays
from jaxgan.evaluation import classifier, extractors, scores
from jaxgan.evaluation.classifier import Classifier, ClassifierNetwork, TrainingSize, train_classifier

RNG = np.random.default_rng(0)


def stripes(count=400, noise=40) -> Arrays:
    """Images of two classes: a bright left, or a bright right half."""
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
def whole(data, cache):
    """Trained once, then read."""
    return train_classifier(data, cache=cache)


@pytest.mark.integration
def test_it_learns_and_tells_how_well(data, whole):
    assert whole.protocol["accuracy"] == 1.0 and whole.protocol["trained_on"] == "stripes"
    assert whole.accuracy(stripes()) == 1.0
    features = whole(data.images)
    assert features.shape == (400, 64) and features.dtype == np.float32
    assert np.sqrt(np.square(features).mean()) == pytest.approx(1, abs=0.1)  # what the KID's kernel is made for
    floats = data.images / 127.5 - 1
    np.testing.assert_allclose(whole(floats), features, atol=1e-5)
    np.testing.assert_allclose(whole.unrounded(floats), features, atol=1e-4)
    between = floats.astype(np.float32)[:4] * 0.999
    assert np.abs(whole.unrounded(between) - whole(between)).max() > 1e-6  # not rounded
    assert whole.logits(data.images[:3]).shape == (3, 2)


@pytest.mark.integration
def test_another_number_of_steps_is_another_classifier(data, whole, cache):
    kept = set(cache.iterdir())
    longer = train_classifier(data, cache=cache, steps=41)
    assert len(set(cache.iterdir()) - kept) == 1 and longer.protocol["weights"] != whole.protocol["weights"]
    as_by_default = train_classifier(data, cache=cache, steps=40)
    assert as_by_default.protocol["weights"] == whole.protocol["weights"]


@pytest.mark.integration
def test_small_sets_are_trained_on_for_fewer_steps_of_smaller_batches(monkeypatch):
    """From 640 images on it is the training that published figures were measured with."""
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
    told = []
    small = stripes(22)
    trained = train_classifier(small, progress=lambda *step: told.append(step))
    assert told[0] == (classifier.TRAINING, 0, 200, "steps") and told[-1] == (classifier.TRAINING, 200, 200, "steps")
    assert len(told) == 201 and trained.accuracy(stripes()) > 0.95
    noise = RNG.integers(0, 256, (200, 8, 8, 1), np.uint8)
    assert (trained._apply(noise)[1].argmax(1) == 2).mean() > 0.9


@pytest.mark.integration
def test_noise_is_none_of_the_classes(data, whole):
    """To a judge that had seen stripes alone noise was a stripe: metrics put it among the reals."""
    noise = Arrays(RNG.integers(0, 256, data.images.shape, np.uint8), data.labels, "noise", data.classes)
    found = scores.compare(noise, data, ("prdc",), whole)
    assert found["precision"] < 0.1 and found["density"] < 0.1
    every = whole._apply(noise.images)[1]
    assert (every.argmax(1) == 2).mean() > 0.9 and whole.logits(noise.images).shape == (400, 2)


def test_it_is_kept_and_known_again(data, whole, cache, monkeypatch):
    calls = []
    monkeypatch.setattr(classifier, "fit", lambda *_: calls.append(1) or whole.params)
    again = train_classifier(data, cache=cache)
    assert not calls and again.protocol == whole.protocol
    np.testing.assert_array_equal(again(data.images[:9]), whole(data.images[:9]))
    train_classifier(stripes(), cache=cache)  # other data
    assert len(calls) == 1
    for kept in cache.iterdir():
        kept.write_bytes(kept.read_bytes()[:2000])
    assert train_classifier(data, cache=cache).protocol == whole.protocol and len(calls) == 2  # of a damaged file anew
    assert train_classifier(data, cache=cache).protocol == whole.protocol and len(calls) == 2
    (cache.parent / "file").write_text("in the way")
    assert (
        train_classifier(data, cache=cache.parent / "file" / "cache").protocol == whole.protocol
    )  # no cache, no error


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (Arrays(stripes().images, name="bare"), "bare: no labels, which the classifier's features need"),
        (Arrays(np.zeros((9, 2), np.float32), np.zeros(9, np.int32), "points", ("one",)), "a classifier takes images"),
    ],
)
def test_what_cannot_be_learned(source, told):
    with pytest.raises(ValueError, match=told):
        train_classifier(source)


def test_images_of_another_size(whole):
    with pytest.raises(ValueError, match=r"was trained on images of shape \(8, 8, 1\), got \(9, 9, 1\)"):
        whole(np.zeros((2, 9, 9, 1), np.uint8))


def test_every_metric_that_needs_no_weights(data, whole):
    """Samples that are of one class alone: no mode is found for the other, and nothing is learned of it."""
    ones = data.labels == 1
    halved = Arrays(data.images[ones], data.labels[ones], "halved", data.classes)
    names = ("fid", "mifid", "prdc", "authenticity", "is", "modes", "cas")
    found = scores.compare(halved, data, names, whole)
    assert found["modes"] == 1 and found["modes_kl"] == pytest.approx(np.log(2))
    assert found["cas"] == pytest.approx(ones.mean())
    assert found["is_classifier"] == pytest.approx(1, abs=0.05)
    same = scores.compare(data, data, names[:-1], whole)
    assert same["modes"] == 2 and same["modes_kl"] < 0.01
    assert same["is_classifier"] == pytest.approx(2, abs=0.1)
    assert found["recall"] < 0.7 < same["recall"]
    assert found["fd_classifier"] > 1 > same["fd_classifier"]
    assert same["authenticity"] == 0  # copies, every one
    assert found["protocol"]["features"] == "classifier" and found["protocol"]["is"]["splits"] == 10


def test_ms_ssim_of_samples_and_of_data(monkeypatch):
    monkeypatch.setattr(scores, "MS_SSIM_PAIRS", 8)
    flat = Arrays(np.full((6, 192, 192, 1), 90, np.uint8), name="flat")
    noise = Arrays(RNG.integers(0, 256, (6, 192, 192, 1), np.uint8), name="noise")

    class None_:
        protocol = {}  # noqa: RUF012

    found = scores.compare(flat, noise, ("ms_ssim",), None_())
    assert found["ms_ssim"] == pytest.approx(1) and found["ms_ssim_of_data"] < 0.5


def test_classes_that_are_not_there(data, whole):
    bare = Arrays(data.images, name="bare")
    with pytest.raises(ValueError, match="cas: the samples, bare, have no labels"):
        scores.compare(bare, data, ("cas",), whole)


def test_features_by_name(data, cache, whole):
    def named(*how):
        return extractors.make_extractor(*how, data, cache)

    assert isinstance(named(None, None, "tf1"), Classifier)
    with pytest.raises(ValueError, match=r"`features` must be one of classifier, inception-64.* got pixels"):
        named("pixels", None, "tf1")
    with pytest.raises(ValueError, match="`features` inception-64 needs `weights`"):
        named("inception-64", None, "tf1")
    with pytest.raises(ValueError, match="`weights` are Inception's"):
        named("classifier", "weights.pth", "tf1")


def test_the_network_has_one_logit_more_than_classes_and_takes_small_images():
    for shape in ((8, 8, 1), (28, 28, 3), (7, 9, 1)):
        network, images = ClassifierNetwork(5), jnp.zeros((2, *shape))
        features, logits = jax.eval_shape(network.init_with_output, jax.random.key(0), images)[0]
        assert (features.shape, logits.shape) == ((2, 64), (2, 6))
