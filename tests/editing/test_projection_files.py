"""Files of projections: writing and reading, files of older versions, and errors for damaged files."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxgan.editing.projection_files import SavedProjection, read_projection, read_sheets, write_projection


def saved(**changes):
    rng = np.random.default_rng(0)
    noise = (rng.normal(size=(4, 4)).astype(np.float32), rng.normal(size=(8, 8)).astype(np.float32))
    ws, history = rng.normal(size=(6, 4)).astype(np.float32), np.array([2.0, 1.0], np.float32)
    return SavedProjection(ws, noise, history, 20.5, 0.75, {"checkpoint": 1234, "space": "w"})._replace(**changes)


def test_a_written_projection_can_be_read(tmp_path):
    write_projection(tmp_path / "below" / "a.w.npz", saved())
    found = read_projection(tmp_path / "below" / "a.w.npz")
    for read, written in zip((found.ws, *found.noise, found.loss_history), (saved().ws, *saved().noise, [2.0, 1.0])):
        np.testing.assert_array_equal(read, written)
    assert (found.psnr, found.ssim, found.protocol) == (20.5, 0.75, saved().protocol)


def test_a_file_of_an_older_version_can_be_read(tmp_path):
    """Older versions saved the losses as ``course``."""
    ws, loss, protocol = np.ones((6, 4), np.float32), np.array([2.0, 1.0]), json.dumps({"checkpoint": 3, "rate": 0.1})
    with (tmp_path / "old.w.npz").open("wb") as file:
        np.savez(file, ws=ws, course=loss, noise_0=np.zeros((8, 8)), psnr=20.0, ssim=np.nan, protocol=protocol)
    found = read_projection(tmp_path / "old.w.npz")
    np.testing.assert_array_equal(found.loss_history, loss)
    np.testing.assert_array_equal(found.ws, ws)
    assert (len(found.noise), found.psnr, found.protocol["checkpoint"]) == (1, 20.0, 3)


def test_missing_and_damaged_files_are_rejected(tmp_path):
    with pytest.raises(ValueError, match=r"none\.w\.npz does not exist\. Create a projection file"):
        read_projection(tmp_path / "none.w.npz")
    (tmp_path / "text.w.npz").write_bytes(b"no zip")
    np.savez(tmp_path / "images.w.npz", images=np.zeros((1, 8, 8, 3)))
    write_projection(tmp_path / "nowhere.w.npz", saved(protocol={"space": "w"}))  # without a checkpoint
    for name in ("text", "images", "nowhere"):
        with pytest.raises(ValueError, match=f"{name}.w.npz is not a projection file, or it is damaged"):
            read_projection(tmp_path / f"{name}.w.npz")


def test_captions_of_images_have_psnr_and_ssim_for_each_space(tmp_path):
    for name in ("a", "below/b", "c", "d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / f"{name}.png")
    write_projection(tmp_path / "a.w.npz", saved())
    write_projection(tmp_path / "a.w+.npz", saved(psnr=30.0, ssim=np.nan))
    write_projection(tmp_path / "below" / "b.w+.npz", saved())
    (tmp_path / "c.w.npz").write_bytes(b"damaged")  # c and d have no caption, so they are left out
    sheets = dict(read_sheets(tmp_path, limit=10))
    assert sheets == {
        tmp_path / "a.png": "w: PSNR 20.50 dB, SSIM 0.750, at step 1,234; w+: PSNR 30.00 dB, at step 1,234",
        tmp_path / "below" / "b.png": "w+: PSNR 20.50 dB, SSIM 0.750, at step 1,234",
    }
    assert [path for path, _ in read_sheets(tmp_path, limit=1)] == [tmp_path / "a.png"]
