"""The medium of windows of series."""

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.extras import is_installed
from jaxgan.core.files import writing_out
from jaxgan.core.tables import Table
from jaxgan.core.text import list_names, printable
from jaxgan.data import Source
from jaxgan.drawing.legend import add_legend
from jaxgan.drawing.series import render_bands, render_lines, render_scatter
from jaxgan.media.medium import MAX_COARSE, Medium

FEATURES = "classifier"  # the name of the features
COMPARED = 500  # largest number of series of each set in a picture that compares two sets
FEW = 200  # a data set with fewer windows is small


@dataclasses.dataclass(frozen=True)
class Series(Medium):
    """Windows of T rows of C columns over time, and static attributes beside each window.

    A source reads ``series`` [T, C], in the units of the data, and ``attributes`` [A] if there are any; see
    ``jaxgan.data.series.load``. Networks receive one array [T, C + K]. Each column is scaled to [-1, 1] by its bounds
    in the training data, as in TimeGAN (Yoon et al. 2019). The K last channels are constant over time: one for each
    attribute that is a number, scaled to [-1, 1], and one for each category of the others, which is 1 for the category
    and -1 otherwise.

    Attributes:
      columns: the names of the columns, [C].
      low: the lower bound of each column, [C].
      high: the upper bound of each column, [C].
      decimals: number of decimals that samples of each column are rounded to, [C]; None does not round. Empty for None
        in all columns.
      attributes: for each attribute, a dictionary with ``name`` and ``categories``, or with ``name``, ``low``, ``high``
        and ``decimals``.
      classes: the names of the classes, for files; empty for no classes.

    Raises:
      ValueError: if a column has no bounds, or its lower bound is not below the upper one.
    """

    columns: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    decimals: tuple[int | None, ...] = ()
    attributes: tuple[dict[str, Any], ...] = ()
    classes: tuple[str, ...] = ()

    name = key = "series"
    noun = "windows"
    values = "values in the units of the data"
    suffixes = (".csv", ".npz", *(suffix for suffix in Medium.suffixes if suffix != ".npz"))
    disclosed = "the names and the bounds of the columns and the attributes, and the names of categories and classes"
    default_metrics = ("discriminative", "predictive", "autocorrelation", "cross_correlation")

    def __post_init__(self):
        for field in dataclasses.fields(self):  # JSON has lists
            object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
        count = len(self.columns)
        if not self.decimals:
            object.__setattr__(self, "decimals", (None,) * count)
        if not count or {len(self.low), len(self.high), len(self.decimals)} != {count}:
            raise ValueError(
                f"`low`, `high` and `decimals` must have a value for each of the {count} columns, got {len(self.low)}, "
                f"{len(self.high)} and {len(self.decimals)} values."
            )
        for name, low, high in zip(self.columns, self.low, self.high):
            if not low < high:
                raise ValueError(f"`low` must be below `high`, got {low:g} and {high:g} for the column {name}.")

    @property
    def static_channels(self) -> int:
        """The number of channels of the static attributes, which are the last channels of a sample."""
        return sum(_width(attribute) for attribute in self.attributes)

    def check(self, source: Source) -> None:
        if len(source.shape) != 2 or source.shape[1] != len(self.columns):
            raise ValueError(
                f"{source.name} has examples of shape {source.shape}, but this experiment requires windows of series, "
                f"of shape (steps, {len(self.columns)}). Load them with jaxgan.data.series.load."
            )

    def advice(self, config: Any, source: Source, on_cpu: bool = False) -> list[str]:
        if len(source) >= FEW:
            return []
        return [
            f"{source.name} has {len(source):,} windows for training, which a discriminator can memorise. Use longer "
            "series, a smaller `window` or `stride` 1, and stop early."
        ]

    def summary(self) -> Table:
        bounds = [(name, "column", low, high) for name, low, high in zip(self.columns, self.low, self.high)]
        bounds += [(a["name"], "attribute", a["low"], a["high"]) for a in self.attributes if "low" in a]
        rows = [(printable(name, 40), kind, f"{low:g} to {high:g}") for name, kind, low, high in bounds]
        rows += [
            (printable(a["name"], 40), "attribute", list_names(a["categories"], 4))
            for a in self.attributes
            if "categories" in a
        ]
        return Table("bounds of the training windows:", ("name", "kind", "values"), tuple(rows))

    def normalize(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        low, high = (np.asarray(x, np.float32)[None, None] for x in (self.low, self.high))
        x = 2 * (jnp.asarray(batch["series"], jnp.float32) - low) / (high - low) - 1
        channels = [x]
        for i, attribute in enumerate(self.attributes):
            value = jnp.asarray(batch["attributes"], jnp.float32)[:, i]
            if "categories" in attribute:
                packed = 2 * jax.nn.one_hot(value.astype(jnp.int32), _width(attribute)) - 1
            else:
                packed = (2 * (value - attribute["low"]) / (attribute["high"] - attribute["low"]) - 1)[:, None]
            channels.append(jnp.broadcast_to(packed[:, None], (*x.shape[:2], packed.shape[1])))
        rest = {name: value for name, value in batch.items() if name != "attributes"}
        return {**rest, "series": jnp.concatenate(channels, -1)}

    def decode(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        samples = np.asarray(samples, np.float64)
        low, high = np.asarray(self.low), np.asarray(self.high)
        x = (samples[..., : len(self.columns)] + 1) / 2 * (high - low) + low
        for c, decimals in enumerate(self.decimals):
            if decimals is not None:
                x[..., c] = np.round(x[..., c], decimals)
        if not self.attributes:
            return {"series": x}
        values, at = [], len(self.columns)
        for attribute in self.attributes:
            packed = samples[..., at : at + _width(attribute)].mean(1)
            at += _width(attribute)
            if "categories" in attribute:
                values.append(packed.argmax(1).astype(np.float64))
                continue
            value = (packed[:, 0] + 1) / 2 * (attribute["high"] - attribute["low"]) + attribute["low"]
            decimals = attribute.get("decimals")
            values.append(value if decimals is None else np.round(value, decimals))
        return {"series": x, "attributes": np.stack(values, 1)}

    def view(self, samples: np.ndarray) -> np.ndarray:
        return render_lines(samples[..., : len(self.columns)])

    def compare(self, real: Mapping[str, np.ndarray], fake: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Draw bands of the columns, principal components and a t-SNE of real and generated windows.

        Source: the visualisation of Yoon et al. 2019, "Time-series Generative Adversarial Networks", section 5. Here
        the columns of a window are not averaged. t-SNE requires scikit-learn, and is left out without it.

        Args:
          real: a batch of windows, ``series`` [N, T, C], in the units of the data.
          fake: generated windows, ``series`` [M, T, C].
        """
        x, y = (self._scaled(batch["series"])[:COMPARED] for batch in (real, fake))
        pictures = {"bands": render_bands(x, y, self.columns)}
        flat = x.reshape(len(x), -1), y.reshape(len(y), -1)
        if min(len(x), len(y)) > 2 and flat[0].shape[1] > 1:
            pictures["pca"] = render_scatter(*principal_components(*flat), "principal components")
        if min(len(x), len(y)) > 5 and is_installed("sklearn"):
            from sklearn.manifold import TSNE

            both = np.concatenate(flat)
            found = TSNE(perplexity=min(30, len(both) // 4), init="pca", random_state=0).fit_transform(both)
            pictures["tsne"] = render_scatter(found[: len(x)], found[len(x) :], "t-SNE")
        return {name: add_legend(picture) for name, picture in pictures.items()}

    def coarse(self, examples: np.ndarray) -> np.ndarray:
        """Return the columns at a few times, which are evenly spaced: at most 64 numbers of each window, [N, D].

        Args:
          examples: normalised windows, [N, T, C].
        """
        x = examples[..., :MAX_COARSE]
        count = min(x.shape[1], max(1, MAX_COARSE // x.shape[2]))
        return x[:, np.linspace(0, x.shape[1] - 1, count).round().astype(int)].reshape(len(x), -1)

    def arrays(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """Return the arrays of an .npz file, which ``jaxgan.data.series.load`` reads.

        Args:
          samples: finite samples on the host, [N, T, C + K].
        """
        found = {**self.decode(samples), "columns": np.array(self.columns)}
        if self.attributes:
            found["attribute_names"] = np.array([attribute["name"] for attribute in self.attributes])
        return found

    def save(
        self,
        path: Path,
        samples: np.ndarray,
        made_by: str,
        labels: np.ndarray | None = None,
        *,
        frames: int = 1,
        columns: int | None = None,
    ) -> None:
        """Write samples to a file, see ``Medium.save``. A .csv file has one row for each time step of each window.

        Its columns are ``series`` (the number of the window), ``time`` (from 0), ``label`` if there are classes, the
        attributes, and the columns of the data.

        Args:
          path: the file.
          samples: finite samples on the host, [frames * N, T, C + K].
          made_by: the program that generated the samples.
          labels: the class indices of the samples, [frames * N]; None if they have no classes.
          frames: number of frames of an animation.
          columns: number of columns of a picture.

        Raises:
          ValueError: if the suffix is unknown.
          OSError: if the file cannot be written.
        """
        if path.suffix.lower() != ".csv":
            super().save(path, samples, made_by, labels, frames=frames, columns=columns)
            return
        decoded = self.decode(samples)
        static = [self._attribute_texts(row) for row in decoded.get("attributes", np.zeros((len(samples), 0)))]
        names = [] if labels is None else ["label"]
        names += [*(attribute["name"] for attribute in self.attributes), *self.columns]
        with writing_out(path), path.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["series", "time", *names])
            for i, window in enumerate(decoded["series"].tolist()):
                beside = [] if labels is None else [self.classes[labels[i]] if self.classes else int(labels[i])]
                for t, row in enumerate(window):
                    out.writerow([i, t, *beside, *static[i], *map(_number, row, self.decimals)])

    def _attribute_texts(self, values: np.ndarray) -> list[str]:
        return [
            attribute["categories"][int(value)]
            if "categories" in attribute
            else _number(float(value), attribute.get("decimals"))
            for attribute, value in zip(self.attributes, values)
        ]

    def _scaled(self, series: np.ndarray) -> np.ndarray:
        """Scale series in the units of the data to [-1, 1]."""
        low, high = np.asarray(self.low), np.asarray(self.high)
        return 2 * (np.asarray(series, np.float64) - low) / (high - low) - 1

    @property
    def metrics(self):
        from jaxgan.evaluation import series_metrics

        return series_metrics.METRICS

    def features(self, source, name=None, *, weights=None, resize="tf1", cache=None, progress=None):
        if name not in (None, FEATURES):
            raise ValueError(f"`features` must be {FEATURES} for series, or not set, got {name}.")
        if weights is not None:
            raise ValueError("`weights` are for Inception's features of images. Omit them for series.")
        from jaxgan.evaluation.series_features import train_series_features

        return train_series_features(source, self.key, progress=progress, cache=cache)


def principal_components(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project two sets on the first two principal components of the real set.

    Args:
      real: vectors [N, D], N > 2.
      fake: vectors [M, D].

    Returns:
      The coordinates, [N, 2] and [M, 2].
    """
    mean = real.mean(0)
    axes = np.linalg.svd(real - mean, full_matrices=False)[2][:2]
    return (real - mean) @ axes.T, (fake - mean) @ axes.T


def _width(attribute: Mapping[str, Any]) -> int:
    """Return the number of channels of an attribute."""
    return len(attribute["categories"]) if "categories" in attribute else 1


def _number(value: float, decimals: int | None) -> str:
    """Return the text of a number. Without a number of decimals, it has the nine digits of float32."""
    if decimals is None:
        return f"{value:.9g}"
    return f"{value:.{decimals}f}" if decimals else str(round(value))
