"""Project images into the styles of an experiment's generator, and generate the images of saved projections."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import losses, media, metrics
from jaxgan.core.keys import sample_keys
from jaxgan.core.state import State
from jaxgan.editing.inversion import LEARNING_RATE, NOISE_WEIGHT, Projection, Space, estimate_w_std, project
from jaxgan.editing.projection_files import SavedProjection
from jaxgan.editing.styles import Styles
from jaxgan.experiment.experiment import Experiment
from jaxgan.metrics.similarity import WINDOW

W_SAMPLES = 10_000  # number of latents that the standard deviation of w is estimated from
# Weight of the distance in discriminator features, relative to the distance in pixels. With this weight, the two
# distances have about the same size at the end of a projection.
FEATURES_WEIGHT = 0.1


class Projector:
    """A function that finds the styles with which an experiment's generator reproduces given images best.

    Args:
      experiment: an experiment with ``sampling.styles``.
      state: the state with the weights. Averaged weights are used if the state has them.
      steps: number of optimizer steps (Adam).
      seed: seed of the noise that is added to the styles. The noise of an image depends only on the seed and the
        image's index.

    Raises:
      ValueError: if the generator has no styles, or ``steps`` is below 1.
    """

    def __init__(self, experiment: Experiment, state: State, *, steps: int, seed: int):
        self._styles = styles_of(experiment)
        if steps < 1:
            raise ValueError(f"`steps` must be at least 1, got {steps}.")
        self._experiment, self._state, self._steps, self._seed = experiment, state, steps, seed
        self._compiled = jax.jit(self._project, static_argnames="space")
        self._w_std = self._estimate_w_std()

    def __call__(self, targets: np.ndarray, space: Space, start: int = 0) -> tuple[Projection, np.ndarray]:
        """Project images into styles.

        Args:
          targets: the images, uint8, [B, h, w, C].
          space: "w" for the same style in all layers, "w+" for one style per layer.
          start: index of ``targets[0]`` among all images to be projected. The random key of an image depends on its
            index and the seed.

        Returns:
          The projections, and the images that they generate, uint8, [B, h, w, C].

        Raises:
          ValueError: if ``space`` is unknown, or the generated images are not finite.
        """
        keys = sample_keys(self._seed, len(targets), start)
        scaled = jnp.float32(targets) / 127.5 - 1
        projection, images = self._compiled(self._state, scaled, keys, self._w_std, space=space)
        if not np.isfinite(images).all():
            raise ValueError("The generated images are not finite: the run or the projection has diverged.")
        return projection, media.to_bytes(images)

    def protocol(self, space: Space) -> dict[str, Any]:
        """Return the checkpoint and the settings that determine a projection, to be saved in the projection's file.

        Args:
          space: the space of styles, ``w`` or ``w+``.
        """
        return {
            "checkpoint": int(self._state.step),
            "space": space,
            "steps": self._steps,
            "seed": self._seed,
            "learning_rate": LEARNING_RATE,
            "noise_weight": NOISE_WEIGHT,
            "features_weight": FEATURES_WEIGHT,
        }

    def _estimate_w_std(self) -> jax.Array:
        """Estimate the standard deviation of w over random latents."""
        experiment, styles = self._experiment, self._styles
        inputs = [experiment.draw_latents(self._seed, np.arange(W_SAMPLES))]
        if experiment.sampling.classes:
            inputs.append(jnp.arange(W_SAMPLES) % len(experiment.sampling.classes))

        @jax.jit
        def estimate(state, *inputs):
            nets = experiment.game.unwrapped.functions(state)
            return estimate_w_std(styles.map(nets, *inputs)[:, 0], styles.average(nets))

        return estimate(self._state, *inputs)

    def _project(self, state, targets, keys, w_std, space) -> tuple[Projection, jax.Array]:
        """Return the projection of the targets, and the images that it generates. This function is compiled."""
        styles, nets = self._styles, self._experiment.game.unwrapped.functions(state)
        target_features = styles.features(nets, targets)

        def synthesize(ws, noise):
            return styles.images(nets, ws, noise)

        def loss(images):
            features = losses.perceptual(styles.features(nets, images), target_features)
            return losses.multiscale_l1(images, targets) + FEATURES_WEIGHT * features

        projection = project(
            synthesize,
            loss,
            styles.average(nets),
            styles.noise(),
            keys,
            num_ws=styles.num_ws,
            w_std=w_std,
            space=space,
            steps=self._steps,
        )
        return projection, synthesize(projection.ws, projection.noise)


def with_figures(
    projection: Projection,
    images: np.ndarray,
    targets: np.ndarray,
    protocol: Mapping[str, Any],
    names: Sequence[str],
) -> list[SavedProjection]:
    """Return the projection of each target with its PSNR and SSIM, as it is saved in a file.

    Args:
      projection: the projections of B targets.
      images: the images that the projections generate, uint8, [B, h, w, C].
      targets: the images that were projected, uint8, [B, h, w, C].
      protocol: the checkpoint and the settings that determine the projections, see ``Projector.protocol``.
      names: the name of each target, which is added to the protocol of its projection.
    """
    psnr = metrics.psnr(images, targets, low=0, high=255)
    ssim = np.full(len(images), np.nan)
    if min(images.shape[1:3]) >= WINDOW:
        ssim = metrics.ssim(images, targets, low=0, high=255)
    ws, maps, loss_history = jax.tree.map(np.asarray, projection)
    return [
        SavedProjection(
            ws=ws[i],
            noise=tuple(x[i] for x in maps),
            loss_history=loss_history[i],
            psnr=float(psnr[i]),
            ssim=float(ssim[i]),
            protocol={**protocol, "image": name},
        )
        for i, name in enumerate(names)
    ]


def images_of_projections(
    experiment: Experiment, state: State, projections: Sequence[SavedProjection], names: Sequence[str]
) -> np.ndarray:
    """Generate the images of saved projections, [N, h, w, C] in [-1, 1].

    Args:
      experiment: an experiment with ``sampling.styles``.
      state: the state with the weights.
      projections: the projections as they were saved.
      names: the names of their files, for error messages.

    Raises:
      ValueError: if the generator has no styles, or a projection was computed with other networks.
    """
    styles = styles_of(experiment)
    nets = experiment.game.unwrapped.functions(state)
    expected = [(styles.num_ws, *styles.average(nets).shape), *(x.shape for x in styles.noise())]
    for name, saved in zip(names, projections):
        if [saved.ws.shape, *(x.shape for x in saved.noise)] != expected:
            raise ValueError(
                f"{name} has styles of shape {saved.ws.shape} and {len(saved.noise)} noise maps, but this run needs "
                f"styles of shape {expected[0]} and {len(expected) - 1} noise maps of the shapes "
                f"{', '.join(map(str, expected[1:]))}. Use the run that the projection was computed with."
            )
    draw = jax.jit(lambda state, ws, noise: styles.images(experiment.game.unwrapped.functions(state), ws, noise))
    maps = tuple(np.stack(x) for x in zip(*(saved.noise for saved in projections)))
    return np.asarray(draw(state, np.stack([saved.ws for saved in projections]), maps))


def styles_of(experiment: Experiment) -> Styles:
    """Return ``experiment.sampling.styles``.

    Raises:
      ValueError: if the experiment's generator has no styles.
    """
    if experiment.sampling.styles is None:
        raise ValueError("This experiment's generator has no styles. Use an experiment with styles, such as stylegan2.")
    return experiment.sampling.styles
