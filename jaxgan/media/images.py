"""Images as grids, and as files that say that they are synthetic."""

import math
from pathlib import Path
from xml.sax.saxutils import quoteattr

import jax
import jax.numpy as jnp
import numpy as np

# IPTC's terms for media made by a model, and for a mix with others: https://cv.iptc.org/newscodes/digitalsourcetype
_SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


_COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"


def to_bytes(images: np.ndarray) -> np.ndarray:
    """float images in [-1, 1] to uint8, 0 to 255."""
    return np.clip(np.round((np.asarray(images, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def grid(images: np.ndarray, columns: int | None = None, gap: int = 1) -> np.ndarray:
    """Images [N, h, w, C] as one, uint8 [H, W, C], row by row; ``columns`` makes it near square if not given.

    Points, [N, 2], are drawn as a scatter plot over [-1.2, 1.2]^2.
    """
    images = np.asarray(images)
    if images.ndim == 2 and images.shape[1] == 2:
        return _scatter(images)
    if images.ndim != 4 or not len(images):
        raise ValueError(f"images of shape {images.shape}: want [N, height, width, C], N > 0, or points [N, 2]")
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for i, image in enumerate(to_bytes(images)):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet


def stack_rows(*images: jax.Array, columns: int = 8) -> jax.Array:
    """Images of several kinds, [N, h, w, C] each, as one array for a grid of ``columns``, which divide N.

    A row of the first kind, beneath it the same examples of the second, and so on; then the next row of the first.
    """
    shapes = {x.shape for x in images}
    if len(shapes) != 1 or len(images[0]) % columns:
        raise ValueError(f"images of shapes {', '.join(map(str, shapes))}: want one shape, of a multiple of {columns}")
    rows = jnp.stack([x.reshape(-1, columns, *x.shape[1:]) for x in images], axis=1)
    return rows.reshape(-1, *images[0].shape[1:])


def match_channels(images: jax.Array, channels: int) -> jax.Array:
    """What a network takes, [B, h, w, C], as pictures of so many channels, to be laid beside what it makes of them."""
    shown = images[..., :channels]
    return shown if shown.shape[-1] == channels else jnp.repeat(images[..., :1], channels, -1)


def _scatter(points, size=256, reach=1.2):
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], size, [[-reach, reach]] * 2)
    return np.where(counts[::-1] > 0, 0, 255).astype(np.uint8)[..., None]


def save(
    path: str | Path,
    frames: np.ndarray,
    by: str,
    *,
    frames_per_second: int = 12,
    scale: int = 1,
    beside_real: bool = False,
) -> None:
    """Write a picture (.png, .jpg), or frames as an animation (.gif, .webp), marked as synthetic and by what.

    Args:
      path: its suffix says the format.
      frames: uint8, [H, W, C] for a picture, [T, H, W, C] for an animation; C is 1, 3 or 4.
      by: what made it, ``jaxgan 0.1.0 dcgan``; goes into the file's metadata with the IPTC's term.
      frames_per_second: of an animation.
      scale: draw each pixel this many times as wide and high.
      beside_real: examples of the data may be among what the model made, and the file says so.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    path = Path(path)
    kind = path.suffix.lower()
    frames = frames if frames.ndim == 4 else frames[None]
    if frames.shape[-1] not in (1, 3, 4):
        raise ValueError(f"{path}: images of {frames.shape[-1]} channels have no picture; write a .npz")
    if kind in (".png", ".jpg", ".jpeg") and len(frames) > 1:
        raise ValueError(f"{path}: {len(frames)} frames in a picture; use .gif or .webp")
    frames = frames.repeat(scale, 1).repeat(scale, 2)
    pictures = [Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in frames]
    note = f"Synthetic: made by {by}, a generative model. No camera took it."
    if beside_real:
        note = f"Synthetic in part or whole: made by {by}, a generative model; examples of its data may be beside it."
    source = _COMPOSITE if beside_real else _SYNTHETIC
    if kind == ".png":
        info = PngInfo()
        info.add_text("Software", by)
        info.add_text("Description", note)
        info.add_itxt("XML:com.adobe.xmp", _xmp(note, by, source))
        pictures[0].save(path, pnginfo=info)
        return
    if kind in (".jpg", ".jpeg"):
        pictures[0].convert("L" if pictures[0].mode == "L" else "RGB").save(
            path, quality=95, xmp=_xmp(note, by, source).encode(), comment=note.encode()
        )
        return
    timing = {"save_all": True, "append_images": pictures[1:], "duration": 1000 // frames_per_second, "loop": 0}
    if kind == ".gif":
        pictures[0].save(path, comment=note.encode(), **timing)
    elif kind == ".webp":
        pictures = [picture.convert("RGB") if picture.mode == "L" else picture for picture in pictures]
        timing["append_images"] = pictures[1:]
        pictures[0].save(path, lossless=True, xmp=_xmp(note, by, source).encode(), **timing)
    else:
        raise ValueError(f"{path}: its format is not known; use .png, .jpg, .gif or .webp")


def save_arrays(path: Path, samples: np.ndarray, labels: np.ndarray | None = None) -> None:
    """Write an ``.npz`` that ``jaxgan.data.load`` reads: ``images``, float32, and ``labels`` if there are any."""
    images = samples.astype(np.float32)
    with path.open("wb") as file:  # a name's own suffix stays, whatever its case
        if labels is None:
            np.savez(file, images=images)
        else:
            np.savez(file, images=images, labels=labels)


def _xmp(note: str, by: str, source: str) -> str:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        f'Iptc4xmpExt:DigitalSourceType="{source}" xmp:CreatorTool={quoteattr(by)} '
        f"photoshop:Headline={quoteattr(note)}/></rdf:RDF></x:xmpmeta>"
    )
