"""Model cards: what networks are, what they were trained on, how good they are, and what they are not for.

Mitchell et al. 2019, Model Cards for Model Reporting (1810.03993), as Markdown. A card says what the run knows, and
where the run does not know, it says that.
"""

import json
import math
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxgan.data.origin import describe_origin
from jaxgan.data.source import Unpaired
from jaxgan.evaluation.metric_names import with_current_names
from jaxgan.experiment.experiment import Experiment
from jaxgan.version import __version__

BEGINS = "# Model card: "
INTENDED = (
    "Research and teaching: to look at what such a model learns of its data, to compare methods, to begin other "
    "trainings with."
)
MISUSE = (
    "To deceive. What it makes must not be passed off as real: not as photographs, recordings or evidence, not as a "
    "person's likeness without that person's consent (deepfakes), nor to fill data sets unmarked. Nor for decisions "
    "about people: a sample is no measurement of anything.\n\n"
    "Pictures and animations that jaxgan writes say in their metadata that they are synthetic, by the terms of the "
    "IPTC (`trainedAlgorithmicMedia`). Leave that there, and say it where they are shown; who takes raw numbers has "
    "to say it himself."
)
LIMITS = (
    "What is not in the training data it does not know, and what is rare there it makes worse, or never: their "
    "lacks and biases are its own, and nobody has searched for them. It may repeat what it was trained on, people "
    "in it too; `evaluate --metrics authenticity mifid` looks for copies. Figures above are of one training, and "
    "compare with those of the same protocol alone."
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
) -> str:
    """The model card, Markdown.

    Args:
      experiment: the experiment whose networks they are.
      name: the experiment's name.
      program: the command that trained it, ``jaxgan train dcgan``.
      about: its module's docstring, whose first line and "Paper" are quoted.
      config: its settings.
      step: the step of training.
      variables: the networks' variables, as ``Experiment.variables`` gives them.
      usage: how the file is used, Markdown: ``parameters_usage`` or ``export_usage``.
      member: of a population, the member's name.
      evaluation: figures and their protocol, as ``quality.evaluate`` gives them, of any step; None if there are none.
    """
    sections = {
        "Model details": _list_items(_details(experiment, program, about, step, variables, member)),
        "How to use it": usage,
        "Intended use": INTENDED,
        "What it is not for": MISUSE,
        "Training data": _data(experiment, config),
        "Evaluation": _figures(evaluation, step, member),
        "Limits": LIMITS,
        "Settings": "```json\n" + json.dumps(dict(config), indent=2) + "\n```",
    }
    parts = [f"## {title}\n\n{text}" for title, text in sections.items()]
    return f"{BEGINS}{name}, step {step}\n\n" + "\n\n".join(parts) + "\n"


def write_card(path: Path, card: str) -> Path:
    """Write a card beside a file, under the file's name with ``.md``, in the place of an older card.

    Returns:
      The card's path.

    Raises:
      ValueError: something else is there.
      OSError: it cannot be written.
    """
    check_card_path(path)
    written = path.with_suffix(".md")
    written.write_text(card, encoding="utf-8")
    return written


def check_card_path(path: Path) -> None:
    """Check that a card beside this file takes the place of nothing but a card; raises ``ValueError`` if not."""
    card = path.with_suffix(".md")
    if card.exists() and not card.read_bytes().startswith(BEGINS.encode()):
        raise ValueError(f"`out` {path}: its model card would replace {card}, which is no model card; name another.")


def _details(
    experiment: Experiment, program: str, about: str, step: int, variables: Mapping[str, Any], member: str
) -> dict[str, str]:
    counts = {net: sum(x.size for x in jax.tree.leaves(own["params"])) for net, own in variables.items()}
    paper = re.search(r"^Paper\s+(.*?)(?=^\S|\Z)", about, re.MULTILINE | re.DOTALL)
    made_by = f"jaxgan {__version__}, `{program}`, step {step}"
    if member:
        made_by += f", {member}"
    gives = f"{' x '.join(map(str, experiment.source.shape))}, numbers in [-1, 1]"
    if experiment.sampling.classes:
        gives += f"; classes: {', '.join(experiment.sampling.classes)}"
    if experiment.translations:
        gives += "; images of other sizes too"
    averaged = [f"`{net}`" for net in variables if net in experiment.game.unwrapped.ema]
    return {
        "What it is": about.strip().partition("\n")[0],
        "Paper": " ".join(paper[1].split()) if paper else "none is named",
        "Made by": made_by,
        "Networks": ", ".join(f"`{net}` of {count:,} parameters" for net, count in counts.items()),
        "Which parameters": f"a moving average over training of {', '.join(averaged)}" if averaged else "the newest",
        "Takes": "random latents" if experiment.inputs is None else "an image",
        "Gives": gives,
    }


def _list_items(items: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {text}" for name, text in items.items())


def _data(experiment: Experiment, config: Mapping[str, Any]) -> str:
    source = experiment.source
    if isinstance(source, Unpaired):
        names = [part.name.removesuffix(" train") for part in (source.inputs, source.images)]
    else:
        names = [config["data"]]
        if config.get("data_a"):
            names.append(config["data_a"])
    shape = " x ".join(map(str, source.shape))
    origins = {f"`{name}`": describe_origin(name) for name in names}
    return f"{len(source):,} examples of {shape} of {source.name}.\n\n{_list_items(origins)}"


def _figures(evaluation: Mapping[str, Any] | None, step: int, member: str) -> str:
    """A table of the figures and their protocol, if they are of this step and this member."""
    if evaluation is None:
        return "None: this run was not evaluated. `evaluate` measures it, and the next export tells the figures."
    try:
        samples = evaluation["protocol"]["samples"]
        if samples["step"] != step or not str(samples["name"]).endswith(member):
            of = f"{samples['name']}, step {samples['step']}"
            return f"None of these parameters: the run's evaluation is of {of}."
        current = with_current_names(evaluation)
        figures = {name: float(value) for name, value in current.items() if name != "protocol"}
    except (KeyError, TypeError, ValueError):
        return "None that can be read: the run's evaluation.json is damaged."
    rows = [f"| {name} | {value:.6g} |" for name, value in figures.items() if math.isfinite(value)]
    table = "\n".join(["| figure | value |", "|---|---|", *rows])
    return f"{table}\n\nTheir protocol:\n\n```json\n{json.dumps(evaluation['protocol'], indent=2)}\n```"


def parameters_usage(command: str, file: str) -> str:
    """How a ``.safetensors`` file of parameters is used, Markdown.

    Args:
      command: the command line that makes samples, or images of images, with it.
      file: the file's name.
    """
    return textwrap.dedent(f"""\
        ```sh
        {command}
        ```

        Or in Python: `jaxgan.interop.read_parameters({file!r}, like)`, where `like` are the networks' variables or
        their shapes. Any reader of safetensors finds the arrays by network, collection, module and leaf; kernels are
        [height, width, in, out]. The settings are in the metadata. Nothing in the file runs.""")


def export_usage(file: str, translates: bool) -> str:
    """How a ``.jaxgan`` file of compiled functions is used, Markdown.

    Args:
      file: the file's name.
      translates: whether it makes images of images.
    """
    command = f"translate {file} photos/ --out made/" if translates else f"sample {file} --out grid.png"
    return textwrap.dedent(f"""\
        ```sh
        jaxgan {command}
        ```

        Or without jaxgan, with jax and flatbuffers alone: `jax.export.deserialize`, as the first lines of
        `jaxgan/export/stablehlo.py` show. Nothing in the file runs but operations on arrays.""")
