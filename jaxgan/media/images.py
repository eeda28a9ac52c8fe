"""Images as grids, and as files that say that they are synthetic."""

import math
from pathlib import Path
from xml.sax.saxutils import quoteattr

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.media.points import render_points

PICTURES = (".png", ".jpg", ".jpeg")  # suffixes of the formats that are written
ANIMATIONS = (".gif", ".webp")

# IPTC's terms for media made by a model, and for a mix with others: https://cv.iptc.org/newscodes/digitalsourcetype
_SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Float images in [-1, 1] as uint8, 0 to 255; values outside are clipped.

    Unlike ``evaluation.preprocessing.as_bytes``, which refuses such values, this is for pictures.
    """
    return np.clip(np.round((np.asarray(images, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def make_grid(images: np.ndarray, columns: int | None = None, gap: int = 1) -> np.ndarray:
    """Images row by row on one white sheet, uint8 [H, W, C].

    Args:
      images: float images in [-1, 1] or bytes, [N, h, w, C]; or points, [N, 2], which become one picture by
        ``render_points``.
      columns: number of columns; by default the sheet has as many rows as columns, or one fewer.
      gap: pixels between images.

    Raises:
      ValueError: ``images`` has another shape, or is empty, or ``columns`` is below 1.
    """
    images = np.asarray(images)
    if images.ndim == 2 and images.shape[1] == 2:
        return render_points(images)
    if images.ndim != 4 or not len(images):
        hint = " Grey images have one channel: images[..., None]." if images.ndim == 3 else ""
        raise ValueError(
            f"`images` must be [N, height, width, C], N > 0, or points, [N, 2], got shape {images.shape}.{hint}"
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
    """Several kinds of images as one array for a grid of ``columns``: a row of each kind, then the next row of each.

    Args:
      *images: arrays of one shape, [N, h, w, C], N a multiple of ``columns``; the i-th of each belong together.
      columns: number of columns of the grid.

    Returns:
      [number of arrays * N, h, w, C].

    Raises:
      ValueError: shapes differ, or N is no multiple of ``columns``.
    """
    shapes = {x.shape for x in images}
    if len(shapes) != 1 or len(images[0]) % columns:
        raise ValueError(
            f"`images` must have one shape, and a multiple of {columns} images each, got "
            f"{', '.join(str(x.shape) for x in images)}."
        )
    rows = jnp.stack([x.reshape(-1, columns, *x.shape[1:]) for x in images], axis=1)
    return rows.reshape(-1, *images[0].shape[1:])


def match_channels(images: jax.Array, channels: int) -> jax.Array:
    """Images, [B, h, w, C], with so many channels, to be shown beside others that have them.

    The first channels are taken; where there are too few, the first one is repeated.
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
    scale: int = 1,
    beside_real: bool = False,
) -> None:
    """Write a picture (.png, .jpg), or frames as an animation (.gif, .webp), marked as synthetic.

    Args:
      path: the file; its suffix is the format.
      frames: uint8, [H, W, C] for a picture, [T, H, W, C] for an animation; C is 1, 3 or 4.
      made_by: the program that made it, ``jaxgan 0.1.0 dcgan``; it is written to the file's metadata with IPTC's term.
      frames_per_second: of an animation.
      scale: draw each pixel this many times as wide and high.
      beside_real: whether examples of the data may be beside the samples; the file says so.

    Raises:
      ValueError: there is no such format, or it cannot hold these frames.
    """
    from PIL import Image

    path = Path(path)
    suffix = path.suffix.lower()
    frames = frames if frames.ndim == 4 else frames[None]
    if suffix not in (*PICTURES, *ANIMATIONS):
        raise ValueError(f"{path}: its format is not known; use one of {', '.join((*PICTURES, *ANIMATIONS))}")
    if frames.shape[-1] not in (1, 3, 4):
        raise ValueError(f"{path}: images of {frames.shape[-1]} channels have no picture; write a .npz")
    if suffix not in ANIMATIONS and len(frames) > 1:
        raise ValueError(f"{path}: {len(frames)} frames in a picture; use .gif or .webp")
    frames = frames.repeat(scale, 1).repeat(scale, 2)
    pictures = [Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in frames]
    note = f"Synthetic: made by {made_by}, a generative model. No camera took it."
    if beside_real:
        note = (
            f"Synthetic in part or whole: made by {made_by}, a generative model; examples of its data may be beside it."
        )
    xmp = _xmp(note, made_by, _COMPOSITE if beside_real else _SYNTHETIC)
    if suffix in ANIMATIONS:
        _write_animation(path, pictures, note, xmp, 1000 // frames_per_second)
    else:
        _write_picture(path, pictures[0], note, xmp, made_by)


def _write_picture(path: Path, picture, note: str, xmp: str, made_by: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    if path.suffix.lower() == ".png":
        info = PngInfo()
        info.add_text("Software", made_by)
        info.add_text("Description", note)
        info.add_itxt("XML:com.adobe.xmp", xmp)
        picture.save(path, pnginfo=info)
    else:
        if picture.mode != "L":
            picture = picture.convert("RGB")
        picture.save(path, quality=95, xmp=xmp.encode(), comment=note.encode())


def _write_animation(path: Path, pictures: list, note: str, xmp: str, milliseconds: int) -> None:
    if path.suffix.lower() == ".gif":
        metadata = {"comment": note.encode()}
    else:
        pictures = [picture.convert("RGB") if picture.mode == "L" else picture for picture in pictures]
        metadata = {"xmp": xmp.encode(), "lossless": True}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0, **metadata)


def save_arrays(path: Path, samples: np.ndarray, labels: np.ndarray | None = None) -> None:
    """Write an ``.npz`` that ``jaxgan.data.load`` reads: ``images``, float32, and ``labels`` if there are any.

    The file has the given name, without a suffix that NumPy would add.
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
