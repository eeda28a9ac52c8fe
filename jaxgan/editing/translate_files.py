"""Translate image files: read images, folders and animations, and write files with the same names."""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from jaxgan import drawing
from jaxgan.core import system
from jaxgan.core.files import writing_out
from jaxgan.data.decoding import read_pixels
from jaxgan.data.folders import Files
from jaxgan.data.image_headers import describe_contents
from jaxgan.editing.image_files import list_images, output_paths
from jaxgan.editing.pictures import Picture, read_picture, with_alpha
from jaxgan.editing.translator import Translator

# Suffixes of the formats that can be written. The translation of a file in another format is written as .png.
WRITTEN = (*drawing.PICTURES, *drawing.ANIMATIONS)


def translate_files(
    translator: Translator,
    images: Path,
    out: Path,
    made_by: str,
    *,
    masks: Path | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> None:
    """Translate an image file, or all image files in a folder or zip, each to a file with the same name.

    If a file cannot be translated, the remaining files are still translated. The transparency of an image is kept if
    the format of the result supports it: the colours are translated, and the alpha channel is resized to the size of
    the result. All frames of an animation are translated, with their durations.

    Args:
      translator: the translator of single images.
      images: a file, folder or zip. Animations are translated frame by frame.
      out: a folder, which is created if it is missing. For a single image it can also be a file.
      made_by: the program that is named in the metadata of the files, see ``drawing.save_images``.
      masks: a file, folder or zip of masks with the same names, for networks that fill holes. White pixels are filled.
        If None, transparent pixels of the images are filled.
      log: function that is called with lines of text: one for each new image size, one about everything that was
        converted or lost when the images were read, one for each image that could not be translated, and one about
        speed and memory at the end.

    Raises:
      ValueError: if there are no images, if ``out`` is the folder of the images, or if images could not be translated.
        The message names the first of them.
      OSError: if a file cannot be written.
    """
    files, names = list_images(images)
    paths = _output_paths(files, names, images, out)
    mask_files = list_images(masks, "masks") if masks else None
    sizes: set[tuple[int, int]] = set()
    contents: Counter[str] = Counter()
    failures, pixels, seconds = [], 0, 0.0
    for index, name in enumerate(names):
        try:
            picture = read_picture(files, name, translator.direction.channels, paths[name].suffix)
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
            _write(paths[name], translated, picture, made_by)
        except ValueError as error:
            failures.append(str(error) if name in str(error) else f"{name}: {error}")
            log(f"not translated: {failures[-1]}")
            continue
        pixels += picture.frames[..., 0].size
        contents.update(picture.contents)
    if contents:
        log(describe_contents(str(images), len(names) - len(failures), contents))
    translated_count = len(names) - len(failures)
    if translated_count:
        rate = f"{seconds / translated_count:.3g} s per image, {pixels / seconds / 1e6:.3g} megapixels per second"
        peak = system.peak_memory_bytes()
        memory = "" if peak is None else f", peak memory of the process {peak / 1e9:.2f} GB"
        noun = "image" if translated_count == 1 else "images"
        log(f"{translated_count:,} {noun} written to {out}: {rate}{memory}")
    if failures:
        raise ValueError(
            f"{len(failures):,} of {len(names):,} images could not be translated; each is named above. The first "
            f"reason: {failures[0]}"
        )


def _output_paths(files: Files, names: list[str], images: Path, out: Path) -> dict[str, Path]:
    """Return the file for the translation of each image."""
    if len(names) == 1 and images.is_file() and out.suffix:
        if out.resolve() == images.resolve():
            raise ValueError(f"`out` must not be the image, got {out}.")
        if out.suffix.lower() not in WRITTEN:
            raise ValueError(
                f"`out` must be a folder, or a file with one of the suffixes {', '.join(WRITTEN)}, got {out}."
            )
        return {names[0]: out}
    return output_paths(files.name, names, out, WRITTEN)


def _write(path: Path, translated: np.ndarray, picture: Picture, made_by: str) -> None:
    """Write the translated frames of a picture, uint8 [T, height, width, C], with its transparency and its timing."""
    if picture.alpha is not None:
        translated = with_alpha(translated, picture.alpha)
    with writing_out(path):
        drawing.save_images(
            path, translated, made_by, durations=picture.durations, loops=picture.loops, options=picture.options
        )


def _with_mask(picture: Picture, name: str, mask_files: tuple[Files, list[str]]) -> Picture:
    """Return the picture with an alpha channel that is transparent where its mask is white."""
    if picture.frames.shape[-1] != 4:
        raise ValueError(f"{name}: `masks` can only be used with a model that fills holes, and this model does not.")
    files, mask_names = mask_files
    stem = PurePosixPath(name).with_suffix("")
    matches = [mask for mask in mask_names if PurePosixPath(mask).with_suffix("") == stem]
    if not matches and len(mask_names) == 1:
        matches = mask_names  # one mask for all images
    if not matches:
        raise ValueError(f"{name}: {files.name} has no mask with the same name.")
    mask = read_pixels(files, matches[0], 1)
    height, width = picture.frames.shape[1:3]
    if mask.shape[:2] != (height, width):
        raise ValueError(
            f"{name} has the size {width} x {height}, but its mask has the size {mask.shape[1]} x {mask.shape[0]}. "
            "Resize one of them."
        )
    alpha = np.where(mask >= 128, 0, 255).astype(np.uint8)
    alpha = np.broadcast_to(alpha, (*picture.frames.shape[:3], 1))
    return dataclasses.replace(picture, frames=np.concatenate([picture.frames[..., :3], alpha], -1))


def _check_holes(picture: Picture, name: str) -> None:
    """Check that a picture has a hole if the networks fill holes.

    Networks that fill holes receive images with an alpha channel. Transparent pixels are holes.

    Raises:
      ValueError: if the picture has an alpha channel, but no transparent pixel.
    """
    if picture.frames.shape[-1] == 4 and picture.frames[..., 3].min() >= 128:
        raise ValueError(
            f"{name} has no transparent pixel, so there is nothing to fill. Pass `masks` that are white where the "
            "image is to be filled."
        )


def _describe_size(translator: Translator, height: int, width: int) -> str:
    """Return a line of text about the tiles and the memory that images of this size need."""
    tile = translator.tile_side(height, width)
    if tile is None:
        gigabytes = translator.memory_bytes(height, width) / 1e9
        return f"{width} x {height}: translated in one pass, the networks need {gigabytes:.2f} GB"
    gigabytes = translator.memory_bytes(tile, tile, in_tiles=True) / 1e9
    return f"{width} x {height}: translated in tiles of {tile} x {tile}, the networks need {gigabytes:.2f} GB per tile"
