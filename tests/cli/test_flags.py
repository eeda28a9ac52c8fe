"""Flags that are made of fields: their values, their help, and errors that are sentences."""

import argparse
import os

import pytest

from jaxgan.cli.fields import REQUIRED, Field
from jaxgan.cli.flags import FlagParser, Mistake, add_flags, as_tuples, convert

FIELDS = (
    Field("batch_size", "int", default=64, help="Examples.", heading="Data"),
    Field("mirror", "bool", default=False, help="Mirror them.", heading="Data"),
    Field("icnr", "bool", default=True, help="Without batch_size.", heading="Networks"),
    Field("norm", "str", ("batch", "none"), default="batch", heading="Networks"),
    Field("clip", "float", is_optional=True, default=None, help="At 5 %.", heading="Networks"),
    Field("strengths", "float", is_tuple=True, default=(), heading="Own"),
    Field("out", "str", default=REQUIRED, help="A file."),
    Field("truncation_psi", "float", default=1.0),
)


@pytest.fixture
def parser():
    parser = FlagParser("prog", "What it does.\n\nIn two paragraphs.", ("COMMAND --out a.png",), "RUN")
    add_flags(parser, FIELDS)
    return parser


def test_values_are_those_that_were_given(parser):
    assert parser.parse(["--out", "a"]) == {"out": "a"}
    words = "--out a --batch_size=8 --mirror --no-icnr --norm none --clip none --strengths -2 0.5 --psi 0.7"
    assert parser.parse(words.split()) == {
        "out": "a",
        "batch_size": 8,
        "mirror": True,
        "icnr": False,
        "norm": "none",
        "clip": None,
        "strengths": [-2.0, 0.5],
        "truncation_psi": 0.7,
    }
    assert parser.parse(["--out", "a", "--no-mirror", "--icnr"])["mirror"] is False
    assert parser.parse(["--out", "a", "--clip", "-1e-3", "--strengths", "-inf", "-.5"])["strengths"] == [
        float("-inf"),
        -0.5,
    ]
    optional = [Field("metrics", "str", is_tuple=True, is_optional=True)]
    assert as_tuples(optional, {"metrics": [None]}) == {"metrics": None}
    assert as_tuples(FIELDS, {"strengths": [1.0], "out": "a"}) == {"strengths": (1.0,), "out": "a"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "--out is required."),
        ("--out a --batch-size x", "--batch-size takes a whole number, got 'x'."),
        ("--out a --clip x", "--clip takes a number, got 'x'."),
        ("--out a --norm bath", "--norm must be one of batch, none, got 'bath'; did you mean batch?"),
        ("--out a --norm x", "--norm must be one of batch, none, got 'x'."),
        ("--out", "--out needs a value after it."),
        ("--out a --mirror=1", "--mirror takes no value; write --mirror alone, or leave it out."),
        ("--out a --psi x", "--truncation-psi takes a number, got 'x'."),
        ("--out a --btch-size 8", "--btch-size is not a flag; did you mean --batch-size?"),
        ("--out a b", "'b' was not expected; every value follows its flag, as in --seed 1."),
    ],
)
def test_errors_are_sentences(parser, words, message):
    with pytest.raises(Mistake) as mistake:
        parser.parse(words.split())
    assert str(mistake.value) == message and mistake.value.prog == "prog"


def test_help_has_groups_in_order_and_defaults(parser):
    text = parser.format_help()
    assert text.startswith("usage: prog RUN [flags]\n\nWhat it does.\n\nIn two paragraphs.\n")
    assert text.index("--out FILE") < text.index("\ndata:") < text.index("\nnetworks:") < text.index("\nown:")
    for line in ("A file. Required.", "Examples. [64]", "Without --batch-size.", "At 5 %.", "{batch,none}"):
        assert line in text
    assert "--mirror " in text and "--no-mirror" not in text and "--no-icnr" in text and " --icnr" not in text
    assert text.rstrip().endswith("examples:\n  prog --out a.png")
    assert parser.flags().count("--psi") == 1 and "--no-mirror" not in parser.flags()


def test_help_names_flags_but_not_in_examples_of_values():
    parser = FlagParser("python 100%/a.py")
    add_flags(parser, [Field("lr_decay", "int", help="After lr_decay, as lr_decay=1,2.", default=1)])
    assert "After --lr-decay, as lr_decay=1,2. [1]" in parser.format_help()
    assert parser.format_help().startswith("usage: python 100%/a.py [flags]")


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("none", None), ("NULL", None)])
def test_a_value_is_converted(text, value):
    assert convert(Field("step", "int", is_optional=True), text) == value
    assert convert(Field("data", "str"), "~/a") == os.path.expanduser("~/a")
    with pytest.raises(argparse.ArgumentTypeError, match=r"takes a whole number, got '3\.5'"):
        convert(Field("step", "int"), "3.5")
