"""Tests of the classifiers of tables: detection, and training on synthetic rows."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

from jaxgan.core import extras
from jaxgan.metrics import (
    TSTR,
    ClassifierScore,
    Detection,
    logistic_detection,
    table_classifiers,
    train_on_synthetic_test_on_real,
)


def words(*values):
    return np.array(values, object)


def table(count, seed, shift=0.0, classes=("no", "yes")):
    """Return a table with a target that depends on a number and on a category."""
    draws = np.random.default_rng(seed)
    x, kind = draws.normal(size=count), draws.integers(3, size=count)
    score = x + kind + 0.2 * draws.normal(size=count)
    limits = np.quantile(score, np.arange(1, len(classes)) / len(classes))
    return {
        "x": np.where(draws.uniform(size=count) < 0.05, np.nan, x + shift),
        "kind": words(*(("a", "b", None)[k] for k in kind)),
        "constant": np.ones(count),
        "target": words(*(classes[i] for i in np.digitize(score, limits))),
    }


def test_only_different_rows_are_detected():
    found = [logistic_detection(table(600, 0), table(300, 1, shift)) for shift in (0, 0.7, 10)]
    assert isinstance(found[0], Detection) and all(x.std < 0.1 for x in found)
    assert 0.4 < found[0].mean < 0.6 < found[1].mean < 0.9 and found[2].mean > 0.9
    assert logistic_detection(table(600, 0), table(300, 1), seed=1) != found[0]


@pytest.mark.parametrize("column", ["x", "kind"])
def test_missing_values_are_detected(column):
    real, fake = table(300, 0), table(300, 1)
    fake[column] = np.full(300, np.nan) if column == "x" else words(*[None] * 300)
    assert logistic_detection(real, fake).mean > 0.75


def test_detection_with_one_distinct_category_is_perfect():
    """Every real row has the category r, and every fake row has the category f."""
    real, fake = ({"c": words(*[name] * 6)} for name in "rf")
    assert logistic_detection(real, fake) == (1.0, 0.0)
    assert logistic_detection(real, real) == (0.5, 0.0)


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c"), (False, True)])
def test_classifiers_learn_from_rows_of_the_same_distribution(classes):
    test = table(400, 0, classes=classes)
    models = {"tree": DecisionTreeClassifier(max_depth=5, random_state=0)}
    good = train_on_synthetic_test_on_real(table(400, 1, classes=classes), test, "target", classifiers=models)
    assert isinstance(good, TSTR) and list(good.classifiers) == ["tree"]
    assert good.f1 == good.classifiers["tree"].f1 > 0.85 and good.roc_auc > 0.9
    noise = table(400, 1, classes=classes)
    noise["target"] = np.random.default_rng(0).permutation(noise["target"])
    bad = train_on_synthetic_test_on_real(noise, test, "target", classifiers=models)
    assert bad.f1 < 0.65 and 0.35 < bad.roc_auc < 0.65


def test_default_classifiers_are_those_of_the_benchmark():
    found = train_on_synthetic_test_on_real(table(300, 1), table(300, 0), "target")
    assert list(found.classifiers) == ["decision_tree", "adaboost", "logistic_regression", "mlp"]
    assert found.f1 == pytest.approx(np.mean([score.f1 for score in found.classifiers.values()]))
    assert found.roc_auc == pytest.approx(np.mean([score.roc_auc for score in found.classifiers.values()]))
    assert min(score.roc_auc for score in found.classifiers.values()) > 0.9
    assert found == train_on_synthetic_test_on_real(table(300, 1), table(300, 0), "target")


def test_scores_agree_with_a_hand_count():
    """The tree predicts yes for a. F1 of yes, the rarer class, is 2 * 2 / (3 + 2), but F1 of no is 2 * 3 / (3 + 4).

    Among the pairs of a yes and a no, 2 x 3 are in order and 2 x 1 are equal, so that the AUC is 7/8.
    """
    fake = {"c": words("a", "b"), "y": words("yes", "no")}
    test = {"c": words(*"aaabbb"), "y": words("yes", "yes", *["no"] * 4)}
    found = train_on_synthetic_test_on_real(fake, test, "y", classifiers={"tree": DecisionTreeClassifier()})
    assert found.classifiers == {"tree": ClassifierScore(pytest.approx(0.8), pytest.approx(7 / 8))}


def test_a_class_that_is_missing_in_the_fake_rows_has_no_hits():
    """F1 is 1, 2/3 and 0: rows of c are predicted as b. AUCs are 1, 3/4 and 1/2."""
    test = {"c": words("a", "b", "c"), "y": words("A", "B", "C")}
    fake = {"c": words("a", "b", "c"), "y": words("A", "B", "B")}
    found = train_on_synthetic_test_on_real(fake, test, "y", classifiers={"tree": DecisionTreeClassifier()})
    assert (found.f1, found.roc_auc) == (pytest.approx((1 + 2 / 3 + 0) / 3), pytest.approx((1 + 0.75 + 0.5) / 3))


def test_fake_rows_of_one_class_warn():
    fake, test = table(50, 1), table(50, 0)
    fake["target"][:] = "no"
    with pytest.warns(UserWarning, match="All rows of `fake` have the class 'no', which is predicted for all rows"):
        found = train_on_synthetic_test_on_real(fake, test, "target")
    assert (found.f1, found.roc_auc) == (0.0, 0.5)


def test_categories_that_are_unseen_in_the_fake_rows_are_ignored():
    fake, test = table(200, 1), table(200, 0)
    test["kind"][:] = "never seen"
    models = {"tree": DecisionTreeClassifier(max_depth=5, random_state=0)}
    assert train_on_synthetic_test_on_real(fake, test, "target", classifiers=models).roc_auc > 0.6


def test_rare_categories_beyond_the_limit_become_no_features(monkeypatch):
    monkeypatch.setattr(table_classifiers, "MAX_CATEGORIES", 2)
    train, test = table_classifiers._one_hot(words("a", "b", "b", "c", "c"), words("c", "a", None))
    assert train.tolist() == [[0, 0], [1, 0], [1, 0], [0, 1], [0, 1]]
    assert test.tolist() == [[0, 1], [0, 0], [0, 0]]


def test_numbers_are_standardised_by_the_training_rows():
    train, test = table_classifiers._numeric_features(np.array([1e300, 3e300, np.nan]), np.array([3e300, np.nan]))
    np.testing.assert_allclose(train, [[-1, 0], [1, 0], [0, 1]])
    np.testing.assert_allclose(test, [[1, 0], [0, 1]])
    train, _ = table_classifiers._numeric_features(np.array([np.nan]), np.array([2.0]))
    assert train.tolist() == [[0, 1]]


def test_invalid_arguments_raise():
    good = table(20, 0)
    with pytest.raises(ValueError, match="`folds` must be at least 2, got 1"):
        logistic_detection(good, good, folds=1)
    with pytest.raises(ValueError, match="`fake` must have at least 3 rows, got 2"):
        logistic_detection(good, {name: column[:2] for name, column in good.items()})
    with pytest.raises(
        ValueError, match=r"`target` must be a column of the tables \(x, kind, constant, target\), got 'y'"
    ):
        train_on_synthetic_test_on_real(good, good, "y")
    with pytest.raises(
        ValueError, match=r"'x' contains numbers\. To use them as classes, convert the column to strings"
    ):
        train_on_synthetic_test_on_real(good, good, "x")
    with pytest.raises(ValueError, match="`fake` must have at least one column besides the target 'target'"):
        train_on_synthetic_test_on_real(*[{"target": good["target"]}] * 2, "target")
    with pytest.raises(ValueError, match="All values of the target 'target' are missing in `fake`"):
        train_on_synthetic_test_on_real({**good, "target": words(*[None] * 20)}, good, "target")
    with pytest.raises(ValueError, match="Column 'target' of `test` must have at least 2 classes, got only 'no'"):
        train_on_synthetic_test_on_real(good, {**good, "target": words(*["no"] * 20)}, "target")
    with pytest.raises(ValueError, match="`classifiers` must contain at least one classifier"):
        train_on_synthetic_test_on_real(good, good, "target", classifiers={})
    with pytest.raises(ValueError, match="only `fake` has 'more'"):
        train_on_synthetic_test_on_real(
            {**good, "more": good["x"]}, good, "target", classifiers={"d": DummyClassifier()}
        )


def test_a_missing_scikit_learn_is_reported(monkeypatch):
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    good = table(20, 0)
    message = r"requires scikit-learn\. To fix this, run: pip install 'jaxgan\[tables\]'"
    with pytest.raises(extras.MissingPackageError, match="Detection by a classifier " + message):
        logistic_detection(good, good)
    with pytest.raises(extras.MissingPackageError, match="Training of classifiers on tables " + message):
        train_on_synthetic_test_on_real(good, good, "target")
