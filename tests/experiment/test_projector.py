"""Projection of images into styles with an experiment's generator, and the images of saved projections."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments import stylegan2
from jaxgan import media, metrics
from jaxgan.editing.inversion import Projection
from jaxgan.experiment.projector import Projector, images_of_projections, styles_of, with_figures

STEPS, SEED = 20, 3


@pytest.fixture(scope="module")
def tiny():
    """Return an experiment with images of 8 x 8, an untrained state and three target images."""
    experiment = stylegan2.build(stylegan2.Config.tiny())
    state = jax.jit(experiment.game.init)(jax.random.key(0))
    return experiment, state, media.to_bytes(experiment.source.read(np.arange(3))["image"])


@pytest.fixture(scope="module")
def projector(tiny):
    experiment, state, _ = tiny
    return Projector(experiment, state, steps=STEPS, seed=SEED)


@pytest.fixture(scope="module")
def found(tiny, projector):
    _, _, targets = tiny
    return projector(targets, "w+")


@pytest.mark.integration
def test_a_projection_has_styles_noise_losses_and_an_image_per_target(tiny, found):
    experiment, _, targets = tiny
    projection, images = found
    styles = experiment.sampling.styles
    assert projection.ws.shape == (3, styles.num_ws, 4) and projection.loss_history.shape == (3, STEPS)
    assert [x.shape for x in projection.noise] == [(3, *x.shape) for x in styles.noise()]
    assert (images.shape, images.dtype) == (targets.shape, np.uint8)


@pytest.mark.integration
def test_the_noise_of_a_target_depends_on_its_index(tiny, projector, found):
    """The second target is projected alone as it is among others, and another index gives another result."""
    _, _, targets = tiny
    alone, _ = projector(targets[1:2], "w+", start=1)
    np.testing.assert_allclose(alone.ws[0], found[0].ws[1], atol=1e-4)
    other, _ = projector(targets[1:2], "w+", start=5)
    assert np.abs(other.ws[0] - found[0].ws[1]).max() > 1e-3


@pytest.mark.integration
def test_the_loss_decreases_in_both_spaces(tiny, projector, found):
    for space, (projection, _) in {"w": projector(tiny[2], "w"), "w+": found}.items():
        assert np.all(projection.loss_history[:, -1] < projection.loss_history[:, 0])
        assert (np.ptp(projection.ws, axis=1).max() == 0) == (space == "w")


@pytest.mark.integration
def test_the_protocol_has_the_settings_of_a_projection(projector):
    protocol = projector.protocol("w")
    assert protocol["checkpoint"] == 0 and protocol["space"] == "w"
    assert (protocol["steps"], protocol["seed"]) == (STEPS, SEED)


@pytest.mark.integration
def test_a_diverged_state_is_rejected(tiny):
    experiment, state, targets = tiny
    broken = state.replace(ema=jax.tree.map(lambda x: x * np.nan, state.ema))
    with pytest.raises(ValueError, match="generated images are not finite: the run or the projection has diverged"):
        Projector(experiment, broken, steps=1, seed=SEED)(targets, "w")


def test_zero_steps_are_rejected(tiny):
    experiment, state, _ = tiny
    with pytest.raises(ValueError, match="`steps` must be at least 1, got 0"):
        Projector(experiment, state, steps=0, seed=SEED)


@pytest.mark.parametrize("side", [8, 16])
def test_psnr_and_ssim_compare_each_image_with_its_target(side):
    """SSIM needs images of at least 11 x 11 pixels, the size of its window. It is NaN for smaller images."""
    rng = np.random.default_rng(0)
    images, targets = rng.integers(0, 256, (2, 2, side, side, 3), np.uint8)
    projection = Projection(np.ones((2, 4, 3)), (np.zeros((2, 4, 4)),), np.array([[2.0, 1.0], [4.0, 3.0]]))  # pyright: ignore
    saved = with_figures(projection, images, targets, {"space": "w"}, ["a.png", "b.png"])
    for i, one in enumerate(saved):
        assert one.psnr == pytest.approx(metrics.psnr(images, targets, low=0, high=255)[i])
        assert np.isnan(one.ssim) if side == 8 else -1 <= one.ssim < 0.5
        assert one.protocol == {"space": "w", "image": ["a.png", "b.png"][i]}
        assert one.loss_history.tolist() == projection.loss_history[i].tolist()
        assert (one.ws.shape, one.noise[0].shape) == ((4, 3), (4, 4))


@pytest.mark.integration
def test_saved_projections_generate_the_same_images(tiny, found):
    experiment, state, targets = tiny
    projection, images = found
    names = ["a", "b", "c"]
    saved = with_figures(projection, images, targets, {}, names)
    again = images_of_projections(experiment, state, saved, names)
    assert np.abs(media.to_bytes(again).astype(int) - images).max() <= 1  # a rounding difference
    wrong = saved[1]._replace(ws=saved[1].ws[:-1])
    with pytest.raises(ValueError, match=r"b has styles of shape \(3, 4\) .* needs styles of shape \(4, 4\)"):
        images_of_projections(experiment, state, [saved[0], wrong], names[:2])


def test_a_generator_without_styles_is_rejected(tiny):
    experiment, state, _ = tiny
    assert styles_of(experiment) is experiment.sampling.styles
    without = dataclasses.replace(experiment, sampling=dataclasses.replace(experiment.sampling, styles=None))
    for attempt in (lambda: styles_of(without), lambda: Projector(without, state, steps=1, seed=0)):
        with pytest.raises(ValueError, match="This experiment's generator has no styles"):
            attempt()
