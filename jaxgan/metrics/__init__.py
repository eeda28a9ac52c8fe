"""Metrics: how far samples are from the data."""

from jaxgan.metrics.frechet import frechet_distance as frechet_distance
