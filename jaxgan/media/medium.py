"""Define ``Medium``, the base class of all kinds of examples.

A medium says, for one kind of example, how examples are normalised, checked, drawn, saved and judged. The training
loop, the report and the commands call the methods of an experiment's medium, and depend on no kind of example.

Three representations of examples exist:

- A source reads a **batch** in the units of the data, such as uint8 pixels or prices. A batch is a dictionary of
  arrays, and ``Medium.key`` is the name of the examples in it.
- ``Medium.normalize`` converts a batch to what networks receive. It is a part of compiled functions.
- A generator returns **samples**: one array like ``normalize(batch)[key]``. ``Medium.decode`` converts samples to a
  batch in the units of the data. Files, pictures and metrics are computed from the result.

A medium is a frozen dataclass. Its fields, such as the names of columns, are values that JSON can represent, so that
they can be recorded with the data; see ``data.Source``. A subclass overrides the attributes and methods that differ::

    @dataclasses.dataclass(frozen=True)
    class Angles(Medium):
        name = key = noun = "angles"
        values = "angles in degrees"
        suffixes = (".csv", ".npz")

        def normalize(self, batch):
            return {**batch, "angles": batch["angles"] / 180}

        def decode(self, samples):
            return {"angles": samples * 180}

        def save(self, path, samples, made_by, labels=None, **grid):
            if path.suffix.lower() != ".csv":
                return super().save(path, samples, made_by, labels, **grid)
            np.savetxt(path, self.decode(samples)["angles"], delimiter=",")
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import jax
import numpy as np

from jaxgan.core.array_archives import write_npz
from jaxgan.core.files import writing_out
from jaxgan.core.tables import Table
from jaxgan.data import Source
from jaxgan.drawing import ANIMATIONS, PICTURES, make_grid, save_images
from jaxgan.drawing.files import PICTURE_SIDE

if TYPE_CHECKING:  # evaluation is imported when it is used, so that training starts without it
    from jaxgan.evaluation.extractors import FeatureExtractor
    from jaxgan.evaluation.scores import AnyMetric

MAX_COARSE = 64  # maximum number of features of an example that ``Medium.coarse`` returns


@dataclasses.dataclass(frozen=True)
class Medium:
    """A kind of example: how examples are normalised, checked, drawn, saved and judged.

    The base class normalises nothing, draws nothing and has no metrics. It writes samples to .npz files.

    Attributes:
      name: the name of the medium, which is written to files of exported generators.
      key: the name of the examples in a batch.
      noun: the plural noun that the progress line uses, as in "120 rows/s".
      values: what the numbers of a saved sample are, for the model card.
      suffixes: the suffixes of files that ``save`` writes. The first one is the default of ``sample --out``.
      tiles: whether ``view`` draws one image for each sample. Otherwise, it draws one image of all samples.
      disclosed: what samples and exported files disclose of the data although the training is private, because it was
        found in the data without noise, such as the bounds of columns; "" for nothing.
      default_metrics: the names of the metrics that are computed by default. The first one ranks checkpoints.
    """

    name: ClassVar[str] = "examples"
    key: ClassVar[str] = "image"
    noun: ClassVar[str] = "examples"
    values: ClassVar[str] = "values in [-1, 1]"
    suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, *ANIMATIONS, ".npz")
    tiles: ClassVar[bool] = True
    disclosed: ClassVar[str] = ""
    default_metrics: ClassVar[tuple[str, ...]] = ()

    def check(self, source: Source) -> None:
        """Check that a source has examples of this medium. Functions ``build`` of experiments call this method.

        Args:
          source: the examples to train on.

        Raises:
          ValueError: if the source has other examples.
        """

    def advice(self, config: Any, source: Source, on_cpu: bool = False) -> list[str]:
        """Return sentences about settings that are allowed but do not fit the data, each with a suggestion to fix it.

        Args:
          config: the settings of the experiment.
          source: the examples to train on.
          on_cpu: whether the run trains on a CPU.
        """
        return []

    def summary(self) -> Table | None:
        """Return a table of what was found out about the data, such as the types of columns, or None.

        It is printed at the start of training.
        """
        return None

    def normalize(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Convert a batch of a source to what networks receive. JAX traces this method.

        Args:
          batch: the arrays of a batch, each [B, ...], in the types of the source. ``label`` must stay as it is.

        Returns:
          The arrays that losses receive, each [B, ...].
        """
        return dict(batch)

    def decode(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """Convert samples to a batch as a source reads it, without labels. This is the inverse of ``normalize``.

        Args:
          samples: finite samples on the host, [N, ...].
        """
        return {self.key: samples}

    def view(self, samples: np.ndarray) -> np.ndarray | str | None:
        """Draw samples.

        Args:
          samples: finite samples on the host, [N, ...], N > 0.

        Returns:
          Images, uint8 or floats in [-1, 1]: [N, height, width, C], or [1, height, width, C] if ``tiles`` is False. A
          medium that is written in letters returns a text with a line for each sample. None if there is no picture.
        """
        return None

    def film(self, samples: np.ndarray) -> np.ndarray | str | None:
        """Draw the frames of an animation, which shows one sample after the other. By default, these are ``view``.

        Args:
          samples: finite samples on the host, [T, ...].

        Returns:
          Images, [T, height, width, C], as ``view`` returns them; None if there are none.
        """
        return self.view(samples)

    def compare(self, real: Mapping[str, np.ndarray], fake: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Draw samples beside examples of the data, such as histograms or principal components.

        The pictures show examples of the data, so this method is not called in private runs.

        Args:
          real: a batch of examples, in the units of the data.
          fake: decoded samples, as ``decode`` returns them.

        Returns:
          A dictionary from names, which consist of letters, digits and underscores, to images, uint8 [h, w, C].
        """
        return {}

    def coarse(self, examples: np.ndarray) -> np.ndarray:
        """Return a few features of normalised examples, with which a run chooses its best checkpoint.

        Args:
          examples: normalised examples or samples, [N, ...].

        Returns:
          The features, [N, D] with D <= 64; by default, ``coarse_pixels``.
        """
        return coarse_pixels(examples)

    def arrays(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """Return the arrays of an .npz file, keyed by their names. By default, these are the decoded samples.

        Args:
          samples: finite samples on the host, [N, ...].
        """
        return self.decode(samples)

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
        """Write samples to a file. The suffix determines the format.

        The suffix .npz writes ``arrays``, a suffix in ``drawing.PICTURES`` writes one picture of all samples, and a
        suffix in ``drawing.ANIMATIONS`` writes an animation. A subclass that has further suffixes writes these files,
        and calls this method for the others.

        Args:
          path: the file. It is replaced if it exists, and missing folders are created.
          samples: finite samples on the host, [frames * N, ...].
          made_by: the program that generated the samples; it is written to the metadata of image files.
          labels: the class indices of the samples, [frames * N]; None if they have no classes. They are written to .npz
            files only.
          frames: number of frames of an animation. The first N samples are drawn in the first frame, the next N samples
            in the second frame, and so on.
          columns: number of columns of a picture; None makes the picture approximately square.

        Raises:
          ValueError: if the samples cannot be drawn, or the suffix is unknown.
          OSError: if the file cannot be written.
        """
        suffix = path.suffix.lower()
        if suffix == ".npz":
            arrays = dict(self.arrays(samples))
            if labels is not None:
                arrays["labels"] = labels
            with writing_out(path), path.open("wb") as file:
                write_npz(file, arrays)
            return
        draw = self.film if suffix in ANIMATIONS else self.view
        # An animation of several tiles in a frame is drawn at once, because the view of a tile can depend on its frame.
        if self.tiles:
            drawn = draw(samples)
            parts = np.split(drawn, frames) if isinstance(drawn, np.ndarray) else None
        else:
            found = [draw(part) for part in np.split(samples, frames)]
            parts = [part for part in found if isinstance(part, np.ndarray)]
            columns = None
        if not parts:
            known = [suffix for suffix in self.suffixes if suffix not in (*PICTURES, *ANIMATIONS)]
            kinds = "an .npz" if known == [".npz"] else f"a {' or '.join(known)}"
            raise ValueError(
                f"`out` must be {kinds} file, because samples of shape {samples.shape[1:]} are not images, got {path}."
            )
        grids = np.stack([make_grid(part, columns) for part in parts])
        with writing_out(path):
            save_images(path, grids, made_by, scale=max(1, PICTURE_SIDE // grids.shape[-3]))

    @property
    def metrics(self) -> Mapping[str, "AnyMetric"]:
        """The metrics that samples of this medium can be measured with, by their names; see ``evaluation.scores``."""
        return {}

    def features(
        self,
        source: Source,
        name: str | None = None,
        *,
        weights: str | Path | None = None,
        resize: Literal["tf1", "clean"] = "tf1",
        cache: Path | None = None,
        progress: Any = None,
    ) -> "FeatureExtractor":
        """Return the feature extractor that metrics compare samples and data with.

        Args:
          source: the examples that samples are compared with.
          name: the name of the features; None selects the medium's default.
          weights: file with the weights of a network; None for none.
          resize: for images, the method that resizes them; see ``evaluation.InceptionFeatures``.
          cache: directory that stores trained extractors; None does not use a cache.
          progress: function that reports the training of an extractor, see ``evaluation.make_extractor``.

        Raises:
          ValueError: if the medium has no features of this name.
        """
        raise ValueError(f"`features` cannot be computed, because no features are defined for {self.noun}.")


def picture(medium: Medium, samples: np.ndarray, columns: int | None = None) -> np.ndarray | str | None:
    """Return one picture of all samples, uint8 [H, W, C], or a text; None if the medium cannot draw them.

    Args:
      medium: the medium of the samples.
      samples: samples on the host, [N, ...], N > 0. Values that are not finite are replaced by finite numbers.
      columns: number of columns of tiles; None makes the picture approximately square.
    """
    drawn = medium.view(np.nan_to_num(samples))
    return make_grid(drawn, columns if medium.tiles else None) if isinstance(drawn, np.ndarray) else drawn


def normalized_shape(medium: Medium, source: Source) -> tuple[int, ...]:
    """Return the shape of an example as networks receive it. One example is read.

    Args:
      medium: the medium of the examples.
      source: the examples.
    """
    example = {name: np.asarray(x) for name, x in source.read(np.zeros(1, np.int64)).items()}
    return jax.eval_shape(medium.normalize, example)[medium.key].shape[1:]


def coarse_pixels(examples: np.ndarray) -> np.ndarray:
    """Return at most 64 features of each example, [N, D].

    Images, [N, h, w, C], and voxels, [N, d, h, w, C], are averaged over channels and over blocks. The last rows and
    columns are ignored if they do not fill a block. The features of other examples, [N, ...], are their first 64
    numbers.

    Args:
      examples: examples of any medium, [N, ...].
    """
    if examples.ndim < 4:
        return examples.reshape(len(examples), -1)[:, :MAX_COARSE]
    grey = examples.mean(-1)
    cells = round(MAX_COARSE ** (1 / (grey.ndim - 1)))  # maximum number of blocks along each axis
    blocks = [max(1, math.ceil(n / cells)) for n in grey.shape[1:]]
    counts = [n // block for n, block in zip(grey.shape[1:], blocks)]
    whole = grey[(slice(None), *(slice(count * block) for count, block in zip(counts, blocks)))]
    by_block = whole.reshape(len(grey), *(n for pair in zip(counts, blocks) for n in pair))
    return by_block.mean(tuple(range(2, by_block.ndim, 2))).reshape(len(grey), -1)
