"""Tests of the names of metrics with different features, and of results from earlier versions."""

import pytest

from jaxgan.evaluation import figure_name, format_result, metric_names, with_current_names

INCEPTION = {"features": metric_names.INCEPTION, "layer": 2048}
CLASSIFIER = {"features": "classifier", "trained_on": "digits", "accuracy": 0.98765}


@pytest.mark.parametrize(
    ("name", "with_inception", "with_layer_768", "with_classifier"),
    [
        ("fid", "fid", "fid_768", "fd_classifier"),
        ("kid", "kid", "kid_768", "kd_classifier"),
        ("kid_std", "kid_std", "kid_768_std", "kd_classifier_std"),
        ("mifid", "mifid", "mifid_768", "mifd_classifier"),
        ("is", "is", "is", "is_classifier"),
        ("is_std", "is_std", "is_std", "is_classifier_std"),
        ("ppl", "ppl_2048", "ppl_768", "ppl_classifier"),
        ("precision", "precision", "precision", "precision"),
        ("modes_kl", "modes_kl", "modes_kl", "modes_kl"),
        ("psnr", "psnr", "psnr", "psnr"),
    ],
)
def test_published_names_are_used_only_with_the_published_features(
    name, with_inception, with_layer_768, with_classifier
):
    assert figure_name(name, INCEPTION) == with_inception
    assert figure_name(name, {**INCEPTION, "layer": 768}) == with_layer_768
    assert figure_name(name, CLASSIFIER) == with_classifier
    for protocol in (INCEPTION, {**INCEPTION, "layer": 768}, CLASSIFIER):
        assert figure_name(figure_name(name, protocol), CLASSIFIER) in (figure_name(name, protocol), with_classifier)
    assert figure_name(name, {}) == name


def test_results_of_earlier_versions_get_the_current_names():
    older = {"fid": 3.0, "kid": 0.1, "kid_deviation": 0.01, "precision": 0.5, "protocol": CLASSIFIER}
    current = with_current_names(older)
    assert current == {
        "fd_classifier": 3.0,
        "kd_classifier": 0.1,
        "kd_classifier_std": 0.01,
        "precision": 0.5,
        "protocol": CLASSIFIER,
    }
    assert with_current_names(current) == current
    assert with_current_names({"step": 2, "fid": [3.0, None], "protocol": INCEPTION})["fid"] == [3.0, None]
    for unknown in ({"fid": 3.0}, {"fid": 3.0, "protocol": "damaged"}, {"fid": 3.0, "protocol": {}}):
        assert with_current_names(unknown) == unknown


def test_format_result_has_lines_with_metrics_sets_and_features():
    sets = {name: {"name": name, "count": 1234} for name in ("samples", "data")}
    lines = format_result(
        {"fd_classifier": 1.23456789, "protocol": {**sets, **CLASSIFIER, "weights": "0123456789abcdef" * 4}}
    )
    assert lines == [
        "fd_classifier 1.23457",
        "  1,234 of samples against 1,234 of data",
        "  classifier, trained on digits, accuracy 0.9877, weights 01234567",
    ]
    assert format_result({"psnr": 30.0, "protocol": sets}) == ["psnr 30", "  1,234 of samples against 1,234 of data"]
