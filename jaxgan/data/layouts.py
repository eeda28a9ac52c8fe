"""Interpret the folders of a data set: splits, the two domains of translation, and classes.

A folder or a zip can contain its images in one of these layouts, and in a further folder around all of them:

- ``*.png``: images without labels;
- ``cat/*.png``, ``dog/*.png``: one folder for each class;
- ``A/*.png``, ``B/*.png``: the two domains of a translation;
- ``train/...``, ``test/...``: splits, each of which contains one of the layouts above. The folders of a split can also
  be inside of the folders of classes or domains, ``A/train/...``, or be joined with the names of the domains,
  ``trainA/...``.
"""

import collections
import contextlib
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from jaxgan.core.classes import natural_order
from jaxgan.core.text import list_names
from jaxgan.data.folders import Files, check_is_no_run, find_images, is_image_store

# The names of folders that are splits, in lower case, and the names of the splits.
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_SPLIT_AND_DOMAIN = re.compile(rf"(?i:({'|'.join(SPLITS)}))(?:[ _-]?([AB])|[_-]([ab]))")
SHOWN = 3  # maximum number of names in a message


class ImageSet(NamedTuple):
    """The images of one split of a data set.

    Attributes:
      name: the folder or zip, and the folder of the domain in it, for messages.
      files: the folder or zip.
      names: the names of the images in the folder or zip.
      places: the path of each image, without the folder around all images and without the folder of the split.
    """

    name: str
    files: Files
    names: list[str]
    places: list[PurePosixPath]

    @property
    def around(self) -> PurePosixPath:
        """The innermost folder that contains all images."""
        return _without_common_folder(self.names)[0]

    @property
    def parents(self) -> list[str]:
        """The folder of each image, which names its class or its domain; "." for an image without a folder."""
        return [place.parent.as_posix() for place in self.places]


def find_split(path: Path, split: str = "train") -> ImageSet:
    """Return the images of one split of a folder or a zip. Without folders of splits, all images are the split train.

    Folders are splits if all folders at this place have one of the names in ``SPLITS``. So a class can have the name
    test, unless all other classes have such names too.

    Args:
      path: a folder, a zip or an image file.
      split: one of the names in ``SPLITS``.

    Raises:
      ValueError: if there are no images or no such split, or if it is not clear whether folders are splits or classes.

    Warns:
      UserWarning: if there are other splits, which are not used.
    """
    check_is_no_run(path)
    files, names = find_images(path)
    wanted = SPLITS.get(split.lower())
    if wanted is None:
        raise ValueError(f"`split` must be train, validation or test for {files.name}, got {split!r}.")
    around, paths = _without_common_folder(names)
    splits, places = _read_splits(files.name, paths)
    if splits is None:
        own = {SPLITS.get(part.lower()) for part in (Path(files.name).name, *around.parts)}
        if wanted != "train" and wanted not in own:
            raise ValueError(
                f"{files.name} has no split {split!r}, because it contains no folders with the names train and test. "
                "Use `split` 'train' for all images."
            )
        return ImageSet(files.name, files, names, paths)
    chosen = [i for i, found in enumerate(splits) if found == wanted]
    counts = collections.Counter(found for found in splits if found)
    if not chosen:
        raise ValueError(
            f"{files.name} has no split {split!r}, but the splits {_list_counts(counts)}. Pass the folder of another "
            "split. If the folders are classes, rename them."
        )
    others = collections.Counter({kind: count for kind, count in counts.items() if kind != wanted})
    beside = splits.count(None)
    if others or beside:
        left_out = _list_counts(others)
        if beside:
            left_out += f"{' and ' if others else ''}the images beside the folders of splits ({beside:,})"
        warnings.warn(
            f"{files.name}: the split {wanted} is used ({len(chosen):,} of {len(names):,} images), without {left_out}.",
            stacklevel=3,
        )
    _, kept = _without_common_folder([places[i].as_posix() for i in chosen])
    return ImageSet(files.name, files, [names[i] for i in chosen], kept)


def as_image_set(images: str | Path | ImageSet) -> ImageSet:
    """Return the images of the split train of a folder or a zip, or return an ``ImageSet`` unchanged.

    Args:
      images: a folder or a zip, or the images of one split of it.
    """
    return images if isinstance(images, ImageSet) else find_split(Path(images))


