"""Define games: networks as functions, players, losses, gradients, random keys, and the axis that splits batches."""
