"""Edit the styles of images: mix the styles of two images, or move styles along a direction in the space w.

Directions are found by SeFa or by a linear probe. An edit can be limited to a range of layers.

The generator of a style-based GAN has two parts: a mapping from latents to styles, and a synthesis from styles to
images. An experiment with a style-based generator provides the two parts as ``experiment.sampling.styles``. The
functions in this module work on styles, ``ws``, [B, num_ws, w]::

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
# If there are at least MIN_LAYERS layers, the first middle layer has the index COARSE_END, and the first fine layer has
# the index MIDDLE_END.
COARSE_END, MIDDLE_END = 3, 7
MIN_LAYERS = 10  # number of layers of a generator of 64 x 64 pixels
SHRINKAGE = 0.1  # default shrinkage of a probe's covariance matrix, a fraction

Noise = jax.Array | tuple[jax.Array, ...] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Styles:
    """The parts of a style-based generator, as functions of the networks.

    An experiment provides them as ``experiment.sampling.styles``.

    Attributes:
      map: function ``(nets, z, *label, truncation_psi=1.0, truncation_cutoff=None) -> ws`` that maps latents, [B, ...],
        to styles, [B, num_ws, w]. Truncation scales the distance between a style and the average w by
        ``truncation_psi``. Truncation applies to the first ``truncation_cutoff`` layers, or to all layers if
        ``truncation_cutoff`` is None.
      average: function ``nets -> w`` that returns the moving average of w, [w].
      images: function ``(nets, ws, noise) -> images`` that maps styles, [B, num_ws, w], to images, [B, height, width,
        C]. ``noise`` is one of these: None, for no noise; the tuple of constant noise maps that ``noise()`` returns; a
        tuple of noise maps with separate noise for each example, [B, h, w] each; or PRNG keys, [B], to sample separate
        noise for each example.
      noise: function ``() -> maps`` that returns the constant noise maps, which are the same for all samples.
      weights: function ``nets -> matrices`` that returns one matrix for each layer, [w, channels]. The layer multiplies
        its style by this matrix.
      num_ws: number of styles of an image, one for each layer.
      features: function ``(nets, images) -> maps`` that returns the discriminator's features of images, one array
        [B, h, w, C] for each resolution.
    """

    map: Callable[..., jax.Array]
    average: Callable[[Any], jax.Array]
    images: Callable[[Any, jax.Array, Noise], jax.Array]
    noise: Callable[[], tuple[jax.Array, ...]]
    weights: Callable[[Any], tuple[jax.Array, ...]]
    num_ws: int
    features: Callable[[Any, jax.Array], tuple[jax.Array, ...]]


def layer_mask(name: str, num_ws: int) -> np.ndarray:
    """Return a boolean array, [num_ws], that is True for the layers in a range.

    Coarse layers have 4 x 4 or 8 x 8 pixels, middle layers have 16 x 16 or 32 x 32 pixels, and fine layers have more
    (Karras et al. 2019, arXiv:1812.04948, section 3.1). Generators of images below 64 x 64 would have almost no fine
    layers, so their layers are divided into three ranges of about equal size.

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
      source_layers: booleans, [num_ws]. A mixed image uses the style of the source in layers that are True, and the
        style of the destination in all other layers.

    Returns:
      The styles of the images in a grid, [M + 1, N + 1, num_ws, w]. The first column contains the sources, the first
      row contains the destinations, and the other cells contain the mixed styles. The cell in the upper left corner is
      a placeholder and contains the first source.
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
      mask: booleans, [num_ws]. Only the styles of layers that are True are moved, see ``layer_mask``.

    Returns:
      The moved styles, [N, S, num_ws, w].
    """
    steps = distances[:, None, None] * jnp.asarray(mask, ws.dtype)[None, :, None] * direction[None, None]
    return ws[:, None] + steps[None]


def std_along(w: jax.Array, direction: jax.Array) -> jax.Array:
    """Return the standard deviation of w along a direction. The strength of an edit is measured in this unit.

    Args:
      w: the styles of random latents, [N, w].
      direction: a vector of L2 norm 1, [w].
    """
    return (w @ direction).std()


def sefa(weights: Sequence[jax.Array], normalized: bool = True) -> tuple[jax.Array, jax.Array]:
    """Return the directions in w that change the layers' inputs most: SeFa (Shen and Zhou 2021, arXiv:2007.06600).

    Let A be the matrix that consists of the transposed matrices of all layers, stacked. The first direction is the unit
    vector n with the largest |A n|^2. Each further direction is the unit vector with the largest |A n|^2 among all
    vectors that are orthogonal to the previous directions. The directions are the eigenvectors of A^T A (equation 5).

    Args:
      weights: the matrices of the layers to which the edit applies, each [w, channels], from ``Styles.weights``.
      normalized: whether to scale each row of A to an L2 norm of 1. The authors' code scales the rows, but the paper
        does not.

    Returns:
      The directions as rows with an L2 norm of 1, [w, w], and the eigenvalues |A n|^2, [w], in descending order. The
      sign of a direction is chosen so that its component with the largest absolute value is positive. Directions with
      equal eigenvalues are an arbitrary orthonormal basis of their span.
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

    The direction is the normal vector of a linear classifier. InterFaceGAN (Shen et al. 2020, arXiv:1907.10786) uses a
    support vector machine as the classifier. This function uses Fisher's linear discriminant, S^-1 (mean of positives -
    mean of negatives), where S is the covariance within the classes. The discriminant has a closed form, so there are
    no settings to tune, and the result is deterministic.

    Args:
      w: styles, [N, w].
      positive: booleans, [N], True for positive examples. The direction points towards the positive examples.
      shrinkage: fraction of S that is replaced by a multiple of the identity (Friedman 1989), from 0 to 1. S alone is
        singular if w has more dimensions than there are examples.

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