def has_split(path: str | Path, split: str) -> bool:
    """Return whether a path is a folder or zip of images with at least two splits, one of which is ``split``.

    Args:
      path: the path, which need not exist.
      split: one of the names in ``SPLITS``.
    """
    if not is_image_store(Path(path)):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files, names = find_images(Path(path))
    splits, _ = _read_splits(files.name, _without_common_folder(names)[1])
    return splits is not None and SPLITS[split] in splits


def find_test_split(data: str) -> tuple[str, str] | None:
    """Return the path and the split of the test images that belong to training images; None if there are none.

    The test images are the split test or, without it, the split validation of the folder or zip; or a folder or zip
    beside it with the name of such a split, if its own name is train.

    Args:
      data: the path of the training images, which can have the prefix ``stacked:`` or ``tiles:``.
    """
    prefix = next((prefix for prefix in ("stacked:", "tiles:") if data.startswith(prefix)), "")
    path = Path(data.removeprefix(prefix))
    siblings: list[Path] = []
    if is_image_store(path) and _split_of_store(path) == "train":
        siblings = sorted(path.absolute().parent.iterdir())
    for split in ("test", "validation"):
        if has_split(path, split):
            return data, split
        for sibling in siblings:
            if _split_of_store(sibling) == split and _has_images(sibling):
                return f"{prefix}{sibling}", "train"
    return None


def _has_images(path: Path) -> bool:
    with warnings.catch_warnings(), contextlib.suppress(ValueError, OSError):
        warnings.simplefilter("ignore")
        return is_image_store(path) and bool(find_images(path)[1])
    return False


def _split_of_store(path: Path) -> str | None:
    """Return the split that a folder such as train or a zip such as train.zip is named after."""
    return SPLITS.get((path.stem if path.suffix.lower() == ".zip" else path.name).lower())


def select_domain(images: ImageSet, domain: str) -> ImageSet:
    """Return the images in the folder of a domain, A or B.

    Args:
      images: images in one folder for each domain, see ``has_domains``.
      domain: A or B.
    """
    chosen = [i for i, place in enumerate(images.places) if place.parts[0].upper() == domain]
    places = [PurePosixPath(*images.places[i].parts[1:]) for i in chosen]
    domain_images = ImageSet(images.name, images.files, [images.names[i] for i in chosen], places)
    return domain_images._replace(name=str(Path(images.name, domain_images.around)))


def has_domains(images: ImageSet) -> bool:
    """Return whether the images are in the two folders A and B."""
    return {place.parts[0].upper() if len(place.parts) > 1 else "" for place in images.places} == {"A", "B"}


def classes_of_folders(where: str, places: Sequence[PurePosixPath]) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Return the class of each file, from the names of the folders.

    Args:
      where: the name of the data set, for messages.
      places: the path of each file, relative to the folder that contains the folders of the classes.

    Returns:
      The names of the classes in alphabetical order, in which digits are compared as numbers, and the label of each
      file, int32 [N]. If any file has no folder, the files have no classes: the names are empty, and the labels are
      None.

    Warns:
      UserWarning: if some files have a folder and others have none, or if two classes have nearly the same name.
    """
    parents = [place.parent.as_posix() for place in places]
    reason = _why_no_classes(places)
    if reason:
        if set(parents) != {"."}:
            warnings.warn(f"{where}: the images have no labels, because {reason}", stacklevel=3)
        return (), None
    parents = [_as_text(parent) for parent in parents]
    classes = tuple(natural_order(set(parents)))
    _warn_of_similar_names(where, classes)
    index = {name: i for i, name in enumerate(classes)}
    return classes, np.array([index[parent] for parent in parents], np.int32)


def _as_text(name: str) -> str:
    """Replace the bytes of a name that are not UTF-8 by escape sequences, because JSON cannot represent them."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def explain_missing_labels(path: Path) -> str:
    """Return why the images of a folder or zip have no labels, as sentences, or "" if this is not known.

    Args:
      path: the folder or zip.
    """
    if not is_image_store(path):
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = find_split(path)
    reason, around = _why_no_classes(images.places), images.around
    if around.parts and set(images.parents) == {"."}:
        return f"All its images are in one folder, {around}, and a single class needs no labels."
    return f"They have no labels, because {reason}" if reason else ""


