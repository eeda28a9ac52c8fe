"""Write model cards in Markdown, which describe trained networks, their data, their metrics and their limitations.

The sections follow Mitchell et al. 2019, Model Cards for Model Reporting, arXiv:1810.03993. A card contains the
information that the run has recorded, and states where information is missing.
"""

import math
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from jaxgan.core.text import markdown_command, markdown_json, markdown_name, markdown_text
from jaxgan.data.origin import describe_origin
from jaxgan.data.source import Unpaired
from jaxgan.evaluation.metric_names import with_current_names
from jaxgan.experiment.experiment import Experiment
from jaxgan.media import normalized_shape
from jaxgan.version import __version__

BEGINS = "# Model card: "  # start of every card; must not change, because older cards are recognised by this text
INTENDED = (
    "The model is intended for research and teaching: to study what such a model learns from its data, to compare "
    "methods, and to initialise other trainings."
)
MISUSE = (
    "Do not use the model to deceive people. Its samples must not be presented as real photographs, recordings or "
    "evidence, or as the likeness of a person who has not consented (deepfakes). They must not be added to data sets "
    "without being marked as synthetic. Do not use the samples for decisions about people, because a sample is not a "
    "measurement.\n\n"
    "Pictures and animations that jaxgan writes contain metadata that declare them as synthetic, in the vocabulary of "
    "the IPTC (`trainedAlgorithmicMedia`). Keep these metadata, and declare samples as synthetic wherever you show "
    "them. If you use the raw arrays, you have to add such a declaration yourself."
)
LIMITS = (
    "The model cannot generate content that its training data lacks, and it generates rare content with lower quality "
    "or not at all. It has the gaps and biases of its training data, which have not been examined. It may reproduce "
    "training examples, including people that they show. The command `evaluate --metrics authenticity mifid` searches "
    "for copies. Metrics in this card belong to a single training run. Compare them only with metrics that were "
    "computed by the same protocol."
)
PARAMETERS_IN_PYTHON = (
    "In Python, use `jaxgan.interop.read_parameters(file, like)`, where `like` is a tree of the networks' variables or "
    "of their shapes. You can also use any other reader of safetensors. The name of an array consists of the network, "
    "the collection, the module and the leaf. Convolution kernels have the axes [height, width, in, out]. The metadata "
    "of the file contain the settings. The file contains no executable code."
)
FUNCTIONS_IN_PYTHON = (
    "To use the file without jaxgan, install jax and flatbuffers and call `jax.export.deserialize`. The docstring of "
    "`jaxgan/export/stablehlo.py` has an example. The functions in the file can only compute with arrays."
)


def make_card(
    experiment: Experiment,
    *,
    name: str,
    program: str,
    about: str,
    config: Mapping[str, Any],
    step: int,
    variables: Mapping[str, Any],
    usage: str,
    member: str = "",
    evaluation: Mapping[str, Any] | None = None,
    privacy: str = "",
    shorten: Callable[[str], str] = str,
) -> str:
    """Return a model card in Markdown.

    Args:
      experiment: the experiment that trained the networks.
      name: the experiment's name.
      program: the command that trained the networks, such as ``jaxgan train dcgan``.
      about: the docstring of the experiment's module. The card quotes its first line and the line "Paper".
      config: the experiment's settings, as a dictionary from names to values.
      step: the step of the checkpoint.
      variables: the networks' variables, as ``Experiment.variables`` returns them.
      usage: Markdown text that explains how to use the exported file, from ``parameters_usage`` or ``export_usage``.
      member: the name of the member of a population; empty for a single game.
      evaluation: metrics and their protocol, as ``quality.evaluate`` returns them; None if the run was not evaluated;
        an empty dictionary if the run's evaluation.json is damaged. Metrics of another step or member are omitted.
      privacy: the privacy loss of the run, as ``dp_training.privacy_spent`` summarises it; empty if the run is not
        private.
      shorten: function that hides the folders of this machine in the name of a data set.
    """
    sections = {
        "Model details": _list_items(_details(experiment, program, about, step, variables, member)),
        "How to use it": usage,
        "Intended use": INTENDED,
        "Out-of-scope use": MISUSE,
        "Training data": _data(experiment, config, shorten),
        **({"Privacy": markdown_text(privacy)} if privacy else {}),
        "Evaluation": _figures(evaluation, step, member),
        "Limitations": LIMITS,
        "Settings": markdown_json(dict(config)),
    }
    parts = [f"## {title}\n\n{text}" for title, text in sections.items()]
    return f"{BEGINS}{markdown_text(name)}, step {step}\n\n" + "\n\n".join(parts) + "\n"


def write_card(path: Path, card: str) -> Path:
    """Write a card beside the exported file. The card has the file's name with the suffix ``.md``.

    An older card of this name is replaced.

    Args:
      path: the exported file that the card describes.
      card: the card in Markdown.

    Returns:
      The path of the card.

    Raises:
      ValueError: if the card would replace a file that is not a model card.
      OSError: if the card cannot be written.
    """
    check_card_path(path)
    written = path.with_suffix(".md")
    written.write_text(card, encoding="utf-8")
    return written


