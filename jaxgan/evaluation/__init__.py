"""Two sets of examples compared: the features that metrics look at, and the figures with their protocol."""