def _why_no_classes(places: Sequence[PurePosixPath]) -> str:
    """Return why files have no classes, as a clause and how to fix it; "" if they have classes."""
    direct = [place.name for place in places if len(place.parts) == 1]
    folders = natural_order({place.parts[0] for place in places if len(place.parts) > 1})
    if not direct:
        return ""
    if not folders:
        return "they are in no sub-folders. Put the images of each class into a folder of its own."
    return (
        f"{len(direct):,} of them ({list_names(direct, SHOWN)}) are in no folder, beside the folders "
        f"{list_names(folders, SHOWN)}. If the folders are classes, move or remove these images."
    )


def _warn_of_similar_names(where: str, classes: Sequence[str]) -> None:
    by_lower: dict[str, list[str]] = {}
    for name in classes:
        by_lower.setdefault(name.lower(), []).append(name)
    same = [names for names in by_lower.values() if len(names) > 1]
    if same:
        warnings.warn(
            f"{where}: the names of the classes {' and '.join(same[0])} differ only in upper and lower case. If they "
            "are the same class, put their images into one folder.",
            stacklevel=4,
        )
    inside = [name for name in classes if any(name.startswith(other + "/") for other in classes)]
    if inside:
        outer = inside[0].rpartition("/")[0]
        warnings.warn(
            f"{where}: the class {inside[0]} is inside of the folder of the class {outer}. Each folder that contains "
            "images is a class of its own.",
            stacklevel=4,
        )


def _without_common_folder(names: Sequence[str]) -> tuple[PurePosixPath, list[PurePosixPath]]:
    """Return the innermost folder that contains all files, and the paths of the files in it."""
    around = PurePosixPath(os.path.commonpath([PurePosixPath(name).parent for name in names]) or ".")
    return around, [PurePosixPath(name).relative_to(around) for name in names]


def _read_splits(where: str, paths: Sequence[PurePosixPath]) -> tuple[list[str | None] | None, list[PurePosixPath]]:
    """Find the split of each file.

    Args:
      where: the name of the data set, for messages.
      paths: the paths of the files, without the folder around all of them.

    Returns:
      The split of each file, None for a file beside the folders of splits, and the paths without the names of the
      splits. Without splits, None and the unchanged paths.
    """
    for level in (0, 1):
        found = [_read_split(path.parts[level]) if len(path.parts) > level + 1 else None for path in paths]
        kinds = {split for split, _ in filter(None, found)}
        joined = {bool(domain) for _, domain in filter(None, found)}
        folders = {path.parts[level] for path in paths if len(path.parts) > level + 1}
        others = natural_order(name for name in folders if _read_split(name) is None)
        # trainA is the name of a class in no other data set, so other folders beside it are left out.
        is_alone = not others or (level == 0 and joined == {True})
        is_split = kinds and len(joined) == 1 and is_alone and (level == 0 or None not in found)
        if is_split and (len(kinds) > 1 or joined == {True} or (level == 1 and kinds == {"train"})):
            places = [
                PurePosixPath(*path.parts[:level], *([split[1]] if split[1] else []), *path.parts[level + 1 :])
                if split
                else path
                for path, split in zip(paths, found)
            ]
            return [split and split[0] for split in found], places
        if level == 0 and len(kinds) > 1 and "train" in kinds and others:
            raise ValueError(
                f"{where} contains {list_names(natural_order(folders - set(others)), SHOWN)}, which are names of "
                f"splits, beside {list_names(others, SHOWN)}. Pass the folder of one split. If they are classes, "
                "rename them."
            )
    return None, list(paths)


def _read_split(folder: str) -> tuple[str, str] | None:
    """Return the split and the domain in the name of a folder; None if it is not the name of a split.

    >>> _read_split("Test"), _read_split("trainA"), _read_split("cat")
    (('test', ''), ('train', 'A'), None)
    """
    if folder.lower() in SPLITS:
        return SPLITS[folder.lower()], ""
    match = _SPLIT_AND_DOMAIN.fullmatch(folder)
    return (SPLITS[match[1].lower()], (match[2] or match[3]).upper()) if match else None


def _list_counts(counts: collections.Counter[str]) -> str:
    order = [kind for kind in ("train", "validation", "test") if counts[kind]]
    return " and ".join(f"{kind} ({counts[kind]:,})" for kind in order)
