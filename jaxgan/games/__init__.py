"""Other ways to play a game, populations and privacy; the optimizers and pools that games need."""
