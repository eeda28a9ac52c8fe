"""Text of unknown origin is shown as visible characters, without markup, in any encoding."""

import html.parser
import io
import sys

import markdown_it
import pytest

from jaxgan.core.text import html_text, markdown_text, print_any_text, printable, say, warn_once

HOSTILE = {
    "escape sequence": ("a\x1b[2Jb", r"a\x1b[2Jb"),
    "C1": ("a\x9b2Jb", r"a\x9b2Jb"),
    "delete": ("a\x7fb", r"a\x7fb"),
    "null": ("a\0b", r"a\x00b"),
    "line feed": ("a\nerror: b", r"a\nerror: b"),
    "carriage return": ("a\rb", r"a\rb"),
    "tab": ("a\tb", r"a\tb"),
    "next line": ("a\x85b", r"a\x85b"),
    "line separator": ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
    "direction": ("a\u202eb\u2066c\u200f", r"a\u202eb\u2066c\u200f"),
    "zero width": ("a\u200bb\u2060c\ufeff", r"a\u200bb\u2060c\ufeff"),
    "tag characters": ("a\U000e0041", r"a\U000e0041"),
    "undecodable bytes": (b"caf\xe9.png".decode("utf-8", "surrogateescape"), r"caf\udce9.png"),
    "private use": ("a\ue000", r"a\ue000"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE.keys())
def test_other_characters_become_escape_sequences(text, shown):
    assert printable(text) == html_text(text) == shown


@pytest.mark.parametrize("text", ["café", "猫", "كلب", "два слова", "a\u202fb", "a\u3000b", "\u00a0", "🐈", "C:\\cats"])
def test_letters_of_all_scripts_and_spaces_stay(text):
    assert printable(text) == text


def test_the_middle_of_long_text_is_left_out():
    text = printable("a" * 100_000 + ". Remove the file.")
    assert len(text) == 4000 and text.startswith("aaa") and text.endswith("aaa. Remove the file.")
    assert printable("a" * 4000) == "a" * 4000 and printable("a" * 50 + ".png", limit=12) == "aaaaa....png"


class Elements(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))

    def handle_data(self, data):
        self.texts.append(data)


MARKUP = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    "<!-- a",
    "&lt;b&gt;",
    "[cats](javascript:alert(1))",
    "![cats](http://x/y.png)",
    "http://evil.example and www.evil.example",
    "*a* _b_ __c__ ~~d~~ `e` ``f`` $g$",
    "a | b",
    "# heading",
    "- item",
    "1. item",
    "2) item",
    "+ item",
    "===",
    "---",
    "> quotation",
    "```\ncode",
    "\\[a](b)",
    "a\n\n# heading",
    "[a]: http://x",
    "&#60;b>",
]


@pytest.mark.parametrize("text", MARKUP)
def test_markdown_text_is_rendered_as_itself(text):
    renderer = markdown_it.MarkdownIt("gfm-like", {"linkify": False})
    for place in ("{}", "- name: {}", "| a |\n|---|\n| {} |", "word {} word"):
        page = Elements(renderer.render(place.format(markdown_text(text))))
        plain = Elements(renderer.render(place.format("plain")))
        assert [tag for tag, _ in page.found] == [tag for tag, _ in plain.found]
        assert printable(text) in "".join(page.texts)
    assert not Elements(markdown_text(text)).found  # nor is it HTML before it is rendered
    assert "://" not in markdown_text(text) and "www." not in markdown_text(text)


@pytest.mark.parametrize("text", MARKUP)
def test_html_text_is_no_markup(text):
    page = Elements(f'<p title="{html_text(text)}">{html_text(text)}</p>')
    assert page.found == [("p", [("title", printable(text))])]
    assert "".join(page.texts) == printable(text)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", "shift-jis"])
def test_any_text_can_be_printed_in_any_encoding(encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_any_text()
    say("caf\u00e9 \u732b \udcff")
    assert stream.buffer.getvalue().decode(encoding).startswith("caf")


def test_streams_without_an_encoding_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    print_any_text()


def test_the_same_warning_is_printed_once(capsys):
    for text in ("first of this test\x07", "first of this test\x07", "second of this test"):
        warn_once(text)
    assert capsys.readouterr() == ("", "warning: first of this test\\x07\nwarning: second of this test\n")
