"""Tests of comparing the data of a run with their record."""

from pathlib import Path

import pytest

from jaxgan.core.text import warn_once
from jaxgan.monitoring.data_record import check_data

HASH = {"sha256": "0", "examples": 3, "decoder": "Pillow 12"}
RECORD = {"examples": 9, "hash": HASH, "test": {"examples": 3, "hash": HASH}}


def changed(name=None, **entries):
    """Return the record with other entries, of the examples or of the entry with a name."""
    return {**RECORD, name: {**RECORD[name], **entries}} if name else {**RECORD, **entries}


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (changed(examples=8), "`data` has changed since the run in run was started: the recorded value of examples"),
        (changed(hash={**HASH, "sha256": "1"}), "`data` has changed .* hash of 3 of the examples differs"),
        (changed("test", examples=2), "`test_data` has changed .* value of examples is 3, got 2"),
        (changed("test", hash={**HASH, "sha256": "1"}), "`test_data` has changed .* hash of 3 of the examples differs"),
    ],
)
def test_other_data_are_refused(now, message):
    check_data(Path("run"), RECORD, RECORD)
    with pytest.raises(ValueError, match=message):
        check_data(Path("run"), RECORD, now)


def test_only_another_hash_can_come_from_another_decoder(capsys):
    warn_once.cache_clear()
    other = {"sha256": "1", "examples": 3, "decoder": "Pillow 13"}
    check_data(Path("run"), RECORD, changed(hash=other))
    assert "(Pillow 12 before, Pillow 13 now), so the files may be the same" in capsys.readouterr().err
    with pytest.raises(ValueError, match="value of examples is 9, got 8"):
        check_data(Path("run"), RECORD, changed(hash=other, examples=8))
