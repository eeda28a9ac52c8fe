"""Tests of pairs of an image and its input, from halves of files, files of equal names, or arrays, and of errors."""

import numpy as np
import pytest
from helpers.files import archive, encoded, folder, noise
from PIL import Image

from jaxgan import data
from jaxgan.data import Arrays, pairs
from jaxgan.data.decoding import resize_images
from jaxgan.data.source import Subset, hold_out, size_in_bytes

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.integers(0, 256, (2, 5, 8, 8, 3), np.uint8)


def beside(left, right, **options) -> bytes:
    return encoded(np.concatenate([left, right], 1), "png", **options)


def everything(source):
    return source.read(np.arange(len(source)))


def check(source, images, inputs):
    batch = everything(source)
    assert batch.keys() == {"image", "input"}
    assert (source.shape, source.classes, len(source)) == (images.shape[1:], (), len(images))
    np.testing.assert_array_equal(batch["image"], images)
    np.testing.assert_array_equal(batch["input"], inputs)
    some = source.read(np.array([2, 0, 2]))
    np.testing.assert_array_equal(some["image"], images[[2, 0, 2]])
    np.testing.assert_array_equal(some["input"], inputs[[2, 0, 2]])


@pytest.mark.filterwarnings("ignore:.*left out 1 file")
@pytest.mark.parametrize("make", [folder, archive])
def test_pairs_are_halves_of_a_file(make, tmp_path):
    files = {f"sub/{i}.png": beside(*both) for i, both in enumerate(zip(LEFT, RIGHT))} | {"sub/notes.txt": b"hello"}
    path = make(tmp_path / "pairs.zip", files)
    check(pairs.load(str(path)), RIGHT, LEFT)
    check(pairs.load(str(path), direction="right-to-left"), LEFT, RIGHT)
    check(pairs.SideBySide(path), RIGHT, LEFT)  # not cached, but decoded when it is read
    assert isinstance(pairs.load(str(path)), Arrays)
    grey = pairs.load(str(path), channels=1)
    assert (grey.shape, everything(grey)["input"].shape) == ((8, 8, 1), (5, 8, 8, 1))


def test_halves_keep_their_size_or_are_resized(tmp_path):
    wide = RNG.integers(0, 256, (2, 6, 10, 3), np.uint8)
    path = folder(tmp_path, {"a.png": beside(*wide)})
    check_one = everything(pairs.load(str(path), halves="any"))
    np.testing.assert_array_equal(check_one["input"][0], wide[0])
    made = everything(pairs.load(str(path), resolution=4, halves="any"))
    np.testing.assert_array_equal(made["input"], resize_images(wide[:1], 4))
    np.testing.assert_array_equal(made["image"], resize_images(wide[1:], 4))


