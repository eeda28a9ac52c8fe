"""The parts of the StyleGAN2 benchmark that do not need the authors' code: timing, random numbers and error messages."""

import types

import jax
import numpy as np
import pytest

from experiments import stylegan2 as experiment
from experiments.benchmarks import stylegan2

TINY = experiment.Config.tiny(data="digits", augment="none", resolution=8, style_mixing_prob=0.0)


def test_a_directory_without_the_authors_code_is_refused(tmp_path):
    message = r"--official .* has no file training/networks\.py\. Clone the authors' code as shown by --help\."
    with pytest.raises(SystemExit, match=message):
        stylegan2.main(str(tmp_path))


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ("jaxgan", "With --side jaxgan, --form must be one of 'one step a call', 'ten .*, got 'channels last'."),
        ("agree", "--side agree has no forms, got --form 'channels last'. Remove --form."),
    ],
)
def test_a_form_of_another_side_is_refused(side, message, tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "networks.py").touch()
    with pytest.raises(SystemExit, match=message):
        stylegan2.main(str(tmp_path), side=side, form="channels last")


def test_every_round_has_the_same_lazy_terms(monkeypatch):
    """A step takes 1 s, and 10 s more with path lengths (every 4th step), and 100 s more with R1 (every 16th step)."""
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(stylegan2.time, "perf_counter", lambda: clock.now)
    taken = []

    def take(number, count):
        for i in range(number, number + count):
            taken.append(i)
            clock.now += 1 + 10 * (i % 4 == 0) + 100 * (i % 16 == 0)

    ms = stylegan2.ms_per_image(take, experiment.Config(batch_size=8), 200.0)
    assert ms == pytest.approx(1e3 * (16 + 40 + 100) / (16 * 8))
    assert taken == list(range(2 + 2 * 16))


@pytest.mark.slow
def test_draws_are_the_random_numbers_of_a_step():
    """A loss and the mean path length of a step can be computed from the random numbers passed to the authors' code."""
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
