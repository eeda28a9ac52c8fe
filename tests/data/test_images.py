"""Tests of image files of every format and mode: pixels are the ones that a viewer shows, cropped and resized."""

import os
import threading
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.files import archive, encoded, folder
from PIL import Image, ImageOps

from jaxgan import data
from jaxgan.data.decoding import convert_channels, crop_to_square, resize_images
from jaxgan.data.folders import find_images, is_image_store
from jaxgan.data.image_headers import common_size, read_headers
from jaxgan.data.images import ImageFiles
from jaxgan.data.readers import count_readers

# The warnings of what is left out or converted are tested in test_image_headers.py.
pytestmark = pytest.mark.filterwarnings("ignore:.*(, of which|. left out) ")
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (8, 8), np.uint8)
COLOUR = RNG.integers(0, 256, (8, 8, 3), np.uint8)
ALPHA = np.array([0, 85, 170, 255], np.uint8)[RNG.integers(0, 4, (8, 8))]
DEEP = np.array([0, 257, 32767, 32768, 65535], np.uint16)[np.arange(64).reshape(8, 8) % 5]
DEEP_IN_8_BITS = np.array([0, 1, 127, 128, 255], np.uint8)[np.arange(64).reshape(8, 8) % 5]
SMOOTH = np.add.outer(np.arange(8), np.arange(8)).astype(np.uint8)[..., None] * np.array([4, 8, 16], np.uint8)


def png(value, size=8, mode="L") -> bytes:
    return encoded(Image.new(mode, (size, size), value), "png")


def everything(source):
    return source.read(np.arange(len(source)))


def palette(indices, **options) -> bytes:
    image = Image.fromarray(indices)
    image.putpalette([250, 0, 0, 0, 0, 90, 30, 60, 90])  # a grey image with a palette has the mode P
    assert image.mode == "P"
    return encoded(image, "png", **options)


def over_white(colour, alpha):
    alpha = alpha.astype(float)[..., None] / 255
    return np.round(colour * alpha + 255 * (1 - alpha))


INDICES = np.arange(64, dtype=np.uint8).reshape(8, 8) % 3
PALETTE = np.array([[250, 0, 0], [0, 0, 90], [30, 60, 90]], np.uint8)
INK = np.stack([np.zeros_like(GREY), GREY, np.full_like(GREY, 255), np.zeros_like(GREY)], -1)

