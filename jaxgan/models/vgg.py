"""The convolutional layers of VGG19, for perceptual losses. Simonyan and Zisserman 2015 (arXiv:1409.1556), column E.

SRGAN's content loss compares the features phi_5,4, the output of the fourth convolution before the fifth pooling layer.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.weights import VGG19
from jaxgan.nn.layers import Conv

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # (channels, number of convolutions) between pooling layers
# Mean and standard deviation of the red, green and blue channels of ImageNet, for pixels in [0, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Features(nn.Module):
    """VGG19 up to the last ReLU, from images [B, h, w, 3] in [-1, 1] to features [B, h // 16, w // 16, 512], float32.

    Attributes:
      dtype: data type of the computation; parameters are float32.

    Raises:
      ValueError: if the images have another shape, or a height or width below 16.
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        if images.ndim != 4 or images.shape[-1] != 3 or min(images.shape[1:3]) < 16:
            raise ValueError(
                f"VGG requires images [B, h, w, 3] of at least 16 x 16 pixels, got the shape {images.shape}."
            )
        mean, std = (jnp.array(x).reshape(1, 1, 1, 3) for x in (MEAN, STD))
        x = ((images + 1) / 2 - mean) / std
        for i, (features, count) in enumerate(BLOCKS):
            x = nn.max_pool(x, (2, 2), (2, 2)) if i else x
            for j in range(count):
                x = nn.relu(Conv(features, 3, padding=1, dtype=self.dtype, name=f"conv_{i + 1}_{j + 1}")(x))
        return x.astype(jnp.float32)


def parameters(arrays: Mapping[str, np.ndarray]) -> dict:
    """Convert the weights of torchvision's ``vgg19`` to the variables of ``Features``.

    Args:
      arrays: the state dict, a mapping from names to arrays. The weights of the classifier are ignored.

    Returns:
      The variables of ``Features``, ``{"params": ...}``.

    Raises:
      ValueError: if convolutions are missing or have other shapes. The message lists all these convolutions.
    """
    found, wrong, index, before = {}, [], 0, 3
    for i, (features, count) in enumerate(BLOCKS):
        for j in range(count):
            kernel, bias = (arrays.get(f"features.{index}.{part}") for part in ("weight", "bias"))
            wanted = (features, before, 3, 3)
            if kernel is None or bias is None:
                wrong.append(f"features.{index} is missing or incomplete")
            elif kernel.shape != wanted or bias.shape != wanted[:1]:
                wrong.append(
                    f"features.{index} has a weight of shape {kernel.shape} and a bias of shape {bias.shape}, not "
                    f"{wanted} and {wanted[:1]}"
                )
            else:
                values = {"kernel": kernel.transpose(2, 3, 1, 0), "bias": bias}
                found[f"conv_{i + 1}_{j + 1}"] = {name: np.asarray(x, np.float32) for name, x in values.items()}
            index, before = index + 2, features
        index += 1  # the pooling layer
    if wrong:
        raise ValueError(
            f"The file does not contain the weights of torchvision's vgg19: {'; '.join(wrong)}. {VGG19.source}"
        )
    return {"params": found}
