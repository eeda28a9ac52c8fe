"""``python -m jaxgan``: the same as the command ``jaxgan``."""

from jaxgan.cli.main import main

if __name__ == "__main__":
    main()
