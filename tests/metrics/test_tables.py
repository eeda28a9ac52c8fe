"""Tests of the metrics of tables, with hand counts, definitions as loops, and SDMetrics if it is installed."""

import warnings

import numpy as np
import pytest
import scipy.stats.contingency

from jaxgan.metrics import (
    ClosestRecords,
    ColumnPairTrends,
    ColumnShapes,
    column_pair_trends,
    column_shapes,
    distance_to_closest_record,
    tables,
)
from jaxgan.metrics.checks import as_tables, is_number

NAN = np.nan


def words(*values):
    return np.array(values, object)


def random_table(count, seed, missing=0.0):
    """Return a table with columns that depend on each other, with missing values, and with unusual columns."""
    draws = np.random.RandomState(seed)
    x = draws.normal(size=count)
    table = {
        "x": x.round(1),
        "double": 2 * x + 0.5 * draws.normal(size=count),
        "count": draws.poisson(3, count).astype(float),
        "sign": np.where(x + 0.3 * draws.normal(size=count) > 0, "plus", "minus").astype(object),
        "size": words(*np.array(["s", "m", "l", "xl"])[np.digitize(x + 0.3 * draws.normal(size=count), [-1, 0, 1])]),
        "rare": words(*(f"{seed}-{i}" if i < 3 else "usual" for i in range(count))),
        "tiny": 1e-14 * draws.normal(size=count),
        "constant": np.full(count, 7.0),
        "empty": np.full(count, NAN),
    }
    for column in list(table)[:5]:
        table[column][draws.uniform(size=count) < missing] = None if table[column].dtype == object else NAN
    return table


def noise(real, seed=0):
    """Return a table with the range and the categories of another table, and uniform independent columns."""
    draws = np.random.RandomState(seed)
    found = {}
    for name, column in real.items():
        if column.dtype == object:
            found[name] = draws.choice(words(*sorted({x for x in column if x is not None})), len(column))
        else:
            found[name] = draws.uniform(np.nanmin(column), np.nanmax(column), len(column))
    return found


def rows(table, indices):
    return {name: column[indices] for name, column in table.items()}


def test_column_shapes_agree_with_hand_counts():
    """The distribution functions of x differ by 2/4 after 2. The frequencies of c differ by 1/4 for each category."""
    real = {"x": np.array([1, 2, 3, 4, NAN]), "c": words("a", "a", "b", "c", None)}
    fake = {"c": words("a", "b", "b", "d"), "x": np.array([3, 4, 5, 6])}
    found = column_shapes(real, fake)
    assert found == ColumnShapes(pytest.approx(0.5, abs=1e-6), {"x": 0.5, "c": pytest.approx(0.5, abs=1e-6)})
    assert list(found.columns) == ["x", "c"]
    assert column_shapes(real, rows(real, slice(None, None, -1))) == (1.0, {"x": 1.0, "c": 1.0})


def test_correlation_similarity_agrees_with_a_hand_count():
    """The correlations of the rows without missing numbers are 1 and 1/2, so the similarity is 1 - 0.5 / 2."""
    real = {"x": np.array([1.0, 2, 3, NAN]), "y": np.array([2.0, 4, 6, 100])}
    fake = {"x": np.array([1.0, 2, 3]), "y": np.array([1.0, 3, 2])}
    assert column_pair_trends(real, fake) == ColumnPairTrends(pytest.approx(0.75), {("x", "y"): pytest.approx(0.75)})
    with pytest.warns(UserWarning, match="score of the column pair trends is NaN"):
        assert np.isnan(column_pair_trends(fake, real).score)  # a correlation of 1/2 does not exceed the threshold
    assert column_pair_trends(fake, real, min_correlation=0.4).score == pytest.approx(0.75)


def test_contingency_similarity_agrees_with_a_hand_count():
    """Each of the four cells has a difference of 1/4 of the rows."""
    real = {"a": words("x", "x", "y", "y"), "b": words(None, None, True, True)}
    fake = {"a": words("x", "x", "y", "y"), "b": words(None, True, None, True)}
    assert column_pair_trends(real, fake) == (0.5, {("a", "b"): 0.5})
    assert column_pair_trends(fake, real, min_association=0) == (0.5, {("a", "b"): 0.5})
    with pytest.warns(UserWarning, match="no pair of columns has a defined similarity"):
        assert np.isnan(column_pair_trends(fake, real).pairs["a", "b"])  # the columns are independent


