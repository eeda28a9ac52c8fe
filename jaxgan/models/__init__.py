"""Network architectures. Each module contains the networks of one type of GAN, and is named after it."""
