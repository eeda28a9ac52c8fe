"""The files of the verb translate: images, folders and animations in, the same names out."""

import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageSequence

from jaxgan import media
from jaxgan.core import system
from jaxgan.core.files import writing_out
from jaxgan.data.images import EXTENSIONS, Files, converted, decoded, image_files
from jaxgan.editing.translator import Translator

WRITTEN = {".png", ".jpg", ".jpeg", ".gif", ".webp"}  # in their own format; others become a .png


class Picture(NamedTuple):
    """A file's frames, uint8 [T, height, width, channels], one if it is no animation."""

    frames: np.ndarray
    frames_per_second: float
    mode: str  # as Pillow names it


def translate_files(
    translator: Translator, source: Path, out: Path, by: str, *, masks: Path | None = None, say: Callable = print
) -> None:
    """Translate a file, or all in a folder or zip, each to a file of its name; what fails is told, and the others made.

    Args:
      translator: what makes them.
      source: images; an animation is translated frame by frame.
      out: a folder, made if need be; of one image also a file.
      by: what made them, for ``sampling.save``.
      masks: a file, folder or zip of masks of the same names: white is what an image lacks. Without them it is what is
        transparent.
      say: is told how each size is translated, and how fast.

    Raises:
      ValueError: there are no images, ``out`` would overwrite them, or some were not translated; it says which.
      OSError: one cannot be written.
    """
    files, names = listed(source)
    placed = _placed(names, source, out)
    holes = listed(masks) if masks else None
    seen: set[tuple[int, int]] = set()
    failed, pixels, seconds = [], 0, 0.0
    for place, name in enumerate(names):
        try:
            picture = _read(files, name, translator.direction.channels)
            picture = _with_holes(picture, name, holes) if holes else picture
            if picture.frames.shape[-1] == 4 and picture.frames[..., 3].min() >= 128:
                raise ValueError(f"{name}: nothing of it is transparent, so nothing would be filled; or give --masks")
            size = picture.frames.shape[1:3]
            if size not in seen:
                seen.add(size)
                say(_how(translator, *size))
            began = time.perf_counter()
            made = np.stack([translator(frame, place) for frame in picture.frames])
            seconds += time.perf_counter() - began
            with writing_out(placed[name]):
                media.save(placed[name], made, by, frames_per_second=max(1, round(picture.frames_per_second)))
        except ValueError as error:
            failed.append(f"{name}: {error}" if name not in str(error) else str(error))
            continue
        pixels += picture.frames[..., 0].size
        if picture.mode not in ("RGB", "L", "P", "RGBA"):
            as_what = "grey" if picture.frames.shape[-1] == 1 else "RGB"
            say(f"{name}: translated as {as_what}, not in its own {picture.mode}")
    done = len(names) - len(failed)
    if done:
        peak = system.peak_memory_bytes()
        memory = "" if peak is None else f"; the process took {peak / 1e9:.2f} GB at most"
        rate = f"{seconds / done:.3g} s each, {pixels / seconds / 1e6:.3g} megapixels a second"
        say(f"{done:,} images in {out}: {rate}{memory}")
    if failed:
        raise ValueError(f"{len(failed):,} of {len(names):,} images were not translated:\n" + "\n".join(failed))


def listed(path: Path) -> tuple[Files, list[str]]:
    """A folder or zip, and the names of its images; of an image its folder, and its name alone.

    Raises:
      ValueError: there is none, or it is of no format that is known.
    """
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if not path.is_dir() and path.suffix.lower() not in {".zip", *EXTENSIONS}:
        raise ValueError(
            f"{path}: no image that is known; of a video give the frames: ffmpeg -i {path.name} frames/%05d.png"
        )
    return image_files(path)


def _placed(names: list[str], source: Path, out: Path) -> dict[str, Path]:
    """Where each image's translation is written."""
    if out.resolve() == source.resolve() or (source.is_file() and out.resolve() == source.parent.resolve()):
        raise ValueError(f"--out {out}: the images themselves are there; name another")
    if len(names) == 1 and source.is_file() and out.suffix:
        if out.suffix.lower() not in WRITTEN:
            raise ValueError(f"--out {out}: want {', '.join(sorted(WRITTEN))}, or a folder")
        return {names[0]: out}
    suffix = {name: PurePosixPath(name).suffix for name in names}
    placed = {
        name: out / (name if suffix[name].lower() in WRITTEN else name.removesuffix(suffix[name]) + ".png")
        for name in names
    }
    for name, path in placed.items():
        others = [other for other in names if placed[other] == path and other != name]
        if others:
            raise ValueError(f"{name} and {others[0]} would both become {path.name}; rename one")
    return placed


def _read(files: Files, name: str, channels: int) -> Picture:
    def make(image: Image.Image) -> Picture:
        frames = [np.asarray(converted(frame.copy(), channels)) for frame in ImageSequence.Iterator(image)]
        stacked = np.stack(frames).reshape(len(frames), *frames[0].shape[:2], channels)
        return Picture(stacked, 1000 / (image.info.get("duration") or 83), image.mode)

    return decoded(files, name, make)


def _with_holes(picture: Picture, name: str, holes: tuple[Files, list[str]]) -> Picture:
    """The picture, transparent where its mask is white."""
    if picture.frames.shape[-1] != 4:
        raise ValueError(f"{name}: masks are for a model that fills what is missing, and this one does not")
    files, names = holes
    stem = str(PurePosixPath(name).with_suffix(""))
    own = [mask for mask in names if str(PurePosixPath(mask).with_suffix("")) == stem] or names * (len(names) == 1)
    if not own:
        raise ValueError(f"{name}: no mask of its name in {files.name}")
    mask = _read(files, own[0], 1).frames[0]
    if mask.shape[:2] != picture.frames.shape[1:3]:
        height, width = picture.frames.shape[1:3]
        raise ValueError(f"{name} is {width} x {height}, its mask {mask.shape[1]} x {mask.shape[0]}; make them equal")
    known = np.where(mask >= 128, 0, 255).astype(np.uint8)
    return picture._replace(
        frames=np.concatenate([picture.frames[..., :3], np.broadcast_to(known, (*picture.frames.shape[:3], 1))], -1)
    )


def _how(translator: Translator, height: int, width: int) -> str:
    tile = translator.tile_of(height, width)
    if tile is None:
        gigabytes = translator.bytes_of(height, width) / 1e9
        return f"{width} x {height}: whole, for which the networks take {gigabytes:.2f} GB"
    return f"{width} x {height}: in tiles of {tile} x {tile}, {translator.bytes_of(tile, tile, True) / 1e9:.2f} GB each"
