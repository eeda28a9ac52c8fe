"""Messages of the library, as the command line prints them."""

import warnings

from jaxgan.cli.errors import as_flags, warnings_as_lines


def test_arguments_in_backticks_become_flags_and_other_words_stay():
    message = "`batch_size` must be at least 1, got 0; `total` takes terms, see `jaxgan.total` and seed"
    assert as_flags(message, ["batch_size", "seed"]) == (
        "--batch-size must be at least 1, got 0; `total` takes terms, see `jaxgan.total` and seed"
    )


def test_warnings_are_lines_that_name_flags(capsys):
    with warnings_as_lines(["batch_size"]):
        warnings.warn("`batch_size` is small, and `seed` is 0", UserWarning, stacklevel=1)
        warnings.warn("`batch_size` is small, and `seed` is 0", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: --batch-size is small, and `seed` is 0\n" * 2
