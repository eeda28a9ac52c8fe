"""``report.html``: a run as one file that opens anywhere, offline: samples beside the game's curves.

What is shown is chosen here, from the names of the metrics; ``report.html`` beside this file only draws it.
"""

import base64
import datetime
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.core.files import write_atomically
from jaxgan.editing.projection_files import read_sheets
from jaxgan.monitoring.diagnostics import PROBE_EVERY, WARM_UP, WINDOW
from jaxgan.monitoring.metrics_file import read_rows
from jaxgan.monitoring.run_directory import PROJECTIONS
from jaxgan.reporting.curves import DOCTOR, EVALUATION, SPEED, Columns, columns_of, curves, rounded

MARKER = "@@THE RUN GOES HERE@@"  # in the template
PICTURES = 60
LAST = 100  # steps that a headline number is the mean of
EQUILIBRIUM = -math.log(4)  # of V(D, G)

READINGS = {
    "accuracy": "50 % on both: the discriminator cannot tell. 100 % on both for long: the generator gets no signal.",
    "value": "At \u2212log 4 the discriminator can only guess; near 0 it is sure, and right (logits being log-odds).",
    "logits": "Both near 0: the discriminator is unsure. Far apart and drifting: it runs away from the generator.",
    "loss": "Losses of a game need not fall: look for a standoff that lasts, and mistrust a line that runs away.",
    "adversarial": "The part of each loss that one player wins from the other.",
    "grad_norm": "On a log scale. Spikes of a decade, or a fall to almost nothing, come before trouble.",
    "r1": "The penalty on the discriminator's slope at reals, weight and all. Growing: it fits single pictures.",
    "r2": "The penalty on the discriminator's slope at fakes, weight and all.",
    "gradient_penalty": "How far the critic's slope is from the one it should have, weight and all.",
    "diversity": "How far samples lie apart, all from their middle and each from its nearest, by how far reals do. "
    "Near 0 the generator makes few images: mode collapse.",
    "swing": "How far the middle of the samples moves between two looks, by the spread of reals. It falls as a game "
    "settles; one that circles keeps swinging.",
    "moved": "How far each network's weights move in 50 turns, by their length. Above a quarter for long the "
    "steps are too large.",
    "turned": "The cosine between a network's move and the one before it: 1 straight on, \u22121 there and back.",
    "over_held_out": "How far D's logits of what it trains on lie above those of held-out reals, and of fakes. The "
    "nearer the first to the second, the more it knows its examples by heart.",
    "speed": "Images trained on in a second. Dips: checkpoints, sample grids, or other work on the machine.",
}
# Where another word would be wrong: of a player who has none to play against, and of one who maximises an ELBO.
ALONE = {"loss": "There is no other player: it falls, and levels off. If it rises for long, learn more slowly."}
OF_ELBO = {
    "elbo": "A lower bound on log p(x), in nats: it rises, and levels off. It is minus the reconstruction, minus the "
    "KL divergence. Of examples that were trained on, so overfitting does not show.",
    "reconstruction": "What the pixels still cost once their code is known, \u2212log p(x|z), in nats: it falls. Grey "
    "pixels cost something even where they are met exactly.",
    "kl": "What the code costs, KL(q(z|x) || p(z)), in nats: it rises as the code comes to tell examples apart. Near 0 "
    "the decoder ignores the code, which is called posterior collapse.",
}
COIN = {"at": 0.5, "label": "50 %, a coin toss"}  # a mark for accuracies
SHARES = ("precision", "recall", "density", "coverage")
FIGURES = {  # by the beginning of a figure's name, before the features that it was measured with
    "fid": "Fr\u00e9chet distance",
    "fd": "Fr\u00e9chet distance",
    "mifid": "Memorisation-informed Fr\u00e9chet distance",
    "mifd": "Memorisation-informed Fr\u00e9chet distance",
    "kid": "Kernel distance",
    "kd": "Kernel distance",
    "is": "Inception Score",
    "ppl": "Path length",
    "precision": "Precision, recall, density, coverage",
}
DISTANCES = ("fid", "fd", "mifid", "mifd", "kid", "kd")
MEASURES = [  # of the doctor: title, which, kind, mark
    ("Diversity", ("diversity", "nearest"), "linear", {"at": 1, "label": "reals"}),
    ("Swing", ("swing",), "linear", None),
    ("Weights moved", ("moved",), "log", None),
    ("Turned", ("turned",), "linear", {"at": 0, "label": ""}),
    ("Memory", ("over_held_out", "over_fakes"), "linear", {"at": 0, "label": "like what is trained on"}),
]
SHEETS = {
    "reconstruction": "Examples, and beneath each row their reconstructions.",
    "walk": "From one example's code, at the left, to another's, in equal steps on a straight line.",
    "mixing": "Five rows, twice: samples, others, and the first with the others' coarse, middle and fine styles.",
    "truncation": "Four rows, twice: samples, and their styles drawn to the average, to 0.7, 0.5 and 0 of their "
    "distance: the last is the average's image.",
    "noise": "Samples; the same without noise; with another; and, ten times as bright, how far pixels vary over eight. "
    "Noise that matters varies texture, and not what is shown.",
    "interpolation": "From one sample, at the left, to another: on an arc in z, beneath it on a straight line in w.",
    "directions": "Two samples, four rows each: moved along the four directions in w that the weights answer to most "
    "(SeFa), by \u22123 to 3 standard deviations of w. Directions of about equal weight may change places.",
}
SHEET = "Drawn by the experiment, from the same examples at each step."
TITLES = {"elbo": "ELBO", "kl": "KL divergence", "grad_norm": "Gradient norm", "value": "Value V(D, G)"}
PAIR = "What the player says of reals and of fakes."
OF_SAMPLES = "Samples against the data; evaluations.jsonl has the protocol."
DISTANCE = "Samples against the data, lower is better; evaluations.jsonl has the protocol."
TERM = "A number that its player's loss reports, under the name it has there."


