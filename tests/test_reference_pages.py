"""Tests that the pages in docs/reference agree with the program: its messages, its metrics and the files of a run."""

import ast
import inspect
import json
import re
from pathlib import Path

import pytest
from helpers import programs

from jaxgan import metrics
from jaxgan.cli import doctor
from jaxgan.evaluation import scores
from jaxgan.experiment import quality
from jaxgan.monitoring import diagnostics
from jaxgan.monitoring.run_directory import RUN_FILES

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
MESSAGES, METRICS, RUN = (
    (REFERENCE / f"{name}.md").read_text(encoding="utf-8") for name in ("messages", "metrics", "run_files")
)
HOLE = "<>"  # stands for a name or a number in a message


def template(node: ast.expr, constants: object) -> str:
    """Return the text of an f-string with ``HOLE`` for each value. Constants in capital letters are inserted."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part, constants) for part in node.values)
    name = ast.unparse(node.value) if isinstance(node, ast.FormattedValue) else ""
    return str(getattr(constants, name)) if name.isupper() else HOLE


def plain(text: str) -> str:
    """Return a text of a page as ``template`` returns it: without markup, line breaks and names of values."""
    return re.sub(r"<[^>]*>", HOLE, " ".join(text.replace("`", "").split()))


def sections(text: str, level: int) -> dict[str, str]:
    """Return the text below each heading of a level, up to the next heading of the same or a higher level."""
    parts = re.split(rf"^(#{{1,{level}}}) (.*)$", text, flags=re.MULTILINE)
    return {name: body for mark, name, body in zip(parts[1::3], parts[2::3], parts[3::3]) if len(mark) == level}


def bullets(text: str) -> list[str]:
    return [plain(item) for item in re.findall(r"^- ((?:.+\n)(?:  .+\n)*)", text, re.MULTILINE)]


def texts_of_evidence() -> list[str]:
    """Return the evidence of all verdicts: the third argument of ``Verdict``, or a variable ``evidence``."""
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(diagnostics))):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "Verdict"
            and isinstance(node.args[2], ast.JoinedStr)
        ):
            found.append(node.args[2])
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "evidence":
            found.append(node.value)
    return [template(node, diagnostics) for node in found]


def texts_of_doctor() -> list[str]:
    """Return the texts of all problems that ``jaxgan doctor`` prints: arguments of ``append``, and items of lists."""
    functions = doctor.find_problems, doctor._problems_of_packages, doctor._problems_of_environment
    found = []
    for node in (node for function in functions for node in ast.walk(ast.parse(inspect.getsource(function)))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "problems.append":
            found.append(node.args[0])
        elif isinstance(node, ast.ListComp) and isinstance(node.elt, ast.JoinedStr):
            found.append(node.elt)
    return [template(node, doctor).replace("`", "") for node in found]


TRAINING, DOCTOR = (
    sections(MESSAGES, 2)[name] for name in ("Problems of a training", "Problems that jaxgan doctor finds")
)
PROBLEMS = sections(TRAINING, 3)
THRESHOLDS = {
    "divergence": (f"{diagnostics.MAX_MOVE:.0%}", f"{diagnostics.MAX_GRADIENT_GROWTH:,.0f}"),
    "vanishing gradients": (
        f"{diagnostics.MIN_GRADIENT:.0e}",
        f"{diagnostics.MIN_GRADIENT_AGAINST_SURE:.0e}",
        f"{diagnostics.SURE:.0%}",
    ),
    "mode collapse": (f"{diagnostics.MIN_DIVERSITY:.0%}", f"{diagnostics.MIN_NEAREST:.0%}"),
    "memorising": (f"{diagnostics.MAX_MEMORY:.0%}",),
    "discriminator too strong": (f"{diagnostics.SURE:.0%}",),
    "oscillation": (f"{diagnostics.MAX_SWING:.0%}",),
}


def test_messages_page_has_the_evidence_of_every_verdict():
    assert sorted(bullets(TRAINING)) == sorted(texts_of_evidence())


def test_messages_page_has_the_remedy_of_every_problem():
    remedies = {
        name: plain(re.search(r"^Remedy: ((?:.+\n)+)", text, re.MULTILINE)[1]) for name, text in PROBLEMS.items()
    }
    assert remedies == {name: text.replace("{subject}", HOLE) for name, text in diagnostics.REMEDIES.items()}


@pytest.mark.parametrize("problem", THRESHOLDS)
def test_messages_page_has_the_thresholds_of_every_problem(problem):
    threshold = re.search(r"^Threshold: ((?:.+\n)+)", PROBLEMS[problem], re.MULTILINE)[1]
    assert all(number in threshold for number in THRESHOLDS[problem])
    assert set(THRESHOLDS) == set(diagnostics.REMEDIES)
    assert f"Every {diagnostics.PROBE_EVERY} steps" in TRAINING
    assert f"The first {diagnostics.WARM_UP} steps" in TRAINING


def test_messages_page_has_every_problem_of_doctor():
    assert sorted(bullets(DOCTOR)) == sorted(texts_of_doctor())
    assert f"at least {doctor.MIN_CONVOLUTION_SHARE:.0%}" in DOCTOR
    assert all(name in DOCTOR for name in doctor.SLOW)


def test_metrics_page_has_a_row_and_a_section_for_every_metric():
    rows = re.findall(r"^\| \[(\w+)\]\(#\w+\) \|.* \| (\w+) \|[^|]*\| (\d+) \|[^|]*\|$", METRICS, re.MULTILINE)
    expected = []
    for name in quality.METRICS:
        metric = scores.METRICS.get(name) or scores.PAIRED_METRICS.get(name)
        better = "higher" if metric and metric.higher_is_better else "lower"
        least = scores.METRICS[name].min_count if name in scores.METRICS else 2
        expected.append((name, better, str(least)))
    assert sorted(rows) == sorted(expected)
    for name, text in sections(METRICS, 3).items():
        assert "**Range**" in text and "**Weaknesses**" in text, name
    for name in ("Tables", "Text"):
        only_in_python = sections(sections(METRICS, 2)[name], 3)
        assert only_in_python
        for metric, text in only_in_python.items():
            assert hasattr(metrics, metric) and f"`jaxgan.metrics.{metric}`" in text and "**Source**" in text, metric
    commands = METRICS.partition("## Metrics that only Python has")[0]
    assert set(sections(commands, 3)) == set(quality.METRICS)


def test_metrics_page_has_the_constants_of_the_metrics():
    text = {name: " ".join(body.split()) for name, body in sections(METRICS, 3).items()}
    assert f"{scores.KID_SUBSETS} random subsets of $n$ = {scores.KID_SUBSET:,}" in text["kid"]
    assert f"$c$ is below {scores.MIFID_THRESHOLD}" in text["mifid"]
    assert scores.NEIGHBOURS == 5 and "its fifth nearest neighbour" in text["prdc"]
    assert scores.IS_SPLITS == 10 and "ten parts" in text["is"]
    assert f"{scores.MS_SSIM_PAIRS:,} random pairs" in text["ms_ssim"]
    assert quality.PATH_EPSILON == 1e-4 and "$\\epsilon = 10^{-4}$" in text["ppl"]


def test_run_files_page_has_every_file():
    for name in RUN_FILES:
        assert re.search(rf"`{re.escape(name.removesuffix('.new'))}/?`", RUN), name


@pytest.mark.integration
def test_run_files_page_has_every_field_of_a_run(tmp_path, capsys, monkeypatch):
    """The fields of all JSON files that a run of a few steps writes are compared with the page."""
    monkeypatch.setattr(diagnostics, "PROBE_EVERY", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("jaxgan.evaluation.classifier.STEPS", (10, 10))
    path = tmp_path / "run"
    flags = ["--num-held-out", 32, "--evaluate-every", 4, "--metrics", "prdc", "--evaluate-count", 16]
    code, text = programs.run(capsys, "--run-dir", path, "--steps", 8, *flags, *programs.TINY)
    assert code == 0, text

    described = {name: set(re.findall(r"`([^`\s]+)`", body)) for name, body in sections(RUN, 2).items()}
    record = json.loads((path / "config.json").read_text())
    assert {*record, *record["versions"]} <= described["config.json"]
    assert set(record["data"]) <= described["config.json"] and "num_held_out" in record["config"]

    rows = {name: (path / f"{name}.jsonl").read_text().splitlines() for name in ("metrics", "diagnosis", "evaluations")}
    metrics, diagnosis, evaluations = ([json.loads(row) for row in lines] for lines in rows.values())
    for name in metrics[0]:
        general = re.sub(r"^[dg]/", "PLAYER/", name)
        assert {general, general.removeprefix("PLAYER/")} & described["metrics.jsonl"], name
    for name in set(diagnosis[-1]) - set(metrics[0]):
        general = re.sub(r"(moved|turned)/\w+", r"\1/NETWORK", re.sub(r"(over_\w+)/\w+", r"\1/PLAYER", name))
        assert general in described["diagnosis.jsonl"], name
    assert {name for name in evaluations[0]["protocol"] if name != "prdc"} <= described["evaluations.jsonl"]
    assert set(evaluations[0]["protocol"]["samples"]) <= described["evaluations.jsonl"]
