"""Translation of files: images, folders and animations in, files of the same names out."""

import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageSequence

from jaxgan import media
from jaxgan.core import system
from jaxgan.core.files import writing_out
from jaxgan.data.images import Files, convert_channels, decode
from jaxgan.editing.image_files import list_images, output_paths
from jaxgan.editing.translator import Translator

FRAME_MILLISECONDS = 83  # of an animation that does not say how long a frame is shown

WRITTEN = (*media.PICTURES, *media.ANIMATIONS)  # written in their own format; others become a .png


class _Picture(NamedTuple):
    """The frames of a file, one if it is not an animation.

    Attributes:
      frames: uint8, [T, height, width, channels].
      frames_per_second: of an animation.
      mode: Pillow's name for the file's colours, as ``RGB``.
    """

    frames: np.ndarray
    frames_per_second: float
    mode: str


def translate_files(
    translator: Translator,
    images: Path,
    out: Path,
    made_by: str,
    *,
    masks: Path | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> None:
    """Translate a file, or all in a folder or zip, each to a file of its name. A file that fails does not stop others.

    Args:
      translator: what translates them.
      images: a file, folder or zip; an animation is translated frame by frame.
      out: a folder, created if need be; for a single image also a file.
      made_by: the program that is named in the files, see ``media.save_images``.
      masks: a file, folder or zip of masks of the same names, white where an image is to be filled. Without them an
        image is filled where it is transparent.
      log: called with a line for each size of image, and with one on speed and memory at the end.

    Raises:
      ValueError: there are no images, ``out`` would overwrite them, or some could not be translated: they are named.
      OSError: a file cannot be written.
    """
    files, names = list_images(images)
    paths = _output_paths(names, images, out)
    mask_files = list_images(masks, "masks") if masks else None
    sizes: set[tuple[int, int]] = set()
    failures, pixels, seconds = [], 0, 0.0
    for index, name in enumerate(names):
        try:
            picture = _read_picture(files, name, translator.direction.channels)
            if mask_files:
                picture = _with_mask(picture, name, mask_files)
            _check_holes(picture, name)
            height, width = picture.frames.shape[1:3]
            if (height, width) not in sizes:
                sizes.add((height, width))
                log(_describe_size(translator, height, width))
            started = time.perf_counter()
            translated = np.stack([translator(frame, index) for frame in picture.frames])
            seconds += time.perf_counter() - started
            with writing_out(paths[name]):
                frames_per_second = max(1, round(picture.frames_per_second))
                media.save_images(paths[name], translated, made_by, frames_per_second=frames_per_second)
        except ValueError as error:
            failures.append(str(error) if name in str(error) else f"{name}: {error}")
            continue
        pixels += picture.frames[..., 0].size
        if picture.mode not in ("RGB", "L", "P", "RGBA"):
            colours = "grey" if picture.frames.shape[-1] == 1 else "RGB"
            log(f"{name}: translated as {colours}, not in its own {picture.mode}")
    translated_count = len(names) - len(failures)
    if translated_count:
        rate = f"{seconds / translated_count:.3g} s each, {pixels / seconds / 1e6:.3g} megapixels a second"
        peak = system.peak_memory_bytes()
        memory = "" if peak is None else f"; the process took {peak / 1e9:.2f} GB at most"
        log(f"{translated_count:,} images in {out}: {rate}{memory}")
    if failures:
        raise ValueError(f"{len(failures):,} of {len(names):,} images were not translated:\n" + "\n".join(failures))


def _output_paths(names: list[str], images: Path, out: Path) -> dict[str, Path]:
    """The file that each image's translation is written to."""
    if out.resolve() == images.resolve() or (images.is_file() and out.resolve() == images.parent.resolve()):
        raise ValueError(f"`out` must not be the folder of the images themselves, got {out}.")
    if len(names) == 1 and images.is_file() and out.suffix:
        if out.suffix.lower() not in WRITTEN:
            raise ValueError(f"`out` must be a folder, or a file with a suffix of {', '.join(WRITTEN)}; got {out}.")
        return {names[0]: out}
    return output_paths(names, out, WRITTEN)


def _read_picture(files: Files, name: str, channels: int) -> _Picture:
    def read_frames(image: Image.Image) -> _Picture:
        frames = [np.asarray(convert_channels(frame.copy(), channels)) for frame in ImageSequence.Iterator(image)]
        stacked = np.stack(frames).reshape(len(frames), *frames[0].shape[:2], channels)
        return _Picture(stacked, 1000 / (image.info.get("duration") or FRAME_MILLISECONDS), image.mode)

    return decode(files, name, read_frames)


def _with_mask(picture: _Picture, name: str, mask_files: tuple[Files, list[str]]) -> _Picture:
    """The picture, transparent where its mask is white."""
    if picture.frames.shape[-1] != 4:
        raise ValueError(f"{name}: masks are for a model that fills what is missing, and this one does not")
    files, mask_names = mask_files
    stem = PurePosixPath(name).with_suffix("")
    matches = [mask for mask in mask_names if PurePosixPath(mask).with_suffix("") == stem]
    if not matches and len(mask_names) == 1:
        matches = mask_names  # one mask for all images
    if not matches:
        raise ValueError(f"{name}: no mask of its name in {files.name}")
    mask = _read_picture(files, matches[0], 1).frames[0]
    height, width = picture.frames.shape[1:3]
    if mask.shape[:2] != (height, width):
        raise ValueError(f"{name} is {width} x {height}, its mask {mask.shape[1]} x {mask.shape[0]}; make them equal")
    alpha = np.where(mask >= 128, 0, 255).astype(np.uint8)
    alpha = np.broadcast_to(alpha, (*picture.frames.shape[:3], 1))
    return picture._replace(frames=np.concatenate([picture.frames[..., :3], alpha], -1))


def _check_holes(picture: _Picture, name: str) -> None:
    """Networks that fill holes, which take alpha as a fourth channel, need a transparent pixel."""
    if picture.frames.shape[-1] == 4 and picture.frames[..., 3].min() >= 128:
        raise ValueError(
            f"{name}: no pixel is transparent, so nothing would be filled; pass `masks`, white where to fill."
        )


def _describe_size(translator: Translator, height: int, width: int) -> str:
    tile = translator.tile_side(height, width)
    if tile is None:
        gigabytes = translator.memory_bytes(height, width) / 1e9
        return f"{width} x {height}: whole, for which the networks take {gigabytes:.2f} GB"
    gigabytes = translator.memory_bytes(tile, tile, in_tiles=True) / 1e9
    return f"{width} x {height}: in tiles of {tile} x {tile}, {gigabytes:.2f} GB each"
