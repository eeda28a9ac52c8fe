"""Run the command line with ``python -m jaxgan``, which is equivalent to the command ``jaxgan``."""

from jaxgan.cli.main import main

if __name__ == "__main__":
    main()
