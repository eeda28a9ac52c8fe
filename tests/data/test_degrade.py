"""Tests of the degradations: published sizes and scores, lines at edges, and holes that depend only on a key."""

import io
import tarfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan.core.keys import sample_keys
from jaxgan.data import degrade
from jaxgan.metrics.similarity import psnr

pytestmark = pytest.mark.integration

IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, 12, 20, 3)).astype(np.float32)


def keys_cubic(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def resize_line(line, count):
    """Return one line of pixels resized as by imresize, computed one pixel at a time."""
    n = len(line)
    wide = max(n / count, 1)
    out = []
    for i in range(count):
        centre = (i + 0.5) * n / count - 0.5
        near = range(int(np.floor(centre - 2 * wide)) - 1, int(np.ceil(centre + 2 * wide)) + 2)
        weights = [keys_cubic((centre - j) / wide) for j in near]
        mirrored = [(-1 - j) if j < 0 else (2 * n - 1 - j) if j >= n else j for j in near]
        out.append(sum(w * line[j] for w, j in zip(weights, mirrored)) / sum(weights))
    return np.array(out)


@pytest.mark.parametrize(
    ("factor", "size"), [(2, (6, 10)), (4, (3, 5)), (0.5, (24, 40)), (1 / 3, (36, 60)), (1, (12, 20))]
)
def test_bicubic_resizing_agrees_with_imresize(factor, size):
    made = jax.jit(degrade.resize_bicubic, static_argnums=1)(IMAGES, factor)
    assert made.shape == (3, *size, 3)
    of_size = jax.jit(lambda images: degrade.resize_bicubic(images, size=size))
    np.testing.assert_array_equal(made, of_size(IMAGES))
    tall = np.apply_along_axis(resize_line, 1, IMAGES.astype(float), size[0])
    np.testing.assert_allclose(made, np.apply_along_axis(resize_line, 2, tall, size[1]), atol=2e-6)


def test_bicubic_resizing_to_any_size():
    made = degrade.resize_bicubic(IMAGES, size=(7, 30))
    expected = np.apply_along_axis(resize_line, 2, np.apply_along_axis(resize_line, 1, IMAGES.astype(float), 7), 30)
    np.testing.assert_allclose(made, expected, atol=2e-6)
    assert degrade.resize_bicubic(IMAGES, 8).shape == (3, 2, 3, 3)  # sizes are rounded up, as in MATLAB
    # MATLAB's imresize([1 2 3 4; ...], 0.5) returns two values for the line 1, 2, 3, 4, symmetric about 2.5.
    line = jnp.arange(1.0, 5)[None, None, :, None] * jnp.ones((1, 4, 1, 1))
    half = degrade.resize_bicubic(line, 2)[0, 0, :, 0]
    assert float(half.sum()) == pytest.approx(5, abs=1e-6)
    for wrong in ({"factor": 0}, {"factor": -1}, {"size": (0, 4)}):
        with pytest.raises(ValueError, match=r"must be above 0, got|must be at least 1 x 1, got"):
            degrade.resize_bicubic(IMAGES, **wrong)


def test_a_flat_image_stays_flat_at_its_borders():
    flat = np.full((1, 9, 11, 1), 0.3, np.float32)
    for factor in (2, 3, 0.5, 0.4):
        np.testing.assert_allclose(degrade.resize_bicubic(flat, factor), 0.3, atol=1e-6)


def test_round_to_bytes_clips_and_rounds_to_256_levels():
    levels = np.arange(256, dtype=np.float32) / 127.5 - 1
    np.testing.assert_allclose(degrade.round_to_bytes(levels), levels, atol=1e-6)
    np.testing.assert_allclose(degrade.round_to_bytes(levels + 0.49 / 127.5), levels, atol=1e-6)
    np.testing.assert_array_equal(degrade.round_to_bytes(np.array([-1.2, 1.01], np.float32)), [-1, 1])


def test_luma_agrees_with_matlab_and_pillow():
    """In MATLAB's documentation of rgb2ycbcr, Y = 16 + 65.481 R + 128.553 G + 24.966 B for R, G and B in [0, 1]."""
    y = degrade.to_y(IMAGES)
    expected = 16 + (IMAGES.astype(float) / 2 + 0.5) @ [65.481, 128.553, 24.966]
    np.testing.assert_allclose((y[..., 0] + 1) * 127.5, expected, atol=1e-4)
    np.testing.assert_array_equal(degrade.to_y(y), y)  # a grey image is its own luma
    bytes_ = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    grey = degrade.to_grey(bytes_ / np.float32(127.5) - 1)
    pillow = np.asarray(Image.fromarray(bytes_[0]).convert("L"), float)
    np.testing.assert_allclose((grey[0, ..., 0] + 1) * 127.5, pillow, atol=0.6)
    three = degrade.to_grey(IMAGES, 3)
    assert three.shape == IMAGES.shape
    assert (three == three[..., :1]).all()
    for colour, value in ((1.0, 1), (-1.0, -1)):
        np.testing.assert_allclose(degrade.to_grey(jnp.full((1, 2, 2, 3), colour)), value, atol=1e-6)
    for make in (degrade.to_y, degrade.to_grey, degrade.draw_edges):
        with pytest.raises(ValueError, match=r"Images must be \[B, H, W, 3\] or \[B, H, W, 1\], got \(3, 12, 20, 2\)"):
            make(IMAGES[..., :2])


def test_lines_are_drawn_where_edges_are():
    x = np.full((3, 16, 16, 1), -0.5, np.float32)
    x[0, :, 8:] = 0.5
    x[1, 5:] = 0.5
    lines = np.asarray(degrade.draw_edges(x))
    assert lines.shape == (3, 16, 16, 1)
    assert (lines[0, :, [i for i in range(16) if i != 7]] == 1).all() and (lines[0, :, 7] == -1).all()
    assert (lines[1, [i for i in range(16) if i != 4]] == 1).all() and (lines[1, 4] == -1).all()
    assert (lines[2] == 1).all()
    # If two gradients are equal, the same pixel is drawn with and without compilation.
    again = jax.jit(degrade.draw_edges)(jnp.asarray(x[:1]))
    np.testing.assert_array_equal(again, lines[:1])


@pytest.mark.parametrize("turn", [0, 1])
def test_slanted_lines_are_thin(turn):
    y, x = np.mgrid[:32, :32]
    image = np.where((y + x if turn else y - x + 31) > 31, 0.8, -0.8).astype(np.float32)[None, ..., None]
    lines = np.asarray(degrade.draw_edges(image, channels=3))
    assert lines.shape == (1, 32, 32, 3)
    dark = (lines[0, ..., 0] < 0)[4:-4]
    assert (dark.sum(1) >= 1).all() and dark.sum(1).mean() < 2.5
    assert (np.abs((x if turn else 31 - x)[4:-4][dark] - (31 - y)[4:-4][dark]) <= 2).all()


def test_a_darker_image_has_the_same_lines():
    x = np.cumsum(np.random.default_rng(0).normal(size=(2, 32, 32, 1)), 1).astype(np.float32)
    x = x / abs(x).max()
    np.testing.assert_allclose(degrade.draw_edges(x), degrade.draw_edges(0.5 * x - 0.5), atol=0.05)
    assert degrade.draw_edges(x).min() == -1 and degrade.draw_edges(x).max() == 1
    with pytest.raises(ValueError, match="`sigma` must be above 0, got 0"):
        degrade.draw_edges(x, sigma=0)


KEYS = sample_keys(0, 500)


@pytest.mark.parametrize(("share", "size"), [(0.25, (32, 32)), (0.25, (16, 40)), (0.75, (32, 32)), (0.01, (8, 8))])
def test_a_hole_is_a_rectangle_of_the_given_area(share, size):
    x = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1, (500, *size, 3)), jnp.float32)
    masked = np.asarray(jax.jit(degrade.mask_rectangle, static_argnums=2)(x, KEYS, share))
    assert masked.shape == (500, *size, 4)
    mask = masked[..., 3] == 1
    assert (masked[..., 3][~mask] == -1).all()
    assert (masked[..., :3][mask] == 0).all()
    np.testing.assert_array_equal(masked[..., :3][~mask], np.asarray(x)[~mask])
    rows, columns = mask.any(2), mask.any(1)
    np.testing.assert_array_equal(mask, rows[:, :, None] & columns[:, None])  # each hole is a rectangle
    for line in (rows, columns):
        assert (np.abs(np.diff(np.pad(line, ((0, 0), (1, 1))).astype(int))).sum(1) == 2).all()  # without gaps
    sides = np.stack([rows.sum(1) / size[0], columns.sum(1) / size[1]])
    if share > 0.1:
        assert sides.prod(0) == pytest.approx(share, abs=0.06)
        ratio = sides[0] / sides[1]
        assert 0.4 < ratio.min() < ratio.max() < 2.5
        assert ratio.std() > 0.1
        assert mask.any(0).all()  # every pixel is in some hole
    np.testing.assert_array_equal(degrade.composite(masked, x), x)
    np.testing.assert_array_equal(degrade.composite(masked, -x)[mask], -np.asarray(x)[mask])


