"""Names of files, classes and experiments that contain control characters, line breaks or markup.

Every command prints them as visible characters, in any encoding, and they are no elements of the pages that it writes.
"""

import contextlib
import html.parser
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import markdown_it
import numpy as np
import pytest
from helpers import programs
from PIL import Image

from jaxgan.cli import main as console

pytestmark = pytest.mark.integration

FORGED = "error: forged"
CLASSES = (
    "<img src=x onerror=alert(1)>",
    f"a\n{FORGED}",
    "b\x1b[2J\x9b\u202e\u200b",
    "[c](javascript:alert(1)) *d* `e` | f",
    os.fsdecode(b"g\xff"),
    "h' onload='alert(1)",
)
FOLDER = f"ph\x07oto\rs <b>\n{FORGED}"


def is_safe(text):
    """Return whether text has no control characters besides line feeds, no line of its own, and no hidden order."""
    return all(c.isprintable() or c == "\n" for c in text) and FORGED not in text.split("\n")


class Elements(html.parser.HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(attrs)))


def check_page(path, reference=None):
    text = path.read_text(encoding="utf-8")
    assert is_safe(text) and "<img src=x" not in text and "alert(1)>" not in text.replace("\\u003e", "")
    if reference is not None:
        assert Elements(text).found == Elements(reference.read_text(encoding="utf-8")).found


def check_card(text):
    assert is_safe(text)
    rendered = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render(text)
    for page in (rendered, text):
        assert {tag for tag, _ in Elements(page).found} <= {
            *("h1", "h2", "p", "ul", "li", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"),
        }
        assert all(name == "class" for _, attributes in Elements(page).found for name, _ in attributes)


def write_images(folder, names=CLASSES):
    for i, name in enumerate(names):
        for j in range(2):
            path = folder / name / f"{j}{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng((i, j)).integers(0, 256, (8, 8), np.uint8)
            with path.open("wb") as file:
                Image.fromarray(pixels).save(file, "png")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with a run of hostile names, a run of other names, and what the first one printed."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        for data, names, run in ((FOLDER, CLASSES, f"r <i>\n{FORGED}\x1b"), ("photos", "abcdef", "run")):
            write_images(folder / data, names)
            flags = [*programs.tiny("cgan"), "--data", data, "--steps", 1, "--run-dir", run]
            with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(printed):
                assert programs.run(programs.Silent(), *flags, experiment="cgan")[0] == 0
            if data == FOLDER:
                (folder / "printed.txt").write_text(printed.getvalue(), encoding="utf-8")
    return folder


@pytest.fixture
def run(trained, monkeypatch):
    monkeypatch.chdir(trained)
    return f"r <i>\n{FORGED}\x1b"


def safely(capsys, *arguments, code=0, experiment="cgan"):
    """Run a command, and check its output and its exit code."""
    found, text = programs.run(capsys, *arguments, experiment=experiment)
    assert found == code and is_safe(text), text
    return text


def test_training_prints_and_records_hostile_names(run, capsys, few_measured_steps):
    text = Path("printed.txt").read_text(encoding="utf-8")
    assert is_safe(text) and r"ph\x07oto\rs <b>\nerror: forged" in text and r"r <i>\nerror: forged\x1b" in text
    record = json.loads((Path(run) / "config.json").read_text())
    assert record["config"]["data"] == FOLDER
    # Bytes that are not UTF-8 are escaped in the name of a class.
    assert set(record["data"]["classes"]) - {r"g\xff"} == set(CLASSES) - {os.fsdecode(b"g\xff")}
    assert "resumed" in safely(capsys, "resume", "--run-dir", run, "--steps", 2)
    safely(capsys, *programs.tiny("cgan"), "--data", FOLDER, "--dry-run")


def test_pages_contain_no_elements_of_names(run, capsys):
    for each in (run, "run"):
        safely(capsys, "report", "--run-dir", each)
    check_page(Path(run, "report.html"), Path("run", "report.html"))
    console.main(["compare", run, "run", "--out", "both.html"])
    assert is_safe("".join(capsys.readouterr()))
    check_page(Path("both.html"), Path("run", "report.html"))


def test_model_cards_contain_no_markup_of_names(run, capsys):
    for name in ("a.safetensors", f"<u>\n{FORGED}.safetensors"):
        safely(capsys, "export", "--run-dir", run, "--out", name)
    check_card(Path("a.md").read_text(encoding="utf-8"))
    assert r"a\\nerror: forged" in Path("a.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ["sample", "--out", f"<u>\n{FORGED}.npz", "--label", "1", "--count", "2"],
        ["sample", "--out", f"<u>\n{FORGED}.png", "--count", "2"],
        ["inspect"],
    ],
)
def test_commands_print_hostile_names(run, command, capsys):
    safely(capsys, *command, "--run-dir", run)


MISTAKES = [
    ["sample", "--run-dir", f"gone\n{FORGED}\x1b[2J"],
    ["sample", "--run-dir", "run", "--out", f"x\n{FORGED}.exe"],
    ["sample", "--run-dir", "run", "--label", f"x\n{FORGED}\x9b"],
    ["sample", "--run-dir", "run", "--count", f"1\n{FORGED}"],
    ["sample", "--run-dir", "run", f"--x\n{FORGED}", "1"],
    [f"x\n{FORGED}"],
    ["export", "--run-dir", "run", "--out", f"x\n{FORGED}"],
    ["resume", "--run-dir", "run", "--data", FOLDER],
    ["train", "--data", f"gone\n{FORGED}/x"],
    ["train", "--config", f"gone\n{FORGED}"],
    ["train", "--run-dir", f"run/config.json/\n{FORGED}"],
]


