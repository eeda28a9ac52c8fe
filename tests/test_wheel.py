"""Tests of the wheel: its contents, and training without a checkout of the repository."""

import os
import subprocess
import sys
import zipfile

import pytest
from helpers import programs

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel, and return a folder with its contents, in place of site-packages."""
    hatchling = pytest.importorskip("hatchling")
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", hatchling.__name__, "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=programs.ROOT, check=True, capture_output=True)
    (wheel,) = place.glob("jaxgan-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def test_the_wheel_contains_only_the_package_with_the_experiments(installed):
    assert {path.name.split("-")[0] for path in installed.iterdir()} == {"jaxgan"}
    files = {path.relative_to(installed / "jaxgan").as_posix() for path in (installed / "jaxgan").rglob("*.*")}
    sources = {
        path.relative_to(programs.ROOT / "jaxgan").as_posix() for path in (programs.ROOT / "jaxgan").rglob("*.*")
    }
    own = {f"experiments/{path.name}" for path in (programs.ROOT / "experiments").glob("*.py")}
    assert files == {path for path in sources if "__pycache__" not in path} | own


def test_the_wheel_trains_a_bundled_experiment_and_a_custom_one(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed), "JAX_NUM_CPU_DEVICES": "1"}

    def call(*words):
        line = [sys.executable, *map(str, words)]
        done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    small = programs.tiny("gan")
    commands = [
        ["train", "gan", "--steps", "2", *small],
        ["sample", "runs/gan", "--count", "4", "--out", "grid.png"],
        ["new", "mine", "--like", "gan"],
    ]
    console = f"from jaxgan import __file__, __main__; print(__file__); [__main__.main(x) for x in {commands}]"
    printed = call("-c", console)
    assert printed.startswith(str(installed)) and "gan: 1,797 examples" in printed
    assert "mine: 1,797 examples" in call("mine.py", "--steps", 2, *small)
    for file in ("runs/gan/report.html", "grid.png", "runs/mine/report.html"):
        assert (tmp_path / file).stat().st_size > 0
