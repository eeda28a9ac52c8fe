"""Draw images, points and voxels as pictures, arrange them in grids, and write them to files."""

from jaxgan.drawing.files import check_suffix as check_suffix, write_samples as write_samples
from jaxgan.drawing.images import (
    ANIMATIONS as ANIMATIONS,
    FRAMED as FRAMED,
    PICTURES as PICTURES,
    make_grid as make_grid,
    match_channels as match_channels,
    save_arrays as save_arrays,
    save_images as save_images,
    stack_rows as stack_rows,
    to_bytes as to_bytes,
)
from jaxgan.drawing.points import render_points as render_points
from jaxgan.drawing.show import as_html as as_html, grid as grid
from jaxgan.drawing.voxels import render_solids as render_solids, render_turning as render_turning
