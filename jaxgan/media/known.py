"""Choose the medium of arrays whose medium is not given, and of files that a generator was exported to."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.media.images import Images, Pairs
from jaxgan.media.medium import Medium
from jaxgan.media.points import Points
from jaxgan.media.series import Series
from jaxgan.media.tables import Table
from jaxgan.media.text import Text
from jaxgan.media.voxels import Voxels

MEDIA = {
    medium.name: medium for medium in (Images, Pairs, Points, Series, Table, Text, Voxels)
}  # the media that files can name


@dataclasses.dataclass(frozen=True)
class RawArrays(Medium):
    """Samples of a medium that jaxgan does not know, which are only written to .npz files, as networks return them."""

    name = "arrays"
    values = "values as the generator returns them"
    suffixes = (".npz",)

    def arrays(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        return {"samples": samples}


def guess(shape: Sequence[int], paired: bool = False) -> Medium:
    """Return the medium of examples by their shape, for experiments that do not name their medium.

    Args:
      shape: the shape of an example. One axis is a point, and a cube with one channel is a solid. All other examples
        are images.
      paired: whether images are generated from other images.
    """
    if paired:
        return Pairs()
    if len(shape) == 1:
        return Points()
    if len(shape) == 4 and shape[3] == 1 and len(set(shape[:3])) == 1:
        return Voxels()
    return Images()


def record(medium: Medium) -> dict[str, Any]:
    """Return the name and the fields of a medium as a dictionary that JSON can represent, see ``from_record``.

    Args:
      medium: the medium.
    """
    return {"name": medium.name, **dataclasses.asdict(medium)}


def from_record(found: Any, shape: Sequence[int]) -> Medium:
    """Return the medium that ``record`` described.

    Args:
      found: what a file contains in the place of the record, of any origin; None if it contains nothing.
      shape: the shape of a sample, which determines the medium if there is no record.

    Returns:
      The medium; ``RawArrays`` if the record names a medium that jaxgan does not have.

    Raises:
      ValueError: if the record does not describe its medium.
    """
    if found is None:
        return guess(shape)
    name = found.get("name") if isinstance(found, Mapping) else None
    if not isinstance(name, str):
        raise ValueError("The record of the medium is damaged: it must be an object with the name of a medium.")
    if name not in MEDIA:
        return RawArrays()
    try:
        return MEDIA[name](**{field: value for field, value in found.items() if field != "name"})
    except (TypeError, ValueError) as error:
        raise ValueError(f"The record of the medium {name} is damaged: {error}") from error
