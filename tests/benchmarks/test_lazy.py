"""The benchmark of lazy R1, with a small network and without timing."""

from experiments.benchmarks import lazy


def test_the_memory_of_each_form_is_printed(capsys):
    lazy.main("stylegan2", size=8, batch=64, channel_base=32, channel_max=4, rounds=1, forms=("no R1", "losses.lazy"))
    rows = [line for line in capsys.readouterr().out.splitlines() if "R1" in line or "losses.lazy" in line]
    plain, penalised = (float(row.split("│")[2]) for row in rows)
    assert 0 < plain < penalised
