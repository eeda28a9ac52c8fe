"""TensorFlow Datasets, without TensorFlow: prepared as array_record, read as a random-access source."""

import contextlib
import difflib
import re
from pathlib import Path
from typing import Any, cast

import numpy as np

from jaxgan.core import extras, system
from jaxgan.data import digits
from jaxgan.data.images import resize_images
from jaxgan.data.representation import ShownSource
from jaxgan.data.source import Source

READ_AT_ONCE = 256  # examples that are held in their own size while each is resized


class Dataset(ShownSource):
    """A ``Source`` of a prepared TFDS split; ``image`` and ``label`` are read, other features left out.

    Args:
      builder: TFDS's builder of the dataset, which is prepared.
      split: a split, or a part of one.
      decoders: TFDS's decoders, by feature.
      resolution: images of bytes are cropped and resized to it when they are read; None takes their own size, which
        must then be the same for all.

    Raises:
      ValueError: the dataset has no images, or no such split.
    """

    def __init__(self, builder: Any, split: str, decoders: Any = None, resolution: int | None = None):
        self.name = f"{builder.info.full_name} {split}"
        features = builder.info.features
        if "image" not in features:
            raise ValueError(f"{self.name}: its features are {', '.join(features)}; jaxgan trains on 'image'")
        try:
            count = builder.info.splits[split].num_examples
        except (KeyError, ValueError):
            count = 0
        if not count:
            splits = ", ".join(builder.info.splits)
            raise ValueError(
                f"{self.name}: no such split, or nothing in it; it has {splits}, and parts such as train[:90%]"
            )
        # Labels that are numbers and no classes are left out.
        self.classes = tuple(getattr(features["label"], "names", None) or ()) if "label" in features else ()
        self._data = builder.as_data_source(split, decoders=decoders)
        first = self._data[0]["image"]
        self._resolution = resolution if first.ndim == 3 and first.dtype == np.uint8 else None
        if self._resolution is None:
            self._shape = tuple(first.shape)
        else:
            self._shape = (self._resolution, self._resolution, first.shape[2])

    def __len__(self) -> int:
        return len(self._data)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        images, labels = [], []
        for part in np.array_split(indices, -(-len(indices) // READ_AT_ONCE)):
            for example in self._data.__getitems__([int(i) for i in part]):  # array_record takes no NumPy integers
                image = example["image"]
                if self._resolution is not None:
                    image = resize_images(image[None], self._resolution)[0]
                images.append(image)
                labels.append(example.get("label"))
        shapes = sorted({x.shape for x in images})
        if len(shapes) > 1:
            raise ValueError(
                f"{self.name}: its images differ in size ({shapes[0]}, {shapes[1]}); give the square size to make "
                "of them as `resolution`, say 64"
            )
        batch = {"image": np.stack(images)}
        if self.classes:
            batch["label"] = np.array(labels, np.int32)
        return batch


def load(name: str, split: str = "train", data_dir: str | Path | None = None, resolution: int | None = None) -> Source:
    """A TFDS dataset by name, prepared first if it is not there; or the digits, which come along.

    Args:
      name: ``digits``, or any of TFDS's: ``mnist``, ``cifar10``, ``cycle_gan/horse2zebra``.
      split: ``train``, ``test``, ``train[:90%]`` ...
      data_dir: where datasets are prepared; None is TFDS's own, TFDS_DATA_DIR or ~/tensorflow_datasets.
      resolution: see ``Dataset``; the digits keep their own.

    Raises:
      MissingPackageError: TFDS is not installed.
      ValueError: no dataset has this name, it is not one of TFDS's own, or it cannot be prepared here; the message says
        how to mend it.
    """
    if name == "digits":
        return digits.load(split)
    if re.search(r":(?![\d*])", name):  # after a colon TFDS's own datasets have a version
        raise ValueError(
            f"`data` {name!r}: no such file or folder. A dataset of others in TFDS, `namespace:name`, is not loaded, "
            "because TFDS downloads its code and runs it; write its images to a folder."
        )
    extras.require("tensorflow_datasets", user=f"`data` {name!r}: no such file or folder; a dataset of that name")
    import tensorflow_datasets as tfds

    builder = _builder(tfds, name, data_dir)
    # Asked of the builder, because the folder appears before it is complete.
    if not builder.info.initialized:
        with _locked(Path(builder.data_dir).parent):
            builder = _builder(tfds, name, data_dir)
            _prepare(builder, name)
    unread = set(cast(Any, builder.info.features)) - {"image", "label"}
    return Dataset(builder, split, {feature: tfds.decode.SkipDecoding() for feature in unread}, resolution)


def _builder(tfds, name, data_dir):
    try:
        return tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except ValueError as error:
        # For names such as my-photos, TFDS explains at length how names are formed.
        unknown = isinstance(error, tfds.core.DatasetNotFoundError) or str(error).startswith("Parsing builder name")
        if not unknown:
            raise
        known = [*tfds.list_builders(with_community_datasets=False), "digits", "photos"]
        near = difflib.get_close_matches(name, known, n=3)
        raise ValueError(
            f"`data` {name!r}: no such file or folder, and no TFDS dataset of that name; "
            + (f"did you mean {' or '.join(near)}?" if near else "try digits, mnist or cifar10.")
        ) from None
    except ImportError as error:
        raise ValueError(_needs_tensorflow(name, error)) from None


def _prepare(builder, name):
    try:
        builder.download_and_prepare()
    except ImportError as error:
        raise ValueError(_needs_tensorflow(name, error)) from None
    except Exception as error:  # TFDS raises whatever its downloader meets
        if _tensorflow_is_missing(error):
            raise ValueError(_needs_tensorflow(name, error)) from None
        raise ValueError(
            f"`data` {name!r} could not be prepared: {type(error).__name__}: {str(error)[:300]}; prepare it where "
            "there is a network (tfds build), and copy its folder here or name it with TFDS_DATA_DIR"
        ) from error


@contextlib.contextmanager
def _locked(folder: Path):
    """Let one process prepare a dataset while others, perhaps of the same run, wait for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a")
    except OSError as error:
        raise OSError(
            f"{folder}, where datasets are prepared, cannot be written: {error.strerror}; "
            "name another with TFDS_DATA_DIR"
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


def _needs_tensorflow(name, error):
    return (
        f"`data` {name!r}: TFDS needs TensorFlow to prepare this dataset ({error}); "
        f"install the extra, {extras.pip_install('tfds')}, and run once more. Reading it needs none"
    )
