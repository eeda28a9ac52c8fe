"""Tests of voxels from arrays, .binvox files and the bundled digits."""

import os

import numpy as np
import pytest
from helpers.files import folder

from jaxgan import data
from jaxgan.data import binvox, voxels

RNG = np.random.default_rng(0)


def solids(count, n=8):
    return RNG.random((count, n, n, n)) > 0.7


def encoded(cube, header=b"#binvox 1\ndim {n} {n} {n}\ntranslate -0.5 0 1e-3\nscale 2.5\ndata\n", most=255):
    """Encode a cube as a .binvox file, with its voxels in the order y, z, x, from the fastest to the slowest axis."""
    n = len(cube)
    runs = []
    for x in range(n):
        for z in range(n):
            for y in range(n):
                value = int(cube[x, y, z])
                if runs and runs[-1][0] == value and runs[-1][1] < most:
                    runs[-1][1] += 1
                else:
                    runs.append([value, 1])
    return header.replace(b"{n}", str(n).encode()) + bytes(byte for run in runs for byte in run)


@pytest.mark.parametrize("n", [1, 8, 9])
def test_binvox_files_are_decoded(n):
    cube = solids(1, n)[0]
    found = binvox.decode_binvox(encoded(cube))
    assert found.dtype == bool
    np.testing.assert_array_equal(found, cube)
    np.testing.assert_array_equal(binvox.decode_binvox(encoded(cube, most=3)), cube)


def test_variants_of_binvox_headers_are_decoded():
    cube = solids(1, 4)[0]
    plain = encoded(cube, b"#binvox 1\ndim 4 4 4\ndata\n")
    np.testing.assert_array_equal(binvox.decode_binvox(plain), cube)
    np.testing.assert_array_equal(binvox.decode_binvox(encoded(cube, b"#binvox 1\r\ndim 4 4 4\r\ndata\r\n")), cube)
    second = binvox.decode_binvox(b"#binvox 2\ndim 2 2 2\ndata\n" + bytes([0, 3, 200, 5]))
    np.testing.assert_array_equal(second.transpose(0, 2, 1).ravel(), [False] * 3 + [True] * 5)


def test_binvox_runs_of_maximum_length_are_decoded():
    empty = np.zeros((16, 16, 16), bool)
    assert len(encoded(empty, b"#binvox 1\ndim 16 16 16\ndata\n")) == 28 + 2 * 17  # 4096 = 16 * 255 + 16
    assert not binvox.decode_binvox(encoded(empty)).any()


def dims(text, runs=bytes([0, 8])):
    return b"#binvox 1\ndim " + text + b"\ndata\n" + runs


BINVOX = {
    "another format": (b"PLY\n" + bytes(50), "The file has no .binvox header"),
    "empty": (b"", "The file has no .binvox header"),
    "no end of the header": (b"#binvox 1\ndim 2 2 2\n" + bytes([0, 8]), "The file has no .binvox header"),
    "an endless header": (
        b"#binvox 1\n" + b"scale 1\n" * 200 + b"dim 2 2 2\ndata\n" + bytes([0, 8]),
        "The file has no .binvox header",
    ),
    "version": (b"#binvox 3\ndim 2 2 2\ndata\n" + bytes([0, 8]), "The version of .* must be 1 or 2, got '3'"),
    "an unknown line": (
        b"#binvox 1\ndim 2 2 2\ncolor 5\ndata\n" + bytes([0, 8]),
        "unknown line that begins with 'color'",
    ),
    "no dim": (b"#binvox 1\nscale 1\ndata\n" + bytes([0, 8]), "must have one line 'dim n n n'"),
    "two dims": (dims(b"2 2 2\ndim 2 2 2"), "must have one line 'dim n n n'"),
    "words": (dims(b"two two two"), "must have one line 'dim n n n'"),
    "a negative dim": (dims(b"-2 -2 2"), "must have one line 'dim n n n'"),
    "no cube": (dims(b"2 2 4", bytes([0, 16])), "must be three equal numbers from 1 to 512, got 'dim 2 2 4'"),
    "no voxels": (dims(b"0 0 0", b""), "must be three equal numbers from 1 to 512, got 'dim 0 0 0'"),
    "huge": (dims(b"100000 100000 100000"), "from 1 to 512, got 'dim 100000 100000 100000'"),
    "truncated": (dims(b"2 2 2", bytes([0, 5])), "The runs contain 5 voxels in total, but the header announces 8"),
    "cut in a run": (dims(b"2 2 2", bytes([0, 8, 1])), "it has an odd number of bytes, 3, but each run has 2 bytes"),
    "too long": (dims(b"2 2 2", bytes([0, 8, 1, 1])), "The runs contain 9 voxels in total, but the header announces 8"),
    "an empty run": (dims(b"2 2 2", bytes([0, 8, 1, 0])), "A run has length 0, or it has a value above 1"),
    "a value": (dims(b"2 2 2", bytes([0, 4, 7, 4])), "A run has length 0, or it has a value above 1"),
}


