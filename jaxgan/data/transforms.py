"""Random transforms of the data inside the compiled step: pure functions of images and their keys.

They enlarge the data set, and samples show it: a generator trained on mirrored images makes mirrored images.
``jaxgan.augment`` is different: it changes the reals and the samples that a discriminator sees, and samples do not
show it.

    def discriminator_loss(nets, batch, keys, step):
        real = transforms.random_flip(keys, batch["image"])

An example's draw depends on its own key alone, so it does not depend on devices, and it is independent of the
example's latents. The same keys draw the same again, so two calls transform the two images of a pair alike:

        image, input = (transforms.random_flip(keys, batch[name]) for name in ("image", "input"))
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.data.degrade import resize_bicubic

_FLIP, _SHIFT, _CROP, _JITTER = 0xF11B, 0xC409, 0xC477, 0x3177  # folded into an example's key


def random_flip(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Images, [B, H, W, C], each mirrored left to right with probability 1/2; ``keys`` [B]."""
    mirrored = jax.vmap(lambda key: jax.random.bernoulli(jax.random.fold_in(key, _FLIP)))(keys)
    return jnp.where(mirrored.reshape(-1, 1, 1, 1), images[:, :, ::-1], images)


def random_shift(keys: jax.Array, images: jax.Array, padding: int) -> jax.Array:
    """Images, [B, H, W, C], each shifted by up to ``padding`` pixels both ways, with reflected borders; ``keys`` [B].

    Raises:
      ValueError: ``padding`` is negative, or not below the images' height and width.
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
    """A square window of ``size`` of each image, [B, H, W, C], at a multiple of ``step`` pixels; ``keys`` [B].

    Pairs for super-resolution are cropped at one place, inputs 4 times smaller than images, by
    ``random_crop(keys, images, 96, step=4)`` and ``random_crop(keys, inputs, 24)``.

    Raises:
      ValueError: ``size`` is below 1 or larger than the images, or ``step`` is below 1.
    """
    height, width = images.shape[1:3]
    if not 1 <= size <= min(height, width):
        raise ValueError(f"`size` must be from 1 to {min(height, width)} for images of {height} x {width}, got {size}.")
    if step < 1:
        raise ValueError(f"`step` must be at least 1, got {step}.")
    return random_windows(keys, images, (size, size), _CROP, step)


def resize_and_crop(keys: jax.Array, images: jax.Array, size: int) -> jax.Array:
    """Images, [B, H, W, C], enlarged to the height ``size``, and of each a window of its own size; ``keys`` [B].

    This is pix2pix's random jitter, 286 for images of 256 (Isola et al. 2017, 1611.07004); bicubic, clipped to [-1, 1].

    Raises:
      ValueError: ``size`` is below the images' height.
    """
    height, width = images.shape[1:3]
    if size < height:
        raise ValueError(f"`size` must be at least the images' height, {height}, got {size}.")
    enlarged = jnp.clip(resize_bicubic(images, size=(size, round(width * size / height))), -1, 1).astype(images.dtype)
    return random_windows(keys, enlarged, (height, width), _JITTER)


def random_windows(keys: jax.Array, images: jax.Array, size: tuple[int, int], fold: int, step: int = 1) -> jax.Array:
    """A window of ``size``, (height, width), of each image, [B, H, W, C].

    Args:
      keys: one for each example, [B].
      images: at least as large as a window.
      size: of the window.
      fold: a number that is folded into the keys, so that other draws with the same keys are independent.
      step: both coordinates of a window's corner are multiples of it.
    """
    places = jnp.array([(n - m) // step + 1 for n, m in zip(images.shape[1:3], size)])

    def window(key, image):
        y, x = step * jax.random.randint(jax.random.fold_in(key, fold), (2,), 0, places)
        return lax.dynamic_slice(image, (y, x, 0), (*size, image.shape[-1]))

    return jax.vmap(window)(keys, images)
