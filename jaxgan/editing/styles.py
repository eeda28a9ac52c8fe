"""Edit styles: ranges of layers, style mixing, and directions in w, from SeFa or from a linear probe.

The generator of a style-based GAN has two parts: a mapping from latents to styles, and a synthesis from styles to
images. An experiment with such a generator provides them as ``experiment.sampling.styles``. The functions in this
module work on styles, ``ws``, [B, num_ws, w]::

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
COARSE_END, MIDDLE_END = 3, 7  # first layers after the coarse and the middle range, if there are MIN_LAYERS layers
MIN_LAYERS = 10  # number of layers of a generator of 64 x 64 pixels
SHRINKAGE = 0.1  # default shrinkage of a probe's covariance matrix, a fraction

Noise = jax.Array | tuple[jax.Array, ...] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Styles:
    """The parts of a style-based generator, as functions of the networks: ``experiment.sampling.styles``.

    Attributes:
      map: ``(nets, z, *label, truncation_psi=1.0, truncation_cutoff=None) -> ws``, maps latents, [B, ...], to styles,
        [B, num_ws, w]. Truncation scales the distance between a style and the average w by ``truncation_psi``, in the
        first ``truncation_cutoff`` layers, or in all layers if it is None.
      average: ``nets -> w``, returns the moving average of w, [w].
      images: ``(nets, ws, noise) -> images``, maps styles, [B, num_ws, w], to images, [B, height, width, C]. ``noise``
        is None for no noise; noise maps as ``noise()`` returns them, or [B, height, width] each; or keys, [B], from
        which the noise of each example is drawn.
      noise: ``() -> maps``, returns the constant noise maps, the same for all samples.
      weights: ``nets -> matrices``, returns the matrix, [w, channels], with which each layer transforms its style.
      num_ws: number of styles of an image, one per layer.
      features: ``(nets, images) -> maps``, returns the discriminator's features of images, [B, h, w, C] for each level.
    """

    map: Callable[..., jax.Array]
    average: Callable[[Any], jax.Array]
    images: Callable[[Any, jax.Array, Noise], jax.Array]
    noise: Callable[[], tuple[jax.Array, ...]]
    weights: Callable[[Any], tuple[jax.Array, ...]]
    num_ws: int
    features: Callable[[Any, jax.Array], tuple[jax.Array, ...]]


def layer_mask(name: str, num_ws: int) -> np.ndarray:
    """Return which layers belong to a range, booleans, [num_ws].

    Coarse layers have 4 x 4 and 8 x 8 pixels, middle layers 16 x 16 and 32 x 32, and fine layers have more (Karras et
    al. 2019, arXiv:1812.04948, section 3.1). Generators of images below 64 x 64 would have almost no fine layers. Their
    layers are divided into three ranges of about equal size.

    Args:
      name: one of ``RANGES``, or ``"all"``.
      num_ws: number of layers.

    Raises:
      ValueError: if there is no range with this name.
    """
    if name == "all":
        return np.ones(num_ws, bool)
    if name not in RANGES:
        raise ValueError(f"`layers` must be one of {', '.join(RANGES)} or all, got {name!r}.")
    ends = (COARSE_END, MIDDLE_END)
    if num_ws < MIN_LAYERS:
        ends = (math.ceil(num_ws / 3), math.ceil(2 * num_ws / 3))
    return np.digitize(np.arange(num_ws), ends) == RANGES.index(name)


def mixing_grid(sources: jax.Array, destinations: jax.Array, source_layers: np.ndarray) -> jax.Array:
    """Return mixed styles for each pair of a source and a destination, as in figure 3 of arXiv:1812.04948.

    Args:
      sources: styles, [M, num_ws, w].
      destinations: styles, [N, num_ws, w].
      source_layers: booleans, [num_ws]: the layers in which the destination's style is replaced by the source's.

    Returns:
      [M + 1, N + 1, num_ws, w]. The first column has the sources, the first row has the destinations, and the rest has
      the mixed styles. The corner has the first source as a placeholder.
    """
    mixed = jnp.where(source_layers[None, None, :, None], sources[:, None], destinations[None])
    first_row = jnp.concatenate([sources[:1], destinations])[None]
    return jnp.concatenate([first_row, jnp.concatenate([sources[:, None], mixed], axis=1)])


def move_along(ws: jax.Array, direction: jax.Array, distances: jax.Array, mask: np.ndarray) -> jax.Array:
    """Return styles that are moved along a direction in w by several distances.

    Args:
      ws: styles, [N, num_ws, w].
      direction: a vector, [w].
      distances: distances, [S], in multiples of ``direction``.
      mask: booleans, [num_ws]: the layers in which styles are moved, see ``layer_mask``.

    Returns:
      [N, S, num_ws, w].
    """
    steps = distances[:, None, None] * jnp.asarray(mask, ws.dtype)[None, :, None] * direction[None, None]
    return ws[:, None] + steps[None]


def std_along(w: jax.Array, direction: jax.Array) -> jax.Array:
    """Return the standard deviation of w, [N, w], along a unit vector, [w]. It is the unit of the strength of edits.

    Args:
      w: the styles of random latents, [N, w].
      direction: a vector of L2 norm 1, [w].
    """
    return (w @ direction).std()


def sefa(weights: Sequence[jax.Array], normalized: bool = True) -> tuple[jax.Array, jax.Array]:
    """Return the directions in w that change the layers' inputs most: SeFa (Shen and Zhou 2021, arXiv:2007.06600).

    Let A be the layers' matrices, stacked. The first direction is the unit vector n with the largest |A n|^2. Each
    further direction is the unit vector with the largest |A n|^2 among all vectors orthogonal to the previous
    directions. They are the eigenvectors of A^T A (equation 5).

    Args:
      weights: the matrix, [w, channels], of each layer that is to be moved, from ``Styles.weights``. These are the
        transposed parts of A.
      normalized: whether each row of A is scaled to an L2 norm of 1, as in the authors' code, but not in the paper.

    Returns:
      The directions as rows of unit length, [w, w], and their |A n|^2, [w], in descending order. The sign of a
      direction is chosen so that its component with the largest absolute value is positive. Directions with equal |A
      n|^2 are an arbitrary orthonormal basis of their span.
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
    """Return the direction, a unit vector [w], that separates positive from negative examples.

    The direction is the normal vector of a linear classifier. InterFaceGAN (Shen et al. 2020, arXiv:1907.10786) trains
    a support vector machine. This function computes Fisher's linear discriminant, S^-1 (mean of positives - mean of
    negatives), where S is the covariance within the classes. It has a closed form, so there is nothing to tune, and the
    result is deterministic.

    Args:
      w: styles, [N, w].
      positive: booleans, [N]: the examples towards which the direction points.
      shrinkage: fraction of S that is replaced by a multiple of the identity (Friedman 1989), because w can have more
        dimensions than there are examples.

    Raises:
      ValueError: if the shapes do not match, a class has fewer than two examples, or the classes have equal means.
    """
    w, positive = np.asarray(w, np.float64), np.asarray(positive, bool)
    if w.ndim != 2 or positive.shape != w.shape[:1]:
        raise ValueError(
            f"`w` must have the shape [N, w] and `positive` the shape [N], got {w.shape} and {positive.shape}."
        )
    positives, negatives = w[positive], w[~positive]
    if min(len(positives), len(negatives)) < 2:
        raise ValueError(
            f"A probe needs at least 2 positive and 2 negative examples, got {len(positives)} and {len(negatives)}."
        )
    means = positives.mean(0), negatives.mean(0)
    centred = np.concatenate([positives - means[0], negatives - means[1]])
    covariance = centred.T @ centred / len(w)
    isotropic = np.trace(covariance) / w.shape[1] * np.eye(w.shape[1])
    if not np.any(means[0] - means[1]) or not np.any(isotropic):
        raise ValueError("A probe needs classes with different means of `w`, and `w` must vary within the classes.")
    normal = np.linalg.solve((1 - shrinkage) * covariance + shrinkage * isotropic, means[0] - means[1])
    return normal / np.linalg.norm(normal)