# By name: the file, its suffix, the expected pixels, the number of channels, and the tolerance in grey levels.
TABLE = {
    "grey png": (encoded(GREY, "png"), "png", GREY[..., None], 1, 0),
    "colour png": (encoded(COLOUR, "png"), "PNG", COLOUR, 3, 0),
    "colour and alpha png": (encoded(np.dstack([COLOUR, ALPHA]), "png"), "png", over_white(COLOUR, ALPHA), 3, 1),
    "grey and alpha png": (encoded(np.dstack([GREY, ALPHA]), "png"), "png", over_white(GREY[..., None], ALPHA), 1, 1),
    "palette png": (palette(INDICES), "png", PALETTE[INDICES], 3, 0),
    "palette png with a transparent colour": (palette(INDICES, transparency=1), "png",
                                              np.where(INDICES[..., None] == 1, 255, PALETTE[INDICES]), 3, 0),
    "1-bit png": (encoded(GREY > 127, "png"), "png", 255 * (GREY[..., None] > 127), 1, 0),
    "16-bit png": (encoded(DEEP, "png"), "png", DEEP_IN_8_BITS[..., None], 1, 0),
    "16-bit png, all but black": (encoded(DEEP // 300, "png"), "png", np.round(DEEP[..., None] // 300 / 257), 1, 0),
    "16-bit tiff": (encoded(DEEP, "tiff"), "tif", DEEP_IN_8_BITS[..., None], 1, 0),
    "16-bit tiff, big-endian": (encoded(DEEP.astype(">u2"), "tiff"), "tif", DEEP_IN_8_BITS[..., None], 1, 0),
    "32-bit tiff of 16 bits": (encoded(DEEP.astype(np.int32), "tiff"), "tiff", DEEP_IN_8_BITS[..., None], 1, 0),
    "16-bit pgm, all but black": (b"P5 8 8 65535\n" + np.full((8, 8), 200, ">u2").tobytes(),
                                  "pgm", np.full((8, 8, 1), 1), 1, 0),
    "float tiff": (encoded((GREY / 255).astype(np.float32), "tiff"), "tiff", GREY[..., None], 1, 0),
    "inks tiff": (encoded(Image.fromarray(INK, "CMYK"), "tiff"), "tiff", 255 - INK[..., :3], 3, 0),
    "inks jpeg": (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "jpeg"), "jpg", np.full((8, 8, 3), [255, 0, 0]), 3, 3),
    "colour tiff": (encoded(COLOUR, "tiff"), "tiff", COLOUR, 3, 0),
    "colour bmp": (encoded(COLOUR, "bmp"), "bmp", COLOUR, 3, 0),
    "colour webp": (encoded(COLOUR, "webp", lossless=True), "webp", COLOUR, 3, 0),
    "colour ppm": (encoded(COLOUR, "ppm"), "ppm", COLOUR, 3, 0),
    "grey pgm": (encoded(GREY, "ppm"), "pgm", GREY[..., None], 1, 0),
    "colour jpeg": (encoded(SMOOTH, "jpeg", quality=98, subsampling=0), "jpeg", SMOOTH, 3, 6),
    "grey jpeg": (encoded(SMOOTH[..., 2], "jpeg", quality=98), "JFIF", SMOOTH[..., 2:], 1, 6),
    "animated gif": (encoded(Image.new("P", (8, 8), 0), "gif", save_all=True, append_images=[Image.new("P", (8, 8), 200)]),
                     "gif", np.zeros((8, 8, 3)), None, 0),
    "animated webp": (encoded(COLOUR, "webp", lossless=True, save_all=True, append_images=[Image.fromarray(255 - COLOUR)]),
                      "webp", COLOUR, 3, 0),
}  # fmt: skip


@pytest.mark.parametrize(("file", "suffix", "expected", "channels", "tolerance"), TABLE.values(), ids=TABLE.keys())
@pytest.mark.parametrize("make", [folder, archive])
def test_a_file_of_each_format_is_decoded(make, file, suffix, expected, channels, tolerance, tmp_path):
    source = ImageFiles(make(tmp_path / "data", {f"a.{suffix}": file}))
    assert channels in (None, source.shape[2])
    assert source.shape[:2] == (8, 8)
    (image,) = everything(source)["image"]
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image.astype(int), expected, atol=tolerance, rtol=0)


UPRIGHT = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_rotates_photographs_upright(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = ImageFiles(folder(tmp_path, {"a.png": encoded(COLOUR, "png", exif=exif)}))
    np.testing.assert_array_equal(everything(source)["image"][0], UPRIGHT[orientation](COLOUR))


def test_four_channels_keep_alpha_and_others_convert(tmp_path):
    pixels = np.dstack([COLOUR, ALPHA])
    path = folder(tmp_path, {"a.png": encoded(pixels, "png")})
    np.testing.assert_array_equal(everything(ImageFiles(path, channels=4))["image"][0], pixels)
    shown = Image.fromarray(everything(ImageFiles(path, channels=3))["image"][0])
    np.testing.assert_array_equal(everything(ImageFiles(path, channels=1))["image"][0, ..., 0], shown.convert("L"))
    grey = ImageFiles(folder(tmp_path / "grey", {"a.png": encoded(GREY, "png")}), channels=3)
    np.testing.assert_array_equal(everything(grey)["image"][0], np.dstack([GREY] * 3))


GREYS = {"l": png(9), "la": png((9, 255), mode="LA"), "bit": png(1, mode="1"), "deep": encoded(DEEP, "png")}


@pytest.mark.parametrize(
    ("files", "channels"),
    [
        (["l"], 1),
        (["l", "la", "bit", "deep"], 1),
        (["colour", "l"], 3),
        (["l", "colour"], 3),
        (["colour", "deep"], 3),
        (["deep", "colour"], 3),
    ],
)
def test_a_data_set_is_grey_if_all_files_are_grey(files, channels, tmp_path):
    """The order matters for the test: once, a last file of 16 bits determined the result alone."""
    kinds = {**GREYS, "colour": png((9, 8, 7), mode="RGB")}
    source = ImageFiles(folder(tmp_path, {f"{i}.png": kinds[kind] for i, kind in enumerate(files)}))
    assert source.shape == (8, 8, channels)
    assert everything(source)["image"].shape == (len(files), 8, 8, channels)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (GREY.astype(np.int32), r"The pixels are 32-bit integers up to 2\d\d, and the file does not declare whether"),
        (DEEP.astype(np.int32) * 2, r"Pixel values must be from 0 to 65535, got 0 to 131070"),
        (GREY.astype(np.float32), r"Pixel values must be from 0 to 1, got \d to 2\d\d"),
    ],
)
def test_an_undeclared_pixel_range_raises(pixels, message, tmp_path):
    """A range that was guessed for each file from its own pixels would brighten dark images."""
    source = ImageFiles(folder(tmp_path, {"a.tif": encoded(pixels, "tiff")}))
    with pytest.raises(ValueError, match=rf"a\.tif cannot be decoded: {message}.*Save the image with 8 or 16 bits\."):
        everything(source)


