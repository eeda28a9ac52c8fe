"""Images to images on real data. Slow: it trains each for a quarter of an hour or more on a core."""

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
from jaxgan.data.images import decode, find_images
from jaxgan.evaluation import classifier
from jaxgan.metrics import psnr

pytestmark = pytest.mark.slow

WEIGHTS = "inception/inception2015_conv_to_mixed7_f16.npz"
FACADES = [
    "--inputs",
    "pairs",
    "--resolution",
    64,
    "--lambda-l1",
    10,
    "--steps",
    6000,
    "--lr-constant-steps",
    3000,
    "--lr-decay-steps",
    3000,
]
EUROSAT = [
    *("--resolution", 64, "--num-blocks", 4, "--n-layers-d", 2, "--lambda-cycle", 5),
    *("--steps", 6000, "--lr-constant-steps", 3500, "--lr-decay-steps", 2500),
]
PRETRAINED = 3500
LARGER = [
    *(
        "--resolution",
        64,
        "--scale",
        4,
        "--steps",
        5500,
        "--pretrain-steps",
        PRETRAINED,
        "--checkpoint-every",
        PRETRAINED,
    ),
    *("--lr-constant-steps", PRETRAINED, "--lr-decay-steps", 2000),
]
TWICE = [
    "--resolution",
    64,
    "--scale",
    2,
    "--steps",
    4000,
    "--pretrain-steps",
    4000,
    "--lr-constant-steps",
    2500,
    "--lr-decay-steps",
    1500,
]


def unpacked(archive, folder):
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def trained(experiment, run, *flags):
    programs.done(*flags, "--run-dir", run, "--quiet", experiment=experiment)


def evaluated(experiment, run, out, weights, *more):
    """The figures of a run's test data."""
    asked = ["--run-dir", run, "--out", out, "--features", "inception-768", "--weights", weights]
    programs.done("evaluate", *asked, "--metrics", "l1", "psnr", "ssim", "fid", *more, experiment=experiment)
    figures = json.loads(out.read_text())
    print({name: round(value, 4) for name, value in figures.items() if name != "protocol"})
    return figures


