"""The console command: ``jaxgan doctor``, or ``python -m jaxgan doctor``."""

import argparse
import sys


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser("jaxgan", description="Generative adversarial networks as pure functions.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    about = "what is here, how fast it is, and what looks wrong, with the mend"
    verbs.add_parser("doctor", help=about, description=about)
    parser.parse_args()
    from jaxgan import doctor

    sys.exit(doctor.main())


if __name__ == "__main__":
    main()
