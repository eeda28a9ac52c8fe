"""Games composed of games, and the optimizers and pools that games need."""
