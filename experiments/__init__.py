"""One program for each published result: ``python -m experiments.dcgan``."""
