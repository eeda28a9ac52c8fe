"""Custom experiments that ``jaxgan new`` creates, and the command ``jaxgan list``."""

import argparse
import ast
import json
import os
import re
import subprocess
import sys

import pytest
from helpers import programs

from jaxgan.cli import experiment_files
from jaxgan.cli.experiment_program import ExperimentProgram, invocation, load_program
from jaxgan.cli.fields import experiments_folder
from jaxgan.cli.list import list_experiments
from jaxgan.cli.new import rename_experiment, write_experiment
from jaxgan.cli.tools import run

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(programs.ROOT), "JAX_NUM_CPU_DEVICES": "1"}


@pytest.mark.parametrize("like", experiment_files.names())
def test_a_copy_differs_only_in_its_name_and_header(like):
    module = experiment_files.read_experiment(like)
    text = rename_experiment(module, like, "mine")
    tree, original = ast.parse(text), ast.parse(module.path.read_text())
    assert ast.get_docstring(tree).startswith(f"mine: a custom experiment, created as a copy of {like}.")
    assert 'main("mine", Config, build, __doc__' in text and f'main("{like}"' not in text
    assert [ast.dump(node) for node in tree.body[1:-1]] == [ast.dump(node) for node in original.body[1:-1]]
    assert all(len(line) <= 120 for line in text.splitlines())


@pytest.mark.parametrize(
    ("name", "like", "message"),
    [
        (
            "my-gan",
            "dcgan",
            "`name` must be a Python name (letters, digits and underscores), got 'my-gan'. Did you mean my_gan?",
        ),
        ("class", "dcgan", "`name` must be a Python name (letters, digits and underscores), got 'class'."),
        ("dcgan", "dcgan", "`name` must not be the name of an experiment of jaxgan, got dcgan. Choose another name."),
        ("existing", "dcgan", "existing.py already exists. Choose another name, or remove the file."),
        ("json", "dcgan", "got json: Python would import json.py instead of that module. Choose another name."),
        ("mine", "dcgna", "There is no experiment 'dcgna'. Did you mean dcgan?"),
        ("mine", "qqqqq", "There is no experiment 'qqqqq'. The experiments are cgan, ctgan, cyclegan,"),
    ],
)
def test_a_wrong_name_is_refused(name, like, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "existing.py").write_text("mine\n")
    with pytest.raises(ValueError) as error:
        write_experiment(argparse.Namespace(name=name, like=like))
    assert message in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["existing.py"]


