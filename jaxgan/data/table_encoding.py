"""Encode the rows of tables as vectors that networks can generate, and decode them: Xu et al. 2019, section 4.2.

The values of a column are float64 numbers, [N], as ``jaxgan.data.table_files`` reads them. A number becomes a mode of a
Gaussian mixture, a one-hot vector, and its place within the mode, a number in [-1, 1] (arXiv:1907.00503, mode-specific
normalisation). A category becomes a one-hot vector. A missing value is one more mode, or one more category.
"""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from jaxgan.core import extras
from jaxgan.core.text import quote
from jaxgan.data.columns import Column, ColumnType

MODES = 10  # maximum number of modes of a column (paper: 10)
STDS = 4  # number of standard deviations on each side of a mode that are represented (paper: 4)
FREQUENT = 0.1  # a number in at least this fraction of the rows is a mode of its own
MIN_WEIGHT = 0.005  # modes with a smaller weight are left out
FIT_ROWS = 10_000  # maximum number of rows that the mixture of a column is fitted to
MAX_CATEGORIES = 1000  # maximum number of categories of a column
STEPS_OF_DATES = (86_400.0, 3600.0, 60.0, 1.0)  # a day, an hour, a minute and a second, in seconds
BLOCK = 2**16  # number of rows that are encoded at once


