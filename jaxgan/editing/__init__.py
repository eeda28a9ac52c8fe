"""What is done with a trained generator: styles, interpolation, inversion, translation of files."""
