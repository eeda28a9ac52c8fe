"""Latents, and images from them: grids, interpolations, files that say they are synthetic."""

import math
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

FRAMES_A_LATENT = 24  # of an interpolation

# IPTC's terms for media made by a model, and for a mix with others: https://cv.iptc.org/newscodes/digitalsourcetype
_SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"


def latents(keys: jax.Array, size: int, times: int = 1) -> jax.Array:
    """[times * B, size] standard normal latents; keys [B], each example's draws from its own key alone.

    The first B are what they are for any ``times``: a generator's batch may be larger than the discriminator's.
    """
    more = [others(keys, n) for n in range(2, times + 1)]
    return jax.vmap(lambda key: jax.random.normal(key, (size,)))(jnp.concatenate([keys, *more]))


def others(keys: jax.Array, n: int = 1) -> jax.Array:
    """[B] keys made from ``keys``, [B]: for what is drawn of each example a second time, or an n-th."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys, n)


def uniform_latents(keys: jax.Array, size: int, low: float = -1.0, high: float = 1.0) -> jax.Array:
    """[B, size] latents uniform in [low, high)."""
    return jax.vmap(lambda key: jax.random.uniform(key, (size,), minval=low, maxval=high))(keys)


def truncated_latents(keys: jax.Array, size: int, threshold: float) -> jax.Array:
    """[B, size] normal latents within +-threshold: better samples for less variety (Brock et al. 2019, 3.1)."""
    if threshold <= 0:
        raise ValueError(f"threshold {threshold}: latents are cut at +-threshold, which is above 0")
    draw = lambda key: jax.random.truncated_normal(key, -threshold, threshold, (size,))  # noqa: E731
    return jax.vmap(draw)(keys)


def sample_keys(seed: int, count: int, start: int = 0) -> jax.Array:
    """[count] keys of samples ``start``, ``start + 1``, ..., see ``keys_of``."""
    return keys_of(seed, jnp.arange(start, start + count))


def keys_of(seed: int | jax.Array, indices: ArrayLike) -> jax.Array:
    """A key for each sample: sample i of a seed is the same in any batch."""
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), jnp.asarray(indices))


def labels(count: int, classes: tuple[str, ...], label: int | None = None) -> np.ndarray:
    """[count] numbers of the classes that samples are asked for: all in turn, or one; 0 where there are none.

    Raises:
      ValueError: there is no such class, or nothing is asked for.
    """
    if count < 1:
        raise ValueError(f"--count {count}: at least 1")
    if label is not None and not 0 <= label < len(classes):
        known = f"want 0 to {len(classes) - 1}, for {', '.join(classes)}" if classes else "this model has no classes"
        raise ValueError(f"--label {label}: {known}")
    return np.arange(count, dtype=np.int32) % max(1, len(classes)) if label is None else np.full(count, label, np.int32)


def slerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """The point at ``t`` in [0, 1] on the great arc from latents ``a`` to ``b``, [..., z] (Shoemake 1985).

    Unlike a straight line it stays where normal latents are, at a norm near sqrt(z).
    """
    norms = [jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    cosine = jnp.sum(a / norms[0] * b / norms[1], axis=-1, keepdims=True)
    angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))
    return (jnp.sin((1 - t) * angle) * a + jnp.sin(t * angle) * b) / jnp.sin(angle)


def lerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """The point at ``t`` in [0, 1] on the straight line from ``a`` to ``b``, [..., w]."""
    return (1 - t) * a + t * b


def closed_path(points: jax.Array, between: Callable) -> jax.Array:
    """A path through all of the points, [N, ...], and back to the first: [N * FRAMES_A_LATENT, ...].

    Args:
      points: latents, or whatever else is to be moved between.
      between: ``lerp`` or ``slerp``.
    """
    t = jnp.arange(FRAMES_A_LATENT).reshape(-1, *(1,) * (points.ndim - 1)) / FRAMES_A_LATENT
    return jnp.concatenate([between(a[None], b[None], t) for a, b in zip(points, jnp.roll(points, -1, axis=0))])


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


def beneath(*images: jax.Array, columns: int = 8) -> jax.Array:
    """Images of several kinds, [N, h, w, C] each, as one array for a grid of ``columns``, which divide N.

    A row of the first kind, beneath it the same examples of the second, and so on; then the next row of the first.
    """
    shapes = {x.shape for x in images}
    if len(shapes) != 1 or len(images[0]) % columns:
        raise ValueError(f"images of shapes {', '.join(map(str, shapes))}: want one shape, of a multiple of {columns}")
    rows = jnp.stack([x.reshape(-1, columns, *x.shape[1:]) for x in images], axis=1)
    return rows.reshape(-1, *images[0].shape[1:])


def pictured(images: jax.Array, channels: int) -> jax.Array:
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
