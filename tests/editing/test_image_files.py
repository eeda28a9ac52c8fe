"""Images that a command reads, and the names of the files that it writes for them."""

from pathlib import Path

import pytest
from helpers.files import archive, folder, noise

from jaxgan.editing.image_files import list_images, output_paths


def test_images_of_a_folder_a_zip_and_a_file(tmp_path):
    files = {"b.png": noise(), "below/a.png": noise(), "notes.txt": b"text"}
    images = folder(tmp_path / "images", files)
    assert list_images(images)[1] == ["b.png", "below/a.png"]
    assert list_images(archive(tmp_path / "images.zip", files))[1] == ["b.png", "below/a.png"]
    of_file, names = list_images(images / "below" / "a.png")
    assert names == ["a.png"]
    with of_file.open("a.png") as file:
        assert file.read() == (images / "below" / "a.png").read_bytes()


def test_what_has_no_images_is_named_by_its_argument(tmp_path):
    with pytest.raises(ValueError, match=r"`masks` .*none: no such file or folder"):
        list_images(tmp_path / "none", "masks")
    (tmp_path / "clip.mp4").write_bytes(b"0")
    with pytest.raises(ValueError, match=r"`images` .*not an image of a known format; of a video give the frames"):
        list_images(tmp_path / "clip.mp4")


def test_outputs_keep_their_names_and_the_formats_that_are_written():
    names = ["a.png", "below/b.JPG", "c.bmp", "d.e.tif"]
    as_png = {name: Path("out", f"{name.rpartition('.')[0]}.png") for name in names}
    assert output_paths(names, Path("out")) == as_png
    kept = output_paths(names, Path("out"), (".png", ".jpg"))
    assert kept == {**as_png, "below/b.JPG": Path("out/below/b.JPG")}


def test_two_images_do_not_share_an_output():
    with pytest.raises(ValueError, match=r"a.bmp and a.tif would both become a.png; rename one"):
        output_paths(["a.bmp", "b.png", "a.tif"], Path("out"))
    assert len(output_paths(["a.bmp", "below/a.bmp"], Path("out"))) == 2
