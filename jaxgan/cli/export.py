"""The command ``export``: write the generator of a checkpoint to a file, with a model card."""

import dataclasses
import functools
import shlex
from pathlib import Path
from typing import Any

from jaxgan import export
from jaxgan.cli.checkpoint_reference import MemberReference, Restored
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core.files import writing_out
from jaxgan.core.json_files import JsonError, read_json
from jaxgan.core.keys import keys_of
from jaxgan.core.text import say
from jaxgan.drawing import PICTURES
from jaxgan.experiment import parameter_file
from jaxgan.experiment.settings_file import without_secrets
from jaxgan.experiment.translation import directions
from jaxgan.media import record
from jaxgan.monitoring.data_paths import hide_folders, list_folders
from jaxgan.monitoring.run_directory import read_data_paths
from jaxgan.monitoring.run_record import read_record, summarize_privacy
from jaxgan.reporting import model_card

SUFFIXES = (".jaxgan", ".safetensors")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """Export the generator of a checkpoint, with a model card, to a file that can be used without the run.

    Attributes:
      out: File to write. A .jaxgan file contains compiled functions for CPUs, CUDA and TPUs. These functions need
        neither jaxgan nor the experiment; ``jaxgan sample`` and ``jaxgan translate`` can also call them. A .safetensors
        file contains the averaged parameters, for the commands ``sample`` and ``translate`` of the same experiment. The
        model card of a .safetensors file is written beside it, with the suffix .md.
      checkpoint: Checkpoint to export.

    Examples:
      COMMAND --out digits.jaxgan
      COMMAND --best --out digits.safetensors
    """

    out: str
    checkpoint: MemberReference = dataclasses.field(default_factory=MemberReference)

    def execute(self, program: ExperimentProgram) -> None:
        out = Path(self.out)
        if out.suffix not in SUFFIXES:
            raise ValueError(f"`out` must be a {' or '.join(SUFFIXES)} file, got {out}.")
        restored = self.checkpoint.restore(program, needs="nothing")
        experiment, state, member, config = restored
        path = self.checkpoint.path(program)
        # The file may be published, so it does not contain the folders of this machine.
        shorten = functools.partial(hide_folders, folders=list_folders(config, read_data_paths(path), path))
        variables, settings = experiment.variables(state), shorten(without_secrets(dataclasses.asdict(config)))
        translates, as_parameters = bool(experiment.translations), out.suffix == ".safetensors"
        suffix = experiment.medium.suffixes[0]
        example = f"grid{suffix}" if suffix in PICTURES else f"samples{suffix}"
        card = model_card.make_card(
            experiment,
            name=program.name,
            program=program.train_command,
            about=program.description,
            config=settings,
            step=int(state.step),
            variables=variables,
            usage=model_card.parameters_usage(_command(program, out.name, translates, example))
            if as_parameters
            else model_card.export_usage(out.name, translates, example),
            member=member,
            evaluation=shorten(_read_evaluation(path / "evaluation.json")),
            privacy=summarize_privacy(read_record(path)),
            shorten=shorten,
        )
        metadata = {
            "made_by": program.signature,
            "experiment": program.name,
            "step": int(state.step),
            "config": settings,
            "data": shorten(experiment.source.name),
        }
        with writing_out(out):
            if as_parameters:
                lines = _write_parameters(restored, variables, out, metadata, card)
            elif translates:
                lines = _write_translator(restored, out, metadata, card)
            else:
                lines = _write_generator(restored, out, metadata, card)
        for line in lines:
            say(line)


def _command(program: ExperimentProgram, file: str, translates: bool, example: str) -> str:
    """Return the command line that uses a parameter file. ``example`` is the name of a file of samples."""
    name, out = ("translate", "--out made/") if translates else ("sample", f"--out {example}")
    file = shlex.quote(file)
    images = "--images photos/ " if translates else ""
    if program.is_console:
        return f"jaxgan {name} {file} {images}{out}"
    return f"{program.invoked_as} {name} --parameters {file} {images}{out}"


def _write_parameters(restored: Restored, variables: Any, out: Path, metadata: dict[str, Any], card: str) -> list[str]:
    """Write the parameters and the model card, and return lines that describe them."""
    model_card.check_card_path(out)
    parameter_file.write(out, restored.experiment, variables, metadata)
    card_path = model_card.write_card(out, card)
    return [f"{out}: parameters of step {metadata['step']}, {_megabytes(out)}", f"model card: {card_path}"]


def _write_translator(restored: Restored, out: Path, metadata: dict[str, Any], card: str) -> list[str]:
    """Write the translator, and return lines that describe it."""
    experiment, state = restored.experiment, restored.state
    export.write_translator(out, directions(experiment, state), about=metadata, card=card)
    names = " and ".join(experiment.translations)
    command = f"jaxgan translate {shlex.quote(str(out))} IMAGES --out FOLDER"
    return [f"{out}: translator ({names}) of step {metadata['step']}, {_megabytes(out)}", f"use it: {command}"]


def _write_generator(restored: Restored, out: Path, metadata: dict[str, Any], card: str) -> list[str]:
    """Write the generator, and return lines that describe it."""
    experiment, state = restored.experiment, restored.state
    nets, sampling = experiment.game.unwrapped.functions(state), experiment.sampling
    metadata["medium"] = record(experiment.medium)
    export.write_generator(
        out,
        lambda seed, indices: sampling.latents(keys_of(seed, indices)),
        lambda z, *label: sampling.generate(nets, z, *label),
        classes=sampling.classes,
        about=metadata,
        card=card,
    )
    command = f"jaxgan sample {shlex.quote(str(out))}"
    return [f"{out}: generator of step {metadata['step']}, {_megabytes(out)}", f"use it: {command}"]


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _read_evaluation(path: Path) -> Any:
    """Return the results that ``evaluate`` wrote; an empty dict if the file is damaged, None if it does not exist."""
    try:
        return read_json(path, {"protocol": {"samples": {"name": str, "step": int}}})
    except FileNotFoundError:
        return None
    except JsonError:
        return {}
