"""The version, which packaging reads without importing JAX."""

__version__ = "0.1.0"
