"""Help and mistakes of ``python -m experiments.NAME``, which are printed before the module imports JAX."""

import contextlib
import importlib
import os
import subprocess
import sys

import pytest

from jaxgan.cli import commands, experiment_files
from jaxgan.cli.fields import read_class
from jaxgan.cli.flags import Mistake
from jaxgan.cli.program import answer_before_import, main


def start(monkeypatch, *words, module="experiments.dcgan"):
    """Call ``answer_before_import`` while ``sys`` is as it is when Python looks for the module of a command."""
    monkeypatch.setattr(sys, "argv", ["-m", *words])
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-X", "dev", "-m", module, *words])
    answer_before_import("experiments")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("experiments.dcgan --help", 0, "usage: python -m experiments.dcgan [command] [flags]"),
        ("experiments.stylegan2 train --help", 0, "--r1-interval"),
        ("experiments.dcgan sample --help", 0, "usage: python -m experiments.dcgan sample"),
        ("experiments.dcgan bogus", 2, "`python -m experiments.dcgan` has no command 'bogus'."),
        ("experiments.dcgan --bogus", 2, "This command has no flag --bogus."),
        ("experiments.dcgan --steps x", 2, "--steps must be a whole number, got 'x'."),
        ("experiments.dgan", 2, "There is no experiment 'dgan'. Did you mean dcgan?"),
    ],
)
def test_jax_is_not_imported(arguments, code, text):
    command = [sys.executable, "-X", "importtime", "-m", *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=os.getcwd())
    assert done.returncode == code and text in done.stdout + done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "jaxgan.cli.program" in imported and not {"jax", "numpy", "flax", "optax"} & imported


@pytest.mark.parametrize("name", experiment_files.names())
def test_the_help_is_the_same_as_after_the_import(name, monkeypatch, capsys):
    module = importlib.import_module(f"experiments.{name}")
    for words in (["--help"], ["train", "--help"]):
        with pytest.raises(SystemExit):
            start(monkeypatch, *words, module=f"experiments.{name}")
        before = capsys.readouterr().out
        with contextlib.suppress(SystemExit):
            main(name, module.Config, module.build, module.__doc__, words, module.PRESETS)
        assert before == capsys.readouterr().out


def test_other_command_lines_are_left_to_the_module(monkeypatch, capsys):
    start(monkeypatch)
    start(monkeypatch, "train", "--steps", "3")
    start(monkeypatch, "--config", "/dev/missing")  # may be a pipe, which can be read only once
    start(monkeypatch, "--bogus", module="experiments.benchmarks")
    start(monkeypatch, "--bogus", module="experiments.benchmarks.memory")
    start(monkeypatch, "--bogus", module="pytest")
    assert capsys.readouterr() == ("", "")


def test_flags_are_parsed_without_reading_the_file_of_settings():
    fields = commands.command_fields("train", read_class(experiment_files.read_experiment("dcgan"), "Config").fields)
    words = ["--config", "/dev/missing", "--steps", "3"]
    assert commands.parse_flags("train", fields, words, "jaxgan") == {"config": "/dev/missing", "steps": 3}
    with pytest.raises(Mistake, match="/dev/missing"):
        commands.parse("train", fields, words, "jaxgan")