def call(*words, cwd):
    done = subprocess.run([sys.executable, *map(str, words)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


SEVERAL = """
import json, runpy, sys

for words in json.loads(sys.argv.pop()):
    sys.argv[:] = words
    try:
        if words[0] == "jaxgan":
            runpy.run_module("jaxgan", run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[0], run_name="__main__")
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    print("\\nexit code", code, flush=True)
"""


def call_all(*lines, cwd):
    """Run programs with these command lines one after the other in one process, because each imports JAX."""
    line = [sys.executable, "-c", SEVERAL, json.dumps([[str(word) for word in words] for words in lines])]
    done = subprocess.run(line, cwd=cwd, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    *found, rest = re.split(r"\nexit code (\d+)\n", done.stdout)
    assert (done.returncode, rest, len(found)) == (0, "", 2 * len(lines)), done.stdout
    return [(int(code), text) for text, code in zip(found[::2], found[1::2])]


@pytest.mark.integration
def test_a_copy_trains_resumes_samples_and_reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("new", ["mine", "--like", "gan"])
    small = programs.tiny("gan")
    code, text = call("mine.py", "--steps", 2, "--checkpoint-every", 1, *small, cwd=tmp_path)
    assert code == 0 and "mine: 1,797 examples" in text, text
    assert text.endswith("report: runs/mine/report.html\nmore samples: python mine.py sample\n"), text
    record = json.loads((tmp_path / "runs/mine/config.json").read_text())
    assert (record["experiment"], record["program"]) == ("mine", "python mine.py")
    # The run can be passed as an operand. Errors name the program as it was typed, and ``jaxgan`` refers to the program.
    resumed, one, other, mistake, elsewhere = call_all(
        ["mine.py", "resume", "--steps", 3],
        ["mine.py", "sample", "--out", "grid.png", "--count", 4],
        ["mine.py", "sample", "runs/mine", "--out", "again.png", "--count", 4],
        ["mine.py", "--lr", 3],
        ["jaxgan", "sample", "runs/mine"],
        cwd=tmp_path,
    )
    assert resumed[0] == 0 and "resumed from step 2" in resumed[1], resumed
    assert json.loads((tmp_path / "runs/mine/config.json").read_text())["options"] == {"checkpoint_every": 1}
    assert (tmp_path / "runs/mine/report.html").exists()
    assert (one[0], other[0]) == (0, 0), (one, other)
    assert (tmp_path / "grid.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    assert mistake[0] == 2 and "help: python mine.py train --help" in mistake[1], mistake
    own = "Use its own program: `python mine.py sample --run-dir runs/mine`."
    assert elsewhere[0] == 2 and own in elsewhere[1], elsewhere


@pytest.mark.integration
def test_the_console_trains_resumes_and_samples(tmp_path):
    small = programs.tiny("gan")
    code, text = call("-m", "jaxgan", "train", "gan", "--steps", 2, *small, cwd=tmp_path)
    assert code == 0 and text.endswith("more samples: jaxgan sample runs/gan\n"), text
    resumed, sampled, mistake = call_all(
        ["jaxgan", "resume", "runs/gan", "--steps", 3],
        ["jaxgan", "sample", "gan", "--count", 4],
        ["jaxgan", "sample", "runs/gan", "--label", 3],
        cwd=tmp_path,
    )
    assert resumed[0] == 0 and "resumed from step 2" in resumed[1], resumed
    assert sampled[0] == 0 and (tmp_path / "samples.png").exists(), sampled
    assert mistake[0] == 2 and "error: --label" in mistake[1], mistake


def test_a_program_returns_its_command_lines():
    program = load_program("gan")
    assert program.is_console and program.train_command == "jaxgan train gan"
    assert program.command("sample", "runs/gan") == "jaxgan sample runs/gan"
    custom = ExperimentProgram("mine", program.config_class, program.build, "", invoked_as="python mine.py")
    assert custom.train_command == "python mine.py"
    assert custom.command("sample", "runs/mine") == "python mine.py sample"
    assert custom.command("report", "runs/b") == "python mine.py report --run-dir runs/b"
    assert invocation(program.config_class) == "python -m jaxgan.experiments.gan"


def test_list_prints_all_experiments(capsys):
    list_experiments(argparse.Namespace(experiment=None))
    text = capsys.readouterr().out
    for name in experiment_files.names():
        assert (
            f"\n{name} " in f"\n{text}" and experiment_files.title(experiment_files.read_experiment(name))[:20] in text
        )
    assert "presets: " in text and "score: " in text


def test_list_prints_the_header_of_an_experiment(capsys):
    list_experiments(argparse.Namespace(experiment="wgan-gp"))
    text = capsys.readouterr().out
    module = experiment_files.read_experiment("wgan_gp")
    assert module.docstring.strip() in text and f"File       {module.path}" in text
    assert experiment_files.header(module)["Paper"].startswith("Gulrajani")
    with pytest.raises(ValueError, match=r"There is no experiment 'dcgna'\. Did you mean dcgan\?"):
        list_experiments(argparse.Namespace(experiment="dcgna"))


def test_experiments_are_named_after_their_files():
    assert experiments_folder().is_dir() and len(experiment_files.names()) >= 14
    for name in experiment_files.names():
        assert f'main("{name}", Config, build, __doc__' in experiment_files.read_experiment(name).path.read_text()
