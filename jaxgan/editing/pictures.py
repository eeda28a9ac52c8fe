"""Read image files to be translated: their frames, their transparency, and the metadata that the result keeps."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from jaxgan import drawing
from jaxgan.data.decoding import MAX_PIXELS, convert_channels, decode, decode_colours
from jaxgan.data.folders import Files
from jaxgan.data.image_headers import BLENDED, SEVERAL_FRAMES, contents_of

FRAME_MILLISECONDS = 83  # duration of a frame if the animation does not specify it
ANIMATED = ("AVIF", "FLI", "GIF", "PNG", "WEBP")  # Pillow's names of formats with frames that are shown one by one
# Fields of EXIF that are also true for the translation of a photograph. The settings of the camera are not.
KEPT_FIELDS = (ExifTags.Base.ImageDescription, ExifTags.Base.Artist, ExifTags.Base.Copyright)
WITH_EXIF, WITH_DENSITY = (".png", ".jpg", ".jpeg", ".webp"), (".png", ".jpg", ".jpeg")  # suffixes of such formats


@dataclasses.dataclass(frozen=True)
class Picture:
    """The content of an image file: one frame if it is not an animation.

    Attributes:
      frames: the colours of the frames, uint8 [T, height, width, C], where C is the number of channels that the
        networks take.
      alpha: the transparency that the result keeps, uint8 [T, height, width]; None if there is none.
      durations: duration of each frame in milliseconds, [T].
      loops: number of times that the animation is repeated, see ``drawing.save_images``.
      contents: what was converted or lost, see ``contents_of``.
      options: the metadata that the result keeps, as options of ``drawing.save_images``.
    """

    frames: np.ndarray
    alpha: np.ndarray | None
    durations: list[int]
    loops: int | None
    contents: tuple[str, ...]
    options: Mapping[str, Any]


def read_picture(files: Files, name: str, channels: int, suffix: str = ".png") -> Picture:
    """Read an image file: all frames of an animation, or the first image of another file.

    Args:
      files: the folder or zip file.
      name: the name of the file.
      channels: number of channels that the networks take. Networks with four channels receive the transparency, and
        the result does not keep it.
      suffix: suffix of the file to which the translation is written. Only the first frame is read if this format cannot
        contain several frames. Transparent images are blended with white if this format has no transparency.

    Raises:
      ValueError: if the file cannot be decoded, or if its frames need too much memory.
    """
    suffix = suffix.lower()

    def read(image: Image.Image) -> Picture:
        contents, options = contents_of(image), _kept_metadata(image, suffix)
        loops = image.info.get("loop", None if image.format == "GIF" else 0)
        frames: Iterable[Image.Image] = [image]
        if SEVERAL_FRAMES in contents and image.format in ANIMATED and suffix in drawing.FRAMED:
            contents.remove(SEVERAL_FRAMES)
            frames = _frames(image)
        keeps_alpha = channels != 4 and suffix in drawing.FRAMED
        pixels, alphas, durations = [], [], []
        for frame in frames:
            colours, alpha = decode_colours(frame), None
            durations.append(round(frame.info.get("duration") or FRAME_MILLISECONDS))  # known after decoding
            if channels != 4:
                alpha = _alpha_of(colours)
            if alpha is not None and keeps_alpha:
                colours = _hide_transparent(colours, alpha)
            pixels.append(np.asarray(convert_channels(colours, channels)).reshape(*colours.size[::-1], channels))
            alphas.append(np.full(pixels[-1].shape[:2], 255, np.uint8) if alpha is None else np.asarray(alpha))
        stacked = np.stack(alphas)
        is_opaque = bool(stacked.min() == 255)
        if not (is_opaque or keeps_alpha):
            contents.append(BLENDED)
        kept = None if is_opaque or not keeps_alpha else stacked
        return Picture(np.stack(pixels), kept, durations, loops, tuple(contents), options)

    return decode(files, name, read)


def _frames(image: Image.Image) -> Iterator[Image.Image]:
    """Yield the frames of an animation."""
    count = image.n_frames  # pyright: ignore[reportAttributeAccessIssue]
    width, height = image.size
    if count * width * height > MAX_PIXELS:
        raise ValueError(
            f"{count:,} frames of {width:,} x {height:,} pixels need too much memory. Split the animation into "
            f"parts of at most {MAX_PIXELS:,} pixels"
        )
    # The first image of an animated PNG can be a replacement for programs that cannot show animations.
    for index in range(1 if getattr(image, "default_image", False) else 0, count):
        image.seek(index)
        yield image.copy()


def _alpha_of(frame: Image.Image) -> Image.Image | None:
    """Return the alpha channel of a decoded frame, or None if all pixels are opaque."""
    alpha = frame.getchannel("A") if frame.mode.endswith("A") else None
    return None if alpha is None or alpha.getextrema()[0] == 255 else alpha


def _hide_transparent(frame: Image.Image, alpha: Image.Image) -> Image.Image:
    """Return the colours without alpha. Where nothing is visible, the colour is arbitrary and is replaced by white."""
    colours = frame.convert("RGB")
    colours.paste("white", mask=alpha.point([255] + [0] * 255))
    return colours


def _kept_metadata(image: Image.Image, suffix: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    fields = {field: value for field, value in image.getexif().items() if field in KEPT_FIELDS}
    if fields and suffix in WITH_EXIF:
        options["exif"] = Image.Exif()
        for field, value in fields.items():
            options["exif"][field] = value
    if "dpi" in image.info and suffix in WITH_DENSITY:
        options["dpi"] = image.info["dpi"]
    return options


def with_alpha(images: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Add an alpha channel to images, and resize it to their size.

    Args:
      images: uint8 [T, height, width, C], where C is 1, 3 or 4. An alpha channel of the images is replaced.
      alpha: uint8 [T, H, W].

    Returns:
      uint8 [T, height, width, 4].
    """
    size = images.shape[2], images.shape[1]
    resized = [np.asarray(Image.fromarray(values).resize(size, Image.Resampling.LANCZOS)) for values in alpha]
    colours = images.repeat(3, -1) if images.shape[-1] == 1 else images[..., :3]
    return np.concatenate([colours, np.stack(resized)[..., None]], -1)
