"""Record and observe a run: its directory, its metrics files, its progress at the terminal, and its diagnosis."""
