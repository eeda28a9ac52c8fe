"""Weights of other libraries, read and written without their code.

``read_weights`` gives a file's arrays by name; ``pix2pix``, ``dcgan`` and ``stylegan2`` name those of official networks
as jaxgan's modules do, and back; ``write_safetensors`` writes what PyTorch loads::

    module = cyclegan.Generator()
    like = jax.eval_shape(lambda: module.init(jax.random.key(0), image, train=True))
    variables = pix2pix.to_variables(read_weights("latest_net_G.pth"), like)
    fake = module.apply(variables, image, train=False)
    write_safetensors("generator.safetensors", pix2pix.to_torch(variables))

``read_parameters`` and ``write_parameters`` are for jaxgan's own networks, under their own names.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np

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
    """The arrays of a file by name: of ``.safetensors``, ``.npz``, or, named anything else, what ``torch.save`` wrote.

    Raises:
      ValueError: it is none, or damaged, or asks for anything but arrays; the message says which.
      OSError: it cannot be read.
    """
    path = Path(path)
    return {".safetensors": read_safetensors, ".npz": _read_npz}.get(path.suffix, read_torch)(path)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except (ValueError, TypeError, AttributeError, EOFError, OSError, zlib.error, zipfile.BadZipFile):
            raise ValueError(f"{path}: not an .npz of plain numbers, or a damaged one") from None
