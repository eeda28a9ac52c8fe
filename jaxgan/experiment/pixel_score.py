"""A fast score that chooses the best checkpoint of a run, computed from downsampled pixels."""

import math

import jax
import numpy as np

from jaxgan.core.state import State
from jaxgan.data import normalize
from jaxgan.experiment.experiment import SAMPLE_BATCH, Experiment
from jaxgan.metrics import gaussian_distance, moments

MAX_EXAMPLES = 1024  # maximum number of examples, and of samples, that are compared
MAX_FEATURES = 64  # maximum number of features of an example


class PixelScore:
    """The Fréchet distance between downsampled pixels of samples and of data. Lower is better.

    Images are converted to grey and averaged down to at most 8 x 8, and voxels to at most 4 x 4 x 4. The score is
    therefore fast, but it ignores details: it can rank the checkpoints of one run, but it cannot compare models.

    Args:
      experiment: the experiment, which draws the samples and has the data.
      seed: seed for the choice of the examples and the samples. At most 1,024 examples and 1,024 samples are compared.
    """

    def __init__(self, experiment: Experiment, seed: int):
        source = experiment.reference
        count = min(MAX_EXAMPLES, len(source))
        indices = np.sort(np.random.default_rng(seed).choice(len(source), count, replace=False))
        pixels = []
        for start in range(0, count, SAMPLE_BATCH):  # in batches, because the examples may not fit into memory
            images = source.read(indices[start : start + SAMPLE_BATCH])["image"]
            pixels.append(coarse_pixels(np.asarray(normalize({"image": images})["image"])))
        self._real = moments(np.concatenate(pixels))
        self._z = experiment.draw_latents(seed + 1, np.arange(count))
        self._sample = experiment.sampler(count)

    def __call__(self, state: State) -> float:
        """Return the score of a state. It is infinite if a sample is not finite or the data has only one example."""
        if self._real.count < 2:
            return math.inf  # one example has no covariance
        pixels = []
        for start in range(0, self._real.count, SAMPLE_BATCH):
            z = jax.tree.map(lambda x: x[start : start + SAMPLE_BATCH], self._z)  # noqa: B023
            pixels.append(coarse_pixels(self._sample(state, z)))
        pixels = np.concatenate(pixels)
        if not np.isfinite(pixels).all():
            return math.inf
        fake = moments(pixels)
        return gaussian_distance(fake.mean, fake.covariance, self._real.mean, self._real.covariance)


def coarse_pixels(examples: np.ndarray) -> np.ndarray:
    """Return at most 64 features of each example, [N, D].

    Images, [N, h, w, C], and voxels, [N, d, h, w, C], are averaged over channels and over blocks. The last rows and
    columns are ignored if they do not fill a block. The features of other examples, [N, ...], are their first 64
    numbers.
    """
    if examples.ndim < 4:
        return examples.reshape(len(examples), -1)[:, :MAX_FEATURES]
    grey = examples.mean(-1)
    cells = round(MAX_FEATURES ** (1 / (grey.ndim - 1)))  # maximum number of blocks along each axis
    blocks = [max(1, math.ceil(n / cells)) for n in grey.shape[1:]]
    counts = [n // block for n, block in zip(grey.shape[1:], blocks)]
    whole = grey[(slice(None), *(slice(count * block) for count, block in zip(counts, blocks)))]
    by_block = whole.reshape(len(grey), *(n for pair in zip(counts, blocks) for n in pair))
    return by_block.mean(tuple(range(2, by_block.ndim, 2))).reshape(len(grey), -1)
