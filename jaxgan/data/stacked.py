"""Stack three grey images as the colour channels of one image. The many resulting classes help detect mode collapse."""

import numpy as np

from jaxgan.data.source import Arrays, Source, read_into_memory


def stack_channels(source: Source, seed: int = 0) -> Arrays:
    """Return images that combine three random grey images of a source as their red, green and blue channels.

    The result has the same number of images as the source, and each grey image occurs once in each channel. If the
    source has K classes and the grey images have classes a, b and c, the class of the result is
    ``(a * K + b) * K + c``. Ten digits therefore yield 1,000 classes. Each class is a mode that a generator should
    cover. See Metz et al. 2017 (1611.02163), section 3.3.

    Args:
      source: grey images with at most 100 classes.
      seed: seed of the random order in each channel.

    Raises:
      ValueError: if the images are not grey, or if there are more than 100 classes.
    """
    if len(source.shape) != 3 or source.shape[2] != 1:
        raise ValueError(
            f"Only grey images [N, height, width, 1] can be stacked, but the examples of {source.name} have shape "
            f"{source.shape}. Set `channels` to 1 to convert image files to grey."
        )
    count = len(source.classes)
    if count > 100:
        raise ValueError(
            f"Stacking requires at most 100 classes, but {source.name} has {count}, which would result in "
            f"{count**3:,} classes."
        )
    arrays, rng = read_into_memory(source), np.random.default_rng(seed)
    orders = [rng.permutation(len(arrays)) for _ in range(3)]
    images = np.concatenate([arrays.images[order] for order in orders], -1)
    name = f"{arrays.name}, stacked"
    if arrays.labels is None or not count:
        return Arrays(images, name=name)
    red, green, blue = (arrays.labels[order] for order in orders)
    classes = tuple(f"{a} {b} {c}" for a in arrays.classes for b in arrays.classes for c in arrays.classes)
    return Arrays(images, (red * count + green) * count + blue, name, classes)
