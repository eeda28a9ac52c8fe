"""Tests of the threads that decode images: results and errors do not depend on their number."""

import os
import threading
import time

import numpy as np
import pytest
from helpers.files import encoded, folder
from PIL import Image

from jaxgan.data import pairs
from jaxgan.data.images import ImageFiles
from jaxgan.data.readers import count_readers, read_all, set_readers

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def default_number_of_readers():
    yield
    set_readers(None)


@pytest.mark.parametrize("count", [1, 3])
def test_items_are_read_in_order_by_as_many_threads_as_set(count):
    set_readers(count)
    running, most = [], []

    def read(i):
        running.append(i)
        most.append(len(running))
        time.sleep(0.002 * (i % 3))
        running.remove(i)
        return i

    assert read_all(read, range(30)) == list(range(30))
    assert max(most) == count == count_readers()
    assert read_all(read, []) == []


def test_the_default_number_is_the_number_of_cores_but_at_least_4(monkeypatch):
    for cores, readers in ((1, 4), (4, 4), (64, 64)):
        monkeypatch.setattr("jaxgan.core.system.cores", lambda cores=cores: cores)
        assert count_readers() == readers


def test_the_number_must_be_at_least_1():
    with pytest.raises(ValueError, match="`count` must be at least 1, got 0"):
        set_readers(0)


def test_the_first_error_is_raised_and_later_items_are_not_read():
    set_readers(2)
    read = []

    def fail(i):
        if i in (3, 4):
            time.sleep(0.03 * (4 - i))  # the error of item 4 occurs first
            raise ValueError(f"item {i} is damaged")
        time.sleep(0.001)
        read.append(i)

    with pytest.raises(ValueError, match="item 3 is damaged"):
        read_all(fail, range(1000))
    assert read_all(str, [0]) == ["0"]  # after the remaining items, if they were not cancelled
    assert set(read) >= {0, 1, 2} and len(read) < 500


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_process_reads_with_threads_of_its_own():
    assert read_all(str, [1, 2]) == ["1", "2"]
    child = os.fork()
    if not child:
        threading.Timer(20, os._exit, [1]).start()
        os._exit(0 if read_all(str, [3]) == ["3"] else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("count", [1, 2, 8])
def test_sources_return_the_same_pixels_with_any_number_of_readers(tmp_path, count):
    images = {
        f"{i}.jpg": encoded(Image.fromarray(RNG.integers(0, 256, (24, 48, 3), np.uint8)), "jpeg") for i in range(9)
    }
    sources = [ImageFiles(folder(tmp_path / "a", images), 8), pairs.SideBySide(folder(tmp_path / "b", images), 8)]
    sources.append(pairs.EqualNames(folder(tmp_path / "c", images), folder(tmp_path / "d", images), 8))
    for source in sources:
        set_readers(count)
        together = source.read(np.array([8, 0, 3, 3]))
        for name, x in together.items():
            alone = [source.read(np.array([i]))[name][0] for i in (8, 0, 3, 3)]
            np.testing.assert_array_equal(x, alone)


def test_the_message_about_a_damaged_file_names_it(tmp_path):
    files = {f"{i}.png": encoded(Image.new("L", (8, 8), i), "png") for i in range(9)}
    files["5.png"] = encoded(Image.fromarray(RNG.integers(0, 256, (8, 8), np.uint8)), "png")[:80]
    source = ImageFiles(folder(tmp_path, files))
    with pytest.raises(ValueError, match=r"5\.png cannot be decoded: .* replace or remove it"):
        source.read(np.arange(9))
