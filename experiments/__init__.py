"""One program for each published result: ``jaxgan train dcgan``."""
