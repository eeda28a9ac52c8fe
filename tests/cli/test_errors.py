"""Messages of the library, as the command line prints them."""

from jaxgan.cli.errors import as_flags


def test_arguments_in_backticks_become_flags_and_other_words_stay():
    message = "`batch_size` must be at least 1, got 0; `total` takes terms, see `jaxgan.total` and seed"
    assert as_flags(message, ["batch_size", "seed"]) == (
        "--batch-size must be at least 1, got 0; `total` takes terms, see `jaxgan.total` and seed"
    )
