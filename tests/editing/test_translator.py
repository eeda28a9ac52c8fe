"""Translation of images of any size with a generator, in one pass and in tiles."""

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
    """Three convolutions, so that an output pixel depends on the 3 pixels around it, and nearest-neighbour scaling."""

    scale: int = 1

    @nn.compact
    def __call__(self, x):
        for _ in range(3):
            x = jnp.tanh(nn.Conv(3, (3, 3))(x))
        return x.repeat(self.scale, 1).repeat(self.scale, 2)


def translator(network=None, multiple=4, scale=1, direction=None, **options) -> Translator:
    """Return a translator with the network, or with the identity if it is None."""
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
    """Return a random image that is smooth, like a photograph."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(rng.uniform(0, 6) + rng.uniform(0, 0.2) * y + rng.uniform(0, 0.2) * x) for _ in range(9)]
    return (127.5 + 42 * np.stack(waves, -1).reshape(height, width, 3, 3).sum(-1)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(8, 8), (33, 70), (70, 33), (128, 9)])
@pytest.mark.parametrize("options", [{}, {"tile": 16}], ids=["whole", "tiles"])
@pytest.mark.parametrize("scale", [1, 2])
def test_the_output_has_the_size_of_the_image_times_the_scale(size, options, scale):
    image = picture(*size)
    np.testing.assert_array_equal(translator(scale=scale, **options)(image), image.repeat(scale, 0).repeat(scale, 1))


def test_tiles_differ_from_the_full_image_only_at_their_borders():
    """The outputs of the network differ only within 3 pixels of a tile's border, where the tile has little weight."""
    image = picture(96, 120)
    whole, tiled = (translator(Filter(), **options)(image).astype(float) for options in ({}, {"tile": 32}))
    assert np.abs(whole - tiled).max() <= 3
    assert np.abs(whole - tiled).mean() < 0.1
    np.testing.assert_array_equal(translator(Filter(2), scale=2)(image)[::2, ::2], whole)


class Standardise(nn.Module):
    """A network that depends on the complete input: it removes the mean and the standard deviation of each tile."""

    @nn.compact
    def __call__(self, x):
        self.param("scale", nn.initializers.ones, (1,))
        return jnp.tanh((x - x.mean((1, 2), keepdims=True)) / (x.std((1, 2), keepdims=True) + 1e-3) / 3)


def test_there_are_no_seams_between_different_tiles():
    """The mean difference of neighbouring pixels at the borders of tiles is at most 1.1 times that of all others."""
    image = picture(96, 256)
    image = (image * np.linspace(0.2, 1, 256)[None, :, None]).astype(np.uint8)
    output = translator(Standardise(), tile=64)(image).astype(float)
    steps = np.abs(np.diff(output, axis=1)).mean((0, 2))
    starts = np.linspace(0, 256 - 64, 5).round().astype(int)[1:]
    borders = [x for start in starts for x in (start - 1, start + 15)]  # the starts and the ends of tiles
    assert steps[borders].mean() < 1.1 * np.delete(steps, borders).mean()


class Normalised(nn.Module):
    """Two layers with instance normalisation, as in CycleGAN."""

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = InstanceNorm()(nn.Conv(3, (1, 1))(x))
        return jnp.tanh(x / 2)


def test_tiles_are_normalised_with_the_moments_of_the_full_image():
    """One half of the image is almost constant. With its own moments, it would get the contrast of the other half."""
    image = picture(128, 256)
    image[:, :128] = 100 + image[:, :128] // 50
    whole, tiled = (translator(Normalised(), **options)(image).astype(float) for options in ({}, {"tile": 64}))
    assert np.abs(whole - tiled).mean() < 3
    assert tiled[:, :100].std((0, 1)).max() < 1.2 * whole[:, :100].std((0, 1)).max()


def test_the_tile_side_depends_on_the_memory():
    image = picture(64, 200)
    needed = translator(Filter()).memory_bytes(64, 200)
    assert needed > 64 * 200 * 3 * 4
    assert translator(Filter(), memory=needed).tile_side(64, 200) is None
    assert translator(Filter(), memory=needed / 2).tile_side(64, 200) == 64
    assert translator(Filter(), memory=1).tile_side(64, 200) == 64  # the smallest side
    in_tiles = translator(Filter(), memory=needed / 2)(image)
    assert in_tiles.shape == image.shape


def test_random_inputs_depend_on_the_index_of_an_image():
    """The order of the calls does not change the random inputs of an image."""
    noisy = translator()

    def run(weights, x, seed, indices, moments):
        keys = keys_of(seed, indices)
        return x + jax.vmap(lambda key: jax.random.normal(key, ()))(keys).reshape(-1, 1, 1, 1)

    noisy.direction = noisy.direction._replace(run=run)
    image = picture(8, 8) // 2 + 64
    first, second, again = noisy(image, 0), noisy(image, 1), noisy(image, 0)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - second).max() > 0


def test_invalid_arguments_are_rejected():
    one = translator()
    with pytest.raises(ValueError, match="The networks take images with 3 channels, got 1"):
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
    with pytest.raises(ValueError, match=r"does not translate images\. Use `jaxgan sample`"):
        choose_direction(directions(experiment, None), None)  # pyright: ignore
