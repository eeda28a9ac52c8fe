"""jaxgan's games and PyTorch's are the same: skipped where PyTorch is not installed."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]'")

from experiments.benchmarks import worker  # noqa: E402
from experiments.benchmarks.games import CASES  # noqa: E402

SLOW = ("dcgan32", "dcgan64", "dcgan32_r1_turn", "wgan_gp32")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in CASES])
def test_losses_and_gradients_agree(name):
    assert worker.agreement(name)["apart"] <= worker.AGREE_TO


@pytest.mark.slow
def test_a_game_that_differs_is_seen(monkeypatch):
    from experiments.benchmarks import torch_games

    softplus = torch_games.functional.softplus
    monkeypatch.setattr(torch_games.functional, "softplus", lambda x: 1.01 * softplus(x))
    assert worker.agreement("toy")["apart"] > 100 * worker.AGREE_TO
