"""A run as it goes: its directory, its metrics file, the terminal, and what looks wrong."""
