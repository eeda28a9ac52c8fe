"""Find the images that a command reads from a file, folder or zip, and choose the names of the files that it writes."""

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from jaxgan.core.files import open_regular
from jaxgan.data.folders import Files, find_images
from jaxgan.data.image_formats import image_suffixes, is_recognized, plugin_for


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
    if path.is_file() and not _is_image(path):
        package = plugin_for(path.suffix.lower())
        convert = f"Convert a video to images first: ffmpeg -i {path.name} frames/%05d.png"
        raise ValueError(
            f"`{argument}` must be an image, a folder or a .zip, but the format of {path} is unknown. "
            + (f"Install {package} to read it." if package else convert)
        )
    return find_images(path)


def _is_image(path: Path) -> bool:
    """Return whether a file is a zip or an image, by its suffix, or by its first bytes if its suffix is unknown."""
    if path.suffix.lower() in (".zip", *image_suffixes()):
        return True
    with open_regular(path) as file:
        return is_recognized(file)


def output_paths(images: str, names: Sequence[str], out: Path, formats: Collection[str] = ()) -> dict[str, Path]:
    """Choose the file in the folder ``out`` to which the result for each image is written.

    The file has the name of the image. The suffix is replaced by .png unless it is one of ``formats``.

    Args:
      images: the folder or zip of the images.
      names: names of the images, relative to ``images``.
      out: the folder to write to.
      formats: suffixes that are not replaced, for example ``.jpg``.

    Returns:
      A dictionary from the names of the images to the paths of the files.

    Raises:
      ValueError: if two images would be written to the same file, or if a result would replace an image.
    """
    if out.resolve() == Path(images).resolve():
        raise ValueError(f"`out` must not be the folder of the images, got {out}.")
    paths = {}
    for name in names:
        suffix = PurePosixPath(name).suffix
        paths[name] = out / (name if suffix.lower() in formats else name.removesuffix(suffix) + ".png")
    given = {Path(images, name).resolve() for name in names}
    first_with: dict[Path, str] = {}
    for name, path in paths.items():
        other = first_with.setdefault(path, name)
        if other != name:
            raise ValueError(f"{other} and {name} would both be written to {path.name}. Rename one of them.")
        if path.resolve() in given:
            raise ValueError(
                f"The result for {name} would replace the image {path}. Choose a folder outside of {images} as `out`."
            )
    return paths
