"""Tests of the texts of reports."""

import pytest

from jaxgan.reporting import captions

GAN = ("d/loss", "g/loss", "g/reconstruction")


def test_titles_of_metrics():
    assert captions.title("grad_norm") == "Gradient norm" and captions.title("kl") == "KL divergence"
    assert captions.title("gradient_penalty") == "Gradient penalty" and captions.title("") == ""


def test_the_caption_of_a_loss_depends_on_the_number_of_players():
    assert "The losses of a game need not decrease" in captions.reading("loss", GAN, 2, "-")
    assert "Loss of the only player" in captions.reading("loss", GAN, 1, "-")
    assert captions.reading("cycle", GAN, 2, "-") == "-"


def test_the_terms_of_an_elbo_have_their_own_captions():
    assert captions.reading("reconstruction", GAN, 2, "-") == "-"
    assert "\u2212log p(x|z)" in captions.reading("reconstruction", ("vae/elbo", "vae/reconstruction"), 1, "-")


@pytest.mark.parametrize(
    ("figure", "title", "is_distance"),
    [
        ("fid", "Fr\u00e9chet distance", True),
        ("fd_classifier", "Fr\u00e9chet distance", True),
        ("kid_768", "Kernel distance", True),
        ("is", "Inception Score", False),
        ("ms_ssim", "MS_SSIM", False),
    ],
)
def test_titles_and_captions_of_metrics_of_evaluations(figure, title, is_distance):
    assert captions.figure_title(figure) == title
    assert ("lower is better" in captions.figure_reading(figure)) == is_distance


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "yes"),
        (False, "no"),
        (None, "not set"),
        ([1, "b", None], "1, b, not set"),
        ([], "none"),
        (0.5, "0.5"),
    ],
)
def test_format_value(value, text):
    assert captions.format_value(value) == text


def test_format_number_has_a_typographic_minus_sign():
    assert captions.format_number(-1.23456) == "\u22121.235" and captions.format_number(2.0) == "2.000"
    assert captions.format_number(-1.5e-07, ".4g") == "\u22121.5e\u221207"
