"""Layers, normalisation, resampling and convolutions that several architectures in ``jaxgan.models`` use."""
