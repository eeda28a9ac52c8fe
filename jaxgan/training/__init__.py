"""Training: the loop, the runs that it trains, their steps, checkpoints, metrics and sample grids."""
