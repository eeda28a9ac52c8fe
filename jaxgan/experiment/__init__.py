"""An experiment: a game, its data and its settings."""
