"""Tests of PSNR, SSIM, MS-SSIM and total variation, with published values and with known values of simple images."""

import functools

import numpy as np
import pytest

from jaxgan.metrics import ms_ssim, ms_ssim_diversity, psnr, similarity, ssim, total_variation

RNG = np.random.default_rng(3)


def torch_rand(*shape):
    """Return ``torch.manual_seed(42); torch.rand(shape)``, [N, C, height, width], as [N, height, width, C]."""
    raw = np.random.RandomState(42).randint(0, 2**32, int(np.prod(shape)), dtype=np.uint32)
    return ((raw & (2**24 - 1)) / 2**24).reshape(shape).transpose(0, 2, 3, 1)


def test_metrics_agree_with_the_documentation_of_torchmetrics():
    """The examples are in its docstrings at commit dab0333: image/ssim.py, image/tv.py, image/psnr.py."""
    x = torch_rand(3, 3, 256, 256)
    assert ssim(x, 0.75 * x, low=0, high=1).mean() == pytest.approx(0.9219, abs=5e-5)
    assert ms_ssim(x, 0.75 * x, low=0, high=1).mean() == pytest.approx(0.9628, abs=1e-4)
    assert total_variation(torch_rand(5, 3, 28, 28)).sum() == pytest.approx(7546.8018, abs=1e-4)
    a, b = (np.array(rows, float).reshape(1, 2, 2, 1) for rows in ([[0, 1], [2, 3]], [[3, 2], [1, 0]]))
    assert psnr(a, b, low=0, high=3) == pytest.approx([2.5527], abs=5e-5)


def test_ssim_agrees_with_scikit_image():
    """The values are from structural_similarity of version 0.26, by channel, with a Gaussian window of sigma 1.5.

    The parameter use_sample_covariance was False.
    """
    draws = np.random.RandomState(3)
    draws.normal(size=(1100, 24))  # advances the generator to the state in which the images were drawn
    a = draws.uniform(size=(2, 3, 200, 190)).astype(np.float32)
    b = (0.75 * a + 0.25 * draws.uniform(size=a.shape)).astype(np.float32)
    a, b = (x.astype(float).transpose(0, 2, 3, 1) for x in (a, b))
    assert ssim(a, b, low=0, high=1) == pytest.approx([0.9207229483793382, 0.9203881763508347], rel=1e-9)


def test_metrics_do_not_depend_on_the_range_of_pixels():
    x, y = RNG.uniform(-1, 1, (2, 3, 48, 48, 1))
    for metric in (psnr, ssim, functools.partial(ms_ssim, weights=similarity.WEIGHTS[:2])):
        as_bytes = metric((x + 1) * 127.5, (y + 1) * 127.5, low=0, high=255)
        np.testing.assert_allclose(metric(x, y), as_bytes, rtol=1e-9)


def test_equal_and_opposite_images_have_extreme_values():
    x = RNG.uniform(-1, 1, (2, 32, 32, 3))
    np.testing.assert_allclose(ssim(x, x), 1)
    np.testing.assert_allclose(ms_ssim(x, x, weights=similarity.WEIGHTS[:2]), 1)
    assert (psnr(x, x) == np.inf).all()
    assert (ssim(x, -x) < 0).all()
    assert (ms_ssim(x, -x, weights=similarity.WEIGHTS[:2]) == 0).all()
    np.testing.assert_allclose(psnr(np.ones((1, 4, 4, 1)), -np.ones((1, 4, 4, 1))), 0)


def test_constant_images_have_the_known_similarity():
    """Without variance, SSIM is its term of luminance, (2ab + c) / (a^2 + b^2 + c)."""
    a, b, c = 0.4, 0.6, 0.01**2
    flat = np.ones((1, 20, 20, 1))
    np.testing.assert_allclose(ssim(a * flat, b * flat, low=0, high=1), (2 * a * b + c) / (a * a + b * b + c))
    np.testing.assert_allclose(psnr(a * flat, b * flat, low=0, high=1), 10 * np.log10(1 / 0.04))


def test_diversity_is_lower_for_similar_images():
    one, two = RNG.uniform(-1, 1, (2, 1, 40, 40, 1))
    options = {"weights": similarity.WEIGHTS[:2], "pairs": 50}
    alike = np.repeat(one, 20, 0) + 0.001
    various = RNG.uniform(-1, 1, (20, 40, 40, 1))
    assert ms_ssim_diversity(np.clip(alike, -1, 1), **options) == pytest.approx(1)
    assert ms_ssim_diversity(various, **options) < 0.2
    pair = ms_ssim_diversity(np.concatenate([one, two]), **options)  # no image is paired with itself
    assert pair == pytest.approx(ms_ssim(one, two, weights=options["weights"])[0])
    assert ms_ssim_diversity(various, **options) != ms_ssim_diversity(various, seed=1, **options)


def test_total_variation_of_a_small_image():
    image = np.array([[0.0, 1.0], [3.0, 3.0]]).reshape(1, 2, 2, 1)
    assert total_variation(image) == [1 + 0 + 3 + 2]


def test_invalid_images_raise():
    x = np.zeros((2, 32, 32, 3))
    with pytest.raises(
        ValueError, match=r"Images must be at least 176 x 176 .* scales: 5\), got 32 x 32\. Pass fewer `weights`"
    ):
        ms_ssim(x, x)
    for size, scales in ((175, 5), (21, 2)):
        small = np.zeros((1, size, size + 9, 1))
        with pytest.raises(ValueError, match=f"Images must be at least {size + 1} x {size + 1} "):
            ms_ssim(small, small, weights=similarity.WEIGHTS[:scales])
        least = np.zeros((1, size + 1, size + 1, 1))
        np.testing.assert_allclose(ms_ssim(least, least, weights=similarity.WEIGHTS[:scales]), 1)
    with pytest.raises(ValueError, match="`weights` must have at least one weight, one for each scale, got none"):
        ms_ssim(x, x, weights=())
    with pytest.raises(ValueError, match=r"at least 11 x 11 .* scales: 1\), got 8 x 32\.$"):
        ssim(x[:, :8], x[:, :8])
    with pytest.raises(ValueError, match="Images must be from `low` -1 to `high` 1, got 255 to 255"):
        psnr(x, x + 255)
    with pytest.raises(ValueError, match="got nan to nan"):
        psnr(x, x * np.nan)
    with pytest.raises(ValueError, match=r"\(2, 32, 32, 3\) and \(1, 32, 32, 3\)"):
        psnr(x, x[:1])
    with pytest.raises(ValueError, match=r"`images` must be \[N, height, width, C\], got shape \(3,\)"):
        total_variation(np.zeros(3))
    with pytest.raises(ValueError, match="`images` must have at least 2 images, got 1"):
        ms_ssim_diversity(x[:1])