def test_numbers_are_divided_into_intervals_for_a_mixed_pair():
    """The fake 5 is in another interval than the real 0. A missing number is in the interval of the maximum, 10."""
    real = {"x": np.array([0.0, 0, 10, 10]), "c": words("a", "a", "b", "b")}
    fake = {"x": np.array([0.0, 5, 10, NAN]), "c": words("a", "a", "b", "b")}
    assert column_pair_trends(real, fake).pairs == {("x", "c"): 0.75}
    shifted = {"x": real["x"] + 3, "c": real["c"]}  # each table has its own intervals
    assert column_pair_trends(real, shifted).score == 1.0


@pytest.mark.parametrize("kinds", [(2, 2), (3, 7), (40, 2)])
def test_association_is_cramers_v(kinds):
    draws = np.random.default_rng(0)
    a = draws.integers(kinds[0], size=300)
    b = (a * draws.integers(1, 3, size=300) + draws.integers(2, size=300)) % kinds[1]
    cells = np.unique(np.stack([a, b]), axis=1, return_counts=True)
    dense = np.zeros(kinds, int)
    dense[tuple(cells[0])] = cells[1]
    dense = dense[dense.any(1)][:, dense.any(0)]
    assert tables._association(a, b) == pytest.approx(scipy.stats.contingency.association(dense, method="cramer"))
    assert np.isnan(tables._association(a, np.zeros(300, int)))


def test_many_categories_need_no_dense_table():
    names = words(*map(str, range(3000)))
    real, fake = {"a": names, "b": names}, {"a": names, "b": names[::-1]}
    assert column_pair_trends(real, real).score == 1.0
    assert column_pair_trends(real, fake).score == 0.0


def test_scores_agree_with_sdmetrics():
    """The expected values were computed by QualityReport of SDMetrics 0.32.0."""
    real, fake = random_table(300, 1, 0.1), random_table(200, 2, 0.2)
    assert column_shapes(real, fake).score == pytest.approx(SHAPES, abs=1e-9)
    found = column_pair_trends(real, fake)
    assert found.score == pytest.approx(TRENDS, abs=1e-9)
    assert {pair: score for pair, score in found.pairs.items() if not np.isnan(score)} == PAIRS


SHAPES = 0.950020713769
TRENDS = 0.661412833584
PAIRS = {
    ("x", "double"): pytest.approx(0.995143668173, abs=1e-9),
    ("x", "sign"): pytest.approx(0.530000000000, abs=1e-9),
    ("x", "size"): pytest.approx(0.443333333333, abs=1e-9),
    ("double", "sign"): pytest.approx(0.588333333333, abs=1e-9),
    ("double", "size"): pytest.approx(0.553333333333, abs=1e-9),
    ("sign", "size"): pytest.approx(0.858333333333, abs=1e-9),
}


def adult(folder):
    frame = pytest.importorskip("pandas").read_csv(folder / "adult" / "adult.csv.xz", skipinitialspace=True)
    return {
        name: words(*(None if x == "?" else x for x in column)) if column.dtype == object else column.to_numpy(float)
        for name, column in frame.items()
    }


@pytest.mark.parametrize("other", ["bootstrap", "noise", "missing"])
@pytest.mark.parametrize("data", ["random", "adult"])
def test_scores_agree_with_the_installed_sdmetrics(data, other, request):
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("sdmetrics")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sdmetrics.reports.single_table import QualityReport

        real = random_table(300, 1, 0.1) if data == "random" else adult(request.getfixturevalue("test_data"))
        count = len(next(iter(real.values())))
        draws = np.random.default_rng(0)
        fake = (
            noise({**real, "empty": np.zeros(count)})
            if other == "noise"
            else rows(real, draws.integers(count, size=count))
        )
        fake = {name: fake[name] for name in real}
        if other == "missing":
            for column in fake.values():
                column[draws.uniform(size=count) < 0.2] = None if column.dtype == object else NAN
        kinds = {x: {"sdtype": "numerical" if is_number(real[x]) else "categorical"} for x in real}
        report = QualityReport()
        report.generate(pandas.DataFrame(real), pandas.DataFrame(fake), {"columns": kinds}, verbose=False)
        expected = report.get_properties()["Score"].tolist()
        shapes, trends = (report.get_details(f"Column {x}")["Score"] for x in ("Shapes", "Pair Trends"))
    found = column_shapes(real, fake), column_pair_trends(real, fake)
    np.testing.assert_allclose([x.score for x in found], expected, atol=1e-6, rtol=0)
    np.testing.assert_allclose(list(found[0].columns.values()), shapes, atol=1e-6, rtol=0)
    np.testing.assert_allclose(list(found[1].pairs.values()), trends, atol=1e-6, rtol=0)


