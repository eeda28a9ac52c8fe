"""Tests of TimeGAN's losses against values that were calculated with NumPy, and of its three phases."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import timegan
from jaxgan.models.timegan import networks

B, T, F = 3, 4, 2
RNG = np.random.default_rng(0)
X, Z = (jnp.array(RNG.uniform(size=(B, T, F)), jnp.float32) for _ in range(2))
# Functions in the place of the networks, for which the losses can be calculated without networks.
NETS: Any = SimpleNamespace(
    embedder=lambda x: x / 2,
    recovery=lambda h: 1.5 * h,
    generator=lambda z: 1 - z,
    supervisor=lambda h: h**2,
    discriminator=lambda h: h.sum(-1, keepdims=True) - 0.7,
)


def cross_entropy(codes, target):
    """Return the cross-entropy of the discriminator above with a target of 0 or 1."""
    probability = 1 / (1 + np.exp(-(np.asarray(codes).sum(-1) - 0.7)))
    return -np.log(probability if target else 1 - probability).mean()


def moment_distance(real, fake):
    means = np.abs(real.mean(0) - fake.mean(0)).mean()
    return means + np.abs(np.sqrt(real.var(0) + 1e-6) - np.sqrt(fake.var(0) + 1e-6)).mean()


x, z = np.asarray(X, np.float64), np.asarray(Z, np.float64)
SUPERVISED = np.square(x[:, 1:] / 2 - (x[:, :-1] / 2) ** 2).mean()
RECONSTRUCTION = 10 * np.sqrt(np.square(x - 0.75 * x).mean())
EXPECTED = {
    "autoencoder": (timegan.autoencoder_loss(NETS, X), {"reconstruction": RECONSTRUCTION}),
    "supervisor": (timegan.supervisor_loss(NETS, X), {"supervised": SUPERVISED}),
    "generator": (
        timegan.joint_generator_loss(NETS, X, Z, 0.5),
        {
            "adversarial": cross_entropy((1 - z) ** 2, 1),
            "adversarial_unsupervised": 0.5 * cross_entropy(1 - z, 1),
            "supervised": 100 * np.sqrt(SUPERVISED),
            "moments": 100 * moment_distance(x, 1.5 * (1 - z) ** 2),
        },
    ),
    "joint autoencoder": (
        timegan.joint_autoencoder_loss(NETS, X),
        {"reconstruction": RECONSTRUCTION, "supervised": 0.1 * SUPERVISED},
    ),
    "discriminator": (
        timegan.joint_discriminator_loss(NETS, X, Z, 0.5),
        {
            "real": cross_entropy(x / 2, 1),
            "fake": cross_entropy((1 - z) ** 2, 0),
            "fake_unsupervised": 0.5 * cross_entropy(1 - z, 0),
        },
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_losses_equal_a_calculation_with_numpy(name):
    found, expected = EXPECTED[name]
    assert found.terms.keys() == expected.keys()
    for term, value in expected.items():
        np.testing.assert_allclose(found.terms[term], value, rtol=2e-5, err_msg=term)
    np.testing.assert_allclose(found.loss, sum(expected.values()), rtol=2e-5)


def test_the_gradient_of_the_root_is_finite_at_zero():
    assert float(jax.grad(lambda x: timegan.root_of_mean_square(x, X))(X).sum()) == 0


def test_latents_are_uniform_and_belong_to_an_example():
    keys = jax.random.split(jax.random.key(0), 500)
    z = timegan.draw_latents(keys, 6, 3)
    assert z.shape == (500, 6, 3) and float(z.min()) >= 0 and float(z.max()) < 1
    assert float(z.mean()) == pytest.approx(1 / 2, abs=0.02) and float(z.var()) == pytest.approx(1 / 12, abs=0.005)
    np.testing.assert_array_equal(timegan.draw_latents(keys[3:5], 6, 3), z[3:5])


@pytest.mark.parametrize("loss", [0.1, 0.2])
def test_above_updates_parameters_and_state_only_above_the_limit(loss):
    optimizer = timegan.above(optax.adam(0.1), 0.15)
    params = jnp.zeros(2)
    state = optimizer.init(params)
    updates, new = optimizer.update(jnp.ones(2), state, params, value=jnp.float32(loss))
    expected, expected_state = optax.adam(0.1).update(jnp.ones(2), optax.adam(0.1).init(params), params)
    if loss < 0.15:
        expected, expected_state = jnp.zeros(2), state
    np.testing.assert_allclose(np.asarray(updates), np.asarray(expected), rtol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, new, expected_state)


@pytest.mark.integration
def test_each_phase_trains_its_networks():
    """The joint game initialises the state of all phases."""
    games = timegan.create_games(networks(F, units=3, num_layers=1), (T, F))
    state = jax.jit(games.joint.init)(jax.random.key(0))
    batch = jnp.tile(X, (4, 1, 1))
    trained = {
        "autoencoder": {"embedder", "recovery"},
        "supervisor": {"supervisor"},
        "joint": {"embedder", "recovery", "generator", "supervisor", "discriminator"},
    }
    for phase, names in trained.items():
        game = getattr(games, phase)
        assert game.batch_multiple == 2
        new, _ = jax.jit(game.step)(state, batch)
        assert jax.tree.structure(new) == jax.tree.structure(state)
        changed = {name for name in state.params if not same(state.params[name], new.params[name])}
        assert changed == names
        counts = {name: int(optax.tree.get(new.opt_states[name], "count")) for name in new.opt_states}
        before = {name: int(optax.tree.get(state.opt_states[name], "count")) for name in new.opt_states}
        expected = {"autoencoder": (0, 2, 0), "supervisor": (2, 0, 0), "joint": (2, 2, 1)}[phase]
        assert tuple(counts[name] - before[name] for name in "ged") == expected
        state = new


def same(a, b):
    return all(jax.tree.leaves(jax.tree.map(lambda x, y: bool((x == y).all()), a, b)))
