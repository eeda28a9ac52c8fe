"""The metrics of ``jaxgan evaluate`` in the report of a run."""

import json
import re

from jaxgan.reporting import report
from jaxgan.reporting.quality import read_quality

RESULT = {
    "fid": 12.3456,
    "kid": 0.0125,
    "kid_std": 0.001,
    "is": float("nan"),
    "protocol": {
        "samples": {"name": "dcgan in runs/dcgan", "count": 1000, "step": 2500},
        "data": {"name": "digits", "count": 1797, "split": "train", "trained_on": True},
        "features": "classifier",
        "accuracy": 0.98764,
    },
}


def write(path, result):
    (path / "evaluation.json").write_text(json.dumps(result))
    return path


def test_metrics_have_the_names_of_their_features_and_a_spread(tmp_path):
    found = read_quality(write(tmp_path, RESULT))
    assert found == {
        "title": "Quality at step 2,500",
        "figures": [
            ["fd_classifier", "12.35"],
            ["kd_classifier", "0.0125 \u00b1 0.001"],
            ["is_classifier", "not finite"],
        ],
        "notes": [
            "1,000 of dcgan in runs/dcgan against 1,797 of digits (train examples, trained on)",
            "classifier, accuracy 0.9876",
        ],
    }


def test_missing_and_damaged_files_are_no_error(tmp_path):
    assert read_quality(tmp_path) is None
    (tmp_path / "evaluation.json").write_text("{")
    damaged = {"title": "Quality", "figures": [], "notes": ["The file evaluation.json of this run is damaged."]}
    assert read_quality(tmp_path) == damaged
    for result in ({"fid": 1}, {**RESULT, "fid": "low"}, {**RESULT, "protocol": 3}):
        assert read_quality(write(tmp_path, result)) == damaged


def test_the_report_contains_the_metrics(tmp_path):
    record = {"experiment": "dcgan", "config": {"data": "digits"}, "versions": {"jaxgan": "0.1.0"}}
    (tmp_path / "config.json").write_text(json.dumps(record))
    for result, expected in ((None, None), (RESULT, read_quality(write(tmp_path, RESULT)))):
        if result is None:
            (tmp_path / "evaluation.json").unlink()
        else:
            write(tmp_path, result)
        page = json.loads(re.search(r'id="run">(.*?)</script>', report.write(tmp_path).read_text())[1])
        assert page["quality"] == expected
