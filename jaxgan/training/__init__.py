"""Training: the loop, checkpoints, logs, the report, and the command line of an experiment."""
