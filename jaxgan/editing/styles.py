"""Editing of styles: ranges of layers, style mixing, and directions in w (SeFa, linear probes).

The generator of a style GAN has two halves: a mapping from latents to styles, and a synthesis from styles to images.
An experiment with such a generator has ``experiment.sampling.styles``. The functions below work on its styles, ``ws``,
[B, num_ws, w]::

    ws = styles.map(nets, z, truncation_psi=0.7)
    directions, eigenvalues = sefa(styles.weights(nets))
    every_layer = layer_mask("all", styles.num_ws)
    ws = move_along(ws, directions[0], jnp.linspace(-3, 3, 7), every_layer)  # [B, 7, num_ws, w]
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
COARSE_END, MIDDLE_END = 3, 7  # layers at which these ranges end, if there are at least MIN_LAYERS (64 x 64 pixels)
MIN_LAYERS = 10
SHRINKAGE = 0.1  # of a probe's covariance matrix

Noise = jax.Array | tuple[jax.Array, ...] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Styles:
    """The two halves of a style GAN's generator, as functions of its networks: ``experiment.sampling.styles``.

    Attributes:
      map: ``(nets, z, *label, truncation_psi=1.0, truncation_cutoff=None) -> ws``, [B, ...] to [B, num_ws, w].
        Truncation moves styles towards the average w, to ``truncation_psi`` times their distance from it: the styles of
        the first ``truncation_cutoff`` layers, or of all.
      average: ``nets -> w``, [w], the moving average of w.
      images: ``(nets, ws, noise) -> images``, [B, num_ws, w] to [B, height, width, C]. ``noise`` is None; or maps, as
        ``noise()`` returns them, or [B, height, width] each; or keys, [B], from which each example's noise is drawn.
      noise: ``() -> maps``, the constant noise of samples, the same for all images.
      weights: ``nets -> matrices``, the affine map of each layer's style, [w, channels].
      num_ws: the number of styles of an image, one for each layer.
      features: ``(nets, images) -> maps``, [B, h, w, C] of each level: the discriminator's features of images.
    """

    map: Callable[..., jax.Array]
    average: Callable[[Any], jax.Array]
    images: Callable[[Any, jax.Array, Noise], jax.Array]
    noise: Callable[[], tuple[jax.Array, ...]]
    weights: Callable[[Any], tuple[jax.Array, ...]]
    num_ws: int
    features: Callable[[Any, jax.Array], tuple[jax.Array, ...]]


def layer_mask(name: str, num_ws: int) -> np.ndarray:
    """The layers of a range, [num_ws], booleans; the range is one of ``RANGES``, or ``"all"``.

    Coarse styles are those of 4 x 4 and 8 x 8, middle ones of 16 x 16 and 32 x 32, fine ones the rest (1812.04948,
    section 3.1). Images below 64 x 64 would have almost no fine styles, so there each range is a third of the layers.

    Raises:
      ValueError: there is no such range.
    """
    if name == "all":
        return np.ones(num_ws, bool)
    if name not in RANGES:
        raise ValueError(f"`layers` must be one of {', '.join(RANGES)}, all; got {name!r}.")
    ends = (COARSE_END, MIDDLE_END)
    if num_ws < MIN_LAYERS:
        ends = (math.ceil(num_ws / 3), math.ceil(2 * num_ws / 3))
    return np.digitize(np.arange(num_ws), ends) == RANGES.index(name)


def mixing_grid(sources: jax.Array, destinations: jax.Array, source_layers: np.ndarray) -> jax.Array:
    """The styles of every destination, with some layers' taken from every source: 1812.04948, figure 3.

    Args:
      sources: [M, num_ws, w].
      destinations: [N, num_ws, w].
      source_layers: [num_ws], booleans: the layers whose styles are the source's.

    Returns:
      [M + 1, N + 1, num_ws, w]: the first column has the sources, the first row the destinations. The corner has the
      first source and is to be ignored.
    """
    mixed = jnp.where(source_layers[None, None, :, None], sources[:, None], destinations[None])
    first_row = jnp.concatenate([sources[:1], destinations])[None]
    return jnp.concatenate([first_row, jnp.concatenate([sources[:, None], mixed], axis=1)])


def move_along(ws: jax.Array, direction: jax.Array, distances: jax.Array, mask: np.ndarray) -> jax.Array:
    """Styles moved along a direction in w, by several distances.

    Args:
      ws: [N, num_ws, w].
      direction: [w].
      distances: [S], in units of ``direction``.
      mask: [num_ws], booleans: the layers whose styles are moved, see ``layer_mask``.

    Returns:
      [N, S, num_ws, w].
    """
    steps = distances[:, None, None] * jnp.asarray(mask, ws.dtype)[None, :, None] * direction[None, None]
    return ws[:, None] + steps[None]


def std_along(w: jax.Array, direction: jax.Array) -> jax.Array:
    """The standard deviation of w, [N, w], along a unit direction, [w]: the unit of edit strengths."""
    return (w @ direction).std()


def sefa(weights: Sequence[jax.Array], normalized: bool = True) -> tuple[jax.Array, jax.Array]:
    """The directions in w to which a generator's weights respond most: SeFa, Shen and Zhou 2021, 2007.06600.

    With A the layers' matrices stacked, the first direction is the unit vector n with the largest |A n|^2, the second
    that among the vectors orthogonal to it, and so on: the eigenvectors of A^T A (equation 5).

    Args:
      weights: [w, channels] for each layer that is to be moved, from ``Styles.weights``: A's parts, transposed.
      normalized: scale each row of A to unit length, as the authors' code does and the paper does not.

    Returns:
      Unit vectors as rows, [w, w], and |A n|^2 of each, [w], in descending order. The sign of a vector is chosen so
      that its largest component is positive. Vectors of equal eigenvalues are arbitrary within their span.
    """
    transposed = jnp.concatenate([jnp.asarray(x, jnp.float32) for x in weights], axis=1)
    if normalized:
        norms = jnp.linalg.norm(transposed, axis=0, keepdims=True)
        transposed = transposed / jnp.where(norms > 0, norms, 1.0)
    eigenvalues, eigenvectors = jnp.linalg.eigh(transposed @ transposed.T)
    rows = eigenvectors.T[::-1]
    largest = jnp.take_along_axis(rows, jnp.abs(rows).argmax(1, keepdims=True), 1)
    return rows * jnp.where(largest < 0, -1.0, 1.0), eigenvalues[::-1]


def probe(w: np.ndarray, positive: np.ndarray, shrinkage: float = SHRINKAGE) -> np.ndarray:
    """The unit direction, [w], that separates positive from negative examples: the normal of a linear classifier.

    InterFaceGAN (Shen et al. 2020, 1907.10786) uses a support vector machine. This is Fisher's discriminant,
    S^-1 (mean of positives - mean of negatives) with S the covariance within the classes: it has a closed form, so
    nothing has to be tuned and the direction is deterministic.

    Args:
      w: [N, w].
      positive: [N], booleans: the examples that lie in the direction's positive sense.
      shrinkage: fraction of S that is replaced by a multiple of the identity (Friedman 1989), because w may have as
        many dimensions as there are examples.

    Raises:
      ValueError: shapes disagree, there are fewer than two examples of a class, or nothing separates the classes.
    """
    w, positive = np.asarray(w, np.float64), np.asarray(positive, bool)
    if w.ndim != 2 or positive.shape != w.shape[:1]:
        raise ValueError(f"`w` must be [N, w] and `positive` [N]; got {w.shape} and {positive.shape}.")
    positives, negatives = w[positive], w[~positive]
    if min(len(positives), len(negatives)) < 2:
        raise ValueError(
            f"a probe needs at least 2 positive and 2 negative examples, got {len(positives)} and {len(negatives)}."
        )
    means = positives.mean(0), negatives.mean(0)
    centred = np.concatenate([positives - means[0], negatives - means[1]])
    covariance = centred.T @ centred / len(w)
    isotropic = np.trace(covariance) / w.shape[1] * np.eye(w.shape[1])
    if not np.any(means[0] - means[1]) or not np.any(isotropic):
        raise ValueError("a probe needs classes with different means, and `w` that varies within a class.")
    normal = np.linalg.solve((1 - shrinkage) * covariance + shrinkage * isotropic, means[0] - means[1])
    return normal / np.linalg.norm(normal)
