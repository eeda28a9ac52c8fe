"""Architectures, one a file, named after their papers."""