CLASSES = {"dog/1.png": png(3), "cat/2.png": png(2), "cat/1.png": png(1), "eel/a.png": png(4), "eel/notes.txt": b"long"}


@pytest.mark.parametrize("make", [folder, archive])
def test_folders_are_classes_in_alphabetical_order(make, tmp_path):
    source = ImageFiles(make(tmp_path / "data", CLASSES))
    batch = everything(source)
    assert source.classes == ("cat", "dog", "eel")
    assert batch["label"].tolist() == [0, 0, 1, 2]
    assert batch["label"].dtype == np.int32
    assert batch["image"][:, 0, 0, 0].tolist() == [1, 2, 3, 4]
    some = source.read(np.array([3, 0]))
    assert (some["label"].tolist(), some["image"][:, 0, 0, 0].tolist()) == ([2, 0], [4, 1])


@pytest.mark.parametrize("make", [folder, archive])
def test_a_folder_around_all_others_is_not_part_of_class_names(make, tmp_path):
    source = ImageFiles(make(tmp_path / "data", {f"animals/{name}": file for name, file in CLASSES.items()}))
    assert source.classes == ("cat", "dog", "eel")


def test_paths_are_compared_in_one_call(tmp_path, monkeypatch):
    for kind in "ab":
        folder(tmp_path / kind, {f"{i}.png": encoded(COLOUR, "png") for i in range(3)})
    compared, common = [], os.path.commonpath
    monkeypatch.setattr(os.path, "commonpath", lambda paths: compared.append(len(paths)) or common(paths))
    assert ImageFiles(tmp_path).classes == ("a", "b")
    assert set(compared) == {6} and len(compared) <= 3  # a number of calls that does not grow with the files


def test_a_link_to_a_parent_folder_is_followed_once(tmp_path):
    folder(tmp_path / "data", CLASSES)
    (tmp_path / "data" / "cat" / "all").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "fox").symlink_to(tmp_path / "foxes")
    folder(tmp_path / "foxes", {"1.png": png(7)})
    source = ImageFiles(tmp_path / "data")
    assert source.classes == ("cat", "dog", "eel", "fox")
    assert len(source) == 5


def test_a_link_to_a_hidden_folder_is_a_class(tmp_path):
    """The hidden folder itself is not a class, and its files are found through the link, in any order of listing."""
    folder(tmp_path / "data", {".store/cat/1.png": png(1), "dog/1.png": png(2)})
    (tmp_path / "data" / "cat").symlink_to(".store/cat")
    source = ImageFiles(tmp_path / "data")
    assert (len(source), source.classes) == (2, ("cat", "dog"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda p: (p / "b.png").symlink_to("nowhere"),
            r"b\.png cannot be opened: No such file or directory\. Fix or remove",
        ),
        (lambda p: archive(p.with_suffix(".zip"), {"cat\\1.png": png(1)}), "contains backslashes instead of slashes"),
    ],
)
def test_an_unreadable_file_is_named(make, message, tmp_path):
    path = folder(tmp_path / "data", {"a.png": png(1)})
    made = make(path)
    with pytest.raises(ValueError, match=message):
        ImageFiles(made or path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"1.png", b"\xff.png"),  # not the UTF-8 that the member declares
        (b"PK\x01\x02\x14\x03\x14\x00", b"PK\x01\x02\x14\x03\xf0\x00"),  # an unknown version of the format
    ],
)
def test_a_damaged_zip_is_named(old, new, tmp_path):
    path = archive(tmp_path / "a.zip", {"é1.png": png(1)})
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with pytest.raises(
        ValueError, match=r"a\.zip is not a zip file, or it is damaged: .*\. Create it again\.$"
    ) as error:
        ImageFiles(path)
    assert type(error.value) is ValueError