@dataclasses.dataclass(frozen=True)
class ColumnEncoding:
    """How the values of a column are encoded as vectors of D elements. All fields can be stored as JSON.

    Attributes:
      type: the type of the column.
      means, stds, weights: the means, standard deviations and weights of the modes of a column of numbers, in the units
        of the column; empty for categories.
      low, high: the smallest and the largest number. Decoded numbers are clipped to them.
      step: decoded numbers are multiples of this number; 0 if they are not rounded.
      counts: the number of rows that have each category; empty for numbers.
      missing: the number of rows without a value. If it is 0, no value is decoded as missing.
    """

    type: ColumnType
    means: tuple[float, ...] = ()
    stds: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    counts: tuple[int, ...] = ()
    missing: int = 0

    def __post_init__(self):
        if isinstance(self.type, Mapping):
            object.__setattr__(self, "type", ColumnType(**self.type))
        for name in ("means", "stds", "weights", "counts"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def name(self) -> str:
        """The name of the column."""
        return self.type.name

    @property
    def is_number(self) -> bool:
        """Whether the values are encoded as numbers; otherwise, they are categories."""
        return bool(self.means)

    @property
    def choices(self) -> int:
        """The number of modes or of categories, with one more if values can be missing."""
        return len(self.means or self.counts) + bool(self.missing)

    @property
    def heads(self) -> tuple[int, ...]:
        """The heads of the column, as for ``jaxgan.models.ctgan``: (0, modes) for numbers, or (categories,)."""
        return (0, self.choices) if self.is_number else (self.choices,)

    @property
    def size(self) -> int:
        """The number of elements D of an encoded value."""
        return self.choices + self.is_number

    @property
    def choice_counts(self) -> tuple[int, ...]:
        """The number of rows that have each category, and of rows without a value if there are any."""
        return (*self.counts, self.missing) if self.missing else self.counts

    def encode(self, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return encoded values, float32 [N, D].

        Args:
          values: the values, float64 [N], NaN where a value is missing.
          rng: draws the mode of each number, with the probability of the mode given the number.

        Raises:
          ValueError: if a value is missing, but no value was missing when the encoding was fitted.
        """
        missing = np.isnan(values)
        if missing.any() and not self.missing:
            raise ValueError(
                f"Column {quote(self.name)} has no value in the example with index {int(missing.argmax()):,}, but no "
                "values were missing in the rows that the encoding was fitted to."
            )
        encoded = np.zeros((len(values), self.size), np.float32)
        rows = np.arange(len(values))
        if self.is_number:
            modes = self._draw_modes(np.where(missing, self.means[0], values), rng)
            alphas = (values - np.array(self.means)[modes]) / (STDS * np.array(self.stds)[modes])
            encoded[:, 0] = np.where(missing, 0, np.clip(alphas, -1, 1))
            encoded[rows, 1 + np.where(missing, len(self.means), modes)] = 1
        else:
            encoded[rows, np.where(missing, len(self.counts), values).astype(int)] = 1
        return encoded

    def _draw_modes(self, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the index of a mode for each number, [N]."""
        means, stds, weights = np.array(self.means), np.array(self.stds), np.array(self.weights)
        modes = np.empty(len(values), int)
        for start in range(0, len(values), BLOCK):
            block = slice(start, start + BLOCK)
            logits = np.log(weights / stds) - ((values[block, None] - means) / stds) ** 2 / 2
            modes[block] = (logits + rng.gumbel(size=logits.shape)).argmax(1)
        return modes

    def decode(self, encoded: np.ndarray) -> np.ndarray:
        """Return the values, float64 [N], NaN where a value is missing.

        Args:
          encoded: encoded values, [N, D]. One-hot vectors can be probabilities; the largest one counts.
        """
        choices = encoded[:, self.is_number :].argmax(1)
        if not self.is_number:
            return np.where(choices < len(self.counts), choices, np.nan)
        modes = np.minimum(choices, len(self.means) - 1)
        alphas = np.clip(encoded[:, 0].astype(np.float64), -1, 1)
        values = np.array(self.means)[modes] + STDS * np.array(self.stds)[modes] * alphas
        if self.step:
            values = np.round(values / self.step) * self.step if self.step >= 1 else np.round(values, self._decimals)
        values = np.clip(values, self.low, self.high)
        return np.where(choices < len(self.means), values, np.nan)

    @property
    def _decimals(self) -> int:
        return round(-np.log10(self.step))


def fit(column: Column, seed: int = 0) -> ColumnEncoding:
    """Fit the encoding of a column.

    The mixture of a column of numbers is variational, with a Dirichlet process prior: scikit-learn's
    ``BayesianGaussianMixture``. Unlike in the paper, a number that is in at least a tenth of the rows is a mode of its
    own, as in CTAB-GAN (Zhao et al. 2021, arXiv:2102.08369). There are at most 10 modes.

    Args:
      column: the column with its values.
      seed: the seed of the fit, and of the choice of rows if the mixture is not fitted to all of them.

    Raises:
      ValueError: if the column has no values, or too many categories.
      jaxgan.core.extras.MissingPackageError: if the column contains numbers and scikit-learn is not installed.
    """
    known = column.values[~np.isnan(column.values)]
    missing = len(column.values) - len(known)
    if not len(known):
        raise ValueError(f"Column {quote(column.name)} has no values. Leave it out.")
    if column.type.categories:
        count = len(column.type.categories)
        if count > MAX_CATEGORIES:
            raise ValueError(
                f"Column {quote(column.name)} has {count:,} different categories, but at most {MAX_CATEGORIES:,} can "
                "be generated. Leave the column out, for example if it identifies the rows, or merge rare categories."
            )
        counts = np.bincount(known.astype(int), minlength=count)
        return ColumnEncoding(column.type, counts=tuple(counts.tolist()), missing=missing)
    low, high = float(known.min()), float(known.max())
    modes = _fit_modes(known, seed)
    means, stds, weights = (tuple(map(float, x)) for x in modes)
    return ColumnEncoding(column.type, means, stds, weights, low, high, _find_step(column.type, known), (), missing)


def _find_step(kind: ColumnType, known: np.ndarray) -> float:
    if kind.kind == "date":
        return next((step for step in STEPS_OF_DATES if not (known % step).any()), 0.0)
    if kind.kind == "number":
        return 0.0 if kind.decimals is None else 10.0**-kind.decimals
    return 1.0


def _fit_modes(values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the means, the standard deviations and the weights of the modes of numbers, [N]."""
    found, counts = np.unique(values, return_counts=True)
    scale = values.std() or max(abs(found[0]), 1.0)
    # A Gaussian would spread a number that many rows share, such as the zeros of a column of amounts.
    is_frequent = counts >= FREQUENT * len(values)
    frequent, weights = found[is_frequent], counts[is_frequent] / len(values)
    rest = values[~np.isin(values, frequent)]
    means, stds, shares = _fit_mixture(rest, MODES - len(frequent), seed) if len(rest) else np.zeros((3, 0))
    return (
        np.concatenate([frequent, means]),
        np.concatenate([np.full(len(frequent), 1e-9 * scale), stds]),
        np.concatenate([weights, shares * len(rest) / len(values)]),
    )


def _fit_mixture(values: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the means, the standard deviations and the weights of a mixture of at most ``count`` Gaussians."""
    extras.require("sklearn", user="Fitting the mixtures of columns of numbers", extra="tables")
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    if len(values) > FIT_ROWS:
        values = np.random.default_rng(seed).choice(values, FIT_ROWS, replace=False)
    centre, scale = values.mean(), values.std()
    count = min(count, len(np.unique(values)))
    if count == 1 or not scale > 0:
        return np.array([centre]), np.array([max(scale, 1e-9 * abs(centre), 1e-300)]), np.ones(1)
    mixture = BayesianGaussianMixture(
        n_components=count,
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=0.001,
        reg_covar=1e-10,  # of standardised numbers
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the modes do not need to be exact
        mixture.fit(((values - centre) / scale)[:, None])
    used = mixture.weights_ >= MIN_WEIGHT
    means, stds = mixture.means_[used, 0], np.sqrt(mixture.covariances_[used, 0, 0])
    return centre + scale * means, scale * stds, mixture.weights_[used] / mixture.weights_[used].sum()


def encode(columns: Sequence[ColumnEncoding], values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the encoded rows of a table, float32 [N, D]: the encoded values of each column, one after the other.

    Args:
      columns: the encodings of the columns.
      values: the values of the rows, float64 [N, number of columns], NaN where a value is missing.
      seed: the seed with which the modes of numbers are drawn.

    Raises:
      ValueError: if a value is missing in a column that had no missing values.
    """
    rng = np.random.default_rng(seed)
    return np.concatenate([column.encode(values[:, i], rng) for i, column in enumerate(columns)], axis=1)


def decode(columns: Sequence[ColumnEncoding], rows: np.ndarray) -> np.ndarray:
    """Return the values of encoded rows, float64 [N, number of columns], NaN where a value is missing.

    Args:
      columns: the encodings of the columns.
      rows: the encoded or generated rows, [N, D].

    Raises:
      ValueError: if the rows have another number of elements than the columns.
    """
    ends = np.cumsum([column.size for column in columns])
    if rows.ndim != 2 or rows.shape[1] != ends[-1]:
        raise ValueError(f"`rows` must be [N, {ends[-1]}] for these columns, got the shape {list(rows.shape)}.")
    parts = np.split(rows, ends[:-1], axis=1)
    return np.stack([column.decode(part) for column, part in zip(columns, parts)], axis=1)
