"""The networks of CTGAN: heads of rows, packs, conditions, and training by sampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import sample_keys
from jaxgan.models import ctgan

HEADS = (0, 3, 2, 4)  # a number with three modes, and two columns of categories


def outputs(count=6, seed=0):
    return jax.random.normal(jax.random.key(seed), (count, ctgan.row_size(HEADS)))


def conditions(counts=((90, 10), (1, 9, 30, 60))):
    return ctgan.Conditions(HEADS, (2, 3), counts)


def one_hot_rows(first, second):
    number = np.zeros((len(first), 4))
    return np.concatenate([number, np.eye(2)[first], np.eye(4)[second]], axis=1).astype(np.float32)


def test_activate_is_a_softmax_for_each_head_and_tanh_for_numbers():
    x, noise = outputs(), ctgan.gumbel_noise(sample_keys(0, 6), HEADS)
    rows = ctgan.activate(x, noise, HEADS, temperature=0.5)
    np.testing.assert_allclose(rows[:, 0], np.tanh(x[:, 0]), rtol=1e-6)
    for part in (slice(1, 4), slice(4, 6), slice(6, 10)):
        np.testing.assert_allclose(rows[:, part], jax.nn.softmax((x + noise)[:, part] / 0.5), rtol=2e-5, atol=1e-7)


def test_activate_has_finite_gradients_for_large_outputs():
    def loss(x):
        return jnp.square(ctgan.activate(x, jnp.zeros_like(x), HEADS)).sum()

    assert np.isfinite(jax.grad(loss)(1e4 * outputs())).all()


def test_gumbel_softmax_draws_categories_with_the_probabilities_of_the_softmax():
    x = jnp.broadcast_to(outputs(1), (4000, 10))
    rows = ctgan.activate(x, ctgan.gumbel_noise(sample_keys(1, 4000), HEADS), HEADS)
    shares = np.eye(4)[np.argmax(rows[:, 6:], 1)].mean(0)
    np.testing.assert_allclose(shares, jax.nn.softmax(x[0, 6:]), atol=0.03)


def test_the_critic_judges_packs_of_neighbouring_rows():
    critic = ctgan.Critic(pac=2, hidden=(8,))
    x = jax.random.normal(jax.random.key(1), (6, 5))
    variables = critic.init(jax.random.key(0), x)
    values = critic.apply(variables, x)
    assert values.shape == (3,)
    changed = critic.apply(variables, x.at[3].add(1))
    assert (values != changed).tolist() == [False, True, False]


def test_the_dropout_of_a_pack_depends_on_its_own_key():
    critic = ctgan.Critic(pac=2, hidden=(64,))
    x = jax.random.normal(jax.random.key(1), (6, 5))
    variables, keys = critic.init(jax.random.key(0), x), sample_keys(0, 6)
    values = critic.apply(variables, x, keys=keys)
    assert (values != critic.apply(variables, x)).all()
    np.testing.assert_allclose(critic.apply(variables, x[2:4], keys=keys[2:4]), values[1:2], rtol=1e-5)


def test_the_critic_refuses_rows_that_do_not_fill_packs():
    with pytest.raises(ValueError, match=r"`pac` must divide the number of rows on each device, 6, got 4\."):
        ctgan.in_packs(jnp.zeros((6, 3)), 4)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_generator_depends_on_its_condition(norm):
    generator = ctgan.Generator(HEADS, hidden=(16, 16), norm=norm)
    z, c = jnp.ones((4, 3)), conditions().vectors(jnp.arange(4))
    variables = generator.init(jax.random.key(0), z, c, train=False)
    x = generator.apply(variables, z, c, train=False)
    assert x.shape == (4, 10) and len(np.unique(np.asarray(x[:, 0]))) == 4
    assert ("batch_stats" in variables) == (norm == "batch")


def test_the_generator_refuses_instance_normalisation():
    with pytest.raises(ValueError, match="`norm` must be 'batch' or 'none' for rows of tables, got 'instance'"):
        ctgan.Generator(HEADS, norm="instance").init(jax.random.key(0), jnp.ones((2, 3)), train=False)


def test_training_by_sampling_has_the_distribution_of_the_paper():
    # Draw rows by their weights and then the column, and compare with: the column, the category, and then the row.
    rng = np.random.default_rng(0)
    first = rng.choice(2, 1000, p=[0.9, 0.1])
    second = np.where(first, rng.choice(4, 1000, p=[0.1, 0.1, 0.1, 0.7]), rng.choice(4, 1000, p=[0.01, 0.09, 0.4, 0.5]))
    rows, counts = one_hot_rows(first, second), (np.bincount(first), np.bincount(second))
    drawn = conditions(counts)
    weights = drawn.weights(rows)
    expected = np.zeros((1000, 6))
    for column, start, cells in ((first, 0, counts[0]), (second, 2, counts[1])):
        shares = np.log1p(cells) / np.log1p(cells).sum()
        expected[np.arange(1000), start + column] = 0.5 * shares[column] / cells[column]
    np.testing.assert_allclose(weights, expected.sum(1), rtol=1e-9)
    count = 40_000
    chosen = rng.choice(1000, count, p=weights)
    found = np.bincount(drawn.draw(sample_keys(3, count), jnp.asarray(rows[chosen])), minlength=6) / count
    np.testing.assert_allclose(found, expected.sum(0), atol=0.01)


def test_a_drawn_condition_is_a_category_of_the_row():
    rows = one_hot_rows([0, 1, 1], [3, 0, 2])
    numbers = np.asarray(conditions().draw(sample_keys(0, 3), jnp.asarray(rows)))
    assert (rows[np.arange(3), conditions().elements[numbers]] == 1).all()


def test_conditions_of_samples_have_the_frequencies_of_the_categories():
    numbers = conditions().draw_for_sampling(sample_keys(0, 20_000))
    shares = np.bincount(numbers, minlength=6) / 20_000
    np.testing.assert_allclose(shares, [0.45, 0.05, 0.005, 0.045, 0.15, 0.3], atol=0.01)


def test_the_loss_of_a_condition_is_the_cross_entropy_of_its_column():
    x, numbers = outputs(3), jnp.array([1, 2, 5])
    expected = [-jax.nn.log_softmax(x[0, 4:6])[1], -jax.nn.log_softmax(x[1, 6:])[0], -jax.nn.log_softmax(x[2, 6:])[3]]
    np.testing.assert_allclose(conditions().losses(x, numbers), expected, rtol=1e-5)


def test_conditions_need_a_count_for_each_category():
    with pytest.raises(ValueError, match=r"`counts` must have \(2, 4\) numbers, got \(2, 3\)"):
        conditions(((1, 2), (1, 2, 3)))


def test_a_condition_with_the_choice_that_it_forces_is_always_generated():
    numbers = jnp.array([0, 5])
    rows = ctgan.activate(conditions().forced(outputs(2), numbers), jnp.zeros((2, 10)), HEADS)
    assert np.argmax(rows[0, 4:6]) == 0 and np.argmax(rows[1, 6:]) == 3
