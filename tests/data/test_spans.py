"""Tests of the split of windows: the held-out windows share no row with the windows for training."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers import games

from jaxgan.data import NamedArrays, Subset, hold_out


def windows(lengths, size=4):
    """Return all windows of recordings. Each value is the number of its row, and no two recordings share a row."""
    rows, spans, first = [], [], 0
    for recording, length in enumerate(lengths):
        for start in range(length - size + 1):
            rows.append(np.arange(first + start, first + start + size, dtype=np.float32))
            spans.append((recording, start, start + size))
        first += length
    return NamedArrays({"series": np.array(rows)[..., None]}, "sensors", spans=np.array(spans))


def rows_of(source):
    return set(source.read(np.arange(len(source)))["series"].astype(int).ravel().tolist())


def leak(parts):
    """Return the number of rows that are in both parts of a split."""
    return len(rows_of(parts[0]) & rows_of(parts[1]))


SOURCES = {
    "one recording": (windows([50]), 10),
    "several recordings": (windows([30, 4, 17, 30, 9]), 20),
    "one window in each recording": (windows([4] * 20), 5),
    "a subset": (Subset(windows([50]), np.arange(0, 40)), 10),
    "every third window": (Subset(windows([90]), np.arange(0, 87, 3)), 5),
}


@pytest.mark.parametrize(("source", "count"), SOURCES.values(), ids=SOURCES.keys())
def test_held_out_windows_share_no_row_with_the_windows_for_training(source, count):
    parts = hold_out(source, count)
    assert leak(parts) == 0
    assert len(parts[1]) == count and count < len(parts[0]) + count <= len(source)
    assert [rows_of(part) for part in hold_out(source, count)] == [rows_of(part) for part in parts]


def test_a_random_split_of_the_same_windows_leaks():
    """Without this test, the other tests could pass because they cannot find a leak."""
    assert leak(hold_out(dataclasses.replace(windows([50]), spans=None), 10)) > 20


def test_a_single_recording_is_split_in_time():
    """The windows that overlap with the last 10 windows, three of them, are in neither part."""
    rest, held_out = hold_out(windows([50]), 10)
    assert rows_of(held_out) == set(range(37, 50)) and rows_of(rest) == set(range(37))
    assert (len(rest), len(held_out)) == (34, 10)


def test_complete_recordings_are_held_out_before_one_is_cut():
    source = windows([10] * 10)  # seven windows in each recording
    parts: Any = hold_out(source, 17)
    rest, held_out = parts
    sizes = np.unique(held_out.spans[:, 0], return_counts=True)[1]
    assert sorted(sizes) == [3, 7, 7] and len(rest) == 70 - 17 - 3
    cut = np.unique(held_out.spans[:, 0])[np.argmin(sizes)]
    assert held_out.spans[held_out.spans[:, 0] == cut, 1].tolist() == [4, 5, 6]


def test_recordings_of_one_example_are_held_out_at_random():
    parts: Any = hold_out(windows([4] * 20), 8)
    assert 3 < np.mean(parts[1].spans[:, 0]) < 16


def test_windows_that_all_overlap_cannot_be_split():
    with pytest.raises(
        ValueError, match=r"No examples of sensors remain for training, .* with the 2 held-out examples"
    ):
        hold_out(windows([7]), 2)
    with pytest.raises(ValueError, match="must be from 1 to 23, half of the 47 examples of sensors, got 24"):
        hold_out(windows([50]), 24)


def test_an_experiment_holds_out_in_time():
    held = dataclasses.replace(games.points_experiment(), source=windows([50])).with_held_out(10)
    assert held.held_out is not None and leak((held.source, held.held_out)) == 0
