"""Load data sets of TensorFlow Datasets (TFDS) by name, without TensorFlow.

TFDS prepares a data set once, as files of the array_record format. ``Dataset`` then reads their examples in any order.
"""

import contextlib
import difflib
import re
from pathlib import Path
from typing import Any, cast

import numpy as np

from jaxgan.core import extras, system
from jaxgan.data import digits
from jaxgan.data.decoding import resize_images
from jaxgan.data.representation import ShownSource
from jaxgan.data.source import Source
from jaxgan.data.uncropped import UncroppedImages

READ_AT_ONCE = 256  # maximum number of examples in memory at their original sizes while they are resized


class Dataset(ShownSource):
    """A ``Source`` that reads a prepared split of a TFDS data set.

    It reads the features ``image`` and ``label`` of each example and ignores all other features. It also ignores
    labels without class names.

    Args:
      builder: the TFDS builder of the prepared data set.
      split: the name of a split or a part of it, such as ``train`` or ``train[:90%]``.
      decoders: a dictionary from feature names to TFDS decoders; None uses the default decoders.
      resolution: height and width in pixels. When uint8 images are read, they are cropped to a centred square and
        resized to this size. None keeps the original size, which must be the same for all images.

    Raises:
      ValueError: if the data set has no images, or if the split does not exist or is empty.
    """

    def __init__(self, builder: Any, split: str, decoders: Any = None, resolution: int | None = None):
        self.name = f"{builder.info.full_name} {split}"
        features = builder.info.features
        if "image" not in features:
            raise ValueError(
                f"{self.name} has no feature 'image', which is required. Its features are: {', '.join(features)}."
            )
        try:
            count = builder.info.splits[split].num_examples
        except (KeyError, ValueError):
            count = 0
        if not count:
            splits = ", ".join(builder.info.splits)
            raise ValueError(
                f"The split {split!r} of {builder.info.full_name} does not exist, or it is empty. The splits are: "
                f"{splits}. A part of a split is also allowed, such as train[:90%]."
            )
        # A label without class names is a number such as an angle, and is not read.
        self.classes = tuple(getattr(features["label"], "names", None) or ()) if "label" in features else ()
        self._data = builder.as_data_source(split, decoders=decoders)
        first = self._data[0]["image"]
        self.sizes_differ = resolution is None and None in (features["image"].shape or ())[:2]
        self._resolution = resolution if first.ndim == 3 and first.dtype == np.uint8 else None
        if self._resolution is None:
            self._shape = tuple(first.shape)
        else:
            self._shape = (self._resolution, self._resolution, first.shape[2])

    def __len__(self) -> int:
        return len(self._data)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        return self._shape

    def uncropped(self) -> UncroppedImages:
        """Return the images at their own sizes, without labels."""
        return UncroppedImages(self.name, lambda i: self._data[i]["image"], len(self), self._shape)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        images, labels = [], []
        for part in np.array_split(indices, -(-len(indices) // READ_AT_ONCE)):
            # array_record does not accept NumPy integers as indices.
            for example in self._data.__getitems__([int(i) for i in part]):
                image = example["image"]
                if self._resolution is not None:
                    image = resize_images(image[None], self._resolution)[0]
                images.append(image)
                labels.append(example.get("label"))
        shapes = sorted({x.shape for x in images})
        if len(shapes) > 1:
            raise ValueError(
                f"The images of {self.name} have different sizes, such as {shapes[0]} and {shapes[1]}. Set "
                "`resolution`, for example to 64, to crop them to squares and resize them."
            )
        batch = {"image": np.stack(images)}
        if self.classes:
            batch["label"] = np.array(labels, np.int32)
        return batch


def load(
    name: str,
    split: str = "train",
    data_dir: str | Path | None = None,
    resolution: int | None = None,
    argument: str = "data",
    uncropped: bool = False,
) -> Source:
    """Return a TFDS data set by its name, or the digits that are bundled with the package.

    If the data set was not prepared before, TFDS downloads and prepares it first.

    Args:
      name: ``digits``, or the name of a data set in TFDS, such as ``mnist``, ``cifar10`` or
        ``cycle_gan/horse2zebra``.
      split: the name of a split or a part of it, such as ``train``, ``test`` or ``train[:90%]``.
      data_dir: the folder of prepared data sets. None uses the default of TFDS: the environment variable
        TFDS_DATA_DIR, or ~/tensorflow_datasets.
      resolution: height and width of the images in pixels, see ``Dataset``; it does not apply to the digits.
      argument: the name of the caller's argument, for messages.
      uncropped: whether to return ``UncroppedImages`` if the data set declares images of different sizes.

    Raises:
      MissingPackageError: if TFDS is not installed.
      ValueError: if TFDS has no data set of this name, if the data set is a community data set, or if the data set
        cannot be prepared on this machine. The message explains how to fix the problem.
    """
    if name == "digits":
        return digits.load(split)
    if re.search(r":(?![\d*])", name):  # a colon that is not followed by a version marks a community data set
        raise ValueError(
            f"`{argument}` {name!r} does not exist as a file or folder, and community data sets of TFDS "
            "(namespace:name) are not supported, because TFDS would download and run their code. Export the images "
            "to a folder instead."
        )
    user = f"`{argument}` {name!r} does not exist as a file or folder. To load it from TensorFlow Datasets, jaxgan"
    extras.require("tensorflow_datasets", user=user)
    import tensorflow_datasets as tfds

    builder = _builder(tfds, name, data_dir, argument)
    # While TFDS prepares a data set, its folder already exists. Only the builder can tell whether it is complete.
    if not builder.info.initialized:
        with _locked(Path(builder.data_dir).parent):
            builder = _builder(tfds, name, data_dir, argument)
            _prepare(builder, name, argument)
    unread = set(cast(Any, builder.info.features)) - {"image", "label"}
    source = Dataset(builder, split, {feature: tfds.decode.SkipDecoding() for feature in unread}, resolution)
    return source.uncropped() if uncropped and source.sizes_differ else source


def _builder(tfds, name, data_dir, argument):
    try:
        return tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except ValueError as error:
        # For a name such as my-photos, the error of TFDS explains its rules for names at length. It is replaced by a
        # short message.
        unknown = isinstance(error, tfds.core.DatasetNotFoundError) or str(error).startswith("Parsing builder name")
        if not unknown:
            raise
        known = [*tfds.list_builders(with_community_datasets=False), "digits", "photos"]
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "For example, use digits, mnist or cifar10."
        raise ValueError(
            f"`{argument}` {name!r} does not exist as a file or folder, and TensorFlow Datasets has no data set of "
            f"this name. {hint}"
        ) from None
    except ImportError as error:
        raise ValueError(_needs_tensorflow(name, error, argument)) from None


def _prepare(builder, name, argument):
    try:
        builder.download_and_prepare()
    except ImportError as error:
        raise ValueError(_needs_tensorflow(name, error, argument)) from None
    except Exception as error:  # the downloader of TFDS raises errors of many types
        if _tensorflow_is_missing(error):
            raise ValueError(_needs_tensorflow(name, error, argument)) from None
        raise ValueError(
            f"`{argument}` {name!r} could not be prepared: {type(error).__name__}: {str(error)[:300].rstrip('.')}. If "
            "this machine has no network access, prepare the data set on another machine with `tfds build`, copy the "
            "folder of prepared data sets to this machine, and set the environment variable TFDS_DATA_DIR to its path."
        ) from error


@contextlib.contextmanager
def _locked(folder: Path):
    """Lock a folder of data sets, so that only one process prepares a data set while the others wait.

    For example, all processes of a distributed run request the same data set at the same time.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a")
    except OSError as error:
        raise OSError(
            f"The folder of prepared data sets, {folder}, cannot be written: {error.strerror}. Set the environment "
            "variable TFDS_DATA_DIR to another folder."
        ) from error
    with lock:
        system.lock(lock)
        yield


def _tensorflow_is_missing(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ImportError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _needs_tensorflow(name, error, argument):
    return (
        f"TensorFlow is required to prepare `{argument}` {name!r} ({error}). Install it with "
        f"{extras.pip_install('tfds')} and run the command again. Reading the prepared data set does not require "
        "TensorFlow."
    )
