"""Tests of the package: its import, its version, and the dependencies between its files."""

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
def test_importing_the_package_imports_no_optional_and_no_slow_packages():
    lazily = (
        "tensorflow_datasets",
        "tensorflow",
        "orbax.checkpoint.checkpoint_manager",
        "tyro",
        "sklearn",
        "pandas",
        "skimage",
        "PIL",
        "grain",
        "dp_accounting",
    )
    code = f"import sys, jaxgan, jaxgan.metrics, jaxgan.models.dcgan, jaxgan.parallel, jaxgan.games.privacy; print([m for m in {lazily!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


@pytest.mark.integration
def test_training_does_not_import_scipy():
    """SciPy takes a fifth of a second to import, and only some metrics use it."""
    code = "import sys, jaxgan.experiments.dcgan, jaxgan.cli.train; print('scipy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout == "False\n"


def test_dir_lists_all_public_names_and_subpackages():
    """Subpackages are imported when they are first used, so ``dir`` must list them before."""
    folders = {path.parent.name for path in (ROOT / "jaxgan").glob("*/__init__.py")}
    code = f"import jaxgan; print(*dir(jaxgan)); [getattr(jaxgan, name) for name in {sorted(folders)!r}]"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert shown.returncode == 0, shown.stderr
    assert set(shown.stdout.split()) == {*folders, *jaxgan.__all__, "parallel", "version"}
    assert {"Game", "Net", "Player", "State", "total", "latents", "fold_in_keys"} <= set(jaxgan.__all__)


def test_the_version_agrees_with_the_installed_metadata():
    assert metadata.version("jaxgan") == jaxgan.__version__


LAYERS = (  # from low to high; a file may import its own subpackage and subpackages of lower layers
    ("version",),
    ("core",),
    ("nn", "drawing"),
    ("models", "losses", "data", "metrics"),
    ("augment", "games"),
    ("interop", "export"),
    ("parallel", "evaluation", "editing"),
    ("media",),
    ("experiment",),
    ("monitoring",),
    ("training", "reporting"),
    ("cli",),
    ("__main__",),
)
LAYER_OF = {name: i for i, names in enumerate(LAYERS) for name in names}


@pytest.mark.parametrize("path", sorted((ROOT / "jaxgan").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_import_only_lower_layers(path):
    own = path.relative_to(ROOT / "jaxgan").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for name in subpackages_imported(path):
        assert name == own or LAYER_OF[name] < LAYER_OF[own], f"{path} imports jaxgan.{name}"


def subpackages_imported(path):
    """Yield the subpackages of jaxgan that a file imports, also with ``from jaxgan import data``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "jaxgan":
            yield from (alias.name for alias in node.names if alias.name in LAYER_OF)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxgan."):
            yield node.module.split(".")[1]


def test_one_module_reads_array_files():
    """``numpy.load`` checks neither the size of an archive nor its members, see ``jaxgan.core.array_archives``."""
    for path in [*(ROOT / "jaxgan").rglob("*.py"), *(ROOT / "experiments").glob("*.py")]:
        code = ast.parse(path.read_text())
        assert not any(
            isinstance(n, ast.Attribute) and ast.unparse(n) in ("np.load", "numpy.load") for n in ast.walk(code)
        ), path


def test_only_one_module_prints():
    """Text of unknown origin would otherwise reach the terminal with its control characters; see jaxgan.core.text."""
    for path in sorted((ROOT / "jaxgan").rglob("*.py")):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert "print" not in names or path == ROOT / "jaxgan" / "core" / "text.py", path


def test_no_file_executes_the_content_of_files():
    forbidden = r"^\s*(import|from) (pickle|dill|joblib)|\beval\(|\bexec\(|allow_pickle=True|\.extractall\("
    forbidden += r"|yaml\.(unsafe_|full_)?load\(|os\.system\(|\bsubprocess\b|torch\.load\(|shell=True|marshal"
    for path in [*(ROOT / "jaxgan").rglob("*.py"), *(ROOT / "experiments").glob("*.py")]:
        assert not re.search(forbidden, path.read_text(), re.MULTILINE), path
    # The benchmarks and the chaos program start processes, but read files of unknown origin in no other way either.
    forbidden = r"^\s*(import|from) (pickle|dill|joblib|marshal)|allow_pickle=True|\.extractall\("
    for path in (ROOT / "experiments").rglob("*.py"):
        assert not re.search(forbidden, path.read_text(), re.MULTILINE), path
