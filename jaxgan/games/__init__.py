"""Change how games are trained: training dynamics, populations, differential privacy, optimizers and image pools."""
