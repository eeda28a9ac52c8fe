"""Notes that say where an error happened."""

import pytest

from jaxgan.core.notes import message_with_notes, note


def fail():
    with note("In the loss of player 'd'."), note("In network 'g'."):
        error = ValueError("shapes differ.")
        error.add_note("--- frames were removed")
        raise error


def test_a_message_has_the_notes_from_the_inside_out_and_none_of_others():
    with pytest.raises(ValueError, match="shapes differ") as error:
        fail()
    assert message_with_notes(error.value) == "shapes differ. In network 'g'. In the loss of player 'd'."
    assert message_with_notes(OSError("no space")) == "no space"


def test_a_note_may_be_for_some_errors_alone():
    for kind, notes in ((TypeError, ["It is an array."]), (ValueError, [])):
        with pytest.raises(kind) as error, note("It is an array.", when=lambda error: isinstance(error, TypeError)):
            raise kind("not a mapping")
        assert getattr(error.value, "__notes__", []) == notes


def test_nothing_happens_where_nothing_is_raised():
    with note("In the loss of player 'd'."):
        found = "a value"
    assert found == "a value"
