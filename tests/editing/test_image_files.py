"""The images that a command reads, and the names of the files that it writes for them."""

from pathlib import Path

import pytest
from helpers.files import archive, folder, noise

from jaxgan.editing.image_files import list_images, output_paths


def test_list_images_of_a_folder_a_zip_and_a_file(tmp_path):
    files = {"b.png": noise(), "below/a.png": noise(), "notes.txt": b"text"}
    images = folder(tmp_path / "images", files)
    for path in (images, archive(tmp_path / "images.zip", files)):
        with pytest.warns(UserWarning, match=r": left out 1 file that is not an image: 1 \.txt\."):
            assert list_images(path)[1] == ["b.png", "below/a.png"]
    files_of_image, names = list_images(images / "below" / "a.png")
    assert names == ["a.png"]
    with files_of_image.open("a.png") as file:
        assert file.read() == (images / "below" / "a.png").read_bytes()


def test_errors_name_the_argument(tmp_path):
    with pytest.raises(ValueError, match=r"`masks` must be an existing file or folder, but .*none does not exist\."):
        list_images(tmp_path / "none", "masks")
    (tmp_path / "clip.mp4").write_bytes(b"0")
    with pytest.raises(
        ValueError, match=r"`images` must be an image, .* the format of .*clip\.mp4 is unknown\. Convert a video"
    ):
        list_images(tmp_path / "clip.mp4")


def test_output_paths_keep_the_names_and_the_given_formats():
    names = ["a.png", "below/b.JPG", "c.bmp", "d.e.tif"]
    as_png = {name: Path("out", f"{name.rpartition('.')[0]}.png") for name in names}
    assert output_paths("images", names, Path("out")) == as_png
    kept = output_paths("images", names, Path("out"), (".png", ".jpg"))
    assert kept == {**as_png, "below/b.JPG": Path("out/below/b.JPG")}


def test_two_images_with_the_same_output_path_are_rejected():
    with pytest.raises(ValueError, match=r"a\.bmp and a\.tif would both be written to a\.png\. Rename one of them\."):
        output_paths("images", ["a.bmp", "b.png", "a.tif"], Path("out"))
    assert len(output_paths("images", ["a.bmp", "below/a.bmp"], Path("out"))) == 2


def test_results_never_replace_images(tmp_path):
    given = folder(tmp_path / "given", {"a.png": noise(), "below/a.png": noise()})
    (tmp_path / "link").symlink_to(given)
    for out in (given, tmp_path / "link"):
        with pytest.raises(ValueError, match=r"`out` must not be the folder of the images, got .*\."):
            output_paths(str(given), ["a.png", "below/a.png"], out)
    with pytest.raises(ValueError, match=r"The result for a\.png would replace the image .*a\.png\. .* outside of"):
        output_paths(str(given), ["a.png", "below/a.png"], tmp_path / "link" / "below")
    assert len(output_paths(str(given), ["a.png", "below/a.png"], given / "results")) == 2
