"""Images of any size through a generator: whole and in tiles, the same picture."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import games

from jaxgan import Game, Net, Player, total
from jaxgan.core.keys import keys_of
from jaxgan.data import Arrays
from jaxgan.editing.translator import Translator, choose_direction
from jaxgan.experiment import Experiment, ImageToImage, Sampling, Translation
from jaxgan.experiment.translation import directions
from jaxgan.nn.normalization import InstanceNorm

pytestmark = pytest.mark.integration


class Filter(nn.Module):
    """Three convolutions, which see 3 pixels around, then each pixel repeated."""

    scale: int = 1

    @nn.compact
    def __call__(self, x):
        for _ in range(3):
            x = jnp.tanh(nn.Conv(3, (3, 3))(x))
        return x.repeat(self.scale, 1).repeat(self.scale, 2)


def translator(network=None, multiple=4, scale=1, direction=None, **options) -> Translator:
    """Of a network; of none what comes is given back."""
    module = network or Filter()
    game = Game(
        nets={"g": Net(module, jnp.zeros((1, 8, 8, 3)))},
        players={"g": Player(("g",), lambda nets, *_: total(x=nets.g(jnp.zeros((1, 8, 8, 3))).mean()), optax.sgd(0.1))},
        turns=(("g",),),
    )
    run = (lambda nets, x, keys: nets.g(x)) if network else (lambda nets, x, keys: x.repeat(scale, 1).repeat(scale, 2))
    source = Arrays(games.images(8))
    translations = {"there": Translation(run, 3, multiple, scale), "back": Translation(lambda n, x, k: -x, 3)}
    sampling = Sampling(lambda keys: keys, lambda nets, z: z)
    experiment = Experiment(game, source, sampling, image_to_image=ImageToImage(source, translations))
    return Translator(choose_direction(directions(experiment, game.init(jax.random.key(0))), direction), **options)


def picture(height, width, seed=0):
    """Smooth, as photographs are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(rng.uniform(0, 6) + rng.uniform(0, 0.2) * y + rng.uniform(0, 0.2) * x) for _ in range(9)]
    return (127.5 + 42 * np.stack(waves, -1).reshape(height, width, 3, 3).sum(-1)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(8, 8), (33, 70), (70, 33), (128, 9)])
@pytest.mark.parametrize("options", [{}, {"tile": 16}], ids=["whole", "tiles"])
@pytest.mark.parametrize("scale", [1, 2])
def test_an_image_comes_back_in_its_size(size, options, scale):
    image = picture(*size)
    np.testing.assert_array_equal(translator(scale=scale, **options)(image), image.repeat(scale, 0).repeat(scale, 1))


def test_tiles_are_as_the_whole_where_they_do_not_end():
    """A network that sees 3 pixels around differs only within 3 of a tile's end, where the tile counts least."""
    image = picture(96, 120)
    whole, tiled = (translator(Filter(), **options)(image).astype(float) for options in ({}, {"tile": 32}))
    assert np.abs(whole - tiled).max() <= 3
    assert np.abs(whole - tiled).mean() < 0.1
    np.testing.assert_array_equal(translator(Filter(2), scale=2)(image)[::2, ::2], whole)


class Own(nn.Module):
    """What depends on all that it sees: a tile's brightness is taken away."""

    @nn.compact
    def __call__(self, x):
        self.param("scale", nn.initializers.ones, (1,))
        return jnp.tanh((x - x.mean((1, 2), keepdims=True)) / (x.std((1, 2), keepdims=True) + 1e-3) / 3)


def test_no_seams_where_tiles_disagree():
    """The mean step from pixel to pixel across the middle of two tiles' overlap, by that elsewhere: at most 1.1."""
    image = picture(96, 256)
    image = (image * np.linspace(0.2, 1, 256)[None, :, None]).astype(np.uint8)
    made = translator(Own(), tile=64)(image).astype(float)
    steps = np.abs(np.diff(made, axis=1)).mean((0, 2))
    starts = np.linspace(0, 256 - 64, 5).round().astype(int)[1:]
    borders = [x for start in starts for x in (start - 1, start + 15)]  # where a tile begins, and where one ends
    assert steps[borders].mean() < 1.1 * np.delete(steps, borders).mean()


class Normalised(nn.Module):
    """Two layers that normalise an image by its own moments, as CycleGAN's do."""

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = InstanceNorm()(nn.Conv(3, (1, 1))(x))
        return jnp.tanh(x / 2)


def test_tiles_are_normalised_as_the_whole():
    """Half of the picture is almost flat: by itself it would be made as rough as the other half."""
    image = picture(128, 256)
    image[:, :128] = 100 + image[:, :128] // 50
    whole, tiled = (translator(Normalised(), **options)(image).astype(float) for options in ({}, {"tile": 64}))
    assert np.abs(whole - tiled).mean() < 3
    assert tiled[:, :100].std((0, 1)).max() < 1.2 * whole[:, :100].std((0, 1)).max()


def test_memory_decides():
    image = picture(64, 200)
    needed = translator(Filter()).memory_bytes(64, 200)
    assert needed > 64 * 200 * 3 * 4
    assert translator(Filter(), memory=needed).tile_side(64, 200) is None
    assert translator(Filter(), memory=needed / 2).tile_side(64, 200) == 64
    assert translator(Filter(), memory=1).tile_side(64, 200) == 64  # the smallest of all
    in_tiles = translator(Filter(), memory=needed / 2)(image)
    assert in_tiles.shape == image.shape


def test_draws_are_the_places():
    """What is drawn for an image is its place's, in whatever order they come."""
    noisy = translator()

    def run(weights, x, seed, places, moments):
        keys = keys_of(seed, places)
        return x + jax.vmap(lambda key: jax.random.normal(key, ()))(keys).reshape(-1, 1, 1, 1)

    noisy.direction = noisy.direction._replace(run=run)
    image = picture(8, 8) // 2 + 64
    first, second, again = noisy(image, 0), noisy(image, 1), noisy(image, 0)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - second).max() > 0


def test_what_is_wrong_is_reported():
    one = translator()
    with pytest.raises(ValueError, match="The networks take images of 3 channels, got 1"):
        one(picture(8, 8)[..., :1])
    with pytest.raises(ValueError, match="at least 8 x 8 pixels, got 1 x 20"):
        one(picture(20, 1))
    with pytest.raises(ValueError, match="`tile` must be a multiple of 4 for these networks, got 6"):
        translator(tile=6)
    with pytest.raises(ValueError, match="`seed` must be between 0 and 4294967295, got -1"):
        translator(seed=-1)
    with pytest.raises(ValueError, match="`direction` must be there or back, got 'sideways'"):
        translator(direction="sideways")
    experiment = Experiment(None, Arrays(games.images(8)), Sampling(lambda keys: keys, lambda nets, z: z))  # pyright: ignore
    with pytest.raises(ValueError, match="makes images of latents and translates none; use sample"):
        choose_direction(directions(experiment, None), None)  # pyright: ignore
