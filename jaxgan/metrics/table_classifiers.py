"""Train classifiers on tables: to detect generated rows, and to measure how useful generated rows are for training.

The tables are described in ``jaxgan.metrics.tables``. The functions require scikit-learn.
"""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxgan.core import extras
from jaxgan.metrics.checks import Table, as_tables, is_known, is_number, warn

MAX_CATEGORIES = 200  # number of categories of a column that become features; the most frequent ones are chosen


class Detection(NamedTuple):
    """The ROC-AUC of a classifier that distinguishes real from generated rows, over the folds of a cross-validation.

    Attributes:
      mean: mean over the folds, from 0 to 1. About 1/2 is ideal: the classifier cannot distinguish the rows. 1 means
        that it distinguishes all of them.
      std: standard deviation over the folds (divisor: number of folds).
    """

    mean: float
    std: float


class ClassifierScore(NamedTuple):
    """The scores of a classifier on real rows, from 0 to 1; higher is better.

    Attributes:
      f1: F1 of the rarer class if the test rows have two classes, else the mean of F1 over the classes.
      roc_auc: area under the ROC curve, 1/2 for a guess; the mean over the classes, each against the others.
    """

    f1: float
    roc_auc: float


class TSTR(NamedTuple):
    """The scores of classifiers that are trained on generated rows and tested on real rows; higher is better.

    Attributes:
      f1: mean of F1 over the classifiers, from 0 to 1.
      roc_auc: mean of the ROC-AUC over the classifiers, from 0 to 1.
      classifiers: the scores of each classifier.
    """

    f1: float
    roc_auc: float
    classifiers: dict[str, ClassifierScore]


def logistic_detection(real: Table, fake: Table, *, folds: int = 3, seed: int = 0) -> Detection:
    """Return the ROC-AUC of a logistic regression that distinguishes real from generated rows.

    The classifier is trained and tested by stratified cross-validation. Its features are standardised numbers, with
    the mean for a missing number and a feature that marks missing numbers, and one feature for each category.

    SDMetrics' LogisticDetection is similar, but reports 2 - 2 max(0.5, AUC) with other features. Because the
    classifier is linear, it detects wrong distributions of columns and almost no wrong dependencies between them.

    Source: Lopez-Paz and Oquab 2017 (1610.06545), classifier two-sample tests.

    Args:
      real, fake: tables of real and of generated rows. They map the names of columns to arrays, [N] and [M].
      folds: number of folds of the cross-validation, at least 2.
      seed: seed of the random assignment of rows to folds.

    Returns:
      The mean and the standard deviation of the ROC-AUC, which is from 0 to 1. The ideal is 1/2.

    Raises:
      ValueError: if the columns differ in name or in kind, if a table is malformed, see ``as_tables``, if it has fewer
        rows than folds, or if ``folds`` is below 2.
      MissingPackageError: if scikit-learn is not installed.
    """
    extras.require("sklearn", user="Detection by a classifier", extra="tables")
    if folds < 2:
        raise ValueError(f"`folds` must be at least 2, got {folds}.")
    real, fake = as_tables(real, fake, least=folds)
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    rows = {name: np.concatenate([real[name], fake[name]]) for name in real}
    is_fake = np.repeat([0, 1], [len(next(iter(table.values()))) for table in (real, fake)])
    scores = []
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(is_fake, is_fake):
        x, y = _features(*({name: column[part] for name, column in rows.items()} for part in (train, test)))
        model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(x, is_fake[train])
        scores.append(roc_auc_score(is_fake[test], model.decision_function(y)))
    return Detection(float(np.mean(scores)), float(np.std(scores)))


def train_on_synthetic_test_on_real(
    fake: Table, test: Table, target: str, *, classifiers: Mapping[str, Any] | None = None, seed: int = 0
) -> TSTR:
    """Return the scores on real rows of classifiers that are trained on generated rows to predict a column.

    Compare the result with the scores of classifiers that are trained on the real training rows: pass these as
    ``fake``. The test rows must not be among the rows on which the generator was trained.

    The features are the same as in ``logistic_detection``. Categories that do not occur in ``fake`` are ignored. Rows
    without a target are left out.

    Source: Esteban et al. 2017 (1706.02633), TSTR; Xu et al. 2019 (1907.00503), the default classifiers.

    Args:
      fake: table of generated rows. It maps the names of columns to arrays, [N].
      test: table of real rows that the generator did not use, with arrays, [M].
      target: name of the column of categories that is predicted.
      classifiers: maps names to scikit-learn classifiers with ``predict_proba``. The default are those of the
        benchmark of CTGAN: a decision tree, AdaBoost, a logistic regression and an MLP with 50 hidden units.
      seed: seed of the default classifiers.

    Returns:
      The scores, from 0 to 1; higher is better.

    Raises:
      ValueError: if the columns differ in name or in kind, if a table is empty or malformed, see ``as_tables``, if
        there are no other columns than ``target``, if it contains numbers or is missing, if ``test`` has only one
        class, or if ``classifiers`` is empty.
      MissingPackageError: if scikit-learn is not installed.

    Warns:
      UserWarning: if ``fake`` has only one class, so that the class is predicted for all rows.
    """
    extras.require("sklearn", user="Training of classifiers on tables", extra="tables")
    fake, test = as_tables(fake, test, names=("fake", "test"))
    fake_target, fake = _split_target(fake, target, "fake")
    test_target, test = _split_target(test, target, "test")
    classes = sorted(set(test_target.tolist()), key=str)
    if len(classes) < 2:
        raise ValueError(f"Column {target!r} of `test` must have at least 2 classes, got only {classes[0]!r}.")
    models = _default_classifiers(seed) if classifiers is None else classifiers
    if not models:
        raise ValueError("`classifiers` must contain at least one classifier.")
    if len(set(fake_target.tolist())) == 1:
        from sklearn.dummy import DummyClassifier

        warn(f"All rows of `fake` have the class {fake_target[0]!r}, which is predicted for all rows of `test`.")
        models = dict.fromkeys(models, DummyClassifier())
    x, y = _features(fake, test)
    scores = {
        name: _score(_fit(model, x, fake_target.astype(str)), y, test_target.astype(str), [str(c) for c in classes])
        for name, model in models.items()
    }
    f1, roc_auc = np.mean(list(scores.values()), axis=0)
    return TSTR(float(f1), float(roc_auc), scores)


