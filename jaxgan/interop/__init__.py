"""Weights of other libraries, read and written without their code.

``read_weights`` gives a file's arrays by name; ``pix2pix`` and ``dcgan`` name those of official networks as jaxgan's
modules do, and back; ``write_safetensors`` writes what PyTorch loads::

    module = cyclegan.Generator()
    like = jax.eval_shape(lambda: module.init(jax.random.key(0), image, train=True))
    variables = pix2pix.to_variables(read_weights("latest_net_G.pth"), like)
    fake = module.apply(variables, image, train=False)
    write_safetensors("generator.safetensors", pix2pix.to_torch(variables))
"""

from pathlib import Path

import numpy as np

from jaxgan.interop.safetensors import read_safetensors, write_safetensors
from jaxgan.interop.torch_file import read_torch

__all__ = ["read_safetensors", "read_torch", "read_weights", "write_safetensors"]


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name: of ``.safetensors``, or, named anything else, of what ``torch.save`` wrote.

    Raises:
      ValueError: it is neither, or damaged, or asks for anything but arrays; the message says which.
      OSError: it cannot be read.
    """
    return (read_safetensors if Path(path).suffix == ".safetensors" else read_torch)(path)
