"""Transform data at random inside the compiled step, to enlarge a data set.

The functions are pure functions of images and PRNG keys. The generator learns to reproduce the transforms: if it is
trained on mirrored images, it also generates mirrored images. ``jaxgan.augment`` is different. It augments both real
examples and fakes on the way to the discriminator, so that the generator does not learn to reproduce the augmentation.

    def discriminator_loss(nets, batch, keys, step):
        real = transforms.random_flip(keys, batch["image"])

``keys`` contains one key per example, so results do not depend on the number of devices. Each transform folds its own
constant into the keys, so its random numbers are independent of latents that are sampled with the same keys. A second
call with the same keys applies the same transform, so two calls can transform the input and the image of a pair
equally:

        image, input = (transforms.random_flip(keys, batch[name]) for name in ("image", "input"))
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.data.degrade import resize_bicubic

# Constants that are folded into the keys of examples, so that each transform has independent random numbers.
_FLIP, _SHIFT, _CROP, _JITTER = 0xF11B, 0xC409, 0xC477, 0x3177


def random_flip(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Mirror each image left to right with probability 1/2.

    Args:
      keys: PRNG keys, [B], one per example.
      images: [B, H, W, C].

    Returns:
      The images, [B, H, W, C].
    """
    mirrored = jax.vmap(lambda key: jax.random.bernoulli(jax.random.fold_in(key, _FLIP)))(keys)
    return jnp.where(mirrored.reshape(-1, 1, 1, 1), images[:, :, ::-1], images)


def random_shift(keys: jax.Array, images: jax.Array, padding: int) -> jax.Array:
    """Shift each image by a random number of pixels along both axes. Borders are filled by reflection.

    Args:
      keys: PRNG keys, [B], one per example.
      images: [B, H, W, C].
      padding: largest shift in each direction, in pixels.

    Returns:
      The shifted images, [B, H, W, C].

    Raises:
      ValueError: if ``padding`` is negative, or not below the height and the width of the images.
    """
    _, height, width, _ = images.shape
    if not 0 <= padding < min(height, width):
        raise ValueError(
            f"`padding` must be from 0 to {min(height, width) - 1} for images of {height} x {width}, got {padding}."
        )
    if not padding:
        return images
    padded = jnp.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)), mode="reflect")
    return random_windows(keys, padded, (height, width), _SHIFT)


def random_crop(keys: jax.Array, images: jax.Array, size: int, step: int = 1) -> jax.Array:
    """Crop each image to a square window at a random position.

    For super-resolution, both images of a pair must be cropped at the same position. If inputs are 4 times smaller than
    images, use ``random_crop(keys, images, 96, step=4)`` and ``random_crop(keys, inputs, 24)``.

    Args:
      keys: PRNG keys, [B], one per example.
      images: [B, H, W, C].
      size: height and width of the window in pixels.
      step: the coordinates of the window's upper left corner are multiples of this number of pixels.

    Returns:
      The windows, [B, size, size, C].

    Raises:
      ValueError: if ``size`` is below 1 or larger than the images, or if ``step`` is below 1.
    """
    height, width = images.shape[1:3]
    if not 1 <= size <= min(height, width):
        raise ValueError(f"`size` must be from 1 to {min(height, width)} for images of {height} x {width}, got {size}.")
    if step < 1:
        raise ValueError(f"`step` must be at least 1, got {step}.")
    return random_windows(keys, images, (size, size), _CROP, step)


def resize_and_crop(keys: jax.Array, images: jax.Array, size: int) -> jax.Array:
    """Enlarge images, and crop each one to its original size at a random position.

    This is the random jitter of pix2pix (Isola et al. 2017, 1611.07004), which enlarges images of 256 x 256 pixels to
    286 x 286. Images are enlarged by bicubic interpolation and clipped to [-1, 1].

    Args:
      keys: PRNG keys, [B], one per example.
      images: [B, H, W, C] in [-1, 1].
      size: height of the enlarged images in pixels; the aspect ratio is preserved.

    Returns:
      The windows, [B, H, W, C].

    Raises:
      ValueError: if ``size`` is below the height of the images.
    """
    height, width = images.shape[1:3]
    if size < height:
        raise ValueError(f"`size` must be at least the images' height, {height}, got {size}.")
    enlarged = jnp.clip(resize_bicubic(images, size=(size, round(width * size / height))), -1, 1).astype(images.dtype)
    return random_windows(keys, enlarged, (height, width), _JITTER)


def random_windows(keys: jax.Array, images: jax.Array, size: tuple[int, int], fold: int, step: int = 1) -> jax.Array:
    """Crop each image to a window at a random position.

    Args:
      keys: PRNG keys, [B], one per example.
      images: [B, H, W, C], at least as large as a window.
      size: (height, width) of the window in pixels.
      fold: a constant that is folded into the keys. Functions with different constants use independent random numbers.
      step: the coordinates of the window's upper left corner are multiples of this number of pixels.

    Returns:
      The windows, [B, *size, C].
    """
    places = jnp.array([(n - m) // step + 1 for n, m in zip(images.shape[1:3], size)])

    def window(key, image):
        y, x = step * jax.random.randint(jax.random.fold_in(key, fold), (2,), 0, places)
        return lax.dynamic_slice(image, (y, x, 0), (*size, image.shape[-1]))

    return jax.vmap(window)(keys, images)