def test_scores_decrease_from_real_rows_to_noise():
    real, other = random_table(2000, 1), random_table(2000, 3)
    for table in (real, other):
        del table["empty"]
    draws = np.random.default_rng(0)
    shuffled = {name: draws.permutation(column) for name, column in other.items()}
    candidates = other, shuffled, noise(real)
    shapes = [column_shapes(real, fake).score for fake in candidates]
    trends = [column_pair_trends(real, fake).score for fake in candidates]
    assert shapes[0] > 0.97 and shapes[0] == pytest.approx(shapes[1]) and shapes[2] < 0.8
    assert trends[0] > 0.9 > 0.8 > trends[1] > trends[2]


def distance(a, b, ranges):
    """Return the distance between two rows by its definition."""
    parts = []
    for x, y, extent in zip(a, b, ranges):
        missing = [z is None or z != z for z in (x, y)]
        if any(missing):
            parts.append(float(not all(missing)))
        else:
            parts.append(float(x != y) if extent is None else min(abs(x - y) / extent, 1))
    return np.mean(parts)


def test_distances_to_the_closest_record_agree_with_the_definition(monkeypatch):
    monkeypatch.setattr(tables, "BLOCK", (7, 11))
    train, held_out = (rows(random_table(40, seed, 0.2), slice(30)) for seed in (1, 2))
    fake = random_table(25, 3, 0.2)
    fake["x"][:5] *= 100  # outside of the range of the real numbers
    fake["constant"][:3] = 7.1
    for table in (train, held_out, fake):
        del table["tiny"]
    ranges = [
        np.nanmax(both) - np.nanmin(both) if both.dtype != object and not np.isnan(both).all() else None
        for both in (np.concatenate([train[name], held_out[name]]) for name in train)
    ]
    ranges = [1e-9 if extent == 0 else extent for extent in ranges]
    train_rows, held_rows, fake_rows = ([*zip(*table.values())] for table in (train, held_out, fake))
    to_train, to_held, between = (
        np.array([min(distance(a, b, ranges) for b in real) for a in others])
        for real, others in ((train_rows, fake_rows), (held_rows, fake_rows), (train_rows, held_rows))
    )
    found = distance_to_closest_record(train, held_out, fake, quantiles=[0.05, 0.5])
    assert found.fake == {p: pytest.approx(np.quantile(to_train, p), abs=1e-6) for p in (0.05, 0.5)}
    assert found.held_out == {p: pytest.approx(np.quantile(between, p), abs=1e-6) for p in (0.05, 0.5)}
    ties = np.abs(to_train - to_held) < 1e-6
    assert found.share == pytest.approx(np.where(ties, 0.5, to_train < to_held).mean())
    assert ties.sum() < 10 and found.copies == 0


def test_copies_of_training_rows_are_detected():
    train, held_out, other = (random_table(200, seed) for seed in (1, 2, 3))
    found = distance_to_closest_record(train, held_out, train)
    assert isinstance(found, ClosestRecords) and found.share > 0.99 and found.copies == 1
    assert found.fake == {0.05: 0, 0.5: 0, 0.95: 0} and found.held_out[0.5] > 0.005
    found = distance_to_closest_record(train, held_out, other)
    assert 0.35 < found.share < 0.65 and found.copies == 0
    noisy = distance_to_closest_record(train, held_out, {**noise({**other, "empty": np.zeros(200)})})
    assert noisy.fake[0.5] > 2 * found.fake[0.5]


def test_a_smaller_held_out_set_warns_and_is_not_denser():
    train, held_out, fake = random_table(400, 1), random_table(100, 2), random_table(300, 3)
    with pytest.warns(UserWarning, match="Only 100 of the 400 rows of `train` are used for the share"):
        found = distance_to_closest_record(train, held_out, fake)
    assert 0.35 < found.share < 0.65
    with pytest.warns(UserWarning, match="Only 100"):
        assert distance_to_closest_record(train, held_out, train).copies == 1  # not only those of the drawn rows


def test_rows_without_differences_are_ties():
    same = {"x": np.array([1.0]), "c": words(None)}
    assert distance_to_closest_record(same, same, same) == (0.5, *[{0.05: 0, 0.5: 0, 0.95: 0}] * 2, 1.0)


