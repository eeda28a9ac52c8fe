"""Stacked digits: three grey images as the colours of one, which makes a thousand modes to find or to drop."""

import numpy as np

from jaxgan.data.source import Arrays, Source, read_into_memory


def stack_channels(source: Source, seed: int = 0) -> Arrays:
    """Images with a random grey image of a source as each of red, green and blue; as many as the source has.

    The class is the mode: for classes a, b and c of K, ``(a * K + b) * K + c``; ten digits make 1,000 modes. Each grey
    image comes once in each colour. Metz et al. 2017 (1611.02163), section 3.3.

    Args:
      source: grey images, at most 100 classes of them.
      seed: seed of the draw.

    Raises:
      ValueError: the images are not grey, or there are more classes.
    """
    if len(source.shape) != 3 or source.shape[2] != 1:
        raise ValueError(
            f"{source.name}: examples of shape {source.shape} are not stacked; want grey images, "
            "[N, height, width, 1]; image files are made grey by `channels` 1."
        )
    count = len(source.classes)
    if count > 100:
        raise ValueError(f"{source.name}: {count} classes, stacked, are {count**3:,} modes; want at most 100 classes")
    arrays, rng = read_into_memory(source), np.random.default_rng(seed)
    orders = [rng.permutation(len(arrays)) for _ in range(3)]
    images = np.concatenate([arrays.images[order] for order in orders], -1)
    name = f"{arrays.name}, stacked"
    if arrays.labels is None or not count:
        return Arrays(images, name=name)
    red, green, blue = (arrays.labels[order] for order in orders)
    classes = tuple(f"{a} {b} {c}" for a in arrays.classes for b in arrays.classes for c in arrays.classes)
    return Arrays(images, (red * count + green) * count + blue, name, classes)