def write(path: Path) -> Path:
    """Write ``report.html`` from what a run's directory holds so far; a run that goes on is not disturbed.

    Returns:
      The file's path.

    Raises:
      OSError: there is no ``config.json``, or the report cannot be written.
    """
    written = path / "report.html"
    write_page(written, _contents(path))
    return written


def write_page(path: Path, contents: Mapping[str, Any]) -> None:
    """The template with these contents."""
    template = Path(__file__).with_name("report.html").read_text(encoding="utf-8")
    write_atomically(path, template.replace(MARKER, _as_json(contents), 1))


def _as_json(contents: Mapping[str, Any]) -> str:
    """JSON that is inert in a script element: without ``<`` nothing in it can close the element."""
    return json.dumps(contents, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _contents(path: Path) -> dict[str, Any]:
    """All that the page shows."""
    record = json.loads((path / "config.json").read_text(encoding="utf-8"))
    config, versions = record["config"], record.get("versions", {})
    columns = columns_of(path)
    pictures = pictures_of(path / "samples")
    return {
        "kicker": "a run",
        "experiment": str(record["experiment"]),
        "steps": {"done": steps_done(columns), "wanted": _whole(config.get("steps"))},
        "facts": [text(fact) for fact in (config.get("data"), record.get("hardware"), _privacy(record)) if fact],
        "headline": _headline(columns),
        "doctor": _doctor(read_rows(path / "diagnosis.jsonl"), record.get("members") or []),
        "members": _members(record, columns),
        "charts": _charts(list(columns)),
        "equilibrium": EQUILIBRIUM,
        **curves(columns),
        "pictures": pictures,
        "sheets": _sheets(pictures),
        "projections": _projections(path / PROJECTIONS),
        "settings": [[name, text(value)] for name, value in config.items()],
        "versions": [[name, text(value)] for name, value in versions.items()],
        "maker": maker(versions, str(record["experiment"])),
        "written": now(),
    }


def now() -> str:
    """For people."""
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


def steps_done(columns: Columns) -> int:
    """The last step that there is a number of."""
    return max((int(steps[-1]) for steps, _ in columns.values()), default=0)


def _doctor(rows: Sequence[Mapping[str, Any]], members: Sequence[Any]) -> dict[str, Any] | None:
    """What was found wrong, and from which step to which; None if nothing was looked at."""
    if not rows:
        return None
    found: list[dict[str, Any]] = []
    open_: dict[tuple, dict[str, Any]] = {}  # what still held at the last look
    for row in rows:
        before, open_ = open_, {}
        for i, name, of, evidence, mend in row.get("verdicts", ()):
            span = open_[i, name, of] = before.get((i, name, of)) or {"from": row["step"]}
            if "to" not in span:
                found.append(span)
            whose = " ".join(filter(None, (f"member {i}" if members else "", of)))
            title = name + (f" of {whose}" if whose else "")
            span |= {"title": title, "to": row["step"], "evidence": evidence, "mend": mend}
    # The doctor looks once in so many steps, and a run may have gone on a little since.
    last = rows[-1]["step"]
    judged = last >= WARM_UP + WINDOW * PROBE_EVERY
    return {"step": last, "judged": judged, "found": [{**span, "now": span["to"] == last} for span in found]}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: Any) -> str:
    """A setting as a person writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not given" if value is None else str(value)


def maker(versions: Mapping[str, Any], experiment: str) -> str:
    """What made the samples."""
    version = str(versions.get("jaxgan", "not installed"))
    return f"jaxgan{', version unknown' if version == 'not installed' else f' {version}'}, experiment {experiment}"


# Numbers


def _privacy(record: Mapping[str, Any]) -> str | None:
    """What a private run has spent, or will have."""
    privacy = record.get("privacy") or {}
    spent = privacy.get("done") or privacy.get("planned") or {}
    return spent.get("summary") or spent.get("told")  # runs of jaxgan 0.1.0.dev have "told"


def _members(record: Mapping[str, Any], columns: Columns) -> dict[str, Any] | None:
    """Of a population, a table with a row for each member: what it has of its own, and how it stands at the end."""
    own = record.get("members")
    if not own:
        return None
    shown = {name: values for name, (_, values) in columns.items() if values.ndim == 2 and values.shape[1] == len(own)}
    ends = ("accuracy_real", "accuracy_fake", "value", "elbo", "loss")
    names = [name for end in ends for name in shown if name.partition("/")[2] == end]
    rows = []
    for i, settings in enumerate(own):
        last = [shown[name][-LAST:, i] for name in names]
        told = ["diverged" if np.isnan(x[-1]) else f"{np.nanmean(x):.3f}".replace("-", "\u2212") for x in last]
        rows.append([str(i), *map(text, settings.values()), *told])
    caption = "A row or a plot for each member. "
    return {"title": "Members", "caption": caption, "head": ["member", *own[0], *names], "rows": rows}


def _headline(columns: Columns) -> list[dict[str, Any]]:
    """A few numbers: how the game stands, as the mean of the last steps, and how fast it went."""
    players = _players(columns)
    judges = [player for player in players if {f"{player}/accuracy_real", f"{player}/accuracy_fake"} <= set(columns)]
    numbers = []

    def add(name, label, kind, note, colour=None):
        if name in columns:
            values = columns[name][1] if name == SPEED else columns[name][1][-LAST:]
            note = note or (f"mean of the last {len(values):,} steps" if len(values) > 1 else "at the first step")
            if values.ndim == 2:
                values = values[:, np.isfinite(values[-1])]
                note = f"mean of {values.shape[1]} members, {note}"
            value = rounded(np.asarray([np.nanmean(values)]))[0]
            numbers.append({"label": label, "value": value, "kind": kind, "note": note, "colour": colour})

    for player in judges:
        of = f"{player}: " if len(judges) > 1 else ""
        add(f"{player}/accuracy_real", f"{of}right on reals", "share", None, "real")
        add(f"{player}/accuracy_fake", f"{of}right on fakes", "share", None, "fake")
        add(f"{player}/value", f"{of}value V(D, G)", "linear", f"at equilibrium {_minus(EQUILIBRIUM)}")
    for i, player in enumerate(players if not judges else []):
        if f"{player}/elbo" in columns:
            for term in OF_ELBO:
                add(f"{player}/{term}", f"{title(term)}, nats", "linear", None, f"player{i % 6}")
        else:
            add(f"{player}/loss", f"loss of {player}", "linear", None, f"player{i % 6}")
    add(SPEED, "images a second", "linear", "mean of the run")
    return numbers


def _minus(value: float) -> str:
    return f"{value:.3f}".replace("-", "\u2212")


# Charts


def _players(names: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Who plays, in order of appearance."""
    return list(dict.fromkeys(name.partition("/")[0] for name in names if "/" in name and not _is_beside(name)))


