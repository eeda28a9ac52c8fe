"""Programs that reproduce published results, such as ``jaxgan train dcgan``."""
