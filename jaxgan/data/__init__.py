"""Load examples as sources, and compute the batch of a step as a function of the seed and the step.

A source is a data set that reads its examples by index, see ``Source``. The modules ``transforms`` and ``degrade``
change images inside the compiled training step. The modules ``pairs``, ``unpaired``, ``voxels`` and ``photos`` load
other kinds of examples.
"""

from jaxgan.data import pairs as pairs, texts as texts, unpaired as unpaired
from jaxgan.data.loading import as_source as as_source, load as load
from jaxgan.data.pipeline import Batches as Batches, batches as batches, stream as stream
from jaxgan.data.source import (
    Arrays as Arrays,
    NamedArrays as NamedArrays,
    Source as Source,
    Subset as Subset,
    Unpaired as Unpaired,
    hold_out as hold_out,
    match_classes as match_classes,
    normalize as normalize,
    read_in_batches as read_in_batches,
    read_into_memory as read_into_memory,
)
