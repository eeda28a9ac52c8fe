"""The pool of past fakes: as one that swaps image after image, on any number of devices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import Game, Net, Player, parallel, total
from jaxgan.games.pool import ImagePool
from jaxgan.models import mlp


def in_turn(pool: ImagePool, batches, keys):
    """What is shown, and kept: the same in plain Python, with the same draws."""
    kept, shown = [], []
    for batch, batch_keys in zip(batches, keys):
        swaps, places = map(np.asarray, jax.vmap(pool._draw)(batch_keys))
        for image, swap, place in zip(batch, swaps, places):
            if len(kept) < pool.size:
                kept.append(image)
                shown.append(image)
            elif swap:
                shown.append(kept[place])
                kept[place] = image
            else:
                shown.append(image)
    return np.stack(shown), np.stack(kept)


def test_the_pool_swaps_image_after_image():
    pool = ImagePool(5)
    batches = np.arange(40, dtype=np.float32).reshape(10, 4, 1)
    keys = [jax.random.split(jax.random.key(i), 4) for i in range(10)]
    stats, shown = pool.init({}, batches[0]), []
    assert stats["pool"]["images"].shape == (5, 1)
    for batch, own in zip(batches, keys):
        out, stats = pool.apply(stats, batch, own, mutable=["pool"])
        shown.append(out)
    expected, kept = in_turn(pool, batches, keys)
    np.testing.assert_array_equal(np.concatenate(shown), expected)
    np.testing.assert_array_equal(stats["pool"]["images"], kept)
    assert 0.3 < (expected != batches.reshape(-1, 1)).mean() < 0.6  # half of those that came when it was full


def test_an_empty_pool_returns_its_images_and_keys_are_required():
    images = jnp.ones((2, 3))
    out, stats = ImagePool(0).apply(ImagePool(0).init({}, images), images, mutable=["pool"])
    np.testing.assert_array_equal(out, images)
    assert stats["pool"]["images"].shape == (0, 3)
    with pytest.raises(ValueError, match="`keys` must be given, one for each image"):
        ImagePool(2).apply(ImagePool(2).init({}, images), images)


def game() -> Game:
    """One that only shows the pool what it is given."""

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
def test_devices_share_one_pool(spread):
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
