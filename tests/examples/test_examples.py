"""The programs in ``examples/``: each is short, says how it is run, and draws what it says it draws."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
GRIDS = {"bigan": (3, 16), "infogan": (8, 10)}  # rows and columns; 8 and 8 elsewhere
every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


@every_example
def test_it_fits_on_a_page_and_says_how_it_is_run(path):
    lines = path.read_text().splitlines()
    assert len(lines) < 80
    assert f"    python examples/{path.name} --out " in path.read_text()
    assert f"`{path.stem}`" in (ROOT / "docs" / "games.md").read_text()


@every_example
@pytest.mark.integration
def test_it_trains_and_draws_a_grid(path, tmp_path, capsys):
    out = tmp_path / "folder" / "grid.png"
    runpy.run_path(str(path))["main"](out=out, steps=2)
    progress = capsys.readouterr().out
    assert progress.startswith("step 2: ") and len(progress.splitlines()) == 1
    assert "nan" not in progress
    rows, columns = GRIDS.get(path.stem, (8, 8))
    pixels = np.asarray(Image.open(out))
    side = pixels.shape[1] // columns
    assert abs(pixels.shape[0] - rows * side) <= side // 4  # each image has a margin but the last
    first, last = pixels[:side, :side], pixels[-side:, -side:]
    assert first.std() > 5 and (first.astype(int) != last).mean() > 0.3


@every_example
def test_its_program_asks_for_the_file_and_says_what_it_does(path, capsys, monkeypatch):
    for arguments, code in ((["--help"], 0), ([], 2)):
        monkeypatch.setattr("sys.argv", [path.name, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(path), run_name="__main__")
        assert ended.value.code == code
    told = capsys.readouterr()
    assert f"python examples/{path.name} --out" in " ".join(told.out.split()) and "a .png file" in told.out
    assert "the following arguments are required: --out" in told.err


def test_all_that_the_readme_names_are_there():
    assert {"bigan", "infogan", "two_discriminators", "nnx_networks", "functions"} <= {path.stem for path in EXAMPLES}
