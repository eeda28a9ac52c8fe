"""Find the images that a command reads from a file, folder or zip, and choose the names of the files that it writes."""

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from jaxgan.data.folders import EXTENSIONS, Files, find_images


def list_images(path: Path, argument: str = "images") -> tuple[Files, list[str]]:
    """Return the files of a folder or zip, and the names of the images among them.

    For a single image file, the result is the folder of the file and the name of the image.

    Args:
      path: a file, folder or zip.
      argument: the name of the caller's argument that contains the path, for messages.

    Raises:
      ValueError: if there are no images, or the format of the file is unknown.
    """
    if not path.exists():
        raise ValueError(f"`{argument}` must be an existing file or folder, but {path} does not exist.")
    if not path.is_dir() and path.suffix.lower() not in {".zip", *EXTENSIONS}:
        raise ValueError(
            f"`{argument}` must be an image, a folder or a .zip, but {path} has none of the known formats "
            f"{', '.join(sorted(EXTENSIONS))}. Convert a video to images first: ffmpeg -i {path.name} frames/%05d.png"
        )
    return find_images(path)


def output_paths(names: Sequence[str], out: Path, formats: Collection[str] = ()) -> dict[str, Path]:
    """Choose the file in the folder ``out`` to which the result for each image is written.

    The file has the name of the image. The suffix is replaced by .png unless it is one of ``formats``.

    Args:
      names: names of the images, relative to their folder or zip.
      out: the folder to write to.
      formats: suffixes that are not replaced, for example ``.jpg``.

    Returns:
      A dictionary from the names of the images to the paths of the files.

    Raises:
      ValueError: if two images would be written to the same file.
    """
    paths = {}
    for name in names:
        suffix = PurePosixPath(name).suffix
        paths[name] = out / (name if suffix.lower() in formats else name.removesuffix(suffix) + ".png")
    first_with: dict[Path, str] = {}
    for name, path in paths.items():
        other = first_with.setdefault(path, name)
        if other != name:
            raise ValueError(f"{other} and {name} would both be written to {path.name}. Rename one of them.")
    return paths
