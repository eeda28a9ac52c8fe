"""The program ``jaxgan``: each command reaches its function with its arguments, and errors end it."""

import importlib
import subprocess
import sys

import pytest

from jaxgan.cli import main as console, tools

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
def test_a_command_reaches_its_function(command, monkeypatch):
    function, words, expected = CALLS[command]
    calls = []
    monkeypatch.setattr(function, calls.append)
    console.main(words)
    (args,) = calls
    found = {name: getattr(args, name) for name in expected}
    assert {name: x if x is None or isinstance(x, int | float) else str(x) for name, x in found.items()} == expected


@pytest.mark.parametrize("tool", tools.TOOLS.values(), ids=tools.TOOLS)
def test_every_tool_has_its_function(tool):
    assert isinstance(tool, tools.Tool) and tool.about.endswith(".")
    assert callable(getattr(importlib.import_module(f"jaxgan.cli.{tool.module}"), tool.function))


@pytest.mark.parametrize(
    ("error", "command", "code", "message"),
    [
        (ValueError("`count` must be at least 1, got 0."), "sample", 2, "error: --count must be at least 1, got 0.\n"),
        (OSError("`images` cannot be read"), "translate", 2, "error: `images` cannot be read\n"),  # it has no flag
        (MemoryError("too much"), "sample", 1, "error: too much; there is not enough memory: lower --count\n"),
        (MemoryError("too much"), "translate", 1, "error: too much; there is not enough memory: lower --memory\n"),
        (MemoryError("too much"), "compare", 1, "error: too much; there is not enough memory\n"),
    ],
)
def test_errors_end_a_command(error, command, code, message, monkeypatch, capsys):
    def fail(args):
        raise error

    function, words, _ = CALLS[command]
    monkeypatch.setattr(function, fail)
    with pytest.raises(SystemExit) as stop:
        console.main(words)
    assert stop.value.code == code and capsys.readouterr().err == message


def test_reading_flags_imports_no_jax():
    """So that help and typos are answered at once."""
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
    assert not {"jax", "numpy", "flax", "optax", "jaxgan.core", "jaxgan.experiments.dcgan"} & set(loaded)
