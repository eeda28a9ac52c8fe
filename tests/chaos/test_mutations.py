"""Tests of the trials that read mutated and malicious files, and a short form of both trials."""

import collections
import random

import pytest

from experiments.chaos import malicious, mutations, sandbox
from experiments.chaos.readers import Kind, kinds


@pytest.fixture(scope="module")
def known():
    return kinds()


@pytest.mark.filterwarnings("ignore")  # about files that are left out
def test_every_kind_of_file_can_be_read(known, tmp_path):
    for name, kind in known.items():
        outcome = sandbox._classify(kind, mutations.write(kind, kind.content, tmp_path / "file"))
        expected = "refused in one sentence" if name == "settings" else "read"  # no setting is known to the reader
        assert outcome[0] == expected, (name, outcome)


def test_mutations_depend_on_the_seed_only():
    content = bytes(range(256)) * 8

    def mutated(seed):
        return [mutations.mutate(content, random.Random(seed * 100 + i), [b"other"]) for i in range(50)]

    assert mutated(0) == mutated(0) != mutated(1)
    assert {name for name, _ in mutated(0)} <= set(mutations.MUTATIONS)
    assert sum(changed != content for _, changed in mutated(0)) > 40


def test_mutated_members_of_a_zip_have_correct_checksums(known):
    content = known["npz"].content
    found = [mutations._mutate_member(content, random.Random(i), [b"x"]) for i in range(10)]
    assert all(" in images.npy" in name or " in labels.npy" in name for name, _ in found)
    assert any(changed != content for _, changed in found)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a.npz is damaged."), "refused in one sentence"),
        (OSError("a.npz cannot be read."), "refused in one sentence"),
        (ValueError("buffer size must be a multiple"), "traceback"),
        (ValueError("Two\nlines."), "traceback"),
        (KeyError("images"), "traceback"),
        (RecursionError("maximum recursion depth exceeded."), "traceback"),
        (MemoryError(), "traceback"),
    ],
)
def test_only_sentences_count_as_refusals(error, expected, tmp_path):
    def read(path):
        raise error

    assert sandbox._classify(Kind("a", b"", read), tmp_path)[0] == expected


def test_growth_of_the_memory_is_counted(monkeypatch, tmp_path):
    """The growth is that of each file: the largest file before it does not hide it."""
    monkeypatch.setattr(sandbox, "GROWTH", 2**26)
    for size, expected in ((2**27, "memory"), (2**20, "read"), (2**27, "memory")):
        kind = Kind("a", b"", lambda path, size=size: b"x" * size)
        assert sandbox._read(kind, tmp_path)[0] == expected


def test_mutated_files_are_read_or_refused(tmp_path):
    cases = list(mutations.run(3 * len(kinds()), 7, tmp_path))
    assert not [case for case in cases if case.failed]
    outcomes = collections.Counter(case.outcome for case in cases)
    assert outcomes["read"] > 10 and outcomes["refused in one sentence"] > 30


def test_malicious_files_are_refused(tmp_path, monkeypatch):
    """The decompression bombs are left out, because they take long to write."""
    monkeypatch.setattr(malicious, "_bombs", lambda *_: iter(()))
    cases = list(malicious.run(1000, 0, tmp_path))
    assert len(cases) > 100
    assert not [case for case in cases if case.failed]
    assert not (tmp_path / "canary").exists()
