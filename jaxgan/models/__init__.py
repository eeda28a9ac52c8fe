"""Network architectures. Each module implements the networks of one paper or family of papers, and has its name."""
