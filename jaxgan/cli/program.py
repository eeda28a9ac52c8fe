"""The program of an experiment: its commands, their flags, and how errors end it. Without a command it trains.

    if __name__ == "__main__":
        main("dcgan", Config, build, __doc__)

With presets, ``train --preset NAME`` starts from the settings of one in place of the defaults.

A user's mistake ends with one line and exit code 2, a run that diverged or could not be written with 1,
SIGINT with 130, SIGTERM with 143.
"""

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import tyro

from jaxgan.cli import cache, errors
from jaxgan.cli.evaluate import Evaluate
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.cli.export import Export
from jaxgan.cli.inspect import Inspect
from jaxgan.cli.presets import Preset, with_config, with_preset
from jaxgan.cli.project import Project
from jaxgan.cli.report import Report
from jaxgan.cli.sample import Sample
from jaxgan.cli.train import Train
from jaxgan.cli.translate import Translate
from jaxgan.core import system
from jaxgan.experiment.experiment import Build
from jaxgan.training.divergence import Diverged
from jaxgan.training.signals import Interrupted

COMMANDS = {
    "train": Train,
    "sample": Sample,
    "translate": Translate,
    "project": Project,
    "evaluate": Evaluate,
    "export": Export,
    "report": Report,
    "inspect": Inspect,
}
# Arguments of functions that training calls, by the setting or option that sets them.
OTHER_NAMES = {"count": "evaluate_count", "delta": "dp_delta"}
ERRORS = (ValueError, OSError, OverflowError, MemoryError, Diverged, jax.errors.JaxRuntimeError)


def main(
    name: str,
    config_class: type,
    build: Build,
    description: str | None,
    arguments: Sequence[str] | None = None,
    presets: Mapping[str, Preset] | None = None,
) -> None:
    """Run the command that the command line names; exit with its code if it failed.

    Args:
      name: the experiment's, ``dcgan``; its runs go to ``runs/<name>``.
      config_class: a frozen dataclass with defaults, among its fields ``steps``, ``batch_size``, ``seed``.
      build: ``(config, source=None)``: makes the experiment, of the source if one is given.
      description: for ``--help``: the module's docstring.
      arguments: instead of the command line's.
      presets: settings for ``train --preset NAME`` to start from; flags override them.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] not in (*COMMANDS, "-h", "--help"):
        arguments.insert(0, "train")
    program = ExperimentProgram(name, config_class, build, description or "")
    cache.enable_compilation_cache()
    system.keep_freed_memory()
    try:
        parse(program, arguments, presets or {}).execute(program)
    except Interrupted as stop:
        sys.exit(128 + stop.number)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ERRORS as error:
        if os.environ.get("JAXGAN_TRACEBACK"):
            raise
        mend = errors.mend_for_training(error) if arguments[0] == "train" else ""
        mend += "\n(JAXGAN_TRACEBACK=1 shows where)"
        errors.print_error(str(error), _flags(program, arguments[0], presets or {}), mend)
        _exit(2 if isinstance(error, ValueError) else 1)


def parse(program: ExperimentProgram, arguments: Sequence[str], presets: Mapping[str, Preset]) -> Any:
    """The command that the arguments name, with their values: an instance of one of ``COMMANDS``.

    Raises:
      ValueError: there is no such preset.
      SystemExit: the flags were wrong, which is printed; or help was asked for.
    """
    flags = arguments[1:] if arguments[0] == "train" else []
    default = with_preset(program.config_class, presets, flags)
    train = with_config(Train, program.config_class, default, tuple(presets))
    description = (program.description or program.name).strip()
    description += "\n\nWithout a command it trains; its flags: train --help"
    return tyro.extras.subcommand_cli_from_dict(
        {**COMMANDS, "train": train},
        prog=f"python -m experiments.{program.name}",
        # Tyro joins a line that begins with a letter to the one before it.
        description=textwrap.indent(description, " "),
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.HelptextFromCommentsOff),
    )


def _flags(program: ExperimentProgram, command: str, presets: Mapping[str, Preset]) -> dict[str, str]:
    """The flags that messages of a command may name, by the arguments that the library names."""
    train = with_config(Train, program.config_class, program.config_class(), tuple(presets))
    names = errors.argument_names(train if command == "train" else COMMANDS[command])
    flags = {name: errors.flag(name) for name in names}
    # A damaged run is started over by ``train --fresh``, whatever command met it.
    flags["fresh"] = errors.flag("fresh")
    if command == "train":
        flags |= {argument: errors.flag(name) for argument, name in OTHER_NAMES.items()}
    return flags


def _exit(code: int) -> None:
    if jax.distributed.is_initialized():
        # An orderly end would wait for the other hosts, who wait for this one.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