@pytest.mark.filterwarnings("ignore:.*the images have no labels, because 1 of them")
@pytest.mark.parametrize("files", [["a.png", "b.png"], ["a.png", "cat/b.png"], ["all/a.png", "all/b.png"]])
def test_files_outside_of_sub_folders_have_no_classes(files, tmp_path):
    source = ImageFiles(folder(tmp_path, {name: png(i) for i, name in enumerate(files)}))
    assert source.classes == ()
    assert everything(source).keys() == {"image"}


@pytest.mark.parametrize("make", [folder, archive])
def test_system_files_are_skipped(make, tmp_path):
    left = [
        "._1.png",
        ".cache/1.png",
        "cat/.thumbnails/1.png",
        "cat/._1.png",
        "__MACOSX/cat/1.png",
        "__MACOSX/cat/._1.png",
    ]
    files = {**CLASSES, "Thumbs.db": b""}
    for name in left:
        files[name] = b"no image"
    source = ImageFiles(make(tmp_path / "data", files))
    assert source.classes == ("cat", "dog", "eel")
    assert len(source) == 4


@pytest.mark.parametrize(
    ("record", "is_run"),
    [
        ('{"experiment": "gan", "config": {}}', True),
        ('{"experiment": "gan"}', False),
        ('["experiment", "config"]', False),
        ("not JSON", False),
        ('{"experiment": "gan", "config": {}}' + " " * 2**20, False),
    ],
)
def test_directories_of_runs_are_skipped(record, is_run, tmp_path):
    run = {"config.json": record.encode(), "samples/10.png": png(1)}
    files = {"1.png": png(0)} | {f"runs/gan/{name}": content for name, content in run.items()}
    path = folder(tmp_path / "photos", files)
    assert find_images(path)[1] == ["1.png"] + ([] if is_run else ["runs/gan/samples/10.png"])
    assert find_images(path / "runs" / "gan")[1] == ["samples/10.png"]  # it is not skipped if it is the data itself


def test_a_zip_and_its_folder_have_the_same_examples(tmp_path):
    files = {
        f"{kind}/{i}.png": encoded(RNG.integers(0, 256, (9, 12, 3), np.uint8), "png") for kind in "ba" for i in range(9)
    }
    one, other = (
        data.load(str(make(tmp_path / name, files)), resolution=8) for make, name in ((folder, "a"), (archive, "a.zip"))
    )
    assert one.classes == other.classes == ("a", "b")
    for name in ("image", "label"):
        np.testing.assert_array_equal(everything(one)[name], everything(other)[name])


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (40, 40), (7, 12)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_resizing_is_lanczos_of_the_centred_square(shape, mode, tmp_path):
    image = Image.fromarray(RNG.integers(0, 256, (*shape, 3), np.uint8)).convert(mode)
    source = ImageFiles(folder(tmp_path, {"a.png": encoded(image, "png")}), resolution=16)
    expected = ImageOps.fit(image, (16, 16), Image.Resampling.LANCZOS, centering=(0.5, 0.5))
    np.testing.assert_array_equal(everything(source)["image"][0], np.asarray(expected).reshape(source.shape))


def test_cropping_preserves_the_centre(tmp_path):
    wide = np.zeros((16, 48), np.uint8)
    wide[:, 16:32] = GREY.repeat(2, 0).repeat(2, 1)
    path = folder(tmp_path, {"tall.png": encoded(wide.T, "png"), "wide.png": encoded(wide, "png")})
    tall, wide_image = everything(ImageFiles(path, resolution=16))["image"][..., 0]
    np.testing.assert_array_equal(wide_image, wide[:, 16:32])
    np.testing.assert_array_equal(tall, wide[:, 16:32].T)


def test_resizing_is_antialiased(tmp_path):
    board = (np.add.outer(np.arange(63), np.arange(63)) % 2 * 255).astype(np.uint8)
    # Without antialiasing, every 9th pixel would be sampled, and the result would be black and white.
    source = ImageFiles(
        folder(tmp_path, {"a.png": encoded(board, "png"), "b.png": encoded(board > 0, "png")}), resolution=7
    )
    np.testing.assert_allclose(everything(source)["image"], 127.5, atol=12)


def test_arrays_are_resized_like_files(tmp_path):
    images = RNG.integers(0, 256, (3, 20, 30, 3), np.uint8)
    expected = [np.asarray(ImageOps.fit(Image.fromarray(x), (8, 8), Image.Resampling.LANCZOS)) for x in images]
    np.testing.assert_array_equal(resize_images(images, 8), expected)
    np.save(tmp_path / "a.npy", images)
    np.testing.assert_array_equal(everything(data.load(str(tmp_path / "a.npy"), resolution=8))["image"], expected)


