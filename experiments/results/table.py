"""Write ``experiments/README.md``, which lists all results in this folder::

python -m experiments.results.table
"""

import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.results.files import FOLDER, SIGNIFICANT_DIGITS, read_results

README = FOLDER.parent / "README.md"
PICTURE_WIDTH = 128  # width in pixels of the sample grids in the table

INTRODUCTION = """\
# Experiments

Each program in this folder reproduces one published method. It defines the networks, the losses, the data and the
settings of one training, and its settings are flags of the command line:

```sh
jaxgan list                                          # list the experiments
jaxgan train dcgan                                   # train with the default settings
jaxgan train dcgan --help                            # list all settings with their defaults
jaxgan train dcgan --preset paper --data bedrooms/   # train with the settings of the paper
jaxgan evaluate runs/dcgan                           # measure the samples of the run
```

In a checkout, `python -m experiments.dcgan` is the same program as `jaxgan train dcgan`. The default settings are small
enough for a CPU. Every experiment also has the settings of its paper, `--preset paper`. Training with these
settings requires an accelerator, and the table below has no results for them.

The table below lists every measured result. Each row links to a JSON file in [results/](results/) that contains the
exact command, the seed, the versions of JAX and Python, and the protocol of each score: the number of samples, the
features that were compared, and the data that the samples were compared with. Scores with different protocols cannot be
compared. [docs/results.md](../docs/results.md) describes each experiment, its differences from the paper, and the
settings that were tried. The programs in [benchmarks/](benchmarks/) measure speed; their results are in
[docs/benchmarks.md](../docs/benchmarks.md). The program [chaos/](chaos/) kills and damages runs to check that nothing
is lost; its results are in [docs/reliability.md](../docs/reliability.md).

To add a result, train and evaluate a run, then record it and update this page:

```sh
python -m experiments.results.record runs/dcgan --name dcgan-digits
python -m experiments.results.table
```

## Results

- **time**: the elapsed time of the command, including compilation, or its processor time. The machines were shared with
  other work, so times differ between repeated runs.
- **score and its protocol**: the scores, followed in parentheses by the number of samples, the features that were
  compared, and the data that the samples were compared with.

The scores have these meanings:

- `fd_classifier`: Frechet distance between features of a small classifier. The classifier is trained on the labels of
  the data; its accuracy on held-out examples is given. Lower is better.
- `fid_768`: Frechet distance between 768 features of the Inception network. Lower is better.
- `frechet_distance`: Frechet distance between raw values, such as pixels. Lower is better.
- `precision`, `recall`, `density` and `coverage`: measured with the given number k of nearest neighbours. Higher is
  better.
- `modes`: number of classes or modes that the samples reach. `accepted` is the share of samples that belong to a mode.
  `modes_kl` is the Kullback-Leibler divergence between the distribution of these samples over the modes and the uniform
  distribution.
- `cas`: accuracy, on real data, of a classifier that was trained on samples.
"""

HEADINGS = ("result", "settings", "data", "hardware", "time", "score and its protocol", "samples")


def render_readme(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of ``experiments/README.md``: an introduction, and a table with one row for each result."""
    rows = [_table_line(HEADINGS), _table_line(["---"] * len(HEADINGS))]
    rows += [_table_line(_cells(name, result)) for name, result in results.items()]
    return INTRODUCTION + "\n" + "\n".join(rows) + "\n"


def _table_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(name: str, result: Mapping[str, Any]) -> list[str]:
    experiment, data, picture = result["experiment"], result["data"], result["picture"]
    settings = "flags of the command"
    if result["preset"] is not None:
        settings = f"`--preset {result['preset']}`"
    elif result["command"] == f"jaxgan train {experiment}":
        settings = "the defaults"
    described = data["name"]
    if data["examples"] is not None:
        described += f", {data['examples']:,} examples"
    if data["resolution"] is not None:
        described += f", {data['resolution']}"
    scores = []
    for protocol, group in itertools.groupby(result["scores"], lambda score: score["protocol"]):
        values = ", ".join(f"{score['name']} {_format_value(score['value'])}" for score in group)
        parts = [f"{protocol['count']:,} samples"] if protocol["count"] is not None else []
        parts += [protocol["features"]] if protocol["features"] is not None else []
        scores.append(f"**{values}** ({'; '.join([*parts, protocol['data']])})")
    shown = ""
    if picture is not None:
        path = Path(picture)
        relative = path.relative_to("experiments") if path.parts[0] == "experiments" else Path("..") / path
        shown = f'<img src="{relative.as_posix()}" width="{PICTURE_WIDTH}" alt="Samples of {name}">'
    score_text = "<br>".join(scores)
    if result["note"] is not None:
        score_text += f"<br>{result['note']}"
    hardware = result["hardware"]["name"]
    if result["hardware"]["cores"] is not None:
        count = result["hardware"]["cores"]
        hardware += f", {count} core{'s' if count > 1 else ''}"
    return [
        f"[{name}](results/{name}.json) of [{experiment}.py]({experiment}.py)",
        settings,
        described,
        hardware,
        format_time(result["time"]),
        score_text,
        shown,
    ]


def _format_value(value: Any) -> str:
    if isinstance(value, list):
        return f"{_format_value(value[0])} to {_format_value(value[1])}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{SIGNIFICANT_DIGITS}g}"


def format_time(time: Mapping[str, float | None]) -> str:
    """Return the time of a result as text.

    >>> format_time({"clock_seconds": 24.4, "processor_seconds": 130})
    '24 s; 2 min of processor time'
    >>> format_time({"clock_seconds": None, "processor_seconds": None})
    'not measured'
    """
    parts = []
    for field, words in (("clock_seconds", ""), ("processor_seconds", " of processor time")):
        seconds = time[field]
        if seconds is not None:
            parts.append((f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min") + words)
    return "; ".join(parts) or "not measured"


def main() -> None:
    """Write the page, and print its path."""
    try:
        README.write_text(render_readme(read_results()), encoding="utf-8")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(README)


if __name__ == "__main__":
    main()
