"""Tests of the reader of JSON and JSON Lines files: limits, encodings, numbers, and the types of the content."""

import json
import math
import os

import pytest

from jaxgan.core import json_files
from jaxgan.core.json_files import JsonError, parse_json, read_json, read_json_lines

FORM = {"name": str, "size?": [int], "more?": {str: (float, type(None))}}

DAMAGED = {
    "empty": (b"", "is not valid JSON at line 1, column 1 (Expecting value)"),
    "cut": (b'{"name": "a",\n "size', "is not valid JSON at line 2, column 2"),
    "binary": (b"\xff\xfe{\x00", "is not text in UTF-8 (byte 0)"),
    "zeros": (b"\0" * 40, "is not valid JSON at line 1, column 1"),
    "deep list": (b"[" * 100_000, "has more than 50 objects and lists inside each other"),
    "deep objects": (b'{"a":' * 60 + b"1" + b"}" * 60, "has more than 50 objects and lists inside each other"),
    "name twice": (b'{"name": "a", "name": "b"}', "is damaged: the name 'name' occurs twice in an object"),
    "digits": (b'{"name": ' + b"9" * 5000 + b"}", "is damaged: it has a number with 5000 digits"),
    "overflow": (b'{"name": -1e999}', "is damaged: the number -1e999 in it is too large"),
    "half a surrogate": (b'{"name": "\\ud800"}', "is damaged: a text in it has half of a surrogate pair"),
    "null": (b"null", "is damaged: its content must be an object, got null"),
    "list": (b"[1]", "is damaged: its content must be an object, got a list"),
    "missing": (b"{}", "is damaged: it has no entry 'name'"),
    "number for text": (b'{"name": 1}', "is damaged: its entry 'name' must be text, got a whole number"),
    "boolean": (b'{"name": "a", "size": [3, true]}', "its entry 'size[1]' must be a whole number, got true or false"),
    "fraction": (b'{"name": "a", "size": [3.0]}', "its entry 'size[0]' must be a whole number, got a number"),
    "object for list": (b'{"name": "a", "size": {}}', "its entry 'size' must be a list, got an object"),
    "alternatives": (b'{"name": "a", "more": {"x": "y"}}', "its entry 'more.x' must be a number or null, got text"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_content_is_one_message_with_the_path_and_the_fix(name, tmp_path):
    content, message = DAMAGED[name]
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(JsonError) as error:
        read_json(path, FORM, fix="Write it again.")
    text = str(error.value)
    assert text.startswith(f"{path} ") and message in text and text.endswith(". Write it again."), text
    assert "\n" not in text


def test_valid_content_has_plain_values(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(
        '\ufeff{"name": "ü", "size": [1, 2], "more": {"x": 1, "y": 2.5, "z": null}, "other": [[]]}'.encode()
    )
    assert read_json(path, FORM)["more"] == {"x": 1, "y": 2.5, "z": None}
    assert parse_json("[]", "here") == []


def test_names_of_files_that_are_not_utf8_survive_a_round_trip():
    name = b"caf\xe9.png".decode(errors="surrogateescape")
    assert parse_json(json.dumps([name]), "here") == [name]


def test_numbers_that_are_not_finite_are_read_as_python_writes_them():
    assert parse_json(json.dumps([math.inf, -math.inf, 1e308]), "here") == [math.inf, -math.inf, 1e308]
    assert math.isnan(parse_json("NaN", "here"))


def test_names_of_damaged_entries_are_shortened():
    with pytest.raises(JsonError) as error:
        parse_json('{"name": 1, "name": 2}'.replace("name", "x" * 10_000), "here")
    assert len(str(error.value)) < 250


def test_files_that_are_too_large_or_no_files_are_not_read(tmp_path):
    (tmp_path / "large.json").write_text("[" + "1," * 100 + "1]")
    with pytest.raises(JsonError, match=r"large.json has 203 bytes, but at most 100 are allowed\. Restore"):
        read_json(tmp_path / "large.json", limit=100)
    with pytest.raises(JsonError, match=r"cannot be read: .*\. Restore"):
        read_json(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="requires named pipes")
def test_a_named_pipe_does_not_block_the_reader(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(JsonError, match=r"is not a regular file\. Restore"):
        read_json(tmp_path / "pipe.json")
    with pytest.raises(JsonError, match=r"is not a regular file\. Move it away"):
        list(read_json_lines(tmp_path / "pipe.json"))


def test_lines_are_read_one_by_one_and_damaged_lines_have_no_value(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [
        b'{"step": 1}\n',
        b'{"step": 2\n',
        b'{"step": "x"}\n',
        b"\n",
        b"\xff\n",
        b'{"step": 3, "x": 1e999}\n',
        b'{"step": 4}',
    ]
    path.write_bytes(b"".join(lines))
    found = list(read_json_lines(path, {"step": int}))
    assert b"".join(line.content for line in found) == path.read_bytes()
    assert [line.value for line in found] == [{"step": 1}, None, None, None, None, None, None]
    assert list(read_json_lines(tmp_path / "none.jsonl")) == []


def test_a_line_without_end_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "MAX_LINE_BYTES", 64)
    (tmp_path / "a.jsonl").write_bytes(b"x" * 1000 + b'\n{"step": 1}\n')
    found = list(read_json_lines(tmp_path / "a.jsonl"))
    assert max(len(line.content) for line in found) <= 64
    assert [line.value for line in found if line.value] == [{"step": 1}]


def test_every_float_survives_a_round_trip():
    for number in (0.1, -1e-320, math.pi, 1.7976931348623157e308, 2**53 + 0.0):
        assert parse_json(repr(number), "here") == number
