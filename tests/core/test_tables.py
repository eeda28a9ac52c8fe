"""Tests of tables as text and as HTML, and of short numbers."""

import pytest

from jaxgan.core.tables import Table, as_html, as_html_paragraph, as_text, format_bytes, format_count

TABLE = Table("g: <Net>", ("layer", "size"), (("a/b", "1"), ("c", "1,000")), numeric=("size",))


def test_columns_of_text_are_aligned():
    assert as_text(TABLE) == "g: <Net>\n  layer   size\n  a/b        1\n  c      1,000"


def test_html_has_a_cell_for_each_value_and_escapes_special_characters():
    page = as_html(TABLE)
    assert page.count("<tr>") == 3 and page.count("<th") == 2 and page.count("<td") == 4
    assert "g: &lt;Net&gt;" in page and '<td style="text-align: right">1,000</td>' in page
    assert as_html_paragraph("a < b") == "<p>a &lt; b</p>"


def test_a_table_without_rows_is_only_its_title():
    empty = Table("ada: no parameters", ("layer",), ())
    assert as_text(empty) == "ada: no parameters"
    assert as_html(empty) == "<p>ada: no parameters</p>"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (9_996, "10.0 k"),
        (99_960, "100 k"),
        (999_600, "1.00 M"),
        (5e18, "5000 P"),
    ],
)
def test_numbers_have_three_significant_digits(number, text):
    assert format_count(number) == text


def test_bytes_have_a_unit():
    assert format_bytes(12) == "12 B" and format_bytes(1_234_567) == "1.23 MB"
