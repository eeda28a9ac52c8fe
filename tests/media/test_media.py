"""A battery of tests that every medium passes, and tests of the choice of a medium for arrays and files."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import media
from jaxgan.data import Arrays, normalize
from jaxgan.drawing import render_points, render_solids, render_turning
from jaxgan.evaluation import ArrayFeatures, scores
from jaxgan.evaluation.random_network import RandomFeatures
from jaxgan.experiment import quality
from jaxgan.media import Images, Medium, Pairs, Points, RawArrays, Voxels, points
from jaxgan.media.medium import coarse_pixels

RNG = np.random.default_rng(0)
COUNT = 6


def examples(*shape):
    return RNG.integers(0, 256, (COUNT, *shape)).astype(np.uint8)


# Each medium with the examples of a batch in the units of the data.
CASES = {
    "images": (Images(), examples(8, 6, 3)),
    "pairs": (Pairs(), examples(8, 8, 1)),
    "points": (Points(), RNG.uniform(-1, 1, (COUNT, 2)).astype(np.float32)),
    "vectors": (Points(), RNG.normal(size=(COUNT, 7)).astype(np.float32)),
    "voxels": (Voxels(1), examples(4, 4, 4, 1)),
}
every_medium = pytest.mark.parametrize("name", CASES)


def samples_of(medium, batch):
    return np.asarray(medium.normalize({medium.key: batch})[medium.key])


@every_medium
def test_decode_is_the_inverse_of_normalize(name):
    medium, batch = CASES[name]
    labels = np.arange(COUNT, dtype=np.uint8)
    normalized = jax.jit(medium.normalize)({medium.key: batch, "label": labels, "number": np.arange(COUNT)})
    np.testing.assert_array_equal(normalized["label"], labels)
    assert normalized["number"].dtype == np.int32 and normalized["label"].dtype == np.uint8
    assert normalized[medium.key].dtype == np.float32
    decoded = medium.decode(np.asarray(normalized[medium.key]))
    assert list(decoded) == [medium.key] and decoded[medium.key].dtype == batch.dtype
    np.testing.assert_array_equal(decoded[medium.key], batch)
    source = Arrays(batch)
    assert media.normalized_shape(medium, source) == batch.shape[1:]
    medium.check(source)


@every_medium
def test_a_view_is_a_picture_of_each_sample_or_of_all(name):
    medium, batch = CASES[name]
    samples = samples_of(medium, batch)
    for drawn in (medium.view(samples), medium.film(samples)):
        if name == "vectors":
            assert drawn is None and media.picture(medium, samples) is None
        else:
            assert drawn.ndim == 4 and len(drawn) == (COUNT if medium.tiles else 1) and drawn.shape[-1] in (1, 3)
            assert drawn.dtype == np.uint8 or np.abs(drawn).max() <= 1
            sheet = media.picture(medium, samples, 3)
            np.testing.assert_array_equal(sheet, media.make_grid(medium.view(samples), 3 if medium.tiles else None))
            wrong = np.where(np.arange(samples.size).reshape(samples.shape) % 5, samples, np.nan)
            assert media.picture(medium, wrong, 3).shape == sheet.shape


@every_medium
def test_samples_are_written_with_every_suffix(name, tmp_path):
    medium, batch = CASES[name]
    samples, labels = samples_of(medium, batch), np.arange(COUNT) % 2
    for suffix in medium.suffixes:
        path, frames = tmp_path / "new" / f"a{suffix}", COUNT if suffix in media.ANIMATIONS else 1
        if name == "vectors" and suffix != ".npz":
            with pytest.raises(
                ValueError, match=r"`out` must be an \.npz file, because samples of shape \(7,\) are not"
            ):
                medium.save(path, samples, "jaxgan", labels, frames=frames)
            continue
        medium.save(path, samples, "jaxgan", labels, frames=frames)
        if suffix == ".npz":
            with np.load(path) as found:
                assert set(found) == {"images", "labels"} and found["images"].dtype == np.float32
                np.testing.assert_array_equal(found["images"], samples)
                np.testing.assert_array_equal(found["labels"], labels)
        else:
            with Image.open(path) as found:
                assert getattr(found, "n_frames", 1) == frames
    with pytest.raises(OSError, match=r"`out` .* cannot be written"):
        medium.save(tmp_path / "new" / "a.npz" / "b.npz", samples, "jaxgan")
    with pytest.raises(ValueError, match="wav"):
        medium.save(tmp_path / "a.wav", samples, "jaxgan")


@every_medium
def test_a_record_restores_the_medium(name):
    medium, batch = CASES[name]
    found = json.loads(json.dumps(media.record(medium)))
    assert media.from_record(found, batch.shape[1:]) == medium and dataclasses.is_dataclass(medium)
    assert isinstance(medium.noun, str) and isinstance(medium.values, str) and medium.suffixes[0] == ".png"


@every_medium
def test_metrics_and_features_exist(name):
    medium, batch = CASES[name]
    assert set(medium.default_metrics) <= set(medium.metrics)
    features = medium.features(Arrays(batch), "random" if isinstance(medium, Images) else None)
    found = features(batch)
    assert found.shape[0] == COUNT and np.isfinite(found).all()
    coarse = medium.coarse(samples_of(medium, batch))
    np.testing.assert_array_equal(coarse, coarse_pixels(samples_of(medium, batch)))
    assert medium.compare({medium.key: batch}, {medium.key: batch}) == {}


def test_images_have_all_metrics_and_the_extractors_of_images():
    assert tuple(Images().metrics) == quality.METRICS
    assert isinstance(Images().features(Arrays(CASES["images"][1]), "random"), RandomFeatures)


def test_points_and_voxels_have_the_features_of_arrays():
    for name, medium in (("points", Points()), ("voxels", Voxels())):
        features = medium.features(Arrays(CASES[name][1]))
        assert isinstance(features, ArrayFeatures) and features.protocol == {"features": name}
        assert list(medium.metrics) == ["fid", "kid", "prdc", "authenticity"]
        with pytest.raises(ValueError, match=f"`features` must be {name}.*got random"):
            medium.features(Arrays(CASES[name][1]), "random")
    cubes = CASES["voxels"][1]
    np.testing.assert_array_equal(features(cubes), features(np.asarray(normalize({"image": cubes})["image"])))


def test_media_refuse_other_examples():
    wrong = Arrays(np.zeros((3, 2, 2, 2, 2, 2), np.float32))
    for medium, words in ((Images(), "images, of shape"), (Points(), "points: ring"), (Voxels(), "cubes of voxels")):
        with pytest.raises(ValueError, match=words):
            medium.check(wrong)
    with pytest.raises(ValueError, match="`up_axis` must be 0, 1 or 2, got 3"):
        Voxels(3)


def test_points_and_solids_are_rendered():
    points, cubes = CASES["points"][1], samples_of(*CASES["voxels"])
    np.testing.assert_array_equal(Points().view(points), render_points(points)[None])
    np.testing.assert_array_equal(Voxels(1).view(cubes), render_solids(cubes, up_axis=1))
    np.testing.assert_array_equal(Voxels(1).film(cubes), render_turning(cubes, up_axis=1))


def test_frames_contain_consecutive_samples(tmp_path):
    for name, side in (("images", 8), ("points", 256)):
        medium, batch = CASES[name]
        samples = samples_of(medium, batch)
        medium.save(tmp_path / "a.webp", samples, "jaxgan", frames=2, columns=1)
        with Image.open(tmp_path / "a.webp") as found:
            height = found.height
            for frame, part in enumerate(np.split(samples, 2)):
                found.seek(frame)
                expected = media.picture(medium, part, 1)
                scale = height // len(expected)
                pixels = np.asarray(found.convert("RGB"))[::scale, ::scale]
                np.testing.assert_array_equal(pixels, np.broadcast_to(expected, pixels.shape))
        assert height == (256 // 26 * 26 if side == 8 else 256)


def test_the_base_class_changes_nothing(tmp_path):
    medium, samples = Medium(), np.arange(6).reshape(2, 3)
    assert medium.normalize({"image": samples})["image"] is samples and medium.decode(samples)["image"] is samples
    assert medium.view(samples) is None and medium.film(samples) is None and not medium.metrics
    assert medium.advice(None, Arrays(np.zeros((2, 3)))) == []
    medium.save(tmp_path / "a.npz", samples, "jaxgan")
    with np.load(tmp_path / "a.npz") as found:
        np.testing.assert_array_equal(found["image"], samples)
    with pytest.raises(ValueError, match="`features` cannot be computed, because no features are defined for examples"):
        medium.features(Arrays(np.zeros((2, 3))))


def test_the_shape_of_examples_determines_the_medium():
    shapes = {(2,): Points(), (8, 8, 3): Images(), (4, 4, 4, 1): Voxels(), (4, 4, 4, 3): Images(), (5, 2): Images()}
    for shape, medium in shapes.items():
        assert media.guess(shape) == media.from_record(None, shape) == medium
    assert media.guess((8, 8, 3), paired=True) == Pairs()


def test_records_of_other_media_and_damaged_records(tmp_path):
    medium = media.from_record({"name": "days", "unit": "MW"}, (24,))
    assert medium == RawArrays() and medium.suffixes == (".npz",)
    medium.save(tmp_path / "a.npz", np.ones((2, 24)), "jaxgan")
    with np.load(tmp_path / "a.npz") as found:
        assert found["samples"].shape == (2, 24)
    for damaged in ([], {"up_axis": 1}, {"name": 3}, {"name": "voxels", "up_axis": 7}, {"name": "points", "x": 1}):
        with pytest.raises(ValueError, match=r"The record of the medium.* is damaged"):
            media.from_record(damaged, (2,))


def test_prdc_of_many_points_compares_a_random_choice(monkeypatch):
    monkeypatch.setattr(points, "PRDC_POINTS", 200)
    real, fake = (Arrays(RNG.uniform(-1, 1, (count, 2)).astype(np.float32)) for count in (500, 300))
    known = Points().metrics
    result = scores.compare(fake, real, ["prdc"], ArrayFeatures("points"), known=known)
    assert result["protocol"]["prdc"] == {"neighbours": 5, "samples": 200, "data": 200, "seed": 0}
    assert result["precision"] > 0.9 and result["coverage"] > 0.9
    draws = np.random.default_rng(0)
    chosen = [Arrays(x.images[draws.choice(len(x), 200, replace=False)]) for x in (fake, real)]
    expected = scores.compare(*chosen, ["prdc"], ArrayFeatures("points"), known=known)
    assert expected.pop("protocol")["prdc"] == {"neighbours": 5}
    assert {name: result[name] for name in expected} == expected
