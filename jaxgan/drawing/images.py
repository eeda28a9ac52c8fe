"""Arrange images in grids, and write images to files with metadata that declare them as synthetic."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.sax.saxutils import quoteattr

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.core.text import printable
from jaxgan.drawing.points import render_points

PICTURES = (".png", ".jpg", ".jpeg")  # suffixes of files with a single image
ANIMATIONS = (".gif", ".webp")  # suffixes of files with several frames
FRAMED = (*ANIMATIONS, ".png")  # suffixes of files that can have several frames; most programs show the first of a .png

TRANSPARENT = 255  # index of the transparent colour in the palette of a .gif

# Terms of IPTC for media that a model generated, and for composites that contain such media:
# https://cv.iptc.org/newscodes/digitalsourcetype
_SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Convert float images in [-1, 1] to uint8 images from 0 to 255, and clip values outside of [-1, 1].

    This function is for images that are displayed. For images that are measured, ``evaluation.preprocessing.as_bytes``
    raises an error instead of clipping values.

    Args:
      images: an array of any shape, such as images [N, H, W, C].

    Returns:
      An array of the same shape, uint8.
    """
    return np.clip(np.round((np.asarray(images, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def make_grid(images: np.ndarray, columns: int | None = None, gap: int = 1) -> np.ndarray:
    """Arrange images row by row in a grid with a white background, uint8 [H, W, C].

    Args:
      images: float images in [-1, 1] or uint8 images, [N, h, w, C]; or points, [N, 2], which ``render_points`` draws as
        one image.
      columns: number of columns. By default, the square root of N, rounded up.
      gap: number of pixels between images.

    Raises:
      ValueError: if ``images`` has another shape or is empty, or if ``columns`` is below 1.
    """
    images = np.asarray(images)
    if images.ndim == 2 and images.shape[1] == 2:
        return render_points(images)
    if images.ndim != 4 or not len(images):
        hint = " Grey images must have one channel: pass images[..., None]." if images.ndim == 3 else ""
        raise ValueError(
            f"`images` must be [N, height, width, C] with N > 0, or points [N, 2], got shape {images.shape}.{hint}"
        )
    count, height, width, channels = images.shape
    if columns is not None and columns < 1:
        raise ValueError(f"`columns` must be at least 1, got {columns}.")
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for i, image in enumerate(images if images.dtype == np.uint8 else to_bytes(images)):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet


def stack_rows(*images: jax.Array, columns: int = 8) -> jax.Array:
    """Interleave several kinds of images, so that a grid of ``columns`` shows them in alternating rows.

    For inputs and outputs, for example, the rows of the grid are inputs, outputs, inputs, outputs and so on.

    Args:
      *images: arrays of the same shape, [N, h, w, C], where N is a multiple of ``columns``. The i-th images of all
        arrays belong together and are displayed below each other.
      columns: number of columns of the grid.

    Returns:
      One array of images, [number of arrays * N, h, w, C].

    Raises:
      ValueError: if the shapes of the arrays differ, or if N is not a multiple of ``columns``.
    """
    shapes = {x.shape for x in images}
    if len(shapes) != 1 or len(images[0]) % columns:
        raise ValueError(
            f"All arrays in `images` must have the same shape, and the number of images in each array must be a "
            f"multiple of {columns}, got shapes {', '.join(str(x.shape) for x in images)}."
        )
    rows = jnp.stack([x.reshape(-1, columns, *x.shape[1:]) for x in images], axis=1)
    return rows.reshape(-1, *images[0].shape[1:])


def match_channels(images: jax.Array, channels: int) -> jax.Array:
    """Convert images [B, h, w, C] to another number of channels, to display them beside other images.

    Additional channels are removed. If there are too few channels, all channels of the result equal the first one.

    Args:
      images: images, [B, h, w, C].
      channels: the number of channels of the result, at least 1.
    """
    if images.shape[-1] >= channels:
        return images[..., :channels]
    return jnp.repeat(images[..., :1], channels, -1)


def save_images(
    path: str | Path,
    frames: np.ndarray,
    made_by: str,
    *,
    frames_per_second: int = 12,
    durations: Sequence[int] | None = None,
    loops: int | None = 0,
    scale: int = 1,
    beside_real: bool = False,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write an image (.png, .jpg) or an animation (.gif, .webp, .png) with metadata that declare it as synthetic.

    Args:
      path: the file; its suffix determines the format.
      frames: uint8, [H, W, C] for an image or [T, H, W, C] for an animation; C is 1, 3 or 4.
      made_by: the program that generated the images, such as ``jaxgan 0.1.0 dcgan``. It is written to the metadata,
        together with the IPTC term for synthetic media.
      frames_per_second: number of frames that an animation displays in one second.
      durations: the duration of each frame in milliseconds; None uses ``frames_per_second``.
      loops: number of times that an animation is repeated; 0 repeats it forever, and None plays it once.
      scale: factor by which images are enlarged; pixels are repeated.
      beside_real: whether the images may contain examples of the data beside generated samples. The metadata then
        declare the file as a composite of both.
      options: further options of ``PIL.Image.Image.save`` that the format supports, such as ``exif``.

    Raises:
      ValueError: if the format is unknown or cannot contain these frames.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    frames = frames if frames.ndim == 4 else frames[None]
    if suffix not in (*PICTURES, *ANIMATIONS):
        raise ValueError(f"{path} must have one of the suffixes {', '.join((*PICTURES, *ANIMATIONS))}.")
    if frames.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"{path} cannot contain images of {frames.shape[-1]} channels; only 1, 3 or 4 can be displayed. Write a "
            ".npz file instead."
        )
    if suffix not in FRAMED and len(frames) > 1:
        raise ValueError(f"{path} cannot contain {len(frames)} frames. Write a .gif or .webp file instead.")
    frames = frames.repeat(scale, 1).repeat(scale, 2)
    pictures = [_as_picture(frame, suffix) for frame in frames]
    made_by = printable(made_by)  # a file of compiled functions, which may be malicious, can name the program
    note = f"Synthetic: generated by {made_by}, a generative model. It was not taken by a camera."
    if beside_real:
        note = (
            f"Partly or completely synthetic: generated by {made_by}, a generative model. Examples of its data may be "
            "displayed beside its samples."
        )
    xmp = _xmp(note, made_by, _COMPOSITE if beside_real else _SYNTHETIC)
    options = dict(options)
    if suffix in ANIMATIONS or len(pictures) > 1:
        if loops is None and suffix != ".gif":
            loops = 1  # only a .gif can omit the number
        options |= {"save_all": True, "append_images": pictures[1:]}
        options |= {"duration": list(durations) if durations else 1000 // frames_per_second}
        options |= {} if loops is None else {"loop": loops}
        if any("transparency" in picture.info for picture in pictures):
            options["disposal"] = 2  # a frame does not show through the transparent pixels of the next frame
    pictures[0].save(path, **options, **_options(suffix, note, xmp, made_by))


def _options(suffix: str, note: str, xmp: str, made_by: str) -> dict[str, Any]:
    """Return the options that write a note and metadata to a file, and that preserve its quality."""
    from PIL.PngImagePlugin import PngInfo

    if suffix == ".png":
        info = PngInfo()
        info.add_text("Software", made_by)
        info.add_text("Description", note)
        info.add_itxt("XML:com.adobe.xmp", xmp)
        return {"pnginfo": info}
    if suffix == ".gif":
        return {"comment": note.encode()}
    if suffix == ".webp":
        return {"xmp": xmp.encode(), "lossless": True}
    return {"quality": 95, "xmp": xmp.encode(), "comment": note.encode()}


def _as_picture(frame: np.ndarray, suffix: str):
    """Convert uint8 pixels [H, W, C] to an image of Pillow that can be written to a file with this suffix."""
    from PIL import Image

    picture = Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame)
    if suffix == ".gif" and picture.mode == "RGBA":
        # A .gif has a palette, in which one colour can be transparent. Pillow's own conversion darkens the edges.
        indexed = picture.convert("RGB").quantize(TRANSPARENT)
        indexed.paste(TRANSPARENT, mask=picture.getchannel("A").point([255] * 128 + [0] * 128))
        indexed.info["transparency"] = TRANSPARENT
        return indexed
    if (suffix == ".webp" and picture.mode == "L") or (suffix in (".jpg", ".jpeg") and picture.mode == "RGBA"):
        return picture.convert("RGB")
    return picture


def save_arrays(path: Path, samples: np.ndarray, labels: np.ndarray | None = None) -> None:
    """Write an ``.npz`` file that ``jaxgan.data.load`` can read.

    The file contains an array ``images``, float32, and an array ``labels`` if labels are given. Unlike ``numpy.savez``
    with a path, this function never appends a suffix to the path.

    Args:
      path: the file to write. It is replaced if it exists.
      samples: the samples, [N, ...].
      labels: the class labels of the samples, [N] integers; None writes no labels.
    """
    images = samples.astype(np.float32)
    with path.open("wb") as file:
        if labels is None:
            np.savez(file, images=images)
        else:
            np.savez(file, images=images, labels=labels)


def _xmp(note: str, made_by: str, source: str) -> str:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        f'Iptc4xmpExt:DigitalSourceType="{source}" xmp:CreatorTool={quoteattr(made_by)} '
        f"photoshop:Headline={quoteattr(note)}/></rdf:RDF></x:xmpmeta>"
    )