def test_resizing_ignores_the_colour_of_transparent_pixels():
    """The colour of a transparent pixel is arbitrary, so it must not influence neighbours when images are resized."""
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, :16] = [0, 255, 0, 0]
    pixels[:, 16:] = [255, 0, 0, 255]
    for channels in (3, 4):
        image = crop_to_square(convert_channels(Image.fromarray(pixels), channels), 9)
        if channels == 3:
            assert (image[..., 1] == image[..., 2]).all()
        else:
            assert image[..., 1][image[..., 3] > 0].max() == 0


def test_a_large_zip_member_raises_before_it_is_read(tmp_path, monkeypatch):
    path = archive(tmp_path / "a.zip", {"b.png": bytes(5000)})
    assert path.stat().st_size < 1000
    monkeypatch.setattr("jaxgan.core.zip_files.FREE_BYTES", 4000)
    monkeypatch.setattr("jaxgan.data.folders.FREE_BYTES", 4000)
    monkeypatch.setattr("jaxgan.core.zip_files.MAX_RATIO", 1)
    monkeypatch.setattr("zipfile.ZipFile.read", lambda *_: pytest.fail("The member was decompressed."))
    message = r"a\.zip: the member 'b\.png' cannot be read: the file would grow from .* to 5\.00 kB"
    with pytest.raises(ValueError, match=message):
        ImageFiles(path)


def test_threads_can_read_a_zip_in_parallel(tmp_path):
    files = {f"{i}.png": encoded(RNG.integers(0, 256, (32, 32, 3), np.uint8), "png") for i in range(40)}
    source = ImageFiles(archive(tmp_path / "a.zip", files))
    expected = everything(source)["image"]
    places = np.random.default_rng(1).integers(40, size=(60, 8))
    with ThreadPoolExecutor(8) as pool:
        for rows, batch in zip(places, pool.map(source.read, places)):
            np.testing.assert_array_equal(batch["image"], expected[rows])


def test_threads_do_not_change_the_filters_of_warnings(tmp_path):
    source = ImageFiles(folder(tmp_path, {"a.png": png(1)}))
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(source.read, [np.zeros(20, int)] * 100))
    assert list(warnings.filters) == before


def test_each_thread_opens_a_zip_once(tmp_path, monkeypatch):
    """Opening reads the complete directory of the zip, which takes a second for 200,000 files."""
    path = archive(tmp_path / "a.zip", {f"{i}.png": png(i) for i in range(20)})
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, *args, **kwargs):
            opened.append(threading.get_ident())
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    source = ImageFiles(path)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(source.read, np.arange(20).reshape(10, 2)))
    everything(source)
    assert opened[0] == threading.get_ident()  # for the names of the files
    assert 1 <= len(opened[1:]) == len(set(opened[1:])) <= 1 + count_readers()


def test_headers_have_upright_sizes_and_say_whether_all_are_grey(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    turned = encoded(Image.new("RGB", (30, 20)), "jpeg", exif=exif)
    path = folder(tmp_path, {"a.png": encoded(Image.new("L", (30, 20)), "png"), "b.jpg": turned})
    files, names = find_images(path)
    headers = read_headers(files, names)
    assert (headers.sizes, headers.grey, headers.channels) == ([(20, 30), (30, 20)], False, 3)
    headers = read_headers(files, names[:1])
    assert (headers.sizes, headers.grey, headers.channels) == ([(20, 30)], True, 1)


def test_different_sizes_raise_and_are_named():
    assert common_size("here", ["a", "b"], [(2, 3), (2, 3)]) == (2, 3)
    with pytest.raises(ValueError, match=r"here: all images .* but a is 3 x 2 and c is 2 x 2\. Set `resolution`, for"):
        common_size("here", ["a", "b", "c"], [(2, 3), (2, 3), (2, 2)])
    with pytest.raises(ValueError, match=r"here: all images must be square .*, but a is 3 x 2\. Set `resolution`"):
        common_size("here", ["a"], [(2, 3)], square=True)


def test_folders_and_zips_are_image_stores(tmp_path):
    archive(tmp_path / "a.ZIP", {"a.png": png(0)})
    (tmp_path / "b.png").write_bytes(png(0))
    found = {name: is_image_store(tmp_path / name) for name in ("", "a.ZIP", "b.png", "none", "none.zip")}
    assert found == {"": True, "a.ZIP": True, "b.png": False, "none": False, "none.zip": False}
