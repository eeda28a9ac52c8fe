"""Tests of arrays of examples: from .npz and .npy files, from arrays, for pairs and for two domains."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxgan
from jaxgan import data
from jaxgan.data.array_checks import check_axes, check_examples
from jaxgan.data.array_files import warn_of_unused_arrays
from jaxgan.data.survey import survey

RNG = np.random.default_rng(7)
BYTES = RNG.integers(0, 256, (6, 8, 9, 3), np.uint8)
FLOATS = (BYTES / 127.5 - 1).astype(np.float32)


def saved(path, name="a", **arrays):
    np.savez(path / f"{name}.npz", **arrays)
    return str(path / f"{name}.npz")


# Every way in which a user passes an array of images.
ENTRANCES = {
    "check": lambda images, _: check_examples(images, "The images of x"),
    "npz": lambda images, path: data.load(saved(path, images=images)).images,
    "npy": lambda images, path: (np.save(path / "a.npy", images), data.load(str(path / "a.npy")).images)[1],
    "array": lambda images, _: data.as_source(images).images,
    "batches": lambda images, _: next(data.batches(images, len(images)))["image"],
    "Arrays": lambda images, _: data.Arrays(images).images,
    "inputs": lambda images, _: data.Arrays(BYTES[: len(images)], inputs=images).inputs,
    "pairs": lambda images, path: data.pairs.load(
        saved(path, images=np.resize(BYTES, (len(images), *images.shape[1:3], 3)), inputs=images)
    ).inputs,
    "unpaired": lambda images, path: data.unpaired.load(saved(path, "b", images=BYTES), saved(path, images=images)).inputs.images,
    "fid": lambda images, _: jaxgan.fid(images, data.load("digits")),
}  # fmt: skip

# Arrays that are refused, by name: the array, and a part of the message.
REFUSED = {
    "channels first": (np.zeros((6, 3, 8, 9), np.uint8), r"got shape \[6, 3, 8, 9\]\. The channels must come last: pass \w+\.transpose\(0, 2, 3, 1\)"),
    "grey, channels first": (FLOATS.transpose(0, 3, 1, 2)[:, :1], r"got shape \[6, 1, 8, 9\]\. The channels must come last"),
    "alpha, channels first": (np.zeros((6, 4, 8, 9), np.uint8), r"got shape \[6, 4, 8, 9\]\. The channels must come last"),
    "examples last": (np.zeros((8, 9, 3, 60), np.uint8), r"\.transpose\(3, 0, 1, 2\)"),
    "one image": (BYTES[0], r"got the single image \[8, 9, 3\]\. Pass \w+\[None\]"),
    "one image, channels first": (BYTES[0].transpose(2, 0, 1), r"got shape \[3, 8, 9\]\. If they are grey images, pass \w+\[\.\.\., None\]"),
    "flattened images": (BYTES.reshape(6, -1), r"Restore the axes of flattened images with \w+\.reshape\(-1, height, width, channels\)"),
    "labels": (np.arange(6, dtype=np.uint8), r"must be \[N, height, width, C\], or \[N, D\] for points, with N > 0, got shape \(6,\)"),
    "no examples": (BYTES[:0], r"with N > 0, got shape \(0, 8, 9, 3\)"),
    "no pixels": (BYTES[:, :0], r"with N > 0, got shape \(6, 0, 9, 3\)"),
    "booleans": (BYTES > 9, r"got bool\. If True is white, convert them with 255 \* \w+\.astype\(numpy\.uint8\)"),
    "int8": (BYTES.astype(np.int8), r"got int8\. If 0 is black and 255 is white, convert them with \w+\.astype\(numpy\.uint8\)"),
    "int64": (BYTES.astype(np.int64), r"got int64\. If 0 is black and 255 is white"),
    "uint16": (BYTES.astype(np.uint16), r"got uint16\. If 65,535 is white, convert them with \(\w+ // 257\)\.astype\(numpy\.uint8\)"),
    "integer points": (np.zeros((6, 2), np.int32), r"got int32\. If they are points, convert them with \w+\.astype\(numpy\.float32\)"),
    "complex": (FLOATS.astype(complex), "got complex128"),
    "text": (np.full((6, 8, 9, 3), "a"), "got <U1"),
    "bytes as floats": (BYTES.astype(np.float64), r"must be floats in \[-1, 1\] or uint8 from 0 to 255, got floats from 0 to 255"),
    "float16 out of range": (BYTES.astype(np.float16), r"got floats from 0 to 255"),
    "a large float64": (FLOATS.astype(np.float64) * 1e300, "must be finite, got NaN or infinity in 6 of 6 examples"),
    "NaN": (np.where(np.arange(6)[:, None, None, None] == 2, np.nan, FLOATS), r"must be finite, got NaN or infinity in 1 of 6 examples, the first of which is \w+\[2\]"),
    "infinite points": (np.full((6, 2), np.inf, np.float32), "must be finite, got NaN or infinity in 6 of 6"),
}  # fmt: skip


@pytest.mark.parametrize(("array", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_ambiguous_arrays_are_refused(array, message):
    with pytest.raises(ValueError, match=message):
        check_examples(array, "The images of x")


@pytest.mark.parametrize("name", [name for name in ENTRANCES if name != "check"])
@pytest.mark.parametrize("case", ["channels first", "int64", "NaN", "one image", "bytes as floats"])
def test_every_entrance_checks_arrays(name, case, tmp_path):
    array, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        ENTRANCES[name](array, tmp_path)


def test_objects_are_refused():
    ragged = np.empty(2, object)
    ragged[:] = [BYTES[0], BYTES[0, 1:]]
    for array in (np.array([{}] * 4, object), ragged):
        with pytest.raises(
            ValueError, match=r"got object\. Such an array contains Python objects, for example images of"
        ):
            data.Arrays(array)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4", jnp.bfloat16, np.longdouble])
def test_floats_of_other_precisions_become_float32(dtype, tmp_path):
    converted = FLOATS.astype(dtype)
    for name in ("check", "array", "Arrays", "inputs", "npz"):
        if name == "npz" and dtype == jnp.bfloat16:
            continue  # NumPy cannot save this type
        images = ENTRANCES[name](converted, tmp_path)
        assert images.dtype == np.dtype(np.float32)
        np.testing.assert_array_equal(images, converted.astype(np.float32))


def test_bfloat16_from_a_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the array 'images' has the dtype"):
        data.load(saved(tmp_path, images=np.asarray(jnp.asarray(FLOATS, jnp.bfloat16))))


@pytest.mark.parametrize("name", ["check", "npz", "npy", "array", "Arrays", "inputs", "unpaired"])
def test_grey_images_without_channels_are_read_with_a_warning(name, tmp_path):
    grey = BYTES[..., 0]
    with pytest.warns(
        UserWarning, match=r"have shape \[6, 8, 9\] and are read as 6 grey images, \[N, height, width, 1\]"
    ) as w:
        images = ENTRANCES[name](grey, tmp_path)
    assert len(w) == 1
    np.testing.assert_array_equal(images, grey[..., None])


@pytest.mark.parametrize("name", ["check", "npz", "npy", "array", "Arrays", "inputs", "unpaired"])
def test_float_images_without_negative_values_warn(name, tmp_path):
    message = r"are floats from 0.* to 1, but images must be in \[-1, 1\]\. If 0 is black, pass 2 \* \w+ - 1"
    images = BYTES / np.float32(255)
    with pytest.warns(UserWarning, match=message) as caught:
        ENTRANCES[name](images, tmp_path)
    assert len(caught) == 1


def test_other_examples_than_images_keep_their_shape_and_range():
    """Warnings are errors in tests."""
    points = RNG.normal(0, 9, (5, 2)).astype(np.float32)
    assert data.Arrays(points).images is points
    for shape in ((5, 8, 8, 8, 1), (5, 24, 6), (5, 7)):
        floats = np.zeros(shape, np.float32)
        assert data.Arrays(floats).images is floats
    assert data.Arrays(BYTES[:, :, :, :1].transpose(0, 1, 3, 2)[:, :1]).shape == (1, 1, 9)  # too thin to be sure
    assert data.Arrays(np.zeros((1, 8, 9, 3), np.uint8)).shape == (8, 9, 3)


def test_axes_of_other_examples_are_not_checked(tmp_path):
    for shape in ((6, 3, 8, 9, 7), (6, 3, 9), (6, 3), (6, 3, 3, 9)):
        check_axes(shape, "x")
    warn_of_unused_arrays(tmp_path, ["images"], ["images", "labels"])  # warnings are errors


def test_a_survey_refuses_channels_first_and_reads_grey_images(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((6, 3, 64, 64), np.uint8))
    with pytest.raises(ValueError, match=r"a\.npy: images must be .* got shape \[6, 3, 64, 64\]"):
        survey(str(tmp_path / "a.npy"))
    with pytest.warns(UserWarning, match="read as 6 grey images"):
        assert survey(saved(tmp_path, images=np.zeros((6, 64, 64), np.uint8))).channels == 1


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("x_train", "y_train"), r"If x_train contains the images and y_train the labels, save them with numpy\.savez\(file, images=x_train, labels=y_train\)"),
        (("arr_0",), r"If arr_0 contains the images, save them with numpy\.savez\(file, images=arr_0\)"),
        (("Data", "labels"), r"If Data contains the images and labels the labels, save them with numpy\.savez\(file, images=Data, labels=labels\)"),
        (("mu", "sigma"), r"It contains the statistics of an FID, not images\. Pass the images"),
        (("other",), r"Save the arrays with numpy\.savez\(file, images=images\)"),
    ],
)  # fmt: skip
def test_names_of_other_programs_are_recognised(names, hint, tmp_path):
    with pytest.raises(ValueError, match=rf"a\.npz has no array 'images'\. It contains: .*\. {hint}"):
        data.load(saved(tmp_path, **dict.fromkeys(names, BYTES)))


def test_arrays_that_are_not_used_are_named(tmp_path):
    with pytest.warns(
        UserWarning, match=r"not used: y, z\. Only the arrays images, labels are read\. If y contains the labels"
    ):
        assert data.load(saved(tmp_path, images=BYTES, y=np.arange(6), z=BYTES)).classes == ()
    with pytest.warns(UserWarning, match=r"not used: inputs\. Only the arrays images, labels are read\.$"):
        data.load(saved(tmp_path, images=BYTES, inputs=BYTES))
