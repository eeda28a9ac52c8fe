"""Tests of how sources are displayed: a line that reads no examples, and a grid of some examples for notebooks."""

import base64
import io
import re

import numpy as np
import pytest
from helpers.files import encoded
from PIL import Image

from jaxgan import data, media
from jaxgan.data import Arrays, Batches, Subset, Unpaired, voxels
from jaxgan.data.images import ImageFiles
from jaxgan.data.representation import ShownSource

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 8, 8, 3), np.uint8)
LABELLED = Arrays(IMAGES, np.arange(40) % 2, "forty", ("cat", "dog"))


def images_of(source):
    """Return the images in the HTML of a source, by title."""
    found = re.findall(r'<img alt="(.*?)" src="data:image/png;base64,(.*?)">', source._repr_html_())
    return {title: np.asarray(Image.open(io.BytesIO(base64.b64decode(image)))) for title, image in found}


def test_repr_names_shape_type_and_classes():
    assert repr(LABELLED) == "Arrays forty: 40 examples of shape [8, 8, 3], uint8, 2 classes (cat, dog)"
    pairs = Arrays(IMAGES, name="pairs", inputs=IMAGES[:, ::2, ::2])
    text = "Arrays pairs: 40 examples of shape [8, 8, 3], uint8, generated from inputs of shape [4, 4, 3]"
    assert repr(pairs) == text
    subset = Subset(LABELLED, np.arange(5))
    assert repr(subset).startswith("Subset forty: 5 examples of shape [8, 8, 3], a subset of 40, 2 classes")
    many = Arrays(IMAGES, np.arange(40), "many", tuple(map(str, range(40))))
    assert repr(many).endswith("40 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...)")
    assert repr(Arrays(IMAGES, np.zeros(40), "one", ("cat",))).endswith(", 1 class (cat)")
    assert repr(Batches(subset, 2, seed=7)) == f"Batches of 2 with seed 7 of {subset!r}"
    both = Unpaired(images=LABELLED, inputs=subset)
    assert repr(both).splitlines() == [
        "Unpaired forty to forty: 40 examples of shape [8, 8, 3]",
        f"  image: {LABELLED!r}",
        f"  input: {subset!r}",
    ]


class Unreadable(ShownSource):
    """A source that fails when it is read."""

    name, shape, classes = "<b>far away</b>", (8, 8, 3), ()

    def __len__(self):
        return 10**9

    def read(self, indices):
        raise OSError("the disk is gone")


def test_repr_reads_no_examples():
    assert repr(Unreadable()) == "Unreadable <b>far away</b>: 1,000,000,000 examples of shape [8, 8, 3]"


def test_a_notebook_shows_the_error_of_unreadable_examples():
    text = Unreadable()._repr_html_()
    assert "The examples cannot be read: the disk is gone" in text
    assert "&lt;b&gt;far away" in text and "<b>" not in text and "<img" not in text


def test_a_notebook_shows_evenly_spaced_examples(tmp_path):
    (title, picture), = images_of(LABELLED).items()  # fmt: skip
    assert title == "image: 16 examples, evenly spaced from the first to the last"
    rows = np.linspace(0, 39, 16).astype(int)
    assert rows[-1] == 39
    np.testing.assert_array_equal(picture, np.asarray(media.grid(IMAGES[rows])))
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(encoded(IMAGES[i], "png"))
    files = ImageFiles(tmp_path)
    assert repr(files) == f"ImageFiles {tmp_path}: 3 examples of shape [8, 8, 3]"
    np.testing.assert_array_equal(images_of(files).popitem()[1], np.asarray(media.grid(IMAGES[:3])))


def test_inputs_points_and_solids_are_drawn():
    both = images_of(Unpaired(images=Arrays(IMAGES), inputs=Arrays(255 - IMAGES[:20])))
    assert [title.partition(":")[0] for title in both] == ["input", "image"]
    points = Arrays(RNG.uniform(-1, 1, (3000, 2)).astype(np.float32))
    assert images_of(points)["image: 2,000 examples, evenly spaced from the first to the last"].shape == (256, 256)
    solids = voxels.load("digits")
    shown = images_of(solids).popitem()[1]
    picked = solids.images[np.linspace(0, 1796, 16).astype(int)] / 127.5 - 1
    np.testing.assert_array_equal(shown, np.asarray(media.grid(media.render_solids(picked))))
    assert images_of(Arrays(np.zeros((3, 8, 8, 2), np.uint8))) == {}
    assert images_of(Arrays(np.zeros((3, 8, 4, 4, 1), np.uint8))) == {}


def test_large_images_are_reduced():
    picture = images_of(Arrays(np.zeros((16, 300, 300, 1), np.uint8))).popitem()[1]
    assert picture.shape[1] == 640


@pytest.mark.parametrize("name", ["digits", "ring"])
def test_bundled_data_can_be_displayed(name):
    source = data.load(name)
    assert repr(source).startswith(f"Arrays {source.name}: ") and len(images_of(source)) == 1


def test_displaying_floats_does_not_warn_of_their_range():
    """Warnings are errors in tests. Neither images without negative values nor empty voxels may warn."""
    for images in (np.zeros((2, 4, 4, 1), np.float32), np.full((2, 4, 4, 4, 1), -1.0, np.float32)):
        assert "<img" in Arrays(images, checked=True)._repr_html_()
