"""Tests of affine maps of images: the wavelet, comparisons with NumPy and SciPy, and derivatives of two orders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxgan.augment import corruption, geometry

SIZE = 12
RAMP = np.random.default_rng(0).uniform(-1, 1, (2, SIZE, SIZE, 3)).astype(np.float32)


def smooth(height=16, width=20):
    """Return a wave that is smooth enough for any interpolation: its formula, coordinates and pixels."""

    def wave(y, x):
        return np.sin(0.30 * x + 0.2) * np.cos(0.22 * y - 0.1) + 0.1 * np.sin(0.15 * (x + y))

    y, x = np.mgrid[:height, :width].astype(np.float32)
    return wave, y, x, wave(y, x).astype(np.float32)


def test_wavelets_are_orthogonal_with_vanishing_moments():
    for taps, moments in ((geometry.SYM6, 6), (corruption.SYM2, 2)):
        correlation = np.correlate(taps, taps, "full")[len(taps) - 1 :: 2]
        np.testing.assert_allclose(correlation, np.eye(len(taps) // 2)[0], atol=1e-10)
        high = taps[::-1] * (-1.0) ** np.arange(len(taps))
        for moment in range(moments):
            assert abs((high * np.arange(len(taps)) ** moment).sum()) < 1e-5 * len(taps) ** moment


@pytest.fixture(scope="module")
def warp():
    return jax.jit(geometry.warp)


MOVES = {
    "nothing": (lambda m: m, lambda x: x),
    "a shift left by 2": (
        lambda m: m.translated(jnp.full(2, 2.0), jnp.zeros(2)),
        lambda x: np.pad(x, ((0, 0), (0, 0), (0, 2), (0, 0)), mode="reflect")[:, :, 2:],
    ),
    "a shift down by 1": (
        lambda m: m.translated(jnp.zeros(2), jnp.full(2, -1.0)),
        lambda x: np.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0)), mode="reflect")[:, :-1],
    ),
}


@pytest.mark.parametrize(("move", "expected"), MOVES.values(), ids=MOVES)
def test_shifts_by_whole_pixels_are_exact(warp, move, expected):
    np.testing.assert_allclose(warp(RAMP, move(geometry.identity(2))), expected(RAMP), atol=2e-5)


FINE = {
    "rotation": geometry.identity(1).rotated(jnp.array([0.4])),
    # This is not exact, because the wavelet is not symmetric.
    "flip": geometry.identity(1).scaled(jnp.array([-1.0]), jnp.array([1.0])),
    "quarter turn": geometry.identity(1).rotated(jnp.array([np.pi / 2])),
    "zoom": geometry.identity(1).scaled(jnp.array([0.8]), jnp.array([0.7])),
    "shift": geometry.identity(1).translated(jnp.array([0.3]), jnp.array([-0.45])),
    "all": geometry.identity(1).translated(jnp.array([1.3]), jnp.array([0.6])).rotated(jnp.array([-0.3])).scaled(
        jnp.array([0.9]), jnp.array([1.1])
    ),
}  # fmt: skip


@pytest.mark.parametrize("inverse", FINE.values(), ids=FINE)
def test_a_smooth_image_is_sampled_at_the_points_of_the_map(warp, inverse):
    """Compare with the formula of the wave and with SciPy's spline, far from the borders.

    The tolerance corresponds to a tenth of a pixel, because the slope of the wave is 0.3.
    """
    wave, y, x, image = smooth()
    found = np.asarray(warp(image[None, ..., None], inverse))[0, ..., 0]
    middle = np.array([(x.shape[1] - 1) / 2, (x.shape[0] - 1) / 2])
    (ax, ay), (bx, by), (ox, oy) = (np.asarray(v)[0] for v in inverse)
    u, v = x - middle[0], y - middle[1]
    columns, rows = u * ax + v * bx + ox + middle[0], u * ay + v * by + oy + middle[1]
    inside = (columns > 3) & (columns < x.shape[1] - 4) & (rows > 3) & (rows < x.shape[0] - 4)
    assert inside.sum() > 60
    spline = ndimage.map_coordinates(image, [rows, columns], order=3)
    assert np.abs(spline - wave(rows, columns))[inside].max() < 0.01
    np.testing.assert_allclose(found[inside], wave(rows, columns)[inside], atol=0.03)


def test_reducing_an_image_smooths_details(warp):
    """Stripes of one pixel become grey at half the size. Plain bilinear sampling would preserve their contrast."""
    stripes = np.tile(np.array([-1.0, 1.0], np.float32), 16)[None, None, :, None] * np.ones((1, 32, 1, 1), np.float32)
    half = warp(stripes, geometry.identity(1).scaled(jnp.array([2.0]), jnp.array([1.0])))[0, :, 10:22]
    assert np.abs(half).max() < 0.35
    bilinear = ndimage.map_coordinates(stripes[0, ..., 0], np.mgrid[8:24, 8:24][:, :, ::2] * 1.0, order=1)
    assert np.abs(bilinear).min() == 1.0


def test_points_beyond_the_reflection_are_zero(warp):
    far = geometry.identity(2).translated(jnp.full(2, 3.5 * SIZE), jnp.zeros(2))
    assert np.abs(warp(RAMP, far)).max() == 0


def test_derivatives_are_the_transpose_and_its_transpose(warp):
    """<A x, y> = <x, A' y>, and the derivative of A' is A, as R1 through an augmentation requires."""
    inverse = jax.tree.map(lambda *v: jnp.concatenate(v), FINE["rotation"], FINE["zoom"])
    y = np.random.default_rng(1).normal(size=RAMP.shape).astype(np.float32)
    back = jax.jit(lambda y: jax.vjp(lambda x: geometry.warp(x, inverse), RAMP)[1](y)[0])
    forth = jax.jit(lambda x: jax.vjp(back, y)[1](x)[0])
    moved = warp(RAMP, inverse)
    assert float(jnp.vdot(moved, y)) == pytest.approx(float(jnp.vdot(RAMP, back(y))), rel=1e-4)
    np.testing.assert_allclose(forth(RAMP), moved, atol=1e-5)


def test_bands_sum_to_the_identity_and_are_octaves():
    """Compare the frequency responses of the filters with the response of the wavelet, |H(w)|^2 / 2."""
    bank = corruption.bank()
    assert bank.shape == (corruption.BANDS, 43)
    np.testing.assert_allclose(bank.sum(0), np.eye(43)[21], atol=1e-12)
    w = np.linspace(0, np.pi, 65)
    response = (bank[:, None] * np.cos(w[:, None] * np.arange(-21, 22))).sum(-1)

    def lowpass(w):
        return np.abs((corruption.SYM2 * np.exp(-1j * w[:, None] * np.arange(4))).sum(-1)) ** 2 / 2

    np.testing.assert_allclose(response[3], 1 - lowpass(w), atol=1e-9)
    np.testing.assert_allclose(response[2], lowpass(w) * (1 - lowpass(2 * w)), atol=1e-9)
    np.testing.assert_allclose(response[0], lowpass(w) * lowpass(2 * w) * lowpass(4 * w), atol=1e-9)


def test_amplifying_bands_is_a_convolution():
    gains = np.array([[1.3, 0.5, 2.0, 0.8], [1.0, 1.0, 1.0, 3.0]], np.float32)
    found = np.asarray(corruption.amplify(jnp.asarray(RAMP), jnp.asarray(gains)))
    power = np.array([10, 1, 1, 1]) / 13
    for image, gain, result in zip(RAMP, gains, found):
        # The gains are applied one after the other. After each gain, the power, the sum of power * gain^2, is 1 again.
        bands = np.ones(4)
        for band in range(4):
            one = np.where(np.arange(4) == band, gain, 1.0)
            bands *= one / np.sqrt((power * one**2).sum())
        taps = bands @ corruption.bank()
        expected = ndimage.convolve1d(ndimage.convolve1d(image, taps, 0, mode="mirror"), taps, 1, mode="mirror")
        np.testing.assert_allclose(result, expected, atol=2e-5)
