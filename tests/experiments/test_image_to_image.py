"""pix2pix, SRGAN and CycleGAN on real data. Slow, because each is trained for 15 minutes or more on one core."""

import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from helpers import programs
from PIL import Image

from jaxgan import data, media
from jaxgan.data import degrade
from jaxgan.data.decoding import decode
from jaxgan.data.folders import find_images
from jaxgan.evaluation import classifier as classifiers
from jaxgan.metrics import psnr

pytestmark = pytest.mark.slow

WEIGHTS = "inception/inception2015_conv_to_mixed7_f16.npz"
FACADES = [
    *("--inputs", "pairs", "--resolution", 64, "--lambda-l1", 10),
    *("--steps", 6000, "--lr-constant-steps", 3000, "--lr-decay-steps", 3000),
]
EUROSAT = [
    *("--resolution", 64, "--num-blocks", 4, "--n-layers-d", 2, "--lambda-cycle", 5),
    *("--steps", 6000, "--lr-constant-steps", 3500, "--lr-decay-steps", 2500),
]
PRETRAINED = 3500  # steps
SCALE_4 = [
    *("--resolution", 64, "--scale", 4, "--steps", 5500),
    *("--pretrain-steps", PRETRAINED, "--checkpoint-every", PRETRAINED),
    *("--lr-constant-steps", PRETRAINED, "--lr-decay-steps", 2000),
]
SCALE_2 = [
    *("--resolution", 64, "--scale", 2, "--steps", 4000, "--pretrain-steps", 4000),
    *("--lr-constant-steps", 2500, "--lr-decay-steps", 1500),
]


def unpack(archive, folder):
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def train(experiment, run, *flags):
    programs.done(*flags, "--run-dir", run, "--quiet", experiment=experiment)


def evaluate(experiment, run, out, weights, *more):
    """Return the scores of a run on its test data."""
    flags = ["--run-dir", run, "--out", out, "--features", "inception-768", "--weights", weights]
    programs.done("evaluate", *flags, "--metrics", "l1", "psnr", "ssim", "fid", *more, experiment=experiment)
    scores = json.loads(out.read_text())
    print({name: round(value, 4) for name, value in scores.items() if name != "protocol"})
    return scores


def fid_of_one_image(image, source, weights, tmp_path, name):
    """Return the fid_768 of samples that are all the same image."""
    samples, targets = tmp_path / f"{name}.npz", tmp_path / "targets.npz"
    count = len(source)
    np.savez(samples, images=np.repeat(media.to_bytes(image[None]), count, 0))
    np.savez(targets, images=source.read(np.arange(count))["image"])
    done = subprocess.run(
        [sys.executable, "-m", "jaxgan", "fid", samples, targets, "--weights", weights, "--features", "inception-768"],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[1])


def test_pix2pix_is_better_than_l1_alone_and_than_the_mean_image(test_data, tmp_path):
    """pix2pix is trained on the first 400 facades and measured on the other 100."""
    unpacked = unpack(test_data / "facades" / "facades.tar", tmp_path)
    folders = {part: tmp_path / part for part in ("train", "test")}
    for folder in folders.values():
        folder.mkdir()
    for i, path in enumerate(sorted(unpacked.rglob("image_*.jpg"))):
        path.rename(folders["train" if i < 400 else "test"] / path.name)
    flags = [*FACADES, "--data", folders["train"], "--test-data", folders["test"]]
    weights = test_data / WEIGHTS
    found = {}
    for name, more in {"game": [], "l1": ["--adv-weight", 0]}.items():
        train("pix2pix", tmp_path / name, *flags, *more)
        found[name] = evaluate("pix2pix", tmp_path / name, tmp_path / f"{name}.json", weights)
    sources = {
        part: data.pairs.load(str(folder), resolution=64, direction="right-to-left") for part, folder in folders.items()
    }
    mean = data.normalize(sources["train"].read(np.arange(400)))["image"].mean(0)
    mean_fid = fid_of_one_image(np.asarray(mean), sources["test"], weights, tmp_path, "mean")
    print(f"fid_768 of the mean image {mean_fid:.4f}")
    assert found["game"]["fid_768"] < 0.85 * found["l1"]["fid_768"] and found["game"]["fid_768"] < 0.5 * mean_fid


