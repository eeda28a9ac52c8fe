"""README.md and the pages in docs/: their code runs, their commands are accepted, and their links lead somewhere."""

import re
import runpy
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import programs
from PIL import Image

from jaxgan.cli import commands, experiment_files, main, tools

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
# Tutorials are executed when the site is built, and the generated pages are not part of the repository.
SITE = [page for folder in ("", "how_to/", "reference/", "explanation/") for page in sorted(DOCS.glob(f"{folder}*.md"))]
PAGES = [ROOT / "README.md", ROOT / "experiments" / "README.md", *SITE]
CONTINUES = {"devices.md": "games.md"}  # pages that use the variables of another page's code


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def shell_commands() -> list[tuple[str, str]]:
    """Return every command line of ``jaxgan`` in the pages, each with the path of its page in the repository."""
    found = []
    for page in PAGES:
        for line in "\n".join(blocks(page, "sh")).replace("\\\n", "").splitlines():
            command = line.partition("  #")[0].partition("&& ")
            command = (command[2] or command[0]).strip()
            if command.startswith("jaxgan "):
                found.append((page.relative_to(ROOT).as_posix(), command))
    return found


def test_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 166


VARIABLES = {}  # of the pages whose code has run


def run_code(page: Path, folder: Path) -> dict:
    """Run the Python code of a page after that of the page that it continues, and return its variables."""
    before = {}
    if page.name in CONTINUES:
        first = page.parent / CONTINUES[page.name]
        before = VARIABLES.get(first) or run_code(first, folder)
    script = folder / "page.py"
    script.write_text("\n".join(blocks(page, "python")).replace("steps=4500", "steps=5"))
    VARIABLES[page] = runpy.run_path(str(script), before)
    return VARIABLES[page]


