"""Styles: what a generator in two halves, of latents to styles and of styles to images, lets one do with samples.

An experiment that has such a generator says so by its ``styles``; all else here are functions of the styles that they
give, ws, [B, layers, w]::

    ws = styles.map(nets, z, psi=0.7)
    directions, strengths = sefa(styles.weights(nets))
    ws = moved(ws, directions[0], jnp.linspace(-3, 3, 7), within("all", styles.layers))   # [B, 7, layers, w]
    images = styles.images(nets, ws.reshape(-1, *ws.shape[2:]), styles.noise())
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

RANGES = ("coarse", "middle", "fine")
COARSE, MIDDLE = 3, 7  # where these ranges end, in images of 64 x 64 or more, and of so many layers:
LAYERS = 10
SHRINKAGE = 0.1  # of a probe's covariance

Noise = jax.Array | tuple[jax.Array, ...] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Styles:
    """A generator's two halves, as functions of its networks: ``experiment.sampling.styles``.

    Attributes:
      map: ``(nets, z, *label, psi=1.0, cutoff=None) -> ws``, [B, ...] to [B, layers, w]. With ``psi`` they are drawn
        towards the average, to so much of their distance: those of the first ``cutoff`` layers, or of all.
      average: ``nets -> w``, [w], the moving average of w.
      images: ``(nets, ws, noise) -> images``, [B, layers, w] to [B, height, width, C]. ``noise`` is None; or maps, as
        ``noise()``, or [B, height, width] each; or keys, [B], of each of which its example's is drawn.
      noise: ``() -> maps``, the constant noise that samples have, the same for all images.
      weights: ``nets -> matrices``, of each layer the affine map of its style, [w, channels].
      layers: how many styles an image has.
      features: ``(nets, images) -> maps``, [B, h, w, C] of each level: what the discriminator sees in an image.
    """

    map: Callable[..., jax.Array]
    average: Callable[[Any], jax.Array]
    images: Callable[[Any, jax.Array, Noise], jax.Array]
    noise: Callable[[], tuple[jax.Array, ...]]
    weights: Callable[[Any], tuple[jax.Array, ...]]
    layers: int
    features: Callable[[Any, jax.Array], tuple[jax.Array, ...]]


def within(name: str, layers: int) -> np.ndarray:
    """Which layers a range has, [layers], booleans; of ``RANGES``, or ``"all"``.

    Coarse styles are those of 4 x 4 and 8 x 8, middle of 16 x 16 and 32 x 32, fine the rest: 1812.04948, section 3.1.
    Of images below 64 x 64, which had next to none that are fine, each range is a third.

    Raises:
      ValueError: there is no such range.
    """
    if name == "all":
        return np.ones(layers, bool)
    if name not in RANGES:
        raise ValueError(f"layers {name!r}: want one of {', '.join(RANGES)}, all")
    ends = (COARSE, MIDDLE) if layers >= LAYERS else (math.ceil(layers / 3), math.ceil(2 * layers / 3))
    return np.digitize(np.arange(layers), ends) == RANGES.index(name)


def mixing_grid(sources: jax.Array, destinations: jax.Array, of_source: np.ndarray) -> jax.Array:
    """Every destination's styles with some layers' of every source: 1812.04948, figure 3.

    Args:
      sources: [M, layers, w].
      destinations: [N, layers, w].
      of_source: [layers], booleans: whose styles are the source's.

    Returns:
      [M + 1, N + 1, layers, w]: the first column has the sources themselves, the first row the destinations, and what
      is in the corner, the first source, is of no account.
    """
    mixed = jnp.where(of_source[None, None, :, None], sources[:, None], destinations[None])
    first = jnp.concatenate([sources[:1], destinations])[None]
    return jnp.concatenate([first, jnp.concatenate([sources[:, None], mixed], axis=1)])


def moved(ws: jax.Array, direction: jax.Array, strengths: jax.Array, which: np.ndarray) -> jax.Array:
    """Styles [N, layers, w], so far along a direction, [w], for each strength, [S]: [N, S, layers, w].

    Of the layers that ``which``, [layers], names; the others' stay.
    """
    steps = strengths[:, None, None] * jnp.asarray(which, ws.dtype)[None, :, None] * direction[None, None]
    return ws[:, None] + steps[None]


def deviation(w: jax.Array, direction: jax.Array) -> jax.Array:
    """How far w, [N, w], spread along a unit direction, [w]: the standard deviation, in which strengths are told."""
    return (w @ direction).std()


def sefa(weights: Sequence[jax.Array], normalized: bool = True) -> tuple[jax.Array, jax.Array]:
    """The directions in w that styles answer to most: SeFa, Shen and Zhou 2021, 2007.06600, equation 5.

    Of all unit vectors n the first has the greatest |A n|^2, where A are the layers' matrices on top of each other; the
    second of those at right angles to it; and so on: eigenvectors of A^T A.

    Args:
      weights: of the layers that are to be moved, [w, channels] each, A's parts transposed: of ``styles.weights``.
      normalized: every channel counts the same, its row of A being of length 1; as in the authors' code, and not in
        the paper.

    Returns:
      Unit vectors as rows, [w, w], and their |A n|^2, [w], the greatest first. A vector's greatest component is
      positive, so that a direction is the same whatever computes it; of equal eigenvalues the vectors are any.
    """
    transposed = jnp.concatenate([jnp.asarray(x, jnp.float32) for x in weights], axis=1)
    if normalized:
        norms = jnp.linalg.norm(transposed, axis=0, keepdims=True)
        transposed = transposed / jnp.where(norms > 0, norms, 1.0)
    values, vectors = jnp.linalg.eigh(transposed @ transposed.T)
    rows = vectors.T[::-1]
    greatest = jnp.take_along_axis(rows, jnp.abs(rows).argmax(1, keepdims=True), 1)
    return rows * jnp.where(greatest < 0, -1.0, 1.0), values[::-1]


def probe(w: np.ndarray, positive: np.ndarray, shrinkage: float = SHRINKAGE) -> np.ndarray:
    """The unit direction, [w], that best tells some w from the others: a linear classifier's normal.

    As in InterFaceGAN (Shen et al. 2020, 1907.10786), whose classifier is a support vector machine. This one is
    Fisher's discriminant, S^-1 (mean of these - mean of those), S being the covariance within the two: it has a closed
    form, so that nothing is to be tuned and a direction is the same every time.

    Args:
      w: [N, w].
      positive: [N], booleans: of what is to be found at the direction's positive end.
      shrinkage: so much of S is replaced by the same variance in all directions (Friedman 1989), because w may have as
        many dimensions as there are examples.

    Raises:
      ValueError: there are fewer than two of either, or nothing tells them apart.
    """
    w, positive = np.asarray(w, np.float64), np.asarray(positive, bool)
    if w.ndim != 2 or positive.shape != w.shape[:1]:
        raise ValueError(f"probe: w {w.shape} and labels {positive.shape}; want [N, w] and [N]")
    these, those = w[positive], w[~positive]
    if min(len(these), len(those)) < 2:
        raise ValueError(f"probe: {len(these)} of {len(w)} examples are positive; it needs two or more of either kind")
    means = these.mean(0), those.mean(0)
    centred = np.concatenate([these - means[0], those - means[1]])
    covariance = centred.T @ centred / len(w)
    even = np.trace(covariance) / w.shape[1] * np.eye(w.shape[1])
    if not np.any(means[0] - means[1]) or not np.any(even):
        raise ValueError("probe: w does not vary, or has the same mean in both kinds")
    normal = np.linalg.solve((1 - shrinkage) * covariance + shrinkage * even, means[0] - means[1])
    return normal / np.linalg.norm(normal)
