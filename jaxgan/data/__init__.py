"""Data: sources of examples, and batches as a function of (seed, step)."""

from jaxgan.data import pairs as pairs, unpaired as unpaired
from jaxgan.data.loading import load as load
from jaxgan.data.pipeline import Batches as Batches, stream as stream
from jaxgan.data.source import Arrays as Arrays, Source as Source, Unpaired as Unpaired, normalize as normalize
