"""The core: games, networks as functions, gradients, random keys, and the one axis over which devices share a batch."""