def test_a_hole_depends_only_on_the_key_of_its_example():
    x = jnp.ones((500, 12, 12, 1))
    whole = degrade.mask_rectangle(x, KEYS)
    np.testing.assert_array_equal(degrade.mask_rectangle(x[37:64], KEYS[37:64]), whole[37:64])
    assert len(np.unique(np.asarray(whole).reshape(500, -1), axis=0)) > 100
    for share in (0, 1, -1):
        with pytest.raises(ValueError, match=r"`share` must be between 0 and 1, got -?\d"):
            degrade.mask_rectangle(x, KEYS, share)


def test_transparent_pixels_become_a_hole():
    alpha = jnp.asarray([1.0, 0.1, -0.1, -1.0]).reshape(1, 2, 2, 1)
    colours = jnp.full((1, 2, 2, 3), 0.5)
    masked = np.asarray(degrade.mask_transparent(jnp.concatenate([colours, alpha], -1)))
    assert masked[0, ..., 3].tolist() == [[-1, -1], [1, 1]]
    assert masked[0, ..., 0].tolist() == [[0.5, 0.5], [0, 0]]
    painted = degrade.composite(masked, jnp.full((1, 2, 2, 3), -0.25))
    assert painted[0, ..., 1].tolist() == [[0.5, 0.5], [-0.25, -0.25]]


