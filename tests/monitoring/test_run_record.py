"""Tests of reading ``config.json``, which can be damaged or come from elsewhere."""

import json

import pytest

from jaxgan.monitoring.run_record import advice_without_record, program_of, read_record

RECORD = {"experiment": "gan", "config": {"seed": 0}}


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("jaxgan train gan", True),
        ("python -m experiments.gan", True),
        ("python my folder/own.py", True),
        ("jaxgan train gan; rm -rf .", False),
        ("python -c print(1)\n", False),
        ("python $(rm -rf .)", False),
        ("sh own.sh", False),
        ("", False),
    ],
)
def test_only_commands_that_train_are_returned(program, expected):
    assert program_of({**RECORD, "program": program}) == (program if expected else "")


def test_a_record_without_a_command_has_the_command_of_the_experiment():
    assert program_of(RECORD) == "jaxgan train gan" and program_of({"experiment": "gan; rm -rf ."}) == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"experiment": None}, "its entry 'experiment' must be text, got null"),
        ({"config": []}, "its entry 'config' must be an object, got a list"),
        ({"members": [1]}, r"its entry 'members\[0\]' must be an object, got a whole number"),
        ({"data": {"classes": "cat"}}, "its entry 'data.classes' must be a list, got text"),
        ({"data": {"paths": {"data": 1}}}, "its entry 'data.paths.data' must be text, got a whole number"),
        ({"data": {"hash": {"sha256": "0"}}}, "has no entry 'data.hash.examples'"),
    ],
)
def test_entries_of_other_types_are_refused(change, message, tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**RECORD, "other": [1]}))
    assert read_record(tmp_path) == {**RECORD, "other": [1]}
    file.write_text(json.dumps({**RECORD, **change}))
    with pytest.raises(ValueError, match=rf"^{file} is damaged: .*{message}.* Restore it from a backup, or choose"):
        read_record(tmp_path)


def test_a_directory_without_a_record_has_an_advice(tmp_path):
    assert advice_without_record(tmp_path) == ""
    (tmp_path / "checkpoints" / "7").mkdir(parents=True)
    assert " Its checkpoints are only usable with the config.json of their run." in advice_without_record(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    for path in (tmp_path / "checkpoints", tmp_path / "checkpoints" / "7"):
        assert advice_without_record(path) == f" It is inside of a run. Pass {tmp_path} instead."
