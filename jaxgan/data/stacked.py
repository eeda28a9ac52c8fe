"""Stacked digits: three grey images as the colours of one, with modes by the thousand to find or to drop."""

import numpy as np

from jaxgan.data.source import Arrays, Source, read_into_memory


def stacked(source: Source, seed: int = 0) -> Arrays:
    """As many images as ``source`` has, of three at random: its red, its green and its blue.

    The class is the mode: of classes a, b and c of the K, ``(a * K + b) * K + c``; of ten digits there are 1,000. Each
    image comes once in each colour. Metz et al. 2017 (1611.02163), section 3.3.

    Raises:
      ValueError: its images are not grey, or it has more than 100 classes.
    """
    if len(source.shape) != 3 or source.shape[2] != 1:
        raise ValueError(
            f"{source.name}: examples of shape {source.shape} are not stacked; want grey images, "
            "[N, height, width, 1], of image files --channels 1"
        )
    count = len(source.classes)
    if count > 100:
        raise ValueError(f"{source.name}: {count} classes, stacked, are {count**3:,} modes; want at most 100 classes")
    arrays, rng = read_into_memory(source), np.random.default_rng(seed)
    chosen = [rng.permutation(len(arrays)) for _ in range(3)]
    images = np.concatenate([arrays.images[i] for i in chosen], -1)
    if arrays.labels is None or not count:
        return Arrays(images, name=f"{arrays.name}, stacked")
    red, green, blue = (arrays.labels[i] for i in chosen)
    classes = tuple(f"{a} {b} {c}" for a in arrays.classes for b in arrays.classes for c in arrays.classes)
    return Arrays(images, (red * count + green) * count + blue, f"{arrays.name}, stacked", classes)
