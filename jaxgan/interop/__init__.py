"""Read and write weights in the formats of other libraries, without importing these libraries.

``read_weights`` returns the arrays of a file as a dictionary. The modules ``pix2pix``, ``dcgan`` and ``stylegan2``
convert between the state dicts of the official PyTorch networks and the variables of jaxgan's modules.
``write_safetensors`` writes files that PyTorch users can load::

    module = cyclegan.Generator()
    like = jax.eval_shape(lambda: module.init(jax.random.key(0), image, train=True))
    variables = pix2pix.to_variables(read_weights("latest_net_G.pth"), like)
    fake = module.apply(variables, image, train=False)
    write_safetensors("generator.safetensors", pix2pix.to_torch(variables))

``read_parameters`` and ``write_parameters`` read and write the variables of jaxgan's networks under their own names.
"""

from pathlib import Path

import numpy as np

from jaxgan.core.array_archives import read_npz
from jaxgan.interop.parameters import read_parameters, write_parameters
from jaxgan.interop.safetensors import read_metadata, read_safetensors, write_safetensors
from jaxgan.interop.torch_file import read_torch

__all__ = [
    "read_metadata",
    "read_parameters",
    "read_safetensors",
    "read_torch",
    "read_weights",
    "write_parameters",
    "write_safetensors",
]


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Return a dictionary from names to the arrays of a file.

    The suffix of the file determines its format, ``.safetensors`` or ``.npz``. A file with another suffix must be a
    file that ``torch.save`` wrote.

    Args:
      path: the file of weights.

    Raises:
      ValueError: if the file has another format, is damaged, or contains objects that are not arrays.
      OSError: if the file cannot be read.
    """
    path = Path(path)
    return {".safetensors": read_safetensors, ".npz": read_npz}.get(path.suffix, read_torch)(path)
