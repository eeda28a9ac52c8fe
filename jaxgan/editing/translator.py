"""Translate images of any size with a trained generator: in one pass, or tile by tile if memory is limited.

Instance normalisation uses the moments (mean and variance) of an image. If each tile were normalised by its own
moments, all tiles would have the same brightness and contrast. In all tiles, the layers therefore use the moments of
the complete image, which are computed from a downsampled copy: Chen et al. 2021 (arXiv:2103.11784).
"""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import drawing
from jaxgan.data import degrade
from jaxgan.data.tiles import window_starts
from jaxgan.export.stablehlo import MIN_SIDE, TranslationDirection

TILE_SIDES = (1024, 768, 512, 384, 256, 192, 128, 64)  # in pixels; the largest side that fits into memory is used
OVERLAP = 4  # side of a tile, divided by the number of pixels by which neighbouring tiles overlap
PROBE_SIDE = 256  # side in pixels of the largest image for which the networks are compiled to measure their memory


class Translator:
    """Translates images in one direction of an experiment or of an exported file.

    Images are uint8, [height, width, channels]. An image is padded by reflection at its right and lower border to a
    size that the networks accept, and the output is cropped. The networks are compiled once per size.

    Args:
      direction: the direction, from ``choose_direction(directions(experiment, state))`` or ``export.read_translator``.
      memory: number of bytes that the networks can use. Images that need more memory are translated in tiles.
      tile: side of the tiles in pixels. Images with a larger height or width are translated in tiles. None chooses the
        side of the tiles by ``memory``.
      seed: seed of the networks' random inputs, such as dropout. The random inputs also depend on the index of the
        image.

    Raises:
      ValueError: if the networks do not accept tiles of this side, ``memory`` is not positive, or ``seed`` is not a
        uint32.
    """

    def __init__(self, direction: TranslationDirection, *, memory: float = 4e9, tile: int | None = None, seed: int = 0):
        self.direction, multiple = direction, direction.multiple
        if tile is not None and (tile < multiple or tile % multiple):
            raise ValueError(f"`tile` must be a multiple of {multiple} for these networks, got {tile}.")
        if not memory > 0:
            raise ValueError(f"`memory` must be above 0, got {memory:g}.")
        if not 0 <= seed < 2**32:
            raise ValueError(f"`seed` must be between 0 and {2**32 - 1}, got {seed}.")
        self._memory, self._tile, self._seed = memory, tile, seed
        self._weights = jax.device_put(direction.weights)
        self._compiled = functools.cache(self._compile)
        self._compute_moments = jax.jit(direction.moments)

    def __call__(self, image: np.ndarray, index: int = 0) -> np.ndarray:
        """Translate an image.

        Args:
          image: uint8, [height, width, C].
          index: index of the image, which determines its random inputs.

        Returns:
          The translated image, uint8, [height * scale, width * scale, C].

        Raises:
          ValueError: if the networks need another number of channels, or the image is too small.
        """
        height, width, channels = image.shape
        if channels != self.direction.channels:
            raise ValueError(f"The networks take images with {self.direction.channels} channels, got {channels}.")
        if min(height, width) < MIN_SIDE:
            raise ValueError(f"The image must have at least {MIN_SIDE} x {MIN_SIDE} pixels, got {width} x {height}.")
        x = image.astype(np.float32) / 127.5 - 1
        side = self.tile_side(height, width)
        output = self._whole(x, index) if side is None else self._in_tiles(x, index, side)
        return drawing.to_bytes(output)

    def tile_side(self, height: int, width: int) -> int | None:
        """Return the side of the tiles for an image of this size, in pixels, or None if no tiles are needed.

        Args:
          height: the height of the image in pixels.
          width: the width of the image in pixels.
        """
        if self._tile is not None:
            return self._tile if max(height, width) > self._tile else None
        # Memory is proportional to the number of pixels, so it is measured with a small image.
        probe = min(PROBE_SIDE, height), min(PROBE_SIDE, width)
        pixels = self._memory / max(1, self.memory_bytes(*probe)) * math.prod(self._padded_size(*probe))
        if math.prod(self._padded_size(height, width)) <= pixels:
            return None
        multiple = self.direction.multiple
        sides = [side for side in TILE_SIDES if side % multiple == 0 and side < max(height, width)] or [multiple]
        return next((side for side in sides if side * side <= pixels), sides[-1])

    def memory_bytes(self, height: int, width: int, in_tiles: bool = False) -> int:
        """Return the number of bytes that the networks need for an image or a tile, in addition to their weights.

        Args:
          height: the height of the image or the tile in pixels.
          width: the width of the image or the tile in pixels.
          in_tiles: whether the size is the size of a tile.
        """
        analysis = self._compiled(*self._padded_size(height, width), in_tiles).memory_analysis()
        return analysis.temp_size_in_bytes + analysis.output_size_in_bytes if analysis else 0

    def _padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width, rounded up to the next multiple that the networks accept."""
        multiple = self.direction.multiple
        return -(-height // multiple) * multiple, -(-width // multiple) * multiple

    def _compile(self, height: int, width: int, in_tiles: bool) -> jax.stages.Compiled:
        """Compile the translation of one image of this size."""
        image = jax.ShapeDtypeStruct((1, height, width, self.direction.channels), jnp.float32)
        moments = (
            jax.eval_shape(self.direction.moments, self._weights, image, *self._random_inputs(0)) if in_tiles else {}
        )
        run = jax.jit(self.direction.run)
        return run.lower(self._weights, image, *self._random_inputs(0), moments).compile()

    def _random_inputs(self, index: int) -> tuple[np.uint32, np.ndarray]:
        """Return the seed and the index of the image, which determine the random inputs of the networks."""
        return np.uint32(self._seed), np.full(1, index, np.int32)

    def _whole(self, image: np.ndarray, index: int, moments: Any = None) -> np.ndarray:
        """Translate an image in one pass. If ``moments`` is None, layers use the moments of the image itself."""
        padded, scale = self._pad(image), self.direction.scale
        compiled = self._compiled(*padded.shape[1:3], moments is not None)
        output = np.asarray(compiled(self._weights, padded, *self._random_inputs(index), moments or {}))[0]
        return output[: image.shape[0] * scale, : image.shape[1] * scale]

    def _pad(self, image: np.ndarray) -> np.ndarray:
        """Return an image as [1, height, width, C], padded by reflection to a size that the networks accept."""
        rows, columns = self._padded_size(*image.shape[:2])
        widths = ((0, rows - image.shape[0]), (0, columns - image.shape[1]), (0, 0))
        return np.pad(image, widths, "symmetric")[None]

    def _moments(self, image: np.ndarray, index: int, side: int) -> Any:
        """Return the moments for all tiles, computed from a copy of the image of about the size of a tile."""
        height, width, _ = image.shape
        factor = min(1.0, side / max(height, width))
        size = max(MIN_SIDE, round(height * factor)), max(MIN_SIDE, round(width * factor))
        thumbnail = np.asarray(jnp.clip(degrade.resize_bicubic(jnp.asarray(image)[None], size=size), -1, 1))[0]
        return self._compute_moments(self._weights, self._pad(thumbnail), *self._random_inputs(index))

    def _in_tiles(self, image: np.ndarray, index: int, side: int) -> np.ndarray:
        """Translate overlapping tiles of an image, and blend the results.

        Where tiles overlap, the result is a weighted average. The weights decrease towards the border of a tile.
        """
        height, width, _ = image.shape
        scale = self.direction.scale
        moments = self._moments(image, index, side)
        image = np.pad(image, ((0, max(0, side - height)), (0, max(0, side - width)), (0, 0)), "symmetric")
        fade = _fade(side * scale, side * scale // OVERLAP)
        weight = (fade[:, None] * fade[None])[..., None]
        sums, weights = None, np.zeros((image.shape[0] * scale, image.shape[1] * scale, 1), np.float32)
        stride = side - side // OVERLAP
        for top in window_starts(image.shape[0], side, stride):
            for left in window_starts(image.shape[1], side, stride):
                tile = self._whole(image[top : top + side, left : left + side], index, moments)
                sums = np.zeros((*weights.shape[:2], tile.shape[-1]), np.float32) if sums is None else sums
                at = tuple(slice(start * scale, (start + side) * scale) for start in (top, left))
                sums[at] += tile * weight
                weights[at] += weight
        assert sums is not None
        return (sums / weights)[: height * scale, : width * scale]


def choose_direction(directions: Mapping[str, TranslationDirection], name: str | None) -> TranslationDirection:
    """Return the direction with this name.

    Args:
      directions: a dictionary from the names of directions to the directions.
      name: the name of the direction; None chooses the first direction.

    Raises:
      ValueError: if there is no direction with this name, or if there are no directions.
    """
    names = list(directions)
    if not names:
        raise ValueError(
            "This experiment generates images from latents and does not translate images. Use `jaxgan sample`."
        )
    if name is not None and name not in names:
        raise ValueError(f"`direction` must be {' or '.join(names)}, got {name!r}.")
    return directions[name or names[0]]


def _fade(size: int, overlap: int) -> np.ndarray:
    """Return the weights of a tile's pixels along one axis, [size].

    At the start of the axis, the weights rise from almost 0 to 1 over the middle half of the ``overlap`` pixels. At the
    end of the axis, they fall in the same way. The outermost quarter of the overlap has almost no weight, because the
    network saw the least context there. Its pixels only matter at the border of the image, where there is no other
    tile.
    """
    distance = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    return np.clip((distance - overlap / 4) / max(overlap / 2, 1), 1e-3, 1).astype(np.float32)
