"""The program ``jaxgan``: it trains the experiments that come with it, and works with their runs and with files.

Flags are read without importing JAX, which takes a second; a command's module is imported when the command is run.
"""

import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxgan.cli import commands, errors, experiment_files, suggestions, tools
from jaxgan.cli.experiment_program import CONSOLE, load_program
from jaxgan.cli.fields import read_class
from jaxgan.cli.flags import Mistake
from jaxgan.version import __version__

ARTEFACTS = (".jaxgan",)  # files of compiled functions
PROGRAM = re.compile(r"python (-m )?[\w./ -]+")  # a program that a run may name; a run may be somebody else's


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the command line names; exit with its code if it failed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    prog = CONSOLE
    try:
        name = _command(given)
        prog = f"{CONSOLE} {name}"
        if name in tools.TOOLS and not _is_run(name, given):
            tools.run(name, given)
        else:
            _run_command(name, given)
    except ValueError as mistake:
        errors.print_mistake(str(mistake), getattr(mistake, "prog", None) or prog)
        sys.exit(2)


def _command(given: list[str]) -> str:
    """Take the command's name from the arguments.

    Raises:
      Mistake: there is none, or no such command.
      SystemExit: help or the version was asked for, and printed.
    """
    if not given or given[0] in ("-h", "--help", "help"):
        if len(given) > 1 and given[0] == "help":
            given[:] = [given[1], "--help"]
            return _command(given)
        print(_help())
        sys.exit(0)
    if given[0] in ("--version", "-V", "version"):
        print(f"jaxgan {__version__}")
        sys.exit(0)
    names = list(dict.fromkeys([*commands.COMMANDS, *tools.TOOLS]))
    name = given.pop(0)
    if name in names:
        return name
    if name in experiment_files.names():
        raise Mistake(f"{name} is an experiment; a command comes before it: {CONSOLE} train {' '.join([name, *given])}")
    if name.startswith("-"):
        command = next((word for word in given if word in names), "train EXPERIMENT")
        raise Mistake(f"{name} stands before the command; flags follow it: {CONSOLE} {command} ... {name}.")
    raise Mistake(suggestions.answer_command(name, names, CONSOLE))


# Commands of experiments and of their runs


EXAMPLES = {"translate": "runs/pix2pix", "project": "runs/stylegan2"}  # runs in the examples of help; else runs/dcgan


def _run_command(name: str, given: list[str]) -> None:
    if name == "train":
        experiment, values = _take_experiment(given), {}
        prog, operands, example = f"{CONSOLE} train {experiment}", "", ""
    else:
        experiment, values = _take_run(name, given)
        prog, operands = f"{CONSOLE} {name}", "RUN IMAGES" if name in commands.TAKES_IMAGES else "RUN"
        example = EXAMPLES.get(name, "runs/dcgan")
    text = experiment_files.read_experiment(experiment) if experiment else None
    settings = read_class(text, "Config").fields if text else ()
    fields = commands.command_fields(name, settings, text.dict_keys("PRESETS") if text else ())
    flags = [field for field in fields if name == "train" or field.name not in commands.OPERANDS]
    values |= commands.parse(name, flags, given, prog, operands, example)
    commands.execute(name, fields, values, load_program(experiment))


def _take_experiment(given: list[str]) -> str:
    """Take the experiment's name from the arguments of ``train``.

    Raises:
      Mistake: there is none, or no such experiment.
      SystemExit: help was asked for, and printed.
    """
    names = experiment_files.names()
    if given and given[0] in ("-h", "--help"):
        print(_help_for_training(names))
        sys.exit(0)
    if not given or given[0].startswith("-"):
        later = next((word for word in given if word in names), None)
        if later:
            i = given.index(later)
            # The name may have a flag of its own, as in --model dcgan.
            del given[i - 1 if given[i - 1] in suggestions.FLAGS_OF_NAMES else i : i + 1]
            raise Mistake(f"the experiment comes before the flags: {CONSOLE} train {' '.join([later, *given])}")
        wanted = " ".join(["dcgan", *given])
        raise Mistake(f"train needs the name of an experiment, for example: {CONSOLE} train {wanted}")
    word = given.pop(0)
    if word.endswith(".py"):
        raise Mistake(f"{word} is a program of its own: python {' '.join([word, *given])}")
    if word not in names and Path(f"{word}.py").is_file():
        raise Mistake(f"{word} is a program of its own: python {' '.join([f'{word}.py', *given])}")
    return experiment_files.find(word)


