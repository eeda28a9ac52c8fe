"""Metrics of an experiment's samples without a run: validation, paired metrics, result files and the pixel score."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import dcgan, pix2pix
from jaxgan.data import Arrays
from jaxgan.evaluation import METRICS as SET_METRICS, scores
from jaxgan.experiment import Sampling, quality
from jaxgan.experiment.pixel_score import PixelScore
from jaxgan.media.medium import coarse_pixels
from jaxgan.metrics import psnr, ssim
from jaxgan.training.evaluator import Evaluator

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), np.uint8)


def named(*names):
    return {name: scores.IMAGE_METRICS[name] for name in names}


class Pixels:
    """Features that are pixels, so that they need no weights."""

    protocol = {"features": "pixels"}  # noqa: RUF012

    def __call__(self, images):
        return np.asarray(images, np.float32).reshape(len(images), -1)[:, ::29]

    unrounded = logits = __call__


@pytest.fixture(scope="module")
def generator():
    """Return an experiment that generates images from latents, and a state."""
    experiment = dcgan.build(dcgan.Config.tiny(), Arrays(IMAGES))
    return experiment, jax.jit(experiment.game.init)(jax.random.key(0))


@pytest.fixture(scope="module")
def translation():
    """Return an experiment that translates each of its 24 inputs to an image, and a state."""
    experiment = pix2pix.build(pix2pix.Config.tiny(), Arrays(IMAGES))
    return experiment, jax.jit(experiment.game.init)(jax.random.key(0))


def test_metrics_are_grouped_by_what_they_need():
    assert not quality.needs_features(named("l1", "psnr", "ms_ssim", "cas"))
    for name in ("fid", "is", "ppl"):
        assert quality.needs_features(named("l1", name))
    assert list(quality.set_metrics(named("psnr", "fid", "ppl", "ms_ssim"))) == ["fid", "ms_ssim"]
    assert set(quality.METRICS) == {*SET_METRICS, *scores.PAIRED_METRICS, "ppl"}


def test_unknown_metrics_and_small_counts_are_rejected():
    quality.check_metrics(quality.METRICS, 2)
    with pytest.raises(ValueError, match="`count` must be between 2 and 1,000,000, got 1"):
        quality.check_metrics(["fid"], 1)
    with pytest.raises(ValueError, match="`count` must be between 2 and 1,000,000, got 1,000,001"):
        quality.check_count(1_000_001)
    with pytest.raises(ValueError, match=r"`metrics` must be one or more of fid, .*, ssim, got no metric\."):
        quality.check_metrics([], None)
    with pytest.raises(ValueError, match=r"got fud, l3\."):
        quality.check_metrics(["fud", "fid", "l3"], None)


@pytest.mark.integration
def test_metrics_that_an_experiment_cannot_have_are_rejected(generator, translation):
    quality.validate_metrics(generator[0], ["fid", "ppl"], 1000)
    quality.validate_metrics(translation[0], ["fid", "psnr"], 24)
    with pytest.raises(
        ValueError, match="`metrics` l1, ssim cannot be computed, because they compare each sample with its target"
    ):
        quality.validate_metrics(generator[0], ["l1", "fid", "ssim"], None)
    with pytest.raises(
        ValueError, match="`metrics` ppl cannot be computed, because it needs samples that are generated from latents"
    ):
        quality.validate_metrics(translation[0], ["ppl"], None)
    with pytest.raises(ValueError, match="`count` must be at most 24, the number of images to translate, got 25"):
        quality.validate_metrics(translation[0], ["fid"], 25)
    with pytest.raises(ValueError, match="got fud"):
        quality.validate_metrics(generator[0], ["fud"], None)


@pytest.mark.integration
def test_paired_metrics_are_means_over_pairs_of_sample_and_target(translation, monkeypatch):
    monkeypatch.setattr(quality, "READ_BATCH", 7)
    experiment, state = translation
    samples = quality.SampleSource(experiment, state, 20, 0, "samples")
    drawn = samples.read(np.arange(20))["image"].astype(np.float64)
    real = experiment.reference.read(np.arange(20))["image"].astype(np.float64)
    found = quality.paired_figures(samples, experiment.reference, named("fid", "ssim", "l1", "psnr"))
    assert found["l1"] == pytest.approx(np.abs(drawn - real).mean() / 127.5)
    assert found["psnr"] == pytest.approx(psnr(drawn, real, low=0, high=255).mean())
    assert found["ssim"] == pytest.approx(ssim(drawn, real, low=0, high=255).mean())
    assert quality.paired_figures(samples, experiment.reference, named("fid")) == {}


def test_higher_is_better_is_correct_for_each_paired_metric():
    worse, better = np.full((1, 12, 12, 1), 90.0), np.full((1, 12, 12, 1), 99.0)
    target = np.full((1, 12, 12, 1), 100.0)
    for name, metric in scores.PAIRED_METRICS.items():
        assert isinstance(metric, scores.PairedMetric)
        difference = metric.measure(better, target) - metric.measure(worse, target)
        assert (difference[0] > 0) == metric.higher_is_better, name


def test_results_are_written_as_json_and_folders_are_created(tmp_path):
    quality.write_result({"fid": 2.5, "protocol": {}}, tmp_path / "deep" / "fid.json")
    assert json.loads((tmp_path / "deep" / "fid.json").read_text()) == {"fid": 2.5, "protocol": {}}
    with pytest.raises(OSError, match=r"`out` .*deep cannot be written: Is a directory"):
        quality.write_result({}, tmp_path / "deep")


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:.*is singular")
def test_rehearse_rejects_metrics_that_cannot_be_computed(generator, translation):
    experiment, state = generator
    for metrics, features in ((["fid", "ppl"], Pixels()), (["cas"], None)):
        evaluator = Evaluator(experiment, metrics, features, 20, 0)
        if "cas" in metrics:
            with pytest.raises(ValueError, match="`metrics` cas requires labels, but the samples of this"):
                evaluator.rehearse(state)
        else:
            evaluator.rehearse(state)
    with pytest.raises(ValueError, match="`count` must be at least 6 for prdc, got 5"):
        Evaluator(experiment, ["prdc"], Pixels(), 5, 0).rehearse(state)
    with pytest.raises(ValueError, match="at least 176 x 176"):
        Evaluator(experiment, ["ms_ssim"], None, 20, 0).rehearse(state)
    Evaluator(translation[0], ["psnr", "fid"], Pixels(), None, 0).rehearse(translation[1])


def test_coarse_pixels_are_means_of_blocks():
    images = np.arange(2 * 17 * 8 * 3, dtype=np.float32).reshape(2, 17, 8, 3)
    found = coarse_pixels(images)  # blocks of 3 rows and 1 column
    assert found.shape == (2, 5 * 8)
    np.testing.assert_allclose(found[1, 8 * 2 + 3], images[1, 6:9, 3].mean(), rtol=1e-6)
    points = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(coarse_pixels(points), points)
    assert coarse_pixels(np.zeros((2, 100))).shape == (2, 64)


def test_the_pixel_score_is_lower_for_samples_similar_to_the_data(generator):
    experiment, state = generator

    def score_of(generate, source=experiment.source):
        sampling = Sampling(experiment.sampling.latents, generate)
        return PixelScore(dataclasses.replace(experiment, sampling=sampling, source=source), 0)(state)

    def noise(nets, z):
        keys = jax.vmap(lambda row: jax.random.key(jax.lax.bitcast_convert_type(row[0], jnp.uint32)))(z)
        return jax.vmap(lambda key: jax.random.uniform(key, IMAGES.shape[1:], minval=-1))(keys)

    alike = score_of(noise)
    bright = score_of(lambda nets, z: noise(nets, z) / 2 + 0.5)
    assert 0 < alike < bright / 4
    assert score_of(lambda nets, z: noise(nets, z) * jnp.nan) == np.inf
    assert score_of(noise, Arrays(IMAGES[:1])) == np.inf
