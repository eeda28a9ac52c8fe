"""Tests of ``total``: sums, means, names, and refused arguments."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import total
from jaxgan.core.lazy import LazyTerm
from jaxgan.core.terms import RESERVED, Terms


def test_total_adds_the_means_of_its_terms_by_name():
    terms = total(a=jnp.array([1.0, 3.0]), b=2, metrics={"share": jnp.array([True, False])})
    assert isinstance(terms, Terms)
    assert float(terms.loss) == 4.0
    assert {k: float(v) for k, v in terms.terms.items()} == {"a": 2.0, "b": 2.0}
    assert float(terms.metrics["share"]) == 0.5


def test_total_adds_a_lazy_term_and_records_whether_it_was_due():
    lazy = LazyTerm(jnp.array([4.0, 6.0]), jnp.bool_(False))
    terms = total(a=1.0, r1=lazy)
    assert float(terms.loss) == 6.0 and terms.due == {"r1": lazy.due}
    assert float(LazyTerm(jnp.float32(2), jnp.bool_(True))) == 2.0


def test_total_returns_statistics_unchanged():
    stats = {"d": {"spectral": {"u": np.ones(2)}}}
    assert total(a=1.0, stats=stats).stats == stats and total(a=1.0).stats == {}


@pytest.mark.parametrize("name", RESERVED)
def test_names_that_the_game_logs_are_refused(name):
    for given in ({name: 1.0}, {"a": 1.0, "metrics": {name: 1.0}}):
        with pytest.raises(
            ValueError, match=f"The name '{name}' in jaxgan.total is already used.*uses the names 'loss', 'grad_norm'"
        ):
            total(**given)


@pytest.mark.parametrize("where", ["term", "metric", "lazy term"])
def test_more_than_one_value_per_example_is_refused(where):
    x = np.zeros((4, 3), np.float32)
    given = {
        "term": {"a": x},
        "metric": {"metrics": {"a": x}},
        "lazy term": {"a": LazyTerm(jnp.asarray(x), jnp.bool_(True))},
    }
    name = "The metric 'a' of jaxgan.total" if where == "metric" else "The term 'a' of jaxgan.total"
    message = name + r" must be a scalar or an array \[B\] with one value per example, got float32\[4, 3\]. Compute the"
    with pytest.raises(ValueError, match=message):
        total(**given[where])


def test_message_about_a_square_array_explains_broadcasting():
    real_logits, fake_logits = np.zeros((4, 1), np.float32), np.zeros(4, np.float32)
    with pytest.raises(
        ValueError, match=r"got float32\[4, 4\]. An operation on arrays of the shapes \[B, 1\] and \[B\]"
    ):
        total(a=real_logits - fake_logits)


def test_terms_and_metrics_that_are_no_arrays_are_refused():
    message = r"The term 'a' of jaxgan.total must be a scalar or an array \[B\], got an object of type str"
    with pytest.raises(TypeError, match=message):
        total(a="x")
    message = r"The metric 'a' of jaxgan.total must be a scalar or an array \[B\], got an object of type list"
    with pytest.raises(TypeError, match=message):
        total(metrics={"a": [1.0]})