def _is_beside(name: str) -> bool:
    """Whether a column is not of the game's own metrics."""
    return name == SPEED or name.startswith((EVALUATION, DOCTOR))


def _charts(names: Sequence[str]) -> list[dict[str, Any]]:
    """Which curves are drawn together and how, in the page's order.

    Of every chart: ``title``; ``player`` if it is one player's; ``kind``, a ``share`` from 0 to 1, ``linear``
    or ``log``; ``reading``, how to read it; ``lines`` with ``curve``, ``label``, ``colour``; and ``mark``, a level to
    compare with, or None.
    """
    ends = {name: name.partition("/")[2] or name for name in names if not _is_beside(name)}
    pairs = {term.rpartition("_")[0] for term in ends.values() if term.endswith(("_real", "_fake"))} - {""}
    of_pairs = {f"{pair}_{side}" for pair in pairs for side in ("real", "fake")}
    terms = list(dict.fromkeys(ends.values()))
    of_elbo = [term for term in OF_ELBO if "elbo" in terms and term in terms]
    shown = {*of_pairs, *of_elbo, "value", "loss", "grad_norm"}
    others = [term for term in terms if term not in shown]
    later_pairs = sorted(pairs - {"accuracy", "logits"})
    return [
        *_pair(names, "accuracy", "Accuracy", "share", COIN),
        *_value(names),
        *_of_evaluations(names),
        *_pair(names, "logits", "Logits", "linear", {"at": 0, "label": ""}),
        *(chart for term in of_elbo for chart in _by_player(names, term, title(term), "linear")),
        *_by_player(names, "loss", "Loss", "linear"),
        *(chart for pair in later_pairs for chart in _pair(names, pair, title(pair), "linear", None)),
        *(chart for term in others for chart in _by_player(names, term, title(term), "linear")),
        *_by_player(names, "grad_norm", "Gradient norm", "log"),
        *_of_doctor(names),
        *_of_speed(names),
    ]


