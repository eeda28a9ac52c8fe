"""Kinds of examples: how each is drawn, and written to files."""

from jaxgan.media.images import (
    beneath as beneath,
    grid as grid,
    pictured as pictured,
    save as save,
    save_arrays as save_arrays,
    to_bytes as to_bytes,
)
from jaxgan.media.voxels import solids as solids, turning as turning
