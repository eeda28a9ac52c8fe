"""Tests of examples with any names and types: what a source returns, what is recorded of it, and what is refused."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import data
from jaxgan.data import Arrays, Batches, NamedArrays, Subset, hold_out, match_classes, read_into_memory
from jaxgan.data.description import (
    are_same_examples,
    blank_source,
    describe_arrays,
    describe_examples,
    find_difference,
)
from jaxgan.data.image_cache import CachedSource
from jaxgan.data.source import Relabelled
from jaxgan.training import steps as stepping

ROWS = np.arange(60, dtype=np.float64).reshape(20, 3) / 7
DETAILS = {"columns": ("age", "height", "sex"), "low": [0.1, 1 / 3, -1e-300], "units": None}
CHANGED = ("details of the columns", {"low": [0.1, 0.5, 0.0]})


def table(**changes):
    """Return rows with values of several types, two classes and test examples."""
    arrays = {"row": ROWS, "age": np.arange(20), "is_known": np.arange(20) % 3 == 0, "label": np.arange(20) % 2}
    test = NamedArrays({"row": ROWS[:4], "label": np.arange(4) % 2}, "some people", ("no", "yes"))
    given = {"arrays": arrays, "name": "people", "classes": ("no", "yes"), "details": DETAILS, "test": test}
    return NamedArrays(**{**given, **changes})


def test_arrays_keep_their_types_and_the_first_one_contains_the_examples():
    source = table()
    batch = source.read(np.array([3, 1]))
    assert {name: x.dtype.name for name, x in batch.items()} == {
        "row": "float64",
        "age": "int64",
        "is_known": "bool",
        "label": "int32",
    }
    np.testing.assert_array_equal(batch["row"], ROWS[[3, 1]])
    assert (source.key, source.shape, len(source), source.classes) == ("row", (3,), 20, ("no", "yes"))
    assert source.details == {"columns": ["age", "height", "sex"], "low": [0.1, 1 / 3, -1e-300], "units": None}
    assert repr(source) == (
        "NamedArrays people: 20 examples of shape [3], float64, beside age int64 [], is_known bool [], label int32 [], "
        "4 test examples, 2 classes (no, yes)"
    )
    names = NamedArrays({"row": ROWS, "label": np.array(["b", "a"] * 10)})
    assert names.classes == ("a", "b") and names.read(np.arange(2))["label"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arrays": {}}, r"`arrays` of people must start with the array of the examples, got \[\]"),
        ({"arrays": {"label": np.arange(3), "row": ROWS}}, r"must start with the array of the examples, got \['label'"),
        ({"arrays": {"row": np.array([["a"]])}}, "'row' of people must contain numbers or booleans, got <U1. Replace"),
        ({"arrays": {"row": np.array([[{}]])}}, "'row' of people must contain numbers or booleans, got object"),
        ({"arrays": {"row": np.arange(3.0)}}, r"must be \[N, D, ...\], the examples, with N > 0, got shape \[3\]"),
        ({"arrays": {"row": ROWS[:0]}}, r"with N > 0, got shape \[0, 3\]"),
        ({"arrays": {"row": ROWS, "age": np.float32(3)}}, r"'age' of people must be \[N, ...\] with N > 0, got shape"),
        ({"arrays": {"row": ROWS, "age": np.arange(19)}}, "one row for each of the 20 examples, got 19 rows"),
        (
            {"arrays": {"row": np.where(ROWS < 2, np.nan, ROWS)[::-1]}},
            "examples row of people must be finite, got NaN or infinity in 5 of 20 examples, the first of which has the "
            "index 15",
        ),
        ({"arrays": {"row": ROWS, "label": np.full(20, 2)}}, "labels of people must be from 0 to 1, .*, got 2 to 2"),
        ({"details": {"low": np.zeros(2)}}, "`details` of people must be values that JSON can represent: .*ndarray"),
        ({"details": {"low": float("nan")}}, "`details` of people must be values that JSON .*finite numbers"),
        (
            {"test": NamedArrays({"row": ROWS[:, :2]})},
            r"must have the shape of the training examples, \[3\], got \[2\]",
        ),
        ({"test": NamedArrays({"row": ROWS})}, r"must have the classes of the training examples, \['no', 'yes'\], got"),
        (
            {"spans": np.zeros((19, 3), int)},
            r"spans of people must be integers \[20, 3\], .*, got int64 with shape \[19",
        ),
        ({"spans": np.zeros((20, 3))}, r"spans of people must be integers \[20, 3\], .*, got float64"),
        ({"spans": np.tile([0, 5, 5], (20, 1))}, r"must end after they start, got rows 5 to 5 in spans\[0\]"),
    ],
)
def test_invalid_arrays_raise(change, message):
    with pytest.raises(ValueError, match=message):
        table(**change)


def test_values_beside_the_examples_can_be_missing():
    source = NamedArrays({"row": ROWS, "income": np.full(20, np.nan)})
    assert np.isnan(source.read(np.arange(2))["income"]).all()


SPANS = np.stack([np.zeros(20, int), np.arange(20), np.arange(20) + 3], 1)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda source: Subset(source, np.arange(20)),
        CachedSource,
        lambda source: Relabelled(source, ("yes", "no")),
        lambda source: match_classes(source, ("yes", "no")),
        lambda source: Subset(Relabelled(CachedSource(source), ("yes", "no")), np.arange(20)),
    ],
    ids=["Subset", "CachedSource", "Relabelled", "match_classes", "all"],
)
def test_other_sources_forward_what_is_known_of_the_data(wrap):
    source = table(spans=SPANS)
    wrapped: Any = wrap(source)
    assert wrapped.details == source.details
    assert len(wrapped.test) == 4 and wrapped.test.classes == wrapped.classes
    label = wrapped.read(np.arange(4))["label"]
    np.testing.assert_array_equal(wrapped.test.read(np.arange(4))["label"], label)
    assert [wrapped.classes[i] for i in label] == ["no", "yes", "no", "yes"]
    np.testing.assert_array_equal(wrapped.spans, SPANS)


def test_other_sources_have_no_details_of_sources_without_them():
    class Own:
        name, classes, shape = "own", (), (2,)

        def __len__(self):
            return 20

        def read(self, indices):
            return {"row": np.zeros((len(indices), 2))}

    for source in (Subset(Own(), np.arange(3)), CachedSource(Own()), Arrays(np.zeros((20, 2), np.float32))):
        assert (source.details, source.test, source.spans) == ({}, None, None)
    assert describe_arrays(Own())["example"] == "row" and "details" not in describe_arrays(Own())
    assert [len(part) for part in hold_out(Own(), 5)] == [15, 5]


def test_a_subset_has_the_spans_of_its_examples():
    part = Subset(table(spans=SPANS), np.array([7, 2]))
    np.testing.assert_array_equal(part.spans, SPANS[[7, 2]])
    np.testing.assert_array_equal(table(spans=SPANS).select(np.array([7, 2])).spans, SPANS[[7, 2]])


def test_hold_out_keeps_everything_that_belongs_to_an_example():
    source = table()
    parts: Any = hold_out(source, 5)
    assert [type(part) for part in parts] == [NamedArrays, NamedArrays] and [len(part) for part in parts] == [15, 5]
    for part in parts:
        batch = part.read(np.arange(len(part)))
        np.testing.assert_array_equal(batch["row"], ROWS[batch["age"]])
        np.testing.assert_array_equal(batch["label"], batch["age"] % 2)
        assert (part.name, part.details, part.test, part.classes) == (
            "people",
            source.details,
            source.test,
            ("no", "yes"),
        )
    assert sorted(age for part in parts for age in part.arrays["age"].tolist()) == list(range(20))


def test_data_in_memory_are_copied_to_the_devices():
    """The batches are equal to the batches of the same data that are read, for all types."""
    source = table()
    assert stepping.is_resident(source) and not stepping.is_resident(Subset(source, np.arange(20)))
    resident, order = jax.tree.map(jnp.asarray, source.by_name), Batches(source, 8, seed=1)
    found, read = jax.jit(stepping.prepare)(resident, order.indices(0)), jax.jit(stepping.prepare)(None, order[0])
    assert list(read) == list(found) and read["age"].dtype == jnp.int32
    jax.tree.map(np.testing.assert_array_equal, found, read)


def test_the_blank_source_has_the_details_of_the_data():
    source = table()
    description = json.loads(json.dumps(describe_examples(source)))
    assert description["example"] == "row" and description["details"] == source.details
    for record in (description, json.loads(json.dumps(describe_arrays(source)))):
        blank = blank_source(record)
        assert isinstance(blank, NamedArrays) and blank.key == "row" and blank.details == source.details
        batch, example = blank.read(np.array([0])), source.read(np.array([0]))
        assert {name: (x.shape, x.dtype) for name, x in batch.items()} == {
            name: (x.shape, x.dtype) for name, x in example.items()
        }
        assert blank.classes == ("no", "yes") and not any(np.any(x) for x in batch.values())
    assert len(blank_source(description)) == 20


def test_images_with_details_keep_their_details():
    images = NamedArrays({"image": np.zeros((5, 4, 4, 3), np.uint8)}, details={"camera": 1})
    blank: Any = blank_source(describe_examples(images))
    assert (blank.details, blank.shape) == ({"camera": 1}, (4, 4, 3)) and "example" not in describe_arrays(images)


def test_a_difference_in_the_details_is_described():
    recorded = json.loads(json.dumps(describe_examples(table())))
    assert find_difference(recorded, describe_examples(table())) == ""
    low = {**DETAILS, "low": [0.1, 0.5, 0.0]}
    message = find_difference(recorded, describe_examples(table(details=low)))
    assert message == "the recorded value of low is [0.1, 0.3333333333333333, -1e-300], got [0.1, 0.5, 0.0]"
    assert "value of columns is" in find_difference(recorded, describe_examples(table(details={"low": low["low"]})))
    long = find_difference(recorded, describe_examples(table(details={**DETAILS, "columns": ["a" * 500]})))
    assert len(long) < 250 and "..." in long
    older = {name: value for name, value in recorded.items() if name != "details"}
    assert find_difference(older, describe_examples(table())) == ""
    assert not are_same_examples(table(), table(details=low)) and are_same_examples(table(), table())


@pytest.mark.parametrize(
    "change",
    [{"example": "rows"}, {"example": []}, {"details": 5}, {"arrays": {"row": [[], "float64"]}}],
)
def test_a_damaged_record_is_an_error_of_one_sentence(change):
    with pytest.raises(ValueError, match=r"^The record of the examples is damaged \(.*\)\. Restore the file"):
        blank_source({**describe_examples(table()), **change})


def test_only_images_are_read_into_arrays():
    with pytest.raises(ValueError, match="examples of people must be called 'image', got row, age, is_known, label"):
        read_into_memory(table())
    assert data.NamedArrays is NamedArrays
