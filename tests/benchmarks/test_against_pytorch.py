"""The files that the comparison with PyTorch writes, from invented results, and its handling of forms that do not run."""

import pytest
from PIL import Image

from experiments.benchmarks import against_pytorch
from experiments.benchmarks.processes import fastest, median_interval
from experiments.benchmarks.worker import JAXGAN_FORMS, SAMPLE_COUNTS, TORCH_FORMS


def test_median_interval():
    middle, low, high = median_interval([1.0, 1.2, 1.1, 1.4, 1.3])
    assert middle == 1.2
    assert 1.0 <= low < 1.2 < high <= 1.4
    assert median_interval([2.0]) == (2.0, 2.0, 2.0)


def test_fastest_selects_a_form_and_reports_forms_that_fail(capsys):
    def run(form):
        if form.startswith("compiled"):
            raise RuntimeError("Traceback\nRuntimeError: no double backward\nmore")
        return {"ms": 2.0 if form == "eager" else 3.0}

    forms, best = fastest("PyTorch", TORCH_FORMS, run)
    assert best == "eager"
    assert forms.keys() == TORCH_FORMS.keys()
    assert forms["compiled, default"] == "does not run: RuntimeError: no double backward"
    assert "PyTorch, eager: 2.00 ms" in capsys.readouterr().out


def test_games_that_do_not_agree_are_not_timed(monkeypatch, tmp_path):
    monkeypatch.setattr(against_pytorch, "worker", lambda *arguments: {"difference": 1e-3})
    message = (
        r"toy: The losses or gradients of the two sides differ by 1\.0e-03, more than 1e-05\. The game is not timed\."
    )
    with pytest.raises(SystemExit, match=message):
        against_pytorch.main(str(tmp_path), games=("toy",))


def test_a_comparison_prints_its_forms_and_writes_its_results(monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    times = {"jaxgan": 2.0, "torch": 3.0}

    def worker(game, side, *_):
        if side == "agree":
            return {"difference": 1e-7}
        keys = ("compile_s", "first_step_s", "with_data_ms", "peak_mb", *(f"sample_{n}_ms" for n in SAMPLE_COUNTS))
        return {"ms": times[side], **dict.fromkeys(keys, 1.0), "product_gflops": 100.0, "convolution_gflops": None}

    monkeypatch.setattr(against_pytorch, "worker", worker)
    monkeypatch.setattr(against_pytorch.metadata, "version", lambda name: "1")
    against_pytorch.main(str(tmp_path), games=("toy", "mlp"), pairs=3)
    assert (
        "| toy | **1.50** | 1.50 to 1.50 | 2.00 | one step a call | 3.00 | eager |"
        in (tmp_path / "results.md").read_text()
    )
    printed = capsys.readouterr().out
    for form in (*JAXGAN_FORMS, *TORCH_FORMS):  # the steps of these games are small, so all forms are tried
        assert f", {form}: " in printed
    assert "pair 3: jaxgan 2.00 ms, PyTorch 3.00 ms, PyTorch / jaxgan 1.50" in printed
    with Image.open(tmp_path / "results.png") as image:
        assert image.width > 500