def test_one_row_constant_and_missing_columns_are_supported():
    one = {"x": np.array([3]), "c": words("a")}
    assert column_shapes(one, one).score == 1.0
    with pytest.warns(UserWarning, match="score of the column pair trends is NaN"):
        assert np.isnan(column_pair_trends(one, one).score)
    empty = {"x": np.array([NAN, NAN]), "c": words(None, None)}
    with pytest.warns(UserWarning, match="score of the column shapes is NaN, because in each column all values"):
        assert np.isnan(column_shapes(empty, empty).score)
    with pytest.warns(UserWarning, match="column pair trends is NaN"):
        assert np.isnan(column_pair_trends(empty, empty).score)
    constant = {"x": np.ones(4), "y": np.arange(4), "c": words(*"aabb")}
    assert column_shapes(constant, constant).columns == {"x": 1.0, "y": 1.0, "c": 1.0}
    assert [np.isnan(x) for x in column_pair_trends(constant, constant).pairs.values()] == [True, True, False]
    unseen = {"x": np.array([3]), "c": words("never seen")}
    assert column_shapes(one, unseen).columns == {"x": 1.0, "c": pytest.approx(0, abs=1e-5)}


GOOD = {"age": np.array([39.0, 50.0]), "sex": words("Male", None)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Age": GOOD["age"]}, r"`real` and `fake` must have the same columns, but only `fake` has 'Age'\."),
        ({"sex": None}, r"the same columns, but only `real` has 'sex'\."),
        ({"sex": None, "Sex": GOOD["sex"]}, "but only `real` has 'sex' and only `fake` has 'Sex'"),
        ({"age": None, "sex": None}, "`fake` has no columns"),
        ({"age": np.zeros(0), "sex": words()}, "`fake` must have at least 1 row, got 0"),
        ({"age": np.zeros(3)}, "`fake` must have the same length, but 'sex' has 2 rows and 'age' has 3"),
        ({"age": np.zeros((2, 2))}, r"Column 'age' of `fake` must be one-dimensional, got the shape \(2, 2\)"),
        ({"age": np.array([1, -np.inf])}, r"Column 'age' of `fake` must be finite, but row 1 \(from 0\) contains -inf"),
        (
            {"age": words("39", "fifty")},
            r"'age' contains numbers in `real` but categories in `fake`: row 1 \(from 0\) contains 'fifty'",
        ),
        ({"age": words("39", "50")}, r"categories in `fake`: row 0 \(from 0\) contains '39'"),
        ({"age": words(None, None)}, r"categories in `fake`: row 0 \(from 0\) contains None"),
        ({"sex": np.array([1, 2])}, r"'sex' contains numbers in `fake` but categories in `real`: row 0 .* 'Male'"),
        (
            {"age": words(39, "x")},
            r"Column 'age' of `fake` must contain strings or booleans, .* row 0 \(from 0\) .* 39",
        ),
        ({"sex": words("Male", 1.5)}, r"but row 1 \(from 0\) contains 1.5\. Pass numbers as an array of floats"),
        ({"age": np.array(["2020-01-01"] * 2, "M8[D]")}, r"got datetime64\[D\]\. Convert dates to numbers"),
        ({"age": np.zeros(2, complex)}, "must contain numbers or strings, got complex128"),
    ],
)
@pytest.mark.parametrize("metric", [column_shapes, column_pair_trends])
def test_malformed_tables_raise(metric, change, message):
    fake = {name: column for name, column in {**GOOD, **change}.items() if column is not None}
    with pytest.raises(ValueError, match=message):
        metric(GOOD, fake)


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match=r"`min_correlation` must be from 0 to 1, got 1\.5\."):
        column_pair_trends(GOOD, GOOD, min_correlation=1.5)
    with pytest.raises(ValueError, match=r"`min_association` must be from 0 to 1, got nan\."):
        column_pair_trends(GOOD, GOOD, min_association=NAN)
    with pytest.raises(ValueError, match=r"`quantiles` must be from 0 to 1, got 5\."):
        distance_to_closest_record(GOOD, GOOD, GOOD, quantiles=[5])
    with pytest.raises(ValueError, match="only `train` has 'sex'"):
        distance_to_closest_record(GOOD, GOOD, {"age": GOOD["age"]})
    with pytest.raises(ValueError, match="`held_out` must have at least 1 row, got 0"):
        distance_to_closest_record(GOOD, rows(GOOD, slice(0)), GOOD)


def test_tables_become_floats_and_objects():
    (found,) = as_tables({"i": np.array([1, 2], np.int8), "b": np.array([True, False]), "s": np.array(["a", "b"])})
    assert found["i"].dtype == np.float64 and is_number(found["i"])
    assert found["b"].tolist() == [True, False] and not is_number(found["b"])
    assert found["s"].tolist() == ["a", "b"] and not is_number(found["s"])
    (found,) = as_tables({"c": words("a", float("nan"), np.float64("nan"), None)})
    assert found["c"].tolist() == ["a", None, None, None]
