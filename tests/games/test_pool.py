"""Tests of the pool of past generated images against a pool in plain Python, on one device and on several."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import Game, Net, Player, parallel, total
from jaxgan.games.pool import ImagePool
from jaxgan.models import mlp


def swap_one_by_one(pool: ImagePool, batches, keys):
    """Return the shown and the stored images of a pool in plain Python, with the same random draws."""
    stored, shown = [], []
    for batch, batch_keys in zip(batches, keys):
        swaps, places = map(np.asarray, jax.vmap(pool._draw)(batch_keys))
        for image, swap, place in zip(batch, swaps, places):
            if len(stored) < pool.size:
                stored.append(image)
                shown.append(image)
            elif swap:
                shown.append(stored[place])
                stored[place] = image
            else:
                shown.append(image)
    return np.stack(shown), np.stack(stored)


def test_the_pool_swaps_images_one_after_the_other():
    pool = ImagePool(5)
    batches = np.arange(40, dtype=np.float32).reshape(10, 4, 1)
    keys = [jax.random.split(jax.random.key(i), 4) for i in range(10)]
    stats, shown = pool.init({}, batches[0]), []
    assert stats["pool"]["images"].shape == (5, 1)
    for batch, own in zip(batches, keys):
        out, stats = pool.apply(stats, batch, own, mutable=["pool"])
        shown.append(out)
    expected, stored = swap_one_by_one(pool, batches, keys)
    np.testing.assert_array_equal(np.concatenate(shown), expected)
    np.testing.assert_array_equal(stats["pool"]["images"], stored)
    # Once the pool is full, half of the images are swapped.
    assert 0.3 < (expected != batches.reshape(-1, 1)).mean() < 0.6


def test_a_pool_of_size_0_returns_its_input_and_other_pools_require_keys():
    images = jnp.ones((2, 3))
    out, stats = ImagePool(0).apply(ImagePool(0).init({}, images), images, mutable=["pool"])
    np.testing.assert_array_equal(out, images)
    assert stats["pool"]["images"].shape == (0, 3)
    with pytest.raises(ValueError, match="`keys` is required for an ImagePool, with one key per image"):
        ImagePool(2).apply(ImagePool(2).init({}, images), images)


def game() -> Game:
    """Create a game with a loss that passes its batch through a pool."""

    def loss(nets, batch, keys, step):
        shown, stats = nets.pool.with_stats(batch, keys)
        return total(difference=nets.d(batch) - nets.d(shown), stats={"pool": stats})

    return Game(
        nets={"d": Net(mlp.Discriminator((4,)), jnp.zeros((1, 2))), "pool": Net(ImagePool(6), jnp.zeros((1, 2)))},
        players={"d": Player(("d",), loss, optax.sgd(0.1))},
        turns=(("d",),),
    )


@pytest.mark.integration
@pytest.mark.parametrize("spread", [parallel.pmap, parallel.shard_map])
def test_the_pool_does_not_depend_on_the_number_of_devices(spread):
    one, on = game(), parallel.devices(4)
    state = one.init(jax.random.key(0))
    many, step, step_of_many = parallel.replicate(state, on), jax.jit(one.step), spread(one, on)
    for i in range(4):
        batch = np.random.default_rng(i).normal(size=(8, 2)).astype(np.float32)
        state, _ = step(state, batch)
        many, _ = step_of_many(many, batch)
    for own, other in zip(jax.tree.leaves(state.stats), jax.tree.leaves(many.stats)):
        np.testing.assert_array_equal(own, other)
    np.testing.assert_allclose(*(jax.tree.leaves(s.params)[0] for s in (state, many)), atol=1e-7)
    assert int(state.stats["pool"]["pool"]["count"]) == 6
