"""Compute the similarity of images by PSNR, SSIM and MS-SSIM, their diversity by MS-SSIM, and their total variation."""

import math
from collections.abc import Sequence

import numpy as np

WINDOW, WINDOW_STD = 11, 1.5  # side and standard deviation of the Gaussian window in pixels, Wang et al. 2004
K1, K2 = 0.01, 0.03  # constants of SSIM that stabilise divisions, Wang et al. 2004
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents from the finest to the coarsest scale, Wang et al. 2003


def psnr(x: np.ndarray, y: np.ndarray, *, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Return the peak signal-to-noise ratio of each pair of images in decibels, 10 log10((high - low)^2 / MSE).

    Args:
      x, y: images, [N, height, width, C].
      low, high: the values of black and white.

    Returns:
      The ratios, [N]; infinite for equal images.

    Raises:
      ValueError: if shapes differ or are not [N, height, width, C], or if a pixel is outside of [low, high].
    """
    x, y = _images(x, y, low, high)
    error = np.square(x - y).mean((1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10 * np.log10((high - low) ** 2 / error)


def ssim(x: np.ndarray, y: np.ndarray, *, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Return the structural similarity (SSIM) of each pair of images, [N], which is at most 1. Wang et al. 2004.

    The function uses the constants of the authors and their Gaussian window of 11 x 11 pixels. The result is the mean
    over the channels and over all positions where the window fits into the image.

    Args:
      x, y: images, [N, height, width, C], at least 11 x 11.
      low, high: the values of black and white.

    Raises:
      ValueError: if shapes differ, if a pixel is outside of [low, high], or if images are smaller than 11 x 11.
    """
    x, y = _images(x, y, low, high)
    _check_size(x.shape, 1)
    return _ssim(x - low, y - low, high - low)[0]


def ms_ssim(
    x: np.ndarray, y: np.ndarray, *, low: float = -1.0, high: float = 1.0, weights: Sequence[float] = WEIGHTS
) -> np.ndarray:
    """Return the structural similarity of each pair of images over several scales (MS-SSIM), [N]. Wang et al. 2003.

    Each scale has half of the resolution of the scale before it.

    Args:
      x, y: images, [N, height, width, C].
      low, high: the values of black and white.
      weights: exponents of contrast and structure for each scale. The five scales of the paper need images of at least
        176 x 176. For smaller images, pass fewer weights, such as ``WEIGHTS[:2]`` for 32 x 32. Results are only
        comparable for the same weights.

    Raises:
      ValueError: if shapes differ, if a pixel is outside of [low, high], or if images are too small for the scales.
    """
    x, y = _images(x, y, low, high)
    _check_size(x.shape, len(weights))
    result, x, y = np.ones(len(x)), x - low, y - low
    for i, weight in enumerate(weights):
        whole, structure = _ssim(x, y, high - low)
        # The values of images with opposite structure are negative, and negative numbers have no real powers.
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
    """Return the mean MS-SSIM of random pairs of samples; a lower value means more diversity. Odena et al. 2017.

    The paper is arXiv:1610.09585. Compare the result with the result for the same number of real images of the same
    class. If the result for the samples is higher, the samples are less diverse than the data.

    Args:
      images: [N, height, width, C], with N at least 2.
      pairs: number of pairs that are drawn; no image is paired with itself.
      seed: seed of the pairs.
      low, high, weights: see ``ms_ssim``.

    Raises:
      ValueError: if there are fewer than two images, if ``pairs`` is below 1, or if ``ms_ssim`` raises an error.
    """
    images = np.asarray(images)
    if len(images) < 2:
        raise ValueError(f"`images` must have at least 2 images, got {len(images)}.")
    if pairs < 1:
        raise ValueError(f"`pairs` must be at least 1, got {pairs}.")
    rng = np.random.default_rng(seed)
    first = rng.integers(len(images), size=pairs)
    second = (first + rng.integers(1, len(images), size=pairs)) % len(images)
    parts = [slice(i, i + 64) for i in range(0, pairs, 64)]
    found = [ms_ssim(images[first[p]], images[second[p]], low=low, high=high, weights=weights) for p in parts]
    return float(np.concatenate(found).mean())


def total_variation(images: np.ndarray) -> np.ndarray:
    """Return the total variation of each image, [N]: the sum of absolute differences between adjacent pixels.

    Pixels are adjacent vertically or horizontally.

    Args:
      images: [N, height, width, C].

    Raises:
      ValueError: if ``images`` has another shape.
    """
    images = np.asarray(images, np.float64)
    if images.ndim != 4:
        raise ValueError(f"`images` must be [N, height, width, C], got shape {images.shape}.")
    below, beside = (np.abs(np.diff(images, axis=axis)).sum((1, 2, 3)) for axis in (1, 2))
    return below + beside


def _images(x, y, low, high):
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 4 or x.shape != y.shape or not x.size:
        raise ValueError(
            f"`x` and `y` must have the same shape [N, height, width, C] and not be empty, got {x.shape} and {y.shape}."
        )
    for images in (x, y):
        if not (low <= images.min() and images.max() <= high):  # NaN also fails this
            raise ValueError(
                f"Images must be from `low` {low:g} to `high` {high:g}, got {images.min():.4g} to {images.max():.4g}."
            )
    return x.astype(np.float64), y.astype(np.float64)


def _check_size(shape, scales):
    if scales < 1:
        raise ValueError("`weights` must have at least one weight, one for each scale, got none.")
    least = WINDOW * 2 ** (scales - 1)
    if min(shape[1:3]) < least:
        hint = " Pass fewer `weights` to the function ms_ssim to use fewer scales." if scales > 1 else ""
        raise ValueError(
            f"Images must be at least {least} x {least} for a window of {WINDOW} pixels (number of scales: {scales}), "
            f"got {shape[1]} x {shape[2]}.{hint}"
        )


def _ssim(x, y, span):
    """Return the SSIM of each pair of images, and its terms of contrast and structure alone, [N] each."""
    m_x, m_y = _windowed(x), _windowed(y)
    v_x, v_y = _windowed(x * x) - m_x * m_x, _windowed(y * y) - m_y * m_y
    v_xy = _windowed(x * y) - m_x * m_y
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    structure = (2 * v_xy + c2) / (v_x + v_y + c2)
    whole = structure * (2 * m_x * m_y + c1) / (m_x * m_x + m_y * m_y + c1)
    return whole.mean((1, 2, 3)), structure.mean((1, 2, 3))


def _windowed(x):
    """Return the Gaussian-weighted mean of each window that fits, [N, height - 10, width - 10, C]."""
    import scipy.ndimage  # not at the top, because SciPy takes a tenth of a second to import, at the start of each run

    reach = WINDOW // 2
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / WINDOW_STD) ** 2)
    for axis in (1, 2):
        x = scipy.ndimage.correlate1d(x, window / math.fsum(window), axis)
    return x[:, reach:-reach, reach:-reach]


def _halved(x):
    """Return the means of blocks of 2 x 2 pixels; the last row or column of an odd size is excluded."""
    n, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))
