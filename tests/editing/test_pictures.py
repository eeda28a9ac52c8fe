"""Tests of what a translation keeps of a file: transparency, frames, timing, and the author's metadata."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.files import encoded, folder
from PIL import Image

from jaxgan.data.folders import find_images
from jaxgan.editing.pictures import Picture, read_picture, with_alpha
from jaxgan.editing.translate_files import translate_files
from jaxgan.editing.translator import Translator
from jaxgan.export import TranslationDirection

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 200, (10, 12, 3), np.uint8)
ALPHA = np.where(np.arange(12) < 6, 0, 255).astype(np.uint8)[None].repeat(10, 0)
SOFT = np.where(np.arange(12) < 6, 0, 20 * np.arange(12)).astype(np.uint8)[None].repeat(10, 0)
CLEAR = np.dstack([COLOUR, SOFT])
DURATIONS = [50, 100, 400]


def negative(channels=3, scale=1):
    """Return a translator to the negative image, enlarged by repeating pixels."""

    def run(weights, images, seed, indices, moments):
        return -jnp.repeat(jnp.repeat(images, scale, 1), scale, 2)

    return Translator(TranslationDirection({}, run, lambda *inputs: {}, channels, scale=scale))


def translated(tmp_path, files, translator=None, out="out"):
    """Translate files, and return the lines of the log and a dictionary of the results."""
    lines = []
    path = folder(tmp_path / "given", files)
    translate_files(translator or negative(), path, tmp_path / out, "jaxgan test", log=lines.append)
    return lines, {file.name: Image.open(file) for file in sorted((tmp_path / out).iterdir())}


def frames_of(image):
    """Return the frames in RGBA, [T, H, W, 4], and their durations."""
    frames, durations = [], []
    for index in range(image.n_frames):
        image.seek(index)
        frames.append(np.asarray(image.convert("RGBA")))
        durations.append(image.info["duration"])
    return np.stack(frames), durations


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "avif", "tga", "qoi", "dds", "ico"])
def test_transparency_is_kept(suffix, tmp_path):
    options = {"webp": {"lossless": True}, "ico": {"sizes": [(12, 10)]}, "avif": {"quality": 100}}.get(suffix, {})
    lines, images = translated(tmp_path, {f"a.{suffix}": encoded(CLEAR, suffix, **options)})
    (image,) = images.values()
    assert image.mode == "RGBA" and "of which" not in " ".join(lines)
    pixels = np.asarray(image)
    np.testing.assert_array_equal(pixels[..., 3], SOFT)
    if suffix != "avif":  # it changes the colours of noise
        np.testing.assert_array_equal(pixels[:, 6:, :3], 255 - COLOUR[:, 6:])


def test_transparency_of_grey_images_palettes_and_transparent_colours_is_kept(tmp_path):
    grey = np.dstack([COLOUR[..., 0], SOFT])
    indexed = Image.fromarray((np.arange(120) % 3).astype(np.uint8).reshape(10, 12))
    indexed.putpalette([250, 0, 0, 0, 90, 0, 9, 9, 9])
    files = {
        "grey.png": encoded(grey, "png"),
        "palette.png": encoded(indexed, "png", transparency=1),
        "colour.png": encoded(COLOUR, "png", transparency=tuple(map(int, COLOUR[0, 0]))),
    }
    _, images = translated(tmp_path, files)
    np.testing.assert_array_equal(np.asarray(images["grey.png"])[..., 3], SOFT)
    np.testing.assert_array_equal(np.asarray(images["palette.png"])[..., 3], np.where(np.asarray(indexed) == 1, 0, 255))
    assert np.asarray(images["colour.png"])[0, 0, 3] == 0 and np.asarray(images["colour.png"])[-1, -1, 3] == 255


def test_an_opaque_alpha_channel_is_removed(tmp_path):
    _, images = translated(tmp_path, {"a.png": encoded(np.dstack([COLOUR, np.full((10, 12), 255, np.uint8)]), "png")})
    assert images["a.png"].mode == "RGB"


def test_the_colour_of_invisible_pixels_does_not_reach_the_networks(tmp_path):
    files = folder(tmp_path, {"a.png": encoded(CLEAR, "png")})
    from jaxgan.data.folders import find_images

    picture = read_picture(find_images(files)[0], "a.png", 3)
    assert (picture.frames[0][:, :6] == 255).all()
    np.testing.assert_array_equal(picture.frames[0][:, 6:], COLOUR[:, 6:])


@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_has_the_size_of_the_translation(channels, tmp_path):
    _, images = translated(tmp_path, {"a.png": encoded(CLEAR, "png")}, negative(channels, scale=2))
    alpha = np.asarray(images["a.png"])[..., 3]
    expected = np.asarray(Image.fromarray(SOFT).resize((24, 20), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(alpha, expected)
    assert with_alpha(np.zeros((1, 20, 24, 1), np.uint8), SOFT[None]).shape == (1, 20, 24, 4)


def test_a_format_without_transparency_is_blended_with_white_and_says_so(tmp_path):
    lines = []
    path = folder(tmp_path, {"a.png": encoded(np.dstack([COLOUR, ALPHA]), "png")}) / "a.png"
    translate_files(negative(), path, tmp_path / "b.jpg", "jaxgan test", log=lines.append)
    assert f"{path}: 1 image, of which 1 with an alpha channel (blended with white)." in lines
    assert np.asarray(Image.open(tmp_path / "b.jpg"))[:, :3].max() < 30  # the negative of white


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
@pytest.mark.parametrize("loop", [0, 3])
def test_all_frames_are_translated_with_their_durations_and_transparency(suffix, loop, tmp_path):
    alphas = [np.roll(ALPHA, 3 * i, 1) for i in range(3)]
    frames = [Image.fromarray(np.dstack([np.full_like(COLOUR, 40 * i), alpha])) for i, alpha in enumerate(alphas)]
    options = {"save_all": True, "append_images": frames[1:], "duration": DURATIONS, "loop": loop, "disposal": 2}
    if suffix == "webp":
        options["lossless"] = True
    lines, images = translated(tmp_path, {f"a.{suffix}": encoded(frames[0], suffix, **options)})
    made, durations = frames_of(images[f"a.{suffix}"])
    assert durations == DURATIONS and images[f"a.{suffix}"].info["loop"] == loop
    np.testing.assert_array_equal(made[..., 3], alphas)
    for i, alpha in enumerate(alphas):
        np.testing.assert_allclose(made[i][alpha > 0][:, :3].astype(int), 255 - 40 * i, atol=2)
    assert "of which" not in " ".join(lines)


def test_an_animation_that_cannot_be_written_in_its_format_is_written_as_an_animated_png(tmp_path):
    frames = [Image.fromarray(np.full((10, 12, 3), 60 * i, np.uint8)) for i in range(3)]
    content = encoded(frames[0], "avif", save_all=True, append_images=frames[1:], duration=70)
    _, images = translated(tmp_path, {"a.avif": content})
    made, durations = frames_of(images["a.png"])
    assert len(made) == 3 and durations == [70] * 3
    np.testing.assert_allclose(made[:, 0, 0, 0], [255, 195, 135], atol=4)


def test_a_gif_without_a_number_of_loops_is_played_once(tmp_path):
    frames = [Image.fromarray(np.full((10, 12, 3), 60 * i, np.uint8)) for i in range(2)]
    _, images = translated(tmp_path, {"a.gif": encoded(frames[0], "gif", save_all=True, append_images=frames[1:])})
    assert "loop" not in images["a.gif"].info


def test_only_the_first_of_several_images_is_translated_and_the_log_says_so(tmp_path):
    """Phones add a second, smaller image to their photographs."""
    second = Image.fromarray(COLOUR[:4, :5])
    files = {
        "phone.jpg": encoded(COLOUR, "mpo", save_all=True, append_images=[second]),
        "pages.tif": encoded(COLOUR, "tiff", save_all=True, append_images=[Image.fromarray(COLOUR)]),
        "icon.ico": encoded(Image.new("RGB", (32, 32)), "ico", sizes=[(16, 16), (32, 32)]),
        "deep.png": encoded(np.full((10, 12), 40_000, np.uint16), "png"),
        "inks.jpg": encoded(Image.new("CMYK", (12, 10)), "jpeg"),
        "plain.png": encoded(COLOUR, "png"),
    }
    lines, images = translated(tmp_path, files)
    assert {name: image.size for name, image in images.items()} == {
        "deep.png": (12, 10),
        "icon.png": (32, 32),
        "inks.jpg": (12, 10),
        "pages.png": (12, 10),
        "phone.jpg": (12, 10),
        "plain.png": (12, 10),
    }
    (line,) = [line for line in lines if "of which" in line]
    assert line == (
        f"{tmp_path / 'given'}: 6 images, of which 1 with more than 8 bits per channel (reduced to 8); 1 with several "
        "sizes (only the largest is read); 1 in CMYK (converted to RGB); 2 with several frames, pages or layers (only "
        "the first is read)."
    )


@pytest.mark.parametrize("suffix", ["jpeg", "png", "webp", "tiff", "avif"])
def test_the_author_is_kept_and_the_camera_is_not(suffix, tmp_path):
    fields = {0x010E: "a cat", 0x013B: "me", 0x8298: "mine"}
    exif = Image.Exif()
    for field, value in {**fields, 0x0110: "a camera", 0x0112: 6}.items():
        exif[field] = value
    options = {"tiffinfo": exif} if suffix == "tiff" else {"exif": exif}
    _, images = translated(tmp_path, {f"a.{suffix}": encoded(COLOUR, suffix, dpi=(300, 300), **options)})
    (image,) = images.values()
    assert image.size == (10, 12)  # upright
    kept = dict(image.getexif())
    assert {field: kept.get(field) for field in fields} == fields
    assert not kept.keys() & {0x0110, 0x0112}
    if suffix in ("jpeg", "png", "tiff"):
        np.testing.assert_allclose(image.info["dpi"], 300, rtol=1e-3)


def test_an_animation_that_needs_too_much_memory_is_named(tmp_path, monkeypatch):
    frames = [Image.fromarray(np.full((10, 12, 3), 60 * i, np.uint8)) for i in range(3)]
    monkeypatch.setattr("jaxgan.editing.pictures.MAX_PIXELS", 300)
    with pytest.raises(
        ValueError, match=r"a\.gif cannot be decoded: 3 frames of 12 x 10 pixels need too much memory\."
    ):
        translated(tmp_path, {"a.gif": encoded(frames[0], "gif", save_all=True, append_images=frames[1:])})


@pytest.mark.parametrize("size", [(8, 8), (9, 301), (33, 8)])
def test_odd_sizes_are_translated(size, tmp_path):
    pixels = RNG.integers(0, 256, (*size[::-1], 3), np.uint8)
    _, images = translated(tmp_path, {"a.png": encoded(pixels, "png")})
    np.testing.assert_array_equal(np.asarray(images["a.png"]), 255 - pixels)


@pytest.mark.parametrize("size", [(1, 1), (7, 100), (100, 7)])
def test_images_that_are_too_small_are_named(size, tmp_path):
    message = rf"a\.png: The image must have at least 8 x 8 pixels, got {size[0]} x {size[1]}"
    with warnings.catch_warnings(), pytest.raises(ValueError, match=message):
        translated(tmp_path, {"a.png": encoded(np.zeros((*size[::-1], 3), np.uint8), "png")})


def test_the_content_of_an_animation_is_complete(tmp_path):
    frames = [Image.fromarray(x) for x in (CLEAR, CLEAR[::-1].copy(), CLEAR[:, ::-1].copy())]
    options = {"save_all": True, "append_images": frames[1:], "duration": DURATIONS, "loop": 3, "dpi": (72, 72)}
    files = find_images(folder(tmp_path, {"a.png": encoded(frames[0], "png", **options)}))[0]
    found = read_picture(files, "a.png", 3)
    pixels = np.stack([np.asarray(frame) for frame in frames])
    colours = np.where(pixels[..., 3:] == 0, 255, pixels[..., :3])
    density = {"dpi": pytest.approx((72, 72), abs=0.1)}
    expected = Picture(colours, pixels[..., 3], DURATIONS, 3, (), density)
    np.testing.assert_equal(vars(found) | {"options": None}, vars(expected) | {"options": None})
    assert found.options == density
