"""The package as others meet it: its import, its README, its files."""

import re
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import jaxgan

ROOT = Path(__file__).parent.parent


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


def test_version_is_told_once():
    assert metadata.version("jaxgan") == jaxgan.__version__


def test_the_readmes_code_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 5
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks))
    found = runpy.run_path(str(script))
    assert found["samples"].shape == (16, 32, 32, 3)
    assert {"d/hinge", "d/r1", "d/grad_norm", "g/hinge"} <= set(found["metrics"])
    assert found["states"].params["g"]["linear"]["kernel"].shape[0] == 2
    assert found["looks_ahead"].turns == found["agrees"].turns == (("d", "g"),)
    assert found["mine"].players["d"].loss is found["my_discriminator"]


FLOORS = {  # a file may import jaxgan's modules of these floors and below
    "axis": 0, "version": 0, "interop": 0,
    "losses": 1, "models": 1, "data": 1, "metrics": 1, "render": 1, "sampling": 1,
    "optimizers": 1, "pool": 1, "export": 2, "projection": 2, "styles": 2, "networks": 2, "gradients": 2, "augment": 3, "game": 3, "population": 4, "dynamics": 4, "privacy": 4,
    "classifier": 4, "evaluation": 5, "parallel": 5, "training": 6, "doctor": 7, "__main__": 8,
}  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "jaxgan").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_down(path):
    own = path.relative_to(ROOT / "jaxgan").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for name in re.findall(r"^\s*from jaxgan\.(\w+)", path.read_text(), re.MULTILINE):
        assert name == own or FLOORS[name] < FLOORS[own], f"{path} imports jaxgan.{name}"


def test_nothing_executes_what_it_reads():
    forbidden = r"^\s*(import|from) (pickle|dill|joblib)|\beval\(|\bexec\(|allow_pickle=True|\.extractall\("
    for path in [*(ROOT / "jaxgan").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]:
        assert not re.search(forbidden, path.read_text(), re.MULTILINE), path
