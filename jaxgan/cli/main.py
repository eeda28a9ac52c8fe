"""The program ``jaxgan``: train the experiments that are part of the package, and work with their runs and with files.

The arguments are parsed without importing JAX, because the import takes a second. A command's module is imported when
the command is executed.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxgan.cli import commands, errors, experiment_files, suggestions, tools
from jaxgan.cli.experiment_program import CONSOLE, load_program
from jaxgan.cli.fields import read_class
from jaxgan.cli.flags import Mistake
from jaxgan.core.text import print_any_text, say, say_lines
from jaxgan.monitoring.run_record import advice_without_record, program_of, read_record
from jaxgan.version import __version__

ARTEFACTS = (".jaxgan",)  # suffixes of files of compiled functions, which ``jaxgan export`` writes


@errors.ending_quietly()  # also while packages are imported, which takes seconds
def main(arguments: list[str] | None = None) -> None:
    """Execute the command that the command line names, and exit with its exit code if it fails.

    Args:
      arguments: the arguments to parse in place of the command line.
    """
    print_any_text()
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
    """Remove the command's name from the arguments and return it.

    Raises:
      Mistake: if there is no such command.
      SystemExit: if the first argument asks for the help or the version, after printing it.
    """
    if not given or given[0] in ("-h", "--help", "help"):
        if len(given) > 1 and given[0] == "help":
            given[:] = [given[1], "--help"]
            return _command(given)
        say_lines(_help())
        sys.exit(0)
    if given[0] in ("--version", "-V", "version"):
        say(f"jaxgan {__version__}")
        sys.exit(0)
    names = list(dict.fromkeys([*commands.COMMANDS, *tools.TOOLS]))
    name = given.pop(0)
    if name in names:
        return name
    if name in experiment_files.names():
        command = f"{CONSOLE} train {' '.join([name, *given])}"
        raise Mistake(f"{name!r} is an experiment. The first argument must be a command, as in `{command}`.")
    if name.startswith("-"):
        command = next((word for word in given if word in names), "train EXPERIMENT")
        raise Mistake(f"The flag {name} must come after the command, as in `{CONSOLE} {command} ... {name}`.")
    raise Mistake(suggestions.answer_command(name, names, CONSOLE))


# Commands of experiments and of their runs


# Keys are commands. Values are the runs in the examples of their help. The examples of other commands use runs/dcgan.
EXAMPLES = {"translate": "runs/pix2pix", "project": "runs/stylegan2"}


def _run_command(name: str, given: list[str]) -> None:
    """Parse the arguments of a command of an experiment or of a run, and execute the command."""
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
    """Remove the experiment's name from the arguments of ``train`` and return it.

    Raises:
      SystemExit: if the first argument is -h or --help, after printing the help.
      Mistake: if the name is missing, comes after a flag, or is the file of a custom experiment.
      ValueError: if there is no such experiment.
    """
    names = experiment_files.names()
    if given and given[0] in ("-h", "--help"):
        say_lines(_help_for_training(names))
        sys.exit(0)
    if not given or given[0].startswith("-"):
        later = next((word for word in given if word in names), None)
        if later:
            i = given.index(later)
            # A flag of another tool may precede the name, as in --model dcgan.
            del given[i - 1 if given[i - 1] in suggestions.FLAGS_OF_NAMES else i : i + 1]
            command = f"{CONSOLE} train {' '.join([later, *given])}"
            raise Mistake(f"The name of the experiment must come before the flags, as in `{command}`.")
        command = f"{CONSOLE} train {' '.join(['dcgan', *given])}"
        raise Mistake(f"`{CONSOLE} train` requires the name of an experiment, as in `{command}`.")
    word = given.pop(0)
    file = word if word.endswith(".py") else f"{word}.py"
    if word.endswith(".py") or (word not in names and Path(file).is_file()):
        raise Mistake(f"{file} is not an experiment of {CONSOLE}. Run it with `python {' '.join([file, *given])}`.")
    return experiment_files.find(word)


def _take_run(name: str, given: list[str]) -> tuple[str, dict[str, Any]]:
    """Remove the operands, which are the arguments before the flags, and determine the experiment from them.

    Returns:
      The experiment's name, and a dictionary from fields of the command to the operands. If the arguments contain -h or
      --help, both are empty.

    Raises:
      Mistake: if the operands are missing, or the experiment cannot be determined from them.
    """
    if any(word in ("-h", "--help") for word in given):
        given[:] = ["--help"]
        return "", {}
    if not given or given[0].startswith("-"):
        hint = _list_runs() or f" To create a run, train an experiment, as in `{CONSOLE} train dcgan`."
        raise Mistake(
            f"`{CONSOLE} {name}` requires the directory of a run before its flags, as in `{CONSOLE} {name} RUN`.{hint}"
        )
    values = commands.take_operands(name, given)
    if "parameters" in values:
        file = values["parameters"]
        if "parameters" not in {field.name for field in commands.read_command(name).fields}:
            raise Mistake(
                f"{file} is a parameter file, but `{CONSOLE} {name}` requires the directory of a run. Only "
                f"`{CONSOLE} sample` and `{CONSOLE} translate` read parameter files."
            )
        return _experiment_of_parameters(Path(file)), values
    path = Path(values["run_dir"])
    if not path.exists() and Path("runs", path).is_dir():
        path = Path("runs", path)
    return _experiment_of_run(name, path), {**values, "run_dir": str(path)}


def _list_runs() -> str:
    """Return a sentence that names the runs below ``runs/``; empty if there are none."""
    runs = sorted(str(path.parent) for path in Path("runs").glob("*/config.json"))
    return f" The runs in this directory are {', '.join(runs)}." if runs else ""


def _experiment_of_run(name: str, path: Path) -> str:
    """Return the name of a run's experiment.

    Raises:
      Mistake: if there is no run at the path, or its experiment is not part of jaxgan.
    """
    if path.is_file():
        raise Mistake(f"{path} is a file, but `{CONSOLE} {name}` requires the directory of a run.")
    try:
        record = read_record(path)
    except FileNotFoundError:
        advice = advice_without_record(path) or _list_runs()
        raise Mistake(f"{path} is not the directory of a run, because it has no config.json.{advice}") from None
    except ValueError as error:
        raise Mistake(str(error)) from None
    experiment = record["experiment"]
    if experiment in experiment_files.names():
        return experiment
    message = f"{path} is a run of {experiment!r}, which is not an experiment of jaxgan. Use its own program"
    program = program_of(record)
    if program.startswith("python "):
        message += f": `{program} {name} --run-dir {shlex.quote(str(path))}`"
    raise Mistake(f"{message}.")


def _experiment_of_parameters(path: Path) -> str:
    """Return the name of the experiment to which the parameters in a file belong.

    Raises:
      Mistake: if the file cannot be read, or its experiment is not part of jaxgan.
    """
    from jaxgan.interop.safetensors import read_metadata

    try:
        experiment = read_metadata(path).get("experiment", "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Mistake(f"{path} cannot be read: {reason.removesuffix('.')}.") from None
    if experiment in experiment_files.names():
        return experiment
    raise Mistake(
        f"{path} holds parameters of {experiment!r}, which is not an experiment of jaxgan. Use the program that wrote "
        "the file."
    )


def _is_run(name: str, given: Sequence[str]) -> bool:
    """Return whether a command is applied to a run.

    ``sample`` and ``translate`` can also be applied to a file of compiled functions.
    """
    return name in commands.COMMANDS and not (given and Path(given[0]).suffix in ARTEFACTS)


# Help


def _help() -> str:
    lines = [
        f"usage: {CONSOLE} COMMAND ...",
        "",
        "Train generative adversarial networks in JAX, and work with the trained models.",
        "",
        "EXPERIMENT is the name of an experiment, a program that defines networks, data and settings. Training it",
        "creates a run. RUN is the directory of a run, which contains checkpoints, samples and metrics.",
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
        "examine a run:",
        *(line for name in ("report", "evaluate", "inspect") for line in _about(name, "RUN")),
        *_about_tool("compare"),
        "",
        "compare two sets of images:",
        *(line for name in ("fid", "kid", "prdc", "mifid") for line in _about_tool(name)),
        *_about_tool("weights"),
        "",
        "check this machine:",
        *_about_tool("doctor"),
        "",
        "examples:",
        f"  {CONSOLE} train dcgan",
        f"  {CONSOLE} train dcgan --data photos/ --preset photos --run-dir runs/photos",
        f"  {CONSOLE} sample runs/dcgan --out grid.png",
        f"  {CONSOLE} new my_gan --like dcgan",
        "",
        f"To list the flags of a command, run `{CONSOLE} COMMAND --help`; for training, `{CONSOLE} train EXPERIMENT "
        "--help`.",
    ]
    return "\n".join(lines)


def _about(name: str, operand: str) -> list[str]:
    about = commands.read_command(name).about.split("\n\n")[0]
    return [f"  {name + ' ' + operand:<19}  {' '.join(about.split())}"]


def _about_tool(name: str) -> list[str]:
    command = tools.TOOLS[name]
    return [f"  {(name + ' ' + command.operands).strip():<19}  {command.about}"]


def _help_for_training(names: Sequence[str]) -> str:
    about = commands.read_command("train").about
    lines = [f"usage: {CONSOLE} train EXPERIMENT [flags]", "", about, "", "experiments:"]
    lines += [f"  {name:<10} {experiment_files.title(experiment_files.read_experiment(name))}" for name in names]
    return "\n".join(
        [*lines, "", f"To list the flags of an experiment, run for example `{CONSOLE} train dcgan --help`."]
    )
