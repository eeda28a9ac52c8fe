"""Kinds of examples, and the functions that draw examples and write them to files."""

from jaxgan.drawing import (
    ANIMATIONS as ANIMATIONS,
    FRAMED as FRAMED,
    PICTURES as PICTURES,
    as_html as as_html,
    check_suffix as check_suffix,
    grid as grid,
    make_grid as make_grid,
    match_channels as match_channels,
    render_points as render_points,
    render_solids as render_solids,
    render_turning as render_turning,
    save_arrays as save_arrays,
    save_images as save_images,
    stack_rows as stack_rows,
    to_bytes as to_bytes,
    write_samples as write_samples,
)
from jaxgan.media.images import Images as Images, Pairs as Pairs
from jaxgan.media.known import (
    RawArrays as RawArrays,
    from_record as from_record,
    guess as guess,
    record as record,
)
from jaxgan.media.medium import Medium as Medium, normalized_shape as normalized_shape, picture as picture
from jaxgan.media.points import Points as Points
from jaxgan.media.series import Series as Series
from jaxgan.media.tables import Table as Table
from jaxgan.media.text import Text as Text
from jaxgan.media.voxels import Voxels as Voxels
