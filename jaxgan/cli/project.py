"""The files of the verb project: images in, and of each the styles that were found, beside a sheet to look at.

NAME.w.npz    of the image NAME its projection to the space w, or NAME.w+.npz to w+: ``ws``, [layers, w]; ``noise_0``
              and so on, maps [h, w]; ``course``, the loss at each step; ``psnr`` and ``ssim``; ``protocol``, JSON
NAME.png      the image and, beside it, its projections, in the order of the spaces
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from jaxgan import losses, media, metrics
from jaxgan.core.files import writing_out
from jaxgan.core.game import State
from jaxgan.core.keys import sample_keys
from jaxgan.data.images import decoded, fitted
from jaxgan.editing.inversion import NOISE_WEIGHT, RATE, SPACES, Projection, Space, deviation, project
from jaxgan.editing.projection_files import Found, read, write
from jaxgan.editing.translate_files import listed
from jaxgan.experiment.experiment import Experiment
from jaxgan.metrics.similarity import WINDOW

DRAWS = 10_000  # latents whose styles tell how far w is from its average


TOGETHER = 8  # images


FEATURES_WEIGHT = 0.1  # beside pixels, of the discriminator's: with it both count about as much near the end


def project_files(
    restored: tuple[Experiment, State, str],
    source: Path,
    out: Path,
    by: str,
    *,
    spaces: Sequence[Space],
    steps: int,
    seed: int,
) -> None:
    """Project an image, or all in a folder or zip; write a file for each space and a sheet, and print a table.

    Args:
      restored: the experiment, and the state of which checkpoint.
      source: images; of each the centred square, resized to the model's size.
      out: a folder, made if need be.
      by: what made the files, for ``sampling.save``.
      spaces: of ``SPACES``, each on its own.
      steps, seed: see ``project``.

    Raises:
      ValueError: the experiment has no styles, there are no images, or one cannot be read; it says which.
      OSError: a file cannot be written.
    """
    experiment, state, whose = restored
    if experiment.sampling.styles is None:
        raise ValueError("project: this experiment's generator has no styles to project to; stylegan2's has")
    if not spaces or len(set(spaces)) < len(spaces):
        raise ValueError(f"--space {' '.join(spaces)}: want {' or '.join(SPACES)}, or both, each once")
    if steps < 1:
        raise ValueError(f"--steps {steps}: at least 1")
    files, names = listed(source)
    placed = _placed(names, out)
    size, _, channels = experiment.source.shape
    # All are read before the first is projected: what is wrong with the last is not to be met after an hour.
    targets = np.stack([decoded(files, name, lambda image: fitted(image, size, channels)) for name in names])
    table = Table("image", "space", "loss", "PSNR, dB", "SSIM")
    run = _projector(experiment, state, steps, seed)
    for start in range(0, len(names), TOGETHER):
        part = slice(start, start + TOGETHER)
        found: dict[str, list[Found]] = {}
        images: dict[str, np.ndarray] = {}
        for space in spaces:
            began = time.perf_counter()
            projection, made = run(targets[part], start, space)
            images[space] = made
            about = {"made_by": by, "checkpoint": int(state.step), "member": whose, "space": space, "steps": steps}
            about |= {"seed": seed, "rate": RATE, "noise_weight": NOISE_WEIGHT, "features_weight": FEATURES_WEIGHT}
            found[space] = _told(projection, made, targets[part], names[part], about)
            print(f"{len(made)} images in {space}: {steps} steps in {time.perf_counter() - began:.1f} s")
        for i, name in enumerate(names[part]):
            for space in spaces:
                own = found[space][i]
                write(placed[name].with_name(f"{placed[name].name}.{space}.npz"), own)
                ssim = "" if np.isnan(own.ssim) else f"{own.ssim:.3f}"
                table.add_row(name, space, f"{own.course[-1]:.4f}", f"{own.psnr:.2f}", ssim)
            sheet = media.grid(
                np.stack([targets[part][i], *(images[s][i] for s in spaces)]) / 127.5 - 1, 1 + len(spaces)
            )
            path = placed[name].with_name(f"{placed[name].name}.png")
            with writing_out(path):
                media.save(path, sheet, by, scale=max(1, 256 // size), beside_real=True)
    Console(highlight=False).print(table)
    print(f"projections: {out}")


def _projector(experiment: Experiment, state: State, steps: int, seed: int) -> Callable:
    """``(targets, start, space) -> (Projection, images)``, of targets uint8, the first of which is the start-th."""
    styles = experiment.sampling.styles
    assert styles is not None

    @jax.jit
    def spread(state, z, *label):
        nets = experiment.game.functions(state)
        return deviation(styles.map(nets, z, *label)[:, 0], styles.average(nets))

    def found(state, targets, keys, size, space):
        nets = experiment.game.functions(state)
        seen = styles.features(nets, targets)

        def loss(images):
            unlike = losses.perceptual(styles.features(nets, images), seen)
            return losses.multiscale_l1(images, targets) + FEATURES_WEIGHT * unlike

        images_of = lambda ws, noise: styles.images(nets, ws, noise)  # noqa: E731
        start, noise = styles.average(nets), styles.noise()
        how: dict[str, Any] = {"layers": styles.layers, "deviation": size, "space": space, "steps": steps}
        projection = project(images_of, loss, start, noise, keys, **how)
        return projection, images_of(projection.ws, projection.noise)

    compiled = jax.jit(found, static_argnames="space")
    labels = (jnp.arange(DRAWS) % len(experiment.sampling.classes),) if experiment.sampling.classes else ()
    size = spread(state, experiment.draw(seed, np.arange(DRAWS)), *labels)

    def run(targets: np.ndarray, start: int, space: Space) -> tuple[Projection, np.ndarray]:
        keys = sample_keys(seed, len(targets), start)
        projection, made = compiled(state, jnp.float32(targets) / 127.5 - 1, keys, size, space=space)
        if not np.isfinite(made).all():
            raise ValueError("the run, or the projection, has diverged: its images are not finite")
        return projection, media.to_bytes(made)

    return run


def _told(projection: Projection, made: np.ndarray, targets: np.ndarray, names: Sequence[str], about) -> list[Found]:
    """What is written of each target, [B, h, w, C] as ``made``, uint8."""
    psnr = metrics.psnr(made, targets, low=0, high=255)
    large = min(made.shape[1:3]) >= WINDOW
    ssim = metrics.ssim(made, targets, low=0, high=255) if large else np.full(len(made), np.nan)
    ws, maps, course = jax.tree.map(np.asarray, projection)
    return [
        Found(ws[i], tuple(x[i] for x in maps), course[i], float(psnr[i]), float(ssim[i]), {**about, "image": name})
        for i, name in enumerate(names)
    ]


def _placed(names: Sequence[str], out: Path) -> dict[str, Path]:
    """Where each image's files are, without what their names end with."""
    placed = {name: out / PurePosixPath(name).with_suffix("") for name in names}
    for name, path in placed.items():
        others = [other for other in names if placed[other] == path and other != name]
        if others:
            raise ValueError(f"{name} and {others[0]} would both become {path.name}.png; rename one")
    return placed


