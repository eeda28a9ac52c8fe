"""Tests of text files as sources: cleaning, the vocabulary, the split, and sentences for files that cannot be used."""

import gzip
import lzma

import numpy as np
import pytest

from jaxgan.data import texts

LINES = [f"line {i}" for i in range(20)]


def write(tmp_path, content, name="lines.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_lines_become_padded_numbers_of_the_most_frequent_characters(tmp_path):
    source = texts.load(write(tmp_path, "\n".join(["aab"] * 6 + ["abac"] * 6)), length=5, test_fraction=0)
    assert source.details == {"characters": "abc", "length": 5}
    assert source.shape == (5,) and len(source) == 12 and source.test is None
    batch = source.read(np.array([0, 6]))
    assert list(batch) == ["text"] and batch["text"].dtype == np.uint8
    assert batch["text"].tolist() == [[2, 2, 3, 0, 0], [2, 3, 2, 4, 0]]


def test_more_than_254_characters_need_int32():
    characters = "".join(chr(0x4E00 + i) for i in range(300))
    for count, dtype in ((254, np.uint8), (255, np.int32)):
        rows = texts.encode([characters[:count]], characters[:count], count)
        assert rows.dtype == dtype and rows.max() == count + 1
        assert texts.decode(rows, characters[:count]) == [characters[:count]]


def test_decode_ends_a_line_at_its_first_end_and_refuses_other_numbers():
    assert texts.decode(np.array([[2, 0, 2], [0, 2, 2], [2, 1, 3]]), "ab") == ["a", "", "a\ufffdb"]
    assert texts.decode(np.zeros((0, 3), int), "ab") == []
    for number in (-1, 4):
        with pytest.raises(ValueError, match=f"must be between 0 and 3, got {min(number, 0)} to {max(number, 0)}"):
            texts.decode(np.array([[0, number]]), "ab")


def test_lines_are_cleaned():
    text = "\ufeff  tab\there \r\nno\u00a0break\rbell\x07\n\n \t \ne\u0301t\u00e9\u200b\n"
    assert texts.clean_lines(text) == ["tab here", "no break", "bell", "\u00e9t\u00e9"]


def test_the_vocabulary_is_found_in_the_training_lines_alone(tmp_path):
    path = write(tmp_path, "\n".join(f"{chr(0x4E00 + i)}x" for i in range(100)))
    source = texts.load(path, length=2)
    assert len(source) == 90 and len(source.test) == 10
    assert len(source.details["characters"]) == 91 and source.details["characters"][0] == "x"
    train, test = (part.read(np.arange(len(part)))["text"] for part in (source, source.test))
    assert texts.UNKNOWN not in train and np.all(test == [[texts.UNKNOWN, 2]])
    assert source.test.details == source.details


def test_no_test_line_is_a_training_line_and_the_split_is_always_the_same(tmp_path):
    path = write(tmp_path, "\n".join([f"line {i % 50}" for i in range(150)]))
    source, again = texts.load(path), texts.load(path)

    def lines(part):
        return texts.decode(part.read(np.arange(len(part)))["text"], source.details["characters"])

    assert len(source) == 135 and len(source.test) == 15
    assert not set(lines(source)) & set(lines(source.test))
    assert lines(source.test) == lines(again.test)


def test_long_lines_are_cut_or_left_out_with_a_warning(tmp_path):
    path = write(tmp_path, "\n".join([*LINES, "a much longer line", "and another one"]))
    with pytest.warns(
        UserWarning, match=r"lines\.txt: 2 of 22 lines have more than 8 characters and are cut\. The first of them"
    ):
        cut = texts.load(path, length=8, test_fraction=0)
    with pytest.warns(UserWarning, match=r"and are left out\. The first of them begins with 'a much longer line'\."):
        dropped = texts.load(path, length=8, test_fraction=0, long_lines="drop")
    assert (len(cut), len(dropped)) == (22, 20)
    assert texts.decode(cut.read(np.array([20]))["text"], cut.details["characters"]) == ["a much l"]


def test_rare_characters_become_unknown_with_a_warning(tmp_path):
    path = write(tmp_path, "\n".join(["aab"] * 10 + ["xa"]))
    with pytest.warns(UserWarning, match=r"1 of 3 different characters are not among the 2 most .*for example x\."):
        source = texts.load(path, max_characters=2, test_fraction=0)
    assert texts.decode(source.read(np.array([10]))["text"], "ab") == ["\ufffda"]


def test_the_bundled_poem_has_a_licence_and_needs_no_file():
    source = texts.load(length=40)
    assert source.name == "hiawatha" and len(source) + len(source.test) == 5344
    assert len(source.details["characters"]) < 64
    lines = texts.decode(source.read(np.arange(len(source)))["text"], source.details["characters"])
    assert "By the shores of Gitche Gumee," in lines and not any(texts.UNKNOWN_CHARACTER in line for line in lines)
    text = texts._BUNDLED.with_name("hiawatha_license.txt").read_text()
    assert "Longfellow" in text and "public domain" in text and "5,344" in text
    assert texts._BUNDLED.stat().st_size < 65_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is an empty file\. It must have at least 10 lines of text\."),
        (b" \n\n", r"is an empty file"),
        ("caf\u00e9\n".encode("latin-1") * 20, r"byte 4 of line 1 is 0xE9\. If it is text in another encoding"),
        (("x\n" * 6).encode() + b"ab\xff\n", r"is not text in UTF-8: byte 3 of line 7 is 0xFF"),
        ("\n".join(LINES).encode("utf-16"), r"is text in UTF-16, but it must be text in UTF-8\. Convert it"),
        ("\n".join(LINES).encode("utf-16-le"), r"is not a text file: byte 2 is zero"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", r"is not a text file: byte 9 is zero"),
        (gzip.compress(b"text"), r"is compressed with gzip, but it must be text in UTF-8\. Save its text as a \.txt"),
        (lzma.compress(b"text"), r"is compressed with xz"),
        (b"PK\x03\x04" + bytes(9), r"is a zip file, or a document that is stored as one"),
        (b"%PDF-1.7", r"is a PDF file"),
        ("one\ntwo\n", r"must have at least 10 lines that are not blank, got 2\."),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        texts.load(write(tmp_path, content), argument="words")
    with pytest.raises(ValueError, match="`words` "):
        texts.load(write(tmp_path, content), argument="words")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 3, "long_lines": "drop"}, r"All 20 lines of `data` .* more than `length` 3 .*the shortest has 6\."),
        ({"length": 6, "test_fraction": 1.0}, r"`test_fraction` must be at least 0 and below 1, got 1\.0\."),
        ({"length": 0}, r"`length` must be at least 1, got 0\."),
        ({"max_characters": 0}, r"`max_characters` must be at least 1, got 0\."),
        ({"long_lines": "wrap"}, r"`long_lines` must be cut or drop, got 'wrap'\."),
    ],
)
def test_options_that_cannot_be_used_are_explained(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        texts.load(write(tmp_path, "\n".join(LINES)), **options)


def test_too_few_short_lines_are_explained(tmp_path):
    path = write(tmp_path, "\n".join(LINES))
    with pytest.raises(ValueError, match=r"got 9\. Another 10 are longer than `length` 6 characters\."):
        texts.load(write(tmp_path, "\n".join(LINES[1:]), "fewer.txt"), length=6, long_lines="drop")
    with pytest.warns(UserWarning, match="10 of 20 lines"):
        assert len(texts.load(path, length=6, long_lines="drop", test_fraction=0)) == 10


def test_a_missing_file_and_a_folder_are_explained(tmp_path):
    write(tmp_path, "\n".join(LINES), "sonnets.txt")
    with pytest.raises(ValueError, match=r"`data` .*sonnet\.txt' does not exist\. Did you mean .*sonnets\.txt\?"):
        texts.load(str(tmp_path / "sonnet.txt"))
    with pytest.raises(ValueError, match=r"`data` 'none' does not exist\. The bundled text is hiawatha\."):
        texts.load("none")
    with pytest.raises(ValueError, match=r"`data` must be a text file, got a folder, "):
        texts.load(str(tmp_path))
