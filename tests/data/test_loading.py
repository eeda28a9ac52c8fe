"""Tests of the parts that all loaders share: array files, labels, sizes, and caching in memory."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.data.array_files import load_arrays
from jaxgan.data.decoding import resize_images
from jaxgan.data.loading import (
    TOY_EXAMPLES,
    TOYS,
    as_source,
    cache_if_small,
    check_resolution,
    load,
    resize_source,
    suggest_path,
)
from jaxgan.data.source import Arrays, Subset

RNG = np.random.default_rng(4)
IMAGES = RNG.integers(0, 256, (6, 8, 8, 3), np.uint8)


def test_a_small_source_is_read_into_memory(monkeypatch):
    source = Subset(Arrays(IMAGES, name="six"), np.array([4, 1]))
    cached = cache_if_small(source)
    assert isinstance(cached, Arrays) and cached.name == "six"
    np.testing.assert_array_equal(cached.images, IMAGES[[4, 1]])
    monkeypatch.setattr("jaxgan.data.loading.IN_MEMORY_BYTES", IMAGES[:2].nbytes)
    assert isinstance(cache_if_small(source), Arrays)
    monkeypatch.setattr("jaxgan.data.loading.IN_MEMORY_BYTES", IMAGES[:2].nbytes - 1)
    assert cache_if_small(source) is source


def test_array_files_contain_images_labels_and_inputs(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    np.testing.assert_array_equal(load_arrays(tmp_path / "a.npy").images, IMAGES)
    floats = IMAGES / 127.5 - 1  # NumPy computes float64
    np.savez(tmp_path / "a.npz", images=IMAGES, inputs=floats, labels=np.arange(6, dtype=np.uint8) % 3)
    with pytest.warns(UserWarning, match="not used: inputs"):
        source = load_arrays(tmp_path / "a.npz")
    assert source.inputs is None and source.classes == ("0", "1", "2") and source.labels.dtype == np.int32
    inputs = load_arrays(tmp_path / "a.npz", paired=True).inputs
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, floats.astype(np.float32))
    np.savez(tmp_path / "b.npz", pictures=IMAGES)
    with pytest.raises(ValueError, match=r"b\.npz has no array 'images'\. It contains: pictures\."):
        load_arrays(tmp_path / "b.npz")


def test_only_uint8_images_in_memory_can_be_resized():
    source = Arrays(IMAGES, np.zeros(6, np.int32), "six", ("one",))
    smaller = resize_source(source, 4, 3)
    np.testing.assert_array_equal(smaller.images, resize_images(IMAGES, 4))
    assert (smaller.name, smaller.classes, len(smaller.labels)) == ("six", ("one",), 6)
    assert resize_source(source, 8, None) is source and resize_source(source, None, None) is source
    with pytest.raises(ValueError, match=r"`channels` must be 3 for six, got 1\. Only image files can be converted"):
        resize_source(source, 4, 1)
    floats = Arrays(IMAGES / np.float32(255) - 0.5, name="floats")
    for wrong in (floats, Subset(source, np.arange(6))):
        with pytest.raises(ValueError, match=r"have shape \(8, 8, 3\) and cannot be resized to `resolution` 4\. Only"):
            resize_source(wrong, 4, None)


def test_a_resolution_below_one_raises():
    check_resolution(None)
    check_resolution(1)
    for load_with in (check_resolution, lambda resolution: load("ring", resolution=resolution)):
        with pytest.raises(ValueError, match="`resolution` must be at least 1, got 0"):
            load_with(0)


def test_a_missing_path_suggests_the_most_similar_name(tmp_path):
    (tmp_path / "photos.zip").touch()
    assert suggest_path(tmp_path / "photo.zip") == f" Did you mean {tmp_path / 'photos.zip'}?"
    assert suggest_path(tmp_path / "x") == suggest_path(tmp_path / "no" / "photos.zip") == ""
    with pytest.raises(ValueError, match=r"`data` .* does not exist\. Did you mean .*photos\.zip\?"):
        load(str(tmp_path / "photo.zip"))


@pytest.mark.parametrize("name", TOYS)
def test_toy_data_sets_have_their_number_of_examples(name):
    assert len(load(name)) == TOY_EXAMPLES


def test_names_paths_sources_and_arrays_can_be_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", images=IMAGES)
    source = Arrays(IMAGES, name="six")
    assert as_source(source) is source
    for data in (tmp_path / "a.npz", str(tmp_path / "a.npz"), IMAGES, jnp.asarray(IMAGES), source):
        found = as_source(data)
        np.testing.assert_array_equal(found.read(np.array([3, 1]))["image"], IMAGES[[3, 1]])
        assert as_source(data, resolution=4).shape == (4, 4, 3)
    floats = as_source(IMAGES / 127.5 - 1)  # NumPy computes float64
    assert floats.shape == (8, 8, 3) and floats.read(np.arange(1))["image"].dtype == np.float32


def test_unsupported_data_raise():
    with pytest.raises(TypeError, match=r"`samples` must be a path, a name .* or an array \[N, \.\.\.\], got list"):
        as_source([IMAGES], argument="samples")


def test_float_images_may_leave_their_range_by_rounding_errors():
    images = np.array([-1.0009, 1.0009], np.float32).reshape(2, 1, 1, 1)
    np.testing.assert_array_equal(as_source(images).read(np.arange(2))["image"], images)


def test_a_device_is_not_a_data_set():
    with pytest.raises(
        ValueError, match=r"must be a folder, or a .* file, got a file without a suffix, '/dev/zero'\.$"
    ):
        load("/dev/zero")
