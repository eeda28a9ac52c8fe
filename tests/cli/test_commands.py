"""All commands of the program ``jaxgan`` and of custom programs: help, flags, and errors that name the wrong flag."""

import dataclasses
import importlib

import numpy as np
import pytest
from helpers import programs
from helpers.files import folder, noise
from helpers.programs import run_console

from experiments import dcgan
from jaxgan.cli import commands, tools
from jaxgan.cli.checkpoint_reference import CheckpointReference, MemberReference, WeightsReference, check_seed
from jaxgan.cli.commands import COMMANDS, CommandPlace
from jaxgan.cli.evaluate import Evaluate
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.cli.export import Export
from jaxgan.cli.fields import fields_of
from jaxgan.cli.inspect import Inspect
from jaxgan.cli.project import Project
from jaxgan.cli.report import Report
from jaxgan.cli.sample import Sample
from jaxgan.cli.train import Resume, Train
from jaxgan.cli.translate import Translate
from jaxgan.core import system

pytestmark = pytest.mark.integration


def flag(name):
    return "--" + name.replace("_", "-")


SETTINGS = fields_of(dcgan.Config)


def names_of(command):
    return {field.name for field in commands.command_fields(command, SETTINGS)}


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_custom_program_shows_the_flags_of_a_command(command, capsys):
    code, text = programs.run(capsys, command, "--help")
    assert code == 0
    shown = {word.rstrip(",").replace("--no-", "--") for word in text.split()}
    assert {flag(name) for name in names_of(command)} <= shown


def test_help_lists_the_commands(capsys):
    code, text = programs.run(capsys, "--help")
    assert code == 0 and all(command in text for command in COMMANDS)
    code, text = run_console(capsys, "--help")
    assert code == 0 and all(f"  {command}" in text for command in (*COMMANDS, *tools.TOOLS))


@pytest.mark.parametrize("command", [name for name in tools.TOOLS if name not in COMMANDS])
def test_help_of_a_command_without_an_experiment_shows_its_flags(command, capsys):
    code, text = run_console(capsys, command, "--help")
    assert code == 0
    actions = tools.make_parser(command)._actions
    assert all(flag(a.dest) in text for a in actions if a.option_strings) and len(actions) >= 1


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "train"])
def test_help_of_a_command_of_a_run_shows_its_flags(command, capsys):
    code, text = run_console(capsys, command, "--help")
    assert code == 0 and f"usage: jaxgan {command} RUN" in text
    # The flags of settings that name data, such as --data of resume, depend on the experiment of the run.
    names = {field.name for field in commands.command_fields(command)} - set(commands.OPERANDS)
    assert {flag(name) for name in names} <= {word.rstrip(",") for word in text.split()}
    assert "--run-dir" not in text.split() and "--parameters" not in text.split()


