"""Tests of the order of classes, and of finding a class by name or number."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core.classes import find_class, natural_order


def test_the_digits_of_names_are_ordered_as_numbers():
    assert natural_order(map(str, range(12))) == [str(i) for i in range(12)]
    assert natural_order(["b", "a10", "a9", "a", "A"]) == ["A", "a", "a9", "a10", "b"]
    assert natural_order(["1", "01", "001"]) == ["001", "01", "1"]
    assert natural_order(["1" * 9000, "2"]) == ["2", "1" * 9000]  # more digits than Python converts to an int
    assert natural_order(["x2y10", "x2y9", "x10y1"]) == ["x2y9", "x2y10", "x10y1"]


def test_a_class_is_found_by_name_or_number():
    classes = ("cat", "dog", "owl")
    assert [find_class(classes, label) for label in ("owl", "1", 1, "02")] == [2, 1, 1, 2]


@pytest.mark.parametrize("label", [np.int64(1), np.uint8(1), jnp.int32(1)])
def test_the_number_of_a_class_can_have_any_type_of_integer(label):
    found = find_class(("cat", "dog"), label)
    assert found == 1 and type(found) is int
    with pytest.raises(TypeError, match="integer"):
        find_class(("cat", "dog"), 1.0)  # pyright: ignore[reportArgumentType]


def test_the_name_of_a_class_takes_precedence_over_a_number():
    classes = ("1", "2", "3")
    assert find_class(classes, "1") == 0 and find_class(classes, 1) == 1 and find_class(classes, "0") == 0


@pytest.mark.parametrize("label", ["dgo", "3", 3, -1, "-1", "", "٣", "9" * 5000])
def test_an_unknown_class_is_refused_with_the_names(label):
    with pytest.raises(ValueError, match=r"`label` must be between 0 and 2, or the name of a class \(cat, dog, owl\)"):
        find_class(("cat", "dog", "owl"), label)


def test_the_most_similar_class_is_suggested():
    with pytest.raises(ValueError, match=r"got dgo\. Did you mean dog\?$"):
        find_class(("cat", "dog"), "dgo")
    many = [f"class {i}" for i in range(1000)]
    with pytest.raises(ValueError, match=r"class 19, \.\.\.\), got zebra\.$"):
        find_class(many, "zebra")
