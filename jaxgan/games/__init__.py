"""Change how games are trained: extra-gradient, consensus, unrolling, populations, privacy, optimizers, image pools."""