# Wrong values


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a directory with untrained runs of several experiments, and images."""
    directory = tmp_path_factory.mktemp("runs")
    for experiment in ("stylegan2", "pix2pix", "dcgan"):
        programs.begun(directory / experiment, experiment, programs.filled_state)
    folder(directory / "images", {"a.png": noise((16, 16))})
    (directory / "file").write_text("no folder")
    return directory


IMAGES = ["--images", "{}/images"]
# For each command: the experiment, the arguments of all command lines, and wrong command lines by argument. "{}" stands
# for the directory of the runs.
WRONG = {
    "sample": ("stylegan2", ["--out", "a.png"], {
        "out": ["--out", "a.bmp"],
        "run_dir": ["--run-dir", "{}/none"],
        "step": ["--step", 7],
        "best": ["--best", "--step", 0],
        "member": ["--member", 3],
        "parameters": ["--parameters", "{}/none.safetensors", "--best"],
        "count": ["--count", 0],
        "seed": ["--seed", -1],
        "label": ["--label", 1],
        "where": ["--where", "education=Masters"],
        "styles": ["--styles", "{}/a.w.npz", "--count", 3],
        "truncation_psi": ["--truncation-psi", "inf"],
        "truncation_cutoff": ["--truncation-psi", 0.5, "--truncation-cutoff", 99],
        "noise": ["--noise", "loud"],
        "space": ["--space", "w"],
        "style_mix": ["--style-mix", "fine", "--out", "a.gif"],
        "direction": ["--direction", "sefa:99"],
        "strengths": ["--strengths", 1],
        "layers": ["--layers", "fine"],
    }),
    "translate": ("pix2pix", [*IMAGES, "--out", "{}/out"], {
        "images": ["--images", "{}/none"],
        "out": ["--out", "{}/images"],
        "run_dir": ["--run-dir", "{}/none"],
        "step": ["--step", 7],
        "best": ["--best", "--step", 0],
        "member": ["--member", -1],
        "parameters": ["--parameters", "{}/none.safetensors", "--step", 0],
        "direction": ["--direction", "sideways"],
        "masks": ["--masks", "{}/none"],
        "memory": ["--memory", 0],
        "tile": ["--tile", 3],
        "seed": ["--seed", 2**32],
    }),
    "project": ("stylegan2", IMAGES, {
        "images": ["--images", "{}/file"],
        "out": ["--out", "{}/file/below", "--steps", 1],
        "run_dir": ["--run-dir", "{}/none"],
        "step": ["--step", 7],
        "best": ["--best", "--step", 0],
        "member": ["--member", 3],
        "space": ["--space", "w", "w"],
        "steps": ["--steps", 0],
        "seed": ["--seed", -1],
    }),
    "evaluate": ("dcgan", [], {
        "run_dir": ["--run-dir", "{}/none"],
        "step": ["--step", 7],
        "best": ["--best", "--step", 0],
        "member": ["--member", 3],
        "metrics": ["--metrics", "beauty"],
        "features": ["--features", "inception-7"],
        "weights": ["--weights", "{}/none.pth"],
        "resize": ["--resize", "by-hand"],
        "count": ["--count", 1],
        "seed": ["--seed", -1],
        "out": ["--out", "{}/file/below.json", "--metrics", "is", "--features", "classifier", "--count", 20],
    }),
    "export": ("dcgan", ["--out", "{}/a.jaxgan"], {
        "out": ["--out", "{}/file/below.jaxgan"],
        "run_dir": ["--run-dir", "{}/none"],
        "step": ["--step", 7],
        "best": ["--best", "--step", 0],
        "member": ["--member", 3],
    }),
    "report": ("dcgan", [], {"run_dir": ["--run-dir", "{}/none"]}),
    "inspect": ("dcgan", [], {
        "run_dir": ["--run-dir", "{}/none"],
        "step": ["--step", 7],
        "best": ["--best", "--step", 0],
    }),
}  # fmt: skip


def filled(arguments, directory):
    return [str(a).replace("{}", str(directory)) for a in arguments]


@pytest.mark.parametrize(
    ("command", "argument"), [(command, name) for command, (_, _, wrong) in WRONG.items() for name in wrong]
)
def test_an_error_names_the_flag_with_the_wrong_value(command, argument, runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment, always, wrong = WRONG[command]
    arguments = filled(["--run-dir", f"{{}}/{experiment}", *always, *wrong[argument]], runs)
    code, text = programs.run(capsys, command, *arguments, experiment=experiment)
    is_system_error = "cannot be written" in text or "cannot be read" in text
    assert code == (1 if is_system_error else 2), text
    error = text.partition("error: ")[2] or text
    assert flag(argument) in error and f"`{argument}`" not in text and "Traceback" not in text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in ("train", "resume")])
def test_the_table_of_wrong_values_is_complete(command):
    assert set(WRONG[command][2]) == names_of(command)


TRAINING = {
    "run_dir": [""],
    "checkpoint_every": [0],
    "sample_every": [0],
    "evaluate_every": [0],
    "metrics": ["fid"],  # without evaluate_every
    "features": ["classifier"],
    "weights": ["a.pth"],
    "evaluate_count": [5],
    "devices": [9],
    "parallel": ["by-hand"],
    "processes": [2],  # without coordinator
    "process": [1],
    "profile": [-1],
}


@pytest.mark.parametrize("argument", TRAINING)
def test_an_error_names_the_flag_of_a_wrong_option(argument, tmp_path, capsys):
    where = [] if argument == "run_dir" else ["--run-dir", tmp_path / "run"]
    code, text = programs.run(capsys, "train", *programs.TINY, *where, flag(argument), *TRAINING[argument])
    assert code == 2 and flag(argument) in text and f"`{argument}`" not in text, text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("field", dataclasses.fields(dcgan.Config), ids=lambda field: field.name)
def test_an_error_names_the_flag_of_a_wrong_setting(field, tmp_path, capsys):
    """The wrong value is a number outside any range, or a word that is not a choice, a number or a data set."""
    value = getattr(dcgan.Config(), field.name)
    if isinstance(value, bool):
        wrong = ["maybe"]  # flags of booleans do not take a value
    elif isinstance(value, float):
        wrong = ["nan"]
    elif isinstance(value, int):
        wrong = [-1]
    else:
        wrong = ["nonsense"]
    arguments = [*programs.TINY, "--run-dir", tmp_path / "run", flag(field.name), *wrong]
    code, text = programs.run(capsys, "train", *arguments)
    assert code == 2, text
    if not isinstance(value, bool):
        assert flag(field.name) in text.partition("error: ")[2] or flag(field.name) in text, text
    assert not (tmp_path / "run").exists()


CONSOLE = {
    "fid": (["{}/images", "{}/images"], {
        "features": ["--features", "inception-7"],
        "weights": ["--weights", "{}/none.pth"],
        "resize": ["--resize", "by-hand"],
        "resolution": ["--resolution", "large"],
        "count": ["--count", 1],
        "out": ["--out", "{}/file/below.json"],
    }),
    "compare": (["{}/dcgan", "{}/dcgan"], {"out": ["--out", "{}/file/below.html"]}),
    "sample": (["{}/g.jaxgan"], {
        "out": ["--out", "a.gif"],
        "count": ["--count", 0],
        "seed": ["--seed", -1],
        "label": ["--label", 1],
    }),
    "translate": (["{}/t.jaxgan", "{}/images", "--out", "{}/out"], {
        "out": ["--out", "{}/images"],
        "direction": ["--direction", "sideways"],
        "masks": ["--masks", "{}/none"],
        "memory": ["--memory", -1],
        "tile": ["--tile", 3],
        "seed": ["--seed", -1],
    }),
}  # fmt: skip


@pytest.fixture(scope="module")
def artefacts(runs):
    for experiment, name in (("dcgan", "g.jaxgan"), ("pix2pix", "t.jaxgan")):
        arguments = ["--run-dir", runs / experiment, "--out", runs / name]
        assert programs.run(programs.Silent(), "export", *arguments, experiment=experiment)[0] == 0
    return runs


@pytest.mark.parametrize(
    ("command", "argument"), [(command, name) for command, (_, wrong) in CONSOLE.items() for name in wrong]
)
def test_an_error_of_the_console_names_the_flag_with_the_wrong_value(
    command, argument, artefacts, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if (command, argument) in (("fid", "out"), ("fid", "count")):  # the weights of Inception are not available
        monkeypatch.setattr("jaxgan.cli.fid.make_extractor", lambda *_, **__: None)
    if (command, argument) == ("fid", "out"):  # replaces the measurement
        monkeypatch.setattr("jaxgan.cli.fid.compare", lambda *_, **__: {"fid": 1.0, "protocol": {}})
        monkeypatch.setattr("jaxgan.cli.fid.format_result", lambda result: ["fid 1"])
    always, wrong = CONSOLE[command]
    code, text = run_console(capsys, command, *filled([*always, *wrong[argument]], artefacts))
    is_system_error = "cannot be written" in text or "No such file" in text or "Not a directory" in text
    assert code == (1 if is_system_error else 2), text
    assert flag(argument) in text and f"`{argument}`" not in text and "Traceback" not in text, text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", CONSOLE)
def test_the_table_of_wrong_values_of_the_console_is_complete(command):
    names = tools.flag_names(tools.make_parser(command))
    flags = {argument for argument, name in names.items() if name.startswith("--")}
    assert set(CONSOLE[command][1]) == flags


# Commands as objects


@pytest.fixture
def program():
    return ExperimentProgram("dcgan", dcgan.Config, dcgan.build, "A docstring.")


def make_command(command, words, presets=()):
    """Return the dataclass of a command with the values of a command line."""
    fields = commands.command_fields(command, SETTINGS, presets)
    values = commands.parse(command, fields, words, "prog")
    place = COMMANDS[command]
    command_class = getattr(importlib.import_module(f"jaxgan.cli.{place.module}"), place.class_name)
    return commands.make_command(command_class, fields, values)


def test_a_command_has_the_values_of_the_command_line():
    words = ["--out", "a.png", "--psi", "0.5", "--strengths", "-2", "0", "--run-dir", "r", "--best"]
    command = make_command("sample", words)
    assert isinstance(command, Sample)
    assert (command.out, command.control.truncation_psi, command.control.strengths) == ("a.png", 0.5, (-2.0, 0.0))
    assert command.checkpoint == WeightsReference("r", None, True)
    train = make_command("train", ["--steps", "5", "--fresh", "--dry-run", "--preset", "small"], ("small",))
    assert train == Train(preset="small", settings={"steps": 5}, options={"fresh": True}, dry_run=True)
    assert make_command("resume", ["--steps", "5", "--quiet"]) == Resume(steps=5, options={"quiet": True})


@pytest.mark.parametrize(
    ("command", "words", "values", "rest"),
    [
        ("sample", "runs/a --count 3", {"run_dir": "runs/a"}, "--count 3"),
        ("sample", "a.safetensors", {"parameters": "a.safetensors"}, ""),
        ("sample", "--count 3", {}, "--count 3"),
        ("sample", "runs/a b", {"run_dir": "runs/a"}, "b"),
        ("translate", "runs/a b --out c", {"run_dir": "runs/a", "images": "b"}, "--out c --images b"),
    ],
)
def test_operands_before_the_flags_are_taken(command, words, values, rest):
    given = words.split()
    assert commands.take_operands(command, given) == values and given == rest.split()


def test_each_command_has_its_dataclass():
    classes = (Train, Resume, Sample, Translate, Project, Evaluate, Export, Report, Inspect)
    places = [CommandPlace(command.__module__.rpartition(".")[2], command.__name__) for command in classes]
    assert list(COMMANDS.values()) == places
    assert list(COMMANDS) == [command.__name__.lower() for command in classes]


def test_the_directory_of_a_run(program, tmp_path):
    assert str(program.path_of_run(None)) == "runs/dcgan" and program.path_of_run(str(tmp_path)) == tmp_path
    assert program.signature == f"jaxgan {system.versions()['jaxgan']} dcgan"
    assert CheckpointReference(str(tmp_path)).path(program) == tmp_path


def test_a_checkpoint_is_read_and_restored(program, runs):
    leaves = CheckpointReference(str(runs / "dcgan")).read(program)
    assert int(leaves["step"]) == 0
    experiment, state, member, config = MemberReference(str(runs / "dcgan"), step=0).restore(program)
    assert (int(state.step), member, config) == (0, "", dcgan.Config.tiny())
    name = next(name for name in leaves if name.startswith("params.g."))
    value = state.params
    for key in name.split(".")[1:]:
        value = value[key]
    np.testing.assert_array_equal(value, leaves[name])
    assert experiment.source.shape == (8, 8, 1)


def test_a_parameter_file_can_replace_a_run(program, runs, tmp_path):
    Export(out=str(tmp_path / "a.safetensors"), checkpoint=MemberReference(str(runs / "dcgan"))).execute(program)
    _, state, member, config = WeightsReference(parameters=str(tmp_path / "a.safetensors")).restore(program)
    _, run_state, _, _ = WeightsReference(str(runs / "dcgan")).restore(program)
    assert (member, config) == ("", None)
    np.testing.assert_array_equal(state.params["g"]["image"]["bias"], run_state.params["g"]["image"]["bias"])


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_must_be_a_uint32(seed):
    with pytest.raises(ValueError, match=f"`seed` must be between 0 and 4294967295, got {seed}"):
        check_seed(seed)
    check_seed(seed % 2**32)


def test_flag_names_returns_flags_and_operands_as_they_are_typed():
    assert tools.flag_names(tools.make_parser("translate")) == {
        "artefact": "FILE",
        "images": "IMAGES",
        "out": "--out",
        "direction": "--direction",
        "masks": "--masks",
        "memory": "--memory",
        "tile": "--tile",
        "seed": "--seed",
    }


@pytest.mark.parametrize("shows", [False, True])
def test_the_traceback_of_an_error_is_printed_on_request(shows, capsys, tmp_path, monkeypatch):
    """Errors in settings too, which are ``ValueError``s like mistakes in the flags."""
    if shows:
        monkeypatch.setenv("JAXGAN_TRACEBACK", "1")
    else:
        monkeypatch.delenv("JAXGAN_TRACEBACK", raising=False)
    code, text = run_console(capsys, "train", "gan", "--batch-size", 0, "--run-dir", tmp_path / "run")
    assert code == 2
    assert "error: --batch-size must be at least 1, got 0." in text
    assert ("Traceback (most recent call last)" in text) == shows
    assert ("set the environment variable JAXGAN_TRACEBACK=1" in text) != shows
