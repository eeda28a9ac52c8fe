"""Tables as a medium: files with the columns of the data, pictures, metrics and conditions."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from jaxgan import media
from jaxgan.data import NamedArrays, tables
from jaxgan.drawing.legend import REAL
from jaxgan.evaluation import scores
from jaxgan.media import Table

pytest.importorskip("sklearn")

COLUMNS = ["name", "born", "member", "score", "visits"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("table") / "people.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for i in range(200):
            born = f"19{50 + i % 40}-0{1 + i % 9}-15"
            score = "" if i % 7 == 0 else f"{rng.normal(5, 2):.2f}"
            out.writerow([("Ann", "Bob,", "Eva")[i % 3], born, ("no", "yes")[i % 2], score, 2 * (i % 3) + i % 5])
    return tables.load(str(path), types={"member": "boolean"})


@pytest.fixture(scope="module")
def medium(source):
    return Table(**source.details)


def test_networks_receive_the_encoded_rows_only(source, medium):
    medium.check(source)
    batch = source.read(np.arange(4))
    assert list(medium.normalize(batch)) == ["row"]
    assert media.normalized_shape(medium, source) == source.shape
    decoded = medium.decode(batch["row"])
    np.testing.assert_allclose(decoded["values"], batch["values"], atol=1e-6)
    assert media.from_record(json.loads(json.dumps(media.record(medium))), source.shape) == medium


def test_csv_files_have_the_columns_of_the_data(source, medium, tmp_path):
    rows = source.arrays["row"]
    medium.save(tmp_path / "fake.csv", rows, "test")
    found = tables.read_table(tmp_path / "fake.csv", types={"member": "boolean"})
    assert list(found.names) == COLUMNS
    assert [c.kind for c in found.columns] == [c.type.kind for c in medium.columns]
    values = np.stack([column.values for column in found.columns], 1)
    np.testing.assert_allclose(values, source.arrays["values"], atol=1e-6)
    assert '"Bob,"' in (tmp_path / "fake.csv").read_text()


def test_npz_files_of_columns_with_the_names_of_arguments_are_read_again(tmp_path):
    rng = np.random.default_rng(0)
    names = ["file", "allow_pickle", "labels", "a/b"]
    np.savetxt(tmp_path / "x.csv", rng.normal(size=(100, 4)), delimiter=",", header=",".join(names), comments="")
    source = tables.load(str(tmp_path / "x.csv"), test_fraction=0)
    medium = Table(**source.details)
    medium.save(tmp_path / "fake.npz", source.arrays["row"], "test")
    again = tables.load(str(tmp_path / "fake.npz"), test_fraction=0)
    assert [column.name for column in Table(**again.details).columns] == names
    np.testing.assert_allclose(again.arrays["values"], source.arrays["values"], atol=1e-6)


def test_parquet_and_npz_files_have_the_types_of_the_columns(source, medium, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    rows, values = source.arrays["row"], source.arrays["values"]
    medium.save(tmp_path / "fake.parquet", rows, "test")
    frame = pandas.read_parquet(tmp_path / "fake.parquet")
    assert list(frame) == COLUMNS and frame["member"].dtype == bool and frame["visits"].dtype == "int64"
    assert frame["born"].dtype.kind == "M" and frame["score"].isna().sum() == np.isnan(values[:, 3]).sum() > 0
    for suffix in (".parquet", ".npz"):
        medium.save(tmp_path / f"fake{suffix}", rows, "test")
        found = tables.read_table(tmp_path / f"fake{suffix}")
        np.testing.assert_allclose([c.values for c in found.columns[1:2]], [values[:, 1]])
        np.testing.assert_allclose(found.column("score").values, values[:, 3], atol=1e-6)


def test_pictures_show_the_distributions(source, medium, tmp_path):
    picture = medium.view(source.arrays["row"])
    assert picture.ndim == 4 and picture.shape[0] == 1 and picture.shape[3] == 3 and picture.dtype == np.uint8
    other = medium.view(source.arrays["row"][:20])
    assert picture.shape == other.shape and (picture != other).any()
    batch = source.read(np.arange(len(source)))
    (compared,) = medium.compare(batch, medium.decode(source.arrays["row"][:50])).values()
    assert (compared == REAL).all(-1).any() and (compared == (31, 98, 170)).all(-1).any()
    medium.save(tmp_path / "fake.png", source.arrays["row"], "test")
    assert Image.open(tmp_path / "fake.png").size[0] >= picture.shape[2]


@pytest.mark.filterwarnings("ignore:Only 40 of the 160 rows:UserWarning")  # there are fewer test rows
def test_metrics_of_real_rows(source, medium):
    names = ["column_shapes", "pair_trends", "closest_records", "detection", "tstr"]
    found = scores.compare(source, source, names, None, key="row", known=medium.metrics)
    assert found["column_shapes"] == found["copies"] == 1 and found["detection"] < 0.6
    assert found["f1"] == found["f1_of_data"] and found["closest_median"] == 0
    noise = NamedArrays({"row": source.arrays["row"], "values": source.arrays["values"][::-1].copy()})
    swapped = noise.arrays["values"].copy()
    swapped[:, 0] = 0
    noise = dataclasses.replace(noise, arrays={"row": noise.arrays["row"], "values": swapped})
    worse = scores.compare(noise, source, ["column_shapes"], None, key="row", known=medium.metrics)
    assert worse["column_shapes"] < 0.9


def test_metrics_that_need_test_rows_say_so(source, medium):
    alone = dataclasses.replace(source, test=None)
    with pytest.raises(ValueError, match=r"The metric tstr requires test rows, but .*people.csv has none"):
        scores.compare(alone, alone, ["tstr"], None, key="row", known=medium.metrics)


def test_the_quick_score_has_at_most_64_features(source, medium):
    assert medium.coarse(source.arrays["row"]).shape == (len(source), min(64, source.shape[0]))


def test_conditions_are_found_by_name(medium):
    assert medium.find_category("name", "Eva") == (0, medium.columns[0].type.categories.index("Eva"))
    assert medium.find_category("member", "yes") == (1, 1)
    with pytest.raises(ValueError, match=r"There is no column 'nmae'. Did you mean 'name'"):
        medium.find_category("nmae", "Eva")
    with pytest.raises(ValueError, match=r"Column 'name' has no category 'eva'. Did you mean 'Eva'"):
        medium.find_category("name", "eva")
    with pytest.raises(ValueError, match="Column 'score' contains numbers, but a condition is a category"):
        medium.find_category("score", "3")


def test_invalid_media_and_sources_are_refused(source, medium):
    with pytest.raises(ValueError, match=r"`columns` must have at least one column"):
        Table(())
    with pytest.raises(ValueError, match=r"`target` must be a column of categories \(name, member\), got 'score'"):
        Table(**source.details, target="score")
    with pytest.raises(ValueError, match="this experiment requires encoded rows, of shape"):
        medium.check(NamedArrays({"row": np.zeros((4, 3))}))


def test_advice_about_small_tables_and_identifiers(source, medium):
    few, *_ = medium.advice(None, source)
    assert "has 160 rows for training, which a critic can memorise" in few
