"""Images that a command reads from a file, folder or zip, and the files that it writes for them."""

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from jaxgan.data.images import EXTENSIONS, Files, find_images


def list_images(path: Path, argument: str = "images") -> tuple[Files, list[str]]:
    """The images of a folder or zip, with their names in it; of a single image the folder, and its name.

    Args:
      path: a file, folder or zip.
      argument: the caller's argument that names it, for messages.

    Raises:
      ValueError: there are none, or the file's format is not known.
    """
    if not path.exists():
        raise ValueError(f"`{argument}` {path}: no such file or folder")
    if not path.is_dir() and path.suffix.lower() not in {".zip", *EXTENSIONS}:
        raise ValueError(
            f"`{argument}` {path}: not an image of a known format; "
            f"of a video give the frames: ffmpeg -i {path.name} frames/%05d.png"
        )
    return find_images(path)


def output_paths(names: Sequence[str], out: Path, formats: Collection[str] = ()) -> dict[str, Path]:
    """The file in the folder ``out`` for each image: its own name, with .png in place of other formats' suffixes.

    Args:
      names: relative to the folder or zip that the images are in.
      out: the folder to write to.
      formats: suffixes that are kept, ``.jpg``.

    Raises:
      ValueError: two images would have the same file.
    """
    paths = {}
    for name in names:
        suffix = PurePosixPath(name).suffix
        paths[name] = out / (name if suffix.lower() in formats else name.removesuffix(suffix) + ".png")
    first_with: dict[Path, str] = {}
    for name, path in paths.items():
        other = first_with.setdefault(path, name)
        if other != name:
            raise ValueError(f"{other} and {name} would both become {path.name}; rename one")
    return paths
