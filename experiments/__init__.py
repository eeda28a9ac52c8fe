"""Programs that reproduce published results, such as ``jaxgan train dcgan``."""

import sys

if sys.argv[:1] == ["-m"]:  # Python is looking for the module of a command such as `python -m experiments.dcgan`
    from jaxgan.cli.program import answer_before_import

    answer_before_import(__name__)
