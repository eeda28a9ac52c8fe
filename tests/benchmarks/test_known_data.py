"""Tests of the programs that measure the metrics of tables and of texts for known data."""

import numpy as np

from experiments.benchmarks import table_metrics, text_metrics


def rows_of(text):
    return {
        cells[0]: cells[1:]
        for cells in (
            [cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if "|" in line
        )
    }


def test_known_tables_are_compared(tmp_path, capsys):
    path, draws = tmp_path / "a.csv", np.random.default_rng(0)
    x = draws.normal(size=300)
    cells = [f"{value:.9f}, {'yes' if value > 0 else 'no'}, {draws.choice(['a', '?', ''])}" for value in x]
    path.write_text("\n".join(["x, class, kind", *cells]))
    table = table_metrics.read_table(path)
    assert table["x"].dtype == float and set(table["kind"]) == {"a", None}
    table_metrics.main(path, "class")
    rows = rows_of(capsys.readouterr().out)
    copies = rows["generated rows"].index("copies")
    assert rows["training rows, drawn with replacement"][copies] == "1.000"
    assert rows["other real rows"][copies] == rows["uniform noise in each column"][copies] == "0.000"


def test_known_texts_are_compared(tmp_path, capsys):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"the {animal} {verb} {i}" for i, animal, verb in LINES))
    text_metrics.main(path, count=60)
    rows = rows_of(capsys.readouterr().out)
    divergences = [float(rows[name][3]) for name in ("held-out lines", "model of 1-grams", "random characters")]
    assert divergences == sorted(divergences) and divergences[0] < divergences[1]


LINES = [(i, ("cat", "dog", "owl")[i % 3], ("sat", "ran")[i % 2]) for i in range(120)]
