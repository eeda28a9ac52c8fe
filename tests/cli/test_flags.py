"""Flags that are created from fields: their values, their help, and their error messages."""

import argparse
import os

import pytest

from jaxgan.cli.fields import REQUIRED, Field
from jaxgan.cli.flags import FlagParser, Mistake, add_flags, as_tuples, convert, describe, refuse_empty

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
    parser = FlagParser("prog", "A description.\n\nA second paragraph.", ("COMMAND --out a.png",), "RUN")
    add_flags(parser, FIELDS)
    return parser


def test_parse_returns_only_the_values_of_flags_that_are_passed(parser):
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
        ("--out a --batch-size x", "--batch-size must be a whole number, got 'x'."),
        ("--out a --clip x", "--clip must be a number, got 'x'."),
        ("--out a --norm bath", "--norm must be one of batch, none, got 'bath'. Did you mean batch?"),
        ("--out a --norm x", "--norm must be one of batch, none, got 'x'."),
        ("--out", "--out must be followed by a value."),
        ("--out a --mirror=1", "--mirror does not take a value. Write --mirror alone, or leave it out."),
        ("--out a --psi x", "--truncation-psi must be a number, got 'x'."),
        ("--out a --btch-size 8", "This command has no flag --btch-size. Did you mean --batch-size?"),
        ("--out a b", "'b' does not follow a flag. Each value must follow its flag, as in --seed 1."),
    ],
)
def test_errors_are_sentences(parser, words, message):
    with pytest.raises(Mistake) as mistake:
        parser.parse(words.split())
    assert str(mistake.value) == message and mistake.value.prog == "prog"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--count x", "--count must be a whole number, got 'x'."),
        ("--rate x", "--rate must be a number, got 'x'."),
        ("--resize x", "--resize must be one of tf1, clean, got 'x'."),
    ],
)
def test_errors_of_argparse_are_sentences(words, message):
    parser = FlagParser("prog")
    parser.add_argument("--count", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--resize", choices=("tf1", "clean"))
    with pytest.raises(Mistake) as mistake:
        parser.parse(words.split())
    assert str(mistake.value) == message


def test_help_shows_defaults_and_groups_in_order(parser):
    text = parser.format_help()
    assert text.startswith("usage: prog RUN [flags]\n\nA description.\n\nA second paragraph.\n")
    assert text.index("--out PATH") < text.index("\ndata:") < text.index("\nnetworks:") < text.index("\nown:")
    for line in (
        "A file. Required.",
        "Examples. (default: 64)",
        "Without --batch-size. (default: --icnr)",
        "At 5 %.",
        "{batch,none}",
    ):
        assert line in text
    assert "--mirror " in text and "--no-mirror" not in text and "--icnr, --no-icnr" in text
    assert text.rstrip().endswith("examples:\n  prog --out a.png")
    assert parser.flags().count("--psi") == 1 and "--no-mirror" not in parser.flags()


def test_help_replaces_field_names_by_flags_except_before_an_equals_sign():
    parser = FlagParser("python 100%/a.py")
    add_flags(parser, [Field("lr_decay", "int", help="After lr_decay, as lr_decay=1,2.", default=1)])
    assert "After --lr-decay, as lr_decay=1,2. (default: 1)" in parser.format_help()
    assert parser.format_help().startswith("usage: python 100%/a.py [flags]")


def test_help_replaces_field_names_in_backticks_by_flags():
    text = "Values of ``sweep``, see ``jaxgan list``. ``other`` is no field, and sweep is a word."
    shown = "Values of --sweep, see `jaxgan list`. `other` is no field, and sweep is a word."
    assert describe(Field("size", "int", help=text), ["sweep"]) == shown


@pytest.mark.parametrize(
    ("default", "shown"),
    [
        (None, "Height. By default, images keep their size."),
        (32, "Height. With the value none, images keep their size. (default: 32)"),
    ],
)
def test_help_describes_none_as_the_default_only_if_it_is(default, shown):
    parser = FlagParser("prog")
    text = "Height. By default, images keep their size."
    add_flags(parser, [Field("size", "int", is_optional=True, default=default, help=text)])
    assert " ".join(parser.format_help().split()).endswith(shown)


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("none", None), ("NULL", None)])
def test_convert_returns_the_value_of_a_flag(text, value):
    assert convert(Field("step", "int", is_optional=True), text) == value
    assert convert(Field("data", "str"), "~/a") == os.path.expanduser("~/a")
    with pytest.raises(argparse.ArgumentTypeError, match=r"must be a whole number, got '3\.5'"):
        convert(Field("step", "int"), "3.5")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["samples", ""], "An argument must not be empty. If its value is a variable of the shell, set the variable."),
        (["--out", ""], "--out must not be empty."),
        (["--out="], "--out must not be empty."),
    ],
)
def test_empty_arguments_are_refused(arguments, message):
    with pytest.raises(Mistake, match=message):
        refuse_empty(arguments)
    refuse_empty(["samples", "--out", "a=b", "--name=x"])


def test_an_empty_text_is_a_value_only_if_it_is_the_default():
    with pytest.raises(argparse.ArgumentTypeError, match="must not be empty"):
        convert(Field("prefix", "str", default=None), "")
    assert convert(Field("prefix", "str", default=""), "") == ""
