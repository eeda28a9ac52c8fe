"""Define the version of jaxgan in a file that packaging tools can read without importing JAX."""

__version__ = "0.1.0"
