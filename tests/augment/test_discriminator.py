"""Tests of augmentation in a game: the rule of ADA's probability, its place in the state, and both players' views."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from jaxgan import Game, Net, Player, augment, latents, losses, parallel, total
from jaxgan.core.gradients import accumulate, full_batch
from jaxgan.core.networks import Function, Nets
from jaxgan.models import mlp


def published(p, signs, batch_size, target, kimg, interval):
    """Compute p by the published rule: after ``interval`` steps, it grows if their mean sign exceeds the target."""
    seen, path = [], []
    for sign in signs:
        path.append(p)  # the probability in this step
        seen.append(sign)
        if len(seen) == interval:
            p = max(p + np.sign(np.mean(seen) - target) * batch_size * interval / (kimg * 1000), 0)
            seen = []
    return path


def test_the_probability_follows_the_published_rule():
    logits = np.random.default_rng(0).normal(0.7, 1, (60, 8)).astype(np.float32)
    logits[30:, :] -= 1.5  # p increases first, and then decreases to 0
    module = augment.AdaptiveProbability(batch_size=8, target=0.3, kimg=0.5, interval=4)
    state = module.init(jax.random.key(0))

    @jax.jit
    def turn(state, logits):
        before = module.apply(state)
        p, state = module.apply(state, logits, mutable=["ada", "batch_stats"])
        return before, p, state

    path = []
    for row in logits:
        before, p, state = turn(state, row)
        assert float(before) == float(p)
        path.append(float(p))
    expected = published(0.0, np.sign(logits).mean(1), 8, 0.3, 0.5, 4)
    np.testing.assert_allclose(path, expected, atol=1e-6)
    assert max(path) > 0.3
    assert path[-1] == 0
    np.testing.assert_array_equal(np.unique(path[:4]), [0])


def test_the_default_speed_is_one_per_500_thousand_images():
    module = augment.AdaptiveProbability(batch_size=1000)
    _, state = module.init_with_output(jax.random.key(0))
    for _ in range(501):
        p, state = module.apply(state, jnp.ones(2), mutable=["ada", "batch_stats"])
    assert float(p) == pytest.approx(1.0, abs=1e-4)


def game(kind, gradient=full_batch, initial=0.6) -> Game:
    """Return a game of multi-layer perceptrons on 8 x 8 images with R1, where p changes every second turn."""
    view = augment.Augmentation(kind, augment.AdaptiveProbability(16, 0.2, 0.4, 2, initial))

    def discriminator_loss(nets, real, keys, step):
        d_real, d_fake = view.views(nets, keys)
        real_logits, _ = d_real.with_stats(real)
        fake_logits = d_fake(nets.g(latents(keys, 4)))
        hinge = losses.hinge_discriminator(real_logits, fake_logits)
        r1 = losses.r1(d_real, real)
        return total(hinge=hinge, r1=r1, metrics=view.metrics(nets), stats=view.stats(nets, real_logits))

    def generator_loss(nets, real, keys, step):
        _, d_fake = view.views(nets, keys)
        return total(hinge=losses.hinge_generator(d_fake(nets.g(latents(keys, 4)))))

    sgd = optax.sgd(0.01)
    return Game(
        nets={
            "g": Net(mlp.Generator((8, 8, 1), (8,)), jnp.zeros((1, 4))),
            "d": Net(mlp.Discriminator((8,)), jnp.zeros((1, 8, 8, 1))),
            **view.nets,
        },
        players={
            "d": Player(("d",), discriminator_loss, sgd, gradient),
            "g": Player(("g",), generator_loss, sgd, gradient),
        },
        turns=(("d",), ("g",)),
    )


STEPS = 5


@pytest.fixture(scope="module")
def alone():
    """Return the state before and after some steps on one device, and p in each step."""
    before = game("ada").init(jax.random.key(0))
    state, step, path = before, jax.jit(game("ada").step), []
    for i in range(STEPS):
        state, metrics = step(state, games.images(16, i))
        path.append(float(metrics["d/augment_p"]))
    return before, state, path


@pytest.mark.integration
def test_the_probability_is_in_the_state_and_no_player_owns_it(alone):
    before, after, path = alone
    assert before.params["ada"] == {}
    assert float(before.stats["ada"]["ada"]["p"]) == pytest.approx(0.6)
    assert path[0] == path[1] == pytest.approx(0.6)
    assert len(set(path)) == 3  # p changes before the third and the fifth step
    assert float(after.stats["ada"]["ada"]["p"]) == path[-1]


@pytest.mark.integration
def test_a_resumed_run_is_bitwise_equal(alone, tmp_path):
    from jaxgan.training.checkpoints import Checkpoints

    before, after, _ = alone
    step = jax.jit(game("ada").step)
    state = before
    for i in range(STEPS):
        state, _ = step(state, games.images(16, i))
        if i == 2:
            checkpoints = Checkpoints(tmp_path)
            checkpoints.save(state)
            checkpoints.wait()
            state = checkpoints.restore(before)
            checkpoints.close()
    for x, y in zip(jax.tree.leaves((state.params, state.stats)), jax.tree.leaves((after.params, after.stats))):
        np.testing.assert_array_equal(x, y)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["pmap", "accumulate"])
def test_devices_and_micro_batches_do_not_change_the_result(alone, how):
    before, after, path = alone
    if how == "pmap":
        on = parallel.devices(4)
        step, state = parallel.pmap(game("ada"), on), parallel.replicate(before, on)
    else:
        step, state = jax.jit(game("ada", accumulate(4)).step), before
    for i in range(STEPS):
        state, metrics = step(state, games.images(16, i))
        assert float(metrics["d/augment_p"]) == pytest.approx(path[i], abs=1e-6)
    assert games.change(before, after, state) < 1e-5
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), state.stats, after.stats)


class Seen:
    """A replacement for the ``Function`` of a discriminator that records its images."""

    def __init__(self):
        self.images = []

    def __call__(self, images, *labels):
        self.images.append((np.asarray(images), *labels))
        return jnp.zeros(len(images))

    with_stats = __call__


@pytest.mark.integration
def test_an_augmented_discriminator_is_called_like_a_function():
    module = mlp.Discriminator((4,))
    d = Function(module.init(jax.random.key(0), jnp.zeros((1, 2)))["params"], {}, Net(module, jnp.zeros((1, 2))))
    augmented = augment.Augmented(d, lambda images: 2 * images)
    x = games.points(5)
    np.testing.assert_array_equal(augmented(x), d(2 * x))
    np.testing.assert_array_equal(augmented.with_stats(x)[0], d(2 * x))
    np.testing.assert_allclose(losses.r1(augmented, x), losses.r1(lambda x: d(2 * x), x), rtol=1e-6)


@pytest.mark.integration
@pytest.mark.parametrize("kind", [kind for kind in get_args(augment.Kind) if kind != "none"])
def test_real_images_and_fakes_are_augmented_independently_and_calls_equally(kind):
    seen, images = Seen(), games.images(16)
    view = augment.Augmentation(kind, augment.AdaptiveProbability(16, initial=1.0))
    ada = {name: Function({}, net.init(jax.random.key(0)), net) for name, net in view.nets.items()}
    keys = jax.random.split(jax.random.key(1), 16)
    d_real, d_fake = view.views(Nets({"d": seen, **ada}), keys)  # pyright: ignore[reportArgumentType]
    for d in (d_real, d_fake):
        d(images, "label")
        d.with_stats(images, "label")
    (first, label), (second, _), (fake, _), (fake_again, _) = seen.images
    assert label == "label"
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(fake, fake_again)
    for a, b in ((first, images), (fake, images), (first, fake)):
        assert (a != b).any((1, 2, 3)).all()


def test_transforms_can_be_chosen():
    seen, images = Seen(), games.images(16)
    view = augment.Augmentation("ada", augment.AdaptiveProbability(16, initial=1.0), {"brightness": 1.0})
    ada = Function({}, view.probability.init(jax.random.key(0)), Net(view.probability))
    d_real, _ = view.views(Nets({"d": seen, "ada": ada}), jax.random.split(jax.random.key(1), 16))  # pyright: ignore[reportArgumentType]
    d_real(images)
    added = seen.images[0][0] - images
    assert np.ptp(added, (1, 2, 3)).max() < 1e-6 < np.abs(added).min()


def test_kind_none_returns_the_discriminator_itself():
    view = augment.Augmentation("none", augment.AdaptiveProbability(16))
    nets = Nets({"d": Seen()})  # pyright: ignore[reportArgumentType]
    assert view.views(nets, jax.random.split(jax.random.key(1), 2)) == (nets.d, nets.d)
    assert view.nets == view.metrics(nets) == view.stats(nets, jnp.zeros(2)) == {}
    with pytest.raises(ValueError, match="`kind` must be 'none', 'diffaugment' or 'ada', got 'stylegan'"):
        augment.Augmentation("stylegan", augment.AdaptiveProbability(16))  # pyright: ignore[reportArgumentType]
