"""A fast score that chooses the best checkpoint of a run, computed from downsampled pixels or a few other numbers."""

import math

import jax
import numpy as np

from jaxgan.core.state import State
from jaxgan.experiment.experiment import SAMPLE_BATCH, Experiment
from jaxgan.metrics import gaussian_distance, moments

MAX_EXAMPLES = 1024  # maximum number of examples, and of samples, that are compared


class PixelScore:
    """The Fréchet distance between a few numbers of samples and of data, ``Medium.coarse``. Lower is better.

    Images are converted to grey and averaged down to at most 8 x 8, and voxels to at most 4 x 4 x 4. The score is
    therefore fast, but it ignores details: it can rank the checkpoints of one run, but it cannot compare models.

    Args:
      experiment: the experiment, which draws the samples and has the data.
      seed: seed for the choice of the examples and the samples. At most 1,024 examples and 1,024 samples are compared.
    """

    def __init__(self, experiment: Experiment, seed: int):
        source, self._medium = experiment.reference, experiment.medium
        count = min(MAX_EXAMPLES, len(source))
        indices = np.sort(np.random.default_rng(seed).choice(len(source), count, replace=False))
        pixels = []
        for start in range(0, count, SAMPLE_BATCH):  # in batches, because the examples may not fit into memory
            examples = self._medium.normalize(source.read(indices[start : start + SAMPLE_BATCH]))[self._medium.key]
            pixels.append(self._medium.coarse(np.asarray(examples)))
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
            pixels.append(self._medium.coarse(self._sample(state, z)))
        pixels = np.concatenate(pixels)
        if not np.isfinite(pixels).all():
            return math.inf
        fake = moments(pixels)
        return gaussian_distance(fake.mean, fake.covariance, self._real.mean, self._real.covariance)
