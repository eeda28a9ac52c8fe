"""Network architectures. Each module contains the networks of one paper or of a few related papers."""
