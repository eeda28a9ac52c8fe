"""Tests of probes on states with known measurements."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from experiments import gan
from jaxgan import Game, Net, Player, losses, total
from jaxgan.core.keys import latents
from jaxgan.core.networks import MissingKeysError
from jaxgan.core.state import State
from jaxgan.data import Arrays
from jaxgan.experiment import Experiment, Sampling
from jaxgan.games.population import Population
from jaxgan.monitoring.probe import Probe, check_held_out
from jaxgan.training.runs import SingleRun


class Affine(nn.Module):
    """A generator that scales its latents and adds a mean."""

    @nn.compact
    def __call__(self, z):
        scale = self.param("scale", nn.initializers.ones, ())
        return z * scale + self.param("middle", nn.initializers.zeros, (2,))[None]


class Bump(nn.Module):
    """A discriminator that has memorised one point: its logit is high there and low elsewhere."""

    @nn.compact
    def __call__(self, x):
        height = self.param("height", nn.initializers.ones, ())
        return height * (2 * jnp.exp(-1e4 * jnp.square(x - 0.5).sum(-1)) - 1)


def experiment(points, held_out=None) -> Experiment:
    def discriminator_loss(nets, batch, keys, step):
        real, fake = nets.d(batch["image"]), nets.d(nets.g(latents(keys, 2)))
        hinge = losses.hinge_discriminator(real, fake)
        return total(hinge=hinge, metrics=losses.discriminator_metrics(real, fake))

    def generator_loss(nets, batch, keys, step):
        return total(hinge=losses.hinge_generator(nets.d(nets.g(latents(keys, 2)))))

    z = jnp.zeros((1, 2))
    players = {"d": Player(("d",), discriminator_loss, optax.sgd(0.1))}
    players["g"] = Player(("g",), generator_loss, optax.sgd(0.1))
    game = Game({"g": Net(Affine(), z), "d": Net(Bump(), z)}, players, (("d",), ("g",)))
    held = None if held_out is None else Arrays(held_out.astype(np.float32))
    return Experiment(
        game,
        Arrays(points.astype(np.float32)),
        Sampling(lambda keys: latents(keys, 2), lambda nets, z: nets.g(z)),
        held_out=held,
    )


NORMAL = np.random.default_rng(0).normal(size=(4096, 2))


def moved(state: State, scale, middle) -> State:
    g = {"scale": jnp.float32(scale), "middle": jnp.asarray(middle, jnp.float32)}
    return state.replace(params={**state.params, "g": g})


def test_measurements_of_a_generator_with_known_mean_and_spread():
    it = experiment(NORMAL)
    state, probe = it.game.init(jax.random.key(0)), Probe(it, 0)
    first = {name: float(x) for name, x in probe(moved(state, 1.0, (0, 0))).items()}
    assert first["diversity"] == pytest.approx(1, abs=0.15) and first["nearest"] == pytest.approx(1, abs=0.3)
    assert set(first) == {"diversity", "nearest"}
    second = {name: float(x) for name, x in probe(moved(state, 0.25, (3, 4))).items()}
    assert second["diversity"] == pytest.approx(first["diversity"] / 4, rel=1e-3)
    assert second["nearest"] == pytest.approx(first["nearest"] / 4, rel=1e-3)
    # The mean has moved by about 5, because the mean of the latents is small. The spread of real examples is sqrt(2).
    assert second["swing"] == pytest.approx(5 / np.sqrt(2), rel=0.1)
    assert second["moved/g"] == pytest.approx(np.hypot(5, 0.75) / np.hypot(5, 0.25), rel=1e-4)
    assert second["moved/d"] == 0 and not any(name.startswith("turned") for name in second)
    third = {name: float(x) for name, x in probe(moved(state, 1.0, (0, 0))).items()}
    assert third["turned/g"] == pytest.approx(-1, abs=1e-5)  # the second change reverses the first one
    assert third["swing"] == pytest.approx(second["swing"], rel=1e-4)


def test_a_generator_with_constant_samples_has_no_diversity():
    it = experiment(NORMAL)
    found = Probe(it, 0)(moved(it.game.init(jax.random.key(0)), 0.0, (7, 7)))
    assert float(found["diversity"]) < 1e-3 and float(found["nearest"]) < 1e-2


def test_dropout_of_the_generator_is_disabled():
    """Two probes of the same state have the same samples, and no error is raised although the probe passes no keys."""

    class Dropping(nn.Module):
        @nn.compact
        def __call__(self, z, train: bool):
            return nn.Dropout(0.5)(nn.Dense(2)(z), deterministic=not train)

    it = experiment(NORMAL)
    game = dataclasses.replace(it.game, nets={**it.game.nets, "g": Net(Dropping(), jnp.zeros((1, 2)))})
    with pytest.raises(MissingKeysError, match=r"'g' draws random numbers, .* its call received no `keys`"):
        game.functions(game.init(jax.random.key(0)), train=True).g(jnp.zeros((1, 2)))
    probe, state = Probe(dataclasses.replace(it, game=game), 0), game.init(jax.random.key(0))
    first, second = probe(state), probe(state)
    assert float(first["diversity"]) > 0 and float(second["swing"]) == 0


def test_logits_of_a_discriminator_that_has_memorised_its_examples():
    """Its logits of held-out examples are the same as its logits of fakes."""
    known, others = np.full((64, 2), 0.5), np.full((64, 2), -0.5)
    it = experiment(known, others)
    state = it.game.init(jax.random.key(0))
    found = {name: float(x) for name, x in Probe(it, 0)(state).items()}
    assert found["over_held_out/d"] == pytest.approx(2, abs=0.01)
    assert found["over_fakes/d"] == pytest.approx(2, abs=0.05)
    assert float(Probe(experiment(known, known), 0)(state)["over_held_out/d"]) == pytest.approx(0, abs=0.01)
    assert "over_fakes/d" not in Probe(experiment(known), 0)(state)
    silent = dataclasses.replace(it.game.players["d"], loss=it.game.players["g"].loss)
    game = dataclasses.replace(it.game, players={**it.game.players, "d": silent})
    with pytest.raises(ValueError, match="`num_held_out` has no effect, because no player"):
        check_held_out(dataclasses.replace(it, game=game))
    check_held_out(it)


def test_each_member_of_a_population_has_its_own_measurements():
    it = experiment(NORMAL, NORMAL[:64])
    two = Population(it.game, 2)
    state = two.init(jax.random.split(jax.random.key(0), 2))
    g = {"scale": jnp.array([1.0, 0.25]), "middle": jnp.zeros((2, 2))}
    state = state.replace(params={**state.params, "g": g})
    probe, alone = Probe(it, 0, members=2), Probe(it, 0)
    for _ in range(3):
        found = probe(state)
        assert all(x.shape == (2,) for x in found.values())
        np.testing.assert_allclose(found["diversity"][1], found["diversity"][0] / 4, rtol=1e-4)
    one = alone(moved(it.game.init(jax.random.key(0)), 1.0, (0, 0)))
    np.testing.assert_allclose(found["diversity"][0], one["diversity"], rtol=1e-5)


def test_the_second_probe_is_not_compiled_again():
    """This requires that the initial memory has the same placement on devices as the state of a run."""
    run = SingleRun(games.points_experiment(), gan.Config())
    state = run.place(run.init(run.keys), run.devices(1), "pmap")
    probe = Probe(run.experiment, 0)
    for _ in range(3):
        probe(run.probe_state(state))
    assert probe._compiled_measure._cache_size() == 1