def of_one_image(image, source, weights, tmp_path, name):
    """The figures of samples that are all one image."""
    ours, theirs = tmp_path / f"{name}.npz", tmp_path / "targets.npz"
    count = len(source)
    np.savez(ours, images=np.repeat(media.to_bytes(image[None]), count, 0))
    np.savez(theirs, images=source.read(np.arange(count))["image"])
    told = subprocess.run(
        [sys.executable, "-m", "jaxgan", "fid", ours, theirs, "--weights", weights, "--features", "inception-768"],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(told.stdout.split()[1])


def test_facades(test_data, tmp_path):
    """pix2pix on the first 400 facades, measured on the other 100: against the mean image, and against L1 alone."""
    whole = unpacked(test_data / "facades" / "facades.tar", tmp_path)
    folders = {part: tmp_path / part for part in ("train", "test")}
    for part in folders.values():
        part.mkdir()
    for i, path in enumerate(sorted(whole.rglob("image_*.jpg"))):
        path.rename(folders["train" if i < 400 else "test"] / path.name)
    flags = [*FACADES, "--data", folders["train"], "--test-data", folders["test"]]
    weights = test_data / WEIGHTS
    found = {}
    for name, more in {"game": [], "l1": ["--adv-weight", 0]}.items():
        trained("pix2pix", tmp_path / name, *flags, *more)
        found[name] = evaluated("pix2pix", tmp_path / name, tmp_path / f"{name}.json", weights)
    sources = {
        part: data.pairs.load(str(folder), resolution=64, direction="right-to-left") for part, folder in folders.items()
    }
    mean = data.normalize(sources["train"].read(np.arange(400)))["image"].mean(0)
    of_mean = of_one_image(np.asarray(mean), sources["test"], weights, tmp_path, "mean")
    print(f"fid_768 of the mean image {of_mean:.4f}")
    assert found["game"]["fid_768"] < 0.85 * found["l1"]["fid_768"] and found["game"]["fid_768"] < 0.5 * of_mean


def luma_psnr(made: np.ndarray, real: np.ndarray, border: int) -> float:
    """As the field judges: of the luma, without a border of as many pixels as the scale."""
    of = [np.asarray(degrade.to_y(x[None].astype(np.float32) / 127.5 - 1)) for x in (made, real)]
    y, x = ((np.float64(luma) + 1) * 127.5 for luma in of)
    inside = (slice(None), slice(border, -border), slice(border, -border))
    return float(psnr(np.clip(y[inside], 0, 255), np.clip(x[inside], 0, 255), low=0, high=255)[0])


def enlarged_psnr(run, folder, scale, tmp_path, *more) -> tuple[float, float]:
    """The mean of a set, of the run's enlargements and of bicubic ones."""
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
    ours, theirs = [], []
    for name, (real, grey) in reals.items():
        low = np.asarray(Image.open(lows / name)).astype(np.float32)[None] / 127.5 - 1
        bicubic = media.to_bytes(np.asarray(degrade.resize_bicubic(low, 1 / scale)))[0]
        made = np.asarray(Image.open(out / name))
        channels = slice(0, 1) if grey else slice(None)  # a grey image is its own luma
        ours.append(luma_psnr(made[..., channels], real[..., channels], scale))
        theirs.append(luma_psnr(bicubic[..., channels], real[..., channels], scale))
    return float(np.mean(ours)), float(np.mean(theirs))


def test_super_resolution(test_data, tmp_path):
    """SRGAN at scale 4 on the 91 images: L2 alone 1 dB above bicubic on both sets, the game nearer in features."""
    sets = test_data / "super_resolution"
    for archive in ("T91.tar.xz", "CSet5.tar", "CSet14.tar"):
        unpacked(sets / archive, tmp_path)
    flags = ["--data", f"tiles:{tmp_path / 'Train'}", "--test-data", f"tiles:{tmp_path / 'CSet14'}"]
    run, by_l2 = tmp_path / "run", ["--step", PRETRAINED]
    trained("srgan", run, *flags, *LARGER)
    for name in ("CSet5", "CSet14"):
        ours, bicubic = enlarged_psnr(run, tmp_path / name, 4, tmp_path / f"l2_{name}", *by_l2)
        print(f"{name}: {ours:.2f} dB, bicubic {bicubic:.2f}")
        assert ours > bicubic + 1
    found = {
        name: evaluated("srgan", run, tmp_path / f"{name}.json", test_data / WEIGHTS, *more)
        for name, more in {"l2": by_l2, "game": []}.items()
    }
    assert found["game"]["fid_768"] < found["l2"]["fid_768"]


def test_super_resolution_by_two(test_data, tmp_path):
    """L2 alone at scale 2: 1 dB above bicubic on both sets."""
    for archive in ("T91.tar.xz", "CSet5.tar", "CSet14.tar"):
        unpacked(test_data / "super_resolution" / archive, tmp_path)
    trained("srgan", tmp_path / "run", "--data", f"tiles:{tmp_path / 'Train'}", *TWICE)
    for name in ("CSet5", "CSet14"):
        ours, bicubic = enlarged_psnr(tmp_path / "run", tmp_path / name, 2, tmp_path / f"of_{name}")
        print(f"{name}: {ours:.2f} dB, bicubic {bicubic:.2f}")
        assert ours > bicubic + 1


def test_rivers_become_highways(test_data, tmp_path):
    """CycleGAN on EuroSAT: cycles close, and a classifier of the two takes 80 % of translations for their target."""
    for name in ("River", "Highway"):
        unpacked(test_data / "eurosat" / f"eurosat_{name}.tar.xz", tmp_path)
    parts = {(part, name): tmp_path / part / name for part in ("train", "test") for name in ("River", "Highway")}
    run = tmp_path / "run"
    trained(
        "cyclegan", run, *EUROSAT,
        *("--data", parts["train", "Highway"], "--data-a", parts["train", "River"]),
        *("--test-data", parts["test", "Highway"], "--test-data-a", parts["test", "River"]),
    )  # fmt: skip
    told_apart(parts, run, tmp_path)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    cycles = [row["g/cycle_a"] + row["g/cycle_b"] for row in rows]
    print(f"cycles {np.mean(cycles[:200]):.3f} at first, {np.mean(cycles[-200:]):.3f} at the end")
    assert np.mean(cycles[-200:]) < 0.7 * np.mean(cycles[:200])


def told_apart(parts, run, tmp_path):
    """Both ways, of all test images, by a classifier that saw each image turned and mirrored in all eight ways."""
    reals = {key: data.load(str(folder)).images for key, folder in parts.items()}
    names = ("River", "Highway")
    images = np.concatenate([reals["train", name] for name in names])
    images = np.concatenate([turned for x in (images, images.swapaxes(1, 2)) for turned in mirrored(x)])
    labels = np.repeat(np.arange(2, dtype=np.int32), [len(reals["train", name]) for name in names])
    np.savez(tmp_path / "turned.npz", images=images, labels=np.tile(labels, 8))
    network = judge(tmp_path / "turned.npz", tmp_path / "judge", steps=1500)  # not the longer for what is only turned
    for label, name in enumerate(names):
        share = (network.logits(reals["test", name]).argmax(1) == label).mean()
        print(f"of real {name} {share:.1%} are taken for it")
        assert share > 0.9
    for source, target, direction in (("River", 1, "a_to_b"), ("Highway", 0, "b_to_a")):
        out = tmp_path / direction
        asked = ["--run-dir", run, "--images", parts["test", source], "--out", out, "--direction", direction]
        programs.done("translate", *asked, experiment="cyclegan")
        share = (network.logits(data.load(str(out)).images).argmax(1) == target).mean()
        print(f"{direction}: {share:.1%} are taken for {names[target]}")
        assert share > 0.8


def judge(images, cache, steps):
    """A classifier, trained in a process as users have it."""
    program = (
        "import sys; from pathlib import Path; from jaxgan import data; from jaxgan.core import system; "
        "from jaxgan.evaluation import classifier; system.keep_freed_memory(); _, images, cache, steps = sys.argv; "
        "classifier.train_classifier(data.load(images), cache=Path(cache), steps=int(steps))"
    )
    command = [sys.executable, "-c", program, images, cache, str(steps)]
    subprocess.run(command, check=True, env=os.environ | programs.AS_USERS)
    (kept,) = cache.iterdir()
    found = classifier.train_classifier(data.load(str(images)), cache=cache, steps=steps)
    assert [kept] == list(cache.iterdir())  # read, not trained anew
    return found


def mirrored(images):
    return [images[:, ::v, ::h] for v in (1, -1) for h in (1, -1)]
