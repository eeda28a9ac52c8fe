"""Images of any size through a trained generator: whole, or tile by tile where memory is short.

Layers that normalise an image by its own mean and variance would make each tile as bright, and as rough, as every
other. In tiles they take those of the whole image, made small: Chen et al. 2021 (2103.11784).
"""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import media
from jaxgan.data import degrade
from jaxgan.data.tiles import starts
from jaxgan.export.stablehlo import LEAST, Direction

TILES = (1024, 768, 512, 384, 256, 192, 128, 64)  # sides to choose from, the largest that memory allows


OVERLAP = 4  # neighbours share a tile's side over so much, over which one fades into the other


PROBE = 256  # pixels of a side by which is told how much memory a pixel takes


class Translator:
    """Images, uint8 [height, width, channels], to images, as one direction of an experiment, or artefact, makes them.

    An image is mirrored at its right and lower edge up to the size that the networks take, and what they make is cut
    back. Each size is compiled once.

    Args:
      direction: what makes them: ``chosen(directions(experiment, state))``, or of ``export.read_translator``.
      memory: bytes that the networks may take; an image that needs more is translated in tiles.
      tile: the side of tiles, for all images that are larger; None leaves it to ``memory``.
      seed: of what is drawn for each image, by its place.

    Raises:
      ValueError: the side does not suit the networks, or the seed is no uint32.
    """

    def __init__(self, direction: Direction, *, memory: float = 4e9, tile: int | None = None, seed: int = 0):
        self.direction, multiple = direction, direction.multiple
        if tile is not None and (tile < multiple or tile % multiple):
            raise ValueError(f"tiles of side {tile}: the networks take multiples of {multiple}")
        if not 0 <= seed < 2**32:
            raise ValueError(f"--seed {seed}: from 0 to {2**32 - 1}")
        self._memory, self._tile, self._seed = memory, tile, seed
        self._weights = jax.device_put(direction.weights)
        self._compiled = functools.cache(self._compile)
        self._noted = jax.jit(direction.note)

    def __call__(self, image: np.ndarray, place: int = 0) -> np.ndarray:
        """The translation of the ``place``-th image: [height * scale, width * scale, C], uint8.

        Raises:
          ValueError: the image has other channels than the networks take, or too few pixels.
        """
        height, width, channels = image.shape
        if channels != self.direction.channels:
            raise ValueError(f"an image of {channels} channels: the networks take {self.direction.channels}")
        if min(height, width) < LEAST:
            raise ValueError(f"{width} x {height} pixels: less than {LEAST} x {LEAST} is no picture to translate")
        x = image.astype(np.float32) / 127.5 - 1
        side = self.tile_of(height, width)
        made = self._whole(x, place) if side is None else self._in_tiles(x, place, side)
        return media.to_bytes(made)

    def tile_of(self, height: int, width: int) -> int | None:
        """The side of the tiles in which an image of this size is translated; None if whole."""
        if self._tile is not None:
            return self._tile if max(height, width) > self._tile else None
        # What is compiled only to know its size is small: memory is in proportion to the pixels.
        small = min(PROBE, height), min(PROBE, width)
        pixels = self._memory / max(1, self.bytes_of(*small)) * math.prod(self._filled(*small))
        if math.prod(self._filled(height, width)) <= pixels:
            return None
        multiple = self.direction.multiple
        sides = [side for side in TILES if side % multiple == 0 and side < max(height, width)] or [multiple]
        return next((side for side in sides if side * side <= pixels), sides[-1])

    def bytes_of(self, height: int, width: int, in_tiles: bool = False) -> int:
        """What the networks take beside their weights for an image, or a tile, of this size, as XLA plans it."""
        analysis = self._compiled(*self._filled(height, width), in_tiles).memory_analysis()
        return analysis.temp_size_in_bytes + analysis.output_size_in_bytes if analysis else 0

    def _filled(self, height: int, width: int) -> tuple[int, int]:
        multiple = self.direction.multiple
        return -(-height // multiple) * multiple, -(-width // multiple) * multiple

    def _compile(self, height: int, width: int, in_tiles: bool) -> jax.stages.Compiled:
        image = jax.ShapeDtypeStruct((1, height, width, self.direction.channels), jnp.float32)
        moments = jax.eval_shape(self.direction.note, self._weights, image, *self._drawing(0)) if in_tiles else {}
        run = jax.jit(self.direction.run)
        return run.lower(self._weights, image, *self._drawing(0), moments).compile()

    def _drawing(self, place: int) -> tuple[np.uint32, np.ndarray]:
        """What is drawn for an image: the seed's, at its place."""
        return np.uint32(self._seed), np.full(1, place, np.int32)

    def _whole(self, image: np.ndarray, place: int, moments: Any = None) -> np.ndarray:
        padded, scale = self._padded(image), self.direction.scale
        compiled = self._compiled(*padded.shape[1:3], moments is not None)
        made = np.asarray(compiled(self._weights, padded, *self._drawing(place), moments or {}))[0]
        return made[: image.shape[0] * scale, : image.shape[1] * scale]

    def _padded(self, image: np.ndarray) -> np.ndarray:
        """[1, height, width, C], mirrored up to the size that the networks take."""
        rows, columns = self._filled(*image.shape[:2])
        widths = ((0, rows - image.shape[0]), (0, columns - image.shape[1]), (0, 0))
        return np.pad(image, widths, "symmetric")[None]

    def _in_tiles(self, image: np.ndarray, place: int, side: int) -> np.ndarray:
        """The mean of overlapping tiles, each counting less towards its edges."""
        height, width, _ = image.shape
        scale = self.direction.scale
        smaller = min(1.0, side / max(height, width))
        size = max(LEAST, round(height * smaller)), max(LEAST, round(width * smaller))
        thumbnail = np.asarray(jnp.clip(degrade.bicubic(jnp.asarray(image)[None], size=size), -1, 1))[0]
        moments = self._noted(self._weights, self._padded(thumbnail), *self._drawing(place))
        image = np.pad(image, ((0, max(0, side - height)), (0, max(0, side - width)), (0, 0)), "symmetric")
        counts = _fading(side * scale, side * scale // OVERLAP)
        weight = (counts[:, None] * counts[None])[..., None]
        sums, weights = None, np.zeros((image.shape[0] * scale, image.shape[1] * scale, 1), np.float32)
        apart = side - side // OVERLAP
        for top in starts(image.shape[0], side, apart):
            for left in starts(image.shape[1], side, apart):
                made = self._whole(image[top : top + side, left : left + side], place, moments)
                sums = np.zeros((*weights.shape[:2], made.shape[-1]), np.float32) if sums is None else sums
                at = tuple(slice(start * scale, (start + side) * scale) for start in (top, left))
                sums[at] += made * weight
                weights[at] += weight
        assert sums is not None
        return (sums / weights)[: height * scale, : width * scale]


def chosen(directions: Mapping[str, Direction], name: str | None) -> Direction:
    """The direction of that name, the first if None.

    Raises:
      ValueError: there is none.
    """
    names = list(directions)
    if not names:
        raise ValueError("this experiment makes images of latents, and translates none; use sample")
    if name is not None and name not in names:
        raise ValueError(f"--direction {name}: want {' or '.join(names)}")
    return directions[name or names[0]]


def _fading(size: int, overlap: int) -> np.ndarray:
    """Weights [size] that rise from next to nothing over the middle half of ``overlap`` pixels, and fall likewise.

    The outermost quarter is what networks saw the least around; it counts only where no other tile is.
    """
    distance = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    return np.clip((distance - overlap / 4) / max(overlap / 2, 1), 1e-3, 1).astype(np.float32)
