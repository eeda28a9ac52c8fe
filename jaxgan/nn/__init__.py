"""Layers and convolutions that the architectures share."""