def luma_psnr(made: np.ndarray, real: np.ndarray, border: int) -> float:
    """Return the PSNR of the luma, cropped at the border by ``border`` pixels, as super-resolution papers do."""
    lumas = [np.asarray(degrade.to_y(x[None].astype(np.float32) / 127.5 - 1)) for x in (made, real)]
    y, x = ((np.float64(luma) + 1) * 127.5 for luma in lumas)
    inside = (slice(None), slice(border, -border), slice(border, -border))
    return float(psnr(np.clip(y[inside], 0, 255), np.clip(x[inside], 0, 255), low=0, high=255)[0])


def enlarged_psnr(run, folder, scale, tmp_path, *more) -> tuple[float, float]:
    """Return the mean PSNR over the images of a folder, of the run's enlargements and of bicubic ones."""
    files, names = find_images(folder)
    reals, lows = {}, tmp_path / "low"
    for name in names:
        picture = decode(files, name, lambda image: np.asarray(image.convert("RGB")))
        grey = Image.open(folder / name).mode == "L"
        height, width = (n // scale * scale for n in picture.shape[:2])
        reals[name] = picture[:height, :width], grey
        low = degrade.round_to_bytes(degrade.resize_bicubic(reals[name][0][None] / np.float32(127.5) - 1, scale))
        (lows / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(media.to_bytes(np.asarray(low))[0]).save(lows / name)
    out = tmp_path / "out"
    programs.done("translate", "--run-dir", run, "--images", lows, "--out", out, *more, experiment="srgan")
    run_psnrs, bicubic_psnrs = [], []
    for name, (real, grey) in reals.items():
        low = np.asarray(Image.open(lows / name)).astype(np.float32)[None] / 127.5 - 1
        bicubic = media.to_bytes(np.asarray(degrade.resize_bicubic(low, 1 / scale)))[0]
        made = np.asarray(Image.open(out / name))
        channels = slice(0, 1) if grey else slice(None)  # the luma of a grey image is its only channel
        run_psnrs.append(luma_psnr(made[..., channels], real[..., channels], scale))
        bicubic_psnrs.append(luma_psnr(bicubic[..., channels], real[..., channels], scale))
    return float(np.mean(run_psnrs)), float(np.mean(bicubic_psnrs))


def test_srgan_by_four_is_better_than_bicubic_and_the_game_than_l2(test_data, tmp_path):
    """After L2, the PSNR exceeds the bicubic one by 1 dB on both sets. The game lowers the Frechet distance further."""
    sets = test_data / "super_resolution"
    for archive in ("T91.tar.xz", "CSet5.tar", "CSet14.tar"):
        unpack(sets / archive, tmp_path)
    flags = ["--data", f"tiles:{tmp_path / 'Train'}", "--test-data", f"tiles:{tmp_path / 'CSet14'}"]
    run, after_l2 = tmp_path / "run", ["--step", PRETRAINED]
    train("srgan", run, *flags, *SCALE_4)
    for name in ("CSet5", "CSet14"):
        ours, bicubic = enlarged_psnr(run, tmp_path / name, 4, tmp_path / f"l2_{name}", *after_l2)
        print(f"{name}: {ours:.2f} dB, bicubic {bicubic:.2f}")
        assert ours > bicubic + 1
    found = {
        name: evaluate("srgan", run, tmp_path / f"{name}.json", test_data / WEIGHTS, *more)
        for name, more in {"l2": after_l2, "game": []}.items()
    }
    assert found["game"]["fid_768"] < found["l2"]["fid_768"]


def test_srgan_by_two_is_better_than_bicubic(test_data, tmp_path):
    """After L2, the PSNR exceeds the bicubic one by 1 dB on both sets."""
    for archive in ("T91.tar.xz", "CSet5.tar", "CSet14.tar"):
        unpack(test_data / "super_resolution" / archive, tmp_path)
    train("srgan", tmp_path / "run", "--data", f"tiles:{tmp_path / 'Train'}", *SCALE_2)
    for name in ("CSet5", "CSet14"):
        ours, bicubic = enlarged_psnr(tmp_path / "run", tmp_path / name, 2, tmp_path / f"of_{name}")
        print(f"{name}: {ours:.2f} dB, bicubic {bicubic:.2f}")
        assert ours > bicubic + 1


def test_cyclegan_translates_rivers_to_highways_and_back(test_data, tmp_path):
    """The error of the cycles falls, and a classifier assigns 80 % of the translations to their target domain."""
    for name in ("River", "Highway"):
        unpack(test_data / "eurosat" / f"eurosat_{name}.tar.xz", tmp_path)
    parts = {(part, name): tmp_path / part / name for part in ("train", "test") for name in ("River", "Highway")}
    run = tmp_path / "run"
    train(
        "cyclegan", run, *EUROSAT,
        *("--data", parts["train", "Highway"], "--data-a", parts["train", "River"]),
        *("--test-data", parts["test", "Highway"], "--test-data-a", parts["test", "River"]),
    )  # fmt: skip
    check_translations(parts, run, tmp_path)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    cycles = [row["g/cycle_a"] + row["g/cycle_b"] for row in rows]
    print(f"cycles {np.mean(cycles[:200]):.3f} at first, {np.mean(cycles[-200:]):.3f} at the end")
    assert np.mean(cycles[-200:]) < 0.7 * np.mean(cycles[:200])


def check_translations(parts, run, tmp_path):
    """Check translations of all test images in both directions, by a classifier of rotated and mirrored images."""
    reals = {key: data.load(str(folder)).images for key, folder in parts.items()}
    names = ("River", "Highway")
    images = np.concatenate([reals["train", name] for name in names])
    images = np.concatenate([mirrored for x in (images, images.swapaxes(1, 2)) for mirrored in mirror(x)])
    labels = np.repeat(np.arange(2, dtype=np.int32), [len(reals["train", name]) for name in names])
    np.savez(tmp_path / "rotated.npz", images=images, labels=np.tile(labels, 8))
    classifier = train_classifier(tmp_path / "rotated.npz", tmp_path / "judge", steps=1500)
    for label, name in enumerate(names):
        share = (classifier.logits(reals["test", name]).argmax(1) == label).mean()
        print(f"{share:.1%} of real images of {name} are classified correctly")
        assert share > 0.9
    for source, target, direction in (("River", 1, "a_to_b"), ("Highway", 0, "b_to_a")):
        out = tmp_path / direction
        flags = ["--run-dir", run, "--images", parts["test", source], "--out", out, "--direction", direction]
        programs.done("translate", *flags, experiment="cyclegan")
        share = (classifier.logits(data.load(str(out)).images).argmax(1) == target).mean()
        print(f"{direction}: {share:.1%} are classified as {names[target]}")
        assert share > 0.8


def train_classifier(images, cache, steps):
    """Train a classifier in a process with the settings that users have, and return it."""
    program = (
        "import sys; from pathlib import Path; from jaxgan import data; from jaxgan.core import system; "
        "from jaxgan.evaluation import classifier; system.keep_freed_memory(); _, images, cache, steps = sys.argv; "
        "classifier.train_classifier(data.load(images), cache=Path(cache), steps=int(steps))"
    )
    command = [sys.executable, "-c", program, images, cache, str(steps)]
    subprocess.run(command, check=True, env=os.environ | programs.AS_USERS)
    (cached,) = cache.iterdir()
    trained = classifiers.train_classifier(data.load(str(images)), cache=cache, steps=steps)
    assert [cached] == list(cache.iterdir())  # the cached classifier was read, and no other was trained
    return trained


def mirror(images):
    return [images[:, ::v, ::h] for v in (1, -1) for h in (1, -1)]
