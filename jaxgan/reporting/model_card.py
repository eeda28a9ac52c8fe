"""The model card of a run's networks: what they are, what they were made of, how good they are, what they are not for.

Mitchell et al. 2019, Model Cards for Model Reporting (1810.03993), as Markdown. It says what the run itself knows, and
where it does not know, it says that.
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


def card(
    experiment: Experiment,
    *,
    name: str,
    about: str,
    config: Mapping[str, Any],
    step: int,
    variables: Mapping[str, Any],
    load: str,
    whose: str = "",
    evaluation: Mapping[str, Any] | None = None,
) -> str:
    """The card, Markdown.

    Args:
      experiment: whose networks they are.
      name: the experiment's.
      about: its module's docstring: the first line, and what follows "Paper", are told.
      config: its settings.
      step: of training.
      variables: the networks', as ``Experiment.variables`` gives them.
      load: how the file is used, Markdown.
      whose: of a population, which member.
      evaluation: figures and their protocol, as ``evaluate.evaluate`` gives them, of any step; None if there are none.
    """
    counts = {net: sum(x.size for x in jax.tree.leaves(own["params"])) for net, own in variables.items()}
    given = ("an image", "made of images") if experiment.inputs is not None else ("random latents", "drawn of latents")
    paper = re.search(r"^Paper\s+(.*?)(?=^\S|\Z)", about, re.MULTILINE | re.DOTALL)
    sections = {
        "Model details": _listed(
            {
                "What it is": about.strip().partition("\n")[0],
                "Paper": " ".join(paper[1].split()) if paper else "none is named",
                "Made by": f"jaxgan {__version__}, `python -m experiments.{name}`, step {step}"
                + (f", {whose}" if whose else ""),
                "Networks": ", ".join(f"`{net}` of {count:,} parameters" for net, count in counts.items()),
                "Which parameters": _averaged(experiment, variables),
                "Takes": given[0],
                "Gives": f"{' x '.join(map(str, experiment.source.shape))}, numbers in [-1, 1]"
                + (f"; classes: {', '.join(experiment.sampling.classes)}" if experiment.sampling.classes else "")
                + ("; images of other sizes too" if experiment.translations else ""),
            }
        ),
        "How to use it": load,
        "Intended use": INTENDED,
        "What it is not for": MISUSE,
        "Training data": _data(experiment, config),
        "Evaluation": _figures(evaluation, step, whose),
        "Limits": LIMITS,
        "Settings": "```json\n" + json.dumps(dict(config), indent=2) + "\n```",
    }
    parts = [f"## {title}\n\n{text}" for title, text in sections.items()]
    return f"{BEGINS}{name}, step {step}\n\n" + "\n\n".join(parts) + "\n"


def write_beside(path: Path, text: str) -> Path:
    """Write a card beside a file, under its name with ``.md``, in the place of an older card.

    Raises:
      ValueError: something else is there.
      OSError: it cannot be written.
    """
    beside = path.with_suffix(".md")
    check_beside(path)
    beside.write_text(text, encoding="utf-8")
    return beside


def check_beside(path: Path) -> None:
    """``ValueError`` if a card beside this file would take the place of something else."""
    beside = path.with_suffix(".md")
    if beside.exists() and not beside.read_bytes().startswith(BEGINS.encode()):
        raise ValueError(f"--out {path}: its card would take the place of {beside}, which is none; name another")


def _listed(told: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {text}" for name, text in told.items())


def _averaged(experiment: Experiment, variables: Mapping[str, Any]) -> str:
    averaged = [net for net in variables if net in experiment.game.unwrapped.ema]
    return (
        f"a moving average over training of {', '.join(f'`{net}`' for net in averaged)}" if averaged else "the newest"
    )


def _data(experiment: Experiment, config: Mapping[str, Any]) -> str:
    source = experiment.source
    if isinstance(source, Unpaired):
        names = [part.name.removesuffix(" train") for part in (source.inputs, source.images)]
    else:
        names = [config["data"], *filter(None, [config.get("data_a")])]
    shape = " x ".join(map(str, source.shape))
    origins = {f"`{name}`": describe_origin(name) for name in names}
    return f"{len(source):,} examples of {shape} of {source.name}.\n\n{_listed(origins)}"


def _figures(evaluation: Mapping[str, Any] | None, step: int, whose: str) -> str:
    """A table of the figures, and their protocol; those of another step or member are not this model's."""
    if evaluation is None:
        return "None: this run was not evaluated. `evaluate` measures it, and the next export tells the figures."
    try:
        samples = evaluation["protocol"]["samples"]
        if samples["step"] != step or not str(samples["name"]).endswith(whose):
            of = f"{samples['name']}, step {samples['step']}"
            return f"None of these parameters: the run's evaluation is of {of}."
        current = with_current_names(evaluation)
        figures = {name: float(value) for name, value in current.items() if name != "protocol"}
    except (KeyError, TypeError, ValueError):
        return "None that can be read: the run's evaluation.json is damaged."
    rows = [f"| {name} | {value:.6g} |" for name, value in figures.items() if math.isfinite(value)]
    table = "\n".join(["| figure | value |", "|---|---|", *rows])
    return f"{table}\n\nTheir protocol:\n\n```json\n{json.dumps(evaluation['protocol'], indent=2)}\n```"


def of_parameters(name: str, file: str, translates: bool) -> str:
    """How parameters in a ``.safetensors`` file are used, Markdown."""
    command = "translate --images photos/ --out made/" if translates else "sample --out grid.png"
    return textwrap.dedent(f"""\
        ```sh
        python -m experiments.{name} {command} --parameters {file}
        ```

        Or in Python: `jaxgan.interop.read_parameters({file!r}, like)`, where `like` are the networks' variables or
        their shapes. Any reader of safetensors finds the arrays by network, collection, module and leaf; kernels are
        [height, width, in, out]. The settings are in the metadata. Nothing in the file runs.""")


def of_artefact(file: str, translates: bool) -> str:
    """How an exported artefact is used, Markdown."""
    command = f"translate {file} photos/ --out made/" if translates else f"sample {file} --out grid.png"
    return textwrap.dedent(f"""\
        ```sh
        jaxgan {command}
        ```

        Or without jaxgan, with jax and flatbuffers alone: `jax.export.deserialize`, as the first lines of
        `jaxgan/export/stablehlo.py` show. Nothing in the file runs but operations on arrays.""")
