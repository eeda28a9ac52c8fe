"""The package as others meet it: its import, its README, its files."""

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import jaxgan

ROOT = Path(__file__).parent.parent


@pytest.mark.integration
def test_import_needs_jax_flax_and_optax_alone():
    lazily = (
        "tensorflow_datasets",
        "tensorflow",
        "orbax.checkpoint.checkpoint_manager",
        "tyro",
        "sklearn",
        "skimage",
        "PIL",
        "grain",
        "dp_accounting",
    )
    code = f"import sys, jaxgan, jaxgan.models.dcgan, jaxgan.parallel, jaxgan.games.privacy; print([m for m in {lazily!r} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.strip() == "[]"


def test_tab_completion_shows_the_packages_and_the_names_of_the_core():
    """A package is loaded when it is first used; all folders are shown, and each can be had."""
    folders = {path.parent.name for path in (ROOT / "jaxgan").glob("*/__init__.py")}
    code = f"import jaxgan; print(*dir(jaxgan)); [getattr(jaxgan, name) for name in {sorted(folders)!r}]"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert shown.returncode == 0, shown.stderr
    assert set(shown.stdout.split()) == {*folders, *jaxgan.__all__, "parallel", "version"}
    assert {"Game", "Net", "Player", "State", "total", "latents", "fold_in_keys"} <= set(jaxgan.__all__)


def test_version_is_told_once():
    assert metadata.version("jaxgan") == jaxgan.__version__


FLOORS = (  # low to high: a file imports its own package and those of lower floors
    ("version",),
    ("core",),
    ("nn", "media"),
    ("models", "losses", "data", "metrics"),
    ("augment", "games"),
    ("interop", "export"),
    ("parallel", "evaluation", "editing"),
    ("experiment",),
    ("monitoring",),
    ("training", "reporting"),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {name: i for i, names in enumerate(FLOORS) for name in names}


@pytest.mark.parametrize("path", sorted((ROOT / "jaxgan").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_down(path):
    own = path.relative_to(ROOT / "jaxgan").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for name in rooms_imported(path):
        assert name == own or FLOOR_OF[name] < FLOOR_OF[own], f"{path} imports jaxgan.{name}"


def rooms_imported(path):
    """The packages of jaxgan that a file imports, also by ``from jaxgan import data``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "jaxgan":
            yield from (alias.name for alias in node.names if alias.name in FLOOR_OF)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxgan."):
            yield node.module.split(".")[1]


def test_nothing_executes_what_it_reads():
    forbidden = r"^\s*(import|from) (pickle|dill|joblib)|\beval\(|\bexec\(|allow_pickle=True|\.extractall\("
    forbidden += r"|yaml\.(unsafe_|full_)?load\(|os\.system\(|\bsubprocess\b|torch\.load\(|shell=True|marshal"
    for path in [*(ROOT / "jaxgan").rglob("*.py"), *(ROOT / "experiments").glob("*.py")]:
        assert not re.search(forbidden, path.read_text(), re.MULTILINE), path
