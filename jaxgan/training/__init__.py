"""Train games: the training loop, its compiled steps, checkpoints, metrics and sample grids."""
