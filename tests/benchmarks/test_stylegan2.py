"""StyleGAN2's race but for the authors' code, which is not here: how it is timed, what is drawn, and what is compared."""

import types

import jax
import numpy as np
import pytest

from experiments import stylegan2 as experiment
from experiments.benchmarks import stylegan2

TINY = experiment.Config.tiny(data="digits", augment="none", resolution=8, style_mixing_prob=0.0)


def test_a_folder_without_the_authors_code_is_told(tmp_path):
    with pytest.raises(SystemExit, match=r"--official .*: no training/networks\.py there; clone it as --help says"):
        stylegan2.main(str(tmp_path))


@pytest.mark.parametrize(("side", "known"), [("jaxgan", "one step a call, ten"), ("agree", "none")])
def test_a_form_of_another_side_is_told(side, known, tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "networks.py").touch()
    with pytest.raises(SystemExit, match=f"--form 'channels last': of --side {side} there are {known}"):
        stylegan2.main(str(tmp_path), side=side, form="channels last")


def test_every_lazy_term_has_its_share_of_a_time(monkeypatch):
    """Of 16 steps, of 8 images, one has both terms and three more path lengths: 1 s each, 10 s and 100 s more."""
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(stylegan2.time, "perf_counter", lambda: clock.now)
    taken = []

    def take(number, count):
        for i in range(number, number + count):
            taken.append(i)
            clock.now += 1 + 10 * (i % 4 == 0) + 100 * (i % 16 == 0)

    found = stylegan2.ms_per_image(take, experiment.Config(batch_size=8), 200.0)
    assert found == pytest.approx(1e3 * (16 + 40 + 100) / (16 * 8))
    assert taken == list(range(2 + 2 * 16))


@pytest.mark.slow
def test_the_draws_are_those_of_a_step():
    """The fakes that both players see, and the path lengths' mean, from what the authors' code would be given."""
    game = stylegan2.game_of(TINY)
    state = stylegan2._noisy(jax.jit(game.init)(jax.random.key(0)))
    z, noise, directions = stylegan2._draws(game, state, TINY)
    _, metrics = jax.jit(game.step)(state, {"image": stylegan2.images(TINY)})
    nets = game.functions(state, train=True, ema=False)
    count = game.nets["synthesis"].module.num_ws - 1
    maps = [next(noise) for _ in range(3 * count)]
    assert next(noise, None) is None
    assert [len(x) for x in maps] == [8] * 2 * count + [4] * count
    ws = nets.mapping(z)

    def images(ws, maps):
        return nets.synthesis(ws, [x[..., 0] for x in maps])

    gradient = jax.grad(lambda ws: (images(ws, maps[2 * count :]) * directions).sum())(ws[::2]) / 8
    lengths = np.sqrt(np.square(gradient).sum(2).mean(1))
    np.testing.assert_allclose(metrics["g/path_mean"], 0.01 * lengths.mean(), rtol=1e-5)
    logits = nets.d(images(ws, maps[:count])), nets.d(stylegan2.images(TINY))
    loss = np.logaddexp(0, logits[0]).mean() + np.logaddexp(0, -logits[1]).mean()
    np.testing.assert_allclose(metrics["d/adversarial"], loss, rtol=1e-5)