@pytest.mark.parametrize("command", MISTAKES)
def test_mistakes_are_printed_as_visible_characters(trained, command, capsys, monkeypatch):
    monkeypatch.chdir(trained)
    code, text = programs.run(capsys, *command, experiment="cgan")
    assert code in (1, 2) and is_safe(text) and "error: " in text, text


@pytest.mark.parametrize(
    "command",
    [
        [f"x\n{FORGED}\x1b"],
        ["list", f"x\n{FORGED}\x1b"],
        ["new", f"x\n{FORGED}\x1b"],
        ["new", "mine", "--like", f"x\n{FORGED}\x1b"],
        ["train", f"x\n{FORGED}\x1b"],
        ["sample", f"x\n{FORGED}\x1b"],
        ["sample"],
        ["sample", f"x\n{FORGED}\x1b.jaxgan"],
        ["sample", f"x\n{FORGED}\x1b.safetensors"],
        ["translate", f"x\n{FORGED}\x1b.jaxgan", "y", "--out", "z"],
        ["compare", f"x\n{FORGED}\x1b", "run"],
        ["fid", f"x\n{FORGED}\x1b", "photos"],
        ["fid", FOLDER, "photos", "--weights", f"x\n{FORGED}\x1b"],
    ],
)
def test_mistakes_of_the_console_are_printed_as_visible_characters(trained, command, capsys, monkeypatch):
    monkeypatch.chdir(trained)
    (trained / "runs" / f"x\n{FORGED}").mkdir(parents=True, exist_ok=True)
    (trained / "runs" / f"x\n{FORGED}" / "config.json").write_text("{}")
    with pytest.raises(SystemExit) as stop:
        console.main(command)
    text = "".join(capsys.readouterr())
    assert stop.value.code in (1, 2) and is_safe(text) and "error: " in text, text


def test_a_damaged_file_is_named_in_visible_characters(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_images(tmp_path / FOLDER)
    (folder / CLASSES[1] / f"0\x1b[2J\n{FORGED}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, text = programs.run(capsys, *programs.tiny("cgan"), "--data", FOLDER, experiment="cgan")
    assert is_safe(text) and (code == 0 or r"0\x1b[2J\nerror: forged.png" in text), text


def commands_of_terminal(tmp_path):
    """Return commands with valid text that the encoding of a terminal lacks, and their exit codes."""
    folder = write_images(tmp_path / "\u732b \u00e9", ("\u72ac", "\u00fc", os.fsdecode(b"\xfe")))
    flags = [*map(str, programs.tiny("cgan")), "--data", os.fspath(folder), "--steps", "1", "--run-dir", "run"]
    return {
        "train": (flags, 0),
        "sample": (["sample", "--run-dir", "run", "--out", "\u732b.npz"], 0),
        "help": (["--help"], 0),
        "mistake": (["train", "--data", "\u732b/x"], 2),
    }


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_terminals_of_any_encoding_can_print_any_name(encoding, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = {name: io.TextIOWrapper(io.BytesIO(), encoding) for name in ("stdout", "stderr")}
    for name, stream in printed.items():
        monkeypatch.setattr(sys, name, stream)
    for command, expected in commands_of_terminal(tmp_path).values():
        assert programs.run(programs.Silent(), *command, experiment="cgan")[0] == expected
    out, error = (stream.buffer.getvalue().decode(encoding) for stream in printed.values())
    assert r"\u732b.npz" in out and r"\u732b/x" in error


PROGRAM = """
import sys
from experiments import cgan
from jaxgan.cli.program import main

words = sys.argv[1:]
while words:
    end = words.index("then")
    try:
        main("cgan", cgan.Config, cgan.build, "About \\u732b.", words[:end])
        print("exit code 0")
    except SystemExit as stop:
        print("exit code", stop.code or 0)
    words = words[end + 1:]
"""


def test_names_that_the_locale_cannot_decode_are_printed(tmp_path):
    """One process runs all commands. In the locale C, Python decodes the names as single bytes of unknown meaning."""
    commands = commands_of_terminal(tmp_path)
    words = [word for command, _ in commands.values() for word in (*command, "then")]
    variables = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, cwd=tmp_path, env={**os.environ, **variables}
    )
    output = done.stdout + done.stderr
    codes = [int(line.split()[-1]) for line in done.stdout.splitlines() if line.startswith(b"exit code")]
    assert codes == [expected for _, expected in commands.values()], output
    assert b"Traceback" not in output and b"codec can't encode" not in output


def test_a_run_directory_that_is_not_utf8_is_refused_at_once(trained, capsys, monkeypatch):
    monkeypatch.chdir(trained)
    name = os.fsdecode(b"r\xfcn")
    text = safely(capsys, *programs.tiny("cgan"), "--data", "photos", "--run-dir", name, code=2)
    assert r"The path of --run-dir r\udcfcn is not text in UTF-8" in text and not Path(name).exists()
