"""How near an experiment's samples are to its data."""

import numpy as np

from jaxgan.core.game import State
from jaxgan.data import as_float
from jaxgan.experiment.experiment import SAMPLE_BATCH, Experiment, _parts
from jaxgan.metrics import gaussian_distance, moments

SCORE_SAMPLES = 1024


class PixelScore:
    """A quick score for the best checkpoint, lower is better: the Fréchet distance on pixels.

    Images are first averaged down to at most 8 x 8 and grey, voxels to 4 x 4 x 4, so it is cheap, and blind to detail:
    for choosing among checkpoints of one run, not for comparing models.
    """

    def __init__(self, experiment: Experiment, seed: int):
        source = experiment.measured
        count = min(SCORE_SAMPLES, len(source))
        chosen = np.sort(np.random.default_rng(seed).choice(len(source), count, replace=False))
        # Few at a time: coarse images are small, what they are made from is not.
        parts = (source.read(part)["image"] for part in _parts(chosen, SAMPLE_BATCH))
        self._real = moments(np.concatenate([_coarse(np.asarray(as_float({"image": x})["image"])) for x in parts]))
        self._z = experiment.draw(seed + 1, np.arange(count))
        self._sample = experiment.sampler()

    def __call__(self, state: State) -> float:
        if self._real.count < 2:
            return float("inf")  # one example has no covariance
        pixels = np.concatenate([_coarse(self._sample(state, z)) for z in _parts(self._z, SAMPLE_BATCH)])
        if not np.isfinite(pixels).all():
            return float("inf")
        fake = moments(pixels)
        return gaussian_distance(fake.mean, fake.covariance, self._real.mean, self._real.covariance)


def _coarse(images: np.ndarray) -> np.ndarray:
    """[N, h, w, C], or voxels, [N, d, h, w, C], to features [N, at most 64]; anything else, flat, to its first 64."""
    if images.ndim < 4:
        return images.reshape(len(images), -1)[:, :64]
    grey = images.mean(-1)
    space = grey.shape[1:]
    most = round(64 ** (1 / len(space)))  # cells along each
    by = [max(1, -(-n // most)) for n in space]
    cut = grey[(slice(None), *(slice(n // k * k) for n, k in zip(space, by)))]
    cells = cut.reshape(len(grey), *(part for n, k in zip(space, by) for part in (n // k, k)))
    return cells.mean(tuple(range(2, cells.ndim, 2))).reshape(len(grey), -1)