@pytest.mark.parametrize(("content", "message"), BINVOX.values(), ids=BINVOX.keys())
def test_malformed_binvox_files_raise_and_are_named(content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        binvox.decode_binvox(content)
    path = folder(tmp_path / "models", {"chairs/good.binvox": encoded(solids(1, 2)[0]), "chairs/one.binvox": content})
    with pytest.raises(
        ValueError, match=r"models: chairs/one\.binvox cannot be decoded\. .*\. Replace or remove the file"
    ):
        voxels.load(str(path))


def test_an_oversized_binvox_file_raises_before_it_is_decoded(monkeypatch, tmp_path):
    monkeypatch.setattr(binvox, "MAX_BYTES", 1040)
    path = folder(tmp_path, {"a.binvox": dims(b"2 2 2", bytes([0, 1] * 600))})
    with pytest.raises(
        ValueError, match=r"a\.binvox cannot be decoded\. The file has more than 1,040 bytes, the limit"
    ):
        voxels.load(str(path))


def test_sub_folders_of_binvox_files_are_classes(tmp_path):
    cubes = solids(3)
    files = {"desk/b.binvox": cubes[1], "chair/x.binvox": cubes[2], "desk/a.BINVOX": cubes[0]}
    path = folder(tmp_path, {name: encoded(cube) for name, cube in files.items()} | {"readme.txt": b"hello"})
    source = voxels.load(str(path))
    assert (len(source), source.shape, source.classes) == (3, (8, 8, 8, 1), ("chair", "desk"))
    batch = source.read(np.array([0, 1, 2]))
    np.testing.assert_array_equal(batch["label"], [0, 1, 1])
    np.testing.assert_array_equal(batch["image"], 255 * cubes[[2, 0, 1], ..., None])
    assert batch["image"].dtype == np.uint8
    floats = np.asarray(data.normalize(batch)["image"])
    np.testing.assert_array_equal(floats, np.where(cubes[[2, 0, 1], ..., None], 1.0, -1.0))
    desks = voxels.load(str(path), category="desk")
    assert (len(desks), desks.classes, desks.name) == (2, (), f"{path}, desk")
    np.testing.assert_array_equal(desks.read(np.arange(2))["image"], batch["image"][1:])


def test_a_single_folder_has_no_classes_and_cubes_are_resized(tmp_path):
    small, large = solids(1, 8)[0], solids(1, 16)[0]
    path = folder(tmp_path, {"a.binvox": encoded(small), "b.binvox": encoded(large)})
    message = r"same side, but a\.binvox has 8 and b\.binvox has 16\. Set `resolution`, for example to 8"
    with pytest.raises(ValueError, match=message):
        voxels.load(str(path))
    source = voxels.BinvoxFiles(path, 16)
    assert (len(source), source.shape, source.classes) == (2, (16, 16, 16, 1), ())
    expected = 255 * np.stack([np.pad(small, 4), large])[..., None]
    for read in (source, voxels.load(str(path), resolution=16)):
        np.testing.assert_array_equal(read.read(np.arange(2))["image"], expected)
    with pytest.raises(ValueError, match=r"b\.binvox: cubes of side 16 cannot be reduced to side 12, because 12 does"):
        voxels.load(str(path), resolution=12)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_an_unreadable_file_raises(tmp_path):
    path = folder(tmp_path, {"a.binvox": encoded(solids(1)[0])})
    (path / "a.binvox").chmod(0)
    with pytest.raises(ValueError, match=r"a\.binvox cannot be opened: Permission denied\. Fix or remove"):
        voxels.load(str(path))


FORMS = {
    "booleans": lambda v: v,
    "a channel": lambda v: v[..., None],
    "zero and one": lambda v: v.astype(np.uint8),
    "0 and 255": lambda v: 255 * v.astype(np.uint8),
    "floats": lambda v: v.astype(np.float32),
    "integers": lambda v: v.astype(np.int64),
    "bits": lambda v: np.packbits(v.reshape(len(v), -1), axis=1),
}


@pytest.mark.parametrize("name", ["images", "voxels"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_arrays_of_any_form_are_loaded(form, name, tmp_path):
    cubes = solids(5)
    np.savez(tmp_path / "a.npz", **{name: form(cubes)})
    source = voxels.load(str(tmp_path / "a.npz"))
    assert (source.shape, source.classes) == ((8, 8, 8, 1), ())
    np.testing.assert_array_equal(source.read(np.arange(5))["image"], 255 * cubes[..., None])


def test_classes_are_labels_or_names_of_arrays(tmp_path):
    cubes = solids(5)
    np.savez(tmp_path / "a.npz", voxels=cubes, labels=np.array([2, 0, 0, 1, 2]))
    source = voxels.load_arrays(tmp_path / "a.npz")
    assert source.classes == ("0", "1", "2")
    np.testing.assert_array_equal(source.read(np.arange(5))["label"], [2, 0, 0, 1, 2])
    np.savez(tmp_path / "b.npz", chair=cubes[:3], desk=np.packbits(cubes[3:].reshape(2, -1), axis=1))
    source = voxels.load(str(tmp_path / "b.npz"))
    assert source.classes == ("chair", "desk")
    np.testing.assert_array_equal(source.read(np.arange(5))["label"], [0, 0, 0, 1, 1])
    only = voxels.load(str(tmp_path / "b.npz"), category="desk")
    np.testing.assert_array_equal(only.read(np.arange(2))["image"], 255 * cubes[3:, ..., None])


class Malicious:
    def __reduce__(self):
        return (os.system, ("touch /tmp/jaxgan-was-here",))


NPZ = {
    "no cubes": ({"voxels": np.zeros((2, 8, 8, 4), bool)}, r"voxels must be cubes \[N, n, n, n\] .*, got bool with shape \[2, 8, 8, 4\]"),
    "images": ({"images": np.zeros((2, 8, 8, 1), np.uint8)}, r"images must be cubes .*, got uint8 with shape \[2, 8, 8, 1\]"),
    "channels": ({"voxels": np.zeros((2, 8, 8, 8, 3), np.uint8)}, "voxels must be cubes"),
    "none": ({"voxels": np.zeros((0, 8, 8, 8), bool)}, "N > 0"),
    "no bits": ({"chair": np.zeros((0, 64), np.uint8)}, "chair is empty"),
    "bits of no cube": ({"chair": np.zeros((2, 100), np.uint8)}, r"chair must have n\^3 / 8 bytes for each object, .*, got 100\."),
    "grey": ({"voxels": np.linspace(0, 1, 512).reshape(1, 8, 8, 8)}, r"voxels must be 0 \(empty\) or 1 \(solid\), got values from 0 to 1"),
    "bytes between": ({"voxels": np.full((1, 8, 8, 8), 7, np.uint8)}, r"must be 0 \(empty\) or 1 \(solid\), got values from 7 to 7"),
    "NaN": ({"voxels": np.full((1, 8, 8, 8), np.nan)}, r"must be 0 \(empty\) or 1"),
    "text": ({"voxels": np.full((1, 8, 8, 8), "a")}, "must be booleans, or the numbers 0"),
    "two sides": ({"a": np.zeros((1, 8, 8, 8), bool), "b": np.zeros((1, 4, 4, 4), bool)}, "same side, but a has 8 and b has 4"),
    "labels": ({"voxels": np.zeros((2, 8, 8, 8), bool), "labels": np.full(2, 0.5)}, r"labels must be whole numbers, .*, got the number 0\.5"),
    "too few labels": ({"voxels": np.zeros((2, 8, 8, 8), bool), "labels": np.zeros(1, int)}, "got 1 labels and 2 images"),
    "no labels": ({"voxels": np.zeros((2, 8, 8, 8), bool), "labels": np.zeros(0, int)}, r"labels must be whole numbers, .*, got int64 with shape \[0\]"),
    "objects": ({"voxels": np.array([Malicious()], object)}, "the array 'voxels' contains Python objects"),
    "nothing": ({}, "contains no arrays"),
}  # fmt: skip


@pytest.mark.parametrize(("found", "message"), NPZ.values(), ids=NPZ.keys())
def test_invalid_arrays_raise(found, message, tmp_path):
    np.savez(tmp_path / "a.npz", **found)
    with pytest.raises(ValueError, match=message) as raised:
        voxels.load(str(tmp_path / "a.npz"))
    assert "a.npz" in str(raised.value)
    assert not os.path.exists("/tmp/jaxgan-was-here")


def test_missing_data_and_categories_raise(tmp_path):
    (tmp_path / "a.csv").write_text("1,2")
    (tmp_path / "a.npz").write_bytes(b"PK nonsense")
    for name, message in {
        "nowhere": r"must be digits, an \.npz file or a folder of \.binvox files, got '.*nowhere', which does not exist",
        "a.csv": r"got '.*a\.csv', a file of another kind",
        "a.npz": r"is not in the \.npz format, or it is damaged: File is not a zip file\. Save arrays of numbers with",
        ".": r"contains no \.binvox files",
    }.items():
        with pytest.raises(ValueError, match=message):
            voxels.load(str(tmp_path / name))
    with pytest.raises(ValueError, match="`resolution` must be at least 1, got 0"):
        voxels.load("digits", resolution=0)
    message = r"`category` must be a class of digits, extruded, got chair\. Its classes are: 0, 1, 2"
    with pytest.raises(ValueError, match=message):
        voxels.load("digits", category="chair")
    np.savez(tmp_path / "b.npz", voxels=solids(2))
    message = r"`category` must be a class of .*b\.npz, got chair\. It has no classes"
    with pytest.raises(ValueError, match=message):
        voxels.load(str(tmp_path / "b.npz"), category="chair")


def test_cubes_are_reduced_by_blocks_and_enlarged_by_padding():
    cubes = np.zeros((1, 8, 8, 8, 1), np.uint8)
    cubes[0, 1, 2, 7] = 255
    smaller = voxels.resize_cubes(cubes, 4)
    assert smaller.shape == (1, 4, 4, 4, 1)
    np.testing.assert_array_equal(np.argwhere(smaller), [(0, 0, 1, 3, 0)])
    assert smaller.max() == 255
    wider = voxels.resize_cubes(cubes, 11)
    assert wider.shape == (1, 11, 11, 11, 1)
    np.testing.assert_array_equal(np.argwhere(wider), [(0, 2, 3, 8, 0)])
    with pytest.raises(ValueError, match="cubes of side 8 cannot be reduced to side 3"):
        voxels.resize_cubes(cubes, 3)


def test_digits_are_extruded_from_the_images():
    from sklearn.datasets import load_digits

    source = voxels.load("digits")
    np.testing.assert_array_equal(voxels.load_digits().images, source.images)
    pixels, labels = load_digits(return_X_y=True)
    assert (len(source), source.shape, source.classes) == (1797, (16, 16, 16, 1), tuple("0123456789"))
    batch = source.read(np.arange(1797))
    np.testing.assert_array_equal(batch["label"], labels)
    assert set(np.unique(batch["image"])) == {0, 255}
    solid = batch["image"][..., 0] > 0
    assert solid.any((1, 3)).sum(1).tolist() == [4] * 1797  # thickness
    front = solid.any(2).transpose(0, 2, 1)[:, ::-1]  # seen from the front, with the upper row first
    coarse = front[:, 1:15, 1:15].reshape(1797, 7, 2, 7, 2).mean((2, 4)).reshape(1797, -1)
    grey = np.stack([np.asarray(_halved(image)) for image in pixels.reshape(-1, 8, 8)]).reshape(1797, -1)
    correlated = np.corrcoef(np.concatenate([coarse, grey]))[:1797, 1797:]
    assert np.mean(np.diag(correlated)) > 0.9
    # Each digit is correlated most with its own image.
    assert (correlated.argmax(1) == np.arange(1797)).mean() > 0.9


def _halved(image):
    from PIL import Image

    return Image.fromarray(image.astype(np.float32)).resize((7, 7), Image.Resampling.BILINEAR)


def test_modelnet10_is_loaded_as_bits_by_class(test_data):
    """The counts and occupancies are documented in the SOURCE.md of the data."""
    path = str(test_data / "modelnet10_voxels" / "modelnet10_chair_monitor_32.npz")
    source = voxels.load(path)
    assert (source.shape, source.classes) == ((32, 32, 32, 1), ("chair", "monitor"))
    batch = source.read(np.arange(len(source)))
    np.testing.assert_array_equal(np.bincount(batch["label"]), [889, 465])
    occupied = [(batch["image"][batch["label"] == i] == 255).mean() for i in (0, 1)]
    assert occupied == pytest.approx([0.060, 0.079], abs=5e-4)
    assert (
        len(voxels.load(path, resolution=16, category="monitor")),
        voxels.load(path, category="monitor").classes,
    ) == (465, ())
