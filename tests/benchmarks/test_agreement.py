"""jaxgan's and PyTorch's versions of the benchmarks' games compute the same losses and gradients.

The tests are skipped if PyTorch is not installed.
"""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]'")

from experiments.benchmarks import torch_games, worker  # noqa: E402
from experiments.benchmarks.games import CASES, build  # noqa: E402

SLOW = ("dcgan32", "dcgan64", "dcgan32_r1_turn", "wgan_gp32")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in CASES])
def test_losses_and_gradients_agree(name):
    assert worker.agreement(name)["difference"] <= worker.AGREE_TO


@pytest.mark.slow
def test_a_different_loss_is_detected(monkeypatch):
    softplus = torch_games.functional.softplus
    monkeypatch.setattr(torch_games.functional, "softplus", lambda x: 1.01 * softplus(x))
    assert worker.agreement("toy")["difference"] > 100 * worker.AGREE_TO


CLASSES = {
    "dcgan32": (torch_games.Generator, torch_games.Discriminator),
    "wgan_gp32": (torch_games.ResidualGenerator, torch_games.ResidualCritic),
    "mlp": (torch_games.Perceptron, torch_games.Perceptron),
}


@pytest.mark.parametrize("name", CLASSES)
def test_parameters_are_loaded_by_name(name):
    """Random parameters that are loaded into the PyTorch networks are equal to those converted directly from jaxgan."""
    nets = torch_games.networks(name)
    assert tuple(type(net) for net in nets.values()) == CLASSES[name]
    state = jax.eval_shape(build(CASES[name]).init, jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), state.params)
    with torch.no_grad():
        torch_games.load(nets, params)
    for side, net in nets.items():
        ours = torch_games.named(side, net, params[side])
        theirs = {key: p.detach().numpy() for key, p in net.named_parameters()}
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            np.testing.assert_array_equal(ours[key], value, err_msg=key)
    if name == "wgan_gp32":
        assert isinstance(nets["g"].blocks[0], torch_games.UpBlock)
    damaged = {**params, "d": jax.tree.map(lambda p: p[..., :1], params["d"])}
    with (
        torch.no_grad(),
        pytest.raises(ValueError, match=r"d\..* has the shape \(.*\) in PyTorch and \(.*\) in jaxgan\."),
    ):
        torch_games.load(nets, damaged)


def test_a_step_updates_both_networks():
    torch.manual_seed(0)
    step = torch_games.Step(CASES["toy"], torch_games.networks("toy"))
    before = [p.detach().clone() for net in step.nets.values() for p in net.parameters()]
    losses = step([torch.randn(8, 2)], [torch.randn(8, 2)], [torch.rand(8)])
    after = [p.detach() for net in step.nets.values() for p in net.parameters()]
    assert set(losses) == {"g", "d"}
    assert all(not torch.equal(a, b) for a, b in zip(before, after))
