"""Metrics: how far samples are from the data."""

from jaxgan.metrics.frechet import frechet_distance as frechet_distance
from jaxgan.metrics.modes import Modes as Modes, count_modes as count_modes, nearest_modes as nearest_modes
