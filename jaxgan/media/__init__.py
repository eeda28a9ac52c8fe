"""Kinds of examples: how each is drawn, and written to files."""

from jaxgan.media.images import (
    grid as grid,
    match_channels as match_channels,
    save as save,
    save_arrays as save_arrays,
    stack_rows as stack_rows,
    to_bytes as to_bytes,
)
from jaxgan.media.voxels import solids as solids, turning as turning