@pytest.mark.parametrize(
    "make",
    [lambda x: degrade.resize_bicubic(x, 1 / 4), lambda x: degrade.resize_bicubic(x, 1 / 2), degrade.draw_edges],
    ids=[4, 2, "edges"],
)
def test_images_of_unknown_size_can_be_exported(make):
    shape = jax.export.symbolic_shape("b, h, w, 3", constraints=["h >= 8", "w >= 8"])
    exported = jax.export.export(jax.jit(make))(jax.ShapeDtypeStruct(shape, jnp.float32))
    for images in (IMAGES, IMAGES[:1, :8, 3:]):
        np.testing.assert_allclose(exported.call(images), jax.jit(make)(images), atol=1e-5)


def test_images_of_unknown_size_cannot_be_reduced():
    shape = jax.export.symbolic_shape("b, h, w, 3", constraints=["h >= 8", "w >= 8"])
    with pytest.raises(
        ValueError, match=r"unknown size can only be enlarged by a whole number n.* `factor` 4 and `size` None"
    ):
        jax.eval_shape(lambda x: degrade.resize_bicubic(x, 4), jax.ShapeDtypeStruct(shape, jnp.float32))


# Mean PSNR of bicubic interpolation on Set5 and Set14 as published, accurate to 0.02 dB. It is measured on the rounded
# Y channel, without a border of ``factor`` pixels.
PUBLISHED = {
    ("CSet5", 2): 33.652, ("CSet5", 3): 30.388, ("CSet5", 4): 28.418,
    ("CSet14", 2): 30.227, ("CSet14", 3): 27.539, ("CSet14", 4): 25.999,
}  # fmt: skip


SLOW = {("CSet14", 2), ("CSet14", 3)}


@pytest.mark.parametrize(
    ("name", "factor"),
    [pytest.param(*key, marks=pytest.mark.slow) if key in SLOW else key for key in PUBLISHED],
)
def test_bicubic_interpolation_has_the_published_psnr(name, factor, test_data):
    found = []
    with tarfile.open(test_data / "super_resolution" / f"{name}.tar") as tar:
        for member in tar:
            if not member.name.endswith(".png"):
                continue
            pixels = np.asarray(Image.open(io.BytesIO(tar.extractfile(member).read())), np.float32)
            pixels = pixels.reshape(1, *pixels.shape[:2], -1)  # bridge.png is grey
            height, width = (n // factor * factor for n in pixels.shape[1:3])
            y = degrade.round_to_bytes(degrade.to_y(pixels[:, :height, :width] / 127.5 - 1))
            small = degrade.round_to_bytes(degrade.resize_bicubic(y, factor))
            large = degrade.round_to_bytes(degrade.resize_bicubic(small, 1 / factor))
            inside = (slice(None), slice(factor, -factor), slice(factor, -factor))
            found.append(psnr(np.asarray(y[inside]), np.asarray(large[inside]))[0])
    assert len(found) == int(name.removeprefix("CSet"))
    assert np.mean(found) == pytest.approx(PUBLISHED[name, factor], abs=0.01)
