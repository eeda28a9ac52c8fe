"""Weights of other libraries, read without their code."""
