"""Load data sets of TensorFlow Datasets (TFDS) by name, without TensorFlow.

TFDS prepares a data set once, as files of the array_record format. ``Dataset`` then reads their examples in any order.
"""

import contextlib
import difflib
import importlib
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from jaxgan.core import extras, network, system
from jaxgan.core.text import printable
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

    decodes = True

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
        self._folder = str(builder.data_dir)
        with _reading(self._folder):
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

        def read_one(i: int) -> np.ndarray:
            with _reading(self._folder):
                return self._data[i]["image"]

        return UncroppedImages(self.name, read_one, len(self), self._shape)

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        images, labels = [], []
        for part in np.array_split(indices, -(-len(indices) // READ_AT_ONCE)):
            # array_record does not accept NumPy integers as indices.
            with _reading(self._folder):
                examples = self._data.__getitems__([int(i) for i in part])
            for example in examples:
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


@contextlib.contextmanager
def _reading(folder: str) -> Iterator[None]:
    """Replace the errors of TFDS and of its readers, which have many types, by one sentence that names the folder."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"The prepared data set in {folder} is damaged or incomplete: {_first_line(error)}. Delete this folder and "
            "run the command again, to prepare the data set again."
        ) from error


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, without the arguments of TFDS's internal functions."""
    text = re.sub(r"^Failed to construct dataset .*?\}\": ", "", str(error), flags=re.DOTALL)
    line = printable(text.strip().partition("\n")[0].partition(" Here are ")[0], 300).rstrip(".:")
    return line or type(error).__name__


def _builder(tfds, name, data_dir, argument):
    from google.protobuf.json_format import ParseError  # TFDS depends on this package

    try:
        return tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except ImportError as error:
        raise ValueError(_needs_tensorflow(name, error, argument)) from None
    except (UnicodeDecodeError, json.JSONDecodeError, OSError, ParseError) as error:
        with _reading(_folder_of(name, data_dir)):
            raise error
    except (ValueError, AssertionError) as error:
        # For a name such as my-photos, the error of TFDS explains its rules for names at length. It is replaced by a
        # short message.
        unknown = isinstance(error, tfds.core.DatasetNotFoundError) or str(error).startswith("Parsing builder name")
        if not unknown:
            raise ValueError(
                f"`{argument}` {name!r} cannot be loaded from TensorFlow Datasets: {_first_line(error)}."
                f"{_configurations(tfds, name)}"
            ) from None
        folder = _folder_of(name, data_dir)
        if any(Path(folder).glob("**/dataset_info.json")):
            raise ValueError(
                f"The prepared data set in {folder} is incomplete. Copy it again with all its files, or delete this "
                "folder and run the command again, to prepare the data set again."
            ) from None
        known = [*tfds.list_builders(with_community_datasets=False), "digits", "photos"]
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "For example, use digits, mnist or cifar10."
        raise ValueError(
            f"`{argument}` {name!r} does not exist as a file or folder, and TensorFlow Datasets has no data set of "
            f"this name. {hint}"
        ) from None


def _folder_of(name: str, data_dir: str | Path | None) -> str:
    """Return the folder of all versions of a prepared data set."""
    default = os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets"
    return str(Path(data_dir or default, re.split("[/:]", name)[0]))


def _configurations(tfds: Any, name: str) -> str:
    """Return a sentence that lists the configurations of a data set, such as horse2zebra; "" if it has none."""
    dataset = re.split("[/:]", name)[0]
    found = [config.name for config in tfds.builder_cls(dataset).BUILDER_CONFIGS]
    return f" Its configurations are: {', '.join(f'{dataset}/{config}' for config in found)}." if found else ""


def _prepare(builder, name, argument):
    try:
        with _without_waiting(builder, name, argument):
            builder.download_and_prepare()
    except ImportError as error:
        raise ValueError(_needs_tensorflow(name, error, argument)) from None
    except _OfflineError:
        raise
    except Exception as error:  # the downloader of TFDS raises errors of many types
        if _tensorflow_is_missing(error):
            raise ValueError(_needs_tensorflow(name, error, argument)) from None
        raise ValueError(
            f"`{argument}` {name!r} could not be prepared: {type(error).__name__}: {_first_line(error)}. If this "
            f"machine has no network access, {_ELSEWHERE}"
        ) from error


_ELSEWHERE = (
    "prepare the data set on another machine with `tfds build`, copy the folder of prepared data sets to this machine, "
    "and set the environment variable TFDS_DATA_DIR to its path."
)


class _OfflineError(ValueError):
    """Raised if a data set must be downloaded, and there is no network."""


@contextlib.contextmanager
def _without_waiting(builder: Any, name: str, argument: str) -> Iterator[None]:
    """Prevent TFDS from retrying for minutes without a network.

    Raises:
      _OfflineError: if the hosts of the data set cannot be reached, and no file was downloaded before.
    """
    reason = network.why_unreachable(builder.url_infos or ())
    if not reason:
        yield
        return
    # ``builder.data_dir`` is the folder of the version, inside the folder of the data set.
    downloads = next(folder for folder in Path(builder.data_dir).parents if folder.name == builder.name).with_name(
        "downloads"
    )
    if not any(file.is_file() for file in downloads.rglob("*")):
        raise _OfflineError(
            f"`{argument}` {name!r} is not prepared on this machine and cannot be downloaded, because its host cannot "
            f"be reached ({printable(reason)}). Connect this machine to the network, or {_ELSEWHERE} "
            "The data set digits needs no download."
        )
    # Files that were downloaded before are used, and others fail at the first attempt.
    downloader: Any = importlib.import_module("tensorflow_datasets.core.download.downloader")
    retries, log = downloader.MAX_RETRIES, logging.getLogger("urllib3.connectionpool")
    level = log.level
    downloader.MAX_RETRIES = 0
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        downloader.MAX_RETRIES = retries
        log.setLevel(level)


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
