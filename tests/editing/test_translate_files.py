"""The command ``translate`` and ``translate_files``: files of any size and format, written with the same names."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import programs
from PIL import Image

from jaxgan.editing.translate_files import translate_files
from jaxgan.editing.translator import Translator
from jaxgan.export import TranslationDirection

RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a folder with untrained pix2pix runs that translate line drawings, and that fill holes."""
    folder = tmp_path_factory.mktemp("runs")
    for inputs in ("edges", "hole"):
        programs.begun(folder / inputs, "pix2pix", inputs=inputs)
    return folder


def photo(folder, name, size=(20, 33), channels=3, **options):
    """Write a random image that is smooth enough for lossy formats, and return it."""
    small = RNG.integers(0, 256, (4, 4, channels), np.uint8)
    image = Image.fromarray(small[..., 0] if channels == 1 else small).resize(size[::-1])
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    image.save(folder / name, **options)
    return image


def translate(capsys, run, *arguments):
    return programs.run(capsys, "translate", "--run-dir", run, *arguments, experiment="pix2pix")


@pytest.mark.integration
def test_a_folder_is_translated_to_files_with_the_same_names(runs, tmp_path, capsys):
    given, out = tmp_path / "given", tmp_path / "out"
    photo(given, "a.png", (20, 33))
    photo(given, "below/b.jpg", (32, 48))
    photo(given, "c.bmp", (20, 33))
    photo(given, "grey.png", (17, 40), channels=1)
    frames = [Image.fromarray(RNG.integers(0, 256, (16, 20, 3), np.uint8)) for _ in range(3)]
    frames[0].save(given / "d.gif", save_all=True, append_images=frames[1:], duration=200)
    code, text = translate(
        capsys, runs / "edges", "--images", given, "--out", out, "--direction", "remake", "--memory", 1
    )
    assert code == 0, text
    made = {path.relative_to(out).as_posix(): Image.open(path) for path in out.rglob("*.*")}
    assert {name: image.size for name, image in made.items()} == {
        "a.png": (33, 20),
        "below/b.jpg": (48, 32),
        "c.png": (33, 20),
        "grey.png": (40, 17),
        "d.gif": (20, 16),
    }
    assert made["d.gif"].n_frames == 3 and made["d.gif"].info["duration"] == 200
    assert "33 x 20: translated in one pass, the networks need 0.0" in text and text.count("33 x 20") == 1
    assert "5 images written to" in text and "megapixels per second" in text and "peak memory of the process" in text
    assert b"Synthetic" in (out / "below" / "b.jpg").read_bytes()
    assert np.asarray(made["a.png"]).std() > 0


@pytest.mark.integration
def test_a_single_image_is_translated_at_once_and_in_tiles(runs, tmp_path, capsys):
    photo(tmp_path, "wide.png", (24, 100))
    drawn = tmp_path / "drawn.png"
    for more in ([], ["--tile", 32]):
        out = tmp_path / f"out{len(more)}.png"
        options = ["--images", tmp_path / "wide.png", "--out", out, "--direction", "remake", *more]
        code, text = translate(capsys, runs / "edges", *options)
        assert code == 0 and Image.open(out).size == (100, 24), text
    assert "100 x 24: translated in tiles of 32 x 32" in text
    # A line drawing has one channel, like the inputs of the network.
    photo(tmp_path, "drawn.png", (24, 40), channels=1)
    code, text = translate(capsys, runs / "edges", "--images", drawn, "--out", tmp_path / "folder")
    assert code == 0 and Image.open(tmp_path / "folder" / "drawn.png").mode == "RGB", text


@pytest.mark.integration
def test_holes_are_filled_and_other_pixels_do_not_change(runs, tmp_path, capsys):
    image = photo(tmp_path, "given/a.png", (32, 32))
    hole = np.zeros((32, 32), np.uint8)
    hole[8:16, 4:20] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(hole).save(tmp_path / "masks" / "a.png")
    code, text = translate(
        capsys,
        runs / "hole",
        *("--images", tmp_path / "given", "--masks", tmp_path / "masks", "--out", tmp_path / "out"),
    )
    assert code == 0, text
    before, after = np.asarray(image), np.asarray(Image.open(tmp_path / "out" / "a.png"))
    np.testing.assert_array_equal(after[hole == 0], before[hole == 0])
    assert np.abs(after[hole > 0].astype(int) - before[hole > 0]).mean() > 3
    code, text = translate(capsys, runs / "hole", "--images", tmp_path / "given", "--out", tmp_path / "none")
    assert code == 2 and "has no transparent pixel" in text
    # The result is the same if the holes are transparent pixels.
    image.putalpha(Image.fromarray(255 - hole))
    image.save(tmp_path / "b.png")
    code, text = translate(capsys, runs / "hole", "--images", tmp_path / "b.png", "--out", tmp_path / "b" / "b.png")
    assert code == 0, text
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b" / "b.png")), after)