@pytest.mark.integration
@pytest.mark.parametrize(
    "page",
    sorted((page for page in PAGES if blocks(page, "python")), key=lambda page: page.name in CONTINUES),
    ids=lambda page: page.name,
)
def test_python_code_runs_as_one_program(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # the code writes images
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # and caches a classifier
    monkeypatch.setattr("jaxgan.evaluation.classifier.STEPS", (10, 10))
    if page.name == "evaluation.md":  # the page compares two folders
        for seed, folder in enumerate(("samples", "photos")):
            (tmp_path / folder).mkdir()
            for index, image in enumerate(
                np.random.default_rng(seed).integers(256, size=(60, 32, 32, 3), dtype=np.uint8)
            ):
                Image.fromarray(image).save(tmp_path / folder / f"{index}.png")
    found = run_code(page, tmp_path)
    if page.name == "README.md":
        assert found["samples"].shape == (1797, 8, 8, 1)
        assert {"d/adversarial", "d/r1", "d/grad_norm", "g/adversarial"} <= set(found["metrics"])
        assert (tmp_path / "digits.png").is_file()
        assert capsys.readouterr().out.startswith("fd_classifier ")
    elif page.name == "games.md":
        assert found["samples"].shape == (16, 32, 32, 3)
        assert {"d/hinge", "d/r1", "d/grad_norm", "g/hinge"} <= set(found["metrics"])
        assert found["looks_ahead"].unwrapped is found["agrees"].unwrapped is found["together"]
        assert found["mine"].players["d"].loss is found["my_discriminator"]
        two, jit = found["two"], found["jax"].jit
        _, metrics = jit(two.step)(jit(two.init)(found["jax"].random.key(0)), found["images"])
        assert {"d1/hinge", "d2/hinge", "g/first", "g/second"} <= set(metrics)
    elif page.name == "evaluation.md":
        assert 0 < found["distance"] < 1
    elif page.name == "devices.md":
        assert found["states"].params["g"]["linear"]["kernel"].shape[0] == 2


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A directory with an empty run of each experiment, in which commands are parsed and not executed."""
    monkeypatch.chdir(tmp_path)
    for name in [*experiment_files.names(), "one", "other", "shapes"]:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        experiment = name if name in experiment_files.names() else "dcgan"
        (folder / "config.json").write_text(f'{{"experiment": "{experiment}", "config": {{}}}}')
    (tmp_path / "settings.yaml").write_text("batch_size: 32\n")
    executed = []
    monkeypatch.setattr(commands, "execute", lambda name, *_: executed.append(name))
    monkeypatch.setattr(tools, "run", lambda name, given: executed.append((name, tools.make_parser(name).parse(given))))
    monkeypatch.setattr(main, "_experiment_of_parameters", lambda path: "dcgan")
    return executed


@pytest.mark.parametrize(("page", "command"), shell_commands())
def test_command_is_accepted(page, command, runs):
    arguments = shlex.split(command)[1:]
    if arguments[-1] == "--help":
        with pytest.raises(SystemExit) as stopped:
            main.main(arguments)
        assert not stopped.value.code
    else:
        main.main(arguments)
        assert len(runs) == 1


# Pages whose commands are executed one after the other, with the settings of ``Config.tiny()`` and for a few steps.
EXECUTED = (
    "README.md",
    "docs/how_to/devices.md",
    "docs/how_to/evaluation.md",
    "docs/how_to/export.md",
    "docs/how_to/image_to_image.md",
    "docs/how_to/runs.md",
    "docs/how_to/styles.md",
)
NOT_EXECUTED = ("--weights", "--coordinator", "--preset cifar", "facades", "--help")  # downloads, several hosts
OPTIONS = ["--checkpoint-every", "2", "--sample-every", "2", "--quiet"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A directory with the files that the pages name: folders of images, single images and a file of settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("jaxgan.evaluation.classifier.STEPS", (10, 10))
    random = np.random.default_rng(0)
    for folder in ("holiday", "photos", "bedrooms", "horses", "zebras", "samples"):
        Path(folder).mkdir()
        for name in ("cat", "dog", *map(str, range(14))):
            Image.fromarray(random.integers(0, 255, (128, 128, 3), np.uint8)).save(f"{folder}/{name}.png")
    for label in range(8):
        Path("classes", str(label)).mkdir(parents=True)
        for name in range(4):
            pixels = random.integers(0, 255, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(f"classes/{label}/{name}.png")
    for name in ("grey.png", "lawn.jpg"):
        Image.fromarray(random.integers(0, 255, (32, 32), np.uint8)).save(name)
    Path("settings.yaml").write_text("batch_size: 8\n")
    return tmp_path


def small(words: list[str]) -> list[str]:
    """A command with small settings in place of its own numbers of steps."""
    if words[0] == "resume":
        return [*words[:2], "--steps", "4", "--quiet"]
    if words[0] == "project":
        return [*words, "--steps", "2"]
    if words[0] == "evaluate":
        return [*words, "--count", "16" if "psnr" in words else "200"]
    if words[0] != "train" or "--preset" in words:
        return words + (["--steps", "2", *OPTIONS] if words[0] == "train" else [])
    tiny = re.split(r" (?=--)", " ".join(programs.tiny(words[1])))
    kept = [word for flag in tiny if flag and flag.split()[0] not in words for word in flag.split()]
    for flag in ("--steps", "--checkpoint-every", "--evaluate-every"):
        if flag in words:
            words = [*words[: words.index(flag)], *words[words.index(flag) + 2 :]]
    every = ["--evaluate-every", "2", "--evaluate-count", "20"] if "--metrics" in words else []
    return [*words, *kept, *every, "--steps", "2", *OPTIONS]


def execute(command: str, capsys) -> None:
    """Execute a command with small settings in this process. ``jaxgan train`` replaces an existing run."""
    words = small(shlex.split(command)[1:])
    if words[0] == "train":
        directory = words[words.index("--run-dir") + 1] if "--run-dir" in words else f"runs/{words[1]}"
        shutil.rmtree(directory, ignore_errors=True)
    try:
        main.main(words)
        code = 0
    except SystemExit as stop:
        code = stop.code
    assert not code, f"{command}\n{capsys.readouterr().err}"


def train_missing_runs(command: str, capsys) -> None:
    """Train the runs that a command reads, if they do not exist: with the experiment of the run's name, or dcgan."""
    for directory in re.findall(r"runs/\w+(?= |$)", command):
        if Path(directory).exists() or command.startswith("jaxgan train"):
            continue
        name = Path(directory).name
        experiment = name if name in experiment_files.names() else "dcgan"
        settings = (
            " --data classes/ --conditional --resolution 64 --channel-base 64" if experiment == "stylegan2" else ""
        )
        execute(f"jaxgan train {experiment}{settings} --run-dir {directory}", capsys)


@pytest.mark.slow
@pytest.mark.parametrize("page", EXECUTED)
def test_commands_of_page_succeed(page, files, capsys):
    for found, command in shell_commands():
        if found == page and not any(part in command for part in NOT_EXECUTED):
            train_missing_runs(command, capsys)
            execute(command, capsys)


def test_pages_have_commands():
    assert len(shell_commands()) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text):
        target = link[0] or link[1]
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name} links to {target}, which does not exist"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}


def test_every_page_is_in_the_table_of_contents():
    contents = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).with_suffix("").as_posix() for page in SITE if page.stem != "index"]
    assert not [page for page in pages if not re.search(rf"^(.* <)?{page}>?$", contents, re.MULTILINE)]