def _take_run(name: str, given: list[str]) -> tuple[str, dict[str, Any]]:
    """Take the run, or the file of parameters, from the arguments of a command; and for some the images.

    Returns:
      The experiment's name, and the values of the fields that the operands stand for. The name is empty if help is
      asked for.

    Raises:
      Mistake: there is none.
    """
    if any(word in ("-h", "--help") for word in given):
        given[:] = ["--help"]
        return "", {}
    if not given or given[0].startswith("-"):
        runs = _known_runs()
        there = f"; there are {', '.join(runs)}" if runs else "; train one first: jaxgan train dcgan"
        raise Mistake(f"{name} needs the directory of a run, before its flags: {CONSOLE} {name} RUN{there}.")
    values = commands.take_operands(name, given)
    if "parameters" in values:
        file = values["parameters"]
        if "parameters" not in {field.name for field in commands.read_command(name).fields}:
            raise Mistake(f"{file} holds parameters alone, and {name} needs a run; sample and translate read the file.")
        return _experiment_of_parameters(Path(file)), values
    path = Path(values["run_dir"])
    if not path.exists() and Path("runs", path).is_dir():
        path = Path("runs", path)
    return _experiment_of_run(name, path), {**values, "run_dir": str(path)}


def _known_runs() -> list[str]:
    """The directories of runs below ``runs/``."""
    return sorted(str(path.parent) for path in Path("runs").glob("*/config.json"))


def _experiment_of_run(name: str, path: Path) -> str:
    """The name of a run's experiment, which comes with jaxgan.

    Raises:
      Mistake: there is no run, or its program is another.
    """
    if path.is_file():
        raise Mistake(f"{path} is a file; {name} takes the directory of a run.")
    try:
        record = json.loads((path / "config.json").read_text(encoding="utf-8"))
        experiment = record["experiment"]
    except OSError:
        runs = _known_runs()
        there = f"; there are {', '.join(runs)}" if runs else ""
        raise Mistake(f"{path} holds no run (no config.json){there}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Mistake(f"{path / 'config.json'} is damaged, or not jaxgan's.") from None
    if experiment in experiment_files.names():
        return experiment
    own = f"{path} is a run of {experiment!r}, which does not come with jaxgan; use its own program"
    program = record.get("program")
    if isinstance(program, str) and PROGRAM.fullmatch(program):
        own += f": {program} {name} --run-dir {shlex.quote(str(path))}"
    raise Mistake(own)


def _experiment_of_parameters(path: Path) -> str:
    """The name of the experiment that the parameters in a file belong to.

    Raises:
      Mistake: the file cannot be read, or is another program's.
    """
    from jaxgan.interop.safetensors import read_metadata

    try:
        experiment = read_metadata(path).get("experiment", "")
    except (OSError, ValueError) as error:
        raise Mistake(f"{path} cannot be read: {error}") from None
    if experiment in experiment_files.names():
        return experiment
    raise Mistake(f"{path} has parameters of {experiment!r}, which does not come with jaxgan; use its own program.")


def _is_run(name: str, given: Sequence[str]) -> bool:
    """Whether ``sample`` or ``translate`` is given a run, and not a file of compiled functions."""
    return name in commands.COMMANDS and not (given and Path(given[0]).suffix in ARTEFACTS)


# Help


def _help() -> str:
    lines = [
        f"usage: {CONSOLE} COMMAND ...",
        "",
        "Generative adversarial networks as pure functions, in JAX.",
        "",
        "train:",
        *_about("train", "EXPERIMENT"),
        *_about("resume", "RUN"),
        *_about_tool("list"),
        *_about_tool("new"),
        "",
        "use a run:",
        *(line for name in ("sample", "translate", "project", "export") for line in _about(name, "RUN")),
        "",
        "look at a run:",
        *(line for name in ("report", "evaluate", "inspect") for line in _about(name, "RUN")),
        *_about_tool("compare"),
        "",
        "compare sets of images, and look at this machine:",
        *(line for name in ("fid", "kid", "prdc", "mifid", "doctor") for line in _about_tool(name)),
        "",
        "examples:",
        f"  {CONSOLE} train dcgan",
        f"  {CONSOLE} train dcgan --data photos/ --preset photos",
        f"  {CONSOLE} sample runs/dcgan --out grid.png",
        f"  {CONSOLE} new my_gan --like dcgan",
        "",
        f"Flags: {CONSOLE} COMMAND --help, and {CONSOLE} train EXPERIMENT --help.",
    ]
    return "\n".join(lines)


def _about(name: str, operand: str) -> list[str]:
    about = commands.read_command(name).about.split("\n\n")[0]
    return [f"  {name + ' ' + operand:<17}  {' '.join(about.split())}"]


def _about_tool(name: str) -> list[str]:
    command = tools.TOOLS[name]
    return [f"  {(name + ' ' + command.operands).strip():<17}  {command.about}"]


def _help_for_training(names: Sequence[str]) -> str:
    lines = [f"usage: {CONSOLE} train EXPERIMENT [flags]", "", "experiments:"]
    lines += [f"  {name:<10} {experiment_files.title(experiment_files.read_experiment(name))}" for name in names]
    return "\n".join([*lines, "", f"The flags of an experiment: {CONSOLE} train dcgan --help"])
