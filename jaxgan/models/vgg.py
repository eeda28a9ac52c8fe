"""The convolutions of VGG19, for perceptual losses. Simonyan and Zisserman 2015 (1409.1556), column E.

SRGAN's content loss compares their features phi_5,4: those after the fourth convolution before the fifth pooling.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.nn.layers import Conv

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels, and convolutions before a pooling
WHERE = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth, 548 MB"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue, from 0 to 1


class Features(nn.Module):
    """Images, [B, h, w, 3] in [-1, 1], to the features after the last rectifier, [B, h // 16, w // 16, 512].

    Attributes:
      dtype: the precision of computation.
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        if images.ndim != 4 or images.shape[-1] != 3 or min(images.shape[1:3]) < 16:
            raise ValueError(f"images of shape {images.shape}: VGG takes [B, h, w, 3] of 16 x 16 or more")
        mean, std = (jnp.array(x).reshape(1, 1, 1, 3) for x in (MEAN, STD))
        x = ((images + 1) / 2 - mean) / std
        for i, (features, count) in enumerate(BLOCKS):
            x = nn.max_pool(x, (2, 2), (2, 2)) if i else x
            for j in range(count):
                x = nn.relu(Conv(features, 3, padding=1, dtype=self.dtype, name=f"conv_{i + 1}_{j + 1}")(x))
        return x.astype(jnp.float32)


def parameters(arrays: Mapping[str, np.ndarray]) -> dict:
    """``Features``' parameters from torchvision's ``vgg19``, of which classifiers are left out.

    Raises:
      ValueError: convolutions are missing or of other shapes; it says which, all together.
    """
    found, wrong, place, before = {}, [], 0, 3
    for i, (features, count) in enumerate(BLOCKS):
        for j in range(count):
            kernel, bias = (arrays.get(f"features.{place}.{part}") for part in ("weight", "bias"))
            wanted = (features, before, 3, 3)
            if kernel is None or bias is None or kernel.shape != wanted or bias.shape != wanted[:1]:
                wrong.append(
                    f"features.{place} {'is missing' if kernel is None else f'is {kernel.shape}'}, not {wanted}"
                )
            else:
                values = {"kernel": kernel.transpose(2, 3, 1, 0), "bias": bias}
                found[f"conv_{i + 1}_{j + 1}"] = {name: np.asarray(x, np.float32) for name, x in values.items()}
            place, before = place + 2, features
        place += 1  # the pool
    if wrong:
        raise ValueError(f"no weights of torchvision's vgg19: {'; '.join(wrong)}; they are at {WHERE}")
    return {"params": found}
