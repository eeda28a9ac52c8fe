"""Tests of the cache of decoded images: it returns the bytes of the files, and decodes each file once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.files import encoded, folder
from PIL import Image

from jaxgan.data import Arrays, Batches, Subset, Unpaired, stream
from jaxgan.data.image_cache import CachedSource, cache_examples
from jaxgan.data.images import ImageFiles
from jaxgan.data.source import Relabelled

RNG = np.random.default_rng(0)
COUNT = 12


@pytest.fixture
def files(tmp_path):
    images = [encoded(Image.fromarray(RNG.integers(0, 256, (20, 20, 3), np.uint8)), "jpeg") for _ in range(COUNT)]
    return ImageFiles(folder(tmp_path, {f"{'cat' if i % 2 else 'dog'}/{i}.jpg": x for i, x in enumerate(images)}), 8)


@pytest.fixture
def decoded(monkeypatch):
    """Return a list of the indices that are decoded."""
    read, indices = ImageFiles.read, []

    def recorded(self, rows):
        indices.extend(rows)
        return read(self, rows)

    monkeypatch.setattr(ImageFiles, "read", recorded)
    return indices


def equal(one, other):
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one
    )


def test_cached_batches_are_equal_to_the_files_and_decode_each_file_once(files, decoded):
    expected = [Batches(files, 5, seed=3)[step] for step in range(10)]
    decoded.clear()
    cached, line = cache_examples(files, 10**6)
    assert line == "image files are decoded once and cached in memory: they need 2.35 kB, and the cache may use 1.00 MB"
    decoded.clear()
    found = [Batches(cached, 5, seed=3)[step] for step in range(10)]
    assert all(map(equal, expected, found))
    assert sorted(decoded) == list(range(COUNT))
    assert (cached.name, cached.shape, cached.classes, len(cached)) == (files.name, (8, 8, 3), ("cat", "dog"), COUNT)
    assert repr(cached).endswith("examples of shape [8, 8, 3], 12 of them cached, 2 classes (cat, dog)")


def test_threads_that_share_a_cache_read_the_bytes_of_the_files(files):
    expected = [Batches(files, 4, seed=1)[step] for step in range(40)]
    assert all(map(equal, expected, stream(Batches(CachedSource(files), 4, seed=1), 0, 40, ahead=8)))
    cached = CachedSource(files)
    with ThreadPoolExecutor(8) as pool:
        rows = [RNG.integers(0, COUNT, 6) for _ in range(60)]
        assert all(map(equal, map(files.read, rows), pool.map(cached.read, rows)))


def test_a_cache_is_used_only_if_all_examples_fit(files, monkeypatch):
    needed = COUNT * (8 * 8 * 3 + 4)
    for limit, is_cached in ((needed, True), (needed - 1, False), (0, False)):
        source, line = cache_examples(files, limit)
        assert isinstance(source, CachedSource) == is_cached
        assert ("decoded once" if is_cached else "decoded in every epoch") in line
    for memory, is_cached in ((2 * needed, True), (2 * needed - 2, False), (None, False)):
        monkeypatch.setattr("jaxgan.data.image_cache.available_memory_bytes", lambda memory=memory: memory)
        assert isinstance(cache_examples(files)[0], CachedSource) == is_cached
    monkeypatch.setattr("jaxgan.data.image_cache.available_memory_bytes", lambda: 4 * needed)
    monkeypatch.setattr("jax.process_count", lambda: 3)  # processes on one machine share its memory
    assert cache_examples(files)[0] is files


def test_a_cache_that_the_system_cannot_reserve_is_not_used(files, monkeypatch):
    def no_memory(*arguments):
        raise MemoryError

    monkeypatch.setattr(np, "empty", no_memory)
    source, line = cache_examples(files, 10**6)
    assert source is files and "in every epoch" in line


def test_only_sources_that_decode_files_are_cached(files):
    arrays = Arrays(np.zeros((4, 8, 8, 3), np.uint8))

    class Random:
        """A custom source that returns other examples whenever it is read."""

        name, classes, shape = "random", (), (8, 8, 3)

        def __len__(self):
            return 4

        def read(self, indices):
            return {"image": RNG.integers(0, 256, (len(indices), 8, 8, 3), np.uint8)}

    for source in (arrays, Random(), Subset(arrays, np.arange(2)), Unpaired(arrays, arrays)):
        assert cache_examples(source, 10**9) == (source, "")
    for source in (Subset(files, np.array([3, 1])), Relabelled(files, ("dog", "cat"))):
        cached, line = cache_examples(source, 10**9)
        assert line and equal(cached.read(np.array([1, 0])), source.read(np.array([1, 0])))
    half, line = cache_examples(Unpaired(images=arrays, inputs=files), 10**9)
    assert isinstance(half, Unpaired) and line and half.images is arrays and isinstance(half.inputs, CachedSource)
    both, _ = cache_examples(Unpaired(images=Subset(files, np.arange(4)), inputs=files), 10**9)
    rows = {"image": np.array([3, 0]), "input": np.array([7, 8])}
    assert isinstance(both, Unpaired) and equal(
        both.read(rows), Unpaired(images=Subset(files, np.arange(4)), inputs=files).read(rows)
    )
