"""The benchmark of lazy R1, with a small network."""

from experiments.benchmarks import lazy


def test_the_memory_and_the_times_of_each_form_are_printed(capsys):
    lazy.main("stylegan2", size=8, batch=4, channel_base=32, channel_max=4, rounds=1, forms=("no R1", "losses.lazy"))
    rows = [line for line in capsys.readouterr().out.splitlines() if "no R1" in line or "losses.lazy" in line]
    assert len(rows) == 2
    for row in rows:
        numbers = [float(cell) for cell in row.strip("│ ").split("│")[1:]]
        assert len(numbers) == 6 and all(number > 0 for number in numbers)
