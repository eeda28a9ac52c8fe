"""The experiment ctgan: conditions of samples, training by sampling, and private training."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments import ctgan
from jaxgan.data import NamedArrays, tables
from jaxgan.data.description import blank_source, describe_arrays
from jaxgan.experiment.dp_training import make_private, privacy_spent

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def source():
    return tables.load()


@pytest.fixture(scope="module")
def experiment(source):
    return ctgan.build(ctgan.Config.tiny(), source)


def state_of(experiment):
    return jax.jit(experiment.game.init)(jax.random.key(0))


def test_samples_have_the_category_of_the_condition(experiment):
    z = experiment.draw_latents(0, np.arange(30))
    rows = experiment.sampler()(state_of(experiment), experiment.sampling.condition(z, {"species": "Gentoo"}))
    assert set(experiment.medium.table(experiment.medium.decode(rows)["values"])["species"]) == {"Gentoo"}
    with pytest.raises(ValueError, match=r"Column 'species' has no category 'Gento'. Did you mean 'Gentoo'"):
        experiment.sampling.condition(z, {"species": "Gento"})
    with pytest.raises(ValueError, match=r"`where` must name one column, .* got species, sex"):
        experiment.sampling.condition(z, {"species": "Gentoo", "sex": "male"})


def test_a_sample_does_not_depend_on_the_number_of_samples(experiment):
    state = state_of(experiment)
    few, many = (experiment.sampler(count)(state, experiment.draw_latents(3, np.arange(count))) for count in (5, 20))
    np.testing.assert_allclose(few, many[:5], atol=1e-5)


def test_rare_categories_are_drawn_more_often(experiment):
    weights, columns = experiment.source.weights, experiment.medium.columns
    sex = experiment.source.arrays["values"][:, [c.name for c in columns].index("sex")]
    missing = np.isnan(sex)
    assert weights[missing].mean() > 2 * weights[~missing].mean()


def test_settings_say_how_a_text_file_is_read(tmp_path):
    path = tmp_path / "towns.txt"
    path.write_bytes("".join(f"K\xf6ln|{i},5|{i % 3}\n" for i in range(40)).encode("latin-1"))
    config = ctgan.Config.tiny(data=str(path), delimiter="|", encoding="latin-1", header=False)
    medium = ctgan.build(dataclasses.replace(config, types=("column 3=category",))).medium
    assert [column.type.kind for column in medium.columns] == ["category", "number", "category"]
    assert medium.summary().rows[0] == ("column 1", "category", "K\xf6ln", "")


def test_a_source_without_the_data_has_the_same_columns(experiment, source):
    blank = blank_source(describe_arrays(source), has_inputs=False)
    again = ctgan.build(ctgan.Config.tiny(), blank)
    assert again.medium == experiment.medium


def test_private_training_needs_single_rows_and_equal_weights(source):
    with pytest.raises(ValueError, match="`dp_noise_multiplier` requires `pac` 1, `norm` none and no `conditional`"):
        ctgan.build(ctgan.Config.tiny(dp_noise_multiplier=1.0), source)
    pytest.importorskip("dp_accounting")
    config = dataclasses.replace(ctgan.Config.tiny(), **ctgan.PRESETS["private"])
    private = make_private(ctgan.build(config, source), config)
    assert private.source.weights is None and private.sampling.condition is None
    assert private.game.private_players == ("d",)
    told = privacy_spent(private, config, 10)["summary"]
    assert told.endswith(
        " Epsilon does not cover the names, the types, the modes and the bounds of the columns and their categories: they "
        "were found in the data without noise."
    )
    weighted = dataclasses.replace(private.source, weights=np.ones(len(source)), checked=True)
    with pytest.raises(ValueError, match="cannot be used with data that have weights"):
        make_private(dataclasses.replace(ctgan.build(config, source), source=weighted), config)


def test_settings_are_checked(source):
    with pytest.raises(ValueError, match="`batch_size` must be a multiple of `pac` 10, got 25"):
        ctgan.build(ctgan.Config.tiny(batch_size=25, pac=10), source)
    with pytest.raises(
        ValueError, match="`types` must be names of columns with their types, such as age=category, got year"
    ):
        ctgan.build(ctgan.Config.tiny(types=("year",)))


def test_a_table_of_numbers_has_no_conditions():
    numbers = tables.load(columns=["bill_depth_mm", "year"], types={"year": "number"})
    experiment = ctgan.build(ctgan.Config.tiny(), numbers)
    assert isinstance(experiment.source, NamedArrays) and experiment.source.weights is None
    rows = experiment.sampler()(state_of(experiment), experiment.draw_latents(0, np.arange(4)))
    assert rows.shape == (4, *numbers.shape)