def title(term: str) -> str:
    """A term as a heading."""
    return TITLES.get(term, term[:1].upper() + term[1:].replace("_", " "))


def _reading(term: str, names: Sequence[str] | Mapping[str, Any], other: str) -> str:
    """How to read a term of this game; ``other`` where there is nothing to say."""
    readings = dict(READINGS)
    if len(_players(names)) == 1:
        readings |= ALONE
    if any(name.endswith("/elbo") for name in names):
        readings |= OF_ELBO
    return readings.get(term, other)


def _pair(names, term: str, heading: str, kind: str, mark: dict | None) -> list[dict[str, Any]]:
    """A chart for each player that tells the term of reals, of fakes, or of both."""
    charts = []
    for player in (*_players(names), ""):
        sides = {"real": "on reals", "fake": "on fakes"}
        lines = [
            {"curve": name, "label": label, "colour": side}
            for side, label in sides.items()
            if (name := f"{player}/{term}_{side}" if player else f"{term}_{side}") in names
        ]
        if lines:
            charts.append(chart(heading, lines, _reading(term, names, PAIR), kind, player, mark))
    return charts


def _value(names) -> list[dict[str, Any]]:
    mark = {"at": EQUILIBRIUM, "label": f"\u2212log 4 = {_minus(EQUILIBRIUM)}"}
    lines = {player: [{"curve": f"{player}/value", "label": "V(D, G)", "colour": "ink"}] for player in _players(names)}
    return [
        chart("Value V(D, G)", lines[player], READINGS["value"], "linear", player, mark)
        for player in lines
        if f"{player}/value" in names
    ]