def check_card_path(path: Path) -> None:
    """Check that the card of a file can be written without replacing a file that is not a model card.

    Args:
      path: the file that the card describes. The card has the same name with the suffix ``.md``.

    Raises:
      ValueError: if the card would replace a file that is not a model card.
    """
    card = path.with_suffix(".md")
    if card.exists() and not card.read_bytes().startswith(BEGINS.encode()):
        raise ValueError(
            f"`out` {path} cannot be used: its model card would replace {card}, which is not a model card. Choose "
            "another name."
        )


def _details(
    experiment: Experiment, program: str, about: str, step: int, variables: Mapping[str, Any], member: str
) -> dict[str, str]:
    counts = {net: sum(x.size for x in jax.tree.leaves(own["params"])) for net, own in variables.items()}
    paper = re.search(r"^Paper\s+(.*?)(?=^\S|\Z)", about, re.MULTILINE | re.DOTALL)
    made_by = f"jaxgan {__version__}, {markdown_name(program)}, step {step}"
    if member:
        made_by += f", {markdown_text(member)}"
    shape = " x ".join(map(str, normalized_shape(experiment.medium, experiment.source)))
    output = f"arrays of shape {shape}; the command `sample` writes {experiment.medium.values}"
    if experiment.sampling.classes:
        output += f"; classes: {', '.join(map(markdown_text, experiment.sampling.classes))}"
    if experiment.translations:
        output += "; images of other sizes are supported"
    averaged = [markdown_name(net) for net in variables if net in experiment.game.unwrapped.ema]
    parameters = "the parameters at this step"
    if averaged:
        parameters = f"exponential moving average over the training steps for {', '.join(averaged)}"
    return {
        "Description": markdown_text(about.strip().partition("\n")[0]),
        "Paper": markdown_text(" ".join(paper[1].split())) if paper else "the experiment names none",
        "Created by": made_by,
        "Networks": ", ".join(f"{markdown_name(net)} with {count:,} parameters" for net, count in counts.items()),
        "Parameters": parameters,
        "Input": "random latents" if experiment.inputs is None else "an image",
        "Output": output,
    }


def _list_items(items: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {text}" for name, text in items.items())


def _data(experiment: Experiment, config: Mapping[str, Any], shorten: Callable[[str], str]) -> str:
    source = experiment.source
    if isinstance(source, Unpaired):
        names = [part.name.removesuffix(" train") for part in (source.inputs, source.images)]
    else:
        names = [config["data"]]
        if config.get("data_a"):
            names.append(config["data_a"])
    shape = " x ".join(map(str, source.shape))
    origins = {markdown_name(shorten(name)): describe_origin(name) for name in names}
    return (
        f"{len(source):,} examples of {markdown_text(shorten(source.name))}, shape {shape}.\n\n{_list_items(origins)}"
    )


def _figures(evaluation: Mapping[str, Any] | None, step: int, member: str) -> str:
    """Return a table of the metrics, followed by the protocol by which they were computed.

    If there are no metrics for this step and member, return a sentence that explains why.
    """
    if evaluation is None:
        return (
            "There are no metrics, because this run was not evaluated. Run the command `evaluate` and export again to "
            "add them."
        )
    try:
        samples = evaluation["protocol"]["samples"]
        if samples["step"] != step or not str(samples["name"]).endswith(member):
            subject = markdown_text(f"{samples['name']}, step {samples['step']}")
            return f"There are no metrics of these parameters. The run was evaluated for {subject}."
        current = with_current_names(evaluation)
        figures = {name: float(value) for name, value in current.items() if name != "protocol"}
    except (KeyError, TypeError, ValueError):
        return "There are no metrics, because the run's evaluation.json is damaged."
    rows = [f"| {markdown_text(name)} | {value:.6g} |" for name, value in figures.items() if math.isfinite(value)]
    table = "\n".join(["| metric | value |", "|---|---|", *rows])
    protocol = markdown_json(evaluation["protocol"])
    return f"{table}\n\nThe metrics were computed by this protocol:\n\n{protocol}"


def parameters_usage(command: str) -> str:
    """Return Markdown text that explains how to use a ``.safetensors`` file of parameters.

    Args:
      command: the command line that generates samples or translates images with the file.
    """
    return f"{markdown_command(command)}\n\n{PARAMETERS_IN_PYTHON}"


def export_usage(file: str, translates: bool, out: str = "grid.png") -> str:
    """Return Markdown text that explains how to use a ``.jaxgan`` file of compiled functions.

    Args:
      file: the file's name.
      translates: whether the functions translate images.
      out: the file of samples in the example.
    """
    file = shlex.quote(file)
    command = f"translate {file} photos/ --out made/" if translates else f"sample {file} --out {out}"
    return f"{markdown_command(f'jaxgan {command}')}\n\n{FUNCTIONS_IN_PYTHON}"