def _split_target(table, target, name):
    """Return the target, [N], and the other columns of the rows that have a target."""
    if target not in table:
        raise ValueError(f"`target` must be a column of the tables ({', '.join(table)}), got {target!r}.")
    if len(table) < 2:
        raise ValueError(f"`{name}` must have at least one column besides the target {target!r}.")
    if is_number(table[target]):
        raise ValueError(
            f"`target` must be a column of categories, but {target!r} contains numbers. To use them as classes, "
            "convert the column to strings."
        )
    known = is_known(table[target])
    if not known.any():
        raise ValueError(f"All values of the target {target!r} are missing in `{name}`.")
    return table[target][known], {column: values[known] for column, values in table.items() if column != target}


def _default_classifiers(seed):
    from sklearn.ensemble import AdaBoostClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.tree import DecisionTreeClassifier

    return {
        "decision_tree": DecisionTreeClassifier(
            max_depth=15, min_samples_split=20, class_weight="balanced", random_state=seed
        ),
        "adaboost": AdaBoostClassifier(n_estimators=50, random_state=seed),
        "logistic_regression": LogisticRegression(class_weight="balanced", max_iter=1000),
        "mlp": MLPClassifier((50,), max_iter=50, random_state=seed),
    }


def _fit(model, x, target):
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the benchmark limits the number of steps of the MLP
        unfitted: Any = clone(model)
        return unfitted.fit(x, target)


def _score(model, x, target, classes):
    from sklearn.metrics import roc_auc_score

    predicted, probabilities = model.predict(x), model.predict_proba(x)
    if len(classes) == 2:
        classes = [min(reversed(classes), key=target.tolist().count)]  # if equally frequent, the last one
    column = {c: i for i, c in enumerate(model.classes_)}
    aucs = [
        roc_auc_score(target == c, probabilities[:, column[c]] if c in column else np.zeros(len(x))) for c in classes
    ]
    f1 = [
        2 * np.sum((predicted == c) & (target == c)) / (np.sum(predicted == c) + np.sum(target == c)) for c in classes
    ]
    return ClassifierScore(float(np.mean(f1)), float(np.mean(aucs)))


def _features(train, test):
    """Return the features of two tables, [N, D] and [M, D]. The training rows determine the features."""
    parts = [
        (_numeric_features if is_number(column) else _one_hot)(column, test[name]) for name, column in train.items()
    ]
    return tuple(np.concatenate(part, axis=1) for part in zip(*parts))


def _numeric_features(train, test):
    """Return standardised numbers, with 0 for NaN, and a feature that marks NaN: [N, 2] and [M, 2]."""
    known = train[~np.isnan(train)]
    scale = np.abs(known).max(initial=0) or 1.0  # squares of large numbers would overflow
    mean, std = ((known / scale).mean(), (known / scale).std()) if len(known) else (0.0, 0.0)
    features = []
    for column in (train, test):
        missing = np.isnan(column)
        standardised = np.where(missing, 0, (column / scale - mean) / (std or 1.0))
        features.append(np.stack([standardised, missing], axis=1))
    return features


def _one_hot(train, test):
    """Return one feature for each frequent category of the training rows: [N, K] and [M, K]."""
    values = train.tolist()
    counts = dict.fromkeys(values, 0)
    for value in values:
        counts[value] += 1
    frequent = sorted(counts, key=lambda value: -counts[value])[:MAX_CATEGORIES]
    index = {value: i for i, value in enumerate(frequent)}
    identity = np.concatenate([np.eye(len(frequent)), np.zeros((1, len(frequent)))])
    return [identity[[index.get(value, -1) for value in column.tolist()]] for column in (train, test)]