def sample_projected(restored: tuple[Experiment, State, str], paths: Sequence[Path], out: Path, by: str) -> None:
    """Make the images of projections again: a grid of them, .png, or raw, .npz.

    Raises:
      ValueError: a file is none of ``write``'s, its styles are not of these networks, or ``out`` is of another format.
    """
    experiment, state, _ = restored
    styles = experiment.sampling.styles
    if styles is None:
        raise ValueError("--styles: this experiment's generator has no styles; stylegan2's has")
    kind = out.suffix.lower()
    if kind not in (".png", ".npz"):
        raise ValueError(f"--out {out}: of --styles .png or .npz")
    found = [read(path) for path in paths]
    nets = experiment.game.functions(state)
    shapes = [(styles.layers, *styles.average(nets).shape), *(x.shape for x in styles.noise())]
    for path, own in zip(paths, found):
        theirs = [own.ws.shape, *(x.shape for x in own.noise)]
        if theirs != shapes:
            raise ValueError(f"{path}: styles {own.ws.shape}, want {shapes[0]}; it was found with another model's run")
    draw = jax.jit(lambda state, ws, noise: styles.images(experiment.game.functions(state), ws, noise))
    maps = tuple(np.stack(x) for x in zip(*(own.noise for own in found)))
    images = np.asarray(draw(state, np.stack([own.ws for own in found]), maps))
    with writing_out(out):
        if kind == ".npz":
            media.save_arrays(out, images)
        else:
            sheet = media.grid(images)
            media.save(out, sheet, by, scale=max(1, 256 // sheet.shape[0]))
    print(f"{out}: {len(found)} projections, by the networks of step {int(state.step)}")