def _by_player(names, term: str, heading: str, kind: str) -> list[dict[str, Any]]:
    """One chart, a line for each player that has the term."""
    lines = [
        {"curve": f"{player}/{term}", "label": player, "colour": f"player{i % 6}"}
        for i, player in enumerate(_players(names))
        if f"{player}/{term}" in names
    ]
    if term in names:  # a metric of no player
        lines.append({"curve": term, "label": term, "colour": "ink"})
    return [chart(heading, lines, _reading(term, names, TERM), kind)] if lines else []


def _of_evaluations(names) -> list[dict[str, Any]]:
    """A chart for each figure; what belongs together is one."""
    figures = [name.removeprefix(EVALUATION) for name in names if name.startswith(EVALUATION)]
    shown = [figure for figure in figures if not figure.endswith("_std")]
    together = [figure for figure in shown if figure in SHARES]
    groups = [[figure] for figure in shown if figure not in SHARES] + ([together] if together else [])
    charts = []
    for group in groups:
        heading = figure_title(group[0])
        lines = [{"curve": EVALUATION + x, "label": x, "colour": f"player{i % 6}"} for i, x in enumerate(group)]
        charts.append(chart(heading, lines, figure_reading(group[0]), "linear"))
    return charts


def figure_title(figure: str) -> str:
    """A figure's heading; that of a distance does not depend on the features."""
    return FIGURES.get(figure.partition("_")[0]) or figure.upper()


def figure_reading(figure: str) -> str:
    """How to read a figure of samples."""
    return DISTANCE if figure.partition("_")[0] in DISTANCES else OF_SAMPLES


def _of_doctor(names) -> list[dict[str, Any]]:
    """What the doctor measures."""
    measures = [name.removeprefix(DOCTOR) for name in names if name.startswith(DOCTOR)]
    charts = []
    for heading, wanted, kind, mark in MEASURES:
        found = [x for x in measures if x in wanted or x.partition("/")[0] in wanted]
        lines = [
            {
                "curve": DOCTOR + x,
                "label": x if len(wanted) > 1 else x.partition("/")[2] or x,
                "colour": f"player{i % 6}",
            }
            for i, x in enumerate(found)
        ]
        if lines:
            charts.append(chart(heading, lines, READINGS[wanted[0]], kind, mark=mark))
    return charts


def _of_speed(names) -> list[dict[str, Any]]:
    lines = [{"curve": SPEED, "label": "images a second", "colour": "ink"}]
    return [chart("Speed", lines, READINGS["speed"], "linear")] if SPEED in names else []


def chart(heading: str, lines: list, reading: str, kind: str, player: str = "", mark: dict | None = None) -> dict:
    """A chart as the page takes it; see ``_charts``."""
    return {"title": heading, "player": player, "kind": kind, "reading": reading, "lines": lines, "mark": mark}


# Pictures


def pictures_of(folder: Path) -> list[dict[str, Any]]:
    """Sample grids by step, at most ``PICTURES``, the first and the last among them, as data addresses.

    With each its ``sheets``, by name.
    """
    by_step: dict[int, dict[str, Path]] = {}
    for file in sorted(folder.glob("step_*.png")):
        number, _, sheet = file.stem.removeprefix("step_").partition("_")
        if number.isdecimal():
            by_step.setdefault(int(number), {})[sheet] = file
    steps = sorted(step for step, files in by_step.items() if "" in files)
    if len(steps) > PICTURES:
        steps = [steps[i] for i in np.linspace(0, len(steps) - 1, PICTURES).round().astype(int)]
    pictures = []
    for step in steps:
        sheets = {name: _address(file) for name, file in by_step[step].items()}
        pictures.append({"step": step, "picture": sheets.pop(""), "sheets": sheets})
    return pictures


def _sheets(pictures: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What the sheets are called and how to read them, in order of name."""
    names = sorted({name for picture in pictures for name in picture["sheets"]})
    return [{"name": name, "title": title(name), "caption": SHEETS.get(name, SHEET)} for name in names]


def _projections(folder: Path) -> list[dict[str, str]]:
    """Images beside their projections, at most ``PICTURES``, with how near these are."""
    return [
        {"title": sheet.relative_to(folder).with_suffix("").as_posix(), "picture": _address(sheet), "caption": told}
        for sheet, told in read_sheets(folder, PICTURES)
    ]


def _address(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode("ascii")
