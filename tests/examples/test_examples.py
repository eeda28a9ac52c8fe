"""Tests of the programs in ``examples/``: their length, their documentation, and the image grids that they write."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
OF_EXPERIMENTS = ("own_medium",)  # programs with all commands of an experiment, see tests/media/test_own_medium.py
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.stem not in OF_EXPERIMENTS)
GRIDS = {"bigan": (3, 16), "infogan": (8, 10)}  # rows and columns of the grid, if they are not (8, 8)
every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


@every_example
def test_an_example_is_short_and_documents_its_command(path):
    lines = path.read_text().splitlines()
    assert len(lines) < 80
    assert f"    python examples/{path.name} --out " in path.read_text()
    assert f"`{path.stem}`" in (ROOT / "docs" / "how_to" / "games.md").read_text()


@every_example
@pytest.mark.integration
def test_an_example_trains_and_writes_a_grid(path, tmp_path, capsys):
    out = tmp_path / "folder" / "grid.png"
    runpy.run_path(str(path))["main"](out=out, steps=2)
    progress = capsys.readouterr().out
    assert progress.startswith("step 2: ") and len(progress.splitlines()) == 1
    assert "nan" not in progress
    rows, columns = GRIDS.get(path.stem, (8, 8))
    pixels = np.asarray(Image.open(out))
    side = pixels.shape[1] // columns
    assert abs(pixels.shape[0] - rows * side) <= side // 4  # every image except the last one has a margin
    first, last = pixels[:side, :side], pixels[-side:, -side:]
    assert first.std() > 5 and (first.astype(int) != last).mean() > 0.3


@every_example
def test_an_example_requires_the_output_file_and_has_a_help_page(path, capsys, monkeypatch):
    for arguments, code in ((["--help"], 0), ([], 2)):
        monkeypatch.setattr("sys.argv", [path.name, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(path), run_name="__main__")
        assert ended.value.code == code
    printed = capsys.readouterr()
    help_page = " ".join(printed.out.split())
    assert f"python examples/{path.name} --out" in help_page and "a .png file" in help_page
    assert "the following arguments are required: --out" in printed.err


def test_all_examples_that_the_readme_names_exist():
    assert {"bigan", "infogan", "two_discriminators", "nnx_networks", "functions"} <= {path.stem for path in EXAMPLES}