def test_exif_rotates_a_pair_upright(tmp_path):
    """Before the rotation, the halves of the file lie below each other."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = np.rot90(np.concatenate([LEFT[0], RIGHT[0]], 1))
    for form, content in {
        "png": encoded(lying, "png", exif=exif),
        "webp": encoded(lying, "webp", exif=exif, lossless=True),
    }.items():
        batch = everything(pairs.load(str(folder(tmp_path / form, {f"a.{form}": content}))))
        np.testing.assert_array_equal(batch["input"][0], LEFT[0])
        np.testing.assert_array_equal(batch["image"][0], RIGHT[0])


@pytest.mark.parametrize("make", [folder, archive])
def test_pairs_are_files_of_equal_names(make, tmp_path):
    inputs = make(tmp_path / "inputs.zip", {f"a/{i}.png": encoded(x, "png") for i, x in enumerate(LEFT)})
    images = make(tmp_path / "images.zip", {f"{i}.bmp": encoded(x, "bmp") for i, x in enumerate(RIGHT)})
    check(pairs.load(str(images), str(inputs)), RIGHT, LEFT)
    check(pairs.EqualNames(images, inputs), RIGHT, LEFT)
    assert pairs.load(str(images), str(inputs)).name == f"{inputs} to {images}"
    made = everything(pairs.load(str(images), str(inputs), resolution=4))
    np.testing.assert_array_equal(made["image"], resize_images(RIGHT, 4))
    np.testing.assert_array_equal(made["input"], resize_images(LEFT, 4))


def test_names_may_have_points_and_sub_folders(tmp_path):
    inputs = folder(tmp_path / "a", {"x/1.5.png": encoded(LEFT[0], "png"), "y/1.5.png": encoded(LEFT[1], "png")})
    images = folder(tmp_path / "b", {"x/1.5.png": encoded(RIGHT[0], "png"), "y/1.5.tif": encoded(RIGHT[1], "tiff")})
    batch = everything(pairs.load(str(images), str(inputs)))
    np.testing.assert_array_equal(batch["image"], RIGHT[:2])
    np.testing.assert_array_equal(batch["input"], LEFT[:2])


def test_inputs_may_be_grey_and_images_in_colour(tmp_path):
    inputs = folder(tmp_path / "a", {"1.png": encoded(LEFT[0, ..., 0], "png")})
    images = folder(tmp_path / "b", {"1.png": encoded(RIGHT[0], "png")})
    source = pairs.load(str(images), str(inputs))
    assert (source.shape, everything(source)["input"].shape) == ((8, 8, 3), (1, 8, 8, 1))


def test_inputs_may_be_smaller_by_a_factor(tmp_path):
    small = LEFT[:, ::2, 1::2]
    inputs = folder(tmp_path / "low", {f"{i}.png": encoded(x, "png") for i, x in enumerate(small)})
    images = folder(tmp_path / "high", {f"{i}.png": encoded(x, "png") for i, x in enumerate(RIGHT)})
    check(pairs.load(str(images), str(inputs), scale=2), RIGHT, small)
    made = everything(pairs.load(str(images), str(inputs), scale=2, resolution=4))
    np.testing.assert_array_equal(made["image"], resize_images(RIGHT, 4))
    np.testing.assert_array_equal(made["input"], resize_images(small, 2))
    np.savez(tmp_path / "both.npz", images=RIGHT, inputs=small)
    check(pairs.load(str(tmp_path / "both.npz"), scale=2), RIGHT, small)
    made = everything(pairs.load(str(tmp_path / "both.npz"), scale=2, resolution=4))
    np.testing.assert_array_equal(made["input"], resize_images(small, 2))


def test_pairs_are_elements_of_arrays(tmp_path):
    np.savez(tmp_path / "both.npz", images=RIGHT, inputs=LEFT)
    check(pairs.load(str(tmp_path / "both.npz")), RIGHT, LEFT)
    np.savez(tmp_path / "images.npz", images=RIGHT, labels=np.arange(5))
    np.save(tmp_path / "inputs.npy", (LEFT / 127.5 - 1).astype(np.float64))
    source = pairs.load(str(tmp_path / "images.npz"), str(tmp_path / "inputs.npy"))
    batch = everything(source)
    assert (batch["input"].dtype, batch["label"].tolist(), source.classes) == (
        np.float32,
        [0, 1, 2, 3, 4],
        tuple("01234"),
    )
    floats = data.normalize(batch)
    np.testing.assert_allclose(floats["input"], LEFT / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(floats["image"], RIGHT / 127.5 - 1, atol=1e-6)
    with pytest.warns(UserWarning, match="not used: inputs"):  # without ``pairs``, only the images are loaded
        assert data.load(str(tmp_path / "both.npz")).inputs is None


def test_pairs_are_preserved_by_subsets_and_hold_out():
    source = Arrays(RIGHT, name="five", inputs=LEFT)
    assert list(source.by_name) == ["image", "input"]
    assert size_in_bytes(source) == RIGHT.nbytes + LEFT.nbytes
    for whole in (source, Subset(source, np.arange(5))):
        for part in hold_out(whole, 2):
            batch = everything(part)
            rows = [RIGHT.tolist().index(x.tolist()) for x in batch["image"]]
            np.testing.assert_array_equal(batch["input"], LEFT[rows])
    some = Subset(source, np.array([4, 1]))
    np.testing.assert_array_equal(data.source.read_into_memory(some).inputs, LEFT[[4, 1]])
    with pytest.raises(ValueError, match="five must have one input for each image, got 4 inputs and 5 images"):
        Arrays(RIGHT, name="five", inputs=LEFT[:4])
    with pytest.raises(ValueError, match=r"The inputs of arrays must be uint8 .*, got int64"):
        Arrays(RIGHT, inputs=LEFT.astype(int))


def side(path, **files):
    return [folder(path / "data", {f"{name}.png": content for name, content in files.items()})]


def two(path, images, inputs):
    return [folder(path / name, files) for name, files in (("images", images), ("inputs", inputs))]


def saved(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return [path / "a.npz"]


WIDE, BYTES = noise((16, 8)), np.zeros((4, 8, 8, 1), np.uint8)
MANY = {f"{i}.png": noise() for i in range(5)}

# By problem: a function that creates the data, the arguments of ``load``, and the message.
BAD = {
    "odd width": (lambda p: side(p, a=WIDE, b=noise((17, 8))), {}, r"data: b\.png is 17 x 8, and an odd width cannot be split into two halves"),
    "halves of two sizes": (lambda p: side(p, a=WIDE, b=noise((16, 9))), {"halves": "any"}, r"\(halves\): all images .* but a\.png is 8 x 8 and b\.png is 8 x 9\. Set `resolution`"),
    "truncated pair": (lambda p: side(p, a=WIDE, b=noise((128, 64))[:-2000]), {"resolution": 8}, r"b\.png cannot be decoded"),
    "no image": (lambda p: side(p, a=b"no png"), {}, r"a\.png is not an image, or its format is not supported"),
    "nothing": (lambda p: [folder(p / "data", {"a.txt": b""})], {}, r"contains no images \(other files: 1 \.txt\)"),
    "scale of halves": (lambda p: side(p, a=WIDE), {"scale": 2}, "`scale` must be 1 if the input and the image are halves of the same file, got 2"),
    "a direction": (lambda p: side(p, a=WIDE), {"direction": "BtoA"}, "`direction` must be left-to-right or right-to-left, got 'BtoA'"),
    "a direction of two": (lambda p: two(p, MANY, MANY), {"direction": "right-to-left"}, "requires image files that contain the input and the target image side by side, but .* contains other pairs. Swap"),
    "unmatched": (lambda p: two(p, {**MANY, "x.png": b"", "y.png": noise()}, {**MANY, "z.png": noise()}), {}, r"x\.png is empty"),
    "alone": (lambda p: two(p, {**MANY, "x.png": noise()}, {**MANY, "z.jpg": noise()}), {}, r"inputs to .*images: 2 of 7 file names exist only among .*: x \(images only\), z \(inputs only\)\. An image"),
    "many alone": (lambda p: two(p, MANY, {"6.png": noise()}), {}, r"6 of 6 file names .*: 0 \(images only\), 1 \(images only\), 2 \(images only\), \.\.\.\. An image and its input must have the same name"),
    "twice": (lambda p: two(p, MANY, {**MANY, "3.gif": noise()}), {}, r"inputs: 3\.gif and 3\.png have the same name, apart from the extension\. Remove"),
    "sizes in a pair": (lambda p: two(p, {**MANY, "3.png": noise((8, 9))}, MANY), {"resolution": 8}, r"image 3\.png is 8 x 9, and its input 3\.png is 8 x 8\. An image and its input must have the same size\.$"),
    "missing scale": (lambda p: two(p, {"a.png": noise((16, 32))}, {"a.jpg": noise((8, 16))}), {}, r"image a\.png is 16 x 32, and its input a\.jpg is 8 x 16\. An image and its input must have the same size\. Set `scale` to 2\.$"),
    "wrong scale": (lambda p: two(p, {"a.png": noise((16, 32))}, {"a.jpg": noise((8, 16))}), {"scale": 4}, r"With `scale` 4, an image must be 4 times as high and 4 times as wide as its input\. Set `scale` to 2\.$"),
    "sizes of pairs": (lambda p: two(p, *[{**MANY, "3.png": noise((9, 9))}] * 2), {}, r"images: all images .* but 0\.png is 8 x 8 and 3\.png is 9 x 9\. Set `resolution`"),
    "truncated input": (lambda p: two(p, {"a.png": noise((64, 64))}, {"a.png": noise((64, 64))[:-2000]}), {}, r"inputs: a\.png cannot be decoded"),
    "a size that does not divide": (lambda p: two(p, MANY, MANY), {"resolution": 10, "scale": 4}, "`resolution` must be divisible by `scale`, which is 4, got 10"),
    "no scale": (lambda p: two(p, MANY, MANY), {"scale": 0}, "`scale` must be at least 1, got 0"),
    "no size": (lambda p: two(p, MANY, MANY), {"resolution": 0}, "`resolution` must be at least 1, got 0"),
    "two kinds": (lambda p: [*side(p, a=WIDE), *saved(p, images=BYTES)], {}, "`data` and `data_a` must be of the same kind, either image files or array files"),
    "nowhere": (lambda p: [p / "nowhere"], {}, r"`data` '.*nowhere' does not exist\."),
    "inputs nowhere": (lambda p: [*side(p, a=WIDE), p / "nowhere"], {}, r"`data_a` '.*nowhere' does not exist\."),
    "a file of another kind": (lambda p: [folder(p, {"a.csv": b"1,2"}) / "a.csv"], {}, r"`data` must be a folder of images, or a \.zip, \.npz or \.npy file, got .*a\.csv"),
    "no inputs": (lambda p: saved(p, images=BYTES), {}, r"has no array 'inputs'\. It contains: images\."),
    "lengths": (lambda p: saved(p, images=BYTES, inputs=BYTES[:3]), {}, "one input for each image, got 3 inputs and 4 images"),
    "sizes of arrays": (lambda p: saved(p, images=BYTES, inputs=BYTES[:, :4]), {}, r"the images are 8 x 8, and the inputs are 8 x 4\. An image and its input must have the same size"),
    "no pixels": (lambda p: saved(p, images=BYTES, inputs=BYTES[:, :, 0]), {}, r"a\.npz: inputs must be \[N, height, width, C\], got the single image \[4, 8, 1\]\. Pass inputs\[None\]"),
    "range of inputs": (lambda p: saved(p, images=BYTES, inputs=BYTES + 7.0), {}, r"a\.npz: inputs must be floats in \[-1, 1\] or .*, got floats from 7 to 7"),
    "objects": (lambda p: saved(p, images=BYTES, inputs=np.array([{}] * 4, object)), {}, "the array 'inputs' contains Python objects.*inputs=inputs"),
    "channels of arrays": (lambda p: saved(p, images=BYTES, inputs=BYTES), {"channels": 3}, "`channels` must be 1 for .*, got 3"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "options", "message"), BAD.values(), ids=BAD.keys())
def test_invalid_pairs_raise(make, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        pairs.load(*map(str, make(tmp_path)), **options)


def test_a_png_with_exif_after_its_pixels_raises(tmp_path):
    """The EXIF data are not in the header, so the size could only be found by decoding the complete image."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = beside(LEFT[0], RIGHT[0], exif=exif)
    start = content.index(b"eXIf") - 4
    length = 12 + int.from_bytes(content[start : start + 4])
    end = content.index(b"IEND") - 4
    late = content[:start] + content[start + length : end] + content[start : start + length] + content[end:]
    with pytest.raises(
        ValueError,
        match=r"cannot be decoded: The decoded image is 8 x 16, but its header declares 16 x 8\. Save the image",
    ):
        pairs.load(str(folder(tmp_path, {"a.png": late})))


def test_facades_are_loaded_in_the_right_direction(test_data, tmp_path):
    """The left half is the photograph, and the right half is a map in saturated colours."""
    import tarfile

    with tarfile.open(test_data / "facades" / "facades.tar") as tar:
        members = [m for m in tar if m.name.endswith((".jpg",))][:4]
        files = {m.name: tar.extractfile(m).read() for m in members}
    source = pairs.load(str(folder(tmp_path, files)), direction="right-to-left")
    assert (len(source), source.shape) == (4, (256, 256, 3))
    batch = everything(source)
    saturation = {name: np.ptp(x.astype(int), -1).mean() for name, x in batch.items()}
    assert saturation["input"] > 4 * saturation["image"]