@pytest.mark.integration
def test_failed_images_are_named_and_the_others_are_translated(runs, tmp_path, capsys, monkeypatch):
    given, out = tmp_path / "given", tmp_path / "out"
    photo(given, "a.png")
    photo(given, "pixel.png", (1, 1))
    photo(given, "z.png")
    whole = (given / "z.png").read_bytes()
    (given / "cut.png").write_bytes(whole[: len(whole) // 2])
    (given / "text.png").write_text("no picture")
    photo(given, "huge.png", (1000, 1200))
    monkeypatch.setattr("jaxgan.data.decoding.MAX_PIXELS", 400_000)
    code, text = translate(capsys, runs / "edges", "--images", given, "--out", out, "--direction", "remake")
    assert code == 2 and "Traceback" not in text
    assert {path.name for path in out.iterdir()} == {"a.png", "z.png"}
    for message in (
        "4 of 6 images could not be translated",
        "pixel.png: The image must have at least 8 x 8 pixels, got 1 x 1",
        "cut.png cannot be decoded",
        "text.png is not an image, or its format is not supported",
        "huge.png has 1,200 x 1,000 pixels, and at most 400,000 pixels can be read",
    ):
        assert message in text, text
    # Each image has a line of its own.
    named = [line for line in text.splitlines() if line.startswith("not translated: ")]
    assert len(named) == 4 and "\\n" not in text, text


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "none", "--out", "out"], "--images must be an existing file or folder, but none does not exist."),
        (
            ["--images", "clip.mp4", "--out", "out"],
            "Convert a video to images first: ffmpeg -i clip.mp4 frames/%05d.png",
        ),
        (["--images", "given", "--out", "given"], "--out must not be the folder of the images, got given."),
        (["--images", "given/a.png", "--out", "given/a.png"], "--out must not be the image, got given/a.png."),
        (
            ["--images", "given/a.png", "--out", "a.xyz"],
            "--out must be a folder, or a file with one of the suffixes .png, .jpg, .jpeg, .gif, .webp, got a.xyz.",
        ),
        (
            ["--images", "given", "--out", "out", "--direction", "up"],
            "--direction must be to_image or remake, got 'up'",
        ),
        (
            ["--images", "given", "--out", "out", "--tile", "20"],
            "--tile must be a multiple of 16 for these networks, got 20",
        ),
        (["--images", "twice", "--out", "out"], "a.bmp and a.tif would both be written to a.png. Rename one"),
        (["--images", "given", "--out", "out", "--masks", "given"], "--masks can only be used with a model that fills"),
    ],
)
def test_invalid_arguments_are_rejected(arguments, message, runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path, "given/a.png")
    photo(tmp_path, "twice/a.bmp")
    photo(tmp_path, "twice/a.tif")
    (tmp_path / "clip.mp4").write_bytes(b"0" * 100)
    code, text = translate(capsys, runs / "edges", *arguments)
    assert code == 2 and message in " ".join(text.split()) and "Traceback" not in text
    assert not (tmp_path / "out").exists()


def test_an_experiment_that_does_not_translate_images_is_rejected(tmp_path, capsys):
    run = programs.begun(tmp_path / "run", "gan")
    photo(tmp_path, "a.png")
    arguments = ["--run-dir", run, "--images", tmp_path / "a.png", "--out", tmp_path / "b.png"]
    code, text = programs.run(capsys, "translate", *arguments, experiment="gan")
    assert code == 2 and "does not translate images. Use `jaxgan sample`" in text


def negative(channels, **options):
    """Return a translator to the negative image, which inverts only transparent pixels if images have four channels."""

    def run(weights, images, seed, indices, moments):
        if channels == 3:
            return -images
        return images[..., :3] * jnp.where(images[..., 3:] < 0, -1.0, 1.0)

    return Translator(TranslationDirection({}, run, lambda *inputs: {}, channels), **options)


def test_progress_is_logged_and_not_printed(tmp_path, capsys):
    image = photo(tmp_path / "given", "a.png", (10, 12))
    photo(tmp_path / "given", "b.png", (10, 12))
    lines = []
    translate_files(negative(3), tmp_path / "given", tmp_path / "out", "jaxgan test", log=lines.append)
    translate_files(negative(3), tmp_path / "given" / "a.png", tmp_path / "one.png", "jaxgan test")
    assert capsys.readouterr() == ("", "")
    assert (
        len(lines) == 2 and lines[0].startswith("12 x 10: translated in one pass") and lines[1].startswith("2 images ")
    )
    expected = 255 - np.asarray(image)
    for path in (tmp_path / "out" / "a.png", tmp_path / "one.png"):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)


def test_a_single_mask_is_used_for_all_images(tmp_path):
    mask = np.zeros((10, 12), np.uint8)
    mask[:5] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    images = [photo(tmp_path / "given", name, (10, 12)) for name in ("a.png", "b.png")]
    made_by = "jaxgan test"
    translate_files(negative(4), tmp_path / "given", tmp_path / "out", made_by, masks=tmp_path / "mask.png")
    for name, image in zip(("a.png", "b.png"), images):
        made, given = np.asarray(Image.open(tmp_path / "out" / name)), np.asarray(image)
        np.testing.assert_array_equal(made[:5], 255 - given[:5])
        np.testing.assert_array_equal(made[5:], given[5:])


def test_masks_with_another_size_or_name_are_rejected(tmp_path):
    photo(tmp_path / "given", "a.png", (10, 12))
    photo(tmp_path / "masks", "a.png", (12, 10), channels=1)
    photo(tmp_path / "others", "b.png", (10, 12), channels=1)
    photo(tmp_path / "others", "c.png", (10, 12), channels=1)
    for masks, message in (
        ("masks", "a.png has the size 12 x 10, but its mask has the size 10 x 12"),
        ("others", "a.png: .*others has no mask with the same name"),
    ):
        with pytest.raises(ValueError, match=message):
            translate_files(negative(4), tmp_path / "given", tmp_path / "out", "", masks=tmp_path / masks)
