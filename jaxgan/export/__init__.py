"""Trained networks in files that need no jaxgan."""
