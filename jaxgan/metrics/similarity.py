"""Similarity of two images: PSNR, SSIM and MS-SSIM; diversity by MS-SSIM; and total variation."""

import math
from collections.abc import Sequence

import numpy as np
import scipy.ndimage

WINDOW, WINDOW_STD = 11, 1.5  # Wang et al. 2004
K1, K2 = 0.01, 0.03
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003; the finest scale first


def psnr(x: np.ndarray, y: np.ndarray, *, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """The peak signal-to-noise ratio of each pair in decibels, 10 log10((high - low)^2 / MSE); infinite for equals.

    Args:
      x, y: images, [N, height, width, C].
      low, high: the values of black and white.

    Returns:
      [N].

    Raises:
      ValueError: shapes differ or are not these, or a pixel is outside [low, high].
    """
    x, y = _images(x, y, low, high)
    error = np.square(x - y).mean((1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10 * np.log10((high - low) ** 2 / error)


def ssim(x: np.ndarray, y: np.ndarray, *, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """The structural similarity of each pair, at most 1, [N]. Wang et al. 2004.

    It has the authors' constants, and their Gaussian window of 11 pixels at all places where it fits; the result is
    the mean over places and channels. Arguments and errors are those of ``psnr``; images are at least 11 x 11.
    """
    x, y = _images(x, y, low, high)
    _check_size(x.shape, 1)
    return _ssim(x - low, y - low, high - low)[0]


def ms_ssim(
    x: np.ndarray, y: np.ndarray, *, low: float = -1.0, high: float = 1.0, weights: Sequence[float] = WEIGHTS
) -> np.ndarray:
    """SSIM over several scales, [N], each half as large as the one before. Wang et al. 2003.

    Other arguments and errors are those of ``psnr``.

    Args:
      weights: exponents of contrast and structure at each scale. The paper's five need images of at least 176 x 176;
        for smaller images give fewer, such as ``WEIGHTS[:2]`` for 32 x 32. Figures of other weights do not compare.
    """
    x, y = _images(x, y, low, high)
    _check_size(x.shape, len(weights))
    result, x, y = np.ones(len(x)), x - low, y - low
    for i, weight in enumerate(weights):
        whole, structure = _ssim(x, y, high - low)
        # Images of opposite structure have values below 0, which have no real powers.
        result = result * np.maximum(whole if i == len(weights) - 1 else structure, 0) ** weight
        x, y = _halved(x), _halved(y)
    return result


def ms_ssim_diversity(
    images: np.ndarray,
    *,
    pairs: int = 1000,
    seed: int = 0,
    low: float = -1.0,
    high: float = 1.0,
    weights: Sequence[float] = WEIGHTS,
) -> float:
    """The mean MS-SSIM of random pairs of samples; the lower, the more diverse. Odena et al. 2017 (1610.09585).

    Compare it with that of as many real images of the same class: where it is higher, samples are more alike.

    Args:
      images: [N, height, width, C], N at least 2.
      pairs: number of pairs that are drawn; no image is paired with itself.
      seed: seed of the draw.
      low, high, weights: as for ``ms_ssim``.

    Raises:
      ValueError: there are fewer than two images, or no pairs; or ``ms_ssim`` raises.
    """
    images = np.asarray(images)
    if len(images) < 2:
        raise ValueError(f"`images` must be at least 2, got {len(images)}.")
    if pairs < 1:
        raise ValueError(f"`pairs` must be at least 1, got {pairs}.")
    rng = np.random.default_rng(seed)
    first = rng.integers(len(images), size=pairs)
    second = (first + rng.integers(1, len(images), size=pairs)) % len(images)
    parts = [slice(i, i + 64) for i in range(0, pairs, 64)]
    found = [ms_ssim(images[first[p]], images[second[p]], low=low, high=high, weights=weights) for p in parts]
    return float(np.concatenate(found).mean())


def total_variation(images: np.ndarray) -> np.ndarray:
    """The sum of absolute differences between vertical and horizontal neighbours, for each image, [N]."""
    images = np.asarray(images, np.float64)
    if images.ndim != 4:
        raise ValueError(f"`images` must be [N, height, width, C], got shape {images.shape}.")
    below, beside = (np.abs(np.diff(images, axis=axis)).sum((1, 2, 3)) for axis in (1, 2))
    return below + beside


def _images(x, y, low, high):
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 4 or x.shape != y.shape or not x.size:
        raise ValueError(f"`x` and `y` must be one shape, [N, height, width, C], got {x.shape} and {y.shape}.")
    for images in (x, y):
        if not (low <= images.min() and images.max() <= high):  # NaN also fails this
            raise ValueError(
                f"Images must be from `low` {low:g} to `high` {high:g}, got {images.min():.4g} to {images.max():.4g}."
            )
    return x.astype(np.float64), y.astype(np.float64)


def _check_size(shape, scales):
    if scales < 1:
        raise ValueError("`weights` must have one weight for each scale, got none.")
    least = WINDOW * 2 ** (scales - 1)
    if min(shape[1:3]) < least:
        raise ValueError(
            f"images of {shape[1]} x {shape[2]}: a window of {WINDOW} at {scales} scales needs {least} x {least}; "
            "the function ms_ssim takes fewer scales, by fewer weights."
        )


def _ssim(x, y, span):
    """SSIM, and its terms of contrast and structure alone, each [N]."""
    m_x, m_y = _windowed(x), _windowed(y)
    v_x, v_y = _windowed(x * x) - m_x * m_x, _windowed(y * y) - m_y * m_y
    v_xy = _windowed(x * y) - m_x * m_y
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    structure = (2 * v_xy + c2) / (v_x + v_y + c2)
    whole = structure * (2 * m_x * m_y + c1) / (m_x * m_x + m_y * m_y + c1)
    return whole.mean((1, 2, 3)), structure.mean((1, 2, 3))


def _windowed(x):
    """The Gaussian-weighted mean of each window that fits, [N, height - 10, width - 10, C]."""
    reach = WINDOW // 2
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / WINDOW_STD) ** 2)
    for axis in (1, 2):
        x = scipy.ndimage.correlate1d(x, window / math.fsum(window), axis)
    return x[:, reach:-reach, reach:-reach]


def _halved(x):
    """Means of blocks of 2 x 2; the last line of an odd size is left out."""
    n, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))
