"""Tests of notes that say where an error occurred."""

import pytest

from jaxgan.core.notes import message_with_notes, note


def fail():
    with note("It is in the loss of player 'd'."), note("It is in network 'g'."):
        error = ValueError("shapes differ.")
        error.add_note("--- frames were removed")
        raise error


def test_a_message_contains_the_notes_of_jaxgan_from_the_innermost_to_the_outermost():
    with pytest.raises(ValueError, match="shapes differ") as error:
        fail()
    expected = "shapes differ. It is in network 'g'. It is in the loss of player 'd'."
    assert message_with_notes(error.value) == expected
    assert message_with_notes(OSError("no space")) == "no space"


def test_a_note_can_be_limited_to_some_errors():
    for kind, notes in ((TypeError, ["It is an array."]), (ValueError, [])):
        with pytest.raises(kind) as error, note("It is an array.", when=lambda error: isinstance(error, TypeError)):
            raise kind("not a mapping")
        assert getattr(error.value, "__notes__", []) == notes


def test_a_note_has_no_effect_without_an_error():
    with note("It is in the loss of player 'd'."):
        found = "a value"
    assert found == "a value"
