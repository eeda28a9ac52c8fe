"""Features of a convolutional network with fixed random weights, which needs neither labels nor a download.

Metrics of random features rank samples less well than metrics of trained features, but they detect wrong colours, wrong
textures and missing diversity (Naeem et al. 2020, arXiv:2002.09797, section 5, with a random VGG16). They are never
called FID: the Frechet distance has the name ``fd_random``.
"""

import functools
import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.uncropped import ImageSequence
from jaxgan.evaluation.preprocessing import as_bytes, resize_clean, resize_each

SIZE = 128  # height and width of the input in pixels
FEATURES = 64  # number of features per image
CHANNELS = (32, 64, 128, 256)  # number of channels of each convolution, which halves the resolution
BATCH_SIZE = 64  # number of images that the network processes at once
REFERENCES = 128  # number of synthetic images by which the statistics are scaled
SEED = 0  # changing the seed changes all metrics of random features


class RandomFeatures:
    """Feature extractor with fixed random weights. It returns features, [N, 64], as float32.

    The statistics of an image are the mean and the standard deviation of each colour, and the mean of each channel
    after each of four convolutions with random filters. The filters sum to zero, so that the brightness does not hide
    the other properties. Each statistic is scaled to unit variance over synthetic images with the spectrum of natural
    images, and a random projection reduces the 486 statistics to 64 features. Images of any size are resized to 128 x
    128 pixels without cropping, with the method of clean-fid.

    Attributes:
      protocol: the name ``random`` and a digest of the weights, which are the same on every machine.
    """

    resizes_images = True

    def __init__(self):
        self._kernels, self._projection = _draw_weights()
        digest = hashlib.sha256(b"".join(x.tobytes() for x in (*self._kernels, self._projection))).hexdigest()
        self.protocol: dict[str, Any] = {"features": "random", "weights": digest, "resize": "clean"}
        self._mean, self._std = _reference_moments()

    def __call__(self, images: np.ndarray | ImageSequence) -> np.ndarray:
        """Return features, [N, 64], of uint8 images or of floats in [-1, 1], which are rounded to uint8 first."""
        return self._apply(images if isinstance(images, ImageSequence) else as_bytes(images))

    def unrounded(self, images: np.ndarray) -> np.ndarray:
        """Return features, [N, 64], of float images in [-1, 1] without rounding them to uint8."""
        return self._apply((np.asarray(images, np.float32) + 1) * 127.5)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Raise an error, because the network has no classes.

        Args:
          images: images, [N, H, W, C], which are ignored.

        Raises:
          ValueError: always.
        """
        raise ValueError(
            "The metrics is and modes require classes, and the random network has none. Set `features` to classifier "
            "if the data have labels, or to an Inception layer, or leave out these metrics."
        )

    def _apply(self, images: np.ndarray | ImageSequence) -> np.ndarray:
        """Return features of images from 0 to 255, of any real data type."""
        return ((_statistics(images, self._kernels) - self._mean) / self._std) @ self._projection


def _resize(images: np.ndarray | ImageSequence) -> np.ndarray:
    """Resize images from 0 to 255 to the input size of the network."""
    return resize_each(images, resize_clean, SIZE) if isinstance(images, ImageSequence) else resize_clean(images, SIZE)


@functools.cache
def _draw_weights() -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return the kernels of the convolutions and the projection.

    NumPy guarantees that ``RandomState`` always returns the same numbers, unlike its newer generators.
    """
    draws, kernels, channels = np.random.RandomState(SEED), [], 3
    for i, features in enumerate(CHANNELS):
        window = 5 if i == 0 else 3
        kernel = draws.standard_normal((window, window, channels, features)) * np.sqrt(2 / (window**2 * channels))
        kernels.append((kernel - kernel.mean((0, 1), keepdims=True)).astype(np.float32))
        channels = features
    count = 6 + sum(CHANNELS)
    projection = draws.standard_normal((count, FEATURES)) / np.sqrt(count)
    return tuple(kernels), projection.astype(np.float32)


def _statistics(images: np.ndarray | ImageSequence, kernels: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the statistics of images from 0 to 255, of 1 or 3 channels and any size, [N, 486]."""
    found = []
    for start in range(0, len(images), BATCH_SIZE):
        part = _resize(images[start : start + BATCH_SIZE]) / 127.5 - 1
        if part.shape[-1] not in (1, 3):
            raise ValueError(f"The random network requires images with 1 or 3 channels, got {part.shape[-1]}.")
        part = np.repeat(part, 3, -1) if part.shape[-1] == 1 else part
        # Pad the last batch, so that the network is compiled only once.
        filled = np.concatenate([part, np.repeat(part[-1:], BATCH_SIZE - len(part), 0)])
        found.append(np.asarray(_network(filled, kernels))[: len(part)])
    return np.concatenate(found)


@jax.jit
def _network(images, kernels):
    exact = jax.lax.Precision.HIGHEST  # float32 also on accelerators, so that metrics do not depend on the device
    x, found = images, [images.mean((1, 2)), images.std((1, 2))]
    for kernel in kernels:
        numbers = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=numbers, precision=exact)
        x = jax.nn.relu(x)
        found.append(x.mean((1, 2)))
    return jnp.concatenate(found, -1)


@functools.cache
def _reference_moments() -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of each statistic over the synthetic images, [486] each."""
    found = _statistics(_pink_noise(REFERENCES), _draw_weights()[0])
    return found.mean(0, keepdims=True), found.std(0, keepdims=True)


def _pink_noise(count: int) -> np.ndarray:
    """Return synthetic images from 0 to 255, float32 [count, 128, 128, 3].

    The amplitude of a frequency f is f**-a, with a random exponent a around 1, as in natural images (Field 1987). Mean,
    contrast and saturation are random, too.
    """
    draws = np.random.RandomState(SEED)
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None])
    frequency[0, 0] = 1 / SIZE
    images = np.empty((count, SIZE, SIZE, 3), np.float32)
    for i in range(count):
        fields = np.fft.fft2(draws.standard_normal((4, SIZE, SIZE))) / frequency[None] ** draws.uniform(0.6, 1.4)
        grey, *colours = np.fft.ifft2(fields).real
        image = grey[..., None] / grey.std() + draws.uniform(0, 0.6) * np.stack(colours, -1) / np.std(colours)
        image = image / image.std() * draws.uniform(0.15, 0.6) + draws.uniform(-0.4, 0.4) + draws.uniform(-0.2, 0.2, 3)
        images[i] = (image.clip(-1, 1) + 1) * 127.5
    return images
